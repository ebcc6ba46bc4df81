"""The Laplace distribution."""

from math import log

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, standard, symmetric

SUPPORT = "a finite number"
CORNERS = True  # the gradient jumps at the location, and there is no curvature in it anywhere else


def support(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite?

    >>> bool(support(1.0, 0.0, 1.0))
    True
    """
    return jnp.isfinite(floats(y, loc, scale)[0])


def logpdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the Laplace distribution.

    Formula: `-|y - loc|/scale - log(2 scale)`. At y = loc the derivative in loc is the middle of its two
    sides, 0.

    Args:
        y: observations, any shape.
        loc: the median, in the units of y.
        scale: the mean absolute deviation, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity at an infinite y.

    Example:
        >>> round(float(logpdf(1.0, 0.0, 2.0)), 4)
        -1.8863

    Source: Johnson, Kotz and Balakrishnan (1995), volume 2, equation 24.1.
    """
    y, loc, scale = floats(y, loc, scale)
    u = standard(y, loc, scale)
    value = -u * jnp.sign(u) - jnp.log(scale) - log(2)  # not abs, whose derivative at zero JAX takes to be one
    return inside(jnp.isfinite(y), y, value)


def _log_lower(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """Log of the standard distribution function: `exp(z)/2` below 0, `1 - exp(-z)/2` above."""
    below = z < 0
    return jnp.where(below, z - log(2), jnp.log1p(-0.5 * jnp.exp(-jnp.where(below, 0.0, z))))


def logcdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `z - log 2` where `z = (y - loc)/scale` is negative, `log(1 - exp(-z)/2)` above.

    >>> round(float(logcdf(-10.0, 0.0, 1.0)), 4)
    -10.6931
    """
    y, loc, scale = floats(y, loc, scale)
    return log_below(y, _log_lower(standard(y, loc, scale)))


def logsf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), the `logcdf` of the mirror image.

    >>> round(float(logsf(10.0, 0.0, 1.0)), 4)
    -10.6931
    """
    y, loc, scale = floats(y, loc, scale)
    return log_above(y, _log_lower(-standard(y, loc, scale)))


def quantile(q: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `loc + scale log(2 q)` below the median, `loc - scale log(2 - 2 q)` above.

    >>> round(float(quantile(0.25, 0.0, 1.0)), 4)
    -0.6931
    """
    q, loc, scale = floats(q, loc, scale)
    below = q < 0.5
    tail = jnp.log(2 * jnp.where(below, q, 1 - q))
    return loc + scale * jnp.where(below, tail, -tail)


def mean(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `loc`.

    >>> float(mean(1.0, 2.0))
    1.0
    """
    return spread(None, loc, scale)[0]


def variance(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `2 scale^2`.

    >>> float(variance(1.0, 2.0))
    8.0
    """
    return 2 * spread(None, loc, scale)[1] ** 2


def information(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (loc, scale) of one observation: `diag(1, 1) / scale^2`.

    The variance of the score, since the density has a corner at loc.

    >>> information(0.0, 2.0).tolist()
    [[0.25, 0.0], [0.0, 0.25]]

    Source: Kotz, Kozubowski and Podgorski (2001), section 2.6.
    """
    _, scale = common(loc, scale)
    return symmetric([[1.0 / scale**2], [0.0 * scale, 1.0 / scale**2]])


def sample(
    key: PRNGKeyArray, loc: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `loc + scale z` with z standard Laplace.

    >>> sample(jax.random.key(0), 0.0, 1.0, shape=(3,)).shape
    (3,)
    """
    loc, scale = spread(shape, loc, scale)
    return loc + scale * jax.random.laplace(key, loc.shape, loc.dtype)
