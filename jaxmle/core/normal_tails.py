"""The tails of the normal distribution in logarithms."""

from math import log, pi

import jax
import jax.numpy as jnp

from jaxmle.core.elementary import by_platform, ln, ln1p, polynomial, slopes, sum_log
from jaxmle.core.special import Real

_HALF_LOG_TWO_PI = 0.5 * log(2 * pi)
# (1 + 2 x) exp(x^2) erfc(x) in t = (x - 3.75)/(x + 3.75), interpolated at the Chebyshev points of [-1, 1]: to 1e-18.
_ERFCX = [
    1.2375126308378275,
    -0.14024059858554702,
    0.00358541548546369,
    0.08227673849015112,
    -0.10880393014170746,
    0.09230432116019517,
    -0.05869339859054762,
    0.02836227742156851,
    -0.009746579547619623,
    0.0017556258319220233,
    0.00029371359480570737,
    -0.0002901539763460068,
    5.164940777546399e-05,
    2.2383900563041527e-05,
    -1.1445049125831309e-05,
    -9.728189861867202e-07,
    1.7534434251106334e-06,
    -5.831950342145813e-08,
    -2.6114702359900956e-07,
    2.4362700816477473e-08,
    4.0971223152703005e-08,
    -4.453191645424103e-09,
    -6.545560212480267e-09,
    5.820899514310995e-10,
    9.02214970034059e-10,
    -4.9656323099806433e-11,
    -7.33950500852954e-11,
    1.79625782521633e-12,
]


def _log_lower_normal(x: Real, levels: int = 20, squared: float = 1.0) -> Real:
    """log Phi(-x) for x >= 5, by the continued fraction of Mills' ratio; without the square where `squared` is 0.

    Source: Abramowitz and Stegun (1964), 26.2.14.
    """
    t = x
    for i in range(levels, 0, -1):
        t = x + i / t
    return -0.5 * squared * x * x - _HALF_LOG_TWO_PI - ln(t)


@jax.custom_jvp
def log_ndtr(z: Real) -> Real:
    """Log of the standard normal distribution function, precise in both tails, with its derivatives."""
    return by_platform(_log_ndtr_once, _log_ndtr, z)


def _log_ndtr(z: Real) -> Real:
    left, right = z < -5, z > 0
    middle = ln(0.5 * jax.lax.erfc(-jnp.where(left | right, 0.0, z) * 0.5**0.5))
    upper = ln1p(-0.5 * jax.lax.erfc(jnp.where(right, z, 0.0) * 0.5**0.5))
    return jnp.where(left, _log_lower_normal(jnp.where(left, -z, 5.0)), jnp.where(right, upper, middle))


def _half_erfcx(x: Real) -> Real:
    """exp(x^2/2) Phi(-x) for x >= 0, a float64: Mills' ratio over sqrt(2 pi).

    Source: Shepherd and Laframboise (1981), "Chebyshev approximation of (1 + 2 x) exp(x^2) erfc x".
    """
    x = x * 0.5**0.5
    t = 1.0 - 7.5 / (x + 3.75)
    return 0.5 * polynomial(t, _ERFCX) / (1.0 + 2.0 * x)


def _log_ndtr_once(z: Real) -> Real:
    """The same with one logarithm."""
    right, square = z > 0, 0.5 * z * z
    mills = _half_erfcx(jnp.abs(z))
    tail = jnp.where(right, jnp.exp(-square) * mills, 0.0)
    value = sum_log(jnp.where(right, 1.0 - tail, mills), -tail, right)
    value = jnp.where(right, value, value - square)
    return jnp.where(z >= -(float(jnp.finfo(z.dtype).max) ** 0.5), value, jnp.where(z < 0, -jnp.inf, z))


@jax.custom_jvp
def _ndtr_slope(z: Real) -> Real:
    """The slope of `log_ndtr`."""
    return by_platform(_ndtr_slope_once, lambda z: jax.jvp(_log_ndtr, (z,), (jnp.ones_like(z),))[1], z)


def _ndtr_slope_once(z: Real) -> Real:
    right, u = z > 0, jnp.exp(-0.5 * z * z)
    mills = _half_erfcx(jnp.abs(z))
    density = (0.5 / pi) ** 0.5
    return jnp.where(right, density * u, density) / jnp.where(right, 1.0 - u * mills, mills)


def _ndtr_bend(z: Real) -> Real:
    """The second derivative of `log_ndtr`."""

    def slope(z):
        return jax.jvp(_log_ndtr, (z,), (jnp.ones_like(z),))[1]

    return jax.jvp(slope, (z,), (jnp.ones_like(z),))[1]


slopes(log_ndtr, lambda value, z: _ndtr_slope(z))
slopes(_ndtr_slope, lambda value, z: _ndtr_bend(z))


def log_mills(x: Real) -> Real:
    """log(Phi(-x) exp(x^2/2)), Mills' ratio over sqrt(2 pi), for x >= -10 or so: `log_ndtr(-x)` less its square."""
    far = x > 5
    near = jnp.where(far, 0.0, x)
    tail = _log_lower_normal(jnp.where(far, x, 5.0), squared=0.0)
    return jnp.where(far, tail, ln(0.5 * jax.lax.erfc(near * 0.5**0.5)) + 0.5 * near * near)
