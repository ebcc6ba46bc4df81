"""Formulas: a design and a response from a data frame, by formulaic."""

import numpy as np


def read_formula(formula: str, frame):
    """The design (n, p), the response (n,) and the design's column names that ``formula`` makes of ``frame``."""
    formulaic = _formulaic()
    if "~" not in formula:
        raise ValueError(f"the formula {formula!r} has no response: write 'response ~ columns', such as 'y ~ a + b'")
    _check_columns(formula, frame, formulaic)
    try:
        matrices = formulaic.model_matrix(formula, frame, na_action="ignore")
    except Exception as error:
        raise ValueError(f"the formula {formula!r} cannot be applied to this data frame: {error}") from error
    y, x = matrices.lhs, matrices.rhs
    if y.shape[1] != 1:
        raise ValueError(
            f"the response of {formula!r} becomes {y.shape[1]} columns ({', '.join(map(str, y.columns))}): give a "
            "column of numbers, text labels as 0, 1, 2, ..."
        )
    _check_missing(x, y)
    return x.to_numpy(dtype=float), y.to_numpy(dtype=float)[:, 0], [_tidy(name) for name in x.columns]


def _tidy(name) -> str:
    return {"Intercept": "const"}.get(str(name), str(name))


def _check_columns(formula, frame, formulaic):
    try:
        wanted = formulaic.Formula(formula).required_variables
    except Exception as error:
        raise ValueError(f"the formula {formula!r} cannot be read: {error}") from error
    missing = sorted(str(name) for name in wanted if str(name) not in frame.columns)
    if missing:
        raise ValueError(
            f"no column is called {', '.join(map(repr, missing))}; the columns are: {', '.join(map(str, frame.columns))}"
        )


def _check_missing(*matrices):
    for matrix in matrices:
        values = matrix.to_numpy(dtype=float)
        rows = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if rows.size:
            column = matrix.columns[int(np.flatnonzero(~np.isfinite(values[rows[0]]))[0])]
            some = ", ".join(map(str, rows[:8])) + (", ..." if rows.size > 8 else "")
            raise ValueError(
                f"column {column} is missing or infinite in {rows.size} row{'s' * (rows.size > 1)}: {some} (counted "
                "from zero); drop them first, as in frame.dropna(), or fill them"
            )


def _formulaic():
    try:
        import formulaic
    except ImportError as error:
        raise ImportError(
            "a formula needs formulaic and pandas, which are not installed: pip install 'jaxmle[formula]', or give "
            "the model arrays"
        ) from error
    return formulaic
