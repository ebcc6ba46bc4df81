"""Degenerate and invalid inputs: each ends in a message or a status, never in a wrong number.

Messages are matched by their important words. Problems of one model share their shapes, and so their program.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bad_input import LABELS, X, Y, assert_says, normal, normal_rows, normal_start, with_value

import jaxmle as jm


def assert_refused(words, objective, start=None, error=ValueError):
    with pytest.raises(error) as caught:
        jm.fit(objective, start)
    assert_says(caught.value, *words)


def normal_in_dict(params, data):
    return normal.logpdf(data["y"], params["mu"] * data["x"], params["sigma"])


COUNTS = np.array([1.0, 0.0, 2.0, 4.0, 3.0, 5.0])


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


@pytest.mark.parametrize("looks_back", [jnp.cumsum, lambda y: y - 0.5 * jnp.concatenate([jnp.zeros(1), y[:-1]])])
def test_a_likelihood_that_looks_at_earlier_rows_is_refused(looks_back):
    term = jm.likelihood(lambda p, y: normal.logpdf(looks_back(y), p["mu"], p["sigma"]), np.arange(1.0, 7.0))
    assert_refused(["not row-wise", "row 3", "last 3", "rows=False"], term, normal_start())


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


def test_shapes_that_do_not_fit_say_what_a_function_is_given():
    term = jm.likelihood(lambda params, y: normal.logpdf(y, params["mu"], 1.0).sum(-1), Y)
    with pytest.raises(TypeError) as error:
        jm.fit(term, {"mu": jnp.zeros(2)})
    assert_says(error.value, "(6,), (2,)", "all rows at once", "y[:, None]", "one row")


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
