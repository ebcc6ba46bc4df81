"""A row of weight zero changes nothing, whatever is in it: missing, infinite or impossible values, in x or in y."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxmle as jm

ROWS = 24
RNG = np.random.default_rng(5)
X = np.column_stack([np.ones(ROWS), RNG.normal(size=ROWS)])
COINS = (RNG.random(ROWS) < 0.5).astype(float)
REAL = X @ np.array([0.5, 1.0]) + RNG.normal(size=ROWS)
WEIGHTS = np.where(np.arange(ROWS) % 5 == 0, 0.0, 1.0 + np.arange(ROWS) % 2)
BAD = np.array([0, 5, 10, 15, 20])


def by_rows(params, data):
    return jm.densities.normal.logpdf(data["y"], data["x"] @ params["beta"], params["sigma"])


def term(x, y, weights):
    return jm.likelihood(by_rows, {"x": x, "y": y}, weights)


def decay(params, row):
    return params["a"] * jnp.exp(params["b"] * row[1])


START = {"beta": jnp.zeros(2), "sigma": jm.positive(1.0)}
MODELS = {
    "logistic": (jm.models.logistic, COINS, None),
    "linear": (jm.models.linear, REAL, None),
    "softmax": (lambda x, y, w: jm.models.softmax(x, y.astype(int), w), COINS, None),
    "nonlinear": (lambda x, y, w: jm.models.nonlinear_least_squares(decay, x, y, {"a": 1.0, "b": 0.1}, w), REAL, None),
    "likelihood": (term, REAL, START),
    "blocks": (lambda x, y, w: dataclasses.replace(term(x, y, w), block=7), REAL, START),
}


def spoil(values, value, rows: Any = BAD):
    """``values`` with ``value`` in some rows."""
    values = np.array(values, float)
    values[rows] = value
    return values


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", MODELS)
def test_what_is_in_a_row_of_weight_zero_changes_nothing(name, value):
    make, y, start = MODELS[name]
    good = make(X, y, WEIGHTS)
    bad = make(spoil(X, value), y if name == "softmax" else spoil(y, value), WEIGHTS)
    want, got = jm.fit(good, start), jm.fit(bad, start)
    assert got.ok, got.message
    np.testing.assert_allclose(got.z, want.z, rtol=1e-9, atol=1e-12)
    for kind in ("observed", "hc0"):
        errors = [jm.infer(objective, fit, kind).bse_z for objective, fit in ((good, want), (bad, got))]
        np.testing.assert_allclose(errors[1], errors[0], rtol=1e-8)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("model", ["normal", "laplace", "gumbel"])
def test_one_sample_without_such_rows_is_the_same_sample(model, value):
    fits = [jm.fit(jm.models.distribution(model, y, weights=WEIGHTS)) for y in (REAL, spoil(REAL, value))]
    assert all(fit.ok for fit in fits), fits[1].message
    np.testing.assert_allclose(fits[1].z, fits[0].z, rtol=1e-9)


def test_the_gradient_through_such_a_fit_is_that_without_the_rows():
    def scale(x, weights):
        return jm.fit(jm.models.linear(x, REAL, weights)).params["sigma"]

    bad, good = (jax.grad(scale, (0, 1))(jnp.asarray(x), jnp.asarray(WEIGHTS)) for x in (spoil(X, np.nan), X))
    np.testing.assert_allclose(bad[0], good[0], atol=1e-12)
    counts = WEIGHTS > 0
    np.testing.assert_allclose(bad[1][counts], good[1][counts], rtol=1e-8)


def test_lanes_that_share_a_design_each_leave_their_own_rows_out():
    """Lane 0 leaves the missing row 3 out, lane 1 counts it and fails, lane 2 leaves the infinite rows out too."""
    x = spoil(X, np.nan, [3])
    weights = np.ones((3, ROWS))
    weights[0, 3] = weights[2, 3] = weights[2, 7] = 0.0

    def fit(weights):
        return jm.fit(jm.models.logistic(jnp.asarray(x), COINS, weights))

    fits = jax.jit(jax.vmap(fit))(jnp.asarray(weights))
    assert np.asarray(fits.ok).tolist() == [True, False, True]
    for lane in (0, 2):
        alone = jm.fit(jm.models.logistic(X[weights[lane] > 0], COINS[weights[lane] > 0]))
        np.testing.assert_allclose(fits.z[lane], alone.z, rtol=1e-9)


def test_censored_ends_that_are_infinite_count_in_every_lane():
    """Infinity is a good value of an upper end, in a row that is left out of some lanes only."""
    ends = np.where(np.arange(ROWS) % 3 == 0, np.inf, np.exp(REAL))
    weights = np.ones((2, ROWS))
    weights[1, 3] = 0.0

    def fit(weights):
        return jm.fit(jm.models.distribution("exponential", np.exp(REAL), censored=ends, weights=weights))

    fits = jax.jit(jax.vmap(fit))(jnp.asarray(weights))
    for lane in range(2):
        counts = weights[lane] > 0
        scale = np.sum(np.exp(REAL)[counts]) / np.sum(np.isfinite(ends[counts]))
        assert float(fits.params["scale"][lane]) == pytest.approx(scale, rel=1e-8)


def test_a_row_that_counts_is_blamed_and_no_other():
    problem = jm.models.logistic(spoil(X, np.nan, [0, 3]), spoil(COINS, np.nan, [0]), WEIGHTS)
    with pytest.raises(ValueError, match=r"^x is missing \(NaN\) at row 3, column 0 \(1 such row, counted from zero\)"):
        jm.fit(problem)
    with pytest.raises(ValueError, match=r"^data leaf 'x' is missing \(NaN\) at row 3, column 0 \(1 such row"):
        jm.fit(term(spoil(X, np.nan, [0, 3]), REAL, WEIGHTS), START)
    with pytest.raises(ValueError, match=r"^y is 0.5 at row 3, which bernoulli cannot .*zero: 3\)"):
        jm.fit(jm.models.logistic(X, spoil(COINS, 0.5, [0, 3]), WEIGHTS))
    positive = jm.likelihood(lambda p, y: jnp.log(y) - p["a"] ** 2, spoil(np.ones(ROWS), -1.0, [0, 3]), WEIGHTS)
    with pytest.raises(ValueError, match=r"not finite \(nan\) in 1 row: 3 "):
        jm.fit(positive, {"a": 1.0})


def test_such_rows_are_no_harm_to_training():
    def train(x, y):
        return jm.train(
            term(x, y, WEIGHTS), START, optax.sgd(1e-3), key=jax.random.key(0), epochs=2, batch_size=8, progress=False
        )

    want, got = train(X, REAL), train(spoil(X, np.nan), spoil(REAL, np.nan))
    np.testing.assert_allclose(got.z, want.z, rtol=1e-12)
    assert np.isfinite(got.z).all()


@pytest.mark.parametrize("nobs", [0, -7, np.inf, np.nan, [3.0, 0.0]])
def test_a_number_of_observations_that_is_none_is_refused(nobs):
    with pytest.raises(ValueError, match="nobs is how many observations there are, a positive number; it is"):
        jm.likelihood(lambda p, y: -jnp.sum((y - p["mu"]) ** 2), REAL, rows=False, nobs=nobs)


def test_rows_count_themselves():
    with pytest.raises(TypeError, match=r"nobs goes with rows=False.*or say rows=False"):
        jm.likelihood(lambda p, y: -((y - p["mu"]) ** 2), REAL, nobs=5)


def test_a_flat_maximum_has_a_height_that_changes_with_the_weights():
    """The envelope theorem: by each row's log-likelihood, though the estimate itself is not unique."""
    x = np.column_stack([X, X[:, 1]])

    def height(weights):
        return jm.fit(jm.models.logistic(x, COINS, weights)).value

    problem = jm.models.logistic(X, COINS, np.ones(ROWS))
    rows = problem.objective.terms[0].contributions(jm.fit(problem).params)
    np.testing.assert_allclose(jax.grad(height)(jnp.ones(ROWS)), rows, rtol=1e-6)
