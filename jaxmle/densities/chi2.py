"""The chi-squared distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import polygamma
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.densities import gamma
from jaxmle.densities._inputs import common, floats, spread, symmetric

SUPPORT = "a positive number"


def support(y: ArrayLike, df: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite and positive?

    >>> bool(support(0.0, 1.0))
    False
    """
    y = floats(y, df)[0]
    return (y > 0) & (y < jnp.inf)


def logpdf(y: ArrayLike, df: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the chi-squared distribution.

    Formula: `(df/2 - 1) log y - y/2 - (df/2) log 2 - log Gamma(df/2)`: the gamma's of shape df/2 and scale 2.

    Args:
        y: observations, any shape.
        df: degrees of freedom, positive, not necessarily whole.

    Returns:
        The log-density, elementwise; minus infinity at y <= 0.

    Example:
        >>> round(float(logpdf(1.0, 3.0)), 4)
        -1.4189

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, equation 18.1.
    """
    y, df = floats(y, df)
    return gamma.logpdf(y, 0.5 * df, jnp.full_like(df, 2.0))


def logcdf(y: ArrayLike, df: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log P(df/2, y/2)`; minus infinity for y <= 0.

    >>> round(float(logcdf(1.0, 3.0)), 4)
    -1.6157
    """
    y, df = floats(y, df)
    return gamma.logcdf(y, 0.5 * df, jnp.full_like(df, 2.0))


def logsf(y: ArrayLike, df: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `log Q(df/2, y/2)`; 0 for y <= 0.

    >>> round(float(logsf(1.0, 3.0)), 4)
    -0.2216
    """
    y, df = floats(y, df)
    return gamma.logsf(y, 0.5 * df, jnp.full_like(df, 2.0))


def mean(df: ArrayLike) -> Float[Array, "..."]:
    """The mean, `df`.

    >>> round(float(mean(3.0)), 4)
    3.0
    """
    return spread(None, df)[0]


def variance(df: ArrayLike) -> Float[Array, "..."]:
    """The variance, `2 df`.

    >>> round(float(variance(3.0)), 4)
    6.0
    """
    return 2 * spread(None, df)[0]


def information(df: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in df of one observation: `psi'(df/2)/4`.

    >>> round(float(information(3.0)[0, 0]), 4)
    0.2337

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, section 18.4.
    """
    (df,) = common(df)
    return symmetric([[0.25 * polygamma(1, 0.5 * df)]])


def sample(key: PRNGKeyArray, df: ArrayLike, shape: tuple[int, ...] | None = None) -> Float[Array, "..."]:
    """Draws, `2 g` with g gamma of shape df/2.

    >>> sample(jax.random.key(0), 3.0, shape=(3,)).shape
    (3,)
    """
    (df,) = spread(shape, df)
    return 2 * jax.random.gamma(key, 0.5 * df, df.shape, df.dtype)
