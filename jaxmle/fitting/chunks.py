"""Lanes worked through in chunks that fit the fast memory of the backend."""

import functools
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxmle.core.closure import explicit
from jaxmle.core.lanes import in_lanes_of, transposed

CPU_NUMBERS = 2**18
ACCELERATOR_NUMBERS = 2**26


def lanes_in_cache(own: Any) -> int:
    """How many lanes of ``own``, arrays with a leading lane axis, fit the fast memory of the backend."""
    numbers = max(1, sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(own)))
    return max(1, (CPU_NUMBERS if jax.default_backend() == "cpu" else ACCELERATOR_NUMBERS) // numbers)


def in_chunks(function: Callable, arguments: tuple, width: int, by_columns: bool = False):
    """``function`` of every lane of ``arguments``, at most ``width`` of them at a time; ``by_columns``: with their
    matrices transposed in memory.

    A chunk is neighbours. Where there are several devices it is as many neighbours from each one's share of the lanes,
    so that nothing moves between devices.

    >>> in_chunks(lambda x: 2.0 * x, (jnp.arange(5.0),), 2).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    count, shares = jax.tree.leaves(arguments)[0].shape[0], jax.device_count()
    if shares == 1 or count % shares or width < shares:
        return _in_chunks(jax.vmap(function), arguments, width, 0, by_columns)
    shared = jax.tree.map(lambda leaf: leaf.reshape(shares, -1, *leaf.shape[1:]), arguments)
    found = _in_chunks(jax.vmap(jax.vmap(function)), shared, width // shares, 1, by_columns)
    return jax.tree.map(lambda leaf: leaf.reshape(count, *leaf.shape[2:]), found)


def _in_chunks(function, arguments, width, axis, by_columns):
    """``function`` of ``arguments``, of which it has at most ``width`` along the ``axis`` at a time."""
    length = jax.tree.leaves(arguments)[0].shape[axis]
    width = next((even for even in range(width, -(-width // 2) - 1, -1) if length % even == 0), width)

    def of_chunk(i):
        first = jnp.minimum(i * width, length - width)  # the last takes some again where they do not come out even
        take = functools.partial(jax.lax.dynamic_slice_in_dim, start_index=first, slice_size=width, axis=axis)
        chunk = jax.tree.map(take, arguments)
        if by_columns:  # the barrier keeps XLA from undoing it
            chunk = transposed(jax.lax.optimization_barrier(transposed(chunk, axis)), axis)
        return first, function(*chunk)

    def add(i, results):
        first, found = of_chunk(i)
        return jax.tree.map(
            lambda all, leaf: jax.lax.dynamic_update_slice_in_dim(all, leaf, first, axis), results, found
        )

    shapes = jax.eval_shape(lambda: of_chunk(0)[1])
    results = jax.tree.map(
        lambda leaf: jnp.zeros((*leaf.shape[:axis], length, *leaf.shape[axis + 1 :]), leaf.dtype), shapes
    )
    return jax.lax.fori_loop(0, -(-length // width), add, results)


def vmapped_in_chunks(function: Callable, takes_products: Callable[[Any], bool] = lambda _: False) -> Callable:
    """``function`` of one tree of arrays, which under ``jax.vmap`` is worked through in chunks, transposed in memory
    where the function ``takes_products`` of columns in one lane of it.

    Derivatives are those of ``function``, in forward and reverse mode, also in what it closes over, and are not in
    chunks.
    """

    def whole(argument):
        called, numbers = explicit(function, argument)
        return _called(called, takes_products, (numbers, argument))

    return whole


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _called(function, takes_products, arguments):
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
        if width >= size:
            found = jax.vmap(one)(own)
        else:
            lane = jax.eval_shape(lambda: jax.tree.map(lambda leaf: leaf[0], own))
            by_columns = eqx.filter_eval_shape(lambda lane: takes_products(eqx.combine(lane, common)[1]), lane)
            found = in_chunks(one, (own,), width, by_columns)
        return found, jax.tree.map(lambda _: True, found)

    return lanes(arguments)


@_called.defjvp
def _called_jvp(function, takes_products, primals, tangents):
    found, change = jax.jvp(lambda arguments: function(*arguments), primals, tangents)
    return in_lanes_of(found, primals), change
