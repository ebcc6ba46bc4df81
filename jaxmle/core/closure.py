"""Numbers that functions close over while JAX traces them."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun


def explicit(function: Callable, *arguments) -> tuple[Callable, list]:
    """``function`` of trees of arrays with one argument more, the first: what it closes over; and that, a list.

    They are found by tracing it, wherever Python hides them: in closures, defaults, partial functions, objects.

    >>> import jax.numpy as jnp
    >>> def shift(x):
    ...     double, numbers = explicit(lambda y: x + y, 1.0)
    ...     return double([2.0 * number for number in numbers], 1.0)
    >>> float(jax.jit(shift)(3.0))
    7.0
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
    treedef = jax.tree.structure(shape)

    def converted(numbers, *arguments):
        flat = jaxpr_as_fun(ClosedJaxpr(closed.jaxpr, numbers))(*jax.tree.leaves(arguments))
        return jax.tree.unflatten(treedef, flat)

    return converted, list(closed.consts)


def closed_over(function: Callable, *arguments) -> list[Tracer]:
    """The numbers that ``function`` closes over and that JAX traces; ``arguments`` are not meant.

    >>> import jax.numpy as jnp
    >>> jax.eval_shape(lambda x: jnp.zeros(len(closed_over(lambda y: x + y, 1.0))), 1.0).shape
    (1,)
    """
    return [number for number in explicit(function, *arguments)[1] if isinstance(number, Tracer)]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def sealed(message: str, found: Any, numbers: Any) -> Any:
    """``found``, of which derivatives are refused, with ``message`` as a ``TypeError``: those in ``numbers`` would
    silently be zero, and those in anything else would need the numbers where they are out of sight."""
    return found


def _sealed_jvp(message, primals, tangents):
    if any(not isinstance(tangent, SymbolicZero) for tangent in jax.tree.leaves(tangents, is_leaf=_is_zero)):
        raise TypeError(message)
    return primals[0], jax.tree.map(_written_out, tangents[0], is_leaf=_is_zero)


sealed.defjvp(_sealed_jvp, symbolic_zeros=True)


def _is_zero(tangent):
    return isinstance(tangent, SymbolicZero)


def _written_out(tangent):
    return np.zeros(tangent.shape, tangent.dtype)
