"""A function that does not take what it will be given is refused where it is handed over."""

import functools

import jax
import jax.numpy as jnp
import optax
import pytest

import jaxmle as jm

Y = jnp.array([1.0, 2.0, 4.0])
START = {"a": 1.0}
train = functools.partial(jm.train, start=START, optimiser=optax.sgd(0.1), batch_size=2, epochs=1)


def with_state(params, y, state, key):
    return -((y - params["a"]) ** 2), state


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: jm.likelihood(lambda params: 0.0, Y), ["function(params, data)", "a lambda of (params)"]),
        (lambda: jm.likelihood(lambda params, x, y: y, (Y, Y)), ["a lambda of (params, x, y)", "x, y = data"]),
        (lambda: jm.likelihood(with_state, Y, rows=False), ["with_state(params, y, state, key)"]),
        (lambda: jm.log_prior(lambda params, y: 0.0), ["function(params)", "a lambda of (params, y)", "jm.likelihood"]),
        (lambda: jm.regression(jm.densities.normal, lambda row: (row, 1.0), Y, Y), ["one row", "a lambda of (row)"]),
        (lambda: jm.risk(jm.losses.squared_error, lambda row: row, Y, Y), ["one row", "a lambda of (row)"]),
        (lambda: jm.models.nonlinear_least_squares(lambda params: 1.0, Y, Y, START), ["f(params, x_i)"]),
        (
            lambda: jm.fit(jm.regression(jm.densities.normal, lambda params, _: (params["a"],), Y, Y), START),
            ["returns, 1 of", "logpdf(y, loc, scale)"],
        ),
        (lambda: jm.fit(jm.likelihood(with_state, Y), START), ["jm.train(..., state=...)", "with_state(params, y"]),
        (lambda: train(jm.likelihood(with_state, Y), key=jax.random.key(0)), ["jm.train(..., state=...)"]),
        (
            lambda: train(jm.likelihood(lambda params, y: y, Y), key=jax.random.key(0), state=()),
            ["function(params, rows, state, key)", "a lambda of (params, y)", "leave out state="],
        ),
    ],
)
def test_what_does_not_take_its_arguments_is_refused(make, words):
    with pytest.raises(TypeError) as raised:
        make()
    for word in words:
        assert word in str(raised.value)


def test_the_standard_errors_of_a_network_with_state_are_refused():
    term = jm.likelihood(with_state, Y)
    fit = train(term, key=jax.random.key(0), state=())
    with pytest.raises(TypeError, match="hold state and key"):
        jm.infer(term, fit)
    held = jm.likelihood(lambda params, y: with_state(params, y, (), None)[0], Y)
    assert jnp.isfinite(jm.infer(held, fit).llf)


@pytest.mark.parametrize(
    "function",
    [
        functools.partial(lambda scale, params, y: -scale * (y - params["a"]) ** 2, 2.0),
        jax.jit(lambda params, y: -((y - params["a"]) ** 2)),
        lambda *arguments: -((arguments[1] - arguments[0]["a"]) ** 2),
        lambda params, y, power=2: -((y - params["a"]) ** power),
    ],
)
def test_whatever_takes_them_is_taken(function):
    assert jm.fit(jm.likelihood(function, Y), START).ok
