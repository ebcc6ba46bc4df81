"""Numbers that a model closes over: no derivative goes through them, and none is made up."""

import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.core.closure import closed_over
from jaxmle.fitting import enclosed

X = np.random.default_rng(0).normal(size=(30, 2))
Y = X @ np.array([1.0, 2.0]) + np.random.default_rng(1).normal(size=30)
START = {"b": jnp.zeros(2)}


def by_rows(factor):
    return jm.regression(jm.densities.normal, lambda p, x: (factor * (x @ p["b"]), 1.0), X, Y)


def by_function(factor):
    def log_likelihood(p, d):
        return jm.densities.normal.logpdf(d["y"], factor * (d["x"] @ p["b"]), 1.0)

    return jm.likelihood(log_likelihood, {"x": X, "y": Y})


WAYS = {
    "grad": jax.grad,
    "jit of grad": lambda f: jax.jit(jax.grad(f)),
    "grad of jit": lambda f: jax.grad(jax.jit(f)),
    "jit of grad of jit": lambda f: jax.jit(jax.grad(jax.jit(f))),
    "jit of jvp": lambda f: jax.jit(lambda s: jax.jvp(f, (s,), (1.0,))[1]),
}


@pytest.mark.parametrize("term", [by_rows, by_function])
@pytest.mark.parametrize("way", WAYS)
def test_a_derivative_in_such_a_number_is_refused(term, way):
    """It would be zero, and is not: the estimate moves as one over the factor."""

    def estimate(factor):
        return jm.fit(term(factor), START).params["b"][0]

    with pytest.raises(TypeError, match=r"closes over a number .*jm.shared\(number\)"):
        WAYS[way](estimate)(1.5)


@pytest.mark.parametrize("term", [by_rows, by_function])
def test_under_jit_alone_it_is_a_constant(term):
    found = jax.jit(lambda factor: jm.fit(term(factor), START).params["b"])(1.5)
    np.testing.assert_allclose(1.5 * found, np.linalg.lstsq(X, Y)[0], rtol=1e-9)


def test_shared_it_has_its_derivative():
    def estimate(factor):
        data = {"x": X, "y": Y, "factor": jm.shared(factor)}
        term = jm.likelihood(
            lambda p, d: jm.densities.normal.logpdf(d["y"], d["factor"] * (d["x"] @ p["b"]), 1.0), data
        )
        return jm.fit(term, START).params["b"][0]

    slope = jax.jit(jax.grad(estimate))(1.5)
    np.testing.assert_allclose(slope, -np.linalg.lstsq(X, Y)[0][0] / 1.5**2, rtol=1e-9)


def test_data_are_not_closed_over():
    def count(x):
        term = jm.likelihood(lambda p, d: d * p["a"], x)
        return jnp.zeros(len(closed_over(lambda term: term({"a": 1.0}), term)))

    assert jax.eval_shape(count, jnp.ones(3)).shape == (0,)


DRAWN = jnp.array([1.0, 2.0, 4.0])


def shrunk(p, y, s):
    """Maximal at the mean over 1 + s / 3, so that the slope at s = 1 is -7 / 16."""
    return jm.densities.normal.logpdf(y, p["mu"], 1.0) - s * p["mu"] ** 2 / 6


class Model:
    """An object with a number in it."""

    def __init__(self, s):
        self.s = s

    def __call__(self, p, y):
        return shrunk(p, y, self.s)

    def log_likelihood(self, p, y):
        return shrunk(p, y, self.s)


def with_keyword_default(s):
    def log_likelihood(p, y, *, s=s):
        return shrunk(p, y, s)

    return log_likelihood


def from_namespace(s):
    space = types.SimpleNamespace(s=s)
    return lambda p, y: shrunk(p, y, space.s)


def from_object(s):
    model = Model(s)
    return lambda p, y: model.log_likelihood(p, y)


PLACES = {
    "closure": lambda s: lambda p, y: shrunk(p, y, s),
    "default": lambda s: lambda p, y, s=s: shrunk(p, y, s),
    "keyword default": with_keyword_default,
    "dict": lambda s: lambda p, y, d={"s": s}: shrunk(p, y, d["s"]),
    "namespace": from_namespace,
    "object": from_object,
    "callable object": Model,
    "bound method": lambda s: Model(s).log_likelihood,
    "partial": lambda s: functools.partial(shrunk, s=s),
    "jit": lambda s: jax.jit(lambda p, y: shrunk(p, y, s)),
    "vmap": lambda s: lambda p, y: jax.vmap(lambda row: shrunk(p, row, s))(y),
    "wrapped vmap": lambda s: jax.vmap(lambda p, row: shrunk(p, row, s), in_axes=(None, 0)),
}


def mode(place):
    return lambda s: jm.fit(jm.likelihood(PLACES[place](s), DRAWN), {"mu": 0.0}).params["mu"]


@pytest.mark.parametrize("way", ["grad", "jit of grad", "grad of jit"])
@pytest.mark.parametrize("place", [place for place in PLACES if place != "partial"])
def test_wherever_python_hides_the_number(place, way):
    with pytest.raises(TypeError, match=r"closes over a number .*jm.shared\(number\)"):
        WAYS[way](mode(place))(1.0)


@pytest.mark.parametrize("way", ["grad", "jit of grad", "grad of jit"])
def test_a_partial_shows_its_number(way):
    assert float(WAYS[way](mode("partial"))(1.0)) == pytest.approx(-7 / 16, rel=1e-9)


@pytest.mark.parametrize("place", PLACES)
def test_wherever_it_is_hidden_it_is_a_constant_under_jit(place):
    assert float(jax.jit(mode(place))(1.0)) == pytest.approx(7 / 4, rel=1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_an_argument_of_a_partial_of_jax_has_its_derivative(way):
    """It is a leaf of the model, and nothing hidden."""

    def estimate(s):
        log_likelihood = jax.tree_util.Partial(shrunk, s=s)
        return jm.fit(jm.likelihood(log_likelihood, DRAWN), {"mu": 0.0}).params["mu"]

    assert float(WAYS[way](estimate)(1.0)) == pytest.approx(-7 / 16, rel=1e-9)


@pytest.mark.parametrize("place", ["closure", "default"])
def test_with_it_no_derivative_in_anything_goes_through(place):
    """The rule of the derivative would need the number where it is out of sight; without derivatives it may stay."""

    def estimate(held, y):
        return jm.fit(jm.likelihood(PLACES[place](held), y), {"mu": 0.0}).params["mu"]

    slopes = jax.jit(lambda k: k * jax.grad(estimate, 1)(1.0, DRAWN))(2.0)
    np.testing.assert_allclose(slopes, 0.5, rtol=1e-9)
    with pytest.raises(TypeError, match=r"closes over a number that JAX traces .*jm.shared\(number\)"):
        jax.jit(jax.grad(estimate, 1))(1.0, DRAWN)


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_refuses_it_too(way):
    lanes = jnp.stack([DRAWN, DRAWN + 1.0])

    def estimate(s):
        return jm.fit_batch(jm.likelihood(lambda p, y: shrunk(p, y, s), lanes), {"mu": 0.0}).params["mu"][0]

    with pytest.raises(TypeError, match=r"closes over a number .*jm.shared\(number\)"):
        WAYS[way](estimate)(1.0)


@pytest.mark.parametrize("way", WAYS)
def test_a_standard_error_has_its_derivative_in_it(way):
    """The curvature at a fit that is held is 3 + s, so the error is one over its root, with slope -1 / 16 at s = 1."""
    fit = jm.fit(jm.likelihood(PLACES["closure"](1.0), DRAWN), {"mu": 0.0})

    def error(s):
        return jm.infer(jm.likelihood(PLACES["default"](s), DRAWN), fit).bse["mu"]

    assert float(WAYS[way](error)(1.0)) == pytest.approx(-1 / 16, rel=1e-9)


def test_data_of_jax_inside_a_trace_are_no_closure():
    """Nothing of this model is traced; the fit only stands inside a trace."""

    def log_likelihood(p, y):
        return -0.5 * (y - p["mu"]) ** 2

    scaled = jax.jit(lambda k: k * jm.fit(jm.likelihood(log_likelihood, DRAWN), {"mu": 0.0}).params["mu"])
    assert float(scaled(3.0)) == pytest.approx(7.0, rel=1e-12)


def test_a_function_that_is_not_row_wise_is_found_inside_a_trace_too():
    def centred(p, y):
        return -0.5 * (y - jnp.mean(y) - p["mu"]) ** 2

    with pytest.raises(ValueError, match="the log-likelihood is not row-wise"):
        jax.jit(lambda k: k * jm.fit(jm.likelihood(centred, DRAWN), {"mu": 0.0}).params["mu"])(3.0)


def test_looking_for_it_costs_a_warm_fit_nothing(monkeypatch):
    """It is looked for inside a trace, and there once for each model."""
    looked = []
    monkeypatch.setattr(enclosed, "closed_over", lambda *given: looked.append(given) or [])
    term = jm.likelihood(PLACES["closure"](0.25), DRAWN)
    for _ in range(3):
        jm.fit(term, {"mu": 0.0})
    assert not looked
    for _ in range(3):
        jax.vmap(lambda mu: jm.fit(term, {"mu": mu}).z)(jnp.arange(2.0))
    assert len(looked) == 1
