"""A tree of arrays in one file: written whole or not at all, read back bit for bit, without pickle."""

import io
import json
import os
import pathlib
import zipfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.files import write_whole
from jaxmle.core.tree import is_array, named_leaves

VERSION = 1


def write_tree(path: str | os.PathLike, tree: Any, kind: str) -> None:
    """Write the arrays and numbers of ``tree`` to ``path``, an npz archive, so that no reader ever finds half a file.

    Arguments: ``path``, where; ``tree``, whose leaves are arrays (random keys too) or Python numbers; ``kind``, a
    word for what it is (``"checkpoint"``), which :func:`read_tree` asks for.

    Errors: ``TypeError`` for a leaf that is neither array nor number; ``OSError`` where the folder cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_tree(f"{folder}/a.npz", {"x": jnp.arange(3.0)}, "example")
    ...     read_tree(f"{folder}/a.npz", {"x": jnp.zeros(3)}, "example")["x"].tolist()
    [0.0, 1.0, 2.0]
    """
    described, arrays = [], {}
    for i, (name, leaf) in enumerate(named_leaves(tree)):
        stored, dtype = _stored(leaf, name)
        described.append([name, dtype, list(np.shape(leaf))])
        arrays[f"leaf{i}"] = stored
    header = json.dumps({"kind": kind, "version": VERSION, "leaves": described})
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(header.encode(), np.uint8), **arrays)
    write_whole(path, buffer.getvalue())


def read_tree(path: str | os.PathLike, like: Any, kind: str, part: str = "") -> Any:
    """The tree that :func:`write_tree` wrote to ``path``, in the structure of ``like``.

    Arguments: ``like``, a tree with the same leaves (arrays, numbers, or ``jax.ShapeDtypeStruct`` but for a key), in
    which an axis of length -1 stands for any length; ``part``, which leaves to read, by how their names begin. Python
    numbers come back as such, all else as JAX arrays.

    Errors: ``FileNotFoundError`` where there is no file; ``ValueError`` where the file is damaged, is of another
    kind, or holds another tree: the first leaf that differs is named.
    """
    header, arrays = _contents(pathlib.Path(path))
    if header["kind"] != kind:
        raise ValueError(f"{path} holds a {header['kind']}, not a {kind}; give the path of a {kind}")
    wanted, treedef = named_leaves(like), jax.tree_util.tree_structure(like)
    pairs = zip(arrays, header["leaves"], strict=True)
    found = [(array, described) for array, described in pairs if described[0].startswith(part)]
    _compare(path, [described for _, described in found], [_described(name, leaf) for name, leaf in wanted])
    leaves = [
        _restored(array, dtype, shape, leaf)
        for (array, (_, dtype, shape)), (_, leaf) in zip(found, wanted, strict=True)
    ]
    return jax.tree_util.tree_unflatten(treedef, leaves)


def kind_of(path: str | os.PathLike) -> str | None:
    """The kind of tree that :func:`write_tree` wrote to ``path``; None where it was written by something else.

    >>> kind_of("/dev/null")
    """
    try:
        return _contents(pathlib.Path(path))[0]["kind"]
    except (ValueError, OSError):
        return None


def _stored(leaf, name):
    """A leaf as an array that npz can hold, and the name of its dtype."""
    if _is_key(leaf):
        return np.asarray(jax.random.key_data(leaf)), str(leaf.dtype)
    if not is_array(leaf) and not isinstance(leaf, bool | int | float | complex):
        raise TypeError(
            f"only arrays and numbers are written to a file, and leaf {name!r} is a {type(leaf).__name__}: take it "
            "out, or keep it in the structure of the tree (a static field)"
        )
    array = np.asarray(leaf)
    # npz knows NumPy's own dtypes only: bfloat16 and its kin go in as bytes.
    native = array.dtype.kind in "biufc"
    return (array if native else np.frombuffer(array.tobytes(), np.uint8)), str(array.dtype)


def _restored(array, dtype, shape, like):
    if _is_key(like):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(like))
    if array.dtype != jnp.dtype(dtype):
        array = np.frombuffer(array.tobytes(), jnp.dtype(dtype)).reshape(shape)
    return type(like)(array) if isinstance(like, bool | int | float | complex) else jnp.asarray(array)


def _described(name, leaf):
    dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
    return [name, str(dtype), list(leaf.shape if hasattr(leaf, "shape") else np.shape(leaf))]


def _is_key(leaf) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _contents(path):
    """The header and the arrays of a file, with one error for all the ways it can be damaged."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes())
            if header["version"] != VERSION:
                raise ValueError(
                    f"{path} was written in version {header['version']} of this format, and this jaxmle reads version "
                    f"{VERSION}; read it with the jaxmle that wrote it"
                )
            arrays = [archive[f"leaf{i}"] for i in range(len(header["leaves"]))]
            return header, arrays
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, EOFError, KeyError, TypeError, AttributeError, OSError, json.JSONDecodeError) as error:
        raise _damaged(path) from error
    except ValueError as error:
        if "was written in version" in str(error):
            raise
        raise _damaged(path) from error


def _damaged(path):
    return ValueError(
        f"{path} cannot be read as a file of jaxmle: it is damaged, was cut short, or was written by something else; "
        "remove it, or give another path"
    )


def _compare(path, found, wanted):
    """Raise where two lists of leaves differ, in words."""
    for have, want in zip(found, wanted, strict=False):
        if have[0] != want[0]:
            raise ValueError(f"{path} holds {have[0]!r} where {want[0]!r} is wanted: it is of another model")
        same = len(have[2]) == len(want[2]) and all(w in (-1, h) for h, w in zip(have[2], want[2], strict=True))
        if have[1] != want[1] or not same:
            raise ValueError(
                f"{path} holds {have[0]!r} as {have[1]} of shape {tuple(have[2])}, and {want[1]} of shape "
                f"{tuple(want[2])} is wanted: it is of another model, optimiser or precision"
            )
    if len(found) != len(wanted):
        raise ValueError(
            f"{path} holds {len(found)} arrays and {len(wanted)} are wanted: it is of another model or optimiser"
        )
