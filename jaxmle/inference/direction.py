"""A direction in the space of parameters, in words."""

import numpy as np


def describe_direction(column, labels: list[str]) -> str:
    """A direction in words, its largest coefficient one: ``x1 - 0.5 * x2``.

    >>> import numpy as np
    >>> describe_direction(np.array([2.0, 0.0, -1.0]), ["x1", "x2", "x3"])
    'x1 - 0.5 * x3'
    """
    column = np.asarray(column) / column[np.argmax(np.abs(column))]
    text = ""
    for label, weight in zip(labels, column, strict=True):
        if abs(weight) > 1e-6:
            size = "" if abs(abs(weight) - 1.0) < 1e-6 else f"{abs(weight):.4g} * "
            sign = ("" if weight > 0 else "-") if not text else (" + " if weight > 0 else " - ")
            text += f"{sign}{size}{label}"
    return text
