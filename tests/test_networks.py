"""Training of networks: they read digits and learn text, and steps are what they are however they are compiled."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from train_cases import BETA, KEY, RNG, WEIGHTS, X, Y, log_likelihood

import jaxmle as jm
from jaxmle.fitting import epoch

# The benchmarks are not installed, and a bare `pytest` leaves the repository root off the path.
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
networks = importlib.import_module("benchmarks.training")


@pytest.mark.always
def test_mlp_reads_digits():
    fit, right = networks.train_mlp()
    assert right >= 0.96
    assert fit.ok
    assert isinstance(fit.params, eqx.nn.MLP)
    assert fit.z.dtype == jnp.float32


LEARN = """
import json
from benchmarks import training as networks

residual, right = networks.train_residual(epochs=10)
transformer, bits, _, bigram = networks.train_transformer(10, characters=60_000, width=32, depth=1, rate=1e-2)
print(json.dumps([bool(residual.ok), float(right), bool(transformer.ok), float(bits), float(bigram)]))
"""


@pytest.fixture(scope="module")
def learnt():
    """The two that compute more than they compile, by a process in which XLA optimises a little."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": os.environ["XLA_FLAGS"].replace("optimization_level=0", "optimization_level=1"),
        "JAX_ENABLE_X64": "1",
        "JAX_NUMPY_RANK_PROMOTION": "raise",
        "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    }
    command = [sys.executable, "-W", "error", "-c", LEARN]
    ran = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=600)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_residual_network_with_batch_statistics_reads_digits(learnt):
    ok, right, *_ = learnt
    assert right >= 0.95
    assert ok


def test_transformer_learns_text(learnt):
    *_, ok, bits, bigram = learnt
    assert ok
    assert bits < bigram


def test_trigram_is_a_distribution_that_knows_more_than_a_bigram():
    train, held_out, symbols = networks.text_in_two(60_000)
    bits = [networks.ngram_bits(train, held_out, symbols, order) for order in (1, 2, 3)]
    assert bits[2] < bits[1] < bits[0] < np.log2(symbols)
    every_next = np.concatenate([np.array([*held_out[:2], c], np.uint8) for c in range(symbols)])
    chances = 2 ** networks._ngram(train, every_next, symbols, [1.0, 2.0, 4.0])[2::3]
    assert chances.sum() == pytest.approx(1.0)


def test_steps_with_convolutions_are_calls_of_their_own_and_the_same():
    def images(model, rows):
        return jnp.sum(jax.vmap(model)(rows["x"]), axis=(1, 2, 3)) * rows["y"]

    model = eqx.nn.Conv2d(1, 2, 3, key=KEY, dtype=jnp.float64)
    data = {"x": RNG.normal(size=(10, 1, 4, 4)), "y": RNG.normal(size=10)}
    term = jm.likelihood(images, data) + jm.priors.normal(networks.weights_of)
    options = {"key": KEY, "batch_size": 2, "accumulate": 2, "epochs": 2, "held_out": jm.likelihood(images, data)}
    program = epoch.advance
    fits = []
    for looped in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            training = importlib.import_module("jaxmle.fitting.train")
            if looped:
                patch.setattr(training, "is_slow_in_loops", lambda *_: False)
            before = program._cache_size()
            fits.append(jm.train(term, model, optax.adam(0.1), **options))
            assert program._cache_size() == before + 1
    assert np.asarray(fits[0].z) == pytest.approx(np.asarray(fits[1].z), rel=1e-10)
    assert float(fits[0].value) == pytest.approx(float(fits[1].value), rel=1e-10)


def test_float32_stays_float32():
    data = {"x": X.astype(np.float32), "y": Y.astype(np.float32)}
    fit = jm.train(
        jm.likelihood(log_likelihood, data, WEIGHTS.astype(np.float32)) + jm.priors.normal("beta", scale=2.0),
        {"beta": BETA.astype(np.float32)},
        optax.adam(0.1),
        key=KEY,
        batch_size=5,
        epochs=2,
        average=True,
        held_out=jm.likelihood(log_likelihood, data),
    )
    for number in (fit.z, fit.value, fit.log_prior, fit.gradient_norm, fit.history["held_out"]):
        assert number.dtype == jnp.float32
