"""Formulas: a design and a response from a data frame, by formulaic."""

import re
import warnings
from typing import Any

import numpy as np


def read_formula(formula: str, frame):
    """The design (n, p), the response (n,) and the design's column names that ``formula`` makes of ``frame``.

    Raises ``ValueError`` where the formula cannot be read or applied, a column is not there, a value is missing or
    becomes infinite (which rows), or the response is not one column of numbers.
    """
    formulaic = _formulaic()
    _check_missing_raw(formula, frame, _wanted_columns(formula, frame, formulaic))
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matrices = formulaic.model_matrix(formula, frame, na_action="ignore")
    except Exception as error:
        raise ValueError(f"the formula {formula!r} cannot be applied to this data frame: {_plain(error)}") from error
    y, x = _two_sides(formula, matrices)
    _check_finite(x, y)
    return x.to_numpy(dtype=float), y.to_numpy(dtype=float)[:, 0], [_tidy(name) for name in x.columns]


def _two_sides(formula, matrices) -> tuple[Any, Any]:
    """The response and the design of the matrices that formulaic made."""
    y: Any = getattr(matrices, "lhs", None)
    x: Any = getattr(matrices, "rhs", None)
    if y is None or not hasattr(x, "columns"):
        what = "has no response" if y is None else "has more than one set of columns"
        raise ValueError(f"the formula {formula!r} {what}: write 'response ~ columns', such as 'y ~ a + b'")
    if y.shape[1] != 1:
        raise ValueError(
            f"the response of {formula!r} becomes {y.shape[1]} columns ({', '.join(map(str, y.columns))}): give one "
            "column of numbers, text labels as 0, 1, 2, ..."
        )
    if x.shape[1] == 0:
        raise ValueError(f"the formula {formula!r} leaves no columns to fit; write 'y ~ 1' for a constant alone")
    return y, x


def _tidy(name) -> str:
    return {"Intercept": "const"}.get(str(name), str(name))


def _wanted_columns(formula, frame, formulaic) -> list[str]:
    """The columns of the frame that the formula uses. Raises ``ValueError`` where one is not there."""
    try:
        wanted = [str(name) for name in formulaic.Formula(formula).required_variables]
    except Exception as error:
        raise ValueError(
            f"the formula {formula!r} cannot be read ({_plain(error)}); write 'response ~ columns' with the columns "
            "by name, such as 'y ~ a + C(b)'"
        ) from error
    missing = sorted(name for name in wanted if name not in frame.columns)
    if missing:
        there = ", ".join(map(str, frame.columns))
        raise ValueError(f"no column is called {', '.join(map(repr, missing))}; the columns are: {there}")
    return wanted


def _check_missing_raw(formula, frame, columns):
    """Missing values must be seen before they are coded: a missing category would become the baseline."""
    for column in columns:
        rows = np.flatnonzero(np.asarray(frame[column].isna()))
        if rows.size:
            raise ValueError(_missing(column, "missing", rows))


def _check_finite(*matrices):
    for matrix in matrices:
        values = matrix.to_numpy(dtype=float)
        rows = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if rows.size:
            column = matrix.columns[int(np.flatnonzero(~np.isfinite(values[rows[0]]))[0])]
            raise ValueError(_missing(column, "missing or infinite", rows))


def _missing(column, what, rows) -> str:
    some = ", ".join(map(str, rows[:8])) + (", ..." if rows.size > 8 else "")
    return (
        f"column {column} is {what} in {rows.size} row{'s' * (rows.size > 1)}: {some} (counted from zero); drop them "
        "first, as in frame.dropna(), or fill them"
    )


def _plain(error) -> str:
    """The first line of another library's message, without its colours."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()
    return " ".join(lines[0].split()) if lines else type(error).__name__


def _formulaic():
    try:
        import formulaic
    except ImportError as error:
        raise ImportError(
            "a formula needs formulaic and pandas, which are not installed: pip install 'jaxmle[formula]', or give "
            "the model arrays"
        ) from error
    return formulaic
