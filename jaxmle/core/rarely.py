"""Work that few lanes of a batch need."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

_FEW = 8


def rarely(function: Callable, settled, found: Any, argument: Any) -> Any:
    """``found`` where ``settled``, else ``function(argument)``.

    One lane takes a branch. Under ``jax.vmap`` both branches of a ``cond`` would be taken in every lane; here the lanes
    that are not settled are taken a few at a time, as long as there are any.

    >>> import jax.numpy as jnp
    >>> jax.vmap(lambda done, x: rarely(jnp.sqrt, done, x, x))(jnp.array([True, False]), jnp.array([4.0, 9.0])).tolist()
    [4.0, 3.0]
    """

    @jax.custom_batching.custom_vmap
    def one(settled, found, argument):
        return jax.lax.cond(settled, lambda _: found, function, argument)

    @one.def_vmap
    def _(size, batched, settled, found, argument):
        own_settled, own_found, own = batched
        settled, found = jax.tree.map(
            lambda own, leaf: leaf if own else jnp.broadcast_to(leaf, (size, *jnp.shape(leaf))),
            (own_settled, own_found),
            (settled, found),
        )
        axes = jax.tree.map(lambda own: 0 if own else None, own)
        few = min(size, _FEW)

        def some(carry):
            settled, found = carry
            (lanes,) = jnp.nonzero(~settled, size=few, fill_value=size)
            here = jax.tree.map(lambda own, leaf: leaf.at[lanes].get(mode="clip") if own else leaf, own, argument)
            here = jax.vmap(function, in_axes=(axes,))(here)
            found = jax.tree.map(lambda all, leaf: all.at[lanes].set(leaf, mode="drop"), found, here)
            return settled.at[lanes].set(True, mode="drop"), found

        _, found = jax.lax.while_loop(lambda carry: ~jnp.all(carry[0]), some, (settled, found))
        return found, jax.tree.map(lambda _: True, found)

    return one(settled, found, argument)
