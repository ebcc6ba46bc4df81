"""The lognormal distribution."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtri
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.elementary import ln
from jaxmle.core.normal_tails import log_ndtr
from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, symmetric

SUPPORT = "a positive number"
CONCAVE_IN = (0,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, log_scale: ArrayLike, s: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite and positive?

    >>> bool(support(0.0, 1.0, 1.0))
    False
    """
    y = floats(y, log_scale, s)[0]
    return (y > 0) & (y < jnp.inf)


def logpdf(y: ArrayLike, log_scale: ArrayLike, s: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the lognormal distribution.

    Formula: `-z^2/2 - log(s y) - log(2 pi)/2` with `z = (log y - log_scale)/s`: log y is normal.

    Args:
        y: observations, any shape.
        log_scale: the mean of log y, any real number; the log of scipy's scale, which is the median.
        s: the standard deviation of log y, positive.

    Returns:
        The log-density, elementwise; minus infinity at y <= 0.

    Example:
        >>> round(float(logpdf(2.0, 0.0, 1.5)), 4)
        -2.1243

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, equation 14.2.
    """
    y, log_scale, s = floats(y, log_scale, s)
    ok = support(y, log_scale, s)
    x = jnp.where(ok, y, 1.0)
    log_x = ln(x)
    z = (log_x - log_scale) / s
    return inside(ok, y, -0.5 * z * z - jnp.log(s) - log_x - 0.5 * log(2 * pi))


def logcdf(y: ArrayLike, log_scale: ArrayLike, s: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log Phi(z)`; minus infinity for y <= 0.

    >>> round(float(logcdf(2.0, 0.0, 1.5)), 4)
    -0.3886
    """
    y, log_scale, s = floats(y, log_scale, s)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_below(y, log_ndtr((jnp.log(x) - log_scale) / s), low=0.0)


def logsf(y: ArrayLike, log_scale: ArrayLike, s: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `log Phi(-z)`; 0 for y <= 0.

    >>> round(float(logsf(2.0, 0.0, 1.5)), 4)
    -1.1332
    """
    y, log_scale, s = floats(y, log_scale, s)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_above(y, log_ndtr((log_scale - jnp.log(x)) / s), low=0.0)


def quantile(q: ArrayLike, log_scale: ArrayLike, s: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `exp(log_scale + s Phi^-1(q))`.

    >>> round(float(quantile(0.25, 0.0, 1.5)), 4)
    0.3636
    """
    q, log_scale, s = floats(q, log_scale, s)
    return jnp.exp(log_scale + s * ndtri(q))


def mean(log_scale: ArrayLike, s: ArrayLike) -> Float[Array, "..."]:
    """The mean, `exp(log_scale + s^2/2)`.

    >>> round(float(mean(0.0, 1.5)), 4)
    3.0802
    """
    log_scale, s = spread(None, log_scale, s)
    return jnp.exp(log_scale + 0.5 * s * s)


def variance(log_scale: ArrayLike, s: ArrayLike) -> Float[Array, "..."]:
    """The variance, `mean^2 (exp(s^2) - 1)`.

    >>> round(float(variance(0.0, 1.5)), 4)
    80.5294
    """
    log_scale, s = spread(None, log_scale, s)
    return jnp.exp(2 * log_scale + s * s) * jnp.expm1(s * s)


def information(log_scale: ArrayLike, s: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (log_scale, s) of one observation: `diag(1, 2) / s^2`.

    >>> round(float(information(0.0, 1.5)[0, 0]), 4)
    0.4444

    Source: Lehmann and Casella (1998), section 2.5.
    """
    log_scale, s = common(log_scale, s)
    return symmetric([[1.0 / s**2], [0.0 * s, 2.0 / s**2]])


def sample(
    key: PRNGKeyArray, log_scale: ArrayLike, s: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `exp(log_scale + s z)` with z standard normal.

    >>> sample(jax.random.key(0), 0.0, 1.5, shape=(3,)).shape
    (3,)
    """
    log_scale, s = spread(shape, log_scale, s)
    return jnp.exp(log_scale + s * jax.random.normal(key, s.shape, s.dtype))
