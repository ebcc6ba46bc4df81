"""A data frame, pandas or polars: its columns as pandas, its missing values, and the rows that have none."""

import dataclasses
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

MOST_ROWS_NAMED = 8


def column_names(frame) -> list[Any]:
    """The names of the columns of a pandas or polars frame. Raises ``TypeError`` for anything else."""
    import pandas

    if not isinstance(frame, pandas.DataFrame) and not _is_polars(frame):
        raise TypeError(
            f"a formula needs a pandas or polars data frame, not a {type(frame).__name__}; make one with "
            "pandas.DataFrame(...)"
        )
    if _is_polars(frame) and hasattr(frame, "collect"):
        raise TypeError("a polars LazyFrame has no values yet; give frame.collect()")
    return list(frame.columns)


def _is_polars(frame) -> bool:
    return type(frame).__module__.split(".")[0] == "polars"


def as_pandas(frame, columns: Collection[str]):
    """The named ``columns`` of a pandas or polars frame, in its order, as a pandas frame.

    Raises ``ValueError`` for a column that is not there, or there twice.
    """
    import pandas

    there = column_names(frame)
    absent = sorted({str(name) for name in columns if name not in there})
    if absent:
        names = ", ".join(map(str, there))
        raise ValueError(f"no column is called {', '.join(map(repr, absent))}; the columns are: {names}")
    used = [name for name in there if name in columns]
    if len(set(used)) < len(used):
        twice = next(name for name in used if used.count(name) > 1)
        raise ValueError(f"two columns are called {twice!r}; rename one of them")
    if _is_polars(frame):
        return pandas.DataFrame({name: _from_polars(frame[name]) for name in used})
    return frame[used]


def _from_polars(series):
    """A polars column as pandas can hold it, without pyarrow. Its order of levels is kept where it has one (Enum)."""
    import pandas

    kind = str(series.dtype).split("(")[0]
    if kind == "Enum":
        return pandas.Categorical(series.to_list(), categories=list(series.dtype.categories), ordered=True)
    if kind == "Categorical":
        return pandas.Categorical(series.to_list())
    if kind == "Decimal":
        return np.array(series.to_list(), dtype=float)
    if series.null_count() and not kind.startswith("Float"):  # whole numbers stay whole
        return np.array(series.to_list(), dtype=object)
    return series.to_numpy()


def as_plain(frame):
    """``frame``, in which nothing is missing, with nullable columns as plain ones, and without the categories that no
    row has: they would be columns of zeros (R's ``lm`` leaves them out too)."""
    return frame.assign(**{name: _plain_column(frame[name]) for name in frame.columns})


def _plain_column(column):
    from pandas.api import types

    if hasattr(column, "cat"):
        return column.cat.remove_unused_categories()
    if not types.is_extension_array_dtype(column.dtype):
        return column.infer_objects()  # what held a missing value beside numbers or flags holds only these now
    tests = (types.is_bool_dtype, bool), (types.is_integer_dtype, int), (types.is_numeric_dtype, float)
    for is_kind, kind in (*tests, (types.is_string_dtype, object)):
        if is_kind(column.dtype):
            return column.astype(kind)
    return column


@dataclasses.dataclass(frozen=True)
class Gaps:
    """Which of ``total`` rows have a missing value, and in which columns."""

    rows: tuple[int, ...]
    total: int
    columns: tuple[str, ...]

    @classmethod
    def of(cls, columns: dict[str, Any]) -> "Gaps":
        """The gaps in ``columns``, arrays or pandas columns of one length by name."""
        import pandas

        missing = {name: np.asarray(pandas.isna(values)) for name, values in columns.items()}
        total = max((mask.shape[0] for mask in missing.values()), default=0)
        rows = np.flatnonzero(np.logical_or.reduce([np.zeros(total, bool), *missing.values()]))
        return cls(tuple(map(int, rows)), total, tuple(name for name, mask in missing.items() if mask.any()))

    def kept(self) -> np.ndarray:
        """The rows without a gap, in order."""
        return np.setdiff1d(np.arange(self.total), np.asarray(self.rows, int))

    def sentence(self) -> str:
        """What is missing where, without a full stop."""
        columns = f"column{'s' * (len(self.columns) > 1)} {', '.join(self.columns)}"
        return f"values of {columns} are missing in {name_rows(self.rows)}"


@dataclasses.dataclass(frozen=True)
class DroppedRows:
    """The remark that the rows of ``gaps`` were dropped, after the ``others`` of the problem."""

    gaps: Gaps
    others: Callable | None

    def __call__(self, params, nobs, maximised):
        if self.others is not None:
            yield from self.others(params, nobs, maximised)
        yield f"Dropped {len(self.gaps.rows)} of {self.gaps.total} rows: {self.gaps.sentence()}."


def name_rows(rows) -> str:
    """How many rows there are and which are the first of them."""
    some = ", ".join(map(str, rows[:MOST_ROWS_NAMED])) + (", ..." if len(rows) > MOST_ROWS_NAMED else "")
    return f"{len(rows)} row{'s' * (len(rows) > 1)}: {some} (counted from zero)"
