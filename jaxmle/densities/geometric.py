"""The geometric distribution, of trials."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxmle.core.special import log1mexp_product, sigmoid, softplus
from jaxmle.densities._inputs import common, floats, inside, is_count, log_above, spread, symmetric

SUPPORT = "a count: 1, 2, 3, ..."
CONCAVE_IN = (0,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, logits: ArrayLike) -> Bool[Array, "..."]:
    """Is y one of 1, 2, 3, ...?

    >>> bool(support(0, 0.5))
    False
    """
    y = floats(y, logits)[0]
    return is_count(y) & (y >= 1)


def logpmf(y: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """Log-probability of the geometric distribution: y is the trial of the first success, as in scipy.

    Formula: `(y - 1) log(1 - p) + log p` with `p = 1/(1 + exp(-logits))`.

    Args:
        y: counts, whole numbers from 1, any shape.
        logits: the log-odds of a success, any real number.

    Returns:
        The log-probability, elementwise; minus infinity where y is not one of 1, 2, 3, ...

    Example:
        >>> round(float(logpmf(3, 0.5)), 4)
        -2.4222

    Source: Johnson, Kemp and Kotz (2005), equation 5.8.
    """
    y, logits = floats(y, logits)
    ok = support(y, logits)
    return inside(ok, y, -(jnp.where(ok, y, 1.0) - 1) * softplus(logits) - softplus(-logits))


def logcdf(y: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log(1 - (1 - p)^floor(y))`; minus infinity for y < 1.

    >>> round(float(logcdf(3, 0.5)), 4)
    -0.0553
    """
    y, logits = floats(y, logits)
    count = jnp.floor(jnp.where((y >= 1) & (y < jnp.inf), y, 1.0))
    return inside(y >= 1, y, jnp.where(y == jnp.inf, 0.0, log1mexp_product(count, softplus(logits), logits)))


def logsf(y: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `floor(y) log(1 - p)`; 0 for y < 1.

    >>> round(float(logsf(3, 0.5)), 4)
    -2.9222
    """
    y, logits = floats(y, logits)
    count = jnp.floor(jnp.where((y >= 0) & (y < jnp.inf), y, 0.0))
    return log_above(y, -count * softplus(logits), low=0.0)


def quantile(q: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """The smallest y with P(Y <= y) >= q, `ceil(log(1 - q)/log(1 - p))`.

    >>> round(float(quantile(0.25, 0.5)), 4)
    1.0
    """
    q, logits = floats(q, logits)
    return jnp.maximum(jnp.ceil(-jnp.log1p(-q) / softplus(logits)), 1.0)


def probability(logits: ArrayLike) -> Float[Array, "..."]:
    """The probability of a success in one trial, `p = 1/(1 + exp(-logits))`.

    >>> round(float(probability(0.5)), 4)
    0.6225
    """
    return sigmoid(*common(logits))


def mean(logits: ArrayLike) -> Float[Array, "..."]:
    """The mean, `1/p`.

    >>> round(float(mean(0.5)), 4)
    1.6065
    """
    return 1 + jnp.exp(-spread(None, logits)[0])


def variance(logits: ArrayLike) -> Float[Array, "..."]:
    """The variance, `(1 - p)/p^2`.

    >>> round(float(variance(0.5)), 4)
    0.9744
    """
    odds = jnp.exp(-spread(None, logits)[0])
    return odds * (1 + odds)


def information(logits: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in logits of one observation: `1 - p`.

    >>> round(float(information(0.5)[0, 0]), 4)
    0.3775

    Source: Johnson, Kemp and Kotz (2005), section 5.2.
    """
    (logits,) = common(logits)
    return symmetric([[sigmoid(-logits)]])


def sample(key: PRNGKeyArray, logits: ArrayLike, shape: tuple[int, ...] | None = None) -> Int[Array, "..."]:
    """Draws, `1 + floor(-e/log(1 - p))` with e standard exponential.

    >>> sample(jax.random.key(0), 0.5, shape=(3,)).shape
    (3,)
    """
    (logits,) = spread(shape, logits)
    wait = jax.random.exponential(key, logits.shape, logits.dtype) / softplus(logits)
    return jnp.floor(wait).astype(int) + 1
