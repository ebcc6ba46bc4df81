"""Functions of a quotient x / y, right also where it, its square or the square of y leaves the range of the dtype.

JAX differentiates x / y by y^-2, which is zero or infinite, in float32, from 1e19 and 1e-19 on, while the derivative
itself is an ordinary number. And a quotient that has become zero or infinite has lost what its logarithm needs. So
here one number is always smaller than the other, and the logarithm of their quotient is taken apart from the rest.
"""

from functools import reduce
from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool

from jaxmle.core.elementary import by_platform, ln1p, polynomial, slopes, split
from jaxmle.core.special import ARTANH, Real, small_compound_slope

# arctan(r)/r as a polynomial in r^2, to 1e-17 for r below 0.1.
_ARCTAN = [(-1) ** k / (2 * k + 1) for k in range(9)]


@jax.custom_jvp
def quotient(x: Real, y: Real) -> Real:
    """x / y, whose derivatives of every order are quotients too, and finite where x / y overflows."""
    return x / y


def _over_again(whole: Real, y: Real) -> Real:
    """(x / y) / y, of x / y, where both are finite, else the largest numbers; x / y^2 would not do."""
    largest = float(jnp.finfo(y.dtype).max)
    return jnp.clip(jnp.clip(whole, -largest, largest) * inverse(y), -largest, largest)


def inverse(x: Real) -> Real:
    """1 / x, as a `quotient`."""
    return quotient(jnp.ones_like(x), x)


slopes(quotient, lambda value, x, y: inverse(y), lambda value, x, y: -_over_again(quotient(x, y), y))


@jax.custom_jvp
def log_quotient(x: Real, y: Real) -> Real:
    """log(x / y) for positive x and y, also where the quotient leaves the range of the dtype: one logarithm."""
    return by_platform(_log_quotient_split, _log_quotient_scaled, x, y)


slopes(log_quotient, lambda value, x, y: inverse(x), lambda value, x, y: -inverse(y))


def _log_quotient_split(x: Real, y: Real) -> Real:
    (in_x, top), (in_y, bottom) = split(x), split(y)
    return _log_ratio(x, in_x - in_y, top, bottom, y)


def _log_ratio(x: Real, k: Real, top: Real, bottom: Real, *divisors: Real) -> Real:
    """k log 2 + log(top / bottom), which is the logarithm of x over the `divisors`; infinite where one of them is."""
    s = (top - bottom) / (top + bottom)
    value = k * log(2) + 2 * s * polynomial(s * s, ARTANH)
    limits = jnp.finfo(x.dtype)
    usual = [(d >= float(limits.tiny)) & (d <= float(limits.max)) for d in divisors]
    high = jnp.where(reduce(jnp.logical_and, [d >= 0 for d in divisors]), jnp.inf, jnp.nan)
    otherwise = jnp.where(reduce(jnp.logical_or, [d < float(limits.tiny) for d in divisors]), high, -high)
    value = jnp.where(reduce(jnp.logical_and, usual), value, otherwise)
    low = jnp.where(x > -float(limits.tiny), -high, jnp.nan)
    return jnp.where(x >= float(limits.tiny), jnp.where(x <= float(limits.max), value, high), low)


def _log_quotient_scaled(x: Real, y: Real) -> Real:
    ratio, half = x / y, -(-jnp.finfo(x.dtype).maxexp * 21 // 40)
    over, under = ratio == jnp.inf, ratio < jnp.finfo(x.dtype).tiny
    down, up = 2.0**-half, 2.0**half
    scaled = (x * jnp.where(under, up, down)) / (y * jnp.where(under, down, up))
    shift = jnp.where(over, 1.0, jnp.where(under, -1.0, 0.0)) * (2 * half * log(2))
    return jnp.log(jnp.where(over | under, scaled, ratio)) + shift


@jax.custom_jvp
def log_over_product(x: Real, y: Real, z: Real) -> Real:
    """log(x / (y z)) for positive numbers: of the quotient, also where that or the product leaves the range."""
    return by_platform(_log_over_product_split, _log_over_product_safe, x, y, z)


slopes(
    log_over_product,
    lambda value, x, y, z: inverse(x),
    lambda value, x, y, z: -inverse(y),
    lambda value, x, y, z: -inverse(z),
)


def _log_over_product_split(x: Real, y: Real, z: Real) -> Real:
    (in_x, top), (in_y, first), (in_z, second) = split(x), split(y), split(z)
    more, bottom = split(first * second)
    return _log_ratio(x, in_x - (in_y + in_z + more), top, bottom, y, z)


def _log_over_product_safe(x: Real, y: Real, z: Real) -> Real:
    first = x / z
    safe = (first / y > jnp.finfo(x.dtype).tiny) & (first < jnp.inf)
    ratio = jnp.where(safe, first, 1.0) / jnp.where(safe, y, 1.0)
    return jnp.where(safe, jnp.log(ratio), jnp.log(x) - jnp.log(z) - jnp.log(y))


@jax.custom_jvp
def log_squares(x: Real, y: Real) -> Real:
    """log(1 + (x / y)^2) for y > 0, also where the square leaves the range of the dtype."""
    return by_platform(_log_squares_split, _log_squares_far, x, y)


slopes(log_squares, lambda value, x, y: 2 * squares_slope(x, y), lambda value, x, y: -2 * inverse(y) * share(x, y))


def _far(x: Real, y: Real) -> Bool[Array, "..."]:
    """Where 1 is nothing beside the square of x / y."""
    return jnp.abs(x) > y * float(jnp.finfo(x.dtype).eps) ** -0.5


def _log_squares_split(x: Real, y: Real) -> Real:
    far, size = _far(x, y), jnp.abs(x)
    square = (x / y) * (x / y)
    whole = 1.0 + square
    (in_x, top), (in_y, bottom), (k, m) = split(size), split(y), split(whole)
    # What 1 + square has lost, over it.
    lost = jnp.where(k == 0, square - (m - 1.0), 0.0)
    s = jnp.where(far, top - bottom, m - 1.0) / jnp.where(far, top + bottom, m + 1.0)
    value = jnp.where(far, 2 * (in_x - in_y), k) * log(2) + jnp.where(far, 4.0, 2.0) * s * polynomial(s * s, ARTANH)
    value = jnp.where(far, value, value + lost)
    return jnp.where(size <= float(jnp.finfo(x.dtype).max), jnp.where(y > 0, value, jnp.nan), size)


def _log_squares_far(x: Real, y: Real) -> Real:
    far = _far(x, y)
    ratio = jnp.where(far, 0.0, x) / y
    size = jnp.where(far, jnp.abs(x), 1.0)
    return jnp.log1p(ratio * ratio) + 2 * (jnp.log(size) - jnp.where(far, jnp.log(y), 0.0))


def smaller(x: Real, y: Real) -> tuple[Bool[Array, "..."], Real, Real]:
    """Whether |x| > y; of x / y and y / x the one that is below 1 by size; and 1 / (1 + its square)."""
    steep = jnp.abs(x) > y
    tangent = quotient(jnp.where(steep, y, x), jnp.where(steep, x, y))
    return steep, tangent, 1 / (1 + tangent * tangent)


def squares_slope(x: Real, y: Real) -> Real:
    """x / (x^2 + y^2)."""
    steep, tangent, part = smaller(x, y)
    return jnp.where(steep, inverse(jnp.where(steep, x, 1.0)), jnp.where(steep, 0.0, tangent) * inverse(y)) * part


def share(x: Real, y: Real) -> Real:
    """x^2 / (x^2 + y^2)."""
    steep, tangent, part = smaller(x, y)
    return jnp.where(steep, part, tangent * tangent * part)


@jax.custom_jvp
def log_squares_rest(x: Real, y: Real) -> Real:
    """log(1 + q) - q / (1 + q) with q = (x / y)^2, of order q^2 / 2, for y > 0."""
    near = jnp.abs(x) < 0.3 * y
    ratio = jnp.where(near, x, 0.0) / y
    return jnp.where(near, small_compound_slope(ratio * ratio), log_squares(x, y) - share(x, y))


slopes(
    log_squares_rest,
    lambda value, x, y: 2 * squares_slope(x, y) * share(x, y),
    lambda value, x, y: -2 * inverse(y) * share(x, y) ** 2,
)


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
    return jnp.where(steep, ln1p(jnp.where(steep, -2 / pi * angle, 0.0)), low)


def log1mexp_quotient(x: Real, y: Real) -> Real:
    """log(1 - exp(-x / y)) for positive x and y, which is log(x / y) where that is nothing beside 1."""
    ratio = quotient(x, y)
    small = ratio < log(2)
    tiny = ratio < jnp.finfo(ratio.dtype).eps / 4
    drop = -jnp.expm1(-jnp.where(small & ~tiny, ratio, 1.0))
    lower = log_quotient(jnp.where(tiny, x, drop), jnp.where(tiny, y, 1.0))
    return jnp.where(small, lower, ln1p(-jnp.exp(-jnp.where(small, 1.0, ratio))))
