"""Saving and loading a fit: bit for bit, without pickle, whole or as it was, and a clear word for any other file."""

import dataclasses
import io
import json
import os
import pickle
import zipfile
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.core.files import write_whole
from jaxmle.core.treefile import write_tree
from jaxmle.fitting import program
from jaxmle.fitting.encoding import KNOWN
from jaxmle.parameters import bijections

X = np.column_stack([np.ones(12), np.linspace(-1.0, 1.0, 12)])
Y = np.array([0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1.0])
ANYTHING = jm.log_prior(lambda params: jnp.zeros(()))  # of parameters in whatever tree
LOGISTIC = jm.models.logistic(X, Y, labels=["const", "dose"])


class Weights(NamedTuple):
    """Parameters of a class that no file can rebuild."""

    slope: Any
    scale: Any


class Curve(eqx.Module):
    """A module with parameters, structure and a static field."""

    slope: jax.Array
    shape: Any
    power: int = eqx.field(static=True)


def same(a, b):
    """Whether two values are the same to the last bit, their types and structures too."""
    if type(a) is not type(b):
        return False
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        return all(same(getattr(a, field.name), getattr(b, field.name)) for field in dataclasses.fields(a))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, jax.Array) and jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
        return a.dtype == b.dtype and same(jax.random.key_data(a), jax.random.key_data(b))
    if isinstance(a, jax.Array | np.ndarray | np.generic):
        here, there = np.asarray(a), np.asarray(b)
        return (here.dtype, here.shape, here.tobytes()) == (there.dtype, there.shape, there.tobytes())
    return a.hex() == b.hex() if isinstance(a, float) else a == b


def again(path, fit, like=None):
    jm.save(path, fit)
    return jm.load(path, like)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.npz"


@pytest.fixture(scope="module")
def fit():
    return jm.fit(LOGISTIC)


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


# Classes that a file cannot rebuild.


def weights_start():
    return Weights(jnp.array([0.5, -0.25]), jm.positive(2.0))


def weights_fit(start):
    return jm.Fit.at(jm.log_prior(lambda p: -jnp.sum(p.slope**2) - p.scale), start)


def curve_start():
    return {"curve": Curve(jnp.array([1.0, 2.0]), jnp.tanh, 3), "scale": jm.positive(1.0)}


def curve_fit(start):
    return jm.Fit.at(jm.log_prior(lambda p: -jnp.sum(p["curve"].shape(p["curve"].slope) ** 2) - p["scale"]), start)


@pytest.mark.parametrize(
    "make, start, name", [(weights_fit, weights_start, "Weights"), (curve_fit, curve_start, "Curve")]
)
def test_a_tree_of_a_users_class_needs_its_start(make, start, name, path):
    full = make(start())
    jm.save(path, full)
    with pytest.raises(ValueError, match=rf"{path} holds a fit with a {name}, a class .*jm\.load\(path, like=start\)"):
        jm.load(path)
    other = dataclasses.replace(full, params=jax.tree.map(lambda leaf: leaf, full.params), z=3.0 * full.z)
    for like in (start(), full, other):
        new = jm.load(path, like=like)
        assert same(new, full)
        assert jax.tree.structure(new) == jax.tree.structure(full)


def test_a_start_may_be_given_where_it_is_not_needed(path, fit):
    jm.save(path, fit)
    assert same(jm.load(path, like=LOGISTIC.start), fit)


@pytest.mark.parametrize(
    "like, says",
    [
        (
            {"beta": jnp.zeros(3)},
            r"it has 'beta' \(free of shape \(2,\)\) where like has 'beta' \(free of shape \(3,\)",
        ),
        ({"gamma": jnp.zeros(2)}, r"it has 'beta' .* where like has 'gamma'"),
        ({"beta": jm.fixed(jnp.zeros(2))}, r"where like has 'beta' \(fixed\)"),
        ({"beta": jnp.zeros(2), "z": 1.0}, r"it has no more parameters where like has 'z' \(free of shape \(\)\)"),
    ],
)
def test_a_like_of_another_structure_is_refused(like, says, path, fit):
    jm.save(path, fit)
    with pytest.raises(ValueError, match=says) as refused:
        jm.load(path, like=like)
    assert str(path) in str(refused.value)


def test_a_like_in_other_containers_is_refused(path):
    jm.save(path, jm.Fit.at(jm.log_prior(lambda p: -(p[0] ** 2)), [1.0]))
    with pytest.raises(ValueError, match=r"the names agree, the containers do not"):
        jm.load(path, like=(1.0,))
    jm.save(path, weights_fit(weights_start()))
    with pytest.raises(ValueError, match=r"it has 2 leaves in a Weights, and like has 1"):
        jm.load(path, like={"slope": jnp.zeros(2)})


def test_a_damaged_file_is_not_blamed_on_like(path, content):
    path.write_bytes(changed(content, lambda header, arrays: fields(header).pop("status")))
    with pytest.raises(ValueError, match=r"damaged or cut short .*the file lacks status"):
        jm.load(path, like=LOGISTIC.start)


def test_a_state_of_a_users_class_needs_a_fit_like_it(path, fit):
    full = dataclasses.replace(fit, state=Weights(jnp.ones(2), 1.0))
    jm.save(path, full)
    with pytest.raises(ValueError, match=r"a Weights, .*a fit that has such a state"):
        jm.load(path, like=LOGISTIC.start)
    assert same(jm.load(path, like=full), full)


# Files that are something else.


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a saved fit."""
    path = tmp_path_factory.mktemp("saved") / "fit.npz"
    jm.save(path, jm.fit(LOGISTIC))
    return path.read_bytes()


def refusal(path):
    with pytest.raises(ValueError, match=f"^{path} ") as refused:
        jm.load(path)
    said = str(refused.value)
    assert "pickle" not in said
    return said


def test_a_file_cut_short_anywhere_is_refused(path, content):
    for length in [*range(0, len(content), 97), len(content) - 1]:
        path.write_bytes(content[:length])
        assert "damaged or cut short" in refusal(path) or length < 4


def test_no_changed_byte_gives_another_fit(path, content, fit):
    """A file with one byte changed is refused, or (in what a zip does not use) the same fit."""
    refusals = []
    for at in range(0, len(content), 61):
        changed = bytearray(content)
        changed[at] ^= 0x55
        path.write_bytes(changed)
        try:
            assert same(jm.load(path), fit)
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) > 50
    assert all(said.startswith(str(path)) for said in refusals)


class Trap:
    """What a pickle would run."""

    def __reduce__(self):
        return os.mkdir, ("/tmp/jaxmle-was-here",)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "other, says",
    [
        (b"", "it is empty"),
        (b"Dear reader\n", "it is no archive"),
        (pickle.dumps({"a": 1}), "it is no archive"),
        (npz(a=np.ones(2), b=np.zeros(3)), "it is an archive of a, b"),
        (npz(header=np.frombuffer(b'{"format": "pictures"}', np.uint8)), "it holds a pictures"),
        (npz(header=np.frombuffer(b"[1]", np.uint8)), "its header is another's"),
        (npz(header=np.frombuffer(b"{no json", np.uint8)), "damaged or cut short"),
        (npz(header=np.array([Trap()], object)), "damaged or cut short"),
    ],
    ids=["empty", "text", "pickle", "arrays", "format", "list", "no JSON", "trap"],
)
def test_a_foreign_file_is_refused(other, says, path):
    path.write_bytes(other)
    assert says in refusal(path)
    assert not os.path.exists("/tmp/jaxmle-was-here")


def test_a_checkpoint_of_a_training_is_no_fit(path):
    write_tree(path, {"x": jnp.ones(2)}, "checkpoint")
    assert "was not written by jm.save: it holds a checkpoint" in refusal(path)


def changed(content, change):
    """The file with its header, and the list of its arrays, changed."""
    with np.load(io.BytesIO(content)) as archive:
        header, arrays = (
            json.loads(archive["header"].tobytes()),
            {k: archive[k] for k in archive.files if k != "header"},
        )
    change(header, arrays)
    return npz(header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)


def fields(header):
    return header["fit"]["fields"]


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda h, a: h.update(version=2, jaxmle="9.1"), "version 2 of the format, by jaxmle 9.1; this is jaxmle"),
        (lambda h, a: fields(h).pop("status"), "the file lacks status"),
        (lambda h, a: fields(h).update(colour=1), "the file adds colour"),
        (lambda h, a: fields(h)["space"]["fields"].pop("layout"), "the file lacks layout"),
        (lambda h, a: a.pop("array0"), "damaged or cut short"),
        (lambda h, a: h["dtypes"].pop(), "damaged or cut short"),
        (lambda h, a: a.update(array0=np.ones(5)), "parameter 'beta' has shape (5,), not (2,)"),
        (lambda h, a: a.update(array1=np.ones(5)), "not as many numbers as parameters"),
        (lambda h, a: h["fit"].update({"class": "Popen"}), "damaged or cut short"),
        (lambda h, a: h.update(fit=5), "does not hold a fit"),
        (lambda h, a: h.update(fit={"strange": []}), "damaged or cut short"),
        (lambda h, a: fields(h).update(z={"array": 99, "kind": "jax"}), "damaged or cut short"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(change, says, path, content):
    path.write_bytes(changed(content, change))
    assert says in refusal(path)


def test_the_file_holds_no_pickle_and_names_its_format(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
        header = json.loads(np.load(io.BytesIO(archive.read("header.npy"))).tobytes())
    assert (header["format"], header["version"], header["jaxmle"]) == ("jaxmle fit", 1, jm.__version__)


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        jm.load(tmp_path / "none.npz")


def test_doubles_are_not_cut_to_single_precision(path, fit):
    jm.save(path, fit)
    jax.config.update("jax_enable_x64", False)
    try:
        assert 'jax.config.update("jax_enable_x64", True)' in refusal(path)
    finally:
        jax.config.update("jax_enable_x64", True)


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
