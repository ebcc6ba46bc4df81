"""The logistic distribution."""

from math import pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.special import softplus, softplus_both
from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, standard, symmetric

SUPPORT = "a finite number"
CONCAVE_IN = (0,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite?

    >>> bool(support(1.0, 1.0, 1.0))
    True
    """
    return jnp.isfinite(floats(y, loc, scale)[0])


def logpdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the logistic distribution.

    Formula: `-z - 2 log(1 + exp(-z)) - log(scale)` with `z = (y - loc)/scale`, evaluated as `-softplus(z) -
    softplus(-z) - log(scale)`.

    Args:
        y: observations, any shape.
        loc: the mean, in the units of y.
        scale: the scale, positive, in the units of y; the standard deviation is `pi/sqrt(3)` of it.

    Returns:
        The log-density, elementwise; minus infinity at an infinite y.

    Example:
        >>> round(float(logpdf(1.0, 0.0, 2.0)), 4)
        -2.1413

    Source: Johnson, Kotz and Balakrishnan (1995), volume 2, equation 23.7.
    """
    y, loc, scale = floats(y, loc, scale)
    z = standard(y, loc, scale)
    return inside(jnp.isfinite(y), y, -softplus_both(z) - jnp.log(scale))


def logcdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `-log(1 + exp(-z))`.

    >>> round(float(logcdf(1.0, 0.0, 2.0)), 4)
    -0.4741
    """
    y, loc, scale = floats(y, loc, scale)
    return log_below(y, -softplus(-standard(y, loc, scale)))


def logsf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `-log(1 + exp(z))`.

    >>> round(float(logsf(1.0, 0.0, 2.0)), 4)
    -0.9741
    """
    y, loc, scale = floats(y, loc, scale)
    return log_above(y, -softplus(standard(y, loc, scale)))


def quantile(q: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `loc + scale log(q/(1 - q))`.

    >>> round(float(quantile(0.25, 0.0, 2.0)), 4)
    -2.1972
    """
    q, loc, scale = floats(q, loc, scale)
    return loc + scale * (jnp.log(q) - jnp.log1p(-q))


def mean(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `loc`.

    >>> round(float(mean(0.0, 2.0)), 4)
    0.0
    """
    return spread(None, loc, scale)[0]


def variance(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `pi^2 scale^2/3`.

    >>> round(float(variance(0.0, 2.0)), 4)
    13.1595
    """
    return pi**2 / 3 * spread(None, loc, scale)[1] ** 2


def information(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (loc, scale) of one observation: `diag(1/3, (3 + pi^2)/9) / scale^2`.

    >>> information(0.0, 2.0).round(4).tolist()
    [[0.0833, 0.0], [0.0, 0.35750000000000004]]

    Source: Lehmann and Casella (1998), section 2.5.
    """
    _, scale = common(loc, scale)
    return symmetric([[1 / (3 * scale**2)], [0.0 * scale, (3 + pi**2) / (9 * scale**2)]])


def sample(
    key: PRNGKeyArray, loc: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `loc + scale z` with z standard logistic.

    >>> sample(jax.random.key(0), 0.0, 2.0, shape=(3,)).shape
    (3,)
    """
    loc, scale = spread(shape, loc, scale)
    return loc + scale * jax.random.logistic(key, loc.shape, loc.dtype)
