"""A table as fixed-width text, laid out in the manner of statsmodels' summaries."""

from __future__ import annotations

from collections.abc import Sequence

from jaxmle.tables.characters import left, printable, right, width, wrap

# statsmodels' page and column: six columns of eleven leave twelve characters for the label.
PAGE = 78
COLUMN = 11
GAP = 2


def to_text(table) -> str:
    """The table as text: no line is wider than its rules, and no label or value is cut.

    Args:
        table: the table.

    Returns:
        The lines, joined, without a trailing newline.

    >>> from jaxmle.tables import Row, Table
    >>> table = Table("Coin", (("Trials", "10"),), ("coef",), (Row("p", (0.3,)),), formats=("coefficient",))
    >>> print(to_text(table))
                                         Coin
    ==============================================================================
    Trials:                             10
    ==============================================================================
                                                                              coef
    ------------------------------------------------------------------------------
    p                                                                       0.3000
    ==============================================================================
    """
    widths = _widths(table)
    page = max(sum(widths), GAP + sum(_halves(table)))
    widths[0] += page - sum(widths)
    thick, thin = "=" * page, "-" * page
    header = [*_header(table, page), thick] if table.header else []
    head, *body = [_line(cells, widths) for cells in _grid(table)]
    lines = [*_title(table.title, page), thick, *header, head, thin, *body, thick, *_notes(table.notes, page)]
    return "\n".join(line.rstrip() for line in lines)


def _grid(table) -> list[list[str]]:
    """The column heads and the rows, as printable cells; the first of each is the label."""
    heads = ["", *table.columns]
    rows = [[row.label, *cells] for row, cells in zip(table.rows, table.cells, strict=True)]
    return [[printable(cell) for cell in line] for line in (heads, *rows)]


def _widths(table) -> list[int]:
    """The label's width, then the columns': roomy where the page allows, tight where it does not."""
    label, *natural = (max(map(width, cells)) for cells in zip(*_grid(table), strict=True))
    tight = [GAP + n for n in natural]
    roomy = [max(COLUMN, n) for n in tight]
    columns = roomy if label + sum(roomy) <= PAGE else tight
    return [max(label, PAGE - sum(columns)), *columns]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return left(cells[0], widths[0]) + "".join(map(right, cells[1:], widths[1:]))


def _header(table, page: int) -> list[str]:
    """Two columns of equal width, unless one of them needs more than half of the page."""
    first, second = _halves(table)
    second = min(max(second, (page - GAP) // 2), page - GAP - first)
    widths = page - GAP - second, second
    return [
        (" " * GAP).join(_pair(pair, columns) for pair, columns in zip(line, widths, strict=False))
        for line in table.header_lines
    ]


def _halves(table) -> tuple[int, int]:
    """The widths that the left and the right column of the header need."""
    first = [width(_pair(line[0])) for line in table.header_lines]
    second = [width(_pair(line[1])) for line in table.header_lines if len(line) == 2]
    return max(first, default=0), max(second, default=0)


def _pair(pair: tuple[str, str], columns: int = 0) -> str:
    label, value = printable(f"{pair[0]}:") + " " * GAP, printable(pair[1])
    return label + right(value, columns - width(label))


def _title(title: str, page: int) -> list[str]:
    return [" " * ((page - width(line)) // 2) + line for line in wrap(title, page) if line]


def _notes(notes: Sequence[str], page: int) -> list[str]:
    lines = []
    for number, note in enumerate(notes, start=1):
        mark = f"[{number}] "
        indent = " " * len(mark)
        for i, line in enumerate(wrap(note, page - len(mark))):
            lines.append((indent if i else mark) + line)
    return lines
