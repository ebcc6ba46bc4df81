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
    assert len(quick.chosen("a", 8, 80 * quick.SHARE)) == 1


def test_functions_differ_in_what_is_chosen_so_that_every_row_of_a_table_is_met():
    met = set().union(*(quick.chosen(f"function_{k}", 12, 6 * quick.SHARE) for k in range(40)))
    assert met == set(range(12))


def test_apart_keeps_the_order_and_what_is_always_run(monkeypatch, tmp_path):
    monkeypatch.setattr(quick, "FILE", tmp_path / "seconds.json")
    quick.FILE.write_text(
        json.dumps({"t.py::slow[1]": 9.0, "t.py::slow": 9.0, "t.py::must[1]": 9.0, "t.py::alone": 9.0})
    )

    def item(name, always=None):
        mark = SimpleNamespace(args=always) if always is not None else None
        return SimpleNamespace(nodeid=f"t.py::{name}", get_closest_marker=lambda _: mark)

    names = ["new[1]", "slow[1]", "slow[2]", "slow[3]", "alone", "new[2]"]
    items = [item("must[1]", always=()), *map(item, names)]
    kept, left_out = ([one.nodeid.partition("::")[2] for one in some] for some in quick.apart(items))
    one_of_two = kept[2]  # which do not fit together
    assert one_of_two in ("slow[2]", "slow[3]")
    assert kept == ["must[1]", "new[1]", one_of_two, "new[2]"]
    assert [name for name in left_out if "slow" not in name] == ["alone"]
    assert "slow[1]" in left_out


def test_some_cases_may_be_always_run(monkeypatch, tmp_path):
    monkeypatch.setattr(quick, "FILE", tmp_path / "seconds.json")
    quick.FILE.write_text(json.dumps({f"t.py::long[{i}]": 9.0 for i in range(9)}))
    mark = SimpleNamespace(args=(3,))
    items = [SimpleNamespace(nodeid=f"t.py::long[{i}]", get_closest_marker=lambda _: mark) for i in range(9)]
    assert [one.nodeid for one in quick.apart(items)[0]] == ["t.py::long[0]", "t.py::long[3]", "t.py::long[6]"]


def test_a_report_is_read(monkeypatch, tmp_path):
    report = tmp_path / "report.xml"
    monkeypatch.setattr(quick, "SHARE", 1.0)
    monkeypatch.setattr(quick, "LONGEST", 2.0)
    seconds = {"b[1]": 1.0, "b[2]": 1.0, "b[3]": 5.0, "c": 1.0}
    cases = "".join(f'<testcase classname="tests.test_a" name="{name}" time="{t}"/>' for name, t in seconds.items())
    report.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    assert quick.measured(report) == {"tests/test_a.py::b": 2.0, "tests/test_a.py::b[3]": 5.0}


def test_what_was_measured_is_there():
    """A function that was renamed would be run whole, and its line stay forever: .ci/all writes the file anew."""
    for name in json.loads(quick.FILE.read_text()):
        path, function = quick.function_of(name).split("::")
        assert f"\ndef {function}(" in (HERE.parent / path).read_text(), name
