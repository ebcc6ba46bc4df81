"""Logarithms, sines and exponentials of long columns of numbers.

XLA's CPU compiler has vector code for the exponential function and for everything in float32. In float64 a logarithm
or a sine is a call of the C library for each number, and takes as long as thirty to a hundred multiplications. Here
they are written in arithmetic, of which it makes vector code: the reductions and polynomials of the C library itself
(fdlibm), as exact to a digit. In other dtypes and on accelerators they are JAX's own.

They end in a `where`: what ends in arithmetic is summed by another part of XLA, which does it operation by operation.
"""

from collections.abc import Callable
from math import factorial, pi
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

Real = Float[Array, "..."]

# log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)), s = f / (2 + f): e_log.c, Lg1 to Lg7.
_LOG = [
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
]
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_ONE_BITS, _TWO_52_BITS, _FRACTION = 0x3FF0000000000000, 0x4330000000000000, 0xFFFFFFFFFFFFF
# The Taylor series of sin(r)/r and cos(r) in r^2, and of (exp(x) - 1)/x in x: exact for |r| < pi/2 and |x| < 0.35.
_SIN = [(-1) ** k / factorial(2 * k + 1) for k in range(12)]
_COS = [(-1) ** k / factorial(2 * k) for k in range(13)]
_EXPM1 = [1 / factorial(k + 1) for k in range(13)]
# pi in pieces of 33 bits, so that their products with whole numbers up to a million are exact: e_rem_pio2.c.
_PI = [2 * x for x in (1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624879595063154e-21)]


def polynomial(x: Real, coefficients: list[float]) -> Real:
    """The polynomial `c[0] + c[1] x + c[2] x^2 + ...`."""
    total = jnp.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


def slopes(function: Any, *rules: Callable | None) -> None:
    """Give a `custom_jvp` function of as many arguments as `rules` its derivatives: `rule(value, *arguments)` each,
    None for an argument that it is not differentiated in.

    Those of arguments that are constant are not computed.
    """

    def rule(primals, tangents):
        value = function(*primals)
        total = None
        for slope, tangent in zip(rules, tangents, strict=True):
            if slope is not None and not isinstance(tangent, SymbolicZero):
                more = slope(value, *primals) * tangent
                total = more if total is None else total + more
        return value, jnp.zeros_like(value) if total is None else jnp.broadcast_to(total, jnp.shape(value))

    function.defjvp(rule, symbolic_zeros=True)


def by_platform(vectors: Callable, default: Callable, *arguments: Real) -> Real:
    """`vectors(*arguments)` for float64 on a CPU, `default(*arguments)` elsewhere."""
    if any(x.dtype != jnp.float64 for x in arguments):
        return default(*arguments)
    return jax.lax.platform_dependent(*arguments, cpu=vectors, default=default)


@jax.custom_jvp
def ln(x: Real) -> Real:
    """The natural logarithm of x > 0, and minus infinity at 0."""
    return by_platform(_log, jnp.log, jnp.asarray(x))


slopes(ln, lambda value, x: 1 / x)


@jax.custom_jvp
def known_ln(x: Real, value: Real) -> Real:
    """log(x) where it is known from elsewhere to be `value`, differentiated as log(x)."""
    return value


slopes(known_ln, lambda value, x, known: 1 / x, None)


@jax.custom_jvp
def ln1p(x: Real) -> Real:
    """log(1 + x) for x > -1."""
    return by_platform(_log1p, jnp.log1p, jnp.asarray(x))


slopes(ln1p, lambda value, x: 1 / (1 + x))


@jax.custom_jvp
def expm1(x: Real) -> Real:
    """exp(x) - 1, differentiated as exp(x); JAX's adds its 1 back and loses a small exp(x)."""
    return by_platform(_expm1, jnp.expm1, jnp.asarray(x))


slopes(expm1, lambda value, x: jnp.exp(x))


@jax.custom_jvp
def sine(x: Real) -> Real:
    """sin(x), to the effect of rounding x."""
    return by_platform(_sin, jnp.sin, jnp.asarray(x))


@jax.custom_jvp
def cosine(x: Real) -> Real:
    """cos(x), to the effect of rounding x."""
    return by_platform(_cos, jnp.cos, jnp.asarray(x))


slopes(sine, lambda value, x: cosine(x))
slopes(cosine, lambda value, x: -sine(x))


def split(x: Real) -> tuple[Real, Real]:
    """k and m with x = 2^k m and sqrt(1/2) <= m < sqrt(2), for a normal positive float64."""
    bits = jax.lax.bitcast_convert_type(x, jnp.int64) + (_ONE_BITS - _SQRT_HALF_BITS)
    mantissa = (bits & _FRACTION) + _SQRT_HALF_BITS
    # 1023 + k, as the last bits of a number whose last bit is worth one.
    shifted = jax.lax.shift_right_logical(bits, jnp.full_like(bits, 52)) | _TWO_52_BITS
    k = jax.lax.bitcast_convert_type(shifted, jnp.float64) - (2.0**52 + 1023)
    return k, jax.lax.bitcast_convert_type(mantissa, jnp.float64)


def log_of(k: Real, f: Real, lost: Real | float = 0.0) -> Real:
    """k log 2 + log(1 + f) + lost, where `lost` is nothing but a rounding error."""
    s, half = f / (2.0 + f), 0.5 * f * f
    square = s * s
    more = s * (half + square * polynomial(square, _LOG))
    return k * _LN2_HIGH - ((half - (more + (k * _LN2_LOW + lost))) - f)


def normal(x: Real, value: Real) -> Real:
    """`value`, the logarithm of x, and the right one where x is no normal positive number."""
    limits = jnp.finfo(x.dtype)
    low = jnp.where(x > -float(limits.tiny), -jnp.inf, jnp.nan)
    return jnp.where(x >= float(limits.tiny), jnp.where(x <= float(limits.max), value, x), low)


def _log(x: Real) -> Real:
    k, m = split(x)
    return normal(x, log_of(k, m - 1.0))


def sum_log(whole: Real, small: Real, rounded: Any = True) -> Real:
    """The logarithm of `whole`, a float64; where `rounded` that is 1 + small, which has been rounded, else exact."""
    k, m = split(whole)
    f = m - 1.0
    # What 1 + small has lost, over it; from 0.4 on nothing that matters. By f: whole - 1 would be simplified away.
    lost = jnp.where(rounded & (k == 0), small - f, 0.0) * (1.0 - f + f * f)
    return normal(whole, log_of(k, f, lost))


def _log1p(x: Real) -> Real:
    return sum_log(1.0 + x, x)


def _expm1(x: Real) -> Real:
    near = jnp.abs(x) < 0.7
    half = 0.5 * x
    step = half * polynomial(half, _EXPM1)
    return jnp.where(near, step * (step + 2.0), jnp.exp(x) - 1.0)


def _reduced(x: Real) -> tuple[Real, Any]:
    """r and whether k is odd, with x = r + k pi."""
    turns = jnp.round(x * (1 / pi))
    r = jnp.clip(((x - turns * _PI[0]) - turns * _PI[1]) - turns * _PI[2], -2.0, 2.0)
    return r, turns != 2.0 * jnp.round(0.5 * turns)


def _sin(x: Real) -> Real:
    r, odd = _reduced(x)
    value = r * polynomial(r * r, _SIN)
    return jnp.where(odd, -value, value)


def _cos(x: Real) -> Real:
    r, odd = _reduced(x)
    value = polynomial(r * r, _COS)
    return jnp.where(odd, -value, value)
