"""Classes that are called by names: as the numbers 0, 1, ..., K - 1 of a categorical response, and the names."""

import dataclasses
from typing import Any

import numpy as np

from jaxmle.core.tree import is_traced
from jaxmle.terms.rows import have_weight


def as_codes(y: Any, weights=None) -> tuple[Any, tuple[str, ...] | None]:
    """``y`` as numbers from zero, with the names of its classes; ``y`` as it is, and None, where it is numbers already.

    Categories of pandas keep their order, those without a row left out; other labels are sorted. A row of no weight is
    not looked at. Raises ``ValueError`` where a label is missing, or some are numbers and some are texts.
    """
    if not are_names(y):
        return y, None
    rows, labels = have_weight(weights, len(y)), np.asarray(y, dtype=object)
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
