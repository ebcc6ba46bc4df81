"""Fixed parameters, as tables and prints show them."""

import numpy as np

from jaxmle.core.tree import named_leaves
from jaxmle.parameters.layout import element_names

_MOST = 12  # numbers of one leaf: more are one line


def fixed_lines(name: str, value) -> list[tuple[str, float | None]]:
    """The label and the number of each line for the fixed leaf ``name``; a large array is one line, with its shape and
    None.

    >>> fixed_lines("b", np.array([1.0, 2.0])), fixed_lines("x", np.zeros((4, 5)))
    ([('b[0]', 1.0), ('b[1]', 2.0)], [('x (4, 5)', None)])
    """
    lines: list[tuple[str, float | None]] = []
    for path, array in named_leaves(value):
        array, label = np.asarray(array), f"{name}.{path}".rstrip(".")
        if array.size > _MOST:
            lines.append((f"{label} {array.shape}", None))
        else:
            numbers = map(float, array.ravel())
            lines += list(zip(element_names(label, array.shape), numbers, strict=True))
    return lines
