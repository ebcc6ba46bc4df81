"""Logarithms, sines and exponentials against mpmath, and rules for derivatives that leave out what is constant."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from jaxmle.core import elementary
from jaxmle.core.normal_tails import log_ndtr
from jaxmle.core.quotient import log_over_product, log_quotient, log_squares, log_squares_rest

RNG = np.random.default_rng(3)
ANY = np.exp(RNG.uniform(-700, 700, 300))
NEAR_ONE = 1 + RNG.normal(size=200) * 10.0 ** RNG.uniform(-12, -0.5, 200)
SMALL = np.concatenate([RNG.uniform(-0.99, 3, 200), RNG.normal(size=200) * 10.0 ** RNG.uniform(-300, 0, 200) * 0.2])
EXP = np.concatenate([SMALL, RNG.uniform(-700, 700, 100)])
ANGLES = np.random.default_rng(4).uniform(-1, 1, 300) * np.repeat([200, 1e5], 150)
CASES = {
    "ln": (elementary.ln, mp.log, np.concatenate([ANY, np.abs(NEAR_ONE)])),
    "ln1p": (elementary.ln1p, mp.log1p, np.concatenate([ANY, SMALL])),
    "expm1": (elementary.expm1, mp.expm1, EXP),
    "sine": (elementary.sine, mp.sin, np.concatenate([ANGLES, np.pi * np.arange(1, 40)])),
    "cosine": (elementary.cosine, mp.cos, ANGLES[np.abs(np.cos(ANGLES)) > 0.1]),
    "log_ndtr": (log_ndtr, lambda z: mp.log(mp.erfc(-z / mp.sqrt(2)) / 2), RNG.uniform(-35, 8, 200)),
}


def _worst(got, exact):
    return max(float(abs(mp.mpf(float(g)) - e) / (abs(e) or 1)) for g, e in zip(got, exact, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_values_are_exact_to_a_few_roundings(name):
    """Ten roundings; log_ndtr twenty, for its square."""
    function, exact, x = CASES[name]
    with mp.workdps(60):
        wanted = [exact(mp.mpf(float(v))) for v in x]
        assert _worst(jax.jit(function)(x), wanted) < (4.5e-15 if name == "log_ndtr" else 2.3e-15)


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_those_of_the_function(name):
    function, exact, x = CASES[name]
    x = x[(np.abs(x) < 30) & (np.abs(x) > 1e-3)][:40]
    first = jax.vmap(jax.grad(function))(x)
    second = jax.vmap(jax.grad(jax.grad(function)))(x)
    with mp.workdps(60):
        for got, order in ((first, 1), (second, 2)):
            wanted = [mp.diff(exact, mp.mpf(float(v)), order) for v in x]
            assert _worst(got, wanted) < 1e-11


def test_ends_are_those_of_jax():
    x = jnp.array([0.0, -1.0, jnp.inf, -jnp.inf, jnp.nan, 2.3e-308])
    np.testing.assert_array_equal(jax.jit(elementary.ln)(x)[:5], jnp.log(x)[:5])
    np.testing.assert_array_equal(jax.jit(elementary.ln1p)(x), jnp.log1p(x))
    assert float(elementary.ln(x)[5]) == pytest.approx(np.log(2.3e-308), rel=1e-15)


def test_logarithms_of_quotients_have_the_whole_range():
    x, y, z = RNG.permutation(ANY), RNG.permutation(ANY), np.exp(RNG.uniform(-3, 3, 300))
    with mp.workdps(60):
        triples = [tuple(mp.mpf(float(v)) for v in row) for row in zip(x, y, z, strict=True)]
        assert _worst(jax.jit(log_quotient)(x, y), [mp.log(a / b) for a, b, _ in triples]) < 1e-13
        # Where the quotient is near one its logarithm has the rounding of a product.
        pairs = list(zip(jax.jit(log_over_product)(x, y, z), triples, strict=True))
        assert max(float(abs(mp.mpf(float(g)) - mp.log(a / b / c))) for g, (a, b, c) in pairs) < 5e-13
        exact = [mp.log1p((a / b) ** 2) for a, b, _ in triples]
        kept = [i for i, e in enumerate(exact) if e > 1e-300]
        assert _worst(np.asarray(jax.jit(log_squares)(x, y))[kept], [exact[i] for i in kept]) < 1e-13


def test_what_is_left_of_the_logarithm_of_squares_does_not_cancel():
    x = np.array([1e-8, 1e-3, 0.1, 0.299, 0.301, 1.0, 30.0])
    with mp.workdps(60):
        q = [mp.mpf(float(v)) ** 2 for v in x]
        assert _worst(log_squares_rest(x, np.ones_like(x)), [mp.log1p(v) - v / (1 + v) for v in q]) < 1e-13


def test_a_rule_is_not_computed_for_an_argument_that_is_constant():
    def refuse(value, x, y):
        raise AssertionError("the slope in y was asked for")

    @jax.custom_jvp
    def product(x, y):
        return x * y

    elementary.slopes(product, lambda value, x, y: y, refuse)
    assert float(jax.grad(product)(2.0, 3.0)) == 3.0
    with pytest.raises(AssertionError, match="was asked for"):
        jax.grad(product, 1)(2.0, 3.0)


def test_float32_is_left_to_jax():
    x = jnp.float32(1.7)
    assert float(elementary.ln(x)) == float(jnp.log(x))
    assert elementary.sine(x).dtype == jnp.float32
