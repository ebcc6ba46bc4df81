"""The numbers of a prior: scales and strengths, checked where they are concrete."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxmle.core.tree import as_number, is_traced


def as_numbers(value: Any) -> Any:
    """A list of numbers as an array, any other as it is."""
    return jnp.asarray(value) if isinstance(value, list | tuple) else as_number(value)


def positive(value: Any, what: str) -> Any:
    """``value`` as numbers, all positive and finite; tracers are not looked at.

    Raises ``ValueError`` that begins with ``what`` for any other: below zero a penalty would push parameters apart,
    and at zero it is no density.

    >>> positive([1.0, 2.0], "the strength").tolist()
    [1.0, 2.0]
    """
    numbers = as_numbers(value)
    _check(numbers, what, lambda array: array > 0, "positive and finite", "leave it out, or those entries out of where")
    return numbers


def not_negative(value: Any, what: str) -> Any:
    """``value`` as numbers, all finite and zero or more. Raises ``ValueError`` as :func:`positive` does."""
    numbers = as_numbers(value)
    _check(numbers, what, lambda array: array >= 0, "zero or more, and finite", "leave it out")
    return numbers


def over(numbers: Any, leaf) -> Any:
    """``numbers`` in the shape of ``leaf``. Raises ``ValueError`` where they do not fit.

    >>> over(2.0, jnp.zeros(2)).tolist()
    [2.0, 2.0]
    """
    try:
        return jnp.broadcast_to(jnp.asarray(numbers, leaf.dtype), leaf.shape)
    except ValueError as error:
        raise ValueError(
            f"a prior was given an array of shape {jnp.shape(numbers)} (its scale, strength or loc), and what it is "
            f"over has shape {leaf.shape}: give one number, or one for each entry"
        ) from error


def _check(numbers, what, is_good, wanted, instead):
    if is_traced(numbers):
        return
    array = np.asarray(numbers)
    bad = ~(is_good(array) & np.isfinite(array))
    if bad.any():
        where = f" in entry {_first(bad)}" if array.ndim else ""
        raise ValueError(
            f"{what} must be {wanted}; it is {array[bad].ravel()[0]}{where}. For no penalty at all {instead}"
        )


def _first(bad) -> str:
    return ", ".join(str(int(i)) for i in np.argwhere(bad)[0])
