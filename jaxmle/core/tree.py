"""Trees: the names of their leaves, functions inside them, and arrays at the door."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxmle.core.rearrange import ArraySlot


def path_name(path) -> str:
    """The name of a leaf as a user would write it: ``beta``, ``layers[0].weight``.

    >>> import jax
    >>> [(path, _)] = jax.tree_util.tree_flatten_with_path({"a": [1.0]})[0]
    >>> path_name(path)
    'a[0]'
    """
    name = ""
    for key in path:
        if isinstance(key, jax.tree_util.SequenceKey):
            name += f"[{key.idx}]"
        elif isinstance(key, jax.tree_util.GetAttrKey):
            name += f".{key.name}"
        elif isinstance(key, jax.tree_util.DictKey):
            name += f".{key.key}"
        else:
            name += f"[{key.key}]"
    return name.removeprefix(".")


def named_leaves(tree, is_leaf=None) -> list[tuple[str, Any]]:
    """Every leaf of ``tree`` with its name, in tree order."""
    return [(path_name(path), leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(tree, is_leaf)[0]]


class NoSuchParameter(KeyError):
    """A name that no parameter has."""


def select(tree, path: str):
    """The leaf or sub-tree of ``tree`` that ``path`` names.

    Raises :class:`NoSuchParameter`, a ``KeyError``, with the names there are when ``path`` is none of them.

    >>> select({"beta": 1.0, "scale": {"a": 2.0}}, "scale.a")
    2.0
    """
    found = [leaf for name, leaf in named_leaves(tree) if _is_prefix(path, name)]
    if not found:
        names = ", ".join(name for name, _ in named_leaves(tree)) or "none"
        raise NoSuchParameter(f"no parameter is called {path!r}; the parameters are: {names}")
    return found[0] if len(found) == 1 else found


def _is_prefix(path: str, name: str) -> bool:
    return name == path or (name.startswith(path) and name[len(path)] in ".[")


def where_function(where) -> Callable:
    """A function of params from ``where``: a leaf path, or such a function already."""
    if isinstance(where, str):
        return jax.tree_util.Partial(_select_reversed, Name(where))
    return as_leaf(where)


@jax.tree_util.register_static
class Name(str):
    """A string that is structure, not a leaf: part of what is compiled."""

    __slots__ = ()


def _select_reversed(path, params):
    return select(params, path)


def as_leaf(function: Callable) -> Callable:
    """``function`` as part of a tree: its code is structure; if it is a module its arrays are leaves, and so are the
    JAX arrays of a ``functools.partial`` if any of them is traced, so that derivatives with respect to it go
    through."""
    if isinstance(function, functools.partial) and is_traced((function.func, function.args, function.keywords)):
        return Held(function)
    leaves = jax.tree_util.tree_leaves(function)
    if len(leaves) == 1 and leaves[0] is function:
        return jax.tree_util.Partial(function)
    if all(is_array(leaf) for leaf in leaves):
        return function
    return Halves(function)


class Halves:
    """A module some of whose leaves are not arrays (activation functions, flags): those are structure."""

    def __init__(self, module):
        leaves, self.treedef = jax.tree_util.tree_flatten(module)
        self.arrays = tuple(leaf if is_array(leaf) else None for leaf in leaves)
        self.rest = tuple(None if is_array(leaf) else leaf for leaf in leaves)

    def whole(self):
        """The module itself."""
        leaves = [r if a is None else a for a, r in zip(self.arrays, self.rest, strict=True)]
        return jax.tree_util.tree_unflatten(self.treedef, leaves)

    def __call__(self, *args):
        return self.whole()(*args)

    def flatten(self):
        """Its arrays, and the rest."""
        return (self.arrays,), (self.rest, self.treedef)

    @classmethod
    def unflatten(cls, structure, children):
        """Put together from its arrays and the rest."""
        new = object.__new__(cls)
        (new.arrays,), (new.rest, new.treedef) = children, structure
        return new


class Held(Halves):
    """A ``functools.partial``: the JAX arrays that it holds, and the rest, whose values its function may look at."""

    def __init__(self, function):
        leaves, self.treedef = jax.tree_util.tree_flatten((function.func, function.args, function.keywords))
        self.arrays = tuple(leaf if isinstance(leaf, jax.Array) else None for leaf in leaves)
        self.rest = tuple(None if isinstance(leaf, jax.Array) else Itself(leaf) for leaf in leaves)

    def whole(self):
        """The partial itself."""
        leaves = [r.value if isinstance(r, Itself) else a for a, r in zip(self.arrays, self.rest, strict=True)]
        function, args, keywords = jax.tree_util.tree_unflatten(self.treedef, leaves)
        return functools.partial(function, *args, **keywords)


class Itself:
    """A value as structure: equal to what it equals if it can be hashed, a NumPy array as it is now (it is copied) to
    one of the same numbers, anything else to itself only."""

    def __init__(self, value):
        self.value = value.copy() if isinstance(value, np.ndarray) else value
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            self.key = (value.dtype, value.shape, value.tobytes())
        else:
            self.key = (type(value), value) if is_hashable(value) else id(value)

    def __hash__(self):
        return hash(self.key)

    def __eq__(self, other):
        return isinstance(other, Itself) and self.key == other.key


def is_hashable(value) -> bool:
    """Whether ``value`` can be a key."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


jax.tree_util.register_pytree_node(Halves, Halves.flatten, Halves.unflatten)
jax.tree_util.register_pytree_node(Held, Held.flatten, Held.unflatten)


def is_array(leaf) -> bool:
    """Whether ``leaf`` is an array or a NumPy scalar (a Python number is not)."""
    return isinstance(leaf, jax.Array | np.ndarray | np.generic | ArraySlot)


def is_traced(tree) -> bool:
    """Whether any leaf of ``tree`` is being traced, so that its values cannot be looked at."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree_util.tree_leaves(tree))


def module_of(kind: type, **fields):
    """An Equinox module of that ``kind`` with these ``fields``, all of them, made as JAX makes one from its leaves: by
    its constructor it takes ten times as long, as long as a few steps of a small fit."""
    module = object.__new__(kind)
    vars(module).update(fields)
    return module


def as_array(leaf, name: str):
    """``leaf`` as a JAX array; a ``TypeError`` that names it when it is not numbers, a ``ValueError`` when it is no
    array."""
    if isinstance(leaf, jax.Array):
        return leaf
    try:
        array = np.asarray(leaf)
    except ValueError as error:
        raise ValueError(f"{name} is no array: its rows differ in length or depth; make them alike") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} holds {array.dtype} values, not numbers; encode text as integers or columns of zeros and "
            "ones (a formula does it for covariates), and turn dates into numbers"
        )
    return jnp.asarray(array)


def as_number(number):
    """A Python integer as a float, so that 2 and 2.0 are the same program; anything else as it is."""
    return float(number) if isinstance(number, int) else number
