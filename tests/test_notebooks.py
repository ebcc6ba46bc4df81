"""Notebooks: each runs from a clean kernel, warnings as errors, in two minutes, and is stored with small outputs."""

import ast
import importlib.util
import math
import os
import re
from pathlib import Path

import pytest

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

FOLDER = Path(__file__).parent.parent / "notebooks"


def script(name):
    """A script of the folder as a module."""
    spec = importlib.util.spec_from_file_location(f"notebooks_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


execute, pictures = script("execute"), script("pictures")
NAMES = [path.name for path in execute.paths()]
SECONDS, CORES = 120, 2
LARGEST = 300_000  # bytes of a file: pages that anybody opens on the web
LONGEST_HELPER = 5  # lines: what needs more belongs into the package
COPY = "## What to copy"


def cells_of(name, kind):
    return [cell for cell in execute.read(FOLDER / name).cells if cell.cell_type == kind]


NUMBER = re.compile(r"[-+]?(?:\d[\d,]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
# How long a computer took, and how many steps it took to the last digit, are its own.
EFFORT = re.compile(r"[\d.,]+ (?:s|ms|evaluations|times faster)\b")
CLOSE, NEAR_ZERO = 2e-3, 1e-6  # other processors round differently, and last digits printed move
# Hundreds of steps that overshoot, a network that writes, and fits at the edge of having a maximum make more of such a
# difference: which hill a start ends on, each letter, whether a country has an estimate. There the numbers alone are
# compared, to a few starts of two hundred.
ROUGHLY = {"close": 0.3, "near": 6.0, "of_words": False}
AMPLIFYING = ("06_many_hills.ipynb", "08_a_small_neural_network.ipynb", "09_ten_thousand_fits.ipynb")


def texts_of(notebook):
    """The texts that each code cell printed or returned, as one."""
    cells = [cell.get("outputs", []) for cell in notebook.cells if cell.cell_type == "code"]
    return ["".join(one.get("text", "") or one.get("data", {}).get("text/plain", "") for one in cell) for cell in cells]


def numbers_in(text):
    """The numbers of a text, and what is left of it, without those that are of this run only."""
    text = EFFORT.sub("EFFORT", re.sub(r"<Figure[^>]*>", "", text))
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)], NUMBER.sub("#", text).split()


def differences(stored, run, close=CLOSE, near=NEAR_ZERO, of_words=True):
    """The pairs of texts that do not say the same."""

    def same(one, other):
        (numbers, words), (others, other_words) = numbers_in(one), numbers_in(other)
        if len(numbers) != len(others) or (of_words and words != other_words):
            return not of_words  # one kind of ending more or less
        return all(math.isclose(a, b, rel_tol=close, abs_tol=near) for a, b in zip(numbers, others, strict=True))

    return [pair for pair in zip(texts_of(stored), texts_of(run), strict=True) if not same(*pair)]


def outputs_of(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [[output.get("name", output.output_type) for output in cell.outputs] for cell in code]


def helpers(source):
    """The functions that a cell defines, and how many lines each has."""
    lines = [line if not line.startswith(("%", "!")) else "pass" for line in source.splitlines()]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    nodes = [node for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, kinds)]
    return [(getattr(node, "name", "lambda"), node.end_lineno - node.lineno + 1) for node in nodes]


def copied(name):
    """The code under "What to copy"."""
    cells = execute.read(FOLDER / name).cells
    place = max(i for i, cell in enumerate(cells) if cell.source.startswith(COPY))
    return "\n".join(cell.source for cell in cells[place:] if cell.cell_type == "code")


def test_notebooks_are_numbered():
    numbers = [name[:2] for name in NAMES]
    assert NAMES
    assert len(set(numbers)) == len(numbers)


def test_the_readme_links_every_notebook_and_shows_pictures_as_they_are_in_them():
    readme = (FOLDER.parent / "README.md").read_text()
    assert re.findall(r"\(notebooks/([^/)]*\.ipynb)\)", readme) == NAMES
    for file, place in pictures.PICTURES.items():
        assert f"(notebooks/pictures/{file})" in readme
        assert (FOLDER / "pictures" / file).read_bytes() == pictures.picture(*place)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_begins_with_a_question_and_ends_with_what_to_copy(name):
    text = cells_of(name, "markdown")
    assert text[0].source.startswith("# ")
    assert "?" in text[0].source
    assert text[-1].source.startswith(COPY)
    assert copied(name).strip()


@pytest.mark.parametrize("name", NAMES)
def test_no_helper_of_a_notebook_is_long(name):
    found = [helper for cell in cells_of(name, "code") for helper in helpers(cell.source)]
    assert [helper for helper in found if helper[1] > LONGEST_HELPER] == []


@pytest.mark.parametrize("name", NAMES)
def test_stored_outputs_are_there_and_small_and_no_errors(name):
    assert (FOLDER / name).stat().st_size < LARGEST
    outputs = [output for cell in cells_of(name, "code") for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"] == []
    counts = [cell.execution_count for cell in cells_of(name, "code")]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_from_a_clean_kernel_and_what_to_copy_runs_by_itself(name):
    stored = execute.read(FOLDER / name)
    begun = os.times()
    run = execute.execute(stored, after=f"exec({copied(name)!r}, {{}})")
    ended = os.times()
    spent = ended.children_user + ended.children_system - begun.children_user - begun.children_system
    assert 0 < spent < CORES * SECONDS  # processor time, which does not depend on what else the machine does
    assert outputs_of(run) == outputs_of(stored)
    assert differences(stored, run, **(ROUGHLY if name in AMPLIFYING else {})) == []


@pytest.mark.parametrize(
    "text, is_same",
    [
        ("mean 5.0060000000 and 117 of 200", True),
        ("mean 5.006 and   117 of 200", True),
        ("mean 5.107 and 117 of 200", False),
        ("mean 5.006 and 118 of 200", False),
        ("mean 5.006 and 117 of", False),
        ("median 5.006 and 117 of 200", False),
    ],
)
def test_a_stored_number_that_is_wrong_is_seen(text, is_same):
    one, other = ([execute.nbformat.v4.new_output("stream", text=said)] for said in (text, "mean 5.006 and 117 of 200"))
    notebooks = [
        execute.nbformat.v4.new_notebook(cells=[execute.nbformat.v4.new_code_cell("", outputs=said)])
        for said in (one, other)
    ]
    assert (differences(*notebooks) == []) is is_same


def test_times_and_pictures_may_differ():
    said = (
        "10 refits in 0.32 s, or 1.2 ms (8 evaluations; still to be gained 1.6e-30)",
        "<Figure size 600x400 with 1 Axes>",
    )
    later = (
        "10 refits in 9.1 s, or 4 ms (9 evaluations; still to be gained -3.1e-24)",
        "<Figure size 600x300 with 1 Axes>",
    )
    assert [numbers_in(one)[1] for one in said] == [numbers_in(one)[1] for one in later]
    assert numbers_in(said[0])[0][:1] == numbers_in(later[0])[0][:1] == [10.0]
    assert numbers_in(said[1]) == numbers_in(later[1])


def test_a_warning_in_a_notebook_is_an_error():
    sources = ["import warnings\nwarnings.simplefilter('always')", "warnings.warn('not like this')"]
    notebook = execute.nbformat.v4.new_notebook(cells=[*map(execute.nbformat.v4.new_code_cell, sources)])
    with pytest.raises(execute.CellExecutionError, match="not like this"):
        execute.execute(notebook)


def test_every_plot_of_the_package_is_shown_not_only_the_first():
    sources = ["import jaxmle as jm", "jm.plots.losses();", "jm.plots.losses(against='margin');"]
    run = execute.execute(execute.nbformat.v4.new_notebook(cells=[*map(execute.nbformat.v4.new_code_cell, sources)]))
    assert outputs_of(run) == [[], ["display_data"], ["display_data"]]


def test_long_helpers_are_seen():
    body = "\n".join(f"    x = {i}" for i in range(5))
    assert helpers(f"%matplotlib inline\ndef long(x):\n{body}") == [("long", 6)]
    assert helpers("f = lambda x: (\n    x\n)") == [("lambda", 3)]
