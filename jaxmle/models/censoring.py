"""Observations known to an interval only: their ends, and points that stand for them in a start."""

from collections.abc import Mapping

import jax.numpy as jnp

from jaxmle.core.tree import as_array
from jaxmle.models.design import as_floats

UPPER = "censored"  # what the row of an observation calls its upper end


def ends(y, censored):
    """The lower and the upper ends of what is known of ``y``, floats (n,), and the one side to which it is censored,
    "left" or "right", None where it may be both or an interval.

    ``censored`` is an array of booleans, of upper ends, or a mapping with "left" or "right" or both. Raises
    ``TypeError`` for whole numbers, which may mean either; ``ValueError`` for other keys or shapes.
    """
    y = as_floats(y, "y")
    if isinstance(censored, Mapping):
        unknown = [key for key in censored if key not in ("left", "right")]
        if unknown or not censored:
            raise ValueError(
                f"censored has no kind {', '.join(map(repr, unknown)) or 'at all'}: give {{'left': booleans}}, "
                "{'right': booleans} or both; intervals are given by their upper ends, and y by the lower"
            )
        left, right = (_flags(y, censored[key], key) if key in censored else None for key in ("left", "right"))
        lower = y if left is None else jnp.where(left, -jnp.inf, y)
        side = "right" if left is None else "left" if right is None else None
        return lower, y if right is None else jnp.where(right, jnp.inf, y), side
    censored = as_array(censored, "censored")
    _check_shape(y, censored)
    if censored.dtype == bool:
        return y, jnp.where(censored, jnp.inf, y), "right"
    if not jnp.issubdtype(censored.dtype, jnp.floating):
        raise TypeError(
            "censored holds whole numbers, which may be flags or upper ends: give booleans (flags == 1; take care that "
            "in many tables 1 means observed, not censored), or upper ends as floats"
        )
    return y, censored.astype(y.dtype), None


def _flags(y, flags, kind: str):
    flags = as_array(flags, f"censored[{kind!r}]")
    _check_shape(y, flags)
    if flags.dtype != bool:
        raise TypeError(f"censored[{kind!r}] must be booleans, True where censored, not {flags.dtype}")
    return flags


def _check_shape(y, censored):
    if censored.shape != y.shape:
        raise ValueError(
            f"censored has shape {censored.shape} and y has shape {y.shape}; give one entry for each observation"
        )


def points(y, upper, weights, is_positive: bool):
    """A number for each observation, its weight, and the share that is not right-censored: for a start.

    That is the middle of an interval, or its only finite end. Rows that tell nothing have no weight, and neither have
    those that a positive density could not produce.
    """
    weights = jnp.ones_like(y) if weights is None else weights.astype(y.dtype)
    exact = jnp.ones((), y.dtype)
    if upper is not None:
        middle = jnp.where(jnp.isfinite(y), 0.5 * (y + upper), upper)
        open_above = upper == jnp.inf
        told = jnp.where(open_above, jnp.isfinite(y), True)
        y = jnp.where(told, jnp.where(open_above, y, middle), 1.0)
        weights = jnp.where(told, weights, 0.0)
        exact = jnp.maximum(jnp.sum(jnp.where(open_above, 0.0, weights)) / jnp.sum(weights), 0.05)
    if is_positive:
        weights = jnp.where(y > 0, weights, 0.0)
    return jnp.where(weights > 0, y, jnp.where(is_positive, 1.0, y)), weights, exact
