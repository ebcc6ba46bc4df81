"""Starts: marked trees whose values are changed and whose marks are kept."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from jaxmle.core.tree import as_number, is_traced
from jaxmle.parameters.bijections import Identity
from jaxmle.parameters.builder import map_free
from jaxmle.parameters.space import Space


def random_starts(key: PRNGKeyArray, start: Any, count: int, spread: Any = 1.0) -> Any:
    """``count`` starts scattered around ``start``, itself the first of them: for ``jm.fit_best``.

    Arguments:
        key: a key of ``jax.random``.
        start: a marked tree of parameters, as for ``jm.fit``.
        count: how many starts.
        spread: how far they are scattered: standard deviations of a normal distribution in z, a number for all. For
            an unconstrained number it is a multiple of its size, or of one where that is larger; for a constrained
            one it is in the units of its log or logit.

    Returns the same tree with a leading axis of length ``count`` on every free leaf, marks in their places.

    Errors: ``TypeError`` for what is no key, a count that is no whole number or a spread that is no number;
    ``ValueError`` for a count below one, a spread that is negative or not finite, or a start all of which is fixed;
    those of ``jm.fit`` about the start.

    >>> import jaxmle as jm
    >>> random_starts(jax.random.key(0), {"mu": 0.0, "sigma": jm.positive(1.0)}, 8)["mu"].shape
    (8,)

    Source: Marti, Resende and Ribeiro (2013), "Multi-start methods for combinatorial optimization", section 1.
    """
    _check_key(key)
    _check_count(count)
    _check_spread(spread)
    space, values = Space.of(start)
    if space.size == 0:
        raise ValueError("every parameter of the start is fixed, so there is nothing to scatter: free one of them")
    z = space.to_z(values)
    free = [isinstance(bijection, Identity) for bijection in space.bijections]
    shapes = [np.full(shape, is_free) for is_free, shape in zip(free, space.layout.free_shapes, strict=True)]
    unbounded = np.concatenate([shape.ravel() for shape in shapes])
    scale = jnp.where(unbounded, jnp.maximum(jnp.abs(z), 1.0), 1.0) * jnp.asarray(as_number(spread), z.dtype)
    scattered = z[None] + scale[None] * jax.random.normal(key, (count - 1, z.size), z.dtype)
    return with_values(start, jax.vmap(space.point)(jnp.concatenate([z[None], scattered])))


def _check_key(key):
    typed = isinstance(key, jax.Array) and (jnp.issubdtype(key.dtype, jax.dtypes.prng_key) or key.dtype == jnp.uint32)
    if not typed:
        raise TypeError(f"key must be a random key, such as jax.random.key(0), not {key!r}")


def _check_count(count):
    if isinstance(count, bool) or not isinstance(count, int | np.integer):
        raise TypeError(f"count must be a whole number of starts, such as 16; it is {count!r}")
    if count < 1:
        raise ValueError(f"count must be one or more starts; it is {count}")


def _check_spread(spread):
    if is_traced(spread):
        return
    if np.ndim(spread) != 0 or np.asarray(spread).dtype.kind not in "iuf":
        raise TypeError(f"spread must be one number for all parameters, in standard deviations of z; it is {spread!r}")
    if not 0 <= float(spread) < float("inf"):
        raise ValueError(f"spread must be zero or more, and finite; it is {spread}")


def with_values(start: Any, values: tuple[Any, ...]) -> Any:
    """``start`` with other ``values`` in its free leaves, in tree order."""
    remaining = iter(values)
    return map_free(lambda _: next(remaining), start)


def free_values(start: Any) -> tuple[Any, ...]:
    """The values of the free leaves of ``start``, in tree order, as they are."""
    values: list[Any] = []
    map_free(values.append, start)
    return tuple(values)


def first_start(starts: Any) -> Any:
    """The first of ``starts``: the tree without the leading axis of its free leaves."""
    return map_free(lambda value: jnp.asarray(value)[0], starts)
