"""Functions that only move leaves about, run once for each structure and replayed from then on.

Taking a start tree apart and putting a fit together is pure bookkeeping: what comes out are the leaves that went in,
elsewhere. In Python that costs more than a small fit; replayed it costs a flatten and an unflatten.
"""

from collections.abc import Callable

import jax
import numpy as np

_MOST = 4096
_RECIPES: dict = {}  # by structure, by which Python floats the recipe holds the values of, and by these values
_ARRAYS: dict[type, bool] = {}  # which types are arrays: asking costs more than looking it up


class ArraySlot:
    """Stands for an array: it has a shape and a dtype and no values."""

    __slots__ = ("dtype", "index", "shape")

    def __init__(self, index, shape, dtype):
        self.index, self.shape, self.dtype = index, shape, dtype


class FloatSlot(float):
    """Stands for a Python float."""

    __slots__ = ("index",)


def rearrange(function: Callable, *trees):
    """``function(*trees)``, for a module-level ``function`` that looks at structure, shapes and dtypes only.

    >>> rearrange(lambda a, b: {"b": b, "a": a["x"]}, {"x": 1.0}, 2.0)
    {'a': 1.0, 'b': 2.0}
    """
    leaves, treedef = jax.tree_util.tree_flatten(trees)
    key = (function, treedef, *[_kind(leaf) for leaf in leaves])
    recipes = _RECIPES.get(key)  # once: what takes time is comparing structures
    if recipes is None:
        if len(_RECIPES) >= _MOST:
            _RECIPES.clear()
        recipes = _RECIPES[key] = {}
    for held, of_values in recipes.items():
        recipe = of_values.get(tuple([leaves[i] for i in held]))
        if recipe is not None:
            break
    else:
        recipe, held = _record(function, leaves, treedef)
        of_values = recipes.setdefault(held, {})
        if len(of_values) >= _MOST:
            of_values.clear()
        of_values[tuple([leaves[i] for i in held])] = recipe
    picks, out = recipe
    return jax.tree_util.tree_unflatten(out, [leaves[p] if type(p) is int else p[0] for p in picks])


def _kind(leaf):
    kind = type(leaf)
    if kind is float:
        return float
    is_array = _ARRAYS.get(kind)
    if is_array is None:
        is_array = _ARRAYS[kind] = isinstance(leaf, jax.Array | np.ndarray | np.generic)
    return (leaf.shape, leaf.dtype) if is_array else leaf


def _record(function, leaves, treedef):
    """The recipe, and which Python floats it holds the values of: those that did not come out as leaves, since they are
    part of the structure (or nothing)."""
    slots = [_slot(i, leaf) for i, leaf in enumerate(leaves)]
    moved, out = jax.tree_util.tree_flatten(function(*jax.tree_util.tree_unflatten(treedef, slots)))
    picks = [leaf.index if isinstance(leaf, ArraySlot | FloatSlot) else (leaf,) for leaf in moved]
    held = tuple(i for i, slot in enumerate(slots) if isinstance(slot, FloatSlot) and i not in picks)
    return (picks, out), held


def _slot(index, leaf):
    if isinstance(leaf, jax.Array | np.ndarray | np.generic):
        return ArraySlot(index, leaf.shape, leaf.dtype)
    if type(leaf) is float:
        slot = FloatSlot(leaf)
        slot.index = index
        return slot
    return leaf
