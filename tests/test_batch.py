"""Batches: each lane as if it were alone, whatever the others are, by one compiled program."""

import dataclasses
import re
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import statsmodels.api as sm

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.fitting import program
from jaxmle.fitting.queue import Lanes, slots_for
from jaxmle.solvers import trust_region

LANES, ROWS = 41, 30


def _logistic(seed=0, lanes=LANES):
    rng = np.random.default_rng(seed)
    x = np.concatenate([np.ones((lanes, ROWS, 1)), rng.normal(size=(lanes, ROWS, 2))], axis=2)
    y = (rng.random((lanes, ROWS)) < 1 / (1 + np.exp(-x @ np.array([0.3, -0.8, 0.5])))).astype(float)
    return x, y


def _spoilt(x, y):
    """Lanes that end in every bad way, first, in the middle and last."""
    x, y = x.copy(), y.copy()
    bad = [0, 7, 20, 21, LANES - 1]
    y[bad[0]] = x[bad[0], :, 1] > 0
    x[bad[1], 3, 1] = np.nan
    y[bad[2]] = 1.0
    y[bad[3], 2] = 2.0
    x[bad[4], 0, 2] = np.inf
    return x, y, np.array(bad)


def _models(x, y):
    return jax.vmap(jm.models.logistic)(jnp.asarray(x), jnp.asarray(y))


def _noise(params, rows):
    return jm.densities.normal.logpdf(rows["y"], rows["x"] @ params["beta"], params["sigma"])


def _curves(seed=1, lanes=LANES):
    """Lanes of data, weights and a prior scale of a linear model with a positive scale."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(lanes, ROWS, 2))
    y = x @ np.array([1.0, -2.0]) + rng.normal(size=(lanes, ROWS))
    return {"x": jnp.asarray(x), "y": jnp.asarray(y)}, jnp.asarray(rng.uniform(0.5, 2.0, (lanes, ROWS)))


START = {"beta": jm.free(np.zeros(2), labels=["a", "b"]), "sigma": jm.positive(1.0), "known": jm.fixed(2.0)}


def _lane(tree, i):
    return jax.tree.map(lambda leaf: leaf[i], tree)


def _same(fits, i, alone, rtol=1e-12):
    """Lane i is the fit alone, to rounding; what is itself rounding (what is left to gain) is small in both."""
    lane = _lane(fits, i)
    small = {"newton_decrement", "gradient_norm", "direction"}
    for field in dataclasses.fields(lane):
        got, wanted = getattr(lane, field.name), getattr(alone, field.name)
        if field.name in small and alone.ok:
            np.testing.assert_allclose(got, 0.0, atol=1e-6)
        else:
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol), got, wanted)


# Each lane as if alone


def test_lanes_equal_a_loop_of_fits():
    data, weights = _curves()
    objective = jm.likelihood(_noise, data, weights) + jm.priors.normal("beta", scale=2.0)
    fits = jm.fit_batch(objective, START, batch_size=6)
    for i in range(0, LANES, 8):
        alone = jm.likelihood(_noise, _lane(data, i), weights[i]) + jm.priors.normal("beta", scale=2.0)
        _same(fits, i, jm.fit(alone, START))
    assert fits.space.z_labels() == ["a", "b", "sigma"]
    assert fits.params["known"].shape == (LANES,)
    assert re.fullmatch(r"converged \(8 evaluations; .*\) by Newton's method, chosen for .*", _lane(fits, 3).message)


def test_the_tree_is_that_of_a_vmapped_fit():
    x, y = _logistic(lanes=3)
    fits = jm.fit_batch(_models(x, y))
    vmapped = jax.vmap(lambda x, y: jm.fit(jm.models.logistic(x, y)))(jnp.asarray(x), jnp.asarray(y))
    assert jax.tree.structure(fits) == jax.tree.structure(vmapped)
    assert [leaf.shape for leaf in jax.tree.leaves(fits)] == [leaf.shape for leaf in jax.tree.leaves(vmapped)]


def test_estimates_and_errors_are_those_of_statsmodels():
    x, y = _logistic()
    problems = _models(x, y)
    fits = jm.fit_batch(problems, batch_size=7)
    inference = jax.jit(jax.vmap(jm.infer, in_axes=(jm.lane_axes(problems), 0)))(problems, fits)
    for i in range(0, LANES, 10):
        peer = sm.Logit(y[i], x[i]).fit(disp=0, tol=1e-12)
        np.testing.assert_allclose(fits.params["beta"][i], peer.params, rtol=1e-8)
        np.testing.assert_allclose(inference.bse["beta"][i], peer.bse, rtol=1e-8)
        np.testing.assert_allclose(inference.llf[i], peer.llf, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 5, 41, 1000])
def test_any_number_of_slots_finds_the_same(size):
    x, y = _logistic()
    fits = jm.fit_batch(_models(x, y), batch_size=size)
    usual = jm.fit_batch(_models(x, y))
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
    x, y = _logistic()
    clean = jm.fit_batch(_models(x, y), batch_size=8)
    *spoilt, bad = _spoilt(x, y)
    fits = jm.fit_batch(_models(*spoilt), batch_size=8)
    others = np.setdiff1d(np.arange(LANES), bad)
    assert not fits.ok[bad].any()
    for got, wanted in zip(jax.tree.leaves(fits), jax.tree.leaves(clean), strict=True):
        np.testing.assert_array_equal(got[others], wanted[others])


def test_bad_lanes_have_the_status_that_they_have_alone():
    *spoilt, bad = _spoilt(*_logistic())
    fits = jm.fit_batch(_models(*spoilt))
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
    data, weights = _curves()
    weights = weights.at[4].set(0.0).at[9, 3].set(-1.0)
    fits = jm.fit_batch(jm.likelihood(_noise, data, weights), START)
    assert fits.status[4] == codes.NO_WEIGHT
    assert fits.status[9] == codes.NEGATIVE_WEIGHT
    assert fits.ok.sum() == LANES - 2


# What lanes may differ in


def test_lanes_of_a_prior_scale_alone():
    x, y = (part[0] for part in _logistic())
    scales = jnp.array([0.1, 1.0, 10.0])

    def objective(scale):
        return jm.models.logistic(x, y).objective + jm.priors.normal("beta", scale=scale)

    axes = jax.tree.map(lambda _: None, objective(1.0))
    axes = eqx.tree_at(
        lambda o: o.terms[1], axes, jax.tree.map(lambda _: 0, objective(scales).terms[1]), is_leaf=lambda x: x is None
    )
    lanes = objective(scales)
    axes = jax.tree.map(lambda axis, leaf: axis if np.ndim(leaf) else None, axes, lanes, is_leaf=lambda x: x is None)
    fits = jm.fit_batch(lanes, {"beta": jnp.zeros(3)}, in_axes=(axes, None))
    for i, scale in enumerate(scales):
        _same(fits, i, jm.fit(objective(scale), {"beta": jnp.zeros(3)}))


def test_lanes_of_starts_alone():
    hills = jm.log_prior(lambda p: -((p["x"] ** 2 - 4.0) ** 2) - jnp.sum(p["v"] ** 2))
    start = {"x": 1.0, "v": jm.interval(jnp.full(2, 0.5), lower=-1.0, upper=2.0)}
    starts = jm.random_starts(jax.random.key(0), start, 9, spread=2.0)
    fits = jm.fit_batch(hills, starts, in_axes=(None, 0), batch_size=2)
    assert fits.ok.sum() > 5
    assert set(np.sign(fits.params["x"])) == {-1.0, 1.0}
    for i in np.flatnonzero(fits.ok)[::3]:
        alone = {"x": starts["x"][i], "v": jm.interval(starts["v"].value[i], lower=-1.0, upper=2.0)}
        _same(fits, i, jm.fit(hills, alone))


def test_lanes_of_fixed_parameters_and_bounds():
    y = jnp.asarray(np.random.default_rng(2).normal(1.0, 2.0, 25))
    known, lower = jnp.array([1.0, 2.0]), jnp.array([-1.0, 1.5])

    def start(known, lower):
        return {"mu": jm.interval(jnp.asarray(3.0), lower=lower), "sigma": jm.fixed(known)}

    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"]), y)
    axes = {"mu": jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) else None, start(known, lower)["mu"]), "sigma": 0}
    fits = jm.fit_batch(term, start(known, lower), in_axes=(None, axes))
    for i in range(2):
        _same(fits, i, jm.fit(term, start(known[i], lower[i])))
    np.testing.assert_array_equal(fits.params["sigma"], known)


def test_lanes_along_another_axis():
    x, y = _logistic()
    lanes = _models(x, y)
    usual = jm.fit_batch(lanes)
    turned = eqx.tree_at(lambda p: p.objective.terms[0].x, lanes, jnp.moveaxis(jnp.asarray(x), 0, 2))
    axes = eqx.tree_at(lambda p: p.objective.terms[0].x, jm.lane_axes(lanes), 2)
    fits = jm.fit_batch(turned, in_axes=(axes,))
    np.testing.assert_array_equal(fits.z, usual.z)


def test_a_start_of_ones_own_for_a_batch_of_problems():
    x, y = _logistic()
    fits = jm.fit_batch(_models(x, y), {"beta": jm.free(jnp.ones(3))})
    np.testing.assert_allclose(fits.z, jm.fit_batch(_models(x, y)).z, rtol=1e-7, atol=1e-9)
    assert fits.steps.tolist() != jm.fit_batch(_models(x, y)).steps.tolist()


def test_shared_data_and_whole_likelihoods():
    rng = np.random.default_rng(5)
    series, knots = jnp.asarray(rng.normal(size=(6, 40))), jnp.array([0.5, 2.0])

    def step(params, data):
        return jm.densities.normal.logpdf(data["y"] * data["k"][0], params["mu"], data["k"][1])

    data = {"y": series, "k": jm.shared(knots)}
    by_rows = jm.fit_batch(jm.likelihood(step, data), {"mu": 0.0})
    whole = jm.fit_batch(jm.likelihood(step, data, rows=False, nobs=40), {"mu": 0.0})
    np.testing.assert_allclose(by_rows.params["mu"], 0.5 * series.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(whole.params["mu"], by_rows.params["mu"], rtol=1e-12)


def test_a_penalty_with_kinks_in_lanes():
    data, _ = _curves()
    term = jm.likelihood(_noise, data) + jm.penalties.l1("beta", 40.0)
    fits = jm.fit_batch(term, {"beta": jnp.zeros(2), "sigma": jm.fixed(1.0)}, batch_size=5)
    for i in (0, 17, 40):
        alone = jm.likelihood(_noise, _lane(data, i)) + jm.penalties.l1("beta", 40.0)
        _same(fits, i, jm.fit(alone, {"beta": jnp.zeros(2), "sigma": jm.fixed(1.0)}))
    assert np.any(fits.params["beta"] == 0)


@pytest.mark.parametrize("solver", ["lbfgs", "bhhh", "optax"])
def test_other_solvers(solver):
    optax = pytest.importorskip("optax")
    made = {"lbfgs": jm.solvers.LBFGS(), "bhhh": jm.solvers.BHHH(), "optax": optax.adam(0.1)}[solver]
    data, weights = _curves(lanes=5)
    term = jm.likelihood(_noise, data, weights)
    fits = jm.fit_batch(term, START, solver=made, max_steps=150, batch_size=2)
    for i in range(5):
        alone = jm.fit(jm.likelihood(_noise, _lane(data, i), weights[i]), START, solver=made, max_steps=150)
        lane = _lane(fits, i)
        np.testing.assert_allclose(lane.z, alone.z, rtol=1e-7)
        assert (lane.status, lane.method) == (alone.status, alone.method)


def test_the_limit_of_a_model_holds_for_lanes():
    exact = jnp.stack([jnp.arange(6.0), jnp.array([0.0, 1.2, 1.9, 3.1, 4.0, 5.2])])
    x = jnp.stack([jnp.column_stack([jnp.ones(6), jnp.arange(6.0)])] * 2)
    fits = jm.fit_batch(jax.vmap(jm.models.linear)(x, exact))
    assert fits.status.tolist()[0] == codes.UNBOUNDED
    assert fits.ok.tolist() == [False, True]


def test_the_derivative_of_a_lane_is_that_of_its_fit():
    data, weights = _curves(lanes=4)

    def by_batch(weights):
        return jnp.sum(jm.fit_batch(jm.likelihood(_noise, data, weights), START).params["beta"] ** 2)

    def by_loop(weights):
        fits = [jm.fit(jm.likelihood(_noise, _lane(data, i), weights[i]), START) for i in range(4)]
        return sum(jnp.sum(fit.params["beta"] ** 2) for fit in fits)

    np.testing.assert_allclose(jax.grad(by_batch)(weights), jax.grad(by_loop)(weights), rtol=1e-9, atol=1e-12)


def test_the_mode_with_a_jacobian():
    data, weights = _curves(lanes=3)
    fits = jm.fit_batch(jm.likelihood(_noise, data, weights), START, jacobian=True)
    _same(fits, 2, jm.fit(jm.likelihood(_noise, _lane(data, 2), weights[2]), START, jacobian=True))


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
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14), _lane(found, i), alone)


def _fold(array):
    return jnp.reshape(array, (6, 5, *array.shape[1:]))


def _flat(tree):
    return jax.tree.map(lambda leaf: leaf.reshape(30, *leaf.shape[2:]), tree)


# One program


def test_new_numbers_compile_nothing_and_jit_changes_nothing():
    x, y = _logistic()
    fits = jm.fit_batch(_models(x, y))
    before = len(program.TRACED)
    jm.fit_batch(_models(*_logistic(seed=3)), tolerance=1e-9, max_steps=50)
    assert len(program.TRACED) == before
    jm.fit_batch(_models(*_logistic(lanes=LANES - 1)))
    assert len(program.TRACED) == before + 1
    jitted = jax.jit(lambda x, y: jm.fit_batch(jax.vmap(jm.models.logistic)(x, y)))(x, y)
    np.testing.assert_allclose(jitted.z, fits.z, rtol=1e-12)


def test_a_bar_counts_fits_and_changes_nothing(monkeypatch, capsys):
    x, y = _logistic()
    fits = jm.fit_batch(_models(x, y), batch_size=2, progress=True)
    assert re.search(r"100%.*41/41", capsys.readouterr().err)
    usual = jm.fit_batch(_models(x, y), batch_size=2)
    jax.tree.map(np.testing.assert_array_equal, fits, usual)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match="pip install tqdm"):
        jm.fit_batch(_models(x, y), progress=True)


# Tried again


def test_refit_tries_only_the_failed_lanes():
    x, y = _logistic()
    problems = _models(x, y)
    fits = jm.fit_batch(problems, max_steps=6)
    assert 0 < fits.ok.sum() < LANES
    again = jm.refit(problems, fits, solver=jm.solvers.LBFGS())
    assert again.ok.all()
    np.testing.assert_allclose(again.z, jm.fit_batch(problems).z, rtol=1e-6, atol=1e-8)
    for old, new in zip(jax.tree.leaves(fits), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(old[fits.ok], new[fits.ok])
    assert "by L-BFGS" in _lane(again, int(np.argmin(fits.ok))).message
    assert "by Newton's method, chosen" in _lane(again, int(np.argmax(fits.ok))).message
    assert jm.refit(problems, again) is again


def test_refit_starts_where_a_lane_ended_or_where_it_is_told():
    data, weights = _curves()
    term = jm.likelihood(_noise, data, weights)
    fits = jm.fit_batch(term, START)
    here = jm.refit(term, fits, where=np.arange(LANES) == 5)
    assert here.steps[5] <= 2
    there = jm.refit(term, fits, where=np.arange(LANES) == 5, start=START)
    np.testing.assert_array_equal(there.steps, fits.steps)
    np.testing.assert_allclose(there.z, fits.z, rtol=1e-12)


def test_refit_says_what_does_not_fit():
    data, weights = _curves()
    term = jm.likelihood(_noise, data, weights)
    fits = jm.fit_batch(term, START)
    with pytest.raises(ValueError, match=r"one entry for each lane; it has the type bool and the shape \(3,\)"):
        jm.refit(term, fits, where=np.ones(3, bool))
    with pytest.raises(ValueError, match="type int64"):
        jm.refit(term, fits, where=np.arange(LANES))
    with pytest.raises(ValueError, match="other marks"):
        jm.refit(term, fits, where=np.ones(LANES, bool), start=START | {"sigma": jm.interval(1.0, lower=0.0)})
    with pytest.raises(TypeError, match=r"not known inside jax\.jit"):
        jax.jit(lambda fits: jm.refit(term, fits))(fits)


# Errors


def test_lanes_that_do_not_agree_are_named():
    data, weights = _curves()
    with pytest.raises(ValueError, match=r"objective.terms\[0\].weights \(shape \(3, 30\), axis 0\) has 3|and .*has 3"):
        jm.fit_batch(jm.likelihood(_noise, data, weights[:3]) + jm.priors.flat(), START)
    with pytest.raises(ValueError, match=r"do not agree: objective.data.x \(shape \(41, 30, 2\), axis 0\) has 41"):
        jm.fit_batch(jm.likelihood(_noise, data | {"y": data["y"][:7]}), START)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda d: _lane(d, 0),
            r"in one of the 30 lanes: data leaf 'y' is a single number.*first axis .* counts lanes",
        ),
        (lambda d: _lane(d, slice(0, 0)), "the batch has no lanes"),
        (lambda d: d | {"y": d["y"][:, :4]}, "in one of the 41 lanes: data leaves have different numbers of rows"),
    ],
)
def test_shapes_of_lanes(change, message):
    data, _ = _curves()
    with pytest.raises(ValueError, match=message):
        jm.fit_batch(jm.likelihood(_noise, change(data)), START)


def test_axes_that_cannot_be():
    data, _ = _curves()
    term = jm.likelihood(_noise, data)
    for axes, message in [
        (0, r"one entry for each argument, \(objective, start\)"),
        ((0,), r"one entry for each argument"),
        ((0, {"alpha": 0}), "must be shaped like"),
        ((0.5, None), "whole numbers"),
        ((None, None), "no leaf has a lane axis"),
        ((3, None), r"objective.data.x has shape \(41, 30, 2\) and no axis 3"),
    ]:
        with pytest.raises(ValueError, match=message):
            jm.fit_batch(term, START, in_axes=axes)


def test_other_errors():
    data, _ = _curves()
    term = jm.likelihood(_noise, data)
    with pytest.raises(TypeError, match="there is no start"):
        jm.fit_batch(term)
    with pytest.raises(ValueError, match="batch_size must be a whole number"):
        jm.fit_batch(term, START, batch_size=0)
    with pytest.raises(ValueError, match="every parameter is fixed"):
        jm.fit_batch(term, jm.fixed({"beta": jnp.zeros(2), "sigma": 1.0}))
    with pytest.raises(ValueError, match="tolerance must be positive"):
        jm.fit_batch(term, START, tolerance=-1.0)
    with pytest.raises(ValueError, match="progress=True shows a bar between calls"):
        jax.jit(lambda y: jm.fit_batch(jm.likelihood(_noise, data | {"y": y}), START, progress=True))(data["y"])
    with pytest.raises(KeyError, match="asked for 'sigma'"):
        jm.fit_batch(term, {"beta": jnp.zeros(2)})
    with pytest.raises(ValueError, match="not row-wise"):
        jm.fit_batch(jm.likelihood(lambda p, d: d["y"] - d["y"].mean() - p["m"] ** 2, data), {"m": 1.0})
    with pytest.raises(TypeError, match="lanes are those of a term"):
        jm.lane_axes(data)


def test_lane_axes_are_an_objective_of_axes():
    data, weights = _curves()
    term = 2.0 * jm.likelihood(_noise, data | {"k": jm.shared(jnp.ones(3))}, weights) + jm.priors.normal("beta")
    axes = jm.lane_axes(term)
    assert axes.terms[0].data["x"] == 0
    assert axes.terms[0].weights == 0
    assert jax.tree.leaves((axes.terms[0].data["k"], axes.terms[1], axes.factors)) == []
    values = jax.vmap(lambda term: term({"beta": jnp.ones(2), "sigma": 1.0}), in_axes=(axes,))(term)
    assert values.shape == (LANES,)


def test_a_lane_beside_scipy():
    data, _ = _curves()
    fits = jm.fit_batch(jm.likelihood(_noise, data), START)

    def loss(p):
        return -float(np.sum(jm.densities.normal.logpdf(data["y"][6], data["x"][6] @ p[:2], np.exp(p[2]))))

    found = scipy.optimize.minimize(loss, np.zeros(3), method="BFGS")
    np.testing.assert_allclose(fits.z[6], found.x, atol=1e-5)
