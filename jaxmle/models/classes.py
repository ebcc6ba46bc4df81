"""The classes of a categorical response: as the numbers 0, 1, ..., K - 1, how many there are, and their names."""

import dataclasses
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxmle.core.tree import is_traced
from jaxmle.models.design import as_response
from jaxmle.terms.rows import have_weight


class Classes(NamedTuple):
    """A response as ``codes`` from zero, of ``count`` classes, with their ``names`` where they have some."""

    codes: Any
    count: int
    names: tuple[str, ...] | None


def read_classes(y: Any, weights, n_classes: int | None, model: str, ordered: bool = False) -> Classes:
    """The classes of the response ``y`` of a ``model``, as many as ``n_classes`` where that is given.

    Numbers are those of the classes, from zero. Of names, categories of pandas keep their order, those without a row
    left out; other names are sorted, which is no order that an ``ordered`` response could have. A row of no weight is
    not looked at.

    Raises ``ValueError`` for a missing class, numbers among texts, names that have no order, another number of names
    than ``n_classes``, numbers from which it cannot be counted, or fewer than two classes; ``TypeError`` where
    ``n_classes`` is no whole number.
    """
    names = None
    if n_classes is not None and (isinstance(n_classes, bool) or not isinstance(n_classes, int | np.integer)):
        raise TypeError(f"n_classes must be a whole number, how many classes there are; it is {n_classes!r}")
    if are_names(y):
        if ordered:
            _refuse_unordered(y)
        y, names = _coded(y, weights)
        if n_classes not in (None, len(names)):
            raise ValueError(
                f"n_classes is {n_classes} and y has the {len(names)} classes {', '.join(names)}: leave n_classes out, "
                "or number the classes 0, 1, 2, ... yourself"
            )
        n_classes = len(names)
    elif n_classes is None:
        n_classes = _count(y, weights, ordered)
    if n_classes < 2:
        raise ValueError(f"{model} needs two classes or more; there is {n_classes}: check the labels y")
    return Classes(y, n_classes, names)


def _count(y, weights, all_there: bool) -> int:
    """One more than the largest number; where ``all_there``, refused unless each class has a row."""
    if is_traced(y):
        raise ValueError("inside jit or vmap the labels cannot be looked at: say n_classes= how many classes there are")
    with jax.ensure_compile_time_eval():  # y is known where the design is not
        labels = np.asarray(as_response(y))
    rows = np.flatnonzero(have_weight(weights, len(labels)))
    counted = labels[rows]
    there = np.unique(counted[np.isfinite(counted)])
    if not there.size:
        return 2
    if there[0] < 0:
        row = int(rows[counted < 0][0])
        raise ValueError(f"y is {labels[row]} at row {row}: labels are 0, 1, 2, ...; recode them")
    empty = next((place for place, label in enumerate(np.unique(there.astype(int))) if label != place), None)
    if all_there and empty is not None:
        raise ValueError(
            f"y has classes up to {there[-1]:g} and no row of the class {empty}, which would lie beyond all others or "
            f"have no width: number the classes that there are 0, 1, 2, ...{', such as y - 1' * (empty == 0)}"
        )
    return int(there[-1]) + 1


def _refuse_unordered(y):
    """Raise ``ValueError`` for names whose order nobody has said."""
    if _categories(y) is None or not getattr(y.dtype, "ordered", True):
        raise ValueError(
            "the classes of y are names in no order that is known: say it, lowest first, with "
            "pandas.Categorical(y, categories=[...], ordered=True), or number the classes 0, 1, 2, ..."
        )


def _coded(y: Any, weights) -> tuple[np.ndarray, tuple[str, ...]]:
    """Names as numbers from zero, and the name of each."""
    rows, labels = have_weight(weights, len(y)), np.asarray(y, dtype=object)
    rows = rows if rows.any() else ~rows
    gaps = [int(row) for row in np.flatnonzero(rows) if _is_missing(labels[row])]
    if gaps:
        many = f"{len(gaps)} such row{'s' * (len(gaps) > 1)}, counted from zero"
        raise ValueError(f"y has no class at row {gaps[0]} ({many}); drop or fill these rows first")
    categories, there = _categories(y), set(labels[rows])
    if categories is None and (others := [label for label in there if not isinstance(label, str)]):
        raise ValueError(f"y has texts and other labels ({others[0]!r}); write all of them as texts")
    order = [name for name in (sorted(there) if categories is None else categories) if name in there]
    places = {name: place for place, name in enumerate(order)}
    return np.array([places.get(label, 0) for label in labels]), tuple(map(str, order))


def are_names(y: Any) -> bool:
    """Whether ``y`` is a column of texts or of pandas' categories."""
    if is_traced(y):
        return False
    try:
        labels = np.asarray(y)
    except ValueError:  # ragged: whoever makes it an array says so
        return False
    if labels.ndim != 1 or not labels.size:
        return False
    texts = labels.dtype.kind in "UT" or (labels.dtype.kind == "O" and any(isinstance(label, str) for label in labels))
    return texts or _categories(y) is not None


def _is_missing(label) -> bool:
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas' NA is neither equal to itself nor not
        return True


def _categories(y) -> list | None:
    """The categories of a column or an array of pandas, or of an Enum of polars, in their order; None where it has
    none."""
    categories: Any = getattr(getattr(y, "dtype", None), "categories", None)
    return list(categories) if hasattr(categories, "__len__") else None


@dataclasses.dataclass(frozen=True)
class NamedClasses:
    """The remark that says which class is which number."""

    names: tuple[str, ...]

    def __call__(self, params, nobs, maximised):
        first, *others = self.names
        yield f"Classes, in the order of their probabilities: {first} (the baseline), {', '.join(others)}."
