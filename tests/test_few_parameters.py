"""Value and gradient of rows in a few numbers are taken in forward mode: they are those of reverse mode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.core.directions import along_each
from jaxmle.terms.objective import whole_tree

Y = jnp.asarray(np.random.default_rng(0).gamma(2.0, 3.0, 50))


def _gradient(term, params):
    lift, point = whole_tree(params)
    return jax.jit(lambda point: term.evaluate(lift, point, 1))(point)


def _weibull(params, y):
    return jm.densities.weibull.logpdf(y, params["c"], jnp.exp(params["log_scale"]))


def test_it_equals_reverse_mode_with_weights_and_blocks():
    params = {"c": jnp.asarray(1.5), "log_scale": jnp.asarray(0.7)}
    weights = jnp.arange(50.0) % 3
    term = jm.likelihood(_weibull, Y.at[3].set(jnp.nan), weights, block=16)
    counted = jnp.where(weights == 0, 1.0, Y)
    value, gradient = jax.value_and_grad(lambda p: jnp.sum(weights * _weibull(p, counted)))(params)
    found = _gradient(term, params)
    np.testing.assert_allclose(found.value, value, rtol=1e-13)
    np.testing.assert_allclose(found.gradient, [gradient["c"], gradient["log_scale"]], rtol=1e-12)


def test_a_function_with_its_own_reverse_rule_keeps_it():
    @jax.custom_vjp
    def square(x):
        return x * x

    square.defvjp(lambda x: (x * x, x), lambda x, g: (7.0 * g * x,))
    term = jm.likelihood(lambda params, y: -square(y - params["m"]), Y)
    found = _gradient(term, {"m": jnp.asarray(1.0)})
    np.testing.assert_allclose(found.gradient, [7.0 * jnp.sum(Y - 1.0)], rtol=1e-12)


@pytest.mark.parametrize(
    "function",
    [lambda p: p[0] + p[1] * Y, lambda p: (Y - p[0]) ** 2 + p[1], lambda p: jax.vmap(lambda y: p[0] * y + p[1])(Y)],
)
def test_a_slope_that_is_the_same_in_all_rows_is_one_for_each(function):
    point = (jnp.asarray(0.7), jnp.asarray(1.3))
    _, slopes = along_each(function, point)
    for slope, expected in zip(slopes, jax.jacfwd(function)(point), strict=True):
        assert slope.shape == Y.shape
        np.testing.assert_allclose(slope, expected, rtol=1e-15)
