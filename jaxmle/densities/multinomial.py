"""The multinomial distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxmle.core.special import log_factorial_excess, poisson_deviance
from jaxmle.densities._inputs import common, floats, is_count

SUPPORT = "counts, whole numbers from 0, that sum to n"
CONCAVE_IN = (1,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, n: ArrayLike, logits: ArrayLike) -> Bool[Array, "..."]:
    """Are the y counts that sum to n?

    >>> import jax
    >>> import jax.numpy as jnp
    >>> bool(support(jnp.array([1, 0, 3]), 4, jnp.zeros(3)))
    True
    """
    y, n, logits = floats(y, n, logits)
    return jnp.all(is_count(y), axis=-1) & (jnp.sum(y, axis=-1) == n)


def logpmf(y: ArrayLike, n: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """Log-probability of the multinomial distribution.

    Formula: `log n! + sum_k (y_k log p_k - log y_k!)` with `p = softmax(logits)`, in Loader's form: the
    deviances of y_k from n p_k and Stirling remainders.

    Args:
        y: counts of each category, whole numbers, of shape `(..., K)`.
        n: their sum, of shape `(...)`; not a parameter to be estimated.
        logits: log-probabilities up to a constant, of shape `(..., K)`; a constant added to all changes
            nothing, so one of them is fixed where they are estimated.

    Returns:
        The log-probability, of shape `(...)`; minus infinity where the y are not counts that sum to n.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> round(float(logpmf(jnp.array([1, 0, 3]), 4, jnp.zeros(3))), 4)
        -3.0082

    Source: Johnson, Kotz and Balakrishnan (1997), Discrete multivariate distributions, equation 35.1; Loader
    (2000).
    """
    y, n, logits = floats(y, n, logits)
    ok = support(y, n, logits)
    counts = jnp.where(ok[..., None], y, 0.0)
    total, log_p = jnp.where(ok, n, 0.0), jax.nn.log_softmax(logits, axis=-1)
    some = jnp.where(counts > 0, counts, 1.0) / jnp.maximum(total, 1.0)[..., None]
    deviance = poisson_deviance(
        *jnp.broadcast_arrays(counts, log_p, total[..., None] * jnp.exp(log_p), log_p - jnp.log(some))
    )
    value = log_factorial_excess(total) - jnp.sum(log_factorial_excess(counts) + deviance, axis=-1)
    return jnp.where(jnp.any(jnp.isnan(y), axis=-1), jnp.nan, jnp.where(ok, value, -jnp.inf))


def mean(n: ArrayLike, logits: ArrayLike) -> Float[Array, "... k"]:
    """The means, `n p`.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> mean(4.0, jnp.zeros(2)).tolist()
    [2.0, 2.0]
    """
    n, logits = common(n, logits)
    return n[..., None] * jax.nn.softmax(logits, axis=-1)


def variance(n: ArrayLike, logits: ArrayLike) -> Float[Array, "... k"]:
    """The variances of each count, `n p (1 - p)`.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> variance(4.0, jnp.zeros(2)).tolist()
    [1.0, 1.0]
    """
    n, logits = common(n, logits)
    p = jax.nn.softmax(logits, axis=-1)
    return n[..., None] * p * (1 - p)


def sample(
    key: PRNGKeyArray, n: ArrayLike, logits: ArrayLike, shape: tuple[int, ...] | None = None
) -> Int[Array, "... k"]:
    """Draws; a shape is that of the draws, without the axis of the categories.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> sample(jax.random.key(0), 4, jnp.zeros(3), shape=(5,)).shape
    (5, 3)
    """
    n, logits = common(n, logits)
    p = jax.nn.softmax(logits, axis=-1)
    shape = jnp.broadcast_shapes(n.shape, p.shape[:-1]) if shape is None else shape
    return jax.random.multinomial(key, n, p, shape=(*shape, p.shape[-1])).astype(int)
