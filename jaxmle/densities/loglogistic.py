"""The log-logistic distribution."""

from math import pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.elementary import known_ln
from jaxmle.core.quotient import log_quotient
from jaxmle.core.special import softplus, softplus_both
from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, symmetric

SUPPORT = "a positive number"


def support(y: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite and positive?

    >>> bool(support(0.0, 1.0, 1.0))
    False
    """
    y = floats(y, c, scale)[0]
    return (y > 0) & (y < jnp.inf)


def logpdf(y: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the log-logistic distribution, scipy's `fisk`.

    Formula: `log c - log y - softplus(u) - softplus(-u)` with `u = c log(y/scale)`: log y is logistic.

    Args:
        y: observations, any shape.
        c: the shape, positive; moments exist below it.
        scale: the median, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity at y <= 0.

    Example:
        >>> round(float(logpdf(1.0, 2.5, 2.0)), 4)
        -1.1421

    Source: Johnson, Kotz and Balakrishnan (1995), volume 2, equation 23.88.
    """
    y, c, scale = floats(y, c, scale)
    ok = support(y, c, scale)
    x = jnp.where(ok, y, 1.0)
    log_ratio = log_quotient(x, scale)
    return inside(ok, y, jnp.log(c) - known_ln(x, jnp.log(scale) + log_ratio) - softplus_both(c * log_ratio))


def logcdf(y: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `-log(1 + (y/scale)^-c)`; minus infinity for y <= 0.

    >>> round(float(logcdf(1.0, 2.5, 2.0)), 4)
    -1.8956
    """
    y, c, scale = floats(y, c, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_below(y, -softplus(-c * log_quotient(x, scale)), low=0.0)


def logsf(y: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `-log(1 + (y/scale)^c)`; 0 for y <= 0.

    >>> round(float(logsf(1.0, 2.5, 2.0)), 4)
    -0.1628
    """
    y, c, scale = floats(y, c, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_above(y, -softplus(c * log_quotient(x, scale)), low=0.0)


def quantile(q: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `scale (q/(1 - q))^(1/c)`.

    >>> round(float(quantile(0.25, 2.5, 2.0)), 4)
    1.2888
    """
    q, c, scale = floats(q, c, scale)
    return scale * jnp.exp((jnp.log(q) - jnp.log1p(-q)) / c)


def mean(c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `scale t/sin t` with `t = pi/c`; infinite where c <= 1.

    >>> round(float(mean(2.5, 2.0)), 4)
    2.6426
    """
    c, scale = spread(None, c, scale)
    t = pi / jnp.where(c > 1, c, 2.0)
    return jnp.where(c > 1, scale * t / jnp.sin(t), jnp.inf)


def variance(c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2 (2 t/sin(2 t) - (t/sin t)^2)` with `t = pi/c`; infinite where c <= 2.

    >>> round(float(variance(2.5, 2.0)), 4)
    10.1199
    """
    c, scale = spread(None, c, scale)
    t = pi / jnp.where(c > 2, c, 3.0)
    ratio = t / jnp.sin(t)
    return jnp.where(c > 2, scale**2 * ratio * (1 / jnp.cos(t) - ratio), jnp.inf)


def information(c: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (c, scale) of one observation: `diag((3 + pi^2)/(9 c^2), c^2/(3 scale^2))`.

    >>> round(float(information(2.5, 2.0)[0, 0]), 4)
    0.2288

    Source: Lehmann and Casella (1998), section 2.5, on the log scale.
    """
    c, scale = common(c, scale)
    zero = 0.0 * c * scale
    return symmetric([[(3 + pi**2) / (9 * c**2) + zero], [zero, (c / scale) ** 2 / 3]])


def sample(
    key: PRNGKeyArray, c: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `scale exp(z/c)` with z standard logistic.

    >>> sample(jax.random.key(0), 2.5, 2.0, shape=(3,)).shape
    (3,)
    """
    c, scale = spread(shape, c, scale)
    return scale * jnp.exp(jax.random.logistic(key, c.shape, c.dtype) / c)
