"""Rows over devices: the same answers as on one. The devices of a CPU are made in a process of their own."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

START = """
import json
import jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", 3)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
import jaxmle as jm

rng = np.random.default_rng(3)
found = {}

def worst(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(float(np.max(np.abs(np.asarray(x) - np.asarray(y)) / (1e-300 + np.max(np.abs(y))))) for x, y in pairs)

def beside(name, one, many, start=None):
    fits = [jm.fit(objective, start) for objective in (one, many)]
    tables = [jm.infer(objective, fit) for objective, fit in zip((one, many), fits)]
    kept = [(f.params, f.value, i.bse, i.llf, i.nobs) for f, i in zip(fits, tables)]
    found[name] = [worst(*kept[::-1]), bool(fits[1].ok), str(fits[1].message)[:9]]

x = rng.standard_normal((1000, 3))
y = rng.poisson(np.exp(x @ np.array([0.3, -0.2, 0.1]))).astype(float)
plain = jm.models.poisson_regression(x, y)
"""

ROWS = """
weights = rng.integers(0, 3, 1000).astype(float)
weighted = jm.models.poisson_regression(x, y, weights)
beside("uneven", plain, jm.shard(plain))
beside("two of three", plain, jm.shard(plain, jax.devices()[:2]))
prior = jm.priors.normal("beta", scale=0.5)
beside("weights and prior", weighted + prior, jm.shard(weighted) + prior)
beside("prior before", weighted + prior, jm.shard(weighted + prior))
def normal(p, rows):
    return jm.densities.normal.logpdf(rows["y"], p["mu"] + rows["shift"] * 0.0, p["sigma"])
rows = {"y": jnp.asarray(y), "shift": jm.shared(jnp.asarray(1.0))}
term, start = jm.likelihood(normal, rows), {"mu": 0.0, "sigma": jm.positive(1.0)}
beside("likelihood", term, jm.shard(term), start)
bad = jm.models.poisson_regression(np.where(np.arange(30)[:, None] == 7, np.nan, 1.0), np.ones(30))
try:
    jm.fit(jm.shard(bad))
except ValueError as error:
    found["message"] = str(error)
"""

DERIVATIVES = """
sharded = jm.shard(plain)
def of_scale(objective):
    return jax.grad(lambda s: jm.fit(objective + jm.priors.normal("beta", scale=s)).params["beta"][0])(0.5)
grad = [of_scale(plain), of_scale(sharded)]
found["gradient"] = [worst(grad[1], grad[0]), True, ""]
scores = [jm.scores(o, jm.fit(o)) for o in (plain, sharded)]
found["scores"] = [worst(scores[1], scores[0]), scores[1].shape == scores[0].shape, ""]

x = np.concatenate([np.ones((60_000, 1)), rng.standard_normal((60_000, 3))], axis=1)
y = (rng.random(60_000) < 0.3).astype(float)
big = jm.models.logistic(x, y)
beside("head start", big, jm.shard(big))
"""

LANES = """
x = rng.standard_normal((7, 40, 2))
y = (rng.random((7, 40)) < 0.5).astype(float)
lanes = jax.vmap(jm.models.logistic)(jnp.asarray(x), jnp.asarray(y))
one, many = jm.fit_batch(lanes), jm.fit_batch(lanes, devices=jax.devices())
found["batch"] = [worst(many.params, one.params), bool(many.ok.all()), len(many.z.sharding.device_set)]
by_lanes = jax.sharding.NamedSharding(jax.sharding.Mesh(np.asarray(jax.devices()), ("lanes",)), jax.P("lanes"))
there = jax.vmap(jm.models.logistic)(jax.device_put(x[:6], by_lanes), jax.device_put(y[:6], by_lanes))
many = jm.fit_batch(there, devices=jax.devices())
error = worst(np.asarray(many.params["beta"]), np.asarray(one.params["beta"])[:6])
errors = jax.jit(lambda lanes, fits: jax.vmap(jm.infer)(lanes, fits).bse["beta"])
numbers = np.arange(6000) % 6  # more than fit a chunk
there = jax.vmap(jm.models.logistic)(jax.device_put(x[numbers], by_lanes), jax.device_put(y[numbers], by_lanes))
far, near = errors(there, jm.fit_batch(there, devices=jax.devices())), np.asarray(errors(lanes, one))
found["errors there"] = [worst(np.asarray(far), near[numbers]), True, len(far.sharding.device_set)]
found["batch there"] = [error, bool(np.asarray(many.ok).all()), len(many.z.sharding.device_set)]
"""


def found_by(program):
    """What the program found with three devices."""
    environment = {**os.environ, "XLA_FLAGS": os.environ.get("XLA_FLAGS", "")}
    whole = START + program + "print(json.dumps(found))"
    ran = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.always
def test_fits_and_errors_are_those_of_one_device_and_the_row_that_is_missing_is_named():
    found = found_by(ROWS)
    assert "row 7" in found.pop("message")
    assert found.keys() == {"uneven", "two of three", "weights and prior", "prior before", "likelihood"}
    for name, (error, ok, message) in found.items():
        assert ok, name
        assert message == "converged", name
        assert error < 1e-11, name  # sums in another order, and the fit's own tolerance


def test_head_starts_scores_and_derivatives():
    found = found_by(DERIVATIVES)
    error, ok, _ = found["head start"]
    assert ok
    assert error < 1e-8  # 1e-19 of log-density to be gained: 5e-10 standard errors
    assert found["gradient"][0] < 1e-8
    assert found["scores"][0] < 1e-8
    assert found["scores"][1]


def test_lanes_are_shared_out_among_devices():
    found = found_by(LANES)
    for name, devices in (("batch", 1), ("batch there", 3), ("errors there", 3)):
        error, ok, where = found[name]
        assert ok, name
        assert error < 1e-12, name  # a lane is the same on whatever device
        assert where == devices, name


def test_on_one_device_it_changes_nothing():
    x, y = jnp.linspace(-1.0, 1.0, 10)[:, None], jnp.asarray(np.arange(10) % 2)
    problem = jm.models.logistic(x, y)
    sharded = jm.shard(problem, jax.devices()[:1])
    np.testing.assert_array_equal(jm.fit(sharded).params["beta"], jm.fit(problem).params["beta"])


@pytest.mark.parametrize(
    "term, words",
    [
        (jm.priors.normal("beta", scale=1.0), "has none"),
        (jm.likelihood(lambda p, y: -((y - p) ** 2), jnp.ones(3), rows=False), "has none"),
        (jm.priors.normal("a", scale=1.0) + jm.priors.normal("b", scale=1.0), "no term of this objective has rows"),
    ],
)
def test_what_has_no_rows_is_refused(term, words):
    with pytest.raises(TypeError, match=words):
        jm.shard(term)


def test_a_batch_wants_devices():
    lanes = jax.vmap(jm.models.logistic)(jnp.ones((2, 3, 1)), jnp.asarray([[0, 1, 1], [0, 0, 1]]))
    with pytest.raises(ValueError, match="devices is empty"):
        jm.fit_batch(lanes, devices=[])


def test_no_devices_and_traced_terms_are_refused():
    problem = jm.models.logistic(jnp.ones((3, 1)), jnp.array([0, 1, 1]))
    with pytest.raises(ValueError, match="the list of devices is empty"):
        jm.shard(problem, [])
    with pytest.raises(TypeError, match="is done outside"):
        jax.jit(lambda x: jm.shard(jm.models.logistic(x, jnp.array([0, 1, 1])), jax.devices()[:1]))(jnp.ones((3, 1)))
