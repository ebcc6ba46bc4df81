"""Columns of the data of a regression: the numbers of one row, by name."""

import math
import re
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.tree import is_traced, named_leaves
from jaxmle.inference.predictions.interactions import Product, all_products, is_interaction, parts_of, products_with
from jaxmle.inference.predictions.new_rows import design_labels, is_beside
from jaxmle.parameters.layout import element_names
from jaxmle.parameters.space import Space
from jaxmle.terms import rows as row_tools

CONSTANTS = ("const", "Intercept")
_LEVEL = re.compile(r"(.+)\[((?:(?!\]:).)+)\]")  # what formulas call the column of a level, or of a spline
_APART = "write the formula with the columns themselves (a * b), or compare jm.predict of two frames"
_OTHER_CODING = re.compile(r"[SHD]\.|\.|\^")  # sums, Helmert, differences, polynomials


class Column(NamedTuple):
    """A number of each row: the ``leaf``-th leaf of an opened row, the ``index`` in it, its ``name`` and whether it
    is ``floating``; ``siblings`` are the places in that leaf of the other levels of its category, ``products`` the
    interactions there that move with it."""

    leaf: int
    index: tuple[int, ...]
    name: str = ""
    floating: bool = True
    siblings: tuple[tuple[int, ...], ...] = ()
    products: tuple[Product, ...] = ()


def columns_of(
    term: Any, space: Space, wanted: Iterable[str | int] | str | int | None, floating: bool, frame: Collection[str] = ()
) -> list[Column]:
    """The columns of the data of a regression ``term`` that are ``wanted``, by name or number, those of a set in the
    order of the data; ``frame`` names the columns of the data frame that a formula made them of.

    By default all that a derivative can be taken in, of the design alone where its columns have labels or the rows are
    those of a model, without a constant. Raises ``ValueError`` for one that is not there; for a derivative
    (``floating``), one that is not floating; for a contrast, one that is no level of a category against its base.
    """
    named = design_labels(term.x, space)
    there = _all_columns(term.x, named)
    if wanted is None:
        chosen = _by_default(_of_the_design(there, term.x), named, floating, frame)
        return _with_what_moves(chosen, there, named, term, floating, frame)
    in_order, wanted = not isinstance(wanted, set | frozenset), _named_or_numbered(wanted)
    by_name = {column.name: column for column in there}
    called = {place.name: column for place, column in zip(_all_columns(term.x, None), there, strict=True)} | by_name
    for name in wanted:
        outside = isinstance(name, int) and not -len(there) <= name < len(there)
        if outside or (not isinstance(name, int) and name not in called):
            _refuse_a_part(name, by_name, frame)
            raise ValueError(f"the data have no column {name!r}; the columns are: {', '.join(by_name)}")
    chosen = [there[name] if isinstance(name, int) else called[name] for name in wanted]
    whole = [column.name for column in chosen if not column.floating]
    if floating and whole:
        raise ValueError(f"{', '.join(whole)} holds whole numbers, which have no derivative: ask for its contrast")
    if not chosen:
        raise ValueError("columns is empty: name at least one column")
    chosen = chosen if in_order else sorted(chosen, key=there.index)
    return _with_what_moves(chosen, there, named, term, floating, frame)


def _refuse_a_part(name, labels, frame):
    """Raise ``ValueError`` where ``name`` is no column but a part of interactions, by their ``labels``."""
    products = [label for label in labels if is_interaction(label, labels, frame) and name in parts_of(label)]
    if products:
        raise ValueError(f"{name} is part of {', '.join(products)} and no column of the design: {_APART}")


def _named_or_numbered(wanted: Any) -> list[str | int]:
    """The columns ``wanted``, each a name or a number of Python's own.

    Raises ``TypeError`` for anything else.
    """
    one = isinstance(wanted, str) or not isinstance(wanted, Iterable) or getattr(wanted, "ndim", 1) == 0
    wanted = [wanted] if one else list(wanted)
    strange = [one for one in wanted if not isinstance(one, str | int | np.integer) or isinstance(one, bool)]
    if strange:
        raise TypeError(f"columns are given by their names or their numbers, counted from zero, not by {strange[0]!r}")
    return [str(one) if isinstance(one, str) else int(one) for one in wanted]


def _by_default(there, named, floating, frame):
    if not floating:
        raise ValueError("say which columns to contrast, those of zeros and ones: columns=['treated']")
    own = set(named[1]) if named is not None else None
    chosen = [c for c in there if c.floating and c.name not in CONSTANTS and (own is None or c.name in own)]
    products = [] if own is None else [c for c in chosen if is_interaction(c.name, own, frame)]
    chosen = [c for c in chosen if c not in products]
    if products and not chosen:
        names = ", ".join(c.name for c in products)
        raise ValueError(f"the design has interactions only, which do not move alone: {names}; {_APART}")
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


def _with_what_moves(chosen, there, named, term, floating, frame):
    """The ``chosen`` columns, those that have labels with what moves with them: their category, their interactions.

    Raises ``ValueError`` for an interaction, which does not move alone.
    """
    if named is None:
        return chosen
    design, (_, indices) = _that_counts(term, named[0]), _in_design(there, named)
    products = [c.name for c in chosen if c.name in named[1] and is_interaction(c.name, indices, frame)]
    if products:
        apart = any(part in indices for part in parts_of(products[0]))
        instead = "ask for one of its columns, or compare jm.predict of two frames" if apart else _APART
        raise ValueError(f"{products[0]} is an interaction, which does not change alone: {instead}")
    indices = _not_in_names(indices, frame)
    return [c if c.name not in named[1] else _moved(c, there, indices, design, floating) for c in chosen]


def made_of_one(term: Any, space: Space, chosen: Iterable[str], frame: Collection[str]) -> list[str]:
    """A sentence for each column of the ``frame`` that a formula made several columns of the design of, one of them
    ``chosen``, other than levels of a category and interactions: a column and its square, the parts of a spline."""
    named, sentences = design_labels(term.x, space), []
    labels = [] if named is None else [label for label in named[1] if not is_interaction(label, named[1], frame)]
    for name in sorted(map(str, frame)):
        longer = [other for other in map(str, frame) if name in other and other != name]
        of_it = [label for label in labels if _mentions(label, name, longer)]
        whole = {label.rpartition("[")[0] or label for label in of_it}
        is_category = len(whole) == 1 and (name in whole or min(whole).startswith("C("))
        if len(of_it) > 1 and not is_category and not set(of_it).isdisjoint(chosen):
            sentences.append(
                f"{', '.join(of_it)} are made of one column, {name}: each effect is that of its own column of the "
                f"design with the others held, and none is the effect of {name}; compare jm.predict of two frames."
            )
    return sentences


def _mentions(label: str, name: str, longer: list[str]) -> bool:
    """Whether ``name`` is a word of ``label``, and not part of a ``longer`` name."""
    for other in longer:
        label = label.replace(other, "")
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", label) is not None


def _in_design(there, named):
    """The number of the leaf that is the design, and the indices of its columns by their labels."""
    leaf = next(column.leaf for column in there if column.name in named[1])
    return leaf, {c.name: c.index for c in there if c.leaf == leaf}


def _not_in_names(indices, frame):
    """The ``indices`` of all but the columns of a ``frame`` that have a colon in their own name."""
    return {label: index for label, index in indices.items() if label not in frame or len(parts_of(label)) == 1}


def _that_counts(term, name):
    """The rows of weight other than zero of the leaf of the data that has a ``name``; None where a trace hides them."""
    design = dict(row_tools.row_leaves(term.x))[name]
    if is_traced((design, term.weights)):
        return None
    return np.asarray(design)[row_tools.have_weight(term.weights, design.shape[0])]


def _moved(column, there, indices, design, floating):
    column = column if floating else _with_siblings(column, there)
    moving = {name for name, index in indices.items() if index in (column.index, *column.siblings)}
    match = None if floating else _LEVEL.fullmatch(column.name)
    factor = None if match is None else match.group(1)
    return column._replace(products=products_with(moving, factor, indices, design))


def _with_siblings(column, there):
    """``column`` with the others of its category, in the labels of formulas: those of ``c[T.v]`` are all ``c[T...]``.

    Raises ``ValueError`` where a level is not told by one column of zeros and ones: other codings.
    """
    match = _LEVEL.fullmatch(column.name)
    if match is None:
        return column
    factor, level = match.groups()
    own = [c for c in there if c.leaf == column.leaf and c.name != column.name and len(parts_of(c.name)) == 1]
    levels = [c for c in own if (found := _LEVEL.fullmatch(c.name)) is not None and found.group(1) == factor]
    if (levels and not level.startswith("T.")) or _OTHER_CODING.match(level):
        others = ", ".join([c.name for c in levels] or [column.name])
        raise ValueError(
            f"{column.name} from 0 to 1 is no change of level: {factor} is also told by {others}; code it against a "
            "base level in columns of its own, with an intercept (y ~ C(...)), or compare jm.predict of two frames "
            "that have the levels"
        )
    return column._replace(siblings=tuple(c.index for c in levels))


def put(row: Any, place: Column, number) -> Any:
    """``row`` with ``number`` in the ``place`` of a column, and what moves with it."""
    leaves, treedef = jax.tree_util.tree_flatten(row)
    leaf = jnp.asarray(leaves[place.leaf])
    for sibling in place.siblings:
        leaf = leaf.at[sibling].set(jnp.zeros((), leaf.dtype))
    leaves[place.leaf] = leaf.at[place.index].set(jnp.asarray(number, leaf.dtype))
    return multiplied(treedef.unflatten(leaves), place.leaf, place.products)


def multiplied(row: Any, number: int, products: tuple[Product, ...]) -> Any:
    """``row`` with the ``products`` in the ``number``-th of its leaves made of their parts there."""
    leaves, treedef = jax.tree_util.tree_flatten(row)
    leaf = jnp.asarray(leaves[number])
    for product in products:
        leaf = leaf.at[product.index].set(math.prod(leaf[part] for part in product.parts))
    leaves[number] = leaf
    return treedef.unflatten(leaves)


def products_of(term: Any, space: Space, frame: Collection[str] = ()) -> tuple[int, tuple[Product, ...]]:
    """The number of the leaf of a row that is the design, and its columns that are products of others; zero and none
    where it has no labels."""
    named = design_labels(term.x, space)
    if named is None:
        return 0, ()
    leaf, indices = _in_design(_all_columns(term.x, named), named)
    return leaf, all_products(_not_in_names(indices, frame), _that_counts(term, named[0]))


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
