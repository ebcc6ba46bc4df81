"""The Poisson distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxmle.core.elementary import ln
from jaxmle.core.incomplete import log_gammainc, log_gammaincc
from jaxmle.core.special import log_factorial_excess, poisson_deviance
from jaxmle.densities._inputs import common, floats, inside, is_count, spread, symmetric

SUPPORT = "a count: 0, 1, 2, ..."
CONCAVE_IN = (0,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, log_rate: ArrayLike) -> Bool[Array, "..."]:
    """Is y one of 0, 1, 2, ...?

    >>> bool(support(1.5, 0.0))
    False
    """
    return is_count(floats(y, log_rate)[0])


def logpmf(y: ArrayLike, log_rate: ArrayLike) -> Float[Array, "..."]:
    """Log-probability of the Poisson distribution.

    Formula: `y log_rate - exp(log_rate) - log y!`, evaluated in Loader's form: half the deviance of y from
    its mean, and what Stirling's formula leaves of log y!, both negative.

    Args:
        y: counts, whole numbers, any shape.
        log_rate: the log of the mean, any real number.

    Returns:
        The log-probability, elementwise; minus infinity where y is not a count.

    Example:
        >>> round(float(logpmf(2, 1.0)), 4)
        -1.4114

    Source: Johnson, Kemp and Kotz (2005), equation 4.1; Loader (2000), Fast and accurate computation of
    binomial probabilities.
    """
    y, log_rate = floats(y, log_rate)
    ok = support(y, log_rate)
    count = jnp.where(ok, y, 0.0)
    log_ratio = log_rate - ln(jnp.maximum(count, 1.0))
    value = -poisson_deviance(count, log_rate, jnp.exp(log_rate), log_ratio) - log_factorial_excess(count)
    return inside(ok, y, value)


def logcdf(y: ArrayLike, log_rate: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log Q(floor(y) + 1, rate)`; minus infinity for y < 0.

    >>> round(float(logcdf(2, 1.0)), 4)
    -0.7151
    """
    y, log_rate = floats(y, log_rate)
    count = jnp.floor(jnp.where((y >= 0) & (y < jnp.inf), y, 0.0))
    value = inside(y >= 0, y, log_gammaincc(count + 1, jnp.exp(log_rate), log_rate))
    return jnp.where(y == jnp.inf, 0.0, value)


def logsf(y: ArrayLike, log_rate: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `log P(floor(y) + 1, rate)`; 0 for y < 0.

    >>> round(float(logsf(2, 1.0)), 4)
    -0.6717
    """
    y, log_rate = floats(y, log_rate)
    count = jnp.floor(jnp.where((y >= 0) & (y < jnp.inf), y, 0.0))
    value = log_gammainc(count + 1, jnp.exp(log_rate), log_rate)
    return jnp.where(y < 0, 0.0, inside(y < jnp.inf, y, value))


def mean(log_rate: ArrayLike) -> Float[Array, "..."]:
    """The mean, `exp(log_rate)`.

    >>> float(mean(0.0))
    1.0
    """
    return jnp.exp(*common(log_rate))


def variance(log_rate: ArrayLike) -> Float[Array, "..."]:
    """The variance, `exp(log_rate)`.

    >>> float(variance(0.0))
    1.0
    """
    return jnp.exp(*common(log_rate))


def information(log_rate: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in log_rate of one observation: the rate.

    >>> information(0.0).tolist()
    [[1.0]]

    Source: McCullagh and Nelder (1989), section 2.5.
    """
    return symmetric([[variance(log_rate)]])


def sample(key: PRNGKeyArray, log_rate: ArrayLike, shape: tuple[int, ...] | None = None) -> Int[Array, "..."]:
    """Draws, counts.

    >>> sample(jax.random.key(0), 0.0, shape=(3,)).shape
    (3,)
    """
    (log_rate,) = spread(shape, log_rate)
    return jax.random.poisson(key, jnp.exp(log_rate), dtype=int)
