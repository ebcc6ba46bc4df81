"""The negative binomial distribution whose variance is a multiple of its mean."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxmle.densities import negative_binomial
from jaxmle.densities._inputs import floats, spread

SUPPORT = negative_binomial.SUPPORT


def support(y: ArrayLike, log_mean: ArrayLike, dispersion: ArrayLike) -> Bool[Array, "..."]:
    """Is y one of 0, 1, 2, ...?

    >>> bool(support(1.5, 0.0, 1.0))
    False
    """
    return negative_binomial.support(y, log_mean, dispersion)


def _concentration(log_mean, dispersion):
    """That of the same distribution in its other form, m/alpha."""
    return jnp.exp(log_mean) / dispersion


def logpmf(y: ArrayLike, log_mean: ArrayLike, dispersion: ArrayLike) -> Float[Array, "..."]:
    """Log-probability of the negative binomial distribution with variance `(1 + alpha) m`.

    Formula: `log Gamma(y + r) - log Gamma(r) - log y! + y log(alpha/(1 + alpha)) - r log(1 + alpha)` with `r =
    m/alpha`, `m = exp(log_mean)` and `alpha = dispersion`: that of `negative_binomial` with the concentration r.

    Args:
        y: counts, whole numbers, any shape.
        log_mean: the log of the mean, any real number.
        dispersion: alpha, positive; by how much of the mean the variance exceeds it.

    Returns:
        The log-probability, elementwise; minus infinity where y is not a count.

    Example:
        >>> round(float(logpmf(2, 1.0, 0.5)), 4)
        -1.5396

    Source: Cameron and Trivedi (1998), Regression analysis of count data, section 3.3.1, their NB1.
    """
    y, log_mean, dispersion = floats(y, log_mean, dispersion)
    # Where the mean is nearly zero the probability of any count above zero is a multiple of it, to rounding.
    least = -jnp.log(jnp.finfo(log_mean.dtype).max) / 4
    far = log_mean < least
    under, above = jnp.where(far, log_mean - least, 0.0), jnp.where(far, least, log_mean)
    some = negative_binomial.logpmf(y, above, _concentration(above, dispersion)) + under
    return jnp.where((y == 0) & far, -jnp.exp(log_mean) * jnp.log1p(dispersion) / dispersion, some)


def logcdf(y: ArrayLike, log_mean: ArrayLike, dispersion: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log I_p(m/alpha, k + 1)` with `p = 1/(1 + alpha)` and k the whole part of y.

    >>> round(float(logcdf(2, 1.0, 0.5)), 4)
    -0.6449
    """
    y, log_mean, dispersion = floats(y, log_mean, dispersion)
    return negative_binomial.logcdf(y, log_mean, _concentration(log_mean, dispersion))


def logsf(y: ArrayLike, log_mean: ArrayLike, dispersion: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), the complement of `logcdf`; 0 for y < 0.

    >>> round(float(logsf(2, 1.0, 0.5)), 4)
    -0.7439
    """
    y, log_mean, dispersion = floats(y, log_mean, dispersion)
    return negative_binomial.logsf(y, log_mean, _concentration(log_mean, dispersion))


def mean(log_mean: ArrayLike, dispersion: ArrayLike) -> Float[Array, "..."]:
    """The mean, `m = exp(log_mean)`.

    >>> float(mean(0.0, 2.0))
    1.0
    """
    return jnp.exp(spread(None, log_mean, dispersion)[0])


def variance(log_mean: ArrayLike, dispersion: ArrayLike) -> Float[Array, "..."]:
    """The variance, `(1 + alpha) m`.

    >>> float(variance(0.0, 2.0))
    3.0
    """
    log_mean, dispersion = spread(None, log_mean, dispersion)
    return (1 + dispersion) * jnp.exp(log_mean)


def sample(
    key: PRNGKeyArray, log_mean: ArrayLike, dispersion: ArrayLike, shape: tuple[int, ...] | None = None
) -> Int[Array, "..."]:
    """Draws, counts: Poisson with a gamma-distributed rate of shape m/alpha and scale alpha.

    >>> import jax
    >>> sample(jax.random.key(0), 0.0, 2.0, shape=(3,)).shape
    (3,)
    """
    log_mean, dispersion = spread(shape, log_mean, dispersion)
    return negative_binomial.sample(key, log_mean, _concentration(log_mean, dispersion))
