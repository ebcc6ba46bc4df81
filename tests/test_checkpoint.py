"""Files that are whole or not there, and runs that go on from them as if nothing had happened."""

import multiprocessing
import os
import random
import signal
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import killed_run
import numpy as np
import optax
import pytest

import jaxmle as jm
from jaxmle.core import treefile
from jaxmle.core.treefile import read_tree, write_tree
from jaxmle.fitting import training
from jaxmle.fitting.checkpoint import Checkpoint

KEY = jax.random.key(3)
N = 22
RNG = np.random.default_rng(5)
ROWS = {"x": RNG.normal(size=(N, 1, 4, 4)), "y": RNG.normal(size=N)}
TREE = {
    "bits": jnp.asarray(np.array([np.nan, -0.0, np.inf, 5e-324])),
    "half": jnp.arange(6.0, dtype=jnp.bfloat16).reshape(2, 3),
    "empty": np.zeros((0, 3), np.int32),
    "scalar": jnp.asarray(True),
    "key": jax.random.key(7),
    "keys": jax.random.split(jax.random.key(7, impl="rbg"), 3),
    "numbers": (1, 2.5, False, None),
}


def bits(tree):
    """Every leaf as its bytes, dtype and shape."""
    leaves = [jax.random.key_data(leaf) if is_key(leaf) else leaf for leaf in jax.tree.leaves(tree)]
    return [(np.asarray(leaf).tobytes(), np.asarray(leaf).dtype, np.shape(leaf)) for leaf in leaves]


def is_key(leaf):
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


# Files


def test_a_tree_comes_back_bit_for_bit_and_without_pickle(tmp_path):
    write_tree(tmp_path / "tree.npz", TREE, "tree")
    back = read_tree(tmp_path / "tree.npz", TREE, "tree")
    assert jax.tree.structure(back) == jax.tree.structure(TREE)
    assert bits(back) == bits(TREE)
    assert [type(number) for number in back["numbers"]] == [int, float, bool, type(None)]
    assert back["keys"].dtype == TREE["keys"].dtype
    assert [path.name for path in tmp_path.iterdir()] == ["tree.npz"]
    with np.load(tmp_path / "tree.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype.kind in "biufc" for name in archive.files)


def test_an_axis_of_minus_one_has_any_length(tmp_path):
    write_tree(tmp_path / "a", [jnp.arange(5.0)], "tree")
    (back,) = read_tree(tmp_path / "a", [jax.ShapeDtypeStruct((-1,), jnp.float64)], "tree")
    assert back.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("stage", ["savez", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch, stage):
    path = tmp_path / "a"
    write_tree(path, {"x": jnp.zeros(3)}, "tree")
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError("the disk is full")

    monkeypatch.setattr(np if stage == "savez" else os, stage, fail)
    with pytest.raises(OSError, match="the disk is full"):
        write_tree(path, {"x": jnp.ones(3)}, "tree")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_damaged_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "a"
    write_tree(path, TREE, "tree")
    whole = path.read_bytes()
    for length in [0, 1, 10, len(whole) // 3, len(whole) // 2, len(whole) - 30, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="damaged, was cut short, or was written by something else"):
            read_tree(path, TREE, "tree")
    place = whole.index(np.asarray(TREE["bits"]).tobytes())
    path.write_bytes(whole[:place] + b"\x01" + whole[place + 1 :])
    with pytest.raises(ValueError, match="damaged"):
        read_tree(path, TREE, "tree")
    path.write_text("no archive at all")
    with pytest.raises(ValueError, match="damaged"):
        read_tree(path, TREE, "tree")
    with open(path, "wb") as file:
        np.savez(file, something=np.zeros(3))
    with pytest.raises(ValueError, match="damaged"):
        read_tree(path, TREE, "tree")
    with open(path, "wb") as file:
        np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="damaged"):
        read_tree(path, TREE, "tree")


@pytest.mark.parametrize(
    "like, message",
    [
        ({"x": jnp.zeros(3), "z": jnp.zeros(2)}, "holds 'y' where 'z' is wanted"),
        ({"x": jnp.zeros(4), "y": jnp.zeros(2)}, r"'x' as float64 of shape \(3,\), and float64 of shape \(4,\)"),
        ({"x": jnp.zeros((3, 1)), "y": jnp.zeros(2)}, r"and float64 of shape \(3, 1\)"),
        ({"x": jnp.zeros(3, jnp.float32), "y": jnp.zeros(2)}, "'x' as float64 .* and float32"),
        ({"x": jnp.zeros(3)}, "holds 2 arrays and 1 are wanted"),
    ],
)
def test_another_tree_is_refused_by_name(tmp_path, like, message):
    write_tree(tmp_path / "a", {"x": jnp.zeros(3), "y": jnp.zeros(2)}, "tree")
    with pytest.raises(ValueError, match=message):
        read_tree(tmp_path / "a", like, "tree")


def test_another_kind_version_or_leaf_is_refused(tmp_path, monkeypatch):
    write_tree(tmp_path / "a", {"x": jnp.zeros(3)}, "fit")
    with pytest.raises(ValueError, match="holds a fit, not a checkpoint"):
        read_tree(tmp_path / "a", {"x": jnp.zeros(3)}, "checkpoint")
    monkeypatch.setattr(treefile, "VERSION", 2)
    with pytest.raises(ValueError, match="written in version 1 of this format, and this jaxmle reads version 2"):
        read_tree(tmp_path / "a", {"x": jnp.zeros(3)}, "fit")
    with pytest.raises(FileNotFoundError):
        read_tree(tmp_path / "b", {"x": jnp.zeros(3)}, "fit")
    with pytest.raises(TypeError, match="leaf 'f' is a function"):
        write_tree(tmp_path / "a", {"f": bits}, "fit")


# Runs


def log_likelihood(params, rows):
    return jm.densities.normal.logpdf(rows["y"], jnp.sum(rows["x"], axis=(1, 2, 3)) * params["b"], params["s"])


def noisy(params, rows, state, key):
    noise = jnp.zeros(()) if key is None else 0.1 * jax.random.normal(key, ())
    return log_likelihood({**params, "b": params["b"] + noise}, rows), state + 1


def convolved(model, rows):
    return jnp.sum(jax.vmap(model)(rows["x"]), axis=(1, 2, 3)) * rows["y"]


START = {"b": 0.5, "s": jm.positive(1.0)}
ADAM = optax.adam(optax.exponential_decay(0.1, 5, 0.9))
WAYS = {
    "plain": {},
    "average, held out": {"average": 1, "held_out": jm.likelihood(log_likelihood, ROWS), "patience": 9},
    "accumulated": {"accumulate": 2},
    "state and key": {"objective": jm.likelihood(noisy, ROWS), "state": jnp.asarray(0)},
    "from the host": {"batches": [{name: leaf[i : i + 7] for name, leaf in ROWS.items()} for i in (0, 7, 14, 21)]},
    "convolution": {
        "objective": jm.likelihood(convolved, ROWS) + jm.priors.normal(lambda m: eqx.filter(m, eqx.is_inexact_array)),
        "start": eqx.nn.Conv2d(1, 2, 3, key=KEY, dtype=jnp.float64),
    },
}


def train(objective=None, start=START, epochs=4, key=KEY, optimiser=ADAM, **options):
    objective = jm.likelihood(log_likelihood, ROWS) + jm.priors.normal("b") if objective is None else objective
    options = {"batch_size": 4, "nobs": N if "batches" in options else None, **options}
    return jm.train(objective, start, optimiser, key=key, epochs=epochs, **options)


def interrupted(monkeypatch, after):
    """Training as usual, but killed after ``after`` checkpoints."""
    write, written = Checkpoint.write, []

    def counted(self, run):
        write(self, run)
        written.append(int(run.carry.taken))
        if len(written) == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "write", counted)
    return written


@pytest.mark.parametrize("way", WAYS)
def test_a_resumed_run_ends_bit_for_bit_where_the_other_does(tmp_path, monkeypatch, way):
    options = WAYS[way]
    straight = train(**options)
    options = {**options, "checkpoint": tmp_path / "run.npz", "checkpoint_every": 5}
    with monkeypatch.context() as patch:
        written = interrupted(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            train(**options)
    assert written == [0, 5, 10]
    resumed = train(**options, resume=True)
    assert bits(resumed) == bits(straight)
    again = train(**options, resume=True)  # of a run that is over
    assert bits(again) == bits(straight)


def test_a_finished_run_can_be_given_more_epochs(tmp_path):
    straight = train(epochs=5)
    path = tmp_path / "run"
    train(epochs=2, checkpoint=path)
    assert bits(train(epochs=5, checkpoint=path, resume=True)) == bits(straight)


def test_a_finished_run_takes_no_more_steps(tmp_path, monkeypatch):
    options = {"held_out": jm.likelihood(log_likelihood, {**ROWS, "y": -ROWS["y"]}), "patience": 1, "epochs": 50}
    first = train(**options, checkpoint=tmp_path / "run")
    assert len(first.history["held_out"]) < 50
    monkeypatch.setattr(training, "advance", None)
    assert bits(train(**options, checkpoint=tmp_path / "run", resume=True)) == bits(first)


def test_checkpoints_come_every_so_many_steps_or_every_epoch(tmp_path, monkeypatch):
    written = interrupted(monkeypatch, None)
    train(checkpoint=tmp_path / "a")
    assert written == [0, 6, 12, 18, 24]
    written.clear()
    train(checkpoint=tmp_path / "a", checkpoint_every=10)
    assert written == [0, 10, 20, 24]


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    options = {"checkpoint": tmp_path / "run"}
    with pytest.raises(FileNotFoundError, match="no checkpoint to resume from"):
        train(**options, resume=True)
    train(**options)
    with pytest.raises(ValueError, match="with another key"):
        train(**options, resume=True, key=jax.random.key(9))
    with pytest.raises(ValueError, match=r"with another batch_size \(4, and now 5\)"):
        train(**options, resume=True, batch_size=5)
    with pytest.raises(ValueError, match="with another accumulate"):
        train(**options, resume=True, accumulate=2)
    with pytest.raises(ValueError, match="is of a run with another space"):
        train(**options, resume=True, start={"b": 0.5, "s": jm.fixed(1.0)})
    with pytest.raises(ValueError, match="another optimiser, or other settings"):
        train(**options, resume=True, optimiser=optax.sgd(0.1))
    (tmp_path / "run").write_bytes((tmp_path / "run").read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged"):
        train(**options, resume=True)


# Killed

# A server that has imported everything forks the processes.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["jaxmle"])


def start(folder, name):
    arguments = folder / f"{name}.run", folder / f"{name}.npz", folder / "cache"
    process = PROCESSES.Process(target=killed_run.run, args=arguments)
    process.start()
    return process


def outcome(process, folder, name):
    process.join(timeout=300)
    assert process.exitcode == 0
    with np.load(folder / f"{name}.npz") as archive:
        return [(archive[key].tobytes(), archive[key].shape) for key in archive.files]


def changed(path, process, before):
    """Wait until the file is another one than ``before``."""
    while process.is_alive():
        if path.exists() and path.stat().st_ino != before:
            return
        time.sleep(0.001)


@pytest.mark.always
def test_killed_at_ten_random_moments_it_ends_bit_for_bit_where_the_other_does(tmp_path):
    straight = outcome(start(tmp_path, "straight"), tmp_path, "straight")
    moments, path = random.Random(0), tmp_path / "killed.run"
    for _ in range(10):
        before = path.stat().st_ino if path.exists() else None
        process = start(tmp_path, "killed")
        changed(path, process, before)
        time.sleep(moments.uniform(0.0, 0.15))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert outcome(start(tmp_path, "killed"), tmp_path, "killed") == straight
