"""The labels that pandas gives to rows: rows are taken in their order, and nobody else sees that the labels differ."""

from typing import Any

import jax

from jaxmle.core.tree import named_leaves


def check_row_labels(**given: Any) -> None:
    """Raise ``ValueError`` where pandas objects among the leaves of what is ``given``, by name, label their rows
    differently.

    >>> import pandas
    >>> x, y = pandas.Series([1.0, 2.0]), pandas.Series([1.0, 2.0], index=[1, 0])
    >>> check_row_labels(x=x, y=y)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: x and y label their rows differently (their pandas index): row 0, ... is 0 in x and 1 in y. Rows ...
    """
    if sum(hasattr(leaf, "iloc") for leaf in jax.tree.leaves(given)) < 2:  # names take long where there are many leaves
        return
    leaves = [pair for name, value in given.items() for pair in named_leaves({name: value})]
    labelled = [(name, leaf.index) for name, leaf in leaves if hasattr(leaf, "iloc")]
    for name, index in labelled[1:]:
        first, wanted = labelled[0]
        if len(index) != len(wanted) or index.equals(wanted):  # other lengths are the business of other checks
            continue
        pairs = list(zip(wanted.tolist(), index.tolist(), strict=True))
        row = next((i for i, pair in enumerate(pairs) if not _is_same(*pair)), None)
        if row is None:  # of other types only
            continue
        raise ValueError(
            f"{first} and {name} label their rows differently (their pandas index): row {row}, counted from zero, is "
            f"{pairs[row][0]!r} in {first} and {pairs[row][1]!r} in {name}. Rows are paired by their order: bring both "
            "into the same one (by .loc with the other's index, where it has each label once), or, where they are in "
            f"it and the labels mean nothing, give {name} without them (.to_numpy())"
        )


def _is_same(one, other) -> bool:
    """Whether two labels are equal, or both none."""
    try:
        return bool(one == other) or bool(one != one and other != other)
    except (TypeError, ValueError):  # pandas.NA, which is equal to nothing
        return one is other
