"""A function that does not take what it will be given is refused where it is handed over; so is what returns no array,
and a start that is no tree."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
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


@dataclasses.dataclass
class Unknown:
    a: float


@pytest.mark.parametrize(
    "make, words",
    [
        (
            lambda: jm.likelihood(lambda p, y: (-((y - p["a"]) ** 2), y), Y),
            "returned a tuple; it returns an array",
        ),
        (lambda: jm.likelihood(lambda p, y: None, Y), "returned None.*is its `return` missing"),
        (lambda: jm.likelihood(lambda p, y: None, Y, rows=False), "returned None.*per-step contributions"),
        (lambda: jm.log_prior(lambda p: [p["a"]]), "a log-prior returned a list; it returns one number"),
    ],
)
def test_what_returns_no_array_is_refused(make, words):
    with pytest.raises(TypeError, match=words):
        jm.fit(make(), START)


def test_swapped_arguments_and_a_start_of_another_tree_are_explained():
    by_name = jm.likelihood(lambda p, y: -((y - p["a"]) ** 2), Y)
    swapped = jm.likelihood(lambda y, p: -((p["b"] - y["a"]) ** 2), Y)
    for term, start in ((by_name, [1.0]), (swapped, START)):
        with pytest.raises(TypeError, match=r"looked for a name in what has none.*params, which come first"):
            jm.fit(term, start)


@pytest.mark.parametrize("kind", [Unknown, dataclasses.make_dataclass("Unhashed", ["a"], eq=False)])
def test_a_dataclass_that_jax_does_not_know_is_no_start(kind):
    with pytest.raises(TypeError, match=f"has a {kind.__name__}, a dataclass.*register_dataclass"):
        jm.fit(jm.likelihood(lambda p, y: -((y - p.a) ** 2), Y), kind(1.0))


def test_derivatives_go_through_numbers_held_by_a_partial():
    """The maximum of - sum (y - s a)^2 is at mean(y) / s."""

    def top(scale):
        def squares(params, y, scale, power=2):
            return -((y - scale * params["a"]) ** power)

        by_name = functools.partial(squares, scale=scale, power=2)
        by_place = functools.partial(lambda scale, params, y: squares(params, y, scale), scale)
        return jnp.stack([jm.fit(jm.likelihood(one, Y), START).params["a"] for one in (by_name, by_place)])

    found = jax.jacrev(top)(2.0)
    assert jnp.allclose(found, -jnp.mean(Y) / 4.0, rtol=1e-10)


class Scaled(eqx.Module):
    """A module, a method of which is held by a partial."""

    power: jax.Array

    def squares(self, params, y, scale):
        return -(jnp.square(y - scale * self.power * params["a"]))


def test_what_else_a_partial_holds_stays_what_it_is():
    """NumPy's numbers and arrays may be looked at, and a method brings its module."""

    def looks(params, y, scale, power, mask):
        return -((y - scale * params["a"]) ** (2 if power > 1 and mask[0] else 4))

    def top(scale):
        options = {"power": np.int64(2), "mask": np.array([1, 0])}
        functions = (
            functools.partial(looks, scale=scale, **options),
            functools.partial(Scaled(jnp.array(1.0)).squares, scale=scale),
        )
        return jnp.stack([jm.fit(jm.likelihood(one, Y), START).params["a"] for one in functions])

    for found in (jax.vmap(top)(jnp.array([2.0, 2.0]))[0], jax.jit(top)(2.0), -2.0 * jax.jacrev(top)(2.0)):
        assert jnp.allclose(found, jnp.mean(Y) / 2.0, rtol=1e-10)


def test_an_array_held_by_a_partial_is_as_it_is_when_it_is_handed_over():
    held = np.array([2.0])

    def scaled(scale, held, params, y):
        return -jnp.square(y - scale * held[0] * params["a"])

    def top(scale):
        return jm.fit(jm.likelihood(functools.partial(scaled, scale, held), Y), START).params["a"]

    first = jax.grad(top)(2.0)
    held[0] = 4.0
    assert jnp.allclose(jax.grad(top)(2.0), first / 2.0, rtol=1e-10)
