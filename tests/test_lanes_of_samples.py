"""Lanes that share observations and leave out different ones: of each the scale, its start and whether the fit is exact
are those of the rows that count in it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.models.scale import mean_and_scale, root_mean_square, weighted_mean

ROWS = 12
REAL = np.random.default_rng(6).normal(2.0, 1.0, ROWS)
X = np.c_[np.ones(ROWS), np.arange(ROWS) / ROWS]
# The first row is outlying. Lane 0 leaves it out, lane 1 counts it, lane 2 leaves another out with it.
WEIGHTS = np.ones((3, ROWS))
WEIGHTS[0, 0] = WEIGHTS[2, 0] = WEIGHTS[2, 5] = 0.0


def _line(params, x):
    return params["a"] + params["b"] * x


MODELS = {
    "normal": lambda y, weights, rows: jm.models.normal(y, weights),
    "linear": lambda y, weights, rows: jm.models.linear(jnp.asarray(X[rows]), y, weights),
    "nonlinear": lambda y, weights, rows: jm.models.nonlinear_least_squares(
        _line, jnp.asarray(X[rows, 1]), y, {"a": 0.0, "b": 0.0}, weights
    ),
    "gumbel": lambda y, weights, rows: jm.models.distribution("gumbel", y, weights=weights),
    "lognormal": lambda y, weights, rows: jm.models.distribution("lognormal", jnp.abs(y), weights=weights),
}


@pytest.mark.parametrize("outlier", [1e18, 1e200], ids=["beyond rounding", "beyond squares"])
@pytest.mark.parametrize("name", MODELS)
def test_what_one_lane_leaves_out_does_not_make_its_fit_exact(name, outlier):
    """Beside 1e18 a scale of one is rounding error, and the square of 1e200 is infinite."""
    make = MODELS[name]
    everything = np.ones(ROWS, bool)
    y = np.where(np.arange(ROWS) == 0, outlier, REAL)

    def fit(weights):
        problem = make(jnp.asarray(y), weights, everything)
        return jm.fit(problem)

    fits = jax.jit(jax.vmap(fit))(jnp.asarray(WEIGHTS))
    for lane in (0, 2):
        kept = WEIGHTS[lane] > 0
        alone = jm.fit(make(jnp.asarray(y[kept]), None, kept))
        assert alone.ok
        assert int(fits.status[lane]) == int(alone.status), codes.sentence(fits.status[lane])
        np.testing.assert_allclose(fits.z[lane], alone.z, rtol=1e-7, atol=1e-7)


def test_a_lane_without_spread_is_unbounded_still():
    y = jnp.asarray(np.where(np.arange(ROWS) < 3, REAL, 4.0))
    weights = jnp.asarray(np.where(np.arange(ROWS) < 3, 0.0, 1.0))
    fits = jax.jit(jax.vmap(lambda w: jm.fit(jm.models.normal(y, w))))(jnp.stack([weights, jnp.ones(ROWS)]))
    assert fits.status.tolist() == [codes.UNBOUNDED, codes.CONVERGED]


@pytest.mark.parametrize("outlier", [1e18, -1e300, np.inf, np.nan])
def test_starts_are_those_of_the_rows_that_count(outlier):
    y = jnp.asarray(np.where(np.arange(ROWS) == 0, outlier, REAL))
    for function in (mean_and_scale, weighted_mean, root_mean_square):
        lanes = jax.vmap(lambda w, f=function: f(y, w))(jnp.asarray(WEIGHTS[::2]))
        for lane, weights in enumerate(WEIGHTS[::2]):
            alone = function(y[weights > 0])
            for a, b in zip(jax.tree.leaves(lanes), jax.tree.leaves(alone), strict=True):
                np.testing.assert_allclose(a[lane], b, rtol=1e-12)
