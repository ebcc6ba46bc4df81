"""Likelihoods without a maximum, or with more than one: the status and the message say which."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bad_input import X, assert_says, normal, normal_rows, normal_start
from sklearn.datasets import load_iris

import jaxmle as jm
from jaxmle.core import status as codes

# Maxima that do not exist


def assert_diverging(problem, moving, limits, sup):
    """The named parameters run away and have no standard error; the others are at their limits."""
    fit = jm.fit(problem)
    assert not fit.ok
    assert_says(fit.message, "diverging", "prior", *[f"{name} goes to {where}" for name, where in moving.items()])
    np.testing.assert_allclose(fit.log_likelihood, sup, rtol=1e-6, atol=1e-6)
    inference = jm.infer(problem, fit)
    labels = fit.space.scalar_labels()
    beta, bse = np.asarray(fit.params["beta"]), np.asarray(inference.bse["beta"])
    assert {label for label, error in zip(labels, bse, strict=True) if np.isnan(error)} == set(moving)
    for name, (value, error) in limits.items():
        at = labels.index(name)
        np.testing.assert_allclose([beta[at], bse[at]], [value, error], rtol=1e-4)
    table = str(jm.summary(problem, fit))
    assert_says(table, "DIVERGING", "No standard error exists for", *moving)
    return fit


SEPARATED = np.stack([np.ones(6), np.arange(1.0, 7.0)], axis=1), np.repeat([0.0, 1.0], 3)


def test_perfect_separation_is_not_convergence():
    problem = jm.models.logistic(*SEPARATED, labels=["const", "x"])
    fit = assert_diverging(problem, {"const": "-infinity", "x": "+infinity"}, {}, 0.0)
    np.testing.assert_allclose(-fit.params["beta"][0] / fit.params["beta"][1], 3.5, rtol=1e-3)


def test_a_coefficient_at_zero_by_symmetry_has_no_error_that_the_separation_takes_with_it():
    """The intercept stays at zero, and its error grows without end all the same; so says its profile."""
    x = np.arange(12) - 5.5
    problem = jm.models.logistic(np.stack([np.ones(12), x], axis=1), x > 0)
    for tolerance in (None, 1e-6):
        fit = jm.fit(problem, tolerance=tolerance)
        assert fit.status == codes.DIVERGING
        assert np.isnan(jm.infer(problem, fit).bse["beta"]).all()
        assert np.isnan(jax.jit(jm.infer)(problem, fit).bse["beta"]).all()


def test_a_group_that_is_not_separated_keeps_its_error_in_a_lane_of_its_own():
    group, y = np.repeat([0, 1], 20), np.r_[np.tile([0.0, 1.0], 10), np.ones(20)]
    x = np.stack([group == 0, group == 1], axis=1).astype(float)
    lanes = jm.regression(
        jm.densities.bernoulli, lambda p, x: (x @ p["b"],), np.stack([x] * 3), np.stack([y, np.tile([0.0, 1.0], 20), y])
    )
    fits = jm.fit_batch(lanes, {"b": jnp.zeros(2)})
    found = jax.vmap(jm.infer, in_axes=(jm.lane_axes(lanes), 0))(lanes, fits).bse["b"]
    error = 1 / np.sqrt(20 / 4)
    np.testing.assert_allclose(found, [[error, np.nan], [error, error], [error, np.nan]], rtol=1e-9)


def test_a_prior_makes_separated_data_fit():
    problem = jm.models.logistic(*SEPARATED) + jm.priors.normal("beta", scale=2.5)
    fit = jm.fit(problem)
    assert fit.ok, fit.message
    assert np.isfinite(jm.infer(problem, fit).bse["beta"]).all()


def endometrial_like():
    """Every row with z = 1 is a success; the six rows with z = 0 overlap."""
    x = np.array([-1.0, 0.5, 1.0, -0.5, 2.0, 0.0, 0.3, -0.2, 0.7])
    z = np.repeat([0.0, 1.0], [6, 3])
    y = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0] + [1.0] * 3)
    return np.stack([np.ones(9), z, x], axis=1), y


def test_quasi_separation_spoils_its_own_column_only():
    x, y = endometrial_like()
    rest = jm.models.logistic(x[:6][:, [0, 2]], y[:6])
    limit = jm.fit(rest)
    bse = jm.infer(rest, limit).bse["beta"]
    limits = {name: (limit.params["beta"][k], bse[k]) for k, name in enumerate(["const", "x"])}
    problem = jm.models.logistic(x, y, labels=["const", "z", "x"])
    assert_diverging(problem, {"z": "+infinity"}, limits, float(limit.value))


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_separation_is_seen_in_any_unit(unit):
    x, y = endometrial_like()
    fit = jm.fit(jm.models.logistic(x * np.array([1.0, unit, 1.0 / unit])[None, :], y))
    assert not fit.ok
    assert_says(fit.message, "diverging", "beta[1] goes to +infinity")


def test_a_group_without_events_has_no_rate():
    x = np.repeat(np.eye(2), 3, axis=0)
    problem = jm.models.poisson_regression(x, np.array([0.0, 0.0, 0.0, 2.0, 3.0, 4.0]), labels=["A", "B"])
    assert_diverging(problem, {"A": "-infinity"}, {"B": (math.log(3), 1 / 3)}, -4.775449882122958)


def test_a_constant_response_has_no_log_odds():
    problem = jm.models.logistic(np.ones((20, 1)), np.ones(20), labels=["const"])
    assert_diverging(problem, {"const": "+infinity"}, {}, 0.0)


@pytest.mark.parametrize(
    "model, y, name, limit",
    [
        (jm.models.bernoulli, [0.0] * 6, "p", "0"),
        (jm.models.bernoulli, [1.0] * 6, "p", "1"),
        (jm.models.poisson, [0.0] * 6, "rate", "0"),
    ],
)
def test_a_maximum_on_the_boundary_is_said_with_its_limit(model, y, name, limit):
    problem = model(np.array(y))
    fit = jm.fit(problem)
    assert not fit.ok
    assert_says(fit.message, "boundary", f"{name} goes to {limit}")
    np.testing.assert_allclose(fit.params[name], float(limit), atol=1e-6)
    assert np.isnan(jm.infer(problem, fit).bse[name])


def test_counts_less_variable_than_poisson_put_the_dispersion_on_the_boundary():
    y = np.array([2.0, 2.0, 3.0, 2.0, 3.0, 3.0, 2.0, 2.0])
    term = jm.likelihood(lambda p, y: jm.densities.negative_binomial.logpmf(y, jnp.log(p["m"]), 1.0 / p["alpha"]), y)
    fit = jm.fit(term, {"m": jm.positive(1.0), "alpha": jm.positive(1.0)})
    assert not fit.ok
    assert_says(fit.message, "boundary", "alpha goes to 0")
    np.testing.assert_allclose(fit.log_likelihood, -11.406062998238406, rtol=1e-7)
    inference = jm.infer(term, fit)
    np.testing.assert_allclose(fit.params["m"], 2.375, rtol=1e-5)
    np.testing.assert_allclose(inference.bse["m"], math.sqrt(2.375 / 8), rtol=1e-4)
    assert np.isnan(inference.bse["alpha"])


def test_a_variance_component_of_zero_is_on_the_boundary():
    def log_likelihood(p, y):
        within, between = p["sigma"] ** 2, p["sigma"] ** 2 + 2 * p["sd_b"] ** 2
        means = jnp.mean(y, axis=1)
        squares = jnp.sum((y - means[:, None]) ** 2, axis=1) / within + 2 * (means - p["mean"]) ** 2 / between
        return -0.5 * (2 * jnp.log(2 * np.pi) + jnp.log(within) + jnp.log(between) + squares)

    term = jm.likelihood(log_likelihood, np.array([[1.0, 3.0], [2.5, 1.5], [0.5, 3.5]]))
    fit = jm.fit(term, {"mean": 1.0, "sd_b": jm.positive(1.0), "sigma": jm.positive(1.0)})
    assert not fit.ok
    assert_says(fit.message, "boundary", "sd_b goes to 0")
    np.testing.assert_allclose(fit.log_likelihood, -8.97608323870981, rtol=1e-8)
    inference = jm.infer(term, fit)
    assert np.isnan(inference.bse["sd_b"])
    np.testing.assert_allclose(inference.bse["mean"], 0.44095855184409843, rtol=1e-4)
    np.testing.assert_allclose(inference.bse["sigma"], 1.0801234497346435 / math.sqrt(12), rtol=1e-4)


# Likelihoods without a bound


@pytest.mark.parametrize("value", [5.0, 0.0, 0.1, -1e10])
def test_a_constant_sample_has_no_scale(value):
    problem = jm.models.normal(np.full(6, value))
    fit = jm.fit(problem)
    assert not fit.ok
    assert_says(fit.message, "unbounded", "scale")
    np.testing.assert_allclose(fit.params["mu"], value, rtol=1e-12)
    assert np.isnan(jm.infer(problem, fit).bse["sigma"])


def test_one_observation_has_no_scale():
    fit = jm.fit(jm.models.normal(np.array([2.5])))
    assert not fit.ok
    assert_says(fit.message, "unbounded", "single observation")
    fit = jm.fit(jm.likelihood(normal_rows, np.array([2.5])), normal_start())
    assert not fit.ok
    assert_says(fit.message, "unbounded", "sigma goes to 0")


def test_a_line_through_all_points_has_no_scale():
    fit = jm.fit(jm.models.linear(X, X @ np.array([1.0, 2.0])))
    assert not fit.ok
    assert_says(fit.message, "unbounded", "scale")
    np.testing.assert_allclose(fit.params["beta"], [1.0, 2.0], rtol=1e-8)


ERUPTIONS = np.concatenate([55 + 6 * np.sin(np.arange(30)), 80 + 6 * np.cos(1.7 * np.arange(50))])


def two_normals(p, y):
    first, second = (normal.logpdf(y, p[f"mu{k}"], p[f"sigma{k}"]) for k in (1, 2))
    return jnp.logaddexp(jnp.log(p["share"]) + first, jnp.log1p(-p["share"]) + second)


def mixture_start(share, mu1, mu2, sigma1, sigma2):
    return {
        "share": jm.interval(share, lower=0, upper=1),
        "mu1": mu1,
        "mu2": mu2,
        "sigma1": jm.positive(sigma1),
        "sigma2": jm.positive(sigma2),
    }


def test_a_mixture_started_on_a_spike_is_unbounded():
    term = jm.likelihood(two_normals, ERUPTIONS)
    inner = jm.fit(term, mixture_start(0.5, 50.0, 85.0, 10.0, 10.0))
    assert inner.ok, inner.message
    spike = jm.fit(term, mixture_start(0.01, float(ERUPTIONS[7]), 70.0, 1e-3, 13.0))
    assert not spike.ok
    assert_says(spike.message, "unbounded", "sigma1 goes to 0")


def test_a_saddle_is_not_reported_as_a_maximum():
    mean, sd = float(np.mean(ERUPTIONS)), float(np.std(ERUPTIONS))
    term = jm.likelihood(two_normals, ERUPTIONS)
    start = mixture_start(0.5, mean, mean, sd, sd)
    inner = jm.fit(term, mixture_start(0.5, 50.0, 85.0, 10.0, 10.0))
    fit = jm.fit(term, start)
    at_start = float(np.sum(np.asarray(normal.logpdf(ERUPTIONS, mean, sd))))
    assert not (fit.ok and fit.value < at_start + 1e-6), fit.message
    assert not fit.ok or fit.value > inner.value - 1e-6
    assert_says(fit.message, *([] if fit.ok else ["not a maximum"]))


@pytest.mark.parametrize("power", [4, 6, 8, 10])
@pytest.mark.parametrize("start", [0.0, -100.0])
def test_a_top_flatter_than_a_parabola_is_a_maximum(power, start):
    """Newton's steps towards it find ever less curvature, nearly as on a separated direction, but are ever shorter."""
    fit = jm.fit(jm.log_prior(lambda params: -((params["a"] - 1.3) ** power)), {"a": start})
    assert fit.ok, fit.message
    assert fit.value > -1e-18


# Parameters that the data do not identify


def test_collinear_columns_share_one_direction_without_a_standard_error():
    x1 = np.arange(1.0, 7.0)
    x = np.stack([np.ones(6), x1, 2 * x1], axis=1)
    problem = jm.models.linear(x, np.array([1.1, 1.9, 3.2, 3.9, 5.1, 5.8]), labels=["a", "x1", "x2"])
    fit = jm.fit(problem)
    a, b1, b2 = np.asarray(fit.params["beta"])
    np.testing.assert_allclose([a, b1 + 2 * b2], [0.12, 0.9657142857142857], rtol=1e-8)
    np.testing.assert_allclose(fit.params["sigma"], 0.12873006086935776, rtol=1e-8)
    np.testing.assert_allclose(fit.log_likelihood, 3.786594511565224, rtol=1e-9)
    assert_says(fit.message, "not unique", "jm.summary")
    inference = jm.infer(problem, fit)
    assert list(np.isnan(inference.bse["beta"])) == [False, True, True]
    assert np.isfinite(inference.bse["sigma"])
    np.testing.assert_allclose(
        inference.bse["beta"][0], 0.12873006086935776 * math.sqrt(1 / 6 + 3.5**2 / 17.5), rtol=1e-6
    )
    assert_says(jm.summary(problem, fit), "free", "x1 - 0.5 * x2")


def test_a_dummy_for_every_group_and_an_intercept():
    x = np.array([[1.0, 1.0, 0.0]] * 3 + [[1.0, 0.0, 1.0]] * 3)
    problem = jm.models.logistic(x, np.array([0.0, 1.0, 1.0, 0.0, 0.0, 1.0]), labels=["const", "a", "b"])
    fit = jm.fit(problem)
    np.testing.assert_allclose(fit.log_likelihood, -3.8190850097688775, rtol=1e-10)
    const, a, b = np.asarray(fit.params["beta"])
    np.testing.assert_allclose([const + a, const + b], [math.log(2), -math.log(2)], rtol=1e-6)
    assert_says(fit.message, "not unique")
    assert np.isnan(jm.infer(problem, fit).bse["beta"]).all()
    assert_says(jm.summary(problem, fit), "free", "const", "a", "b")


def test_a_parameter_that_is_not_used_spoils_no_other():
    term = jm.likelihood(lambda p, y: normal.logpdf(y, p["mu"], 1.0), np.array([1.0, 2.0, 4.0]))
    fit = jm.fit(term, {"mu": 0.0, "c": 1.0})
    inference = jm.infer(term, fit)
    np.testing.assert_allclose([fit.params["mu"], inference.bse["mu"]], [7 / 3, 1 / math.sqrt(3)], rtol=1e-12)
    assert np.isnan(inference.bse["c"])
    assert fit.params["c"] == 1.0
    assert_says(fit.message, "not unique")
    assert_says(jm.summary(term, fit), "free", "c")


IRIS = load_iris()


@pytest.mark.parametrize("solver", [None, jm.solvers.LBFGS()], ids=["Newton", "L-BFGS"])
@pytest.mark.parametrize("unit", [1.0, 0.1])
def test_one_class_of_three_is_separated(unit, solver):
    """Setosa's sepals can be told from the others' by a line (Albert and Anderson 1984, section 3); what separates it
    fades away and is lost in rounding, which is not flat."""
    x = np.column_stack([np.ones(150), IRIS.data[:, :2] / unit])
    fit = jm.fit(jm.models.softmax(x, IRIS.target), solver=solver)
    assert int(fit.status) == codes.DIVERGING, fit.message
    twice = np.column_stack([x[50:], x[50:, 1]])
    flat = jm.fit(jm.models.logistic(twice, IRIS.target[50:] - 1), solver=solver)
    assert int(flat.status) == codes.FLAT, flat.message


@pytest.mark.parametrize("mark", [jm.free, jm.positive])
@pytest.mark.parametrize("rising", [lambda x: x, lambda x: x**3, jnp.exp, jnp.log, jnp.sqrt])
def test_what_rises_without_a_top_is_no_estimate(rising, mark):
    """In the parameter and in its logarithm, with curvature upward, downward and none at all."""
    fit = jm.fit(jm.log_prior(lambda p: rising(p["x"])), {"x": mark(1.0)})
    assert not fit.ok
    assert "rough" not in fit.message
    if rising is not jnp.log and not (rising is jnp.sqrt and mark is jm.free):
        assert fit.status == codes.UNBOUNDED


def test_what_rises_out_of_sight_is_no_estimate_of_a_solver_without_curvature():
    """At 1e308 the slope of a logarithm is none that can be held, and its curvature was none long before."""
    fit = jm.fit(jm.log_prior(lambda p: jnp.log(p["x"])), {"x": jm.positive(1.0)}, solver=jm.solvers.LBFGS())
    assert float(fit.params["x"]) > 1e300
    assert not fit.ok, fit.message


@pytest.mark.parametrize("solver", [None, jm.solvers.LBFGS(), jm.solvers.BHHH()])
def test_a_column_of_zeros_is_flat_in_float32_too(solver):
    """What conjugate gradients finish there never moves along it, and so they do not see it."""
    x = np.column_stack([np.ones(60), IRIS.data[50:110, 0], np.zeros(60)]).astype(np.float32)
    y = (IRIS.target[50:110] > 1).astype(np.float32)
    y[::7] = 1 - y[::7]
    fit = jm.fit(jm.models.logistic(x, y), solver=solver)
    assert fit.params["beta"].dtype == jnp.float32
    assert fit.status == codes.FLAT, fit.message
    without = jm.fit(jm.models.logistic(x[:, :2], y), solver=solver)
    assert without.status in (codes.CONVERGED, codes.STALLED_AT_ROUNDING), without.message
    np.testing.assert_allclose(fit.params["beta"][:2], without.params["beta"], rtol=1e-4)
