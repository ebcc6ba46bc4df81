"""Lanes worked through in chunks that fit the fast memory of the backend."""

import functools
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxmle.core.closure import explicit
from jaxmle.core.lanes import in_lanes_of

CPU_NUMBERS = 2**18
ACCELERATOR_NUMBERS = 2**26


def lanes_in_cache(own: Any) -> int:
    """How many lanes of ``own``, arrays with a leading lane axis, fit the fast memory of the backend."""
    numbers = max(1, sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(own)))
    return max(1, (CPU_NUMBERS if jax.default_backend() == "cpu" else ACCELERATOR_NUMBERS) // numbers)


def in_chunks(function: Callable, arguments: tuple, width: int):
    """``function`` of every lane of ``arguments``, at most ``width`` of them at a time.

    >>> in_chunks(lambda x: 2.0 * x, (jnp.arange(5.0),), 2).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    count = jax.tree.leaves(arguments)[0].shape[0]
    even = [w for w in range(-(-width // 2), width + 1) if count % w == 0]
    work, width = (_every_so_many, even[-1]) if even else (_side_by_side, width)
    chunk, put, shape = work(count, width)

    def add(i, results):
        found = jax.vmap(function)(*jax.tree.map(lambda leaf: chunk(leaf, i), arguments))
        return jax.tree.map(lambda all, leaf: put(all, leaf, i), results, found)

    found = jax.eval_shape(lambda: jax.vmap(function)(*jax.tree.map(lambda leaf: chunk(leaf, 0), arguments)))
    results = jax.tree.map(lambda leaf: jnp.zeros((*shape, *leaf.shape[1:]), leaf.dtype), found)
    results = jax.lax.fori_loop(0, -(-count // width), add, results)
    return jax.tree.map(lambda leaf: leaf.reshape(count, *leaf.shape[len(shape) :]), results)


def _every_so_many(count, width):
    """How to take and put back a chunk of every so many-th lane. Where the lanes lie on several devices each has its
    share of every chunk, so that nothing moves between them."""
    shape = width, count // width

    def chunk(leaf, i):
        return jax.lax.dynamic_index_in_dim(leaf.reshape(*shape, *leaf.shape[1:]), i, 1, keepdims=False)

    return chunk, lambda all, piece, i: jax.lax.dynamic_update_index_in_dim(all, piece, i, 1), shape


def _side_by_side(count, width):
    """How to take and put back a chunk of neighbours, the last of which takes some lanes again."""

    def first(i):
        return jnp.minimum(i * width, count - width)

    def chunk(leaf, i):
        return jax.lax.dynamic_slice_in_dim(leaf, first(i), width)

    return chunk, lambda all, piece, i: jax.lax.dynamic_update_slice_in_dim(all, piece, first(i), axis=0), (count,)


def vmapped_in_chunks(function: Callable) -> Callable:
    """``function`` of one tree of arrays, which under ``jax.vmap`` is worked through in chunks.

    Derivatives are those of ``function``, in forward and reverse mode, also in what it closes over, and are not in
    chunks.
    """

    def whole(argument):
        called, numbers = explicit(function, argument)
        return _called(called, (numbers, argument))

    return whole


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _called(function, arguments):
    def one_lane(arguments):
        return function(*arguments)

    lanes = jax.custom_batching.custom_vmap(one_lane)

    @lanes.def_vmap
    def _(size, batched, arguments):
        (batched,) = batched
        own = jax.tree.map(lambda leaf, has_lanes: leaf if has_lanes else None, arguments, batched)
        common = jax.tree.map(lambda leaf, has_lanes: None if has_lanes else leaf, arguments, batched)

        def one(own):
            return one_lane(eqx.combine(own, common))

        width = lanes_in_cache(own)
        found = jax.vmap(one)(own) if width >= size else in_chunks(one, (own,), width)
        return found, jax.tree.map(lambda _: True, found)

    return lanes(arguments)


@_called.defjvp
def _called_jvp(function, primals, tangents):
    found, change = jax.jvp(lambda arguments: function(*arguments), primals, tangents)
    return in_lanes_of(found, primals), change
