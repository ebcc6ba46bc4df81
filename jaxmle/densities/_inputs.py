"""What every density does with its arguments before and after its formula."""

import functools
import operator
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float

from jaxmle.core.linalg import UNROLLED
from jaxmle.core.quotient import quotient


def _is_float(x: ArrayLike) -> bool:
    return bool(jnp.issubdtype(jnp.result_type(x), jnp.floating))


def _is_weak(x: ArrayLike) -> bool:
    return type(x) is float or getattr(x, "weak_type", False)


def floats(y: ArrayLike, *parameters: ArrayLike) -> list[Float[Array, "..."]]:
    """y and the parameters as arrays of one dtype: the widest floating one among the parameters.

    Python floats have no say, as everywhere in JAX; where no parameter has one, a floating y decides, then
    the default.
    """
    strong = [x for x in parameters if _is_float(x) and not _is_weak(x)] or [x for x in [y] if _is_float(x)]
    dtypes = [jnp.result_type(x) for x in strong] or [jnp.result_type(float)]
    widest = max(dtypes, key=lambda dtype: jnp.finfo(dtype).bits)
    return [jnp.asarray(x, widest) for x in (y, *parameters)]


def common(*parameters: ArrayLike) -> list[Float[Array, "..."]]:
    """The parameters as arrays of one dtype, where there is no observation."""
    return floats(0, *parameters)[1:]


def spread(shape: tuple[int, ...] | None, *parameters: ArrayLike) -> list[Float[Array, "..."]]:
    """The parameters broadcast to `shape`, or to each other where it is None: for samplers and moments."""
    arrays = common(*parameters)
    shape = jnp.broadcast_shapes(*(x.shape for x in arrays)) if shape is None else shape
    return [jnp.broadcast_to(x, shape) for x in arrays]


def sum_over_last(function: Callable, *arrays: Float[Array, "... k"]) -> Float[Array, "..."]:
    """The sum over the last axis of a `function` of single entries, written out where it is short: XLA makes no vector
    code of what runs along a short axis."""
    size = arrays[0].shape[-1]
    if size > UNROLLED:
        return jnp.sum(jax.vmap(function, in_axes=-1, out_axes=-1)(*arrays), axis=-1)
    return functools.reduce(operator.add, [function(*(x[..., k] for x in arrays)) for k in range(size)])


def is_count(y: Float[Array, "..."]) -> Bool[Array, "..."]:
    """Is y one of 0, 1, 2, ...?"""
    return (y >= 0) & (y == jnp.floor(y)) & (y < jnp.inf)


def inside(ok: Bool[Array, "..."], y: Float[Array, "..."], value: Float[Array, "..."]) -> Float[Array, "..."]:
    """`value` where y is in the support, minus infinity where it is not, NaN where y is missing."""
    return jnp.where(ok, value, jnp.where(jnp.isnan(y), jnp.nan, -jnp.inf))


def finite(y: Float[Array, "..."], distance: Float[Array, "..."]) -> Float[Array, "..."]:
    """`distance`, of y from a place, and 0 where y is infinite: there is nothing to differentiate."""
    return jnp.where(jnp.isinf(y), 0.0, distance)


def standard(y: Float[Array, "..."], loc: Float[Array, "..."], scale: Float[Array, "..."]) -> Float[Array, "..."]:
    """(y - loc)/scale at a finite y, and 0 at an infinite one."""
    return quotient(finite(y, y - loc), scale)


def log_below(
    y: Float[Array, "..."], value: Float[Array, "..."], low: ArrayLike = -jnp.inf, high: ArrayLike = jnp.inf
) -> Float[Array, "..."]:
    """`value`, a log P(Y <= y), between two ends; minus infinity below, 0 above, NaN where y is missing."""
    return jnp.where(y >= high, 0.0, inside(y > low, y, value))


def log_above(
    y: Float[Array, "..."], value: Float[Array, "..."], low: ArrayLike = -jnp.inf, high: ArrayLike = jnp.inf
) -> Float[Array, "..."]:
    """`value`, a log P(Y > y), between two ends; 0 below, minus infinity above, NaN where y is missing."""
    return jnp.where(y <= low, 0.0, inside(y < high, y, value))


def symmetric(lower: list) -> Float[Array, "k k"]:
    """The symmetric matrix of scalars given by the rows of its lower triangle."""
    size = len(lower)
    return jnp.stack([jnp.stack([lower[max(i, j)][min(i, j)] for j in range(size)]) for i in range(size)])
