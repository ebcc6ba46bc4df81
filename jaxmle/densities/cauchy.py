"""The Cauchy distribution."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.quotient import log_quotient, log_squares, small_angle
from jaxmle.densities._inputs import common, finite, floats, inside, log_above, log_below, spread, symmetric

SUPPORT = "a finite number"


def support(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite?

    >>> bool(support(1.0, 1.0, 1.0))
    True
    """
    return jnp.isfinite(floats(y, loc, scale)[0])


def _log_lower(x: Float[Array, "..."], scale: Float[Array, "..."]) -> Float[Array, "..."]:
    """Log of the distribution function at x from the median, by the angle of which the tangent is at most one."""
    lower = x < 0
    size = jnp.where(lower, -x, x)
    far, angle, share = small_angle(size, scale)
    tail = far & lower
    log_angle = log_quotient(jnp.where(tail, scale * share, 1.0), jnp.where(tail, size, 1.0))
    around = jnp.where(far, -angle, jnp.where(lower, -2 * angle, 2 * angle)) / pi
    rest = jnp.log1p(jnp.where(tail, 0.0, around)) - jnp.where(far, 0.0, log(2))
    return jnp.where(tail, log_angle - log(pi), rest)


def logpdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the Cauchy distribution.

    Formula: `-log(1 + z^2) - log(pi scale)` with `z = (y - loc)/scale`. It has neither mean nor variance.

    Args:
        y: observations, any shape.
        loc: the median, in the units of y.
        scale: half the distance between the quartiles, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity at an infinite y.

    Example:
        >>> round(float(logpdf(1.0, 0.0, 2.0)), 4)
        -2.061

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, equation 16.1.
    """
    y, loc, scale = floats(y, loc, scale)
    value = -log_squares(finite(y, y - loc), scale) - jnp.log(scale) - log(pi)
    return inside(jnp.isfinite(y), y, value)


def logcdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log(1/2 + arctan(z)/pi)`, with the digits of the lower tail.

    >>> round(float(logcdf(1.0, 0.0, 2.0)), 4)
    -0.4345
    """
    y, loc, scale = floats(y, loc, scale)
    return log_below(y, _log_lower(finite(y, y - loc), scale))


def logsf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), the `logcdf` of the mirror image.

    >>> round(float(logsf(1.0, 0.0, 2.0)), 4)
    -1.0429
    """
    y, loc, scale = floats(y, loc, scale)
    return log_above(y, _log_lower(finite(y, loc - y), scale))


def quantile(q: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `loc - scale cot(pi q)`.

    >>> round(float(quantile(0.25, 0.0, 2.0)), 4)
    -2.0
    """
    q, loc, scale = floats(q, loc, scale)
    lower = q < 0.5
    tail = 1 / jnp.tan(pi * jnp.where(lower, q, 1 - q))
    return loc + scale * jnp.where(lower, -tail, tail)


def information(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (loc, scale) of one observation: `diag(1, 1) / (2 scale^2)`.

    >>> information(0.0, 2.0).round(4).tolist()
    [[0.125, 0.0], [0.0, 0.125]]

    Source: Lehmann and Casella (1998), section 2.5.
    """
    _, scale = common(loc, scale)
    return symmetric([[0.5 / scale**2], [0.0 * scale, 0.5 / scale**2]])


def sample(
    key: PRNGKeyArray, loc: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `loc + scale z` with z standard Cauchy.

    >>> sample(jax.random.key(0), 0.0, 2.0, shape=(3,)).shape
    (3,)
    """
    loc, scale = spread(shape, loc, scale)
    return loc + scale * jax.random.cauchy(key, loc.shape, loc.dtype)
