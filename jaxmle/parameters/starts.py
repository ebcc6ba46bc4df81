"""Starts: marked trees whose values are changed and whose marks are kept."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from jaxmle.core.tree import as_number
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

    Errors: ``ValueError`` for a count below one; those of ``jm.fit`` about the start.

    >>> import jaxmle as jm
    >>> random_starts(jax.random.key(0), {"mu": 0.0, "sigma": jm.positive(1.0)}, 8)["mu"].shape
    (8,)

    Source: Marti, Resende and Ribeiro (2013), "Multi-start methods for combinatorial optimization", section 1.
    """
    if count < 1:
        raise ValueError(f"count must be one or more starts; it is {count}")
    space, values = Space.of(start)
    z = space.to_z(values)
    free = [isinstance(bijection, Identity) for bijection in space.bijections]
    shapes = [np.full(shape, is_free) for is_free, shape in zip(free, space.layout.free_shapes, strict=True)]
    unbounded = np.concatenate([shape.ravel() for shape in shapes])
    scale = jnp.where(unbounded, jnp.maximum(jnp.abs(z), 1.0), 1.0) * jnp.asarray(as_number(spread), z.dtype)
    scattered = z[None] + scale[None] * jax.random.normal(key, (count - 1, z.size), z.dtype)
    return with_values(start, jax.vmap(space.point)(jnp.concatenate([z[None], scattered])))


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
