"""The normal distribution between two bounds."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtri
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.gaussian import distance, log_normal_between
from jaxmle.densities._inputs import floats, inside, spread

SUPPORT = "a finite number between lower and upper"
Real = Float[Array, "..."]


def support(y: ArrayLike, loc: ArrayLike, scale: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite, and between the bounds, both included?

    >>> bool(support(4.0, 0.0, 2.0, 0.5, 3.0))
    False
    """
    y, _, _, lower, upper = floats(y, loc, scale, lower, upper)
    return jnp.isfinite(y) & (y >= lower) & (y <= upper)


def logpdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> Real:
    """Log-density of the normal distribution between two bounds.

    Formula: `-z^2/2 - log(scale) - log(2 pi)/2 - log(Phi(v) - Phi(u))` with z, u and v the distances of y and the
    bounds from loc in units of scale. Where the bounds are close, or both on one side of loc, a square that the first
    and the last term share is taken out of both.

    Args:
        y: observations, any shape.
        loc: the mean without the bounds, in the units of y.
        scale: the standard deviation without the bounds, positive, in the units of y.
        lower: the lower bound, in the units of y, or minus infinity; a known number. scipy's a is u.
        upper: the upper bound, in the units of y, or infinity; a known number. scipy's b is v.

    Returns:
        The log-density, elementwise; minus infinity outside the bounds.

    Example:
        >>> round(float(logpdf(1.0, 0.0, 2.0, 0.5, 3.0)), 4)
        -0.6419

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, equation 13.133.
    """
    y, loc, scale, lower, upper = floats(y, loc, scale, lower, upper)
    ok = support(y, loc, scale, lower, upper)
    x = jnp.where(ok, y, jnp.clip(loc, lower, upper))
    return inside(ok, y, _log_density(x, loc, scale, lower, upper))


def _log_density(y: Real, loc: Real, scale: Real, lower: Real, upper: Real) -> Real:
    """Between the bounds: `-z^2/2` and the square of the centre, a difference of squares, as a product."""
    centre, rest = log_normal_between(loc, scale, lower, upper)
    squares = ((y - centre) / scale) * (((y - loc) + (centre - loc)) / scale)
    return -0.5 * squares - jnp.log(scale) - 0.5 * log(2 * pi) - rest


def _log_between(loc: Real, scale: Real, lower: Real, upper: Real) -> Real:
    centre, rest = log_normal_between(loc, scale, lower, upper)
    return rest - 0.5 * ((centre - loc) / scale) ** 2


def logcdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> Real:
    """Log of P(Y <= y), the part of the normal probability that is below y; minus infinity for y <= lower.

    >>> round(float(logcdf(1.0, 0.0, 2.0, 0.5, 3.0)), 4)
    -1.2826
    """
    y, loc, scale, lower, upper = floats(y, loc, scale, lower, upper)
    some = (y > lower) & (y < upper)
    x = jnp.where(some, y, upper)
    value = _log_between(loc, scale, lower, x) - _log_between(loc, scale, lower, upper)
    return jnp.where(y >= upper, 0.0, inside(y > lower, y, value))


def logsf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> Real:
    """Log of P(Y > y), the part of the normal probability that is above y; 0 for y <= lower.

    >>> round(float(logsf(1.0, 0.0, 2.0, 0.5, 3.0)), 4)
    -0.3248
    """
    y, loc, scale, lower, upper = floats(y, loc, scale, lower, upper)
    some = (y > lower) & (y < upper)
    x = jnp.where(some, y, lower)
    value = _log_between(loc, scale, x, upper) - _log_between(loc, scale, lower, upper)
    return jnp.where(y <= lower, 0.0, inside(y < upper, y, value))


def _slopes(loc: Real, scale: Real, lower: Real, upper: Real) -> tuple[Real, Real, Real]:
    """A fixed point between the bounds, and the first and second derivatives in loc of the log-density there."""
    at = jax.lax.stop_gradient(jnp.clip(loc, lower, upper))

    def first(loc):
        return jax.jvp(lambda loc: _log_density(at, loc, scale, lower, upper), (loc,), (jnp.ones_like(loc),))[1]

    return at, *jax.jvp(first, (loc,), (jnp.ones_like(loc),))


def mean(loc: ArrayLike, scale: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> Real:
    """The mean, `y - scale^2 d log f(y)/d loc`, the same for every y.

    >>> round(float(mean(0.0, 2.0, 0.5, 3.0)), 4)
    1.5376
    """
    loc, scale, lower, upper = spread(None, loc, scale, lower, upper)
    at, slope, _ = _slopes(loc, scale, lower, upper)
    return at - scale**2 * slope


def variance(loc: ArrayLike, scale: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> Real:
    """The variance, `-scale^4 d^2 log f/d loc^2`.

    >>> round(float(variance(0.0, 2.0, 0.5, 3.0)), 4)
    0.4686
    """
    loc, scale, lower, upper = spread(None, loc, scale, lower, upper)
    *_, bend = _slopes(loc, scale, lower, upper)
    return -(scale**4) * bend


def sample(
    key: PRNGKeyArray,
    loc: ArrayLike,
    scale: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    shape: tuple[int, ...] | None = None,
) -> Real:
    """Draws, by the inverse of the tail; where that underflows, 36 standard deviations from loc, Rayleigh.

    The two densities differ by the square of the distance, relatively: by a thousandth. In float32 it is 11 standard
    deviations, and a hundredth.

    >>> sample(jax.random.key(0), 0.0, 2.0, 0.5, 3.0, shape=(3,)).shape
    (3,)
    """
    loc, scale, lower, upper = spread(shape, loc, scale, lower, upper)
    below, above = distance(lower, loc, scale), distance(upper, loc, scale)
    mirrored = below + above < 0
    start, end = jnp.where(mirrored, -above, below), jnp.where(mirrored, -below, above)
    u = jax.random.uniform(key, loc.shape, loc.dtype)
    ndtr = jax.scipy.special.ndtr
    far = ndtr(-start) * jnp.finfo(u.dtype).eps < jnp.finfo(u.dtype).tiny
    z = -ndtri(ndtr(-start) - u * (ndtr(-start) - ndtr(-end)))
    beyond = start * jnp.sqrt(1 - 2 * jnp.log1p(u * jnp.expm1(-0.5 * (end - start) * (end + start))) / start**2)
    z = jnp.clip(jnp.where(far, beyond, z), start, end)
    return jnp.clip(loc + scale * jnp.where(mirrored, -z, z), lower, upper)
