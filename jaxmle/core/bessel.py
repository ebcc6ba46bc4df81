"""The Bessel function of the von Mises distribution, with derivatives of every order."""

from itertools import accumulate
from math import pi

import jax
import jax.numpy as jnp
from jax.scipy.special import i0e, i1e

from jaxmle.core.elementary import ln, polynomial, slopes
from jaxmle.core.special import Real

# ((2k - 1)!!)^2 / k!, the coefficients of (8 x)^-k.
_HANKEL = [*accumulate(range(1, 13), lambda c, k: c * (2 * k - 1) ** 2 / k, initial=1.0)]
_HANKEL_SLOPE = [k * c for k, c in enumerate(_HANKEL)][1:]
_HANKEL_BEND = [k * c for k, c in enumerate(_HANKEL_SLOPE)][1:]


@jax.custom_jvp
def log_bessel(x: Real) -> Real:
    """log(exp(-x) I_0(x)) for x >= 0: beyond 50 by Hankel's expansion, DLMF 10.40.1."""
    far, near, high = _near_and_far(x)
    eighth = 1 / (8 * high)
    return jnp.where(far, ln(polynomial(eighth, _HANKEL)) + 0.5 * ln(4 * eighth / pi), ln(i0e(near)))


slopes(log_bessel, lambda value, x: _bessel_slope(x))


def _near_and_far(x: Real):
    far = x > 50
    return far, jnp.where(far, 1.0, x), jnp.where(far, x, 50.0)


@jax.custom_jvp
def _bessel_slope(x: Real) -> Real:
    """The derivative of `log_bessel`, I_1(x) / I_0(x) - 1.

    A rule, as is the next: derivatives of JAX's Bessel functions of what is the same in all rows take XLA twenty
    seconds to compile.
    """
    far, near, high = _near_and_far(x)
    bent, _ = _hankel(high)
    return jnp.where(far, -(0.5 + bent) / high, i1e(near) / i0e(near) - 1)


def _bessel_bend(slope: Real, x: Real) -> Real:
    """The second derivative of `log_bessel`, 1 - r/x - r^2 with r = 1 + slope; 1/2 at 0."""
    far, near, high = _near_and_far(x)
    bent, rest = _hankel(high)
    share = jnp.where(near == 0, 0.5, (1 + slope) / jnp.where(near == 0, 1.0, near))
    return jnp.where(far, (0.5 + 2 * bent + rest) / high / high, -share - slope * (2 + slope))


slopes(_bessel_slope, _bessel_bend)


def _hankel(x: Real):
    """e S'/S and e^2 (S'/S)', of Hankel's series S at e = 1/(8 x)."""
    e = 1 / (8 * x)
    whole = polynomial(e, _HANKEL)
    bent = e * polynomial(e, _HANKEL_SLOPE) / whole
    return bent, e * e * polynomial(e, _HANKEL_BEND) / whole - bent * bent
