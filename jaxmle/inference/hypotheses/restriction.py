"""Linear restrictions on the parameters, from text: "gpa = 0, a - b = 1" to a matrix."""

import ast
import difflib
import itertools
import re
from collections.abc import Sequence

import numpy as np

from jaxmle.parameters.layout import FREE, TIED, element_names
from jaxmle.parameters.space import Space

_WORD = r"_at_(\d+)_"  # stands for the name in that place while a text is read


def scalar_names(space: Space) -> dict[str, int]:
    """The names by which a restriction may call the unfixed scalars of params: labels, and places (``beta[0]``).

    A label that several scalars share names the first; the others are ``const (2)``, as in the tables. A label that
    is a number (the columns of a frame without names) is none here: the place is.
    """
    names, at = {}, 0
    for leaf in space.layout.leaves:
        if leaf.kind in (FREE, TIED):
            for name in element_names(leaf.name, space.layout.shapes[leaf.index]):
                names[name] = at
                at += 1
    names |= {label: i for i, label in enumerate(space.scalar_labels())}
    return {name: i for name, i in names.items() if not _is_number(name)}


def _is_number(name: str) -> bool:
    return re.fullmatch(r"\s*[\d.]+(e[+-]?\d+)?\s*", name, re.IGNORECASE) is not None


def linear_restrictions(text: str, names: dict[str, int], count: int) -> tuple[np.ndarray, np.ndarray]:
    """The matrix R (k, count) and the values r (k,) of the restrictions ``R scalars = r`` that ``text`` says.

    Restrictions are separated by commas; each is an equation, or a chain of them, between sums of multiples of
    ``names``. Without an equals sign it is set to zero. Raises ``ValueError`` for a name that is none, what cannot be
    read, and what is not linear.

    >>> matrix, values = linear_restrictions("a - b = 1, 2 * b", {"a": 0, "b": 1}, 2)
    >>> matrix.tolist(), values.tolist()
    ([[1.0, -1.0], [0.0, 2.0]], [1.0, 0.0])
    """
    rows = []
    for part in _with_places(text, names).split(","):
        sides = [_linear(side, text, names, count) for side in part.replace("==", "=").split("=")]
        sides = [*sides, np.zeros(count + 1)] if len(sides) == 1 else sides
        rows += [left - right for left, right in itertools.pairwise(sides)]
    table = np.stack(rows)
    return table[:, :count], 0.0 - table[:, count]


def check_matrix(matrix: np.ndarray, what: str) -> None:
    """Raise ``ValueError`` where the rows of a concrete ``matrix`` do not restrict anything, one follows from the
    others, or a number is not finite."""
    if not np.isfinite(matrix).all():
        raise ValueError(f"the restrictions {what} have a number that is not finite: write finite multiples")
    rank = np.linalg.matrix_rank(matrix)
    if rank < matrix.shape[0]:
        raise ValueError(
            f"the restrictions {what} are {matrix.shape[0]} and only {rank} of them say something of their own: each "
            "must name a parameter, and none may follow from, or contradict, the others; leave out what does"
        )


def _with_places(text: str, names: dict[str, int]) -> str:
    """``text`` with every name replaced by a word, since names hold brackets, commas and blanks; longest first."""
    ordered: Sequence[str] = sorted(names, key=len, reverse=True)
    if not ordered:
        return text
    either = "|".join(map(re.escape, ordered))
    places = {name: f"_at_{place}_" for place, name in enumerate(names)}
    return re.sub(rf"(?<![\w.\])])(?:{either})(?![\w\[(.])", lambda match: places[match.group()], text)


def _as_written(text: str, names: dict[str, int]) -> str:
    """``text`` with its names again in the places of the words."""
    ordered = list(names)
    return re.sub(_WORD, lambda match: ordered[int(match.group(1))], text)


def _linear(side: str, text: str, names, count: int) -> np.ndarray:
    """One side of an equation as coefficients and, last, its constant."""
    written = _as_written(side.strip(), names)
    try:
        with np.errstate(all="ignore"):
            found = _walk(ast.parse(side.strip(), mode="eval").body, names, count)
    except SyntaxError:
        raise ValueError(
            f"the restriction {text!r} cannot be read at {written!r}: write sums of multiples of parameters, such "
            f"as 'a = 0, a - 2 * b = 1'; the parameters are: {', '.join(names)}"
        ) from None
    except _NotLinear:
        raise ValueError(
            f"the restriction {text!r} is not linear at {written!r}: give a function of params that is to be zero"
        ) from None
    if not np.isfinite(found).all():
        raise ValueError(f"the restriction {text!r} has a number at {written!r} that is not finite: write finite ones")
    return found


class _NotLinear(Exception):
    """What a matrix cannot say."""


def _walk(node, names, count) -> np.ndarray:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return _unit(count, count) * node.value
    if isinstance(node, ast.Name) and (place := re.fullmatch(_WORD, node.id)):
        return _unit(list(names.values())[int(place.group(1))], count)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _walk(node.operand, names, count) * (-1.0 if isinstance(node.op, ast.USub) else 1.0)
    if isinstance(node, ast.BinOp):
        return _combined(node.op, _walk(node.left, names, count), _walk(node.right, names, count))
    if isinstance(node, ast.Name | ast.Subscript | ast.Attribute):
        raise ValueError(_no_such_name(_as_written(ast.unparse(node), names), names))
    raise _NotLinear


def _combined(operator, left, right) -> np.ndarray:
    if isinstance(operator, ast.Add):
        return left + right
    if isinstance(operator, ast.Sub):
        return left - right
    if isinstance(operator, ast.Mult) and not left[:-1].any():
        return left[-1] * right
    if isinstance(operator, ast.Mult | ast.Div) and not right[:-1].any():
        return left * right[-1] if isinstance(operator, ast.Mult) else left / right[-1]
    raise _NotLinear


def _unit(i: int, count: int) -> np.ndarray:
    return np.eye(count + 1)[i]


def _no_such_name(name: str, names) -> str:
    close = difflib.get_close_matches(name, names, 1, 0.6) or [n for n in names if n.lower() == name.lower()]
    hint = f" (is it {close[0]!r}?)" if close else ""
    return f"no estimated parameter is called {name!r}{hint}; the parameters that can be tested are: {', '.join(names)}"
