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

pytestmark = pytest.mark.always
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
# Hundreds of steps that overshoot, and fits at the edge of having a maximum, make more of such a difference: which hill
# a start ends on, how long a network is trained. There counts may differ by a few (of two hundred starts), and other
# numbers by a part of themselves; the words are the same.
ROUGHLY = {"close": 0.3, "a_few": 6.0, "near": 2e-4}
# A network that writes makes other letters, and a country or a start at the edge ends in another way, with its own
# sentence: how such a text begins, and what its numbers add up to, stays.
LOOSELY = {"close": 0.03, "begins": 2}
AMPLIFYING = {  # the numbers of the cells
    "06_many_hills.ipynb": {**dict.fromkeys((5, 8, 10, 15, 23, 25), ROUGHLY), 19: LOOSELY},
    "08_a_small_neural_network.ipynb": {**dict.fromkeys((5, 9, 11, 12, 16, 18, 21, 24), ROUGHLY), 19: LOOSELY},
    "09_ten_thousand_fits.ipynb": {9: ROUGHLY, 7: LOOSELY},
}


def texts_of(notebook):
    """The text that each code cell printed or returned, by the number of the cell."""
    cells = {i: cell.get("outputs", []) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"}
    return {
        i: "".join(one.get("text", "") or one.get("data", {}).get("text/plain", "") for one in cell)
        for i, cell in cells.items()
    }


def numbers_in(text):
    """The numbers of a text, and what is left of it, without those that are of this run only."""
    text = EFFORT.sub("EFFORT", re.sub(r"<Figure[^>]*>", "", text))
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)], NUMBER.sub("#", text).split()


def differences(stored, run, cells=None):
    """The pairs of texts that do not say the same; some ``cells`` are compared in another way."""
    one, other = texts_of(stored), texts_of(run)
    assert one.keys() == other.keys()
    return [(one[i], other[i]) for i in one if not is_same(one[i], other[i], **(cells or {}).get(i, {}))]


def is_same(one, other, close=CLOSE, near=NEAR_ZERO, a_few=0.0, begins=None):
    """Whether two texts say the same: the words, and the numbers to a part ``close`` of them or to ``near``, whole ones
    to ``a_few``; or the first words, as many as ``begins``, and the sum of all numbers."""
    (numbers, words), (others, other_words) = numbers_in(one), numbers_in(other)
    if begins is not None:
        words, other_words, numbers, others = words[:begins], other_words[:begins], [sum(numbers)], [sum(others)]
    if len(numbers) != len(others) or words != other_words:
        return False

    def is_close(a, b):
        return math.isclose(a, b, rel_tol=close, abs_tol=a_few if a == int(a) and b == int(b) and a_few else near)

    return all(map(is_close, numbers, others))


def outputs_of(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [[output.get("name", output.output_type) for output in cell.outputs] for cell in code]


def helpers(source):
    """The functions that a cell defines, and how many lines each has."""
    lines = [line if not line.startswith(("%", "!")) else "pass" for line in source.splitlines()]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    nodes = [node for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, kinds)]
    return [(getattr(node, "name", "lambda"), node.end_lineno - node.lineno + 1) for node in nodes]


def apart(notebook):
    """The notebook with the code under "What to copy", its last cell, run by itself: with no name from before it."""
    *others, copied = notebook.cells
    alone = execute.nbformat.from_dict({**copied, "source": f"exec({copied.source!r}, {{}})"})
    return execute.nbformat.from_dict({**notebook, "cells": [*others, alone]})


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
    first, *_, title, copied = execute.read(FOLDER / name).cells
    assert first.source.startswith("# ")
    assert "?" in first.source
    assert title.source.startswith(COPY)
    assert copied.cell_type == "code"
    assert copied.outputs


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
    run = execute.execute(apart(stored))
    ended = os.times()
    spent = ended.children_user + ended.children_system - begun.children_user - begun.children_system
    assert 0 < spent < CORES * SECONDS  # processor time, which does not depend on what else the machine does
    assert outputs_of(run) == outputs_of(stored)
    assert differences(stored, run, AMPLIFYING.get(name)) == []


@pytest.mark.parametrize(
    "text, alike",
    [
        ("mean 5.0060000000 and 117 of 200", True),
        ("mean 5.006 and   117 of 200", True),
        ("mean 5.107 and 117 of 200", False),
        ("mean 5.006 and 118 of 200", False),
        ("mean 5.006 and 117 of", False),
        ("median 5.006 and 117 of 200", False),
    ],
)
def test_a_stored_number_that_is_wrong_is_seen(text, alike):
    one, other = ([execute.nbformat.v4.new_output("stream", text=said)] for said in (text, "mean 5.006 and 117 of 200"))
    notebooks = [
        execute.nbformat.v4.new_notebook(cells=[execute.nbformat.v4.new_code_cell("", outputs=said)])
        for said in (one, other)
    ]
    assert (differences(*notebooks) == []) is alike


ROUGH = "accuracy 0.97, loss 0.1749 after 306 steps, 117 of 200"


@pytest.mark.parametrize(
    "text, alike",
    [
        ("accuracy 0.95, loss 0.1802 after 315 steps, 114 of 200", True),
        ("accuracy 0.10, loss 0.1749 after 306 steps, 117 of 200", False),
        ("accuracy 0.97, loss 5.1749 after 306 steps, 117 of 200", False),
        ("accuracy 0.97, loss 0.1749 after 306 steps, 17 of 200", False),
        ("accuracy 0.97, loss 0.1749 after 306 steps, 117", False),
        ("misread 0.97, loss 0.1749 after 306 steps, 117 of 200", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_a_rough_comparison_sees_what_is_wrong(text, alike):
    assert is_same(ROUGH, text, **ROUGHLY) is alike


def test_a_loose_comparison_sees_another_beginning_or_sum():
    said = "64 starts: converged 36 starts: unbounded"
    assert is_same(said, "64 starts: converged 34 starts: unbounded 2 starts: diverging", **LOOSELY)
    assert not is_same(said, "64 starts: converged", **LOOSELY)
    assert not is_same(said, "100 fits: converged", **LOOSELY)
    assert not is_same("--- likelihood shall i", "", **LOOSELY)


@pytest.mark.parametrize("name", AMPLIFYING)
def test_nonsense_in_any_cell_is_seen(name):
    stored, other = (execute.read(FOLDER / name) for _ in range(2))
    said = {i for i, text in texts_of(stored).items() if numbers_in(text)[1]}
    assert set(AMPLIFYING[name]) <= said
    for i in said:
        other.cells[i].outputs = [execute.nbformat.v4.new_output("stream", text="nonsense")]
    assert len(differences(stored, other, AMPLIFYING[name])) == len(said)


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
