"""Columns of the data of a regression: the numbers of one row, by name."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.tree import named_leaves
from jaxmle.inference.predictions.new_rows import design_labels, is_beside
from jaxmle.parameters.layout import element_names
from jaxmle.parameters.space import Space
from jaxmle.terms import rows as row_tools

CONSTANTS = ("const", "Intercept")
_LEVEL = re.compile(r"(.+)\[((?:(?!\]:).)+)\]")  # what formulas call the column of a level, or of a spline
_OTHER_CODING = re.compile(r"[SHD]\.|\.|\^")  # sums, Helmert, differences, polynomials


class Column(NamedTuple):
    """A number of each row: the ``leaf``-th leaf of an opened row, the ``index`` in it, its ``name`` and whether it
    is ``floating``; ``siblings`` are the places in that leaf of the other levels of its category."""

    leaf: int
    index: tuple[int, ...]
    name: str = ""
    floating: bool = True
    siblings: tuple[tuple[int, ...], ...] = ()


def columns_of(x: Any, space: Space, wanted: Sequence[str | int] | None, floating: bool) -> list[Column]:
    """The columns of ``x`` that are ``wanted``, by name or number.

    By default all that a derivative can be taken in, of the design alone where its columns have labels or the rows are
    those of a model, without a constant. Raises ``ValueError`` for one that is not there; for a derivative
    (``floating``), one that is not floating; for a contrast, one that is no level of a category against its base.
    """
    named = design_labels(x, space)
    there = _all_columns(x, named)
    if wanted is None:
        return _by_default(_of_the_design(there, x), named, floating)
    if isinstance(wanted, str | int):
        wanted = [wanted]
    by_name = {column.name: column for column in there}
    called = {place.name: column for place, column in zip(_all_columns(x, None), there, strict=True)} | by_name
    for name in wanted:
        outside = isinstance(name, int) and not -len(there) <= name < len(there)
        if outside or (not isinstance(name, int) and name not in called):
            raise ValueError(f"the data have no column {name!r}; the columns are: {', '.join(by_name)}")
    chosen = [there[name] if isinstance(name, int) else called[name] for name in wanted]
    whole = [column.name for column in chosen if not column.floating]
    if floating and whole:
        raise ValueError(f"{', '.join(whole)} holds whole numbers, which have no derivative: ask for its contrast")
    if not chosen:
        raise ValueError("columns is empty: name at least one column")
    if floating or named is None:
        return chosen
    return [_with_siblings(column, there) if column.name in named[1] else column for column in chosen]


def _by_default(there, named, floating):
    if not floating:
        raise ValueError("say which columns to contrast, those of zeros and ones: columns=['treated']")
    own = set(named[1]) if named is not None else None
    chosen = [c for c in there if c.floating and c.name not in CONSTANTS and (own is None or c.name in own)]
    if not chosen:
        raise ValueError("the data have no column of floating numbers to take a derivative in")
    return chosen


def _of_the_design(there, x):
    """The columns of the design alone, where beside it are only what a model adds or divides by."""
    names = [name.rsplit(".", 1)[-1] for name, _ in named_leaves(x, row_tools.is_shared)]
    rest = [i for i, name in enumerate(names) if not is_beside(name)]
    if [names[i] for i in rest] != ["x"]:
        return there
    return [column for column in there if column.leaf == rest[0]]


def _with_siblings(column, there):
    """``column`` with the others of its category, in the labels of formulas: those of ``c[T.v]`` are all ``c[T...]``.

    Raises ``ValueError`` where a level is not told by one column of zeros and ones: other codings, interactions.
    """
    match = _LEVEL.fullmatch(column.name)
    if "]:" in column.name or (match is not None and ":" in re.sub(r"\(.*\)", "", match.group(1))):
        raise ValueError(
            f"{column.name} is an interaction, which does not change alone: ask for the contrast of one column, or "
            "compare jm.predict of two frames"
        )
    if match is None:
        return column
    factor, level = match.groups()
    own = [c for c in there if c.leaf == column.leaf and c.name != column.name]
    levels = [c for c in own if (found := _LEVEL.fullmatch(c.name)) is not None and found.group(1) == factor]
    crossed = [c.name for c in own if c not in levels and (c.name.startswith(f"{factor}[") or f":{factor}[" in c.name)]
    if (levels and not level.startswith("T.")) or _OTHER_CODING.match(level) or crossed:
        others = ", ".join(crossed or [c.name for c in levels] or [column.name])
        raise ValueError(
            f"{column.name} from 0 to 1 is no change of level: {factor} is also told by {others}; code it against a "
            "base level in columns of its own, with an intercept (y ~ C(...)), or compare jm.predict of two frames "
            "that have the levels"
        )
    return column._replace(siblings=tuple(c.index for c in levels))


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
