"""The Bernoulli distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxmle.core.special import sigmoid, softplus
from jaxmle.densities._inputs import common, floats, inside, spread, symmetric

SUPPORT = "0 or 1"
CONCAVE_IN = (0,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, logits: ArrayLike) -> Bool[Array, "..."]:
    """Is y 0 or 1?

    >>> bool(support(2, 0.0))
    False
    """
    y, _ = floats(y, logits)
    return (y == 0) | (y == 1)


def logpmf(y: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """Log-probability of the Bernoulli distribution.

    Formula: `y logits - log(1 + exp(logits))`, evaluated as `-softplus(-logits)` for y = 1 and
    `-softplus(logits)` for y = 0, so that the log of a probability near 1 keeps its digits.

    Args:
        y: observations, 0 or 1, any shape.
        logits: the log-odds of a 1, any real number.

    Returns:
        The log-probability, elementwise; minus infinity where y is neither 0 nor 1.

    Example:
        >>> round(float(logpmf(1, 2.0)), 4)
        -0.1269

    Source: Cox (1958), The regression analysis of binary sequences, section 2.
    """
    y, logits = floats(y, logits)
    return inside(support(y, logits), y, -softplus(jnp.where(y == 1, -logits, logits)))


def logcdf(y: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y): `-softplus(logits)` for 0 <= y < 1, and 0 from 1 on.

    >>> round(float(logcdf(0, 2.0)), 4)
    -2.1269
    """
    y, logits = floats(y, logits)
    return inside(y >= 0, y, jnp.where(y < 1, -softplus(logits), 0.0))


def logsf(y: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y): `-softplus(-logits)` for 0 <= y < 1, 0 below, minus infinity above.

    >>> round(float(logsf(0, 2.0)), 4)
    -0.1269
    """
    y, logits = floats(y, logits)
    return inside(y < 1, y, jnp.where(y < 0, 0.0, -softplus(-logits)))


def quantile(q: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """The smallest y with P(Y <= y) >= q: 0 where `q <= P(Y = 0)`, and 1 beyond; NaN unless 0 <= q <= 1.

    >>> float(quantile(0.5, 2.0))
    1.0
    """
    q, logits = floats(q, logits)
    return jnp.where((q >= 0) & (q <= 1), jnp.where(q <= sigmoid(-logits), 0.0, 1.0), jnp.nan).astype(q.dtype)


def probability(logits: ArrayLike) -> Float[Array, "..."]:
    """The probability of a 1, `1/(1 + exp(-logits))`.

    >>> float(probability(0.0))
    0.5
    """
    return sigmoid(*common(logits))


def mean(logits: ArrayLike) -> Float[Array, "..."]:
    """The mean, `p = 1/(1 + exp(-logits))`.

    >>> float(mean(0.0))
    0.5
    """
    return sigmoid(*common(logits))


def variance(logits: ArrayLike) -> Float[Array, "..."]:
    """The variance, `p (1 - p)`.

    >>> float(variance(0.0))
    0.25
    """
    (logits,) = common(logits)
    return sigmoid(logits) * sigmoid(-logits)


def information(logits: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in logits of one observation: the variance, `p (1 - p)`.

    >>> information(0.0).tolist()
    [[0.25]]

    Source: McCullagh and Nelder (1989), section 2.5.
    """
    return symmetric([[variance(logits)]])


def sample(key: PRNGKeyArray, logits: ArrayLike, shape: tuple[int, ...] | None = None) -> Int[Array, "..."]:
    """Draws, 0 or 1.

    >>> sample(jax.random.key(0), 0.0, shape=(3,)).shape
    (3,)
    """
    (logits,) = spread(shape, logits)
    return jax.random.bernoulli(key, sigmoid(logits)).astype(int)
