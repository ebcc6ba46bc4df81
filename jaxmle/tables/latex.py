"""A table as LaTeX: one booktabs tabular, its notes in small print below."""

from __future__ import annotations

import math
import unicodedata

from jaxmle.tables.characters import printable

_GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"


def _command(letter: str) -> str:
    """A Greek letter's command, from its Unicode name (which spells lambda without its b)."""
    name = unicodedata.name(letter).split()[-1].replace("LAMDA", "LAMBDA")
    return rf"\ensuremath{{\{name.lower() if letter.islower() else name.capitalize()}}}"


# `[` and `*` would be read as arguments of the `\\` or rule before them; `<`, `>` and `|` are other glyphs in
# LaTeX's default font encoding.
_ESCAPES = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        **{character: f"{{{character}}}" for character in "[]*"},
        **{letter: _command(letter) for letter in _GREEK},
        **{digit: f"\\textsubscript{{{i}}}" for i, digit in enumerate("₀₁₂₃₄₅₆₇₈₉")},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "`": r"\textasciigrave{}",
    }
)


def to_latex(table) -> str:
    r"""The table as a `tabular` that needs `\usepackage{booktabs}` and nothing else.

    Greek letters and subscript digits become commands; other letters outside Latin need LuaLaTeX or XeLaTeX
    and a font that has them.

    Args:
        table: the table.

    Returns:
        The source, without a float around it: put it inside `table` with your own caption and label.

    >>> from jaxmle.tables import Row, Table
    >>> rows = (Row("beta_1", (-0.3,)), Row("σ", (1.2e-9,)))
    >>> print(to_latex(Table("Coin", (), ("coef",), rows, formats=("coefficient",))))
    \begin{tabular}{lr}
    \toprule
    \multicolumn{2}{c}{Coin} \\
    \midrule
     & coef \\
    \midrule
    beta\_1 & $-0.3000$ \\
    \ensuremath{\sigma} & $1.2 \times 10^{-9}$ \\
    \bottomrule
    \end{tabular}
    """
    columns = len(table.columns)
    lines = [
        rf"\begin{{tabular}}{{l{'r' * columns}}}",
        r"\toprule",
        *_title(table),
        *_header(table),
        _row("", *map(escaped, table.columns)),
        r"\midrule",
        *_rows(table),
        r"\bottomrule",
        r"\end{tabular}",
        *_notes(table),
    ]
    return "\n".join(lines)


def escaped(text: str) -> str:
    r"""The text as LaTeX prints it literally.

    Args:
        text: any text.

    Returns:
        LaTeX source.

    >>> print(escaped("R&D_50% P>|z|"))
    R\&D\_50\% P\textgreater{}\textbar{}z\textbar{}
    """
    return printable(text).translate(_ESCAPES)


def _rows(table) -> list[str]:
    return [
        _row(escaped(row.label), *map(_cell, row.values, cells))
        for row, cells in zip(table.rows, table.cells, strict=True)
    ]


def _cell(value: float | str | None, shown: str) -> str:
    """Numbers go in mathematics, where a minus is a minus; texts and NaN are words."""
    if not isinstance(value, float) or math.isnan(value):
        return escaped(shown)
    mantissa, e, exponent = shown.replace("inf", r"\infty").partition("e")
    return rf"${mantissa} \times 10^{{{int(exponent)}}}$" if e else f"${mantissa}$"


def _title(table) -> list[str]:
    if not table.title:
        return []
    return [_row(_span(len(table.columns) + 1, "c", escaped(table.title))), r"\midrule"]


def _header(table) -> list[str]:
    """The pairs in two columns, each spanning half of the tabular."""
    columns = len(table.columns) + 1
    left, right = columns - columns // 2, columns // 2
    lines = [[escaped(f"{label}: {value}") for label, value in line] for line in table.header_lines]
    rows = [_row(_span(left, "l", first), _span(right, "r", "".join(second))) for first, *second in lines]
    return [*rows, r"\midrule"] if rows else []


def _notes(table) -> list[str]:
    if not table.notes:
        return []
    notes = [rf"{escaped(f'[{number}] {note}')} \par" for number, note in enumerate(table.notes, start=1)]
    return ["", r"{\footnotesize", *notes, "}"]


def _span(columns: int, side: str, text: str) -> str:
    return rf"\multicolumn{{{columns}}}{{{side}}}{{{text}}}"


def _row(*cells: str) -> str:
    return rf"{' & '.join(cells)} \\"
