"""One row per prior and penalty. `test_priors` puts every row through the same laws."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

import jaxmle as jm


class Row(NamedTuple):
    """A prior over an unconstrained vector, and its independent reference.

    make: the term, from where it is over and one number that sets its strength.
    number: an ordinary value of that number.
    log_density: the log-density of a vector at that number, by scipy; None for the flat prior, which has none.
    """

    name: str
    make: Callable
    number: float
    log_density: Callable


def _normal(x, scale):
    return stats.norm.logpdf(x, 0.3, scale).sum()


def _ridge(x, strength):
    """With the constant that makes it a density."""
    return np.sum(-strength * x**2 + 0.5 * np.log(strength / np.pi))


TABLE = [
    Row("normal", lambda where, scale: jm.priors.normal(where, loc=0.3, scale=scale), 0.8, _normal),
    Row("l2", jm.penalties.l2, 0.9, _ridge),
]
WITHOUT_NUMBERS = {"flat", "penalties"}
