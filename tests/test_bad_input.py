"""Degenerate and invalid inputs: each ends in a message or a status, never in a wrong number.

Messages are matched by their important words. Problems of one model share their shapes, and so their program.
"""

import json
import math
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

normal = jm.densities.normal


def assert_says(message, *words):
    for word in words:
        assert word.lower() in str(message).lower(), f"{word!r} is not in: {message}"


def assert_refused(words, objective, start=None, error=ValueError):
    with pytest.raises(error) as caught:
        jm.fit(objective, start)
    assert_says(caught.value, *words)


def normal_rows(params, y):
    return normal.logpdf(y, params["mu"], params["sigma"])


def normal_in_dict(params, data):
    return normal.logpdf(data["y"], params["mu"] * data["x"], params["sigma"])


def normal_start():
    return {"mu": 0.0, "sigma": jm.positive(1.0)}


X = np.array([[1.0, 2.0], [1.0, 1.0], [1.0, 3.0], [1.0, 5.0], [1.0, 4.0], [1.0, 6.0]])
Y = np.array([1.1, 0.8, 1.9, 3.2, 2.6, 3.1])
COUNTS = np.array([1.0, 0.0, 2.0, 4.0, 3.0, 5.0])
LABELS = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])


def with_value(array, index, value):
    changed = np.array(array, dtype=float)
    changed[index] = value
    return changed


# Data that cannot be data


@pytest.mark.parametrize(
    "make",
    [
        lambda: jm.models.normal(np.zeros(0)),
        lambda: jm.models.poisson(np.zeros(0)),
        lambda: jm.models.linear(np.zeros((0, 2)), np.zeros(0)),
        lambda: jm.models.logistic(np.zeros((0, 2)), np.zeros(0)),
        lambda: jm.models.nonlinear_least_squares(lambda p, x: p["a"] * x, np.zeros(0), np.zeros(0), {"a": 1.0}),
    ],
)
def test_no_rows_are_refused_by_models(make):
    with pytest.raises(ValueError, match=r"empty.*no rows"):
        jm.fit(make())


@pytest.mark.parametrize("rows", [True, False])
def test_no_rows_are_refused_by_likelihoods(rows):
    term = jm.likelihood(normal_rows, np.zeros(0), rows=rows)
    assert_refused(["data is empty"], term, normal_start())


@pytest.mark.parametrize("value, what", [(np.nan, "missing (NaN)"), (np.inf, "infinite"), (-np.inf, "infinite")])
@pytest.mark.parametrize(
    "make",
    [
        lambda y: jm.models.normal(y),
        lambda y: jm.models.linear(X, y),
        lambda y: jm.models.poisson_regression(X, y),
        lambda y: jm.models.logistic(X, y),
    ],
)
def test_a_response_that_is_no_number_is_named(make, value, what):
    assert_refused(["y is", what, "row 2", "1 such row"], make(with_value(LABELS, 2, value)))


@pytest.mark.parametrize("value, what", [(np.nan, "missing (NaN)"), (np.inf, "infinite")])
def test_a_design_that_is_no_number_is_named(value, what):
    x = with_value(X, (1, 1), value)
    x[4, 0] = value
    for model, y in [(jm.models.linear, Y), (jm.models.logistic, LABELS)]:
        assert_refused(["x is", what, "row 1, column 1", "2 such rows"], model(x, y))


@pytest.mark.parametrize("leaf, row", [("y", 2), ("x", 5)])
def test_a_leaf_of_the_data_that_is_no_number_is_named(leaf, row):
    data = {"x": X[:, 1], "y": Y}
    for value, what in [(np.nan, "missing (NaN)"), (np.inf, "infinite")]:
        bad = {**data, leaf: with_value(data[leaf], row, value)}
        assert_refused([f"'{leaf}'", what, f"row {row}"], jm.likelihood(normal_in_dict, bad), normal_start())


def test_data_that_are_text_are_refused():
    with pytest.raises(TypeError, match=r"'y'.*not numbers"):
        jm.likelihood(normal_in_dict, {"x": X[:, 1], "y": np.array(list("abcdef"))})
    with pytest.raises(TypeError, match=r"y .*not numbers"):
        jm.models.logistic(X, np.array(["yes", "no"] * 3))


def test_labels_out_of_range_are_not_clamped():
    problem = jm.models.softmax(np.ones((4, 1)), np.array([0, 1, 2, 3]), n_classes=3)
    assert_refused(["y is 3", "row 3", "label", "1 such row"], problem)


def test_labels_one_and_two_are_refused_by_a_binary_model():
    assert_refused(["y is 2", "row 1", "0 or 1"], jm.models.logistic(X, np.array([1.0, 2, 2, 1, 1, 2])))
    assert_refused(["y is 2", "row 1", "0 or 1"], jm.models.bernoulli(np.array([1.0, 2, 2, 1, 1, 2])))


@pytest.mark.parametrize("value", [-1.0, 1.5])
def test_a_number_that_is_no_count_is_refused(value):
    y = with_value(COUNTS, 1, value)
    for problem in [jm.models.poisson(y), jm.models.poisson_regression(X, y)]:
        assert_refused([f"y is {value}", "row 1", "count"], problem)


def test_a_negative_integer_count_is_refused():
    assert_refused(["y is -1", "row 1", "count"], jm.models.poisson(np.array([3, -1, 2, 0, 1, 4])))


def test_more_successes_than_trials_are_refused():
    problem = jm.models.binomial(np.array([1, 5, 2]), np.array([4, 4, 4]))
    assert_refused(["y is 5", "row 1", "0, 1, ..., n"], problem)


def test_numbers_outside_the_support_of_a_density_are_refused():
    def predictor(params, _):
        return params["shape"], params["scale"]

    term = jm.regression(jm.densities.gamma, predictor, np.zeros(3), np.array([1.0, 0.0, -2.0]))
    start = {"shape": jm.positive(1.0), "scale": jm.positive(1.0)}
    assert_refused(["y is 0.0", "row 1", "2 such rows", "1, 2", "positive"], term, start)


# Weights


def test_bad_weights_are_refused():
    y = np.array([1.0, 2.0, 3.0])
    assert_refused(["weight", "row 1", "-1"], jm.models.normal(y, np.array([1.0, -1.0, 1.0])))
    assert_refused(["weights", "zero"], jm.likelihood(normal_rows, y, np.zeros(3)), normal_start())
    for bad in (-1.0, np.nan):
        term = jm.likelihood(normal_rows, y, np.array([1.0, bad, 1.0]))
        assert_refused(["weight", "row 1", str(bad)], term, normal_start())


def test_a_weight_that_is_no_number_is_refused_by_a_model():
    y = np.array([1.0, 2.0, 3.0])
    assert_refused(["weight", "row 2", "nan"], jm.models.normal(y, np.array([1.0, 1.0, np.nan])))


def test_weights_that_are_all_zero_are_refused_by_a_model():
    assert_refused(["weights", "zero"], jm.models.normal(np.array([1.0, 2.0, 3.0]), np.zeros(3)))


def test_weights_of_another_length_are_refused():
    term = jm.likelihood(normal_rows, np.ones(3), np.ones(2))
    assert_refused(["weight", "3 rows", "(2,)"], term, normal_start())
    with pytest.raises(ValueError, match=r"(?s)weight.*\(2,\)"):
        jm.fit(jm.models.linear(X, Y, np.ones(2)))


def test_case_weights_equal_repeated_rows():
    y, weights = np.array([1.0, 2.0, 4.0]), np.array([2.0, 1.0, 3.0])
    weighted, repeated = jm.models.normal(y, weights), jm.models.normal(np.repeat(y, [2, 1, 3]))
    a, b = jm.fit(weighted), jm.fit(repeated)
    for fit, problem in [(a, weighted), (b, repeated)]:
        inference = jm.infer(problem, fit)
        assert fit.ok
        np.testing.assert_allclose(fit.params["mu"], 2.6666666666666665, rtol=1e-13)
        np.testing.assert_allclose(fit.params["sigma"], 1.3743685418725535, rtol=1e-13)
        np.testing.assert_allclose(inference.llf, -10.421597499388026, rtol=1e-13)
        np.testing.assert_allclose(inference.bse["mu"], 1.3743685418725535 / math.sqrt(6), rtol=1e-10)
        np.testing.assert_allclose(inference.bse["sigma"], 1.3743685418725535 / math.sqrt(12), rtol=1e-10)
        np.testing.assert_allclose(inference.nobs, 6)


def test_a_response_of_weight_zero_may_be_missing():
    y, weights = np.array([1.0, 2.0, np.nan]), np.array([1.0, 1.0, 0.0])
    fit = jm.fit(jm.models.normal(y, weights))
    assert fit.ok, fit.message
    np.testing.assert_allclose([fit.params["mu"], fit.params["sigma"]], [1.5, 0.5], rtol=1e-10)


# Shapes


def test_different_numbers_of_rows_are_refused_with_both_shapes():
    x, y = np.ones((10, 2)), np.ones(9)
    words = ["(10, 2)", "(9,)"]
    with pytest.raises(ValueError, match="rows") as caught:
        jm.models.linear(x, y)
    assert_says(caught.value, "x has shape", "y has shape", *words)
    term = jm.likelihood(lambda p, d: normal.logpdf(d["y"], d["x"] @ p["b"], 1.0), {"x": x, "y": y})
    assert_refused(["'x'", "'y'", *words], term, {"b": jnp.zeros(2)})
    term = jm.regression(normal, lambda p, x: (x @ p["b"], 1.0), x, y)
    assert_refused(["'x'", "'y'", *words], term, {"b": jnp.zeros(2)})


def test_a_leaf_that_is_one_number_must_be_shared():
    term = jm.likelihood(lambda p, d: normal.logpdf(d["y"], p["mu"], d["s"]), {"y": np.ones(3), "s": 2.0})
    assert_refused(["'s'", "jm.shared"], term, {"mu": 0.0})


def test_a_column_of_responses_is_refused():
    for make in [
        lambda: jm.models.normal(Y[:, None]),
        lambda: jm.models.linear(X, Y[:, None]),
        lambda: jm.models.logistic(X, LABELS[:, None]),
    ]:
        with pytest.raises(ValueError, match=r"y .*\(6, 1\).*y\[:, 0\]"):
            make()


def test_a_design_of_one_dimension_is_refused():
    with pytest.raises(ValueError, match=r"design x .*\(6,\).*x\[:, None\]"):
        jm.models.linear(X[:, 1], Y)


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda p, y: jnp.sum(normal_rows(p, y)), ["shape ()", "do not sum", "rows=False"]),
        (lambda p, y: normal_rows(p, y)[:, None], ["shape (3, 1)", "[:, 0]"]),
        (lambda p, y: jnp.stack([normal_rows(p, y)] * 2, axis=1), ["shape (3, 2)", "sum"]),
        (lambda p, y: normal_rows(p, y)[1:], ["shape (2,)"]),
        (lambda p, y: 0.0, ["shape ()"]),
    ],
)
def test_a_likelihood_returns_one_number_for_each_row(function, words):
    term = jm.likelihood(function, np.array([1.0, 2.0, 4.0]))
    assert_refused(["one number for each of its 3 rows", "shape (3,)", *words], term, normal_start())


def test_a_column_in_the_data_of_a_likelihood_does_not_broadcast():
    def log_likelihood(p, d):
        with jax.numpy_rank_promotion("allow"):
            return normal.logpdf(d["y"], d["x"] @ p["b"], 1.0)

    term = jm.likelihood(log_likelihood, {"x": X, "y": Y[:, None]})
    assert_refused(["shape (6,)", "(6, 6)"], term, {"b": jnp.zeros(2)})


def test_a_likelihood_that_is_not_row_wise_is_refused():
    def centred(params, y):
        return normal.logpdf(y - jnp.mean(y), params["mu"], params["sigma"])

    term = jm.likelihood(centred, np.array([1.0, 2.0, 4.0, 3.0]))
    assert_refused(["not row-wise", "row 0", "rows=False", "jm.shared"], term, normal_start())


def test_a_predictor_returns_a_tuple():
    term = jm.regression(normal, lambda p, x: x @ p["b"], X, Y)
    with pytest.raises(TypeError, match="tuple"):
        jm.fit(term, {"b": jnp.zeros(2)})


# Types


@pytest.mark.parametrize("dtype", [np.int64, np.int16])
def test_integer_responses_are_cast(dtype):
    y = np.array([3, 1, 4, 1, 5, 9])
    for model in (jm.models.normal, jm.models.poisson):
        whole, real = jm.fit(model(y.astype(dtype))), jm.fit(model(y.astype(float)))
        assert whole.ok
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), whole.params, real.params)
        np.testing.assert_allclose(whole.value, real.value, rtol=1e-12)
    fit = jm.fit(jm.models.normal(y.astype(dtype)))
    np.testing.assert_allclose([fit.params["mu"], fit.params["sigma"]], [np.mean(y), np.std(y)], rtol=1e-12)


def test_integers_in_the_data_of_a_likelihood_are_cast():
    y = np.array([3, 1, 4, 1, 5, 9])
    fits = [jm.fit(jm.likelihood(normal_rows, data), normal_start()) for data in (y, y.astype(float))]
    np.testing.assert_allclose(*[fit.params["sigma"] for fit in fits], rtol=1e-12)


def test_booleans_are_zeros_and_ones():
    for model in (lambda y: jm.models.logistic(X, y), jm.models.bernoulli):
        flags, numbers = jm.fit(model(LABELS == 1)), jm.fit(model(LABELS))
        assert flags.ok
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), flags.params, numbers.params)


@pytest.mark.parametrize("bad", [0, np.int64(0), jnp.zeros((), int), np.zeros(2, int), True, 0j])
def test_parameters_that_are_not_floating_numbers_are_refused(bad):
    assert_refused(["'mu'"], jm.likelihood(normal_rows, Y), {**normal_start(), "mu": bad}, TypeError)


def test_an_integer_under_a_mark_is_refused_by_name():
    start = {"mu": 0.0, "sigma": jm.positive(1)}
    assert_refused(["'sigma'", "int"], jm.likelihood(normal_rows, Y), start, TypeError)


# Starts


@pytest.mark.parametrize(
    "start, words",
    [
        ({"mu": 0.0, "sigma": jm.positive(-1.0)}, ["'sigma'", "-1", "positive"]),
        ({"mu": 0.0, "sigma": jm.positive(0.0)}, ["'sigma'", "is 0", "positive"]),
        ({"mu": np.nan, "sigma": jm.positive(1.0)}, ["'mu'", "nan", "finite"]),
        ({"mu": np.inf, "sigma": jm.positive(1.0)}, ["'mu'", "inf", "finite"]),
        ({"mu": 0.0, "sigma": jm.positive(np.nan)}, ["'sigma'", "nan"]),
        (
            {"mu": jm.interval(3.0, lower=0, upper=2), "sigma": jm.positive(1.0)},
            ["'mu'", "3", "between 0.0 and 2.0"],
        ),
        (
            {"mu": jm.interval(2.0, lower=0, upper=2), "sigma": jm.positive(1.0)},
            ["'mu'", "2", "between 0.0 and 2.0"],
        ),
    ],
)
def test_a_start_outside_its_constraint_is_named(start, words):
    assert_refused(words, jm.likelihood(normal_rows, Y), start)


def test_wrong_names_in_a_start_are_said():
    start = {"mu": 0.0, "sd": jm.positive(1.0)}
    assert_refused(["'sigma'", "mu, sd"], jm.likelihood(normal_rows, Y), start, KeyError)
    assert_refused(["'sigma'", "mu, sd"], jm.models.normal(Y), start, KeyError)


def test_a_parameter_of_another_shape_is_refused():
    with pytest.raises((TypeError, ValueError), match=r"(?s)beta|shape"):
        jm.fit(jm.models.linear(X, Y), {"beta": jnp.zeros(3), "sigma": jm.positive(1.0)})


def test_a_start_is_needed_and_something_free_in_it():
    term = jm.likelihood(normal_rows, Y)
    assert_refused(["start", "{'mu': 0.0"], term, error=TypeError)
    assert_refused(["fixed", "call the objective"], term, {"mu": jm.fixed(0.0), "sigma": jm.fixed(1.0)})


def test_what_is_not_a_term_is_refused_with_a_hint():
    assert_refused(["jm.likelihood(function, data)"], normal_rows, normal_start(), TypeError)


# Functions


@pytest.mark.parametrize(
    "function",
    [
        lambda p, y: normal_rows(p, y) if p["mu"] > -1.0 else 0.0 * y,
        lambda p, y: normal.logpdf(y, float(p["mu"]), p["sigma"]),
        lambda p, y: normal_rows(p, y) + 0.0 * math.exp(p["mu"]),
        lambda p, y: normal_rows(p, y) + 0.0 * np.log(p["sigma"]),
        lambda p, y: normal_rows(p, y) * int(p["sigma"]),
    ],
)
def test_python_on_a_parameter_is_explained(function):
    with pytest.raises(TypeError) as caught:
        jm.fit(jm.likelihood(function, Y), normal_start())
    assert_says(caught.value, "log-likelihood", "compiled", "jnp.where", "float", "np.log")


def test_rows_outside_the_support_at_the_start_are_named():
    def below(params, y):
        return jnp.log(params["theta"] - y)

    term = jm.likelihood(below, np.array([0.5, 2.0, 7.0]))
    assert_refused(["not finite", "2 rows", "1, 2", "support"], term, {"theta": 1.0})


def test_a_gradient_that_is_not_finite_is_told_apart_from_a_value():
    def trap(params, y):
        return jnp.where(y > 0, jnp.log(y) * params["th"] - params["th"] ** 2, -jnp.sqrt(y * params["th"]))

    term = jm.likelihood(trap, np.array([0.0, 2.0, 3.0]))
    assert np.isfinite(term({"th": 0.0}))
    assert_refused(["gradient", "th", "jnp.where"], term, {"th": 0.0})


def test_a_log_prior_returns_one_number():
    term = jm.likelihood(normal_rows, Y)
    assert_refused(["log-prior", "(2,)"], term + jm.log_prior(lambda p: jnp.zeros(2)), normal_start())


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


# Scales


@pytest.mark.parametrize("k", [1e300, 1e-300, 1e200, 1e-200, 1e150, 1e-150])
def test_numbers_at_the_ends_of_the_floating_range_are_right_or_refused(k):
    try:
        problem = jm.models.normal(Y * k)
        fit = jm.fit(problem)
    except ValueError as error:
        assert_says(error, "rescale")
        return
    if not fit.ok:
        return
    at_one = -3 * (1 + math.log(2 * math.pi * np.var(Y)))
    found = [float(fit.params["mu"]) / k, float(fit.params["sigma"]) / k]
    np.testing.assert_allclose(found, [np.mean(Y), np.std(Y)], rtol=1e-8)
    np.testing.assert_allclose(fit.log_likelihood, at_one - 6 * math.log(k), rtol=1e-8)
    bse = float(jm.infer(problem, fit).bse["mu"]) / k
    assert np.isnan(bse) or abs(bse - np.std(Y) / math.sqrt(6)) < 1e-6


@pytest.mark.parametrize("unit", [1e-100, 1e-8, 1e8, 1e100])
def test_estimates_do_not_depend_on_the_units(unit):
    fit = jm.fit(jm.models.normal(Y * unit))
    assert fit.ok, fit.message
    found = [float(fit.params["mu"]) / unit, float(fit.params["sigma"]) / unit]
    np.testing.assert_allclose(found, [np.mean(Y), np.std(Y)], rtol=1e-9)


def test_a_large_level_a_small_spread_and_a_covariate_in_large_units():
    y = 1e6 + 1e-3 * np.array([-1.0, 0.0, 2.0, 1.0, -2.0, 0.5])
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    fit = jm.fit(jm.models.linear(np.stack([np.ones(6), 1e8 * x], axis=1), y))
    slope, _ = np.polyfit(x, y - 1e6, 1)
    assert fit.ok, fit.message
    np.testing.assert_allclose(fit.params["beta"][1] * 1e8, slope, rtol=1e-5)
    np.testing.assert_allclose(fit.params["beta"][0], 1e6, rtol=1e-8)


# Statuses, traces and lanes


def test_three_steps_are_not_enough():
    problem = jm.models.logistic(X, LABELS)
    fit = jm.fit(problem, max_steps=3)
    assert not fit.ok
    assert int(fit.steps) == 3
    assert_says(fit.message, "ran out of steps", "max_steps", "not an estimate")
    assert np.isnan(jax.tree.leaves(jm.infer(problem, fit).bse)).all()
    assert_says(jm.summary(problem, fit), "OUT OF STEPS")
    with pytest.raises(RuntimeError, match="ran out of steps"):
        fit.raise_if_failed()
    assert jm.fit(problem).ok


@jax.jit
def logistic_lane(x, y):
    return jm.fit(jm.models.logistic(x, y))


BAD_LANES = {
    "missing": (with_value(X, (1, 1), np.nan), LABELS),
    "separated": (X, (X[:, 1] > 3.5) * 1.0),
    "label": (X, with_value(LABELS, 0, 2.0)),
    "collinear": (np.ones((6, 2)), LABELS),
}


@pytest.mark.parametrize("kind", BAD_LANES)
def test_a_bad_lane_leaves_the_others_as_they_are(kind):
    rng = np.random.default_rng(1)
    x = X[None] + 0.1 * rng.normal(size=(5, 6, 2))
    y = np.stack([LABELS] * 5)
    batch = jax.vmap(logistic_lane)
    clean = batch(x, y)
    assert clean.ok.all()
    x[2], y[2] = BAD_LANES[kind]
    mixed = batch(x, y)
    assert bool(mixed.ok[2]) == (kind == "collinear")
    others = np.array([0, 1, 3, 4])
    for a, b in zip(jax.tree.leaves(clean), jax.tree.leaves(mixed), strict=True):
        np.testing.assert_array_equal(np.asarray(a)[others], np.asarray(b)[others])


@pytest.mark.parametrize(
    "kind, words",
    [
        ("missing", "not finite"),
        ("separated", "diverging"),
        ("label", "not finite"),
        ("collinear", "not unique"),
    ],
)
def test_inside_jit_nothing_is_raised_and_the_status_says_it(kind, words):
    fit = logistic_lane(*BAD_LANES[kind])
    assert fit.ok == (kind == "collinear")
    assert_says(fit.message, words)


def test_inside_jit_bad_weights_and_starts_have_a_status():
    @jax.jit
    def fit(y, weights, sigma):
        term = jm.likelihood(normal_rows, y, weights)
        return jm.fit(term, {"mu": 0.0, "sigma": jm.positive(sigma)})

    ones = jnp.ones(6)
    assert fit(Y, ones, 1.0).ok
    for arguments, words in [
        ((Y, ones.at[1].set(-1.0), 1.0), "negative"),
        ((Y, 0.0 * ones, 1.0), "zero"),
        ((Y, ones, -1.0), "start"),
        ((Y, ones, 0.0), "start"),
        ((with_value(Y, 0, np.nan), ones, 1.0), "not finite"),
    ]:
        found = fit(*arguments)
        assert not found.ok
        assert_says(found.message, words)


FLOAT32 = """
import json
import jax.numpy as jnp, numpy as np, jaxmle as jm

x = np.array([77.6, 114.9, 141.1, 190.8, 239.9, 289, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760])
y = np.round(240.0 * (1 - np.exp(-0.00055 * x)) + 0.1 * np.sin(np.arange(14.0)), 2)
saturation = lambda p, x: p["b1"] * (1 - jnp.exp(-p["b2"] * x))
curve = jm.models.nonlinear_least_squares(saturation, x, y, {"b1": 250.0, "b2": 0.0005})
level = jm.models.normal(1e7 + 0.2 + 0.1 * np.array([0, 1, -1] * 30))

def said(problem):
    fit = jm.fit(problem)
    params = {name: float(value) for name, value in fit.params.items()}
    return {"ok": fit.ok, "message": fit.message, "params": params, "table": str(jm.summary(problem, fit))}

print(json.dumps({"curve": said(curve), "level": said(level), "dtype": str(jm.fit(curve).z.dtype)}))
"""


def test_float32_is_said_and_claims_no_more_than_it_has():
    environment = {**os.environ, "JAX_ENABLE_X64": "0"}
    run = subprocess.run([sys.executable, "-c", FLOAT32], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout.splitlines()[-1])
    assert said["dtype"] == "float32"
    assert_says(said["curve"]["table"], "float32")
    if said["curve"]["ok"]:
        assert_says(said["curve"]["message"], "float32")
        np.testing.assert_allclose(said["curve"]["params"]["b1"], 240.0, rtol=0.05)
    # A spread of 0.1 about 1e7 lies below the spacing of float32: no scale may be claimed.
    assert not said["level"]["ok"], said["level"]
