"""The categorical distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxmle.core.special import softplus
from jaxmle.densities._inputs import common, floats, inside, is_count

SUPPORT = "a label: 0, 1, ..., K - 1 for K classes"
CONCAVE_IN = (0,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, logits: ArrayLike) -> Bool[Array, "..."]:
    """Is y one of 0, 1, ..., K - 1?

    >>> import jax.numpy as jnp
    >>> bool(support(3, jnp.zeros(3)))
    False
    """
    y, logits = floats(y, logits)
    return is_count(y) & (y < logits.shape[-1])


def logpmf(y: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """Log-probability of the categorical distribution.

    Formula: `logits[y] - log sum_k exp(logits[k])`, evaluated as `-softplus(o - logits[y])`, where o is the
    log of the sum over the other classes, so that the log of a probability near 1 keeps its digits; its
    curvature is exact to eps, absolute.

    Args:
        y: labels, whole numbers from 0, of shape `(...)`.
        logits: log-probabilities up to a constant, of shape `(..., K)`: the last axis is the classes.

    Returns:
        The log-probability, of shape `(...)`; minus infinity where y is not a label.

    Example:
        >>> import jax.numpy as jnp
        >>> round(float(logpmf(2, jnp.array([0.0, 0.0, 2.0]))), 4)
        -0.2395

    Source: McFadden (1974), Conditional logit analysis of qualitative choice behavior, equation 12.
    """
    y, logits = floats(y, logits)
    ok = support(y, logits)
    shape = jnp.broadcast_shapes(y.shape, logits.shape[:-1]) + logits.shape[-1:]
    logits = jnp.broadcast_to(logits, shape)
    label = jnp.broadcast_to(jnp.where(ok, y, 0.0)[..., None], shape)
    chosen = label == jax.lax.broadcasted_iota(logits.dtype, shape, len(shape) - 1)
    # Not minus infinity: with a single class there is no other, and 0/0 would be its derivative.
    others = jnp.where(chosen, 0.25 * jnp.finfo(logits.dtype).min, logits)
    own = jnp.sum(jnp.where(chosen, logits, 0.0), axis=-1)
    return inside(ok, y, -softplus(jax.nn.logsumexp(others, axis=-1) - own))


def probability(logits: ArrayLike) -> Float[Array, "..."]:
    """The probability of each label, `softmax(logits)`, of shape `(..., K)`.

    >>> probability(jnp.zeros(2)).tolist()
    [0.5, 0.5]
    """
    (logits,) = common(logits)
    return jax.nn.softmax(logits)


def information(logits: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in the K logits of one observation: `diag(p) - p p'`, of lower rank by one.

    >>> information(jnp.zeros(2)).tolist()
    [[0.25, -0.25], [-0.25, 0.25]]

    Source: McCullagh and Nelder (1989), section 5.4.
    """
    p = jax.nn.softmax(jnp.asarray(logits))
    return jnp.diag(p) - p[:, None] * p[None, :]


def sample(key: PRNGKeyArray, logits: ArrayLike, shape: tuple[int, ...] | None = None) -> Int[Array, "..."]:
    """Draws, labels 0 to K - 1; a shape is that of the labels.

    >>> import jax.numpy as jnp
    >>> sample(jax.random.key(0), jnp.zeros(3), shape=(5,)).shape
    (5,)
    """
    (logits,) = common(logits)
    return jax.random.categorical(key, logits, shape=shape).astype(int)
