"""Short arguments are compiled briefly, long ones thoroughly; inside of a trace it is the caller's program."""

import jax
import jax.numpy as jnp
import pytest

import jaxmle as jm
from jaxmle.core import compiled as module
from jaxmle.core.compiled import _SHORT, compiled

SHORT, LONG = jnp.arange(3.0), jnp.arange(_SHORT + 1.0)


@pytest.fixture
def double():
    """A compiled function, and which of its two programs were made."""
    function = compiled(lambda x: 2.0 * x)
    return function, lambda: (function.briefly._cache_size(), function.thoroughly._cache_size())  # pyright: ignore


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="other backends compile in one way")
def test_by_the_size_of_the_arguments(double):
    function, made = double
    assert function(SHORT)[2] == 4.0
    assert made() == (1, 0)
    assert function(LONG)[2] == 4.0
    assert made() == (1, 1)
    function.clear_cache()
    assert made() == (0, 0)


@pytest.mark.parametrize(
    "transform, argument",
    [
        (jax.jit, SHORT),
        (jax.vmap, SHORT),
        (jax.grad, SHORT[0]),
        (lambda f: jax.jit(jax.vmap(f)), SHORT),
        (lambda f: jax.jit(lambda _: f(1.0)), SHORT),  # nothing traced among its arguments
        (lambda f: lambda x: jax.lax.map(lambda _: f(1.0), x), SHORT),
        (lambda f: lambda x: jax.eval_shape(lambda: f(1.0)), SHORT),
    ],
)
def test_inside_of_a_trace(double, transform, argument):
    function, made = double
    transform(function)(argument)
    assert made()[0] == 0


def test_an_xla_without_the_option(monkeypatch):
    monkeypatch.setattr(module, "_BRIEFLY", {"xla_no_such_option": True})
    monkeypatch.setattr(module, "_REFUSED", [])
    function = compiled(lambda x: 2.0 * x)
    assert function(SHORT)[2] == 4.0
    assert module._REFUSED
    assert function(SHORT)[1] == 2.0


def test_another_error_is_not_hidden():
    @compiled
    def broken(_):
        raise jax.errors.JaxRuntimeError("out of memory")

    with pytest.raises(jax.errors.JaxRuntimeError, match="out of memory"):
        broken(SHORT)


def test_a_fit_that_depends_on_nothing_traced():
    problem = jm.models.poisson(jnp.array([2.0, 3.0, 4.0]))
    assert jax.jit(lambda: jm.infer(problem, jm.fit(problem)).llf)() == jm.infer(problem, jm.fit(problem)).llf
