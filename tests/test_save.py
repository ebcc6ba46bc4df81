"""Saving and loading a fit: bit for bit, in any tree, and what is not saved."""

import dataclasses
import os
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pandas
import pytest
from save_cases import LOGISTIC, X, Y, same

import jaxmle as jm
from jaxmle.core.files import write_whole
from jaxmle.fitting import program
from jaxmle.fitting.encoding import KNOWN
from jaxmle.parameters import bijections

ANYTHING = jm.log_prior(lambda params: jnp.zeros(()))  # of parameters in whatever tree


def again(path, fit, like=None):
    jm.save(path, fit)
    return jm.load(path, like)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.npz"


@pytest.fixture(scope="module")
def fit():
    return jm.fit(LOGISTIC)


@pytest.mark.parametrize("frame", [None, pandas.DataFrame({"y": [*Y, 1.0], "x": [*X[:, 1], np.nan]})])
def test_an_inference_travels_between_processes(frame):
    """What it remarks on the scale, and on rows that were dropped, travels with it."""
    problem = jm.models.linear(X, Y)
    if frame is not None:
        problem = jm.models.linear.from_formula("y ~ x", frame, missing="drop")
    inference = jm.infer(problem, jm.fit(problem))
    assert str(pickle.loads(pickle.dumps(inference))) == str(inference)


# What comes back.


def filled(fit):
    """``fit`` with something of its own in every field."""
    fields = {
        "method": -3,
        "jacobian": True,
        "history": {"value": jnp.array([1.0, jnp.nan]), "steps": jnp.arange(3, dtype=jnp.int32), "names": ("a", None)},
        "state": [
            jax.random.key(3),
            np.float32(2.5),
            jnp.array([1.5, -2.0], jnp.bfloat16),
            float("inf"),
            True,
            -0.0,
            1.0 / 3.0,
        ],
    }
    return dataclasses.replace(fit, **fields)


def test_every_field_of_a_fit_comes_back(path, fit):
    """A field that is new must be given a value in ``filled``, unless a fit has one anyway."""
    full = filled(fit)
    new = again(path, full)
    for field in dataclasses.fields(jm.Fit):
        value = getattr(full, field.name)
        assert field.default is dataclasses.MISSING or value is not field.default, f"fill {field.name} for this test"
        assert same(value, getattr(new, field.name)), field.name
    assert jax.tree.structure(new) == jax.tree.structure(full)


def test_every_field_of_a_space_comes_back(path):
    start = {"a": jm.positive(jnp.ones(2), labels=["first", "second"]), "b": jm.tied("c"), "c": 1.0, "d": jm.fixed(2.0)}
    full = jm.Fit.at(jm.log_prior(lambda p: -jnp.sum(p["a"]) - p["b"] ** 2 * p["d"]), start)
    new = again(path, full)
    for cls, old, found in [
        (type(full.space), full.space, new.space),
        (type(full.space.layout), full.space.layout, new.space.layout),
    ]:
        for field in dataclasses.fields(cls):
            assert same(getattr(old, field.name), getattr(found, field.name)), field.name
    assert new.space == full.space
    assert hash(new.space.layout) == hash(full.space.layout)


def test_inference_and_print_are_as_before_and_compile_nothing(path, fit):
    before = str(jm.summary(LOGISTIC, fit)), jm.infer(LOGISTIC, fit)
    traced = len(program.TRACED)
    new = again(path, fit)
    assert str(jm.summary(LOGISTIC, new)) == before[0]
    assert same(jm.infer(LOGISTIC, new), before[1])
    assert len(program.TRACED) == traced
    assert (new.message, new.ok) == (fit.message, fit.ok)


MARKS = {
    "free": jm.free([1.0, 2.0], labels=["one", "two"]),
    "positive": jm.positive(2.0),
    "above": jm.interval(jnp.ones(2), lower=np.array([0.0, -1.0])),
    "below": jm.interval(jnp.ones(2), upper=jnp.array([9.0, 8.0])),
    "between": jm.interval(1.0, lower=-1, upper=np.float32(7.0)),
    "simplex": jm.simplex([0.2, 0.3, 0.5]),
    "ordered": jm.ordered([-1.0, 0.0, 2.0]),
    "unit_vector": jm.unit_vector([0.6, 0.8]),
    "covariance_matrix": jm.covariance_matrix([[2.0, 0.5], [0.5, 1.0]]),
    "correlation_matrix": jm.correlation_matrix([[1.0, 0.5], [0.5, 1.0]]),
}


@pytest.mark.parametrize("name", MARKS)
def test_every_mark_comes_back(name, path):
    full = jm.Fit.at(ANYTHING, {"theta": MARKS[name]})
    new = again(path, full)
    assert same(new, full)
    assert same(new.space.params(new.z), full.space.params(full.z))


def test_every_bijection_is_among_them_and_can_be_rebuilt():
    concrete = {cls for cls in bijections.Bijection.__subclasses__() if cls.__module__ == bijections.__name__}
    assert concrete == {type(mark.bijection) for mark in MARKS.values()}
    assert concrete <= set(KNOWN.values())


@pytest.mark.parametrize(
    "start",
    [
        [1.0, (jnp.ones(2), {"z": 2.0, "a": [3.0]}), None],
        {"a": jm.fixed({"table": np.arange(6).reshape(2, 3), "kind": "cubic", "flag": True}), "b": 1.0},
        {1: jnp.ones((2, 3), jnp.float32), 2: jnp.zeros((), jnp.float32)},
        {"a": jnp.zeros((0, 3)), "b": 1.0},
        1.5,
    ],
    ids=["nested", "fixed", "numbered", "empty leaf", "bare"],
)
def test_trees_of_every_kind_come_back(start, path):
    full = jm.Fit.at(ANYTHING, start)
    assert same(again(path, full), full)


def test_empty_containers_come_back(path, fit):
    full = dataclasses.replace(fit, history=(), state={"none": [], "array": np.zeros((0, 3))})
    assert same(again(path, full), full)


def test_a_batch_comes_back_and_its_lanes_with_it(path):
    lanes = jnp.stack([jnp.ones(12), jnp.arange(12.0), jnp.where(Y == 1, 1.0, 0.0)])
    fits = jax.vmap(lambda weights: jm.fit(jm.models.logistic(X, Y, weights)))(lanes)
    new = again(path, fits)
    assert same(new, fits)
    assert list(new.ok) == [True, True, False]
    assert new.message == fits.message


def test_a_fit_that_failed_comes_back_with_its_reason(path):
    problem = jm.models.logistic(X, (X[:, 1] > 0).astype(float))
    fit = jm.fit(problem)
    new = again(path, fit)
    assert new.message == fit.message
    assert "goes to" in new.message
    assert str(jm.summary(problem, new)) == str(jm.summary(problem, fit))


def test_the_best_of_many_starts_comes_back(path):
    starts = {"x": jnp.linspace(-3.0, 3.0, 8)}
    best, _ = jm.fit_best(jm.log_prior(lambda p: -((p["x"] ** 2 - 4.0) ** 2) + p["x"]), starts)
    assert same(again(path, best), best)


def test_single_precision_comes_back(path):
    fit = jm.fit(jm.models.logistic(X.astype(np.float32), Y.astype(np.float32)))
    new = again(path, fit)
    assert same(new, fit)
    assert new.z.dtype == np.float32


def test_the_name_is_taken_as_it_is_and_what_was_there_is_replaced(tmp_path, fit):
    for name in ("fit", "fit.anything"):
        (tmp_path / name).write_text("old")
        jm.save(str(tmp_path / name), fit)
        assert same(jm.load(str(tmp_path / name)), fit)
    assert sorted(os.listdir(tmp_path)) == ["fit", "fit.anything"]


# What is not saved.


def test_only_a_fit_is_saved(path, fit):
    with pytest.raises(TypeError, match=r"jm\.save\(path, fit\) writes a Fit, not a Inference"):
        jm.save(path, jm.infer(LOGISTIC, fit))
    with pytest.raises(TypeError, match=r"not a PosixPath; give the path first"):
        jm.save(fit, path)
    assert not path.exists()


def test_nothing_is_saved_inside_jit(path):
    with pytest.raises(ValueError, match=r"save what comes out of it"):
        jax.jit(lambda weights: jm.save(path, jm.fit(jm.models.logistic(X, Y, weights))))(jnp.ones(12))


def test_a_failed_write_leaves_what_was_there(path, fit, monkeypatch):
    path.write_text("old")

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        jm.save(path, fit)
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == [path.name]


def test_a_link_is_written_through_and_a_folder_must_be_there(tmp_path):
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    write_whole(link, b"whole")
    assert link.is_symlink()
    assert target.read_bytes() == b"whole"
    with pytest.raises(FileNotFoundError, match="none"):
        write_whole(tmp_path / "none" / "file", b"whole")


def test_a_file_and_then_its_folder_are_brought_to_the_disk(tmp_path, monkeypatch):
    settled, sync = [], os.fsync

    def record(descriptor):
        settled.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    write_whole(tmp_path / "file", b"whole")
    assert settled == [os.stat(tmp_path / "file").st_ino, os.stat(tmp_path).st_ino]
