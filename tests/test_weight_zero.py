"""A row of weight zero changes nothing, whatever is in it: missing, infinite or impossible values, in x or in y."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

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
    np.testing.assert_array_equal(bad[1][~counts], 0.0)  # what is missing has no derivative, and makes none


def least_squares_scale(weights):
    beta = np.linalg.lstsq(np.sqrt(weights)[:, None] * X, np.sqrt(weights) * REAL)[0]
    return np.sqrt(np.sum(weights * (REAL - X @ beta) ** 2) / np.sum(weights))


@pytest.mark.parametrize("mode", [jax.grad, jax.jacfwd])
@pytest.mark.parametrize("name", ["linear", "likelihood", "blocks"])
def test_the_derivative_in_a_weight_of_zero_is_that_of_its_own_row(name, mode):
    """Against NumPy's least squares with the weight a little above zero; forward differences of 1e-6 are right to 1e-6
    of the second derivative."""
    make, y, start = MODELS[name]

    def scale(weights):
        return jm.fit(make(jnp.asarray(X), jnp.asarray(y), weights), start).params["sigma"]

    slopes = mode(scale)(jnp.asarray(WEIGHTS))
    for row in (5, 6):
        further = WEIGHTS + 1e-6 * (np.arange(ROWS) == row)
        wanted = (least_squares_scale(further) - least_squares_scale(WEIGHTS)) / 1e-6
        assert float(slopes[row]) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("name", ["likelihood", "blocks", "linear"])
def test_the_value_of_a_term_changes_by_the_row_that_is_given_weight(name):
    make, y, _ = MODELS[name]
    params = {"beta": jnp.array([0.3, 0.7]), "sigma": 1.2}
    x = spoil(X, np.nan, [10])

    def value(weights):
        made = make(jnp.asarray(x), jnp.asarray(y), weights)
        return (made.objective if isinstance(made, jm.Problem) else made)(params)

    rows = scipy.stats.norm.logpdf(y, x @ params["beta"], 1.2)
    wanted = np.where(np.isnan(rows), 0.0, rows)
    np.testing.assert_allclose(jax.grad(value)(jnp.asarray(WEIGHTS)), wanted, rtol=1e-10)


def test_the_derivative_of_a_standard_error_in_a_weight_of_zero():
    """The standard error of a mean is sigma over the root of the sum of weights."""
    fit = jm.fit(jm.models.normal(REAL, WEIGHTS))

    def error(weights):
        return jm.infer(jm.models.normal(jnp.asarray(REAL), weights), fit).bse["mu"]

    def by_hand(weights):  # at the estimate held: the curvature in mu is sum(w) / sigma^2
        return 1.0 / np.sqrt(np.sum(weights) / float(fit.params["sigma"]) ** 2)

    step = 1e-6 * (np.arange(ROWS) == 5)
    wanted = (by_hand(WEIGHTS + step) - by_hand(WEIGHTS - step)) / 2e-6
    assert float(jax.grad(error)(jnp.asarray(WEIGHTS))[5]) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", ["linear", "likelihood"])
def test_the_score_and_the_influence_of_such_a_row_are_its_own(name):
    """Against the score of least squares by hand; of a row with a missing value there is none."""
    make, y, start = MODELS[name]
    for x in (X, spoil(X, np.nan, [10])):
        objective = make(x, y, WEIGHTS)
        fit = jm.fit(objective, start)
        sigma, residual = fit.params["sigma"], y - x @ fit.params["beta"]
        own = np.column_stack([residual[:, None] * x / sigma**2, residual**2 / sigma**2 - 1.0])
        np.testing.assert_allclose(jm.scores(objective, fit), own, rtol=1e-6, atol=1e-9)
        cross = np.linalg.inv((X.T * WEIGHTS) @ X)
        moves = np.column_stack([residual[:, None] * x @ cross, own[:, 2] / (2.0 * WEIGHTS.sum())])
        np.testing.assert_allclose(jm.influence(objective, fit).z, moves, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["hc3", "hac"])
def test_sandwiches_that_need_scores_row_by_row(kind):
    errors = []
    for x in (X, spoil(X, np.nan)):
        problem = jm.models.linear(x, REAL, WEIGHTS)
        errors.append(jm.infer(problem, jm.fit(problem), kind).bse_z)
    np.testing.assert_allclose(errors[1], errors[0], rtol=1e-8)


LANES = np.ones((3, ROWS))
LANES[0, 3] = LANES[2, 3] = LANES[2, 7] = 0.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308])
@pytest.mark.parametrize("name", ["logistic", "linear", "likelihood"])
def test_lanes_that_share_a_design_each_leave_their_own_rows_out(name, value):
    """Row 3 is spoiled: lane 0 leaves it out, lane 1 counts it and fails, lane 2 leaves row 7 out too."""
    make, y, start = MODELS[name]
    x = jnp.asarray(spoil(X, value, [3]))
    fits = jax.jit(jax.vmap(lambda weights: jm.fit(make(x, y, weights), start)))(jnp.asarray(LANES))
    assert np.asarray(fits.ok).tolist() == [True, False, True]
    for lane in (0, 2):
        alone = jm.fit(make(X[LANES[lane] > 0], y[LANES[lane] > 0], None), start)
        np.testing.assert_allclose(fits.z[lane], alone.z, rtol=1e-9)


def test_lanes_that_share_a_response_under_a_logarithm():
    """The logarithm of row 3 is missing: no value in the data says so, only what the function makes of it."""

    def log_normal(p, y):
        return jm.densities.normal.logpdf(jnp.log(y), p["mu"], p["sigma"]) - jnp.log(y)

    start, positive = {"mu": 0.0, "sigma": jm.positive(1.0)}, np.exp(REAL)
    y = jnp.asarray(spoil(positive, -1.0, [3]))
    fits = jax.jit(jax.vmap(lambda weights: jm.fit(jm.likelihood(log_normal, y, weights), start)))(jnp.asarray(LANES))
    assert np.asarray(fits.ok).tolist() == [True, False, True]
    for lane in (0, 2):
        kept = REAL[LANES[lane] > 0]
        np.testing.assert_allclose(fits.params["mu"][lane], kept.mean(), rtol=1e-9)
        np.testing.assert_allclose(fits.params["sigma"][lane], kept.std(), rtol=1e-9)


def test_lanes_go_on_sharing_their_design():
    """No array of the program has a design for each lane."""

    def curvature(weights):
        term = jm.models.logistic(jnp.asarray(X), jnp.asarray(COINS), weights).objective
        return term.evaluate(lambda point: {"beta": point[0]}, (jnp.zeros(2),), 2).curvature

    program = str(jax.make_jaxpr(jax.vmap(curvature))(jnp.ones((7, ROWS))))
    assert f"[7,{ROWS}]" in program
    assert f"[7,{ROWS},2]" not in program


@pytest.mark.parametrize("label", [7, -1])
def test_a_label_of_weight_zero_is_no_class(label):
    y, weights = np.array([0, 1, label, 1, 0, 1]), np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    fit = jm.fit(jm.models.softmax(np.ones((6, 1)), y, weights))
    assert fit.ok, fit.message
    np.testing.assert_allclose(fit.params["beta"], [[np.log(3 / 2)]], rtol=1e-9)


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
    term: Any = problem.objective.terms[0]
    rows = term.contributions(jm.fit(problem).params)
    np.testing.assert_allclose(jax.grad(height)(jnp.ones(ROWS)), rows, rtol=1e-6)
