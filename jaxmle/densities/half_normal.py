"""The half normal distribution."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtri
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.normal_tails import log_ndtr
from jaxmle.core.quotient import log_quotient, quotient
from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, symmetric

SUPPORT = "a finite number, zero or positive"


def support(y: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite and not negative?

    >>> bool(support(-1.0, 1.0))
    False
    """
    y = floats(y, scale)[0]
    return (y >= 0) & (y < jnp.inf)


def logpdf(y: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the half normal distribution.

    Formula: `-z^2/2 - log(scale) + log(2/pi)/2` with `z = y/scale`: the absolute value of a normal of mean
    zero.

    Args:
        y: observations, any shape.
        scale: the root mean square, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity at a negative y.

    Example:
        >>> round(float(logpdf(1.0, 2.0)), 4)
        -1.0439

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, section 13.10.
    """
    y, scale = floats(y, scale)
    ok = support(y, scale)
    z = quotient(jnp.where(ok, y, 0.0), scale)
    return inside(ok, y, -0.5 * z * z - jnp.log(scale) + 0.5 * log(2 / pi))


def logcdf(y: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log erf(z/sqrt 2)`; minus infinity for y <= 0.

    >>> round(float(logcdf(1.0, 2.0)), 4)
    -0.9599
    """
    y, scale = floats(y, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    z = quotient(x, scale)
    tiny, low = z < 1e-10, z < 1  # the error function is linear in z, or less than 1
    share = jax.lax.erf(jnp.where(low & ~tiny, z, 1.0) * 0.5**0.5)
    lower = log_quotient(jnp.where(tiny, x * (2 / pi) ** 0.5, share), jnp.where(tiny, scale, 1.0))
    upper = jnp.log1p(-jax.lax.erfc(jnp.where(low, 1.0, z) * 0.5**0.5))
    return log_below(y, jnp.where(low, lower, upper), low=0.0)


def logsf(y: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `log 2 + log Phi(-z)`; 0 for y <= 0.

    >>> round(float(logsf(1.0, 2.0)), 4)
    -0.4828
    """
    y, scale = floats(y, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_above(y, log(2) + log_ndtr(-quotient(x, scale)), low=0.0)


def quantile(q: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `scale sqrt(2) erfinv(q)`.

    >>> round(float(quantile(0.25, 2.0)), 4)
    0.6373
    """
    q, scale = floats(q, scale)
    low = q < 0.5
    upper = -ndtri(0.5 * jnp.where(low, 0.5, 1 - q))
    return scale * jnp.where(low, 2**0.5 * jax.lax.erf_inv(jnp.where(low, q, 0.0)), upper)


def mean(scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `scale sqrt(2/pi)`.

    >>> round(float(mean(2.0)), 4)
    1.5958
    """
    return spread(None, scale)[0] * (2 / pi) ** 0.5


def variance(scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2 (1 - 2/pi)`.

    >>> round(float(variance(2.0)), 4)
    1.4535
    """
    return spread(None, scale)[0] ** 2 * (1 - 2 / pi)


def information(scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in scale of one observation: `2 / scale^2`.

    >>> round(float(information(2.0)[0, 0]), 4)
    0.5

    Source: Lehmann and Casella (1998), section 2.5.
    """
    (scale,) = common(scale)
    return symmetric([[2.0 / scale**2]])


def sample(key: PRNGKeyArray, scale: ArrayLike, shape: tuple[int, ...] | None = None) -> Float[Array, "..."]:
    """Draws, `scale |z|` with z standard normal.

    >>> sample(jax.random.key(0), 2.0, shape=(3,)).shape
    (3,)
    """
    (scale,) = spread(shape, scale)
    return scale * jnp.abs(jax.random.normal(key, scale.shape, scale.dtype))
