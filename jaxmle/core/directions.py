"""The value and the slopes of a function in a few numbers, each slope with nothing of the others in it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

_NOTHING = object()


def along_each(function: Callable, point: tuple) -> tuple[Any, list[Any]]:
    """``function(point)`` and its derivative along each number of ``point``, a tuple of scalars, in forward mode.

    It is linearised once: traced for each number anew, what the slopes share would be computed for each, since the
    compiler moves what depends on the numbers alone out of loops over rows before it looks for what is the same. And a
    slope is then computed of the one number: zero times the slope in another is a column of numbers for the compiler.

    >>> value, slopes = along_each(lambda point: point[0] ** 2 * point[1], (2.0, 3.0))
    >>> float(value), [float(slope) for slope in slopes]
    (12.0, [12.0, 4.0])
    """
    value, push = jax.linearize(function, point)
    one = [jnp.ones_like(x) for x in point]
    closed = jax.make_jaxpr(push)(tuple(one))
    shape = jax.tree.leaves(value)[0]
    slopes = []
    for i in range(len(point)):
        inputs = [one[j] if j == i else _NOTHING for j in range(len(point))]
        (slope,) = _push(closed.jaxpr, closed.consts, inputs)
        slopes.append(jnp.zeros_like(shape) if slope is _NOTHING else slope)
    return value, slopes


def _push(jaxpr, constants, inputs) -> list[Any]:
    """What a linear ``jaxpr`` makes of ``inputs``, some of which are ``_NOTHING``, zeros that are not written out."""
    known = dict(zip(jaxpr.constvars, constants, strict=True)) | dict(zip(jaxpr.invars, inputs, strict=True))
    moving = set(jaxpr.invars)

    def read(variable):
        return variable.val if hasattr(variable, "val") else known[variable]

    for equation in jaxpr.eqns:
        linear = [not hasattr(v, "val") and v in moving for v in equation.invars]
        arrived = [read(v) for v in equation.invars]
        if any(linear):
            moving.update(equation.outvars)
            if all(x is _NOTHING for x, is_linear in zip(arrived, linear, strict=True) if is_linear):
                known.update((v, _NOTHING) for v in equation.outvars)
                continue
        some = [x for x in arrived if x is not _NOTHING]
        shape = equation.outvars[0].aval.shape
        if equation.primitive.name in ("add", "add_any") and len(some) == 1 and jnp.shape(some[0]) == shape:
            leaving: Any = some
        else:
            full = [_zeros(v) if x is _NOTHING else x for v, x in zip(equation.invars, arrived, strict=True)]
            leaving = _bound(equation, full)
            leaving = leaving if equation.primitive.multiple_results else [leaving]
        known.update(zip(equation.outvars, leaving, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _bound(equation, arguments):
    found = equation.primitive.get_bind_params(equation.params)
    functions, parameters = ((), found) if isinstance(found, dict) else found  # before JAX 0.10
    return equation.primitive.bind(*functions, *arguments, **parameters)


def _zeros(variable):
    return jnp.zeros(variable.aval.shape, variable.aval.dtype)
