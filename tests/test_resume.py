"""A resumed run is of the same call: what changed is named, and no file of something else is overwritten."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxmle as jm
from jaxmle.fitting import fingerprint as prints
from jaxmle.fitting.fingerprint import fingerprint

N = 12
Y = np.random.default_rng(2).normal(1.0, 2.0, size=N)


def normal(params, y):
    return jm.densities.normal.logpdf(y, params["m"], params["s"])


def train(path, y=Y, prior=1.0, mark=None, optimiser=None, weights=None, held_out=Y, epochs=2, **options):
    objective = jm.likelihood(normal, y, weights) + jm.priors.normal("m", scale=prior)
    start = {"m": 0.0, "s": jm.positive(1.0) if mark is None else mark, "f": jm.fixed(options.pop("fixed", 1.0))}
    optimiser = optax.adam(0.1) if optimiser is None else optimiser
    options = {"batch_size": 4, "held_out": jm.likelihood(normal, held_out), "checkpoint": path, **options}
    return jm.train(objective, start, optimiser, key=jax.random.key(0), epochs=epochs, **options)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.npz"
    train(path)
    return path


@pytest.mark.parametrize(
    "change,says",
    [
        ({"y": -Y}, "another objective: its data, its weights or the numbers of its priors"),
        ({"y": np.where(np.arange(N) == 7, Y + 1e-9, Y)}, "another objective"),
        ({"prior": 0.5}, "another objective"),
        ({"mark": jm.interval(1.0, lower=0.0, upper=9.0)}, "another space: its marks, their bounds or what is fixed"),
        ({"fixed": 2.0}, "another space"),
        ({"optimiser": optax.adam(0.2)}, "another optimiser, or other settings of it"),
        ({"optimiser": optax.adam(optax.constant_schedule(0.1))}, "another optimiser"),
        ({"optimiser": optax.adamw(0.1)}, "another optimiser"),
        ({"held_out": Y + 1.0}, "another held_out"),
        ({"average": True}, "another average"),
    ],
)
def test_what_changed_since_is_named(path, change, says):
    with pytest.raises(ValueError, match=says):
        train(path, resume=True, **change)


def test_the_same_call_goes_on(path):
    assert train(path, resume=True).ok
    assert int(train(path, resume=True, optimiser=optax.adam(0.1), epochs=3).steps) == 9


def test_rows_from_the_host_are_not_part_of_it(tmp_path):
    options = {"batches": [Y], "nobs": N}
    train(tmp_path / "run", y=Y[:4], **options)
    assert train(tmp_path / "run", y=Y[4:8], resume=True, **options).ok


OPTIMISERS = [
    optax.sgd(0.1),
    optax.sgd(0.2),
    optax.sgd(0.1, momentum=0.9),
    optax.sgd(lambda step: 0.3),
    optax.sgd(lambda step: 0.4),
    optax.sgd(optax.exponential_decay(0.1, 5, 0.9)),
    optax.sgd(optax.exponential_decay(0.1, 5, 0.8)),
    optax.chain(optax.clip(1.0), optax.sgd(0.1)),
    optax.chain(optax.clip(2.0), optax.sgd(0.1)),
    optax.multi_transform({"a": optax.sgd(0.1)}, {"b": "a"}),
    optax.multi_transform({"a": optax.sgd(0.2)}, {"b": "a"}),
    optax.masked(optax.sgd(0.1), {"b": True}),
    optax.masked(optax.sgd(0.1), {"b": False}),
    optax.MultiSteps(optax.sgd(0.1), 2).gradient_transformation(),
    optax.MultiSteps(optax.sgd(0.2), 2).gradient_transformation(),
    optax.inject_hyperparams(optax.sgd)(0.1),
    optax.inject_hyperparams(optax.sgd)(0.2),
    jm.solvers.Optax(optax.sgd, learning_rate=0.1),
    jm.solvers.Optax(optax.sgd, learning_rate=0.2),
    jm.solvers.Optax(optax.adam, learning_rate=0.2),
]


def test_no_two_optimisers_have_one_fingerprint_and_each_has_always_the_same():
    seen = [fingerprint(optimiser, code=True).tobytes() for optimiser in OPTIMISERS]
    assert len(set(seen)) == len(OPTIMISERS)
    again = [fingerprint(optimiser, code=True).tobytes() for optimiser in OPTIMISERS]
    assert seen == again
    assert fingerprint(optax.sgd(0.1), code=True).tobytes() == seen[0]


@pytest.mark.parametrize("tools", [np, jnp])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "bool"])
def test_one_number_of_a_long_array_changes_its_fingerprint(monkeypatch, tools, dtype):
    monkeypatch.setattr(prints, "_WHOLE", 10)
    monkeypatch.setattr(prints, "_SAMPLED", 3)
    numbers = np.zeros((10, 10), dtype)
    before = fingerprint(tools.asarray(numbers))
    numbers[7, 7] = 1
    assert not np.array_equal(before, fingerprint(tools.asarray(numbers)))


def test_a_checkpoint_never_overwrites_another_file(tmp_path):
    jm.save(tmp_path / "fit.npz", jm.fit(jm.models.poisson([2.0, 3.0])))
    (tmp_path / "notes.txt").write_text("keep me")
    (tmp_path / "empty").touch()
    for name in ("fit.npz", "notes.txt", "."):
        before = (tmp_path / name).read_bytes() if name != "." else None
        with pytest.raises(ValueError, match="is no checkpoint of a training run, or a damaged one"):
            train(tmp_path / name)
        assert before is None or (tmp_path / name).read_bytes() == before
    assert train(tmp_path / "empty").ok
    assert train(tmp_path / "empty").ok  # a checkpoint may be begun anew


def test_a_missing_folder_is_named_before_the_first_step(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*gone: make it first"):
        train(tmp_path / "gone" / "run.npz")
