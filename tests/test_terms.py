"""Terms: their value, gradient and curvature against the same log-density written out, and against NumPy."""

import functools
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy import stats
from term_cases import BETA, NOISE, RNG, ROWS, WEIGHTS, T, X, close, evaluation, value

import jaxmle as jm

# The benchmarks are not installed, and a bare `pytest` leaves the repository root off the path.
sys.path.insert(0, str(Path(__file__).parents[1]))
reference = importlib.import_module("benchmarks.numpy_reference")


# A regression is the same likelihood written by hand


class Case(NamedTuple):
    """A noise model, a predictor of one row, and whether it is linear in params."""

    name: str
    density: Any
    predictor: Callable
    x: Any
    y: np.ndarray
    params: dict
    is_linear: bool


def softmax(params, x):
    return (jnp.concatenate([jnp.zeros(1), x @ params["beta"]]),)


def growth(params, row):
    return params["a"] * jnp.exp(-params["b"] * row["t"]) + row["floor"], params["sigma"]


def bare_laplace_like(y, loc, scale):
    return -jnp.log(jnp.cosh((y - loc) / scale)) - jnp.log(scale)


CASES = [
    Case(
        "normal with a predicted scale",
        jm.densities.normal,
        lambda p, x: (x @ p["beta"], jnp.exp(x @ p["gamma"])),
        X,
        NOISE,
        {"beta": BETA, "gamma": 0.3 * BETA[::-1]},
        False,
    ),
    Case(
        "softmax",
        jm.densities.categorical,
        softmax,
        X,
        RNG.integers(0, 3, ROWS),
        {"beta": RNG.normal(size=(3, 2))},
        True,
    ),
    Case(
        "binomial of given trials",
        jm.densities.binomial,
        lambda p, row: (row["trials"], row["x"] @ p["beta"]),
        {"x": X, "trials": np.arange(ROWS) % 4 + 3.0},
        RNG.integers(0, 4, ROWS),
        {"beta": BETA},
        True,
    ),
    Case(
        "a curve, with shared data",
        jm.densities.normal,
        growth,
        {"t": T, "floor": jm.shared(np.array(0.1))},
        np.exp(-T) + 0.1 * NOISE,
        {"a": np.array(1.2), "b": np.array(0.7), "sigma": np.array(0.2)},
        False,
    ),
    Case(
        "a bare log-density",
        bare_laplace_like,
        lambda p, x: (p["a"] * (x @ p["beta"]), p["sigma"]),
        X,
        NOISE,
        {"a": np.array(0.5), "beta": BETA, "sigma": np.array(0.8)},
        False,
    ),
]


def by_hand(case):
    """The log-likelihood of rows, as a user would write it without knowing of predictors."""
    density = getattr(case.density, "logpdf", getattr(case.density, "logpmf", case.density))
    axes = {"t": 0, "floor": None} if case.predictor is growth else 0

    def function(params, rows):
        one = lambda x, y: density(y, *case.predictor(params, x))  # noqa: E731
        return jax.vmap(one, in_axes=(axes, 0))(rows["x"], rows["y"])

    return function


@functools.cache
def evaluated(name):
    """The regression in blocks of 7, the likelihood in blocks of 10, and plain JAX, in one program."""
    case = next(case for case in CASES if case.name == name)
    function = by_hand(case)
    data = {"x": case.x, "y": case.y}
    bare = {"x": {"t": T, "floor": 0.1} if case.predictor is growth else case.x, "y": case.y}

    @jax.jit
    def everything(params, weights):
        flat, unravel = ravel_pytree(params)
        plain = lambda flat: jnp.dot(weights, function(unravel(flat), bare))  # noqa: E731
        terms = (
            jm.regression(case.density, case.predictor, case.x, case.y, weights, block=7),
            jm.likelihood(function, data, weights, block=10),
        )
        return (
            [evaluation(term, params) for term in terms],
            (plain(flat), jax.grad(plain)(flat), jax.hessian(plain)(flat)),
            terms[0].contributions(params),
            function(params, bare),
        )

    return everything(case.params, WEIGHTS)


per_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@per_case
@pytest.mark.parametrize("which", ["regression", "likelihood"])
def test_value_gradient_and_curvature_equal_those_of_the_sum_written_out(case, which):
    """With weights, zeros among them, and blocks that do not divide the rows."""
    found, (total, gradient, hessian), *_ = evaluated(case.name)
    got = found[which == "likelihood"]
    close(got.value, total)
    close(got.log_likelihood, total)
    assert float(got.log_prior) == 0.0
    close(got.gradient, gradient)
    close(got.curvature, -hessian, 1e-9)


@per_case
def test_gauss_newton_is_apart_where_the_predictor_is_nonlinear_only(case):
    found, *_ = evaluated(case.name)
    assert (found[0].gauss_newton is None) == case.is_linear
    assert found[1].gauss_newton is None
    np.testing.assert_array_equal(
        found[0].approximate_curvature, found[0].curvature if case.is_linear else found[0].gauss_newton
    )


def test_gauss_newton_adds_to_the_exact_curvature_of_what_has_none():
    found, *_ = evaluated("normal with a predicted scale")
    exact = found[1]
    total = found[0] + exact
    close(total.gauss_newton, found[0].gauss_newton + exact.curvature)
    close((exact + found[0]).gauss_newton, total.gauss_newton)
    assert (exact + exact).gauss_newton is None


@per_case
def test_contributions_of_rows(case):
    *_, rows, by_hand = evaluated(case.name)
    close(rows, by_hand)
    assert float(evaluated(case.name)[0][0].magnitude) >= np.abs(WEIGHTS * rows).sum() * (1 - 1e-12)


def test_gauss_newton_of_least_squares():
    """J'J / sigma^2 in the parameters of the mean, by its closed form."""
    found, *_ = evaluated("normal with a predicted scale")
    scale = np.exp(X @ CASES[0].params["gamma"])
    close(found[0].gauss_newton[:3, :3], X.T @ (X * (WEIGHTS / scale**2)[:, None]))


# Against NumPy


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("name", ["normal", "bernoulli", "categorical", "poisson"])
def test_regressions_equal_the_numpy_reference(name, weights):
    rng = np.random.default_rng(12)
    ys = {
        "normal": NOISE,
        "bernoulli": rng.integers(0, 2, ROWS),
        "categorical": rng.integers(0, 4, ROWS),
        "poisson": rng.poisson(1.5, ROWS),
    }
    model = {
        "normal": jm.models.linear,
        "bernoulli": jm.models.logistic,
        "categorical": functools.partial(jm.models.softmax, n_classes=4),
        "poisson": jm.models.poisson_regression,
    }[name]
    beta = rng.normal(size=(3, 3)) if name == "categorical" else BETA
    params = {"beta": beta, "sigma": np.array(0.7)} if name == "normal" else {"beta": beta}
    expected = getattr(reference, name)((beta, 0.7) if name == "normal" else beta, X, ys[name], weights)
    # One program for both weightings.
    ones = np.ones(ROWS) if weights is None else weights
    got = evaluation(model(X, ys[name], ones).objective, params)
    for a, b in zip((got.value, got.gradient, -got.curvature), expected, strict=True):
        close(a, b, 1e-12)
    assert got.gauss_newton is None


def test_no_weights_are_weights_of_one():
    y = np.random.default_rng(13).poisson(1.5, ROWS)
    got = evaluation(jm.models.poisson_regression(X, y).objective, {"beta": BETA})
    expected = reference.poisson(BETA, X, y)
    for a, b in zip((got.value, got.gradient, -got.curvature), expected, strict=True):
        close(a, b, 1e-12)


# Likelihoods


def _normal_rows(params, rows):
    return jm.densities.normal.logpdf(rows["y"], params["mu"], rows["scale"])


MU = {"mu": np.array(0.3)}


def _shared(weights=None, block=None, n=ROWS):
    return jm.likelihood(_normal_rows, {"y": NOISE[:n], "scale": jm.shared(2.0)}, weights, block=block)


@pytest.mark.parametrize("block", [None, 1, 5, 22, 23, 100])
def test_any_block(block):
    rows = stats.norm.logpdf(NOISE, 0.3, 2.0)
    got = evaluation(_shared(WEIGHTS, block), MU, order=1)
    close(got.value, WEIGHTS @ rows)
    close(got.gradient, [WEIGHTS @ (NOISE - 0.3) / 4.0])
    assert got.curvature is None


@pytest.mark.parametrize("block", [None, 5])
def test_any_block_without_weights(block):
    rows = stats.norm.logpdf(NOISE, 0.3, 2.0)
    close(evaluation(_shared(None, block), MU, order=0).value, rows.sum())


def test_observations_are_counted_by_weight():
    assert float(_shared().nobs()) == ROWS
    assert float(_shared(WEIGHTS).nobs()) == WEIGHTS.sum()
    assert float((_shared(WEIGHTS) + _shared() + jm.priors.normal("mu")).nobs()) == WEIGHTS.sum() + ROWS
    assert float((3.0 * _shared()).nobs()) == ROWS


def test_weights_of_integers_and_booleans():
    whole = WEIGHTS.astype(int)
    close(value(_shared(whole), MU), value(_shared(WEIGHTS), MU))
    close(value(_shared(whole > 0), MU), value(_shared((whole > 0).astype(float)), MU))


def _walk(params, y):
    """A first-order autoregression: each row needs the one before."""
    return jm.densities.normal.logpdf(y[1:], params["rho"] * y[:-1], 1.0)


@pytest.mark.parametrize("function", [_walk, lambda p, y: jnp.sum(_walk(p, y))], ids=["steps", "scalar"])
def test_a_likelihood_that_is_not_split(function):
    term = jm.likelihood(function, NOISE, rows=False, nobs=ROWS - 1)
    got = evaluation(term, {"rho": np.array(0.4)})
    close(got.value, stats.norm.logpdf(NOISE[1:], 0.4 * NOISE[:-1]).sum())
    close(got.gradient, [NOISE[:-1] @ (NOISE[1:] - 0.4 * NOISE[:-1])])
    close(got.curvature, [[NOISE[:-1] @ NOISE[:-1]]])
    assert float(term.nobs()) == ROWS - 1
    assert float(jm.likelihood(function, NOISE, rows=False).nobs()) == ROWS


def test_a_likelihood_that_is_not_split_refuses_weights_and_matrices():
    with pytest.raises(TypeError, match="weight inside the function"):
        jm.likelihood(_walk, NOISE, WEIGHTS, rows=False)
    with pytest.raises(ValueError, match="returned an array of shape"):
        jm.likelihood(lambda p, y: y[:, None] * p["rho"], NOISE, rows=False)({"rho": 0.4})


@pytest.mark.parametrize(
    "function,message",
    [
        (lambda p, y: jnp.sum(y * p["mu"]), "do not sum inside it"),
        (lambda p, y: (y * p["mu"])[:, None], "made flat"),
        (lambda p, y: (y * p["mu"])[1:], "one number for each of its 23 rows"),
    ],
)
def test_a_likelihood_must_give_one_number_for_each_row(function, message):
    with pytest.raises(ValueError, match=message):
        jm.fit(jm.likelihood(function, NOISE), {"mu": 1.0})


def test_a_function_that_looks_across_rows_is_refused():
    with pytest.raises(ValueError, match=r"not row-wise: row 0 .* rows=False"):
        jm.fit(jm.likelihood(lambda p, y: -((y - jnp.mean(y) - p["mu"]) ** 2), NOISE), {"mu": 1.0})


@pytest.mark.parametrize(
    "data,weights,message",
    [
        ({"y": np.zeros(3), "z": np.zeros(4)}, None, r"'y' has shape \(3,\) and 'z' has shape \(4,\)"),
        ({"y": np.zeros(0)}, None, "empty"),
        ({"y": np.zeros(3), "z": 1.0}, None, "jm.shared"),
        ({"y": np.zeros(3)}, np.ones(4), r"one weight for each of its 3 rows; the weights have shape \(4,\)"),
    ],
)
def test_shapes_are_checked_when_fitted(data, weights, message):
    term = jm.likelihood(lambda p, rows: -((rows["y"] - p["mu"]) ** 2), data, weights)
    with pytest.raises(ValueError, match=message):
        jm.fit(term, {"mu": 1.0})


def test_data_must_be_numbers():
    with pytest.raises(TypeError, match="data leaf 'city' holds"):
        jm.likelihood(_normal_rows, {"city": np.array(["Bonn", "Ulm"])})


def test_a_predictor_returns_a_tuple():
    with pytest.raises(TypeError, match=r"write \(eta,\) with a comma"):
        jm.regression(jm.densities.bernoulli, lambda p, x: x @ p["beta"], X, T > 1)({"beta": BETA})
    with pytest.raises(TypeError, match="density must be a module"):
        jm.regression("normal", lambda p, x: (x,), X, NOISE)
