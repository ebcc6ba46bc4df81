"""The tables room: golden text, and what holds for any table in every form.

`python tests/test_tables.py` stores today's text as the expected one: read the difference before keeping it.
"""

import doctest
import importlib
import json
import math
import pathlib
import pkgutil
import re
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxmle.tables
from jaxmle.tables import Row, Table
from jaxmle.tables.characters import printable, width
from jaxmle.tables.latex import escaped
from jaxmle.tables.numbers import FORMATS, coefficient, pvalue, statistic

EXPECTED = pathlib.Path(__file__).parent / "expected"
NAN, INF = math.nan, math.inf

COLUMNS = ("coef", "std err", "z", "P>|z|", "[0.025", "0.975]")
COLUMN_FORMATS = ("coefficient", "statistic", "statistic", "pvalue", "statistic", "statistic")
HEADER = (
    ("Model", "Logistic regression"),
    ("Method", "Newton"),
    ("Covariance", "observed information"),
    ("Status", "converged"),
    ("Observations", "32"),
    ("Log-likelihood", "-12.890"),
    ("AIC", "33.779"),
)
# Logit on Spector and Mazzeo's (1980) data, as statsmodels 0.14 fits it.
SPECTOR = (
    Row("const", (-13.021347, 4.931324, -2.640538, 0.008277, -22.686565, -3.356129)),
    Row("GPA", (2.826113, 1.262941, 2.237723, 0.025239, 0.350794, 5.301432)),
    Row("TUCE", (0.095158, 0.141554, 0.672235, 0.501434, -0.182283, 0.372599)),
    Row("PSI", (2.378688, 1.064564, 2.234424, 0.025455, 0.292180, 4.465195)),
)
UNUSUAL = (
    Row("scale", (1.0, "fixed", None, None, None, None)),
    Row("delta", (0.5, "tied to beta", None, None, None, None)),
    Row("β₁ × [σ_2], 50% & more", (1.2e-9, 3.4e-10, NAN, 0.0, -INF, 1.234e8)),
    Row("東京", (NAN, NAN, NAN, NAN, NAN, NAN)),
)
NOTES = (
    "Standard errors from the inverse of the observed information at the estimate, in the units of params.",
    "Two_params & more are fixed.",
)


def spector(rows=SPECTOR, notes=()):
    return Table("Maximum likelihood estimates", HEADER, COLUMNS, rows, notes, formats=COLUMN_FORMATS)


GOLDEN = {
    "table_logit.txt": lambda: str(spector()),
    "table_unusual.txt": lambda: str(spector(SPECTOR + UNUSUAL, NOTES)),
    "table_empty.txt": lambda: str(spector(())),
    "table_unusual.html": lambda: spector(SPECTOR + UNUSUAL, NOTES).to_html(),
    "table_unusual.tex": lambda: spector(SPECTOR + UNUSUAL, NOTES).to_latex(),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_printed_table_equals_the_stored_one(name):
    assert GOLDEN[name]() + "\n" == (EXPECTED / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("module", ["", *(m.name for m in pkgutil.iter_modules(jaxmle.tables.__path__))])
def test_docstring_examples_run(module):
    found = importlib.import_module(f"jaxmle.tables.{module}".rstrip("."))
    failed, tried = doctest.testmod(found)
    assert tried
    assert not failed


# Numbers


@pytest.mark.parametrize(
    "x, shown",
    [
        (0.095158, "0.0952"),
        (2.826113, "2.8261"),
        (1.234e8, "1.234e+08"),
        (1.2e-9, "1.2e-09"),
        (0.0, "0.0000"),
        (-0.0, "0.0000"),
        (12345.6789, "12345.6789"),
        (-0.00012345, "-0.0001234"),
        (NAN, "nan"),
        (-INF, "-inf"),
    ],
)
def test_coefficient_prints(x, shown):
    assert coefficient(x) == shown


@pytest.mark.parametrize("x, shown", [(0.0, "<0.001"), (0.00099, "<0.001"), (0.001, "0.001"), (1.0, "1.000")])
def test_pvalue_is_never_printed_as_zero(x, shown):
    assert pvalue(x) == shown


# Rounding up the largest floats gives infinity.
floats = st.floats(-1e300, 1e300)


@given(floats)
def test_printed_numbers_keep_their_digits(x):
    # Half a unit in the last place: of two significant digits at worst, or of the decimals of a fixed format.
    assert float(coefficient(x)) == pytest.approx(x, rel=0.05, abs=0)
    assert float(statistic(x)) == pytest.approx(x, rel=0.05, abs=0)
    if 1 <= abs(x) < 1e6:
        assert float(coefficient(x)) == pytest.approx(x, abs=0.5001e-4)


# Any table. Labels are any text at all; other words are plain, so that a line can be taken apart again.

labels = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
words = st.text("abc &%$#_{}~^\\<>[]*|'\"日é", max_size=20).map(str.strip)
values = st.one_of(st.floats(), st.none(), words)


@st.composite
def tables(draw, values=values, labels=labels):
    formats = tuple(draw(st.lists(st.sampled_from(sorted(FORMATS)), min_size=1, max_size=7)))
    names = draw(st.lists(labels, max_size=6, unique=True))
    rows = tuple(Row(name, tuple(draw(values) for _ in formats)) for name in names)
    header = tuple((name, draw(words)) for name in draw(st.lists(words, max_size=7, unique=True)))
    columns = tuple(f"column {i}" for i in range(len(formats)))
    notes = tuple(draw(st.lists(st.text(max_size=200), max_size=2)))
    return Table(draw(words), header, columns, rows, notes, formats=formats)


@given(tables())
def test_text_lines_fit_between_the_rules_and_hold_every_label(table):
    lines = str(table).split("\n")
    page = max(len(line) for line in lines if line and set(line) == {"="})
    assert all(width(line) <= page for line in lines)
    assert all(printable(line) == line for line in lines)
    first = next(i for i, line in enumerate(lines) if line == "-" * page) + 1
    for row, cells, line in zip(table.rows, table.cells, lines[first:], strict=False):
        assert line.startswith(printable(row.label).rstrip())
        assert line.rstrip().endswith(cells[-1])
    assert lines[first + len(table.rows)] == "=" * page


@given(tables(values=st.one_of(floats, st.sampled_from([NAN, INF, -INF]))))
def test_text_numbers_read_back_to_the_printed_digits(table):
    lines = str(table).split("\n")
    start = next(i for i, line in enumerate(lines) if set(line) == {"-"}) + 1
    for row, line in zip(table.rows, lines[start:], strict=False):
        shown = line.split()[-len(row.values) :]
        for x, printed, format in zip(row.values, shown, table.formats, strict=True):
            assert printed == FORMATS[format](x)
            if format != "pvalue" and math.isfinite(x):
                assert float(printed) == pytest.approx(x, rel=0.05, abs=0)


@given(tables())
def test_html_is_well_formed_and_holds_every_cell(table):
    root = ElementTree.fromstring(table.to_html())
    rows = root.findall("./table[@class='jaxmle-rows']/tbody/tr")
    found = [[cell.text or "" for cell in row] for row in rows]
    assert found == [[printable(row.label), *cells] for row, cells in zip(table.rows, table.cells, strict=True)]
    header = root.findall("./table[@class='jaxmle-header']//th")
    assert sorted(cell.text or "" for cell in header) == sorted(label for label, _ in table.header)
    assert [note.text or "" for note in root.findall("./ol/li")] == [printable(note) for note in table.notes]
    assert table._repr_html_() == table.to_html()


def columns_spanned(row):
    """How many columns a row of LaTeX fills: one more than its unescaped ampersands, plus what it spans."""
    spans = sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", row))
    return len(re.findall(r"(?<!\\)&", row)) + 1 + spans


@given(tables())
def test_latex_rows_fill_the_same_number_of_columns_and_hold_every_label(table):
    source, _, notes = table.to_latex().partition("\\end{tabular}")
    rows = [line for line in source.split("\n") if line.endswith(r"\\")]
    assert {columns_spanned(row) for row in rows} == {len(table.columns) + 1}
    body = rows[len(rows) - len(table.rows) :]
    assert [row.split(" & ")[0] for row in body] == [escaped(row.label) for row in table.rows]
    # Taking the escapes out leaves balanced braces, and none of the characters that LaTeX reads as commands.
    plain = re.sub(r"\\[&%$#_{}]", "", source + notes)
    assert plain.count("{") == plain.count("}")
    assert not re.search(r"[%#_~]", plain)


@given(tables())
def test_dictionary_is_strict_json_and_keeps_every_digit(table):
    found = json.loads(json.dumps(table.to_dict(), allow_nan=False))
    assert list(found["rows"]) == [row.label for row in table.rows]
    for row in table.rows:
        expected = [None if x in (INF, -INF) or x != x else x for x in row.values]
        assert list(found["rows"][row.label].values()) == expected
    assert found["header"] == dict(table.header)


@given(tables(labels=words))
def test_frame_holds_floats_at_full_precision(table):
    frame = table.to_frame()
    assert list(frame.index) == [row.label for row in table.rows]
    assert tuple(frame.columns) == table.columns
    assert set(map(str, frame.dtypes)) == {"float64"}
    for row in table.rows:
        expected = [x if isinstance(x, float) else NAN for x in row.values]
        assert list(frame.loc[row.label]) == pytest.approx(expected, rel=0, abs=0, nan_ok=True)


# What the reader sees


def test_text_and_blank_cells_are_shown_as_they_are():
    *_, fixed, tied, _ = str(spector(UNUSUAL[:2])).split("\n")
    assert fixed.split() == ["scale", "1.0000", "fixed"]
    assert tied.split() == ["delta", "0.5000", "tied", "to", "beta"]


def test_table_without_title_starts_at_its_first_rule():
    table = Table("", (), ("coef",), (), formats=("coefficient",))
    assert str(table).startswith("===")
    assert table.to_latex().split("\n")[1:3] == [r"\toprule", r" & coef \\"]
    assert "jaxmle-title" not in table.to_html()


def test_long_label_and_long_header_widen_the_table():
    label, value = "x" * 90, "y" * 120
    text = str(Table("", (("a", value), ("b", "1")), ("coef",), (Row(label, (1.0,)),), formats=("coefficient",)))
    assert label in text
    assert f"a:  {value}  b:" in text


def test_numbers_of_other_types_become_floats():
    numpy = pytest.importorskip("numpy")
    row = Row("x", (numpy.float32(0.5), numpy.asarray(2), True))
    assert row.values == (0.5, 2.0, 1.0)
    assert all(type(value) is float for value in row.values)


def test_tables_are_values():
    assert spector() == spector()
    assert hash(spector()) == hash(spector())


# Errors


def table(columns=("coef", "z"), rows=(), header=(), formats=("coefficient", "statistic")):
    return Table("Title", header, columns, rows, formats=formats)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: table(rows=(Row("GPA", (1.0,)),)), r"Row 'GPA' has 1 values where the table has 2 columns"),
        (
            lambda: table(rows=(Row("GPA", (1.0,) * 3),)),
            r"Row 'GPA' has 3 values where the table has 2 columns",
        ),
        (lambda: table(formats=("coefficient",)), r"2 columns \(coef, z\) and 1 formats"),
        (lambda: table(formats=("coefficient", "%.3f")), r"Column 'z' has the unknown format '%.3f'.*pvalue"),
        (lambda: table(columns=(), formats=()), r"no columns"),
        (lambda: table(columns=("z", "z")), r"More than one column is named 'z'"),
        (lambda: table(rows=(Row("b", (1.0, 1.0)),) * 2), r"More than one row is named 'b'"),
        (lambda: table(header=(("AIC", "1"), ("AIC", "2"))), r"More than one header entry is named 'AIC'"),
    ],
)
def test_malformed_table_is_an_error_that_says_where(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("value", [[1.0, 2.0], 1j, 10**400])
def test_value_that_is_not_a_number_is_an_error_that_says_where(value):
    with pytest.raises(TypeError, match=rf"Value 1 of row 'beta' is a {type(value).__name__}"):
        Row("beta", (1.0, value))


def test_frame_without_pandas_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install jaxmle\[formula\]"):
        spector().to_frame()


if __name__ == "__main__":
    for name, printed in GOLDEN.items():
        (EXPECTED / name).write_text(printed() + "\n", encoding="utf-8")
