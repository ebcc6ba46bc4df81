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

import jaxmle as jm
from jaxmle.terms.objective import whole_tree

# The benchmarks are not installed, and a bare `pytest` leaves the repository root off the path.
sys.path.insert(0, str(Path(__file__).parents[1]))
reference = importlib.import_module("benchmarks.numpy_reference")

ROWS = 23
RNG = np.random.default_rng(11)
X = np.column_stack([np.ones(ROWS), RNG.normal(size=(ROWS, 2))])
T = np.linspace(0.0, 2.0, ROWS)
NOISE = RNG.normal(size=ROWS)
WEIGHTS = RNG.integers(0, 4, ROWS).astype(float)
BETA = np.array([0.2, -0.5, 0.3])


@functools.partial(jax.jit, static_argnames="order")
def evaluation(term, params, order=2):
    """The evaluation with derivatives in the flattened params."""
    lift, point = whole_tree(params)
    return term.evaluate(lift, point, order)


value = jax.jit(lambda term, params: term(params))


def _close(got, expected, rtol=1e-10):
    expected = np.asarray(expected)
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol * max(1.0, np.abs(expected).max()))


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


def _softmax(params, x):
    return (jnp.concatenate([jnp.zeros(1), x @ params["beta"]]),)


def _growth(params, row):
    return params["a"] * jnp.exp(-params["b"] * row["t"]) + row["floor"], params["sigma"]


def _bare_laplace_like(y, loc, scale):
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
        _softmax,
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
        _growth,
        {"t": T, "floor": jm.shared(np.array(0.1))},
        np.exp(-T) + 0.1 * NOISE,
        {"a": np.array(1.2), "b": np.array(0.7), "sigma": np.array(0.2)},
        False,
    ),
    Case(
        "a bare log-density",
        _bare_laplace_like,
        lambda p, x: (p["a"] * (x @ p["beta"]), p["sigma"]),
        X,
        NOISE,
        {"a": np.array(0.5), "beta": BETA, "sigma": np.array(0.8)},
        False,
    ),
]


def _by_hand(case):
    """The log-likelihood of rows, as a user would write it without knowing of predictors."""
    density = getattr(case.density, "logpdf", getattr(case.density, "logpmf", case.density))
    axes = {"t": 0, "floor": None} if case.predictor is _growth else 0

    def function(params, rows):
        one = lambda x, y: density(y, *case.predictor(params, x))  # noqa: E731
        return jax.vmap(one, in_axes=(axes, 0))(rows["x"], rows["y"])

    return function


@functools.cache
def _evaluated(name):
    """The regression in blocks of 7, the likelihood in blocks of 10, and plain JAX, in one program."""
    case = next(case for case in CASES if case.name == name)
    function = _by_hand(case)
    data = {"x": case.x, "y": case.y}
    bare = {"x": {"t": T, "floor": 0.1} if case.predictor is _growth else case.x, "y": case.y}

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
    found, (total, gradient, hessian), *_ = _evaluated(case.name)
    got = found[which == "likelihood"]
    _close(got.value, total)
    _close(got.log_likelihood, total)
    assert float(got.log_prior) == 0.0
    _close(got.gradient, gradient)
    _close(got.curvature, -hessian, 1e-9)


@per_case
def test_gauss_newton_is_apart_where_the_predictor_is_nonlinear_only(case):
    found, *_ = _evaluated(case.name)
    assert (found[0].gauss_newton is None) == case.is_linear
    assert found[1].gauss_newton is None
    np.testing.assert_array_equal(
        found[0].approximate_curvature, found[0].curvature if case.is_linear else found[0].gauss_newton
    )


@per_case
def test_contributions_of_rows(case):
    *_, rows, by_hand = _evaluated(case.name)
    _close(rows, by_hand)
    assert float(_evaluated(case.name)[0][0].magnitude) >= np.abs(WEIGHTS * rows).sum() * (1 - 1e-12)


def test_gauss_newton_of_least_squares():
    """J'J / sigma^2 in the parameters of the mean, by its closed form."""
    found, *_ = _evaluated("normal with a predicted scale")
    scale = np.exp(X @ CASES[0].params["gamma"])
    _close(found[0].gauss_newton[:3, :3], X.T @ (X * (WEIGHTS / scale**2)[:, None]))


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
        _close(a, b, 1e-12)
    assert got.gauss_newton is None


def test_no_weights_are_weights_of_one():
    y = np.random.default_rng(13).poisson(1.5, ROWS)
    got = evaluation(jm.models.poisson_regression(X, y).objective, {"beta": BETA})
    expected = reference.poisson(BETA, X, y)
    for a, b in zip((got.value, got.gradient, -got.curvature), expected, strict=True):
        _close(a, b, 1e-12)


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
    _close(got.value, WEIGHTS @ rows)
    _close(got.gradient, [WEIGHTS @ (NOISE - 0.3) / 4.0])
    assert got.curvature is None


@pytest.mark.parametrize("block", [None, 5])
def test_any_block_without_weights(block):
    rows = stats.norm.logpdf(NOISE, 0.3, 2.0)
    _close(evaluation(_shared(None, block), MU, order=0).value, rows.sum())


def test_observations_are_counted_by_weight():
    assert float(_shared().nobs()) == ROWS
    assert float(_shared(WEIGHTS).nobs()) == WEIGHTS.sum()
    assert float((_shared(WEIGHTS) + _shared() + jm.priors.normal("mu")).nobs()) == WEIGHTS.sum() + ROWS
    assert float((3.0 * _shared()).nobs()) == ROWS


def test_weights_of_integers_and_booleans():
    whole = WEIGHTS.astype(int)
    _close(value(_shared(whole), MU), value(_shared(WEIGHTS), MU))
    _close(value(_shared(whole > 0), MU), value(_shared((whole > 0).astype(float)), MU))


def _walk(params, y):
    """A first-order autoregression: each row needs the one before."""
    return jm.densities.normal.logpdf(y[1:], params["rho"] * y[:-1], 1.0)


@pytest.mark.parametrize("function", [_walk, lambda p, y: jnp.sum(_walk(p, y))], ids=["steps", "scalar"])
def test_a_likelihood_that_is_not_split(function):
    term = jm.likelihood(function, NOISE, rows=False, nobs=ROWS - 1)
    got = evaluation(term, {"rho": np.array(0.4)})
    _close(got.value, stats.norm.logpdf(NOISE[1:], 0.4 * NOISE[:-1]).sum())
    _close(got.gradient, [NOISE[:-1] @ (NOISE[1:] - 0.4 * NOISE[:-1])])
    _close(got.curvature, [[NOISE[:-1] @ NOISE[:-1]]])
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


# Priors and sums


def _quadratic(params):
    return -0.5 * jnp.sum(params["beta"] ** 2) - params["beta"][0] * params["beta"][1]


PRIOR = jm.log_prior(_quadratic)
NORMAL = jm.priors.normal("beta", scale=2.0)
AT = {"beta": np.array([0.4, -1.2])}


def test_a_log_prior_and_its_derivatives():
    got = evaluation(PRIOR, AT)
    assert float(got.log_likelihood) == 0.0
    _close(got.log_prior, _quadratic(AT))
    _close(got.gradient, [0.8, 0.8])
    _close(got.curvature, [[1.0, 1.0], [1.0, 1.0]])
    assert float(PRIOR.nobs()) == 0.0


def test_a_log_prior_returns_one_number():
    with pytest.raises(ValueError, match=r"sum it with jnp\.sum"):
        jm.log_prior(lambda p: -(p["beta"] ** 2))(AT)


def test_terms_and_their_evaluations_add():
    data = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, jnp.sum(p["beta"]), 1.0), NOISE)
    pieces = [data, PRIOR, NORMAL]
    alone = [evaluation(piece, AT) for piece in pieces]
    by_hand = alone[0] + alone[1] + alone[2]
    for total in (data + PRIOR + NORMAL, data + (PRIOR + NORMAL), sum(pieces)):
        assert isinstance(total, jm.Objective)
        got = evaluation(total, AT)
        for name in ("value", "log_likelihood", "log_prior", "magnitude", "gradient", "curvature"):
            _close(getattr(got, name), getattr(by_hand, name), 1e-14)
    assert float(by_hand.log_likelihood) == float(alone[0].value)


def test_gauss_newton_adds_to_the_exact_curvature_of_what_has_none():
    found, *_ = _evaluated("normal with a predicted scale")
    exact = found[1]
    total = found[0] + exact
    _close(total.gauss_newton, found[0].gauss_newton + exact.curvature)
    _close((exact + found[0]).gauss_newton, total.gauss_newton)
    assert (exact + exact).gauss_newton is None


def test_the_flat_prior_is_the_identity():
    for total in (NORMAL + jm.priors.flat(), jm.priors.flat() + NORMAL):
        assert jax.tree.structure(total) == jax.tree.structure(jm.priors.flat() + NORMAL)
        assert float(value(total, AT)) == float(value(NORMAL, AT))
    assert float(jm.priors.flat()(AT)) == 0.0


@pytest.mark.parametrize("factor", [2, 0.5, np.float64(3.0)])
def test_multiplication_by_a_positive_number(factor):
    one = evaluation(PRIOR, AT)
    for product in (factor * PRIOR, PRIOR * factor, 2.0 * (0.5 * factor * PRIOR)):
        got = evaluation(product, AT)
        for name in ("value", "magnitude", "gradient", "curvature"):
            _close(getattr(got, name), factor * np.asarray(getattr(one, name)), 1e-14)
    mixed = PRIOR + factor * NORMAL
    _close(value(mixed, AT), value(PRIOR, AT) + factor * value(NORMAL, AT), 1e-14)


@pytest.mark.parametrize("factor", [0, -1.0, np.inf, np.nan, np.ones(2)])
def test_no_other_number_multiplies(factor):
    with pytest.raises(ValueError, match=r"multiplied by a positive number.* turn its maximum into a minimum"):
        PRIOR * factor


def test_a_traced_factor_is_taken_as_it_is():
    doubled = jax.jit(lambda factor: (factor * PRIOR)(AT))(jnp.array(2.0))
    _close(doubled, 2.0 * value(PRIOR, AT))


@pytest.mark.parametrize("other", [1, 0.0, lambda p: 0.0, None])
def test_nothing_else_adds(other):
    with pytest.raises(TypeError):
        PRIOR + other
    with pytest.raises(TypeError):
        jm.models.poisson([1.0, 2.0]) + other


def test_a_penalty_is_its_prior():
    for strength in (0.3, np.array([0.3, 2.0])):
        penalty = jm.penalties.l2("beta", strength)
        prior = jm.priors.normal("beta", scale=1.0 / np.sqrt(2.0 * np.asarray(strength)))
        _close(value(penalty, AT), value(prior, AT), 1e-14)
        base = {"beta": np.zeros(2)}
        drop = -np.sum(strength * AT["beta"] ** 2)
        _close(float(value(penalty, AT)) - float(value(penalty, base)), drop, 1e-14)


# Problems


def test_a_problem_with_a_prior_is_a_problem():
    problem = jm.models.logistic(X, T > 1)
    for posterior in (problem + NORMAL, NORMAL + problem):
        assert isinstance(posterior, jm.Problem)
        assert posterior.start is problem.start
        assert posterior.name == problem.name
        params = {"beta": BETA}
        expected = value(problem.objective, params) + stats.norm.logpdf(BETA, 0.0, 2.0).sum()
        _close(value(posterior, params), expected, 1e-13)
    _close(value(3.0 * problem, {"beta": BETA}), 3.0 * value(problem, {"beta": BETA}), 1e-13)


def test_two_problems_do_not_add():
    problem = jm.models.poisson([1.0, 2.0])
    with pytest.raises(TypeError, match="two starts"):
        problem + problem


@pytest.mark.parametrize("thing,message", [(lambda p: 0.0, "wrap a function"), (3.0, "make a term")])
def test_only_terms_and_problems_are_fitted(thing, message):
    with pytest.raises(TypeError, match=message):
        jm.fit(thing, {"mu": 0.0})
