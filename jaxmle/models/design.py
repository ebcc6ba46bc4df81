"""A design and a response: the arrays of a regression, checked for shape and named; and its linear predictor."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxmle.core.tree import as_array
from jaxmle.parameters import free
from jaxmle.terms.rows import check_labels, check_weights_shape

LOG_EXPOSURE = "log(exposure), exposure > 0"  # what the message about a row that has none calls it
END = "end of the time (event 0 or 1, time from 0 on)"  # and what is no event


def as_design(x, y, labels: Sequence[str] | None = None, **others):
    """``x`` as an (n, p) array of floats, ``y`` as an array of n rows, and the names of the columns or None.

    Names are ``labels``, or those of a data frame's columns; ``others`` have the same rows. Raises ``ValueError`` for a
    design that is not two-dimensional or has no columns, a response that is not a vector, different numbers of rows or
    labels of them, or the wrong number of labels of columns.
    """
    check_labels(x=x, y=y, **others)
    if labels is None and hasattr(x, "columns"):
        labels = [str(column) for column in x.columns]
    x, y = as_floats(x, "x"), as_response(y)
    if x.ndim != 2:
        raise ValueError(
            f"the design x must have shape (rows, columns); it has shape {x.shape}: write x[:, None] for one column"
        )
    if x.shape[1] == 0:
        raise ValueError(
            f"the design x has no columns (shape {x.shape}), so there is no coefficient to estimate: give it a column, "
            "such as jnp.ones((rows, 1)) for an intercept alone"
        )
    if x.shape[0] != y.shape[0]:
        raise ValueError(
            f"x has shape {x.shape} and y has shape {y.shape}: give them the same number of rows, {x.shape[0]} or "
            f"{y.shape[0]}"
        )
    if labels is not None and len(labels) != x.shape[1]:
        raise ValueError(f"x has {x.shape[1]} columns and {len(labels)} labels; give one label for each column")
    return x, y, labels


def as_response(y, **others):
    """``y`` as an array of shape (n,). Raises ``ValueError`` for any other shape, no rows, or ``others`` of the same
    rows that label them differently."""
    check_labels(y=y, **others)
    y = as_column(y, "y", "the response y")
    if y.shape[0] == 0:
        raise ValueError("y is empty: no rows, so nothing can be estimated; check how it was filtered")
    return y


def as_column(values, name: str, what: str):
    """``values`` as an array of shape (n,). Raises ``ValueError`` for any other shape."""
    values = as_array(values, name)
    if values.ndim != 1:
        column = values.ndim == 2 and values.shape[1] == 1
        hint = f"flatten it with {name}[:, 0]" if column else "give one number for each row"
        hint += "; for many fits at once see jm.fit_batch" if values.ndim > 1 and not column else ""
        raise ValueError(f"{what} must be a vector of shape (rows,); it has shape {values.shape}: {hint}")
    return values


def as_weights(weights, y):
    """``weights`` as an array, None where there are none. Raises ``ValueError`` unless there is one for each ``y``."""
    if weights is None:
        return None
    weights = as_array(weights, "weights")
    check_weights_shape(weights, y.shape[0], "the model")
    return weights


def as_floats(x, name: str):
    """``x`` as a floating array, integers and booleans included."""
    x = as_array(x, name)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)


def as_rows_of(x, offset=None, exposure=None):
    """The rows that :func:`line` takes: the design, and what is added to its linear predictor.

    ``offset`` (n,) is added as it is, ``exposure`` (n,) by its logarithm. Values are not looked at: the log of an
    exposure that is not positive is not finite, and a fit says which row that is.
    """
    added = {}
    if offset is not None:
        added["offset"] = as_column(offset, "offset", "the offset").astype(x.dtype)
    if exposure is not None:
        times = as_column(exposure, "exposure", "the exposure").astype(x.dtype)
        added[LOG_EXPOSURE] = jnp.where(times <= 0, -jnp.inf, jnp.log(times))  # of a negative one it is not missing
    return {"x": x, **added} if added else x


def line(params, row):
    """The linear predictor of one row: ``x . beta``, and what has no coefficient."""
    if not isinstance(row, dict):
        return row @ params["beta"]
    added = [row[name] for name in ("offset", LOG_EXPOSURE) if name in row]
    return row["x"] @ params["beta"] + sum(added)


def log_line(rows, y):
    """The design, and the logs of positive ``y`` less what has no coefficient: what a line is laid through."""
    logs = jnp.log(jnp.where(y > 0, y, 1.0))
    if not isinstance(rows, dict):
        return rows, logs
    return rows["x"], logs - rows["offset"] if "offset" in rows else logs


def coefficients(x, labels: Sequence[str] | None):
    """Where the coefficients of a design start: at zero, under their names."""
    return free(jnp.zeros(x.shape[1], x.dtype), labels)
