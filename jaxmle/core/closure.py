"""Numbers that functions close over while JAX traces them."""

import dataclasses
import functools
import types
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jax.custom_derivatives import SymbolicZero


def closed_over(value: Any) -> list[Tracer]:
    """The tracers in the closures of the functions that ``value`` is made of: modules, partial functions, trees.

    What is in the fields of modules and in trees is data and not meant.

    >>> import jax.numpy as jnp
    >>> jax.eval_shape(lambda x: jnp.zeros(len(closed_over(lambda y: x + y))), 1.0).shape
    (1,)
    """
    found: dict[int, Tracer] = {}
    _look(value, found, set(), False)
    return list(found.values())


def _look(value, found, seen, enclosed):
    """Add to ``found`` what is ``enclosed`` in a function."""
    if isinstance(value, Tracer):
        if enclosed:
            found[id(value)] = value
        return
    if id(value) in seen or isinstance(value, jax.Array | type | types.ModuleType):
        return
    seen.add(id(value))
    for part, inside in _parts(value):
        _look(part, found, seen, enclosed or inside)


def _parts(value) -> list[tuple[Any, bool]]:
    """What an object is made of, and whether that is enclosed in it rather than data."""
    if isinstance(value, types.FunctionType):
        return [(_content(cell), True) for cell in value.__closure__ or ()]
    if isinstance(value, types.MethodType):
        return [(value.__self__, False), (value.__func__, False)]
    if isinstance(value, functools.partial):
        hidden = not isinstance(value, jax.tree_util.Partial)
        return [(value.func, False), (value.args, hidden), (value.keywords, hidden)]
    if isinstance(value, dict):
        return [(item, False) for item in value.values()]
    if isinstance(value, tuple | list):
        return [(item, False) for item in value]
    if dataclasses.is_dataclass(value):
        return [(getattr(value, field.name, None), False) for field in dataclasses.fields(value)]
    wrapped = getattr(value, "__wrapped__", None)
    return [] if wrapped is None else [(wrapped, False)]


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # nothing is in it yet
        return None


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def sealed(message: str, found: Any, numbers: Any) -> Any:
    """``found``, of which derivatives in ``numbers`` are refused, with ``message`` as a ``TypeError``: they would
    silently be zero."""
    return found


def _sealed_jvp(message, primals, tangents):
    if any(not isinstance(tangent, SymbolicZero) for tangent in jax.tree.leaves(tangents[1], is_leaf=_is_zero)):
        raise TypeError(message)
    return primals[0], jax.tree.map(_written_out, tangents[0], is_leaf=_is_zero)


sealed.defjvp(_sealed_jvp, symbolic_zeros=True)


def _is_zero(tangent):
    return isinstance(tangent, SymbolicZero)


def _written_out(tangent):
    return np.zeros(tangent.shape, tangent.dtype) if _is_zero(tangent) else tangent
