"""Lanes worked through in chunks that fit the fast memory of the backend."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

CPU_NUMBERS = 2**18
ACCELERATOR_NUMBERS = 2**26


def lanes_in_cache(own: Any) -> int:
    """How many lanes of ``own``, arrays with a leading lane axis, fit the fast memory of the backend."""
    numbers = max(1, sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(own)))
    return max(1, (CPU_NUMBERS if jax.default_backend() == "cpu" else ACCELERATOR_NUMBERS) // numbers)


def in_chunks(function: Callable, arguments: tuple, width: int):
    """``function`` of every lane of ``arguments``, ``width`` of them at a time."""
    count = jax.tree.leaves(arguments)[0].shape[0]

    def chunk(i):
        first = jnp.minimum(i * width, count - width)
        return first, jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, first, width), arguments)

    def add(i, results):
        first, piece = chunk(i)
        found = jax.vmap(function)(*piece)
        return jax.tree.map(
            lambda all, leaf: jax.lax.dynamic_update_slice_in_dim(all, leaf, first, axis=0), results, found
        )

    shapes = jax.eval_shape(lambda: jax.vmap(function)(*chunk(0)[1]))
    results = jax.tree.map(lambda leaf: jnp.zeros((count, *leaf.shape[1:]), leaf.dtype), shapes)
    return jax.lax.fori_loop(0, -(-count // width), add, results)


def vmapped_in_chunks(function: Callable) -> Callable:
    """``function`` of one tree of arrays, which under ``jax.vmap`` is worked through in chunks.

    Derivatives are those of ``function``, in forward and reverse mode, and are not in chunks.
    """
    lanes = jax.custom_batching.custom_vmap(function)

    @lanes.def_vmap
    def _(size, batched, argument):
        (batched,) = batched
        own = jax.tree.map(lambda leaf, has_lanes: leaf if has_lanes else None, argument, batched)
        common = jax.tree.map(lambda leaf, has_lanes: None if has_lanes else leaf, argument, batched)

        def one(own):
            return function(eqx.combine(own, common))

        width = lanes_in_cache(own)
        found = jax.vmap(one)(own) if width >= size else in_chunks(one, (own,), width)
        return found, jax.tree.map(lambda _: True, found)

    @jax.custom_jvp
    def whole(argument):
        return lanes(argument)

    @whole.defjvp
    def _(primals, tangents):
        return jax.jvp(function, primals, tangents)

    return whole
