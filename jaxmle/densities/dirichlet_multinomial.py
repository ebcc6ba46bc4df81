"""The Dirichlet-multinomial distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxmle.core.urn import urn, urn_total
from jaxmle.densities._inputs import common, floats, is_count

SUPPORT = "counts, whole numbers from 0, that sum to n"


def support(y: ArrayLike, alpha: ArrayLike, n: ArrayLike) -> Bool[Array, "..."]:
    """Are the y counts that sum to n?

    >>> import jax
    >>> import jax.numpy as jnp
    >>> bool(support(jnp.array([1, 0, 3]), jnp.ones(3), 4))
    True
    """
    y, _, n = floats(y, alpha, n)
    return jnp.all(is_count(y), axis=-1) & (jnp.sum(y, axis=-1) == n)


def logpmf(y: ArrayLike, alpha: ArrayLike, n: ArrayLike) -> Float[Array, "..."]:
    """Log-probability of the Dirichlet-multinomial distribution: multinomial with Dirichlet probabilities.

    Formula: `log n! Gamma(A)/Gamma(n + A) + sum_k log Gamma(y_k + alpha_k)/(Gamma(alpha_k) y_k!)` with A the
    sum of alpha, evaluated as deviances of a table from independence; see `jaxmle.core.urn`.

    Args:
        y: counts of each category, whole numbers, of shape `(..., K)`.
        alpha: the parameters, positive, of shape `(..., K)`.
        n: the sum of y, of shape `(...)`; not a parameter to be estimated.

    Returns:
        The log-probability, of shape `(...)`; minus infinity where the y are not counts that sum to n.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> round(float(logpmf(jnp.array([1, 0, 3]), jnp.ones(3), 4)), 4)
        -2.7081

    Source: Mosimann (1962), On the compound multinomial distribution, section 3.
    """
    y, alpha, n = floats(y, alpha, n)
    ok = support(y, alpha, n)
    counts, trials = jnp.where(ok[..., None], y, 0.0), jnp.where(ok, n, 0.0)
    total = jnp.sum(alpha, axis=-1)
    value = urn_total(trials, total) + jnp.sum(urn(counts, alpha, trials[..., None], total[..., None]), axis=-1)
    return jnp.where(jnp.any(jnp.isnan(y), axis=-1), jnp.nan, jnp.where(ok, value, -jnp.inf))


def mean(alpha: ArrayLike, n: ArrayLike) -> Float[Array, "... k"]:
    """The means, `n alpha/A`.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> mean(jnp.array([1.0, 3.0]), 4.0).tolist()
    [1.0, 3.0]
    """
    alpha, n = common(alpha, n)
    return n[..., None] * (alpha / jnp.sum(alpha, axis=-1, keepdims=True))


def variance(alpha: ArrayLike, n: ArrayLike) -> Float[Array, "... k"]:
    """The variances of each count, `n p (1 - p) (n + A)/(1 + A)` with `p = alpha/A`.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> variance(jnp.array([1.0, 3.0]), 4.0).tolist()
    [1.2000000000000002, 1.2000000000000002]
    """
    alpha, n = common(alpha, n)
    total = jnp.sum(alpha, axis=-1, keepdims=True)
    p, n = alpha / total, n[..., None]
    return n * p * (1 - p) * ((n + total) / (1 + total))


def sample(
    key: PRNGKeyArray, alpha: ArrayLike, n: ArrayLike, shape: tuple[int, ...] | None = None
) -> Int[Array, "... k"]:
    """Draws; a shape is that of the draws, without the axis of the categories.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> sample(jax.random.key(0), jnp.ones(3), 4, shape=(5,)).shape
    (5, 3)
    """
    alpha, n = common(alpha, n)
    first, second = jax.random.split(key)
    shape = jnp.broadcast_shapes(n.shape, alpha.shape[:-1]) if shape is None else shape
    p = jax.random.dirichlet(first, alpha, shape, alpha.dtype)
    return jax.random.multinomial(second, n, p, shape=p.shape).astype(int)
