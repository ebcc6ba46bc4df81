"""A fit as JSON and a list of arrays, and back: no pickle, and no class is made that is not on the list.

A node of the JSON is a number, a text, null, or an object with one of the keys ``float`` (by its bits), ``list``,
``tuple``, ``dict``, ``array``, ``key``, ``treedef``, ``class`` (with its fields) and ``unknown``: something of a class
that is not on the list, whose leaves alone are kept. What it was like must then be shown to :func:`decode`.
"""

import dataclasses
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.fitting.result import Fit
from jaxmle.parameters import bijections
from jaxmle.parameters.layout import Layout, Leaf
from jaxmle.parameters.space import Space

_BIJECTIONS = [
    cls for cls in vars(bijections).values() if inspect.isclass(cls) and issubclass(cls, bijections.Bijection)
]
KNOWN = {cls.__name__: cls for cls in (Fit, Space, Layout, Leaf, *_BIJECTIONS)}
NOTHING = object()  # in place of a specimen that nobody gave


class UnknownClass(TypeError):
    """A value of a class that a file cannot rebuild; the argument is the name of the class."""


class UnlikeSpecimen(ValueError):
    """A specimen with more or fewer leaves than were kept."""


def encode(value, arrays: list[np.ndarray]) -> Any:
    """The node of ``value``; its arrays are appended to ``arrays``. Raises :class:`UnknownClass`."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return {"float": value.hex()}
    if type(value) in (list, tuple):
        return {type(value).__name__: [encode(item, arrays) for item in value]}
    if type(value) is dict:
        return {"dict": [[encode(key, arrays), encode(item, arrays)] for key, item in value.items()]}
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        return _encode_array(value, arrays)
    if isinstance(value, jax.tree_util.PyTreeDef):
        return {"treedef": encode(jax.tree_util.tree_unflatten(value, range(value.num_leaves)), arrays)}
    if KNOWN.get(type(value).__name__) is type(value):
        fields = {field.name: _encode_field(getattr(value, field.name), arrays) for field in dataclasses.fields(value)}
        return {"class": type(value).__name__, "fields": fields}
    raise UnknownClass(type(value).__name__)


def _encode_array(value, arrays):
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        arrays.append(np.asarray(jax.random.key_data(value)))
        return {"key": len(arrays) - 1, "kind": str(jax.random.key_impl(value))}
    if value.dtype.hasobject or value.dtype.names:
        raise UnknownClass("array of objects")
    kind = "jax" if isinstance(value, jax.Array) else "numpy" if isinstance(value, np.ndarray) else "number"
    arrays.append(np.asarray(value))
    return {"array": len(arrays) - 1, "kind": kind}


def _encode_field(value, arrays):
    """The node of a field, whose leaves alone are kept where something in it is of an unknown class."""
    before = len(arrays)
    try:
        return encode(value, arrays)
    except UnknownClass as unknown:
        del arrays[before:]
        leaves = jax.tree_util.tree_leaves(value)
        if len(leaves) == 1 and leaves[0] is value:
            return {"unknown": unknown.args[0]}
        return {"unknown": unknown.args[0], "leaves": [_encode_field(leaf, arrays) for leaf in leaves]}


def decode(node, arrays: list[np.ndarray], like: Any = NOTHING) -> Any:
    """The value of ``node``. ``like``, a specimen of it, is asked where the class is unknown.

    Raises :class:`UnknownClass` where there is no specimen, :class:`UnlikeSpecimen` where it does not fit;
    ``ValueError``, ``KeyError``, ``TypeError`` or ``IndexError`` for a node that :func:`encode` did not make.
    """
    if not isinstance(node, dict):
        return node
    if "class" in node:
        return _decode_fields(KNOWN[node["class"]], node["fields"], arrays, like)
    if "unknown" in node:
        return _decode_unknown(node, arrays, like)
    if "array" in node or "key" in node:
        return _decode_array(node, arrays)
    ((kind, content),) = node.items()
    if kind == "float":
        return float.fromhex(content)
    if kind == "dict":
        return {decode(key, arrays): decode(item, arrays) for key, item in content}
    if kind == "treedef":
        return jax.tree_util.tree_structure(decode(content, arrays))
    return {"list": list, "tuple": tuple}[kind](decode(item, arrays) for item in content)


def _decode_fields(cls, fields, arrays, like):
    """One field after the other, each beside the same field of the specimen."""
    own = {field.name for field in dataclasses.fields(cls)}
    if own != set(fields):
        raise ValueError(
            f"a {cls.__name__} has the fields {', '.join(sorted(own))}, and the file "
            + " and ".join(
                f"{what} {', '.join(sorted(names))}"
                for what, names in (("lacks", own - set(fields)), ("adds", set(fields) - own))
                if names
            )
        )
    return cls(**{name: decode(node, arrays, getattr(like, name, NOTHING)) for name, node in fields.items()})


def _decode_unknown(node, arrays, like):
    if like is NOTHING:
        raise UnknownClass(node["unknown"])
    if "leaves" not in node:
        return like
    leaves, treedef = jax.tree_util.tree_flatten(like)
    if len(leaves) != len(node["leaves"]):
        raise UnlikeSpecimen(f"it has {len(node['leaves'])} leaves in a {node['unknown']}, and like has {len(leaves)}")
    pairs = zip(node["leaves"], leaves, strict=True)
    return jax.tree_util.tree_unflatten(treedef, [decode(leaf, arrays, specimen) for leaf, specimen in pairs])


def _decode_array(node, arrays):
    if "key" in node:
        return jax.random.wrap_key_data(jnp.asarray(arrays[node["key"]]), impl=node["kind"])
    array = arrays[node["array"]]
    if node["kind"] == "number":
        return array[()]
    return jnp.asarray(array) if node["kind"] == "jax" else array
