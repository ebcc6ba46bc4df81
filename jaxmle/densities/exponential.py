"""The exponential distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.quotient import log1mexp_quotient, quotient
from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, symmetric

SUPPORT = "a finite number, zero or positive"


def support(y: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite and not negative?

    >>> bool(support(-1.0, 2.0))
    False
    """
    y, _ = floats(y, scale)
    return (y >= 0) & (y < jnp.inf)


def logpdf(y: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the exponential distribution.

    Formula: `-y/scale - log(scale)`.

    Args:
        y: observations, any shape.
        scale: the mean, positive, in the units of y; the rate is 1/scale.

    Returns:
        The log-density, elementwise; minus infinity at a negative y.

    Example:
        >>> round(float(logpdf(1.0, 2.0)), 4)
        -1.1931

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, equation 19.1.
    """
    y, scale = floats(y, scale)
    ok = support(y, scale)
    return inside(ok, y, -quotient(jnp.where(ok, y, 0.0), scale) - jnp.log(scale))


def logcdf(y: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log(1 - exp(-y/scale))`; minus infinity for y <= 0.

    >>> round(float(logcdf(1.0, 2.0)), 4)
    -0.9328
    """
    y, scale = floats(y, scale)
    return log_below(y, log1mexp_quotient(jnp.where((y > 0) & (y < jnp.inf), y, 1.0), scale), low=0.0)


def logsf(y: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `-y/scale`; 0 for y <= 0.

    >>> float(logsf(1.0, 2.0))
    -0.5
    """
    y, scale = floats(y, scale)
    return log_above(y, -quotient(jnp.where((y > 0) & (y < jnp.inf), y, 0.0), scale), low=0.0)


def quantile(q: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `-scale log(1 - q)`.

    >>> round(float(quantile(0.5, 2.0)), 4)
    1.3863
    """
    q, scale = floats(q, scale)
    return -scale * jnp.log1p(-q)


def mean(scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `scale`.

    >>> float(mean(2.0))
    2.0
    """
    return spread(None, scale)[0]


def variance(scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2`.

    >>> float(variance(2.0))
    4.0
    """
    return spread(None, scale)[0] ** 2


def information(scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in scale of one observation: `1 / scale^2`.

    >>> information(2.0).tolist()
    [[0.25]]

    Source: Lehmann and Casella (1998), section 2.5.
    """
    (scale,) = common(scale)
    return symmetric([[1.0 / scale**2]])


def sample(key: PRNGKeyArray, scale: ArrayLike, shape: tuple[int, ...] | None = None) -> Float[Array, "..."]:
    """Draws, `scale e` with e standard exponential.

    >>> sample(jax.random.key(0), 2.0, shape=(3,)).shape
    (3,)
    """
    (scale,) = spread(shape, scale)
    return scale * jax.random.exponential(key, scale.shape, scale.dtype)
