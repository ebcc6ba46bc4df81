"""New rows to predict, shaped like those of a fitted regression."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxmle.core.tree import named_leaves
from jaxmle.parameters.space import Space
from jaxmle.terms import rows as row_tools


def new_rows(new_data: Any, x: Any, space: Space, design: Callable | None = None):
    """``new_data`` as rows like those of ``x``, the design of the fit; ``x`` itself where it is None.

    A data frame is made into a design as that of the fit was (``design``), where it came from a formula; else it is
    taken by the labels of the coefficients where the design is one array, by its columns' names where it is a dict.
    Raises ``TypeError`` for another structure, ``ValueError`` for other shapes or missing columns.
    """
    if new_data is None:
        return x
    names = design_labels(x, space)
    if design is not None and hasattr(new_data, "columns") and not _has_labels(new_data, names):
        new_data = design(new_data)
    if hasattr(new_data, "columns") and hasattr(new_data, "to_numpy"):
        new_data = _from_frame(new_data, x, names)
    new = row_tools.as_rows(new_data, "new_data")
    old = jax.tree_util.tree_structure(x, is_leaf=row_tools.is_shared)
    if jax.tree_util.tree_structure(new, is_leaf=row_tools.is_shared) != old:
        raise TypeError(
            f"new_data is not shaped like the data of the fit: it has {_described(new)}, and the fit was made with "
            f"{_described(x)}; give the same tree with other rows"
        )
    new = jax.tree.map(_like, new, x, is_leaf=row_tools.is_shared)
    for (name, leaf), (_, fitted) in zip(row_tools.row_leaves(new), row_tools.row_leaves(x), strict=True):
        if leaf.ndim != fitted.ndim or leaf.shape[1:] != fitted.shape[1:]:
            hint = f": one row is written {name or 'new_data'}[None]" if leaf.shape == fitted.shape[1:] else ""
            raise ValueError(
                f"new_data{' leaf ' + repr(name) if name else ''} has shape {leaf.shape}; it must have a leading axis "
                f"of rows, each of shape {fitted.shape[1:]} as in the fit{hint}"
            )
    row_tools.count_rows(new, "new_data")
    return new


def design_labels(x: Any, space: Space) -> tuple[str, tuple[str, ...]] | None:
    """The name of the leaf of ``x`` whose columns the labels of a parameter name, and the labels; None if no labels."""
    labels = [own for own in space.labels or () if own is not None]
    leaves = [(name, leaf) for name, leaf in row_tools.row_leaves(x) if jnp.ndim(leaf) == 2]
    found = [(name, tuple(own)) for name, leaf in leaves for own in labels if len(own) == leaf.shape[1]]
    return found[0] if len(found) == 1 else None


def _has_labels(frame, names) -> bool:
    """Whether the columns of the frame are those of the design itself."""
    return names is not None and set(names[1]) <= set(map(str, frame.columns))


def _from_frame(frame, x, names):
    """The columns of a frame that the fit was made with: an array where the design is one, else a dict."""
    columns = list(map(str, frame.columns))
    if isinstance(x, dict):
        wanted = [key for key, leaf in x.items() if not row_tools.is_shared(leaf)]
    else:
        wanted = columns if names is None else list(names[1])
    missing = [str(name) for name in wanted if name not in columns]
    if missing:
        raise ValueError(
            f"the data frame has no column {', '.join(missing)}, which the fit was made with: give its columns under "
            "the names of the coefficients, an array, or jm.predict the problem that a formula made"
        )
    if isinstance(x, dict):
        return {key: frame[key].to_numpy() if key in wanted else leaf for key, leaf in x.items()}
    return frame[wanted].to_numpy()


def _like(new, fitted):
    """``new`` in the floating type of the fit, so that whole numbers may be written without a point."""
    if row_tools.is_shared(new):
        return new
    return new.astype(fitted.dtype) if jnp.issubdtype(fitted.dtype, jnp.floating) else new


def _described(tree) -> str:
    leaves = named_leaves(tree, row_tools.is_shared)
    if len(leaves) == 1 and not leaves[0][0]:
        return "one array"
    return f"the leaves {', '.join(name or 'itself' for name, _ in leaves)}" if leaves else "nothing"
