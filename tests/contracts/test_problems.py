"""Every solver on the same list of problems: it reaches the maximum, or says that it did not."""

import numpy as np
import pytest
from problem_table import SOLVERS, TABLE

import jaxmle as jm
from jaxmle.core import status as codes

PAIRS = [(row, name) for row in TABLE for name in SOLVERS if name in row.asked]


@pytest.mark.parametrize(("row, name"), PAIRS, ids=lambda item: getattr(item, "name", item))
def test_reaches_the_maximum_or_says_that_it_did_not(row, name):
    """Converged is within 1e-7 of the top, in log-density; what is left over it knows to a factor of ten."""
    found = jm.fit(row.objective, row.start, solver=SOLVERS[name], max_steps=3000)
    highest = row.highest() if callable(row.highest) else row.highest
    gap = highest - float(found.value)
    if name in row.must:
        assert codes.is_maximum(int(found.status)), found.message
    if codes.is_maximum(int(found.status)) and not row.ends:
        assert abs(gap) < 1e-7, found.message
    if int(found.status) == codes.COMPLETED and np.isfinite(highest):
        assert not 0.5 * float(found.newton_decrement) ** 2 < 0.1 * gap, "it does not know how far it is"
    if row.ends:
        assert int(found.status) in (*row.ends, codes.OUT_OF_STEPS, codes.COMPLETED), found.message


def test_every_solver_must_solve_something():
    assert set(SOLVERS) == set().union(*(row.must for row in TABLE))
