"""The layout of a start tree: where each leaf of params comes from, and what the leaves are called."""

import dataclasses
import functools
import math
from typing import Any

import numpy as np

FREE, TIED, FIXED, STRUCTURE = "free", "tied", "fixed", "structure"


@dataclasses.dataclass(frozen=True)
class Leaf:
    """Where one leaf of params comes from: the ``index``-th free leaf, constant, or piece of structure."""

    name: str
    kind: str
    index: int


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """The structure of a start tree: everything about it but its numbers and labels. Hashable, so that it can be
    part of what is compiled; the hash is kept, since every call of a compiled program asks for it."""

    treedef: Any
    leaves: tuple[Leaf, ...]
    shapes: tuple[tuple[int, ...], ...]  # of each free leaf, in params
    free_shapes: tuple[tuple[int, ...], ...]  # of each free leaf, in z
    structure: tuple[Any, ...]  # leaves that are not numbers

    @functools.cached_property
    def _key(self):
        fields = self.treedef, self.leaves, self.shapes, self.free_shapes, self.structure
        return hash(fields), fields

    @functools.cached_property
    def size(self) -> int:
        """How many free numbers there are."""
        return sum(math.prod(shape) for shape in self.free_shapes)

    def __hash__(self):
        return self._key[0]

    def __eq__(self, other):
        return self is other or (isinstance(other, Layout) and self._key == other._key)


def element_names(name: str, shape: tuple[int, ...]) -> list[str]:
    """``beta[0]``, ``beta[1]``, ... for a leaf of ``shape``; its bare name for a scalar."""
    if not shape:
        return [name]
    return [f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(*shape)]


def distinct(labels: list[str]) -> list[str]:
    """The labels, with a number behind any that is taken already.

    >>> distinct(["x", "z", "x", "x (2)"])
    ['x', 'z', 'x (2)', 'x (2) (2)']
    """
    taken, found = set(), []
    for label in labels:
        name, count = label, 1
        while name in taken:
            count += 1
            name = f"{label} ({count})"
        taken.add(name)
        found.append(name)
    return found
