"""Files that are no fit: cut short, changed, foreign or of another class, each refused by a clear word."""

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
from save_cases import LOGISTIC, same

import jaxmle as jm
from jaxmle.core.treefile import write_tree


class Weights(NamedTuple):
    """Parameters of a class that no file can rebuild."""

    slope: Any
    scale: Any


class Curve(eqx.Module):
    """A module with parameters, structure and a static field."""

    slope: jax.Array
    shape: Any
    power: int = eqx.field(static=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.npz"


@pytest.fixture(scope="module")
def fit():
    return jm.fit(LOGISTIC)


def fields(header):
    return header["fit"]["fields"]


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
