"""A design and a response: the arrays of a regression, checked for shape and named."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxmle.core.tree import as_array


def as_design(x, y, labels: Sequence[str] | None = None):
    """``x`` as an (n, p) array of floats, ``y`` as an array of n rows, and the names of the columns or None.

    Names are ``labels``, or those of a data frame's columns. Raises ``ValueError`` for a design that is not
    two-dimensional, a response that is not a vector, different numbers of rows, or the wrong number of labels.
    """
    if labels is None and hasattr(x, "columns"):
        labels = [str(column) for column in x.columns]
    x, y = as_floats(x, "x"), as_response(y)
    if x.ndim != 2:
        raise ValueError(
            f"the design x must have shape (rows, columns); it has shape {x.shape}: write x[:, None] for one column"
        )
    if x.shape[0] != y.shape[0]:
        raise ValueError(
            f"x has shape {x.shape} and y has shape {y.shape}: give them the same number of rows, {x.shape[0]} or "
            f"{y.shape[0]}"
        )
    if labels is not None and len(labels) != x.shape[1]:
        raise ValueError(f"x has {x.shape[1]} columns and {len(labels)} labels; give one label for each column")
    return x, y, labels


def as_response(y):
    """``y`` as an array of shape (n,). Raises ``ValueError`` for any other shape, or no rows."""
    y = as_array(y, "y")
    if y.ndim != 1:
        hint = "flatten it with y[:, 0]" if y.ndim == 2 and y.shape[1] == 1 else "give one number for each row"
        raise ValueError(f"the response y must be a vector of shape (rows,); it has shape {y.shape}: {hint}")
    if y.shape[0] == 0:
        raise ValueError("y is empty: no rows, so nothing can be estimated; check how it was filtered")
    return y


def as_floats(x, name: str):
    """``x`` as a floating array, integers and booleans included."""
    x = as_array(x, name)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)
