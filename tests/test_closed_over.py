"""Numbers that a model closes over: no derivative goes through them, and none is made up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.core.closure import closed_over

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
        return jnp.zeros(len(closed_over(jm.likelihood(lambda p, d: d * p["a"], x))))

    assert jax.eval_shape(count, jnp.ones(3)).shape == (0,)
