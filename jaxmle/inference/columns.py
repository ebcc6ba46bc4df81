"""Columns of the data of a regression: the numbers of one row, by name."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.tree import named_leaves
from jaxmle.inference.new_rows import design_labels
from jaxmle.parameters.layout import element_names
from jaxmle.parameters.space import Space
from jaxmle.terms import rows as row_tools

CONSTANTS = ("const", "Intercept")


class Column(NamedTuple):
    """A number of each row: the ``leaf``-th leaf of an opened row, the ``index`` in it, its ``name`` and whether it
    is ``floating``."""

    leaf: int
    index: tuple[int, ...]
    name: str = ""
    floating: bool = True


def columns_of(x: Any, space: Space, wanted: Sequence[str | int] | None, floating: bool) -> list[Column]:
    """The columns of ``x`` that are ``wanted``, by name or number.

    By default all that a derivative can be taken in, of the design alone where its columns have labels, without a
    constant. Raises ``ValueError`` for one that is not there or, for a derivative (``floating``), not floating.
    """
    named = design_labels(x, space)
    there = _all_columns(x, named)
    if wanted is None:
        return _by_default(there, named, floating)
    if isinstance(wanted, str | int):
        wanted = [wanted]
    by_name = {column.name: column for column in there}
    for name in wanted:
        outside = isinstance(name, int) and not -len(there) <= name < len(there)
        if outside or (not isinstance(name, int) and name not in by_name):
            raise ValueError(f"the data have no column {name!r}; the columns are: {', '.join(by_name)}")
    chosen = [there[name] if isinstance(name, int) else by_name[name] for name in wanted]
    whole = [column.name for column in chosen if not column.floating]
    if floating and whole:
        raise ValueError(f"{', '.join(whole)} holds whole numbers, which have no derivative: ask for its contrast")
    if not chosen:
        raise ValueError("columns is empty: name at least one column")
    return chosen


def _by_default(there, named, floating):
    if not floating:
        raise ValueError("say which columns to contrast, those of zeros and ones: columns=['treated']")
    own = set(named[1]) if named is not None else None
    chosen = [c for c in there if c.floating and c.name not in CONSTANTS and (own is None or c.name in own)]
    if not chosen:
        raise ValueError("the data have no column of floating numbers to take a derivative in")
    return chosen


def put(row: Any, place: Column, number) -> Any:
    """``row`` with ``number`` in the ``place`` of a column."""
    leaves, treedef = jax.tree_util.tree_flatten(row)
    leaf = leaves[place.leaf]
    leaves[place.leaf] = jnp.asarray(leaf).at[place.index].set(jnp.asarray(number, leaf.dtype))
    return treedef.unflatten(leaves)


def _all_columns(x, named) -> list[Column]:
    """Every number of a row, in the order of the leaves of the row; shared data are none."""
    columns, at = [], 0
    for name, leaf in named_leaves(x, row_tools.is_shared):
        if row_tools.is_shared(leaf):
            at += len(jax.tree.leaves(leaf.value))
            continue
        shape = leaf.shape[1:]
        names = named[1] if named is not None and name == named[0] else element_names(name or "x", shape)
        floating = bool(jnp.issubdtype(leaf.dtype, jnp.floating))
        columns += [Column(at, index, label, floating) for index, label in zip(np.ndindex(*shape), names, strict=True)]
        at += 1
    return columns
