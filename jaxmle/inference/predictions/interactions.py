"""Interactions: columns of a design that are products of others, as the labels of formulas say."""

from collections.abc import Collection
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

_ROUNDINGS = 16  # of a product of a few numbers, in units of eps


class Product(NamedTuple):
    """A column of a design, by its ``index`` in a row, that is the product of others, by theirs."""

    index: tuple[int, ...]
    parts: tuple[tuple[int, ...], ...]


def parts_of(label: str) -> list[str]:
    """The parts of a ``label``, between the colons that are outside of brackets; one where it is no interaction.

    >>> parts_of("age:c[T.b:c]"), parts_of("c[T.b:c]")
    (['age', 'c[T.b:c]'], ['c[T.b:c]'])
    """
    parts, depth = [""], 0
    for letter in label:
        depth = max(depth + (letter in "([") - (letter in ")]"), 0)
        if letter == ":" and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def is_interaction(label: str, labels, frame: Collection[str] = ()) -> bool:
    """Whether ``label`` is that of an interaction: one of its parts is a column of the design, or a level of one.

    In a design that a formula made of the columns of a ``frame`` a colon has no other meaning, whether the parts are
    columns of the design or not (``y ~ a:b``), unless it is in the name of a column itself.

    >>> is_interaction("at 10:30", ["const"]), is_interaction("a:b", ["const"], {"a", "b"})
    (False, True)
    """
    parts = parts_of(label)
    if len(parts) < 2 or not all(parts) or label in frame:
        return False
    return bool(frame) or any(part in labels or part.endswith("]") for part in parts)


def products_with(moving: set[str], factor: str | None, indices: dict[str, tuple[int, ...]], x: Any):
    """The products among the columns of the design ``x`` (by label in ``indices``) in which the ``moving`` ones, or
    other columns of the category ``factor``, are parts.

    Raises ``ValueError`` where a part is no column of the design, or a column not the product of its parts, so that
    how it moves is not known.
    """
    found = []
    for label, index in indices.items():
        parts = parts_of(label)
        own = [p for p in parts if p in moving or (factor is not None and p.startswith(f"{factor}["))]
        if len(parts) < 2 or not own:
            continue
        missing = [part for part in parts if part not in indices]
        if missing:
            raise ValueError(
                f"{own[0]} also moves {label}, and that with {', '.join(missing)}, which is no column of the design: "
                "write the formula with the columns themselves (a * b), or compare jm.predict of two frames"
            )
        product = Product(index, tuple(indices[part] for part in parts))
        if not _is_product(x, product):
            raise ValueError(
                f"{label} is called the product of {' and '.join(parts)} and is not, so how it moves with {own[0]} is "
                "not known: give it another label, or compare jm.predict of two sets of rows"
            )
        found.append(product)
    return tuple(found)


def all_products(indices: dict[str, tuple[int, ...]], x: Any) -> tuple[Product, ...]:
    """Every column of the design ``x`` (by label in ``indices``) that is by its label and its numbers the product of
    others; by its label alone where ``x`` is None."""
    parts = {label: parts_of(label) for label in indices}
    labels = [label for label in indices if len(parts[label]) > 1 and all(part in indices for part in parts[label])]
    products = [Product(indices[label], tuple(indices[part] for part in parts[label])) for label in labels]
    return tuple(product for product in products if _is_product(x, product))


def _is_product(x, product) -> bool:
    """Whether the column is the product of its parts, in every row; exactly, of whole numbers. Taken for granted of
    rows that a trace hides."""
    if x is None:
        return True
    rounding = _ROUNDINGS * float(jnp.finfo(x.dtype).eps) if jnp.issubdtype(x.dtype, jnp.inexact) else 0.0
    x = np.asarray(x)
    column = x[(slice(None), *product.index)]
    expected = np.prod([x[(slice(None), *part)] for part in product.parts], axis=0)
    return bool(np.all(np.isclose(column, expected, rtol=rounding, atol=0.0) | np.isnan(column) | np.isnan(expected)))
