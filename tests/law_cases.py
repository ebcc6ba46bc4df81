"""Samples and compiled programs that tests of the laws share."""

import functools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

import jaxmle as jm

ROWS, COLUMNS, LANES, AGAIN = 30, 4, 4, 5
ONES = np.ones(ROWS)
seeds = st.integers(0, 2**32 - 1)
few = hypothesis.settings(max_examples=8, deadline=None, derandomize=True, database=None)


def design(rng, rows=ROWS):
    return np.column_stack([np.ones(rows), rng.normal(size=(rows, COLUMNS - 1))])


def mean_and_scale(params, row):
    return row @ params["beta"], params["sigma"]


@functools.partial(jax.jit, static_argnames="block")
def linear(x, y, weights, factor=1.0, block=None):
    term = factor * jm.regression(jm.densities.normal, mean_and_scale, x, y, weights, block=block)
    fit = jm.fit(term, {"beta": jnp.zeros(COLUMNS), "sigma": jm.positive(1.0)})
    return fit, jm.infer(term, fit)


def linear_sample(seed):
    rng = np.random.default_rng(seed)
    x = design(rng)
    return rng, x, x @ rng.normal(size=COLUMNS) + np.exp(rng.normal()) * rng.normal(size=ROWS)


def same(one, other, what=("params", "bse", "cov", "llf", "nobs", "aic", "bic"), rtol=1e-8):
    """Two pairs of fit and inference, to what the tolerance of a fit and rounding leave of the digits."""
    assert np.all(one[0].ok)
    assert np.all(other[0].ok)
    for name in what:
        pairs = zip(jax.tree.leaves(getattr(one[1], name)), jax.tree.leaves(getattr(other[1], name)), strict=True)
        for a, b in pairs:
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(1.0, np.abs(b).max()), err_msg=name)


# The longer samples are evaluated in blocks of 9, which do not divide their 35 rows.
in_blocks = functools.partial(linear, block=9)


def logistic(x, y, weights):
    problem = jm.models.logistic(x, y, weights)
    fit = jm.fit(problem)
    return fit, jm.infer(problem, fit)


logistic_jit = jax.jit(logistic)


def coin_lanes(seed=3, lanes=LANES):
    rng = np.random.default_rng(seed)
    x = design(rng)
    chance = 1 / (1 + np.exp(-x @ np.array([0.2, 0.8, -0.6, 0.3])))
    return x, (rng.uniform(size=(lanes, ROWS)) < chance).astype(float)


X, COINS = coin_lanes()

BAD = {
    "missing": (np.where(np.arange(ROWS) == 4, np.nan, COINS[0]), ONES, "missing .* row 4"),
    "support": (np.where(np.arange(ROWS) == 4, 2.0, COINS[0]), ONES, "y is 2.0 at row 4"),
    "negative": (COINS[0], np.where(np.arange(ROWS) == 4, -1.0, 1.0), "weight of row 4 is -1"),
    "not a weight": (COINS[0], np.where(np.arange(ROWS) == 4, np.nan, 1.0), "weight of row 4 is nan"),
    "no weight": (COINS[0], 0.0 * ONES, "all weights are zero"),
}
