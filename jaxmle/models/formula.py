"""Formulas: a design and a response from a data frame, by formulaic."""

import re
import warnings
from typing import Any, NamedTuple

import numpy as np

from jaxmle.core.row_labels import check_row_labels
from jaxmle.core.tree import is_array, is_traced
from jaxmle.models.classes import are_names
from jaxmle.models.frame import Gaps, as_pandas, as_plain, column_names, name_rows

ROW_OPTIONS = ("weights", "offset", "exposure", "trials", "event")  # those of a model that have one number for each row


class Read(NamedTuple):
    """What a formula made of a frame. ``options`` are those of the model, columns of the frame put in for their
    names; ``dropped`` says which rows were left out, None where none was; ``spec`` is what formulaic keeps of the
    design, and the columns that it is made of."""

    x: np.ndarray
    y: Any
    labels: list[str]
    options: dict[str, Any]
    dropped: Gaps | None
    spec: tuple[Any, set[str]]


def read_formula(
    formula: str,
    frame,
    options: dict[str, Any] | None = None,
    missing: str = "raise",
    names_classes: bool = False,
    constant: bool = True,
) -> Read:
    """The design (n, p), the response (n,) and the design's column names that ``formula`` makes of ``frame``.

    Arguments: ``formula``, "response ~ columns"; ``frame``, pandas or polars; ``options`` of the model, those of
    ``ROW_OPTIONS`` arrays or names of columns; ``missing``, what becomes of rows with a missing value in a column that
    is used or in an array: "raise" or "drop"; ``names_classes``, whether the response may be a column of texts or
    categories, which then stays what it is; ``constant``, whether the formula's constant is kept as a column.

    Raises ``ValueError`` where the formula cannot be read or applied, a column is not there or not numbers, a value is
    missing or becomes infinite (which rows), or the response is not one column of numbers.
    """
    if missing not in ("raise", "drop"):
        raise ValueError(
            f"missing must be 'raise' or 'drop', what becomes of rows with missing values; it is {missing!r}"
        )
    formulaic = _formulaic()
    options = dict(options or {})
    check_row_labels(frame=frame, **{key: options[key] for key in ROW_OPTIONS if key in options})
    named = {key: options[key] for key in ROW_OPTIONS if isinstance(options.get(key), str)}
    columns = _variables(formula, column_names(frame), formulaic)
    used = as_pandas(frame, {*columns, *named.values()})
    dropped = _drop(used, options, missing)
    kept = np.arange(len(used)) if dropped is None else dropped.kept()
    used = as_plain(used.iloc[kept].reset_index(drop=True))
    for key, column in named.items():
        options[key] = numbers_of(used[column], key)
    classes = _classes(formula, used) if names_classes else None
    numbered = used if classes is None else used.assign(**{classes: 0.0})
    y, x = _two_sides(formula, _matrices(formula, numbered, formulaic))
    spec = x.model_spec
    if not constant:  # left out only now, so that categories are coded beside it
        spec = spec.subset([term for term in spec.formula if str(term) != "1"])
        x = x[list(spec.column_names)]
    _check_finite(kept, x, y)
    labels = [_tidy(name) for name in x.columns]
    right = _variables("~" + formula.split("~")[-1], list(used.columns), formulaic)
    if classes in right:
        raise ValueError(f"{classes!r} is on both sides of {formula!r}: take it out of the columns that explain it")
    response = y.to_numpy(dtype=float)[:, 0] if classes is None else used[classes].array
    return Read(x.to_numpy(dtype=float), response, labels, options, dropped, (spec, right))


def _classes(formula: str, used) -> str | None:
    """The column that is the whole response of the formula and holds names of classes; None where it holds numbers."""
    name = formula.partition("~")[0].strip().strip("`")
    return name if name in used.columns and are_names(used[name]) else None


def _drop(used, options, missing) -> Gaps | None:
    """The rows to leave out, None where nothing is missing; arrays in ``options`` are cut accordingly.

    Gaps must be seen before columns are coded (a missing category would become the baseline) and before splines and
    scales are made of what is left. Arrays are looked at only to drop: without that they are the business of ``fit``.
    """
    arrays = {key: value for key in ROW_OPTIONS if not isinstance(value := options.get(key), str | None)}
    arrays = {key: value if is_array(value) or is_traced(value) else np.asarray(value) for key, value in arrays.items()}
    columns = {name: used[name] for name in used.columns}
    if missing == "drop":
        _check_lengths(arrays, len(used))
        columns |= {key: np.asarray(value) for key, value in arrays.items() if not is_traced(value)}
    gaps = Gaps.of(columns)
    if not gaps.rows:
        return None
    if missing == "raise":
        raise ValueError(f'{gaps.sentence()}; drop these rows with missing="drop" (--missing drop), or fill them')
    if len(gaps.rows) == gaps.total:
        raise ValueError(f"{gaps.sentence()}: no row is left; leave a column out of the formula, or fill it")
    options.update({key: value[gaps.kept()] for key, value in arrays.items()})
    return gaps


def _check_lengths(arrays, n):
    for key, value in arrays.items():
        if np.shape(value) != (n,):
            raise ValueError(f"{key} has shape {np.shape(value)} and the frame {n} rows; give one number for each row")


def numbers_of(column, key) -> np.ndarray:
    """The column that was named for the option ``key``."""
    try:
        return column.to_numpy(dtype=float)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"the column {column.name}, named as {key}, does not hold numbers; turn it into numbers"
        ) from error


def _matrices(formula, used, formulaic):
    """What formulaic makes of a frame without gaps; infinite values are looked for afterwards."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return formulaic.model_matrix(formula, used, na_action="ignore")
    except Exception as error:
        dates = [str(name) for name in used.columns if used[name].dtype.kind in "mM"]
        hint = (
            f"there are dates or times in {', '.join(dates)}: turn them into numbers first, such as days since the "
            "first of them, or take each as a category with C(...)"
        )
        why = hint if dates else plain_message(error)
        raise ValueError(f"the formula {formula!r} cannot be applied to this data frame: {why}") from error


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
            "column of numbers, text labels as 0, 1, 2, ... (softmax takes a column of texts by its bare name, "
            "ordinal regression one of ordered categories)"
        )
    if x.shape[1] == 0:
        raise ValueError(f"the formula {formula!r} leaves no columns to fit; write 'y ~ 1' for a constant alone")
    return y, x


def _tidy(name) -> str:
    return {"Intercept": "const"}.get(str(name), str(name))


def _variables(formula, columns, formulaic) -> set[str]:
    """The columns that the formula uses.

    What formulaic calls required leaves out those inside its own splines and scales (as of 1.2): every word of the
    formula that is the name of a column counts.
    """
    _check_calls(formula, columns)
    try:
        required = {str(name) for name in formulaic.Formula(formula).required_variables}
    except Exception as error:
        raise ValueError(
            f"the formula {formula!r} cannot be read ({plain_message(error)}); write 'response ~ columns' with the "
            "columns by name, such as 'y ~ a + C(b)'"
        ) from error
    words = re.findall(r"`([^`]*)`|(?<![\w.'\"])([^\W\d]\w*)(?!\w|\s*\(|\s*=[^=]|['\"])", formula)
    halves = {quoted.split(".")[0] for quoted, _ in words if quoted in columns}  # formulaic cuts `a.b` at the dot
    required = {name for name in required if name in columns or name not in halves}
    return required | {word for pair in words for word in pair if word in columns}


def _check_calls(formula, columns):
    """Refuse in words what R's formulas have and formulaic's do not."""
    bare = re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", " ", formula)
    for name in re.findall(r"(?<![\w.])([^\W\d]\w*)\s*\(", bare):
        if name in ROW_OPTIONS:
            raise ValueError(
                f"{name}(...) is no part of a formula here: take it out of {formula!r} and give {name}= beside the "
                f"formula, the name of a column or an array (from_formula(formula, frame, {name}=...))"
            )
    if re.search(r"(?<![\w.])\.(?![\w.])", bare):
        names = " + ".join(str(name) for name in columns if str(name) not in bare.split("~")[0].split())
        raise ValueError(f"a formula names its columns, and {formula!r} has a '.' for all of them; write {names}")


def _check_finite(kept, *matrices):
    """Refuse what is not finite although no value was missing: the log of a negative number, say."""
    for matrix in matrices:
        values = matrix.to_numpy(dtype=float)
        rows = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if rows.size:
            column = matrix.columns[int(np.flatnonzero(~np.isfinite(values[rows[0]]))[0])]
            raise ValueError(
                f"column {column} becomes missing or infinite in {name_rows(kept[rows])}: an infinite value, a log of "
                "zero or less, a spline outside its bounds; correct these rows, or drop them first"
            )


def plain_message(error) -> str:
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
