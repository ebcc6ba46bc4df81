"""A table as HTML: escaped, well-formed, with classes for whoever styles the page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from jaxmle.tables.characters import printable

# Notebooks right-align every cell, labels included; these two survive wherever the fragment is pasted.
LEFT = ' style="text-align: left"'
RIGHT = ' style="text-align: right"'


def to_html(table) -> str:
    """The table as a `div` of class `jaxmle-table`: the header, the rows, the notes as a numbered list.

    Args:
        table: the table.

    Returns:
        The fragment, which is well-formed XML too.

    >>> from jaxmle.tables import Row, Table
    >>> table = Table("Coin", (), ("coef",), (Row("p & q", (0.3,)),), formats=("coefficient",))
    >>> print(to_html(table))
    <div class="jaxmle-table">
    <p class="jaxmle-title">Coin</p>
    <table class="jaxmle-rows">
    <thead>
    <tr><td></td><th scope="col" style="text-align: right">coef</th></tr>
    </thead>
    <tbody>
    <tr><th scope="row" style="text-align: left">p &amp; q</th><td style="text-align: right">0.3000</td></tr>
    </tbody>
    </table>
    </div>
    """
    title = [_tag("p", table.title, ' class="jaxmle-title"')] if table.title else []
    parts = [*title, *_header(table), *_rows(table), *_notes(table)]
    return "\n".join(['<div class="jaxmle-table">', *parts, "</div>"])


def _header(table) -> list[str]:
    lines = [_row(*(_label(label) + _cell(value) for label, value in line)) for line in table.header_lines]
    return ['<table class="jaxmle-header">', *_inside("tbody", lines), "</table>"] if lines else []


def _rows(table) -> list[str]:
    heads = [_tag("th", name, f' scope="col"{RIGHT}') for name in table.columns]
    rows = [_row(_label(row.label), *map(_cell, cells)) for row, cells in zip(table.rows, table.cells, strict=True)]
    head, body = _inside("thead", [_row("<td></td>", *heads)]), _inside("tbody", rows)
    return ['<table class="jaxmle-rows">', *head, *body, "</table>"]


def _notes(table) -> list[str]:
    items = [_tag("li", note) for note in table.notes]
    return ['<ol class="jaxmle-notes">', *items, "</ol>"] if items else []


def _label(text: str) -> str:
    return _tag("th", text, f' scope="row"{LEFT}')


def _cell(text: str) -> str:
    return _tag("td", text, RIGHT)


def _tag(name: str, text: str, attributes: str = "") -> str:
    return f"<{name}{attributes}>{escape(printable(text))}</{name}>"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(cells)}</tr>"


def _inside(name: str, lines: Iterable[str]) -> list[str]:
    return [f"<{name}>", *lines, f"</{name}>"]
