"""The noun: a table of numbers with names, and the forms it can be given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jaxmle.tables.frame import to_frame
from jaxmle.tables.html import to_html
from jaxmle.tables.latex import to_latex
from jaxmle.tables.numbers import FORMATS, cell, finite_or_none
from jaxmle.tables.text import to_text

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Args:
        label: its name, any text; never cut in any form.
        values: one per column: a number (anything `float` takes), a text shown as it is ("fixed",
            "tied to beta"), or None for a blank.

    Raises:
        TypeError: a value is none of these.

    >>> Row("sigma", (1, "fixed", None)).values
    (1.0, 'fixed', None)
    """

    label: str
    values: tuple[float | str | None, ...]

    def __post_init__(self):
        values = tuple(_value(self.label, i, value) for i, value in enumerate(self.values))
        object.__setattr__(self, "values", values)


@dataclass(frozen=True)
class Table:
    """Numbers with names, to be printed or handed on.

    `print(table)` is fixed-width text in the manner of statsmodels; a notebook shows `to_html()`.

    Args:
        title: centred over the table.
        header: label and value pairs shown above the rows in two columns, down the left one first.
        columns: the names of the columns, all different.
        rows: the lines, their labels all different; there may be none.
        notes: numbered under the table.
        formats: how the numbers of each column are printed: "coefficient" (four decimals), "statistic"
            (three), both with significant digits instead where decimals would lose them, "pvalue" (three
            decimals, "<0.001" below), or "count" (none).

    Raises:
        ValueError: a row or `formats` does not have one entry per column, a format is unknown, there is no
            column, or a name occurs twice.

    >>> columns, formats = ("coef", "P>|z|"), ("coefficient", "pvalue")
    >>> table = Table("Logit", (), columns, (Row("GPA", (2.826113, 0.000239)),), formats=formats)
    >>> table.cells
    (('2.8261', '<0.001'),)
    """

    title: str
    header: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    formats: tuple[str, ...] = field(kw_only=True)

    def __post_init__(self):
        _check_columns(self.columns, self.formats)
        _check_rows(self.rows, len(self.columns))
        _check_distinct("column", self.columns)
        _check_distinct("row", (row.label for row in self.rows))
        _check_distinct("header entry", (label for label, _ in self.header))

    @property
    def header_lines(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """The header as it is laid out: one or two pairs to a line, read down the left column first."""
        middle = (len(self.header) + 1) // 2
        return tuple(tuple(self.header[i::middle]) for i in range(middle))

    @property
    def cells(self) -> tuple[tuple[str, ...], ...]:
        """The values of every row as they are printed."""
        return tuple(tuple(map(cell, row.values, self.formats)) for row in self.rows)

    def __str__(self) -> str:
        return to_text(self)

    def to_frame(self) -> pandas.DataFrame:
        """The rows as a data frame of floats, indexed by label: see `jaxmle.tables.frame.to_frame`."""
        return to_frame(self)

    def to_html(self) -> str:
        """The table as an HTML fragment: see `jaxmle.tables.html.to_html`."""
        return to_html(self)

    def to_latex(self) -> str:
        """The table as a booktabs tabular: see `jaxmle.tables.latex.to_latex`."""
        return to_latex(self)

    def to_dict(self) -> dict[str, Any]:
        """The table as dictionaries that JSON can hold.

        Returns:
            `title`, `header` (value by label), `rows` (by label, then by column, every digit kept; NaN and
            the infinities are None) and `notes`.

        >>> table = Table("Coin", (), ("coef",), (Row("p", (float("nan"),)),), formats=("coefficient",))
        >>> table.to_dict()
        {'title': 'Coin', 'header': {}, 'rows': {'p': {'coef': None}}, 'notes': []}
        """
        rows = {row.label: dict(zip(self.columns, map(finite_or_none, row.values), strict=True)) for row in self.rows}
        return {"title": self.title, "header": dict(self.header), "rows": rows, "notes": list(self.notes)}

    def _repr_html_(self) -> str:
        return to_html(self)


def _value(label: str, index: int, value: Any) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(
            f"Value {index} of row {label!r} is a {type(value).__name__} that `float` does not take. A value "
            "is one number, a text, or None for a blank: give an array as one row per entry, and build the "
            "table outside jit and vmap."
        ) from error


def _check_columns(columns: tuple[str, ...], formats: tuple[str, ...]) -> None:
    if not columns:
        raise ValueError("The table has no columns. Name at least one, with its format.")
    if len(formats) != len(columns):
        raise ValueError(
            f"The table has {len(columns)} columns ({', '.join(columns)}) and {len(formats)} formats. "
            "Give one format per column."
        )
    for name, format in zip(columns, formats, strict=True):
        if format not in FORMATS:
            raise ValueError(f"Column {name!r} has the unknown format {format!r}. Use one of: {', '.join(FORMATS)}.")


def _check_rows(rows: tuple[Row, ...], expected: int) -> None:
    for row in rows:
        if len(row.values) != expected:
            raise ValueError(
                f"Row {row.label!r} has {len(row.values)} values where the table has {expected} columns. "
                "Give one value per column, None where the cell is blank."
            )


def _check_distinct(what: str, names: Iterable[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(
            f"More than one {what} is named {repeated[0]!r}, so one would hide the other in a dictionary. "
            "Give each its own name."
        )
