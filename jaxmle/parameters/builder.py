"""A marked start tree taken apart: which leaves are free, tied, fixed, or no numbers at all."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.tree import is_array, path_name
from jaxmle.parameters.bijections import Identity
from jaxmle.parameters.layout import FIXED, FREE, STRUCTURE, TIED, Layout, Leaf
from jaxmle.parameters.marks import Mark, Tied


def is_mark(leaf) -> bool:
    """Whether a leaf of a start tree carries a constraint, is fixed or is tied."""
    return isinstance(leaf, Mark | Tied)


def fix_each_leaf(leaf):
    """A fixed sub-tree as a sub-tree of fixed leaves, so that what is not a number in it is structure."""
    fixed = isinstance(leaf, Mark) and leaf.bijection is None
    return jax.tree.map(lambda value: Mark(value, None), leaf.value) if fixed else leaf


class _Builder:
    """Collects the leaves of one start tree into a space."""

    def __init__(self, start):
        self.start = start
        self.leaves, self.ties = [], []
        self.bijections, self.values, self.shapes, self.free_shapes, self.labels = [], [], [], [], []
        self.constants, self.structure = [], []

    def add(self, path, leaf):
        """Take in one leaf. Raises ``TypeError`` or ``ValueError``, with its name, for what is no parameter."""
        name = path_name(path) or "params"
        if isinstance(leaf, Tied):
            self.ties.append((len(self.leaves), leaf.path))
            self.leaves.append(Leaf(name, TIED, -1))
        elif isinstance(leaf, Mark) and leaf.bijection is None:
            self._add_constant(path, name, leaf.value)
        elif isinstance(leaf, Mark):
            self._add_free(name, leaf.value, leaf.bijection, leaf.labels)
        elif is_parameter(self.start, path, leaf):
            self._add_free(name, leaf, Identity(), None)
        elif is_array(leaf):
            self._add_constant(path, name, leaf)
        else:
            self._add_structure(name, leaf)

    def _add_constant(self, path, name, value):
        """Arrays are constants, and so are the numbers of the model; but flags steer Python code."""
        number = not isinstance(value, bool) and _is_number(self.start, path, value)
        if is_array(value) or number:
            self.leaves.append(Leaf(name, FIXED, len(self.constants)))
            self.constants.append(value)
        else:
            self._add_structure(name, value)

    def _add_structure(self, name, value):
        self.leaves.append(Leaf(name, STRUCTURE, len(self.structure)))
        self.structure.append(float(value) if isinstance(value, float) else value)

    def _add_free(self, name, value, bijection, labels):
        dtype = value.dtype if is_array(value) else np.result_type(float if isinstance(value, float) else type(value))
        if not np.issubdtype(np.dtype(dtype), np.floating) and not jnp.issubdtype(dtype, jnp.floating):
            raise TypeError(
                f"parameter {name!r} is of type {dtype}, and parameters are real numbers that change: write "
                f"1.0 instead of 1, or jm.fixed(...) to hold it"
            )
        shape = np.shape(value)
        try:
            free_shape = bijection.free_shape(shape)
        except ValueError as error:
            raise ValueError(f"parameter {name!r}: {error}") from None
        if labels is not None and len(labels) != math.prod(shape):
            raise ValueError(
                f"parameter {name!r} has {math.prod(shape)} numbers (shape {shape}) and {len(labels)} labels; "
                "give one label for each number"
            )
        self.leaves.append(Leaf(name, FREE, len(self.values)))
        self.values.append(value)
        self.bijections.append(bijection)
        self.shapes.append(shape)
        self.free_shapes.append(free_shape)
        self.labels.append(labels)

    def finish(self, treedef):
        """Bijections, constants, layout, labels and values of the space. Raises ``KeyError`` for a tie to nothing."""
        by_name = {leaf.name: leaf for leaf in self.leaves}
        for position, path in self.ties:
            target, name = by_name.get(path), self.leaves[position].name
            if target is None or target.kind != FREE:
                names = ", ".join(leaf.name for leaf in self.leaves if leaf.kind == FREE) or "none"
                why = "there is no such leaf" if target is None else f"that leaf is {target.kind}"
                raise KeyError(f"parameter {name!r} is tied to {path!r}, but {why}; the free leaves are: {names}")
            self.leaves[position] = Leaf(name, TIED, target.index)
        layout = Layout(treedef, tuple(self.leaves), tuple(self.shapes), tuple(self.free_shapes), tuple(self.structure))
        labels = tuple(self.labels) if any(label is not None for label in self.labels) else None
        return tuple(self.bijections), tuple(self.constants), layout, labels, tuple(self.values)


def _module_of(start, path) -> str | None:
    """Where the innermost Equinox module that the leaf at ``path`` lies in had that field defined: the name of a
    Python module; None outside of modules."""
    node: Any = start
    found = None
    for key in path:
        if isinstance(key, jax.tree_util.GetAttrKey):
            if isinstance(node, eqx.Module):
                owner: type = type(node)
                bases = owner.__mro__[::-1]
                defined = (base for base in bases if key.name in getattr(base, "__dataclass_fields__", {}))
                found = next(defined, owner).__module__
            node = getattr(node, key.name)
        elif isinstance(key, jax.tree_util.SequenceKey):
            node = node[key.idx]
        elif isinstance(key, jax.tree_util.DictKey):
            node = node[key.key]
        else:
            break
    return found


def _is_number(start, path, leaf) -> bool:
    """Whether a leaf that is no array is a number of the model: floats, but for those that the layers of Equinox keep
    as settings (``Dropout.p``); whole numbers and flags outside of modules, where they steer no Python code."""
    module = _module_of(start, path)
    if isinstance(leaf, float):
        return module is None or module.split(".")[0] != "equinox"
    return isinstance(leaf, bool | int | complex) and module is None


def is_parameter(start, path, leaf) -> bool:
    """Whether an unmarked leaf is a parameter: every floating array, and every number of the model (an integer among
    them is then refused); whole-number arrays of a module are constants."""
    if is_array(leaf):
        return jnp.issubdtype(leaf.dtype, jnp.inexact) or _module_of(start, path) is None
    return _is_number(start, path, leaf)


def take_apart(start):
    """The bijections, constants, layout, labels and values of a marked ``start``. Errors: those of ``Space.of``."""
    start = jax.tree.map(fix_each_leaf, start, is_leaf=is_mark)
    paths, treedef = jax.tree_util.tree_flatten_with_path(start, is_mark)
    builder = _Builder(start)
    for path, leaf in paths:
        builder.add(path, leaf)
    return builder.finish(treedef)


def map_free(function: Callable, start):
    """``start`` with ``function`` applied to the value of each free leaf, marks kept."""

    def put(path, leaf):
        if isinstance(leaf, Mark) and leaf.bijection is not None:
            return dataclasses.replace(leaf, value=function(leaf.value))
        free = not is_mark(leaf) and is_parameter(start, path, leaf)
        return function(leaf) if free else leaf

    return jax.tree_util.tree_map_with_path(put, start, is_leaf=is_mark)
