"""The benchmarks run: every question at its smallest size, at the accuracy that its speeds are quoted with."""

import dataclasses
import importlib
import json
import pathlib
import sys
import types

import jax
import numpy as np
import pytest

# The benchmarks are not installed, and a bare `pytest` leaves the repository root off the path.
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
main, measure, question, gpu = (
    importlib.import_module(f"benchmarks.{name}") for name in ("__main__", "measure", "question", "gpu")
)

ASKED = [
    ("kernels", "NumPy"),
    ("kernels", "jaxmle"),
    ("evaluation", "reading the data once"),
    ("evaluation", "NumPy"),
    ("evaluation", "autodiff of all rows at once"),
    ("evaluation", "jaxmle"),
    ("logistic", "statsmodels Logit"),
    ("logistic", "NumPy Newton"),
    ("logistic", "scipy L-BFGS-B"),
    ("logistic", "scipy trust-exact"),
    ("logistic", "scikit-learn newton-cholesky"),
    ("logistic", "glum"),
    ("logistic", "jaxmle fit and infer"),
    ("negative_binomial", "statsmodels NegativeBinomial"),
    ("negative_binomial", "NumPy Newton"),
    ("negative_binomial", "scipy L-BFGS-B"),
    ("negative_binomial", "jaxmle fit and infer"),
    ("softmax", "statsmodels MNLogit"),
    ("softmax", "scikit-learn newton-cholesky"),
    ("softmax", "NumPy Newton"),
    ("softmax", "jaxmle fit and infer"),
    ("batches", "loop over statsmodels Logit"),
    ("batches", "loop over NumPy Newton"),
    ("batches", "jaxmle fit_batch with 1 % bad lanes"),
    ("densities", "scipy or NumPy, value only"),
    ("densities", "jaxmle"),
    ("groups", "loop over statsmodels Poisson"),
    ("groups", "jaxmle"),
    ("profiles", "jaxmle profile"),
    ("size", "time"),
]


@pytest.mark.parametrize("name,who", ASKED)
def test_reaches_the_accuracy(name, who):
    module = importlib.import_module(f"benchmarks.{name}")
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        rows = list(module.rows(who, True))
    assert rows
    for row in rows:
        assert row.error <= question.ACCURACY or who == "reading the data once", row
        # Standard errors at an estimate that is right to 1e-8 are right to about as much.
        assert not row.error_of_errors > 10 * question.ACCURACY, row
        assert row.warm > 0 or np.isfinite(row.figure), row


def test_every_question_names_its_programs_and_its_targets_exist():
    for name in main.QUESTIONS + main.SLOW:
        module = importlib.import_module(f"benchmarks.{name}")
        assert set(getattr(module, "SHARDED", ())) <= {*module.PEERS, getattr(module, "MOVED", None)}
        for target in getattr(module, "TARGETS", ()):
            assert target.over in {*module.PEERS, question.FASTEST, ""}
            assert np.isfinite(target.least) != np.isfinite(target.most)
    assert {name for name, _ in ASKED} | {"startup", "solvers", "training"} == set(main.QUESTIONS + main.SLOW)


def test_accelerator_rows_in_float32_at_small_sizes(monkeypatch):
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: None)
    with jax.enable_x64(False):
        rows = list(gpu.evaluation(True)) + list(gpu.batch(True))
    # A sum of 20,000 float32 numbers in blocks; the fits stop at what float32 can give.
    assert all(row.error < 2e-5 for row in rows if np.isfinite(row.error))
    assert [row.who.split()[0] for row in rows] == ["copy", "XLA", "jaxmle", "jaxmle"]


def row(who, warm, error=0.0, **named):
    return measure.Row("how fast?", who, 1.0, warm, error, "of it", "float64", **named)


def verdict(target, *rows):
    return question.judged(list(rows), (target,))[0].target


def test_targets_are_judged():
    ours, slow, quick = row("jaxmle", 1.0), row("slow", 6.0), row("quick", 3.0)
    least = question.Target("how fast?", "jaxmle", "slow", least=4)
    assert verdict(least, ours, slow) == "met: 6 times as fast as slow, at least 4"
    missed = question.Target("how fast?", "jaxmle", "slow", least=8)
    assert verdict(missed, ours, slow) == "missed, by 25%: 6 times as fast as slow, at least 8"
    fastest = question.Target("how fast?", "jaxmle", question.FASTEST, least=2)
    assert verdict(fastest, ours, slow, quick) == "met: 3 times as fast as quick, at least 2"
    assert verdict(fastest, ours, slow, row("quick", 3.0, 1e-5)) == "met: 6 times as fast as slow, at least 2"
    most = question.Target("how fast?", "jaxmle", "quick", most=0.25)
    assert verdict(most, ours, quick) == "missed, by 33%: 0.333 times the time of quick, at most 0.25"
    assert verdict(least, row("jaxmle", 1.0, 1e-5), slow).startswith("void")
    poorer = "met: 6 times as fast as slow (which reached 1e-05), at least 4"
    assert verdict(least, ours, row("slow", 6.0, 1e-5)) == poorer
    assert verdict(question.Target("how fast?", "jaxmle", most=1.1), row("jaxmle", 1.0, figure=1.0)).startswith(
        "met: 1,"
    )
    assert verdict(least, row("jaxmle, 2 devices", 1.0), slow).startswith("met")
    assert verdict(least, row("jaxmle fit", 1.0), slow) == ""


def test_results_of_a_day_are_merged_by_question(tmp_path):
    where = {"backend": "gpu", "device": "NVIDIA H200", "cpus": 2}
    for name, warm in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        path = measure.save(name, where, [row("jaxmle", warm)], tmp_path)
    assert path.name.endswith("-gpu-nvidia-h200.json")
    found = json.loads(path.read_text())
    assert {name: part["rows"][0]["warm"] for name, part in found.items()} == {"a": 3.0, "b": 2.0}
    assert found["a"]["rows"][0]["figure"] is None


def test_the_tables_of_saved_results_are_those_that_were_printed(tmp_path):
    rows = [dataclasses.replace(row("jaxmle", 2e-3), target="met: 3, at most 4; missed, by 5%: 6, at least 7")]
    measure.save("kernels", {"backend": "cpu", "cpus": 2, "load": [0.5]}, rows, tmp_path)
    path = measure.save("softmax", {"backend": "cpu", "cpus": 2, "load": [1.5]}, rows, tmp_path)
    printed = main.tables(path, ["kernels"])
    assert measure.show(rows) in printed
    assert importlib.import_module("benchmarks.kernels").__doc__.splitlines()[0] in printed
    assert "load when it began 0.5" in printed
    assert "1.5" not in printed
    assert [line.split(" | ")[-1] for line in printed.splitlines()[2:4]] == [
        "met: 3, at most 4 |",
        "missed, by 5%: 6, at least 7 |",
    ]


def test_the_loosest_tolerance_that_is_accurate_is_taken():
    way = question.tuned(lambda data, tol: lambda: question.Answer(np.array([1.0 + tol])), 1e-3, 1e-9, 1e-12)
    assert way.ready(None, question.Answer(np.array([1.0])))().estimate[0] == 1.0 + 1e-9


def test_a_program_in_a_process_of_its_own_and_one_that_fails():
    options = types.SimpleNamespace(devices=1, small=True, limit=300)
    module = types.SimpleNamespace(__name__="benchmarks.logistic", PEERS=("NumPy Newton", "nobody", "R glm.fit"))
    where, rows, notes = main.ask(module, options)
    assert where["backend"] == "cpu"
    assert [row.who for row in rows if row.who != "R glm.fit"] == ["NumPy Newton"]
    assert rows[0].error <= question.ACCURACY
    assert any("skipped: Rscript is not on the path" in note for note in notes) or len(rows) == 2
