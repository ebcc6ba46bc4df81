"""What a quick run of all tests leaves out."""

import json
from pathlib import Path
from types import SimpleNamespace

import quick

HERE = Path(__file__).parent


def test_as_many_cases_are_chosen_as_fit():
    assert quick.chosen("a", 8, 0.0) == set(range(8))
    assert quick.chosen("a", 8, quick.SHARE) == set(range(8))
    assert len(quick.chosen("a", 8, 2 * quick.SHARE)) == 4
    assert len(quick.chosen("a", 8, 8 * quick.LONGEST)) == 1
    assert quick.chosen("a", 8, 8.1 * quick.LONGEST) == set()
    assert quick.chosen("a", 1, 1.1 * quick.LONGEST) == set()


def test_functions_differ_in_what_is_chosen_so_that_every_row_of_a_table_is_met():
    met = set().union(*(quick.chosen(f"function_{k}", 12, 6 * quick.SHARE) for k in range(40)))
    assert met == set(range(12))


def test_apart_keeps_the_order_and_what_is_always_run(monkeypatch, tmp_path):
    monkeypatch.setattr(quick, "FILE", tmp_path / "seconds.json")
    quick.FILE.write_text(json.dumps({"t.py::slow": 99.0, "t.py::must": 99.0}))

    def item(name, always=False):
        return SimpleNamespace(nodeid=f"t.py::{name}", get_closest_marker=lambda mark: always or None)

    items = [item("new[1]"), item("slow[1]"), item("must[1]", always=True), item("slow[2]"), item("new[2]")]
    kept, left_out = quick.apart(items)
    assert kept == [items[0], items[2], items[4]]
    assert left_out == [items[1], items[3]]


def test_a_report_is_read(monkeypatch, tmp_path):
    report = tmp_path / "report.xml"
    monkeypatch.setattr(quick, "SHARE", 1.0)
    cases = "".join(f'<testcase classname="tests.test_a" name="{name}" time="1.0"/>' for name in ("b[1]", "b[2]", "c"))
    report.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    assert quick.measured(report) == {"tests/test_a.py::b": 2.0}


def test_what_was_measured_is_there():
    """A function that was renamed would be run whole, and its line stay forever: .ci/all writes the file anew."""
    for name in json.loads(quick.FILE.read_text()):
        path, function = name.split("::")
        assert f"\ndef {function}(" in (HERE.parent / path).read_text(), name
