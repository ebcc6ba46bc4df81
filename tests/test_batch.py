"""Batches: each lane as if it were alone, whatever the others are, by one compiled program."""

import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import statsmodels.api as sm
from batch_cases import LANES, START, curves, lane_of, logistic, models, noise, same, with_bad_lanes

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.fitting import program
from jaxmle.fitting.queue import Lanes, slots_for
from jaxmle.solvers import trust_region

# Each lane as if alone


@pytest.mark.always
def test_lanes_equal_a_loop_of_fits():
    data, weights = curves()
    objective = jm.likelihood(noise, data, weights) + jm.priors.normal("beta", scale=2.0)
    fits = jm.fit_batch(objective, START, batch_size=6)
    for i in range(0, LANES, 8):
        alone = jm.likelihood(noise, lane_of(data, i), weights[i]) + jm.priors.normal("beta", scale=2.0)
        same(fits, i, jm.fit(alone, START))
    assert fits.space.z_labels() == ["a", "b", "sigma"]
    assert fits.params["known"].shape == (LANES,)
    assert re.fullmatch(r"converged \(8 evaluations; .*\) by Newton's method, chosen for .*", lane_of(fits, 3).message)


def test_the_tree_is_that_of_a_vmapped_fit():
    x, y = logistic(lanes=3)
    fits = jm.fit_batch(models(x, y))
    vmapped = jax.vmap(lambda x, y: jm.fit(jm.models.logistic(x, y)))(jnp.asarray(x), jnp.asarray(y))
    assert jax.tree.structure(fits) == jax.tree.structure(vmapped)
    assert [leaf.shape for leaf in jax.tree.leaves(fits)] == [leaf.shape for leaf in jax.tree.leaves(vmapped)]


@pytest.mark.always
def test_estimates_and_errors_are_those_of_statsmodels():
    x, y = logistic()
    problems = models(x, y)
    fits = jm.fit_batch(problems, batch_size=7)
    inference = jax.jit(jax.vmap(jm.infer, in_axes=(jm.lane_axes(problems), 0)))(problems, fits)
    for i in range(0, LANES, 10):
        peer = sm.Logit(y[i], x[i]).fit(disp=0, tol=1e-12)
        np.testing.assert_allclose(fits.params["beta"][i], peer.params, rtol=1e-8)
        np.testing.assert_allclose(inference.bse["beta"][i], peer.bse, rtol=1e-8)
        np.testing.assert_allclose(inference.llf[i], peer.llf, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 5, 41, 1000])
def test_any_number_of_slots_finds_the_same(size):
    x, y = logistic()
    fits = jm.fit_batch(models(x, y), batch_size=size)
    usual = jm.fit_batch(models(x, y))
    np.testing.assert_array_equal(fits.steps, usual.steps)
    np.testing.assert_allclose(fits.params["beta"], usual.params["beta"], rtol=1e-12)


def test_slots_fit_memory_and_leave_a_queue():
    def slots(lanes, numbers):
        return slots_for(Lanes(jax.ShapeDtypeStruct((lanes, numbers), float), None))

    assert slots(10, 100) == 10
    assert slots(10_000, 1_000) == 262
    assert slots(3_000, 100) == 188
    assert slots(10_000, 10**6) == 4


# Bad lanes


def test_bad_lanes_leave_the_others_bit_for_bit():
    x, y = logistic()
    clean = jm.fit_batch(models(x, y), batch_size=8)
    *spoilt, bad = with_bad_lanes(x, y)
    fits = jm.fit_batch(models(*spoilt), batch_size=8)
    others = np.setdiff1d(np.arange(LANES), bad)
    assert not fits.ok[bad].any()
    for got, wanted in zip(jax.tree.leaves(fits), jax.tree.leaves(clean), strict=True):
        np.testing.assert_array_equal(got[others], wanted[others])


def test_bad_lanes_have_the_status_that_they_have_alone():
    *spoilt, bad = with_bad_lanes(*logistic())
    fits = jm.fit_batch(models(*spoilt))
    alone = jax.jit(lambda x, y: jm.fit(jm.models.logistic(x, y)))
    expected = [int(alone(spoilt[0][i], spoilt[1][i]).status) for i in bad]
    assert fits.status[bad].tolist() == expected
    assert expected[0] == codes.DIVERGING
    assert expected[1] == codes.NON_FINITE_AT_START
    assert "diverging" in fits.message[0]
    with pytest.raises(RuntimeError, match=r"5 of 41 fits failed \(lanes 0, 7, 20, 21, 40\)"):
        fits.raise_if_failed()


def test_a_lane_that_never_converges_stops_at_max_steps():
    def steep(params, row):
        return -jnp.cosh(3.0 * (params["a"] - row))

    y = jnp.array([[0.1, 0.1], [9.0, 9.0], [0.2, 0.2]])
    fits = jm.fit_batch(jm.likelihood(steep, y), {"a": 0.0}, max_steps=10, batch_size=1)
    assert fits.status.tolist() == [codes.CONVERGED, codes.OUT_OF_STEPS, codes.CONVERGED]
    assert fits.steps[1] == 10


def test_weights_of_a_lane_are_judged():
    data, weights = curves()
    weights = weights.at[4].set(0.0).at[9, 3].set(-1.0)
    fits = jm.fit_batch(jm.likelihood(noise, data, weights), START)
    assert fits.status[4] == codes.NO_WEIGHT
    assert fits.status[9] == codes.NEGATIVE_WEIGHT
    assert fits.ok.sum() == LANES - 2


# Other terms and solvers


def test_a_penalty_with_kinks_in_lanes():
    data, _ = curves()
    term = jm.likelihood(noise, data) + jm.penalties.l1("beta", 40.0)
    fits = jm.fit_batch(term, {"beta": jnp.zeros(2), "sigma": jm.fixed(1.0)}, batch_size=5)
    for i in (0, 17, 40):
        alone = jm.likelihood(noise, lane_of(data, i)) + jm.penalties.l1("beta", 40.0)
        same(fits, i, jm.fit(alone, {"beta": jnp.zeros(2), "sigma": jm.fixed(1.0)}))
    assert np.any(fits.params["beta"] == 0)


@pytest.mark.parametrize("solver", ["lbfgs", "bhhh", "optax"])
def test_other_solvers(solver):
    optax = pytest.importorskip("optax")
    made = {"lbfgs": jm.solvers.LBFGS(), "bhhh": jm.solvers.BHHH(), "optax": optax.adam(0.1)}[solver]
    data, weights = curves(lanes=5)
    term = jm.likelihood(noise, data, weights)
    fits = jm.fit_batch(term, START, solver=made, max_steps=150, batch_size=2)
    for i in range(5):
        alone = jm.fit(jm.likelihood(noise, lane_of(data, i), weights[i]), START, solver=made, max_steps=150)
        lane = lane_of(fits, i)
        np.testing.assert_allclose(lane.z, alone.z, rtol=1e-7)
        assert (lane.status, lane.method) == (alone.status, alone.method)


def test_the_limit_of_a_model_holds_for_lanes():
    exact = jnp.stack([jnp.arange(6.0), jnp.array([0.0, 1.2, 1.9, 3.1, 4.0, 5.2])])
    x = jnp.stack([jnp.column_stack([jnp.ones(6), jnp.arange(6.0)])] * 2)
    fits = jm.fit_batch(jax.vmap(jm.models.linear)(x, exact))
    assert fits.status.tolist()[0] == codes.UNBOUNDED
    assert fits.ok.tolist() == [False, True]


def test_the_derivative_of_a_lane_is_that_of_its_fit():
    data, weights = curves(lanes=4)

    def by_batch(weights):
        return jnp.sum(jm.fit_batch(jm.likelihood(noise, data, weights), START).params["beta"] ** 2)

    def by_loop(weights):
        fits = [jm.fit(jm.likelihood(noise, lane_of(data, i), weights[i]), START) for i in range(4)]
        return sum(jnp.sum(fit.params["beta"] ** 2) for fit in fits)

    np.testing.assert_allclose(jax.grad(by_batch)(weights), jax.grad(by_loop)(weights), rtol=1e-9, atol=1e-12)


def test_the_mode_with_a_jacobian():
    data, weights = curves(lanes=3)
    fits = jm.fit_batch(jm.likelihood(noise, data, weights), START, jacobian=True)
    same(fits, 2, jm.fit(jm.likelihood(noise, lane_of(data, 2), weights[2]), START, jacobian=True))


# Eigenvalues of a few lanes


def test_steps_in_lanes_are_those_alone_however_many_need_eigenvalues():
    rng = np.random.default_rng(8)
    matrices = rng.normal(size=(30, 4, 4))
    matrices = matrices + np.swapaxes(matrices, 1, 2)
    matrices[::3] = np.eye(4) * rng.uniform(0.5, 2.0, (10, 1, 1))
    gradients, scale = jnp.asarray(rng.normal(size=(30, 4))), jnp.ones(4)

    def step(gradient, matrix):
        return trust_region.best_step(gradient, matrix, scale, jnp.asarray(1.5), jnp.asarray(1e-16))

    one = jax.jit(step)
    wanted = [one(gradient, matrix) for gradient, matrix in zip(gradients, matrices, strict=True)]
    for mapped in (jax.vmap(step), lambda g, m: _flat(jax.vmap(jax.vmap(step))(_fold(g), _fold(m)))):
        found = jax.jit(mapped)(gradients, jnp.asarray(matrices))
        for i, alone in enumerate(wanted):
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14), lane_of(found, i), alone
            )


def _fold(array):
    return jnp.reshape(array, (6, 5, *array.shape[1:]))


def _flat(tree):
    return jax.tree.map(lambda leaf: leaf.reshape(30, *leaf.shape[2:]), tree)


# One program


def test_new_numbers_compile_nothing_and_jit_changes_nothing():
    x, y = logistic()
    fits = jm.fit_batch(models(x, y))
    before = len(program.TRACED)
    jm.fit_batch(models(*logistic(seed=3)), tolerance=1e-9, max_steps=50)
    assert len(program.TRACED) == before
    jm.fit_batch(models(*logistic(lanes=LANES - 1)))
    assert len(program.TRACED) == before + 1
    jitted = jax.jit(lambda x, y: jm.fit_batch(jax.vmap(jm.models.logistic)(x, y)))(x, y)
    np.testing.assert_allclose(jitted.z, fits.z, rtol=1e-12)


def test_a_bar_counts_fits_and_changes_nothing(monkeypatch, capsys):
    x, y = logistic()
    fits = jm.fit_batch(models(x, y), batch_size=2, progress=True)
    assert re.search(r"100%.*41/41", capsys.readouterr().err)
    usual = jm.fit_batch(models(x, y), batch_size=2)
    jax.tree.map(np.testing.assert_array_equal, fits, usual)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match="pip install tqdm"):
        jm.fit_batch(models(x, y), progress=True)


# Errors


def test_other_errors():
    data, _ = curves()
    term = jm.likelihood(noise, data)
    with pytest.raises(TypeError, match="there is no start"):
        jm.fit_batch(term)
    with pytest.raises(ValueError, match="batch_size must be a whole number"):
        jm.fit_batch(term, START, batch_size=0)
    with pytest.raises(ValueError, match="every parameter is fixed"):
        jm.fit_batch(term, jm.fixed({"beta": jnp.zeros(2), "sigma": 1.0}))
    with pytest.raises(ValueError, match="tolerance must be positive"):
        jm.fit_batch(term, START, tolerance=-1.0)
    with pytest.raises(ValueError, match="progress=True shows a bar between calls"):
        jax.jit(lambda y: jm.fit_batch(jm.likelihood(noise, data | {"y": y}), START, progress=True))(data["y"])
    with pytest.raises(KeyError, match="asked for 'sigma'"):
        jm.fit_batch(term, {"beta": jnp.zeros(2)})
    with pytest.raises(ValueError, match="not row-wise"):
        jm.fit_batch(jm.likelihood(lambda p, d: d["y"] - d["y"].mean() - p["m"] ** 2, data), {"m": 1.0})
    with pytest.raises(TypeError, match="lanes are those of a term"):
        jm.lane_axes(data)


def test_a_lane_beside_scipy():
    data, _ = curves()
    fits = jm.fit_batch(jm.likelihood(noise, data), START)

    x, y = (np.asarray(data[name][6]) for name in ("x", "y"))

    def loss(p):
        return -scipy.stats.norm.logpdf(y, x @ p[:2], np.exp(p[2])).sum()

    found = scipy.optimize.minimize(loss, np.zeros(3), method="BFGS")
    np.testing.assert_allclose(fits.z[6], found.x, atol=1e-5)
