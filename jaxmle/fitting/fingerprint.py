"""Fingerprints: whether numbers are those of before, without keeping them."""

import dataclasses
import functools
import hashlib
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_WHOLE = 2**26  # bytes of an array that are all hashed
_SAMPLED = 2**16  # numbers of a longer one, beside a sum over all


def fingerprint(value: Any, code: bool = False) -> np.ndarray:
    """32 bytes that change with the numbers in ``value``: arrays, modules, dataclasses, trees.

    With ``code`` functions are looked into, for the settings of an optimiser: the constants they are written with and
    what they close over. Without, a function is a function. Of arrays over 64 MiB some numbers are hashed, and a sum
    of the bits of all.

    >>> bool((fingerprint({"a": 1.0}) == fingerprint({"a": 2.0})).all())
    False
    """
    walk = _Walk(code)
    walk.see(value)
    return np.frombuffer(walk.digest.digest(), np.uint8)


class _Walk:
    def __init__(self, code: bool):
        self.code, self.digest = code, hashlib.sha256()
        self.seen: dict[int, Any] = {}  # by id; held, so that no id is used again

    def see(self, value) -> None:
        """Add ``value`` to the digest. What is of no kind known here adds the name of its class alone."""
        self._add(type(value).__name__)
        if value is None or isinstance(value, bool | int | float | complex | str | bytes):
            self._add(repr(value))
        elif isinstance(value, jax.Array | np.ndarray | np.generic):
            self._see_array(value)
        elif isinstance(value, tuple | list):
            self._see_all(value)
        elif isinstance(value, dict):
            self._see_all(pair for pair in sorted(value.items(), key=lambda pair: str(pair[0])))
        elif isinstance(value, types.ModuleType):
            self._add(value.__name__)
        elif id(value) not in self.seen:
            self.seen[id(value)] = value
            self._see_all(self._inside(value))

    def _see_all(self, values) -> None:
        for value in values:
            self.see(value)
        self._add("end")

    def _inside(self, value) -> list[Any]:
        """What an object is made of."""
        if isinstance(value, functools.partial):
            return [value.func, value.args, value.keywords]
        if dataclasses.is_dataclass(value):
            return [getattr(value, field.name, None) for field in dataclasses.fields(value)]
        if isinstance(value, types.MethodType):
            return [value.__self__, value.__func__]
        if not self.code:
            return []
        if isinstance(value, types.FunctionType):
            cells = [_content(cell) for cell in value.__closure__ or ()]
            return [value.__code__, value.__defaults__, value.__kwdefaults__, *cells]
        if isinstance(value, types.CodeType):
            return list(value.co_consts)
        if type(value).__module__.startswith("optax"):
            return [vars(value)] if hasattr(value, "__dict__") else []
        return [value.__wrapped__] if hasattr(value, "__wrapped__") else []

    def _see_array(self, value) -> None:
        if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            value = jax.random.key_data(value)
        self._add(f"{value.dtype} {value.shape}")
        if not value.dtype.hasobject:
            self.digest.update(np.ascontiguousarray(_numbers(value)).tobytes())

    def _add(self, text: str) -> None:
        self.digest.update(text.encode() + b"\0")


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # nothing is in it yet
        return None


def _numbers(array):
    """The numbers of an array; of a long one a sum over the bits of all, and some."""
    if array.nbytes <= _WHOLE:
        return np.asarray(array)
    tools = jnp if isinstance(array, jax.Array) else np
    flat = tools.ravel(array)
    bits = flat.view(f"uint{8 * min(array.dtype.itemsize, 4)}")
    total = np.asarray(bits.sum(dtype=np.uint32)).tobytes()
    some = np.asarray(flat[:: max(1, flat.size // _SAMPLED)]).tobytes()
    return np.frombuffer(total + some, np.uint8)
