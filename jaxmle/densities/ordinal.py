"""The ordinal logistic distribution: labels in order, from cutpoints."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxmle.core.special import log1mexp, softplus
from jaxmle.densities._inputs import common, floats, inside, is_count

SUPPORT = "a label: 0, 1, ..., K for K cutpoints"
CONCAVE_IN = (0, 1)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, location: ArrayLike, cutpoints: ArrayLike) -> Bool[Array, "..."]:
    """Is y one of 0, 1, ..., K for K cutpoints?

    >>> import jax
    >>> import jax.numpy as jnp
    >>> bool(support(1, 0.5, jnp.array([0.0, 1.0])))
    True
    """
    y, _, cutpoints = floats(y, location, cutpoints)
    return is_count(y) & (y <= cutpoints.shape[-1])


def _pick(cutpoints: Float[Array, "... k"], label: Array) -> Float[Array, "..."]:
    """The cutpoint of each label."""
    shape = jnp.broadcast_shapes(label.shape, cutpoints.shape[:-1])
    cutpoints = jnp.broadcast_to(cutpoints, (*shape, cutpoints.shape[-1]))
    return jnp.take_along_axis(cutpoints, jnp.broadcast_to(label, shape)[..., None], axis=-1)[..., 0]


def logpmf(y: ArrayLike, location: ArrayLike, cutpoints: ArrayLike) -> Float[Array, "..."]:
    """Log-probability of the ordinal logistic distribution, the proportional odds model.

    Formula: `log(1/(1 + exp(v)) - 1/(1 + exp(u)))` with `u = cutpoints[y] - location` and `v = cutpoints[y -
    1] - location`, infinite at the ends; evaluated as `-softplus(-u) - softplus(v) + log(1 - exp(v - u))`.

    Args:
        y: labels, whole numbers from 0, of shape `(...)`.
        location: what moves the labels up, any real number, of shape `(...)`. It has no intercept: the
            cutpoints have.
        cutpoints: increasing numbers, of shape `(..., K)`, one fewer than labels: `jm.ordered`.

    Returns:
        The log-probability, of shape `(...)`; minus infinity where y is not a label, NaN where the
        cutpoints do not increase.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> round(float(logpmf(1, 0.5, jnp.array([0.0, 1.0]))), 4)
        -1.4068

    Source: McCullagh (1980), Regression models for ordinal data, equation 2.3.
    """
    y, location, cutpoints = floats(y, location, cutpoints)
    ok, count = support(y, location, cutpoints), cutpoints.shape[-1]
    label = jnp.where(ok, y, 0.0).astype(jnp.int32)
    has_upper, has_lower = label < count, label > 0
    above, below = _pick(cutpoints, jnp.minimum(label, count - 1)), _pick(cutpoints, jnp.maximum(label - 1, 0))
    upper = jnp.where(has_upper, softplus(location - above), 0.0)
    lower = jnp.where(has_lower, softplus(below - location), 0.0)
    between = has_upper & has_lower
    gap = log1mexp(jnp.where(between, above - below, 1.0))
    ordered = jnp.all(jnp.diff(cutpoints, axis=-1) > 0, axis=-1)
    value = inside(ok, y, jnp.where(between, gap, 0.0) - upper - lower)
    return jnp.where(ordered, value, jnp.nan)


def probability(location: ArrayLike, cutpoints: ArrayLike) -> Float[Array, "... k"]:
    """The probability of each label, of shape `(..., K + 1)`.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> probability(0.0, jnp.array([0.0])).round(4).tolist()
    [0.5, 0.5]
    """
    location, cutpoints = common(location, cutpoints)
    shape = jnp.broadcast_shapes(location.shape, cutpoints.shape[:-1])
    each = [logpmf(jnp.full(shape, k), location, cutpoints) for k in range(cutpoints.shape[-1] + 1)]
    return jnp.exp(jnp.stack(each, axis=-1))


def logcdf(y: ArrayLike, location: ArrayLike, cutpoints: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `-log(1 + exp(location - cutpoints[y]))`, 0 from K on.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> round(float(logcdf(0, 0.5, jnp.array([0.0, 1.0]))), 4)
    -0.9741
    """
    y, location, cutpoints = floats(y, location, cutpoints)
    ok = (y >= 0) & (y < cutpoints.shape[-1])
    cut = _pick(cutpoints, jnp.where(ok, y, 0.0).astype(jnp.int32))
    return jnp.where(y >= cutpoints.shape[-1], 0.0, inside(ok, y, -softplus(location - cut)))


def logsf(y: ArrayLike, location: ArrayLike, cutpoints: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `-log(1 + exp(cutpoints[y] - location))`, minus infinity from K on.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> round(float(logsf(0, 0.5, jnp.array([0.0, 1.0]))), 4)
    -0.4741
    """
    y, location, cutpoints = floats(y, location, cutpoints)
    ok = (y >= 0) & (y < cutpoints.shape[-1])
    cut = _pick(cutpoints, jnp.where(ok, y, 0.0).astype(jnp.int32))
    return jnp.where(y < 0, 0.0, inside(ok, y, -softplus(cut - location)))


def sample(
    key: PRNGKeyArray, location: ArrayLike, cutpoints: ArrayLike, shape: tuple[int, ...] | None = None
) -> Int[Array, "..."]:
    """Draws: how many cutpoints are below `location + z` with z standard logistic.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> sample(jax.random.key(0), 0.0, jnp.array([0.0]), shape=(5,)).shape
    (5,)
    """
    location, cutpoints = common(location, cutpoints)
    shape = jnp.broadcast_shapes(location.shape, cutpoints.shape[:-1]) if shape is None else shape
    z = jnp.broadcast_to(location, shape) + jax.random.logistic(key, shape, location.dtype)
    return jnp.sum(z[..., None] > jnp.broadcast_to(cutpoints, (*shape, cutpoints.shape[-1])), axis=-1).astype(int)
