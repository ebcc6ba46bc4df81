"""Every prior with a kink obeys the same laws in a fit. To add one, add a row to ``ROUGH_TABLE`` in `prior_table`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from prior_table import ROUGH_TABLE

import jaxmle as jm

# Means of normal rows are what a penalty shrinks in closed form. The first lane has them near and far from the centres.
Y = np.array([[[2.0, 0.5, -1.4], [1.2, -0.1, -2.0]], [[0.1, 0.4, -0.2], [0.1, 0.0, 0.2]]])
ROWS = 2


def _rows(params, rows):
    return jax.vmap(lambda y: jnp.sum(jm.densities.normal.logpdf(y, params["beta"], 1.0)))(rows)


@pytest.fixture(scope="module", params=ROUGH_TABLE, ids=lambda row: row.name)
def row(request):
    """One prior after the other, so that each compiles its programs once."""
    return request.param


@functools.cache
def _programs(name):
    """The estimate under a prior; the same over lanes, compiled; and the calls of what selects the parameters."""
    row = next(row for row in ROUGH_TABLE if row.name == name)
    calls = []

    def beta(params):
        calls.append(None)
        return params["beta"]

    def estimate(y, number):
        fit = jm.fit(jm.likelihood(_rows, y) + row.make(beta, number), {"beta": jnp.zeros(3)})
        return fit.params["beta"], fit.status

    return estimate, jax.jit(jax.vmap(estimate)), calls


def test_the_estimate_is_the_closed_form(row):
    """Zeros, or what else is the centre, are exact; the others err by the root of the tolerance, 1e-19."""
    eager = _programs(row.name)[0]
    for y in Y:
        found, expected = np.asarray(eager(y, row.number)[0]), row.shrunk(y.mean(axis=0), ROWS, row.number)
        np.testing.assert_allclose(found, expected, atol=1e-9)
        held = expected == row.centre
        assert (found[held] == row.centre).all()
        assert (found[~held] != row.centre).all()


def test_the_lanes_have_numbers_at_the_centre_and_away_from_it(row):
    """Or the law above would say nothing of one of them."""
    held = np.concatenate([row.shrunk(y.mean(axis=0), ROWS, row.number) == row.centre for y in Y])
    assert 0 < held.sum() < held.size


def test_the_mode_is_that_of_the_density(row):
    """No value nearby is higher, by the reference alone."""
    mode = np.asarray(_programs(row.name)[0](Y[0], row.number)[0])

    def posterior(beta):
        return row.log_density(beta, row.number) - 0.5 * np.sum((Y[0] - beta) ** 2)

    for step in 1e-3 * np.vstack([np.eye(3), -np.eye(3)]):
        assert posterior(mode + step) < posterior(mode)


def test_jit_of_vmap_equals_an_eager_loop(row):
    eager, lanes, _ = _programs(row.name)
    numbers = row.number * np.array([1.0, 2.0])
    found, ended = lanes(Y, numbers)
    for i in range(2):
        expected, status = eager(Y[i], numbers[i])
        np.testing.assert_allclose(found[i], expected, rtol=1e-12)
        assert int(ended[i]) == int(status)


def test_new_numbers_trace_nothing(row):
    eager, lanes, calls = _programs(row.name)
    eager(Y[0], row.number)
    lanes(Y, row.number * np.ones(2))
    before = len(calls)
    assert before > 0
    eager(Y[0] + 1.0, 3.0 * row.number)
    lanes(Y + 1.0, row.number * np.array([0.5, 3.0]))
    assert len(calls) == before
