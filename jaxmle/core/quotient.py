"""Functions of a quotient x / y, right also where it, its square or the square of y leaves the range of the dtype.

JAX differentiates x / y by y^-2, which is zero or infinite, in float32, from 1e19 and 1e-19 on, while the derivative
itself is an ordinary number. And a quotient that has become zero or infinite has lost what its logarithm needs. So
here one number is always smaller than the other, and the logarithm of their quotient is taken apart from the rest.
"""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool

from jaxmle.core.special import Real

# arctan(r)/r as a polynomial in r^2, to 1e-17 for r below 0.1.
_ARCTAN = [(-1) ** k / (2 * k + 1) for k in range(9)]


@jax.custom_jvp
def quotient(x: Real, y: Real) -> Real:
    """x / y, whose derivatives of every order are quotients too, and finite where x / y overflows."""
    return x / y


@quotient.defjvp
def _(primals, tangents):
    x, y = primals
    whole, largest = quotient(x, y), float(jnp.finfo(y.dtype).max)
    # Cut off before it is divided again too: else the compiler makes (x / y) / y into x / y^2.
    in_y = jnp.clip(quotient(jnp.clip(whole, -largest, largest), y), -largest, largest)
    return whole, tangents[0] * _inverse(y) - tangents[1] * in_y


@jax.custom_jvp
def log_quotient(x: Real, y: Real) -> Real:
    """log(x / y) for positive x and y, also where the quotient leaves the range of the dtype: one logarithm."""
    ratio, half = x / y, -(-jnp.finfo(x.dtype).maxexp * 21 // 40)
    over, under = ratio == jnp.inf, ratio < jnp.finfo(x.dtype).tiny
    down, up = 2.0**-half, 2.0**half
    scaled = (x * jnp.where(under, up, down)) / (y * jnp.where(under, down, up))
    shift = jnp.where(over, 1.0, jnp.where(under, -1.0, 0.0)) * (2 * half * log(2))
    return jnp.log(jnp.where(over | under, scaled, ratio)) + shift


@log_quotient.defjvp
def _(primals, tangents):
    x, y = primals
    return log_quotient(x, y), tangents[0] * _inverse(x) - tangents[1] * _inverse(y)


def _inverse(x: Real) -> Real:
    return quotient(jnp.ones_like(x), x)


@jax.custom_jvp
def log_over_product(x: Real, y: Real, z: Real) -> Real:
    """log(x / (y z)) for positive numbers: of the quotient, unless that leaves the range of the dtype."""
    first = x / z
    safe = (first / y > jnp.finfo(x.dtype).tiny) & (first < jnp.inf)
    ratio = jnp.where(safe, first, 1.0) / jnp.where(safe, y, 1.0)
    return jnp.where(safe, jnp.log(ratio), jnp.log(x) - jnp.log(z) - jnp.log(y))


@log_over_product.defjvp
def _(primals, tangents):
    x, y, z = primals
    return log_over_product(x, y, z), tangents[0] * _inverse(x) - tangents[1] * _inverse(y) - tangents[2] * _inverse(z)


def log_squares(x: Real, y: Real) -> Real:
    """log(1 + (x / y)^2) for y > 0; where 1 is nothing beside the square, in value and derivatives, without it."""
    far = jnp.abs(x) > y * float(jnp.finfo(x.dtype).eps) ** -0.5
    ratio = quotient(jnp.where(far, 0.0, x), y)
    size = jnp.where(far, jnp.where(x < 0, -x, x), 1.0)
    return jnp.log1p(ratio * ratio) + 2 * (jnp.log(size) - jnp.where(far, jnp.log(y), 0.0))


def small_angle(x: Real, y: Real) -> tuple[Bool[Array, "..."], Real, Real]:
    """Whether x > y, and for x >= 0 and y > 0 the angle whose tangent is the smaller of x / y and y / x, by itself and
    over its tangent."""
    steep = x > y
    tangent = quotient(jnp.where(steep, y, x), jnp.where(steep, x, y))
    near = tangent < 0.1
    square, some = jnp.where(near, tangent * tangent, 0.0), jnp.where(near, 1.0, tangent)
    series = jnp.full_like(square, _ARCTAN[-1])
    for c in reversed(_ARCTAN[:-1]):
        series = series * square + c
    share = jnp.where(near, series, jnp.arctan(some) / some)
    return steep, tangent * share, share


def log_arctan(x: Real, y: Real) -> Real:
    """log(2/pi arctan(x / y)) for positive x and y, with the digits of a small angle and of a nearly right one."""
    steep, angle, share = small_angle(x, y)
    low = log_quotient(jnp.where(steep, 1.0, x * share), jnp.where(steep, 1.0, y)) + log(2 / pi)
    return jnp.where(steep, jnp.log1p(jnp.where(steep, -2 / pi * angle, 0.0)), low)


def log1mexp_quotient(x: Real, y: Real) -> Real:
    """log(1 - exp(-x / y)) for positive x and y, which is log(x / y) where that is nothing beside 1."""
    ratio = quotient(x, y)
    small = ratio < log(2)
    tiny = ratio < jnp.finfo(ratio.dtype).eps / 4
    drop = -jnp.expm1(-jnp.where(small & ~tiny, ratio, 1.0))
    lower = log_quotient(jnp.where(tiny, x, drop), jnp.where(tiny, y, 1.0))
    return jnp.where(small, lower, jnp.log1p(-jnp.exp(-jnp.where(small, 1.0, ratio))))
