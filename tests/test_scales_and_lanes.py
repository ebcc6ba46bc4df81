"""Units, sizes and dtypes of numbers; traces and lanes: what is bad in one place stays there, and is said."""

import json
import math
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bad_input import LABELS, X, Y, assert_says, normal_rows, with_value

import jaxmle as jm

# Scales


@pytest.mark.parametrize("k", [1e300, 1e-300, 1e200, 1e-200, 1e150, 1e-150])
def test_numbers_at_the_ends_of_the_floating_range_are_right_or_refused(k):
    try:
        problem = jm.models.normal(Y * k)
        fit = jm.fit(problem)
    except ValueError as error:
        assert_says(error, "rescale")
        return
    if not fit.ok:
        return
    at_one = -3 * (1 + math.log(2 * math.pi * np.var(Y)))
    found = [float(fit.params["mu"]) / k, float(fit.params["sigma"]) / k]
    np.testing.assert_allclose(found, [np.mean(Y), np.std(Y)], rtol=1e-8)
    np.testing.assert_allclose(fit.log_likelihood, at_one - 6 * math.log(k), rtol=1e-8)
    bse = float(jm.infer(problem, fit).bse["mu"]) / k
    assert np.isnan(bse) or abs(bse - np.std(Y) / math.sqrt(6)) < 1e-6


@pytest.mark.parametrize("unit", [1e-100, 1e-8, 1e8, 1e100])
def test_estimates_do_not_depend_on_the_units(unit):
    fit = jm.fit(jm.models.normal(Y * unit))
    assert fit.ok, fit.message
    found = [float(fit.params["mu"]) / unit, float(fit.params["sigma"]) / unit]
    np.testing.assert_allclose(found, [np.mean(Y), np.std(Y)], rtol=1e-9)


def test_a_large_level_a_small_spread_and_a_covariate_in_large_units():
    y = 1e6 + 1e-3 * np.array([-1.0, 0.0, 2.0, 1.0, -2.0, 0.5])
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    fit = jm.fit(jm.models.linear(np.stack([np.ones(6), 1e8 * x], axis=1), y))
    slope, _ = np.polyfit(x, y - 1e6, 1)
    assert fit.ok, fit.message
    np.testing.assert_allclose(fit.params["beta"][1] * 1e8, slope, rtol=1e-5)
    np.testing.assert_allclose(fit.params["beta"][0], 1e6, rtol=1e-8)


# Statuses, traces and lanes


def test_three_steps_are_not_enough():
    problem = jm.models.logistic(X, LABELS)
    fit = jm.fit(problem, max_steps=3)
    assert not fit.ok
    assert int(fit.steps) == 3
    assert_says(fit.message, "ran out of steps", "max_steps", "not an estimate")
    assert np.isnan(jax.tree.leaves(jm.infer(problem, fit).bse)).all()
    assert_says(jm.summary(problem, fit), "OUT OF STEPS")
    with pytest.raises(RuntimeError, match="ran out of steps"):
        fit.raise_if_failed()
    assert jm.fit(problem).ok


@jax.jit
def logistic_lane(x, y):
    return jm.fit(jm.models.logistic(x, y))


BAD_LANES = {
    "missing": (with_value(X, (1, 1), np.nan), LABELS),
    "separated": (X, (X[:, 1] > 3.5) * 1.0),
    "label": (X, with_value(LABELS, 0, 2.0)),
    "collinear": (np.ones((6, 2)), LABELS),
}


@pytest.mark.parametrize("kind", BAD_LANES)
def test_a_bad_lane_leaves_the_others_as_they_are(kind):
    rng = np.random.default_rng(1)
    x = X[None] + 0.1 * rng.normal(size=(5, 6, 2))
    y = np.stack([LABELS] * 5)
    batch = jax.vmap(logistic_lane)
    clean = batch(x, y)
    assert clean.ok.all()
    x[2], y[2] = BAD_LANES[kind]
    mixed = batch(x, y)
    assert bool(mixed.ok[2]) == (kind == "collinear")
    others = np.array([0, 1, 3, 4])
    for a, b in zip(jax.tree.leaves(clean), jax.tree.leaves(mixed), strict=True):
        np.testing.assert_array_equal(np.asarray(a)[others], np.asarray(b)[others])


@pytest.mark.parametrize(
    "kind, words",
    [
        ("missing", "not finite"),
        ("separated", "diverging"),
        ("label", "not finite"),
        ("collinear", "not unique"),
    ],
)
def test_inside_jit_nothing_is_raised_and_the_status_says_it(kind, words):
    fit = logistic_lane(*BAD_LANES[kind])
    assert fit.ok == (kind == "collinear")
    assert_says(fit.message, words)


def test_inside_jit_bad_weights_and_starts_have_a_status():
    @jax.jit
    def fit(y, weights, sigma):
        term = jm.likelihood(normal_rows, y, weights)
        return jm.fit(term, {"mu": 0.0, "sigma": jm.positive(sigma)})

    ones = jnp.ones(6)
    assert fit(Y, ones, 1.0).ok
    for arguments, words in [
        ((Y, ones.at[1].set(-1.0), 1.0), "negative"),
        ((Y, 0.0 * ones, 1.0), "zero"),
        ((Y, ones, -1.0), "start"),
        ((Y, ones, 0.0), "start"),
        ((with_value(Y, 0, np.nan), ones, 1.0), "not finite"),
    ]:
        found = fit(*arguments)
        assert not found.ok
        assert_says(found.message, words)


FLOAT32 = """
import json
import jax.numpy as jnp, numpy as np, jaxmle as jm

x = np.array([77.6, 114.9, 141.1, 190.8, 239.9, 289, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760])
y = np.round(240.0 * (1 - np.exp(-0.00055 * x)) + 0.1 * np.sin(np.arange(14.0)), 2)
saturation = lambda p, x: p["b1"] * (1 - jnp.exp(-p["b2"] * x))
curve = jm.models.nonlinear_least_squares(saturation, x, y, {"b1": 250.0, "b2": 0.0005})
level = jm.models.normal(1e7 + 0.2 + 0.1 * np.array([0, 1, -1] * 30))

def said(problem):
    fit = jm.fit(problem)
    params = {name: float(value) for name, value in fit.params.items()}
    return {"ok": fit.ok, "message": fit.message, "params": params, "table": str(jm.summary(problem, fit))}

print(json.dumps({"curve": said(curve), "level": said(level), "dtype": str(jm.fit(curve).z.dtype)}))
"""


def test_float32_is_said_and_claims_no_more_than_it_has():
    environment = {**os.environ, "JAX_ENABLE_X64": "0"}
    run = subprocess.run([sys.executable, "-c", FLOAT32], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout.splitlines()[-1])
    assert said["dtype"] == "float32"
    assert_says(said["curve"]["table"], "float32")
    if said["curve"]["ok"]:
        assert_says(said["curve"]["message"], "float32")
        np.testing.assert_allclose(said["curve"]["params"]["b1"], 240.0, rtol=0.05)
    # A spread of 0.1 about 1e7 lies below the spacing of float32: no scale may be claimed.
    assert not said["level"]["ok"], said["level"]
