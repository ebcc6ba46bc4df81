"""The value and the slopes of a function in a few numbers, each slope with nothing of the others in it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def along_each(function: Callable, point: tuple) -> tuple[Any, list[Any]]:
    """``function(point)`` and its derivative along each number of ``point``, a tuple of scalars, in forward mode.

    It is linearised once: traced for each number anew, what the slopes share would be computed for each, since the
    compiler moves what depends on the numbers alone out of loops over rows before it looks for what is the same. The
    linear function is then differentiated along one number, and not called with zeros for the others: zero times the
    slope in another is a column of numbers for the compiler.

    >>> value, slopes = along_each(lambda point: point[0] ** 2 * point[1], (2.0, 3.0))
    >>> float(value), [float(slope) for slope in slopes]
    (12.0, [12.0, 4.0])
    """
    value, push = jax.linearize(function, point)
    one = tuple(jnp.ones_like(x) for x in point)

    def along(i):
        return jax.jvp(lambda x: push((*one[:i], x, *one[i + 1 :])), (one[i],), (one[i],))[1]

    return value, [along(i) for i in range(len(point))]
