"""Every solver obeys the same laws. To add one, add a row to `solver_table`.

The problem is a curve with a positive scale, so that the predictor is nonlinear and a parameter is constrained.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from solver_table import SOLVERS, TABLE

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.core.evaluation import Evaluation
from jaxmle.solvers.choice import as_solver

T = np.linspace(0.0, 4.0, 15)
Y = 2.0 * np.exp(-0.7 * T) + 0.1 * np.random.default_rng(31).normal(size=15)
WEIGHTS = np.linspace(0.5, 1.5, 15)
YS, LANES = np.stack([Y, 0.5 + Y, Y**2]), np.stack([WEIGHTS, WEIGHTS[::-1], np.ones(15)])
CALLS = []
per_solver = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)


def _curve(params, t):
    CALLS.append(None)
    return params["a"] * jnp.exp(-params["b"] * t), params["sigma"]


def fit(solver, y, weights, **options):
    term = jm.regression(jm.densities.normal, _curve, T, y, weights)
    return jm.fit(
        term, {"a": 1.0, "b": 0.5, "sigma": jm.positive(0.5)}, solver=solver, **({"max_steps": 1000} | options)
    )


@functools.cache
def _compiled(structure):
    """Fits and their gradients in the weights, over lanes, in one program for all solvers of one structure."""

    def estimate(solver, y, weights):
        found = fit(solver, y, weights)
        return found.params["b"], found

    one = jax.value_and_grad(estimate, argnums=2, has_aux=True)
    return jax.jit(jax.vmap(one, (None, 0, 0)))


def _lanes(row, ys=None):
    """On three responses, each with its weights."""
    solver = as_solver(row.solver)
    (_, fits), slopes = _compiled(jax.tree.structure(solver))(solver, YS if ys is None else ys, LANES)
    return fits, slopes


@functools.cache
def _truth():
    """The estimates by scipy, sigma profiled out."""
    root = np.sqrt(WEIGHTS)
    found = scipy.optimize.least_squares(
        lambda p: root * (Y - p[0] * np.exp(-p[1] * T)), (1.0, 0.5), xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    return *found.x, np.sqrt(2 * found.cost / WEIGHTS.sum())


@per_solver
def test_finds_the_maximum(row):
    found = fit(row.solver, Y, WEIGHTS)
    assert found.ok, found.message
    np.testing.assert_allclose([found.params[name] for name in ("a", "b", "sigma")], _truth(), rtol=1e-6)
    assert 0.5 * float(found.newton_decrement) ** 2 < row.accuracy


@per_solver
def test_jit_of_vmap_equals_an_eager_loop(row):
    fits, _ = _lanes(row)
    assert np.all(fits.ok)
    for i in range(3):
        alone = fit(row.solver, YS[i], LANES[i]).params
        for name, value in fits.params.items():
            assert float(value[i]) == pytest.approx(float(alone[name]), rel=row.repeats)


@per_solver
def test_gradient_equals_finite_differences(row):
    """Central differences err by 1e-9; those of Newton, since where others stop, 1e-10, is noise here."""
    along = np.random.default_rng(32).normal(size=15)
    _, slopes = _lanes(row)
    ends = [float(fit(None, Y, WEIGHTS + step * along).params["b"]) for step in (1e-5, -1e-5)]
    assert float(np.dot(slopes[0], along)) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


@per_solver
def test_new_numbers_trace_nothing(row):
    fit(row.solver, Y, WEIGHTS)
    fit(row.solver, Y, WEIGHTS, tolerance=1e-3)
    before = len(CALLS)
    fit(
        jax.tree.map(lambda number: 1.5 * number, as_solver(row.solver)), Y + 0.1, WEIGHTS, tolerance=1e-4, max_steps=30
    )
    assert len(CALLS) == before


@per_solver
def test_a_bad_lane_is_alone(row):
    clean, _ = _lanes(row)
    ys = YS.copy()
    ys[1, 3] = np.nan
    spoilt, _ = _lanes(row, ys)
    assert np.array_equal(spoilt.ok, [True, False, True])
    for a, b in zip(jax.tree.leaves(clean), jax.tree.leaves(spoilt), strict=True):
        assert np.array_equal(np.asarray(a)[[0, 2]], np.asarray(b)[[0, 2]])


@per_solver
def test_a_run_cut_short_says_so(row):
    found = fit(row.solver, Y, WEIGHTS, max_steps=2)
    assert int(found.status) == row.cut
    assert int(found.steps) == 2


@pytest.mark.parametrize("row", [row for row in TABLE if hasattr(row.solver, "update")], ids=lambda row: row.name)
def test_is_a_state_machine_that_never_sees_the_objective(row):
    """Asked for points and told what was found there, it climbs; here from Python, a quadratic of NumPy."""
    curvature, gradient = np.array([[3.0, 0.5], [0.5, 1.0]]), np.array([1.0, -2.0])

    def found_at(z):
        value = gradient @ z - 0.5 * z @ curvature @ z
        bend = jnp.asarray(curvature) if row.solver.order == 2 else None
        return Evaluation(jnp.asarray(value), jnp.zeros(()), jnp.asarray(abs(value)), gradient - curvature @ z, bend)

    init, update = _machine(jax.tree.structure(row.solver))
    state = init(row.solver, jnp.zeros(2))
    assert np.array_equal(state.z, [0.0, 0.0])
    for _ in range(100):
        if int(state.status) != codes.RUNNING:
            break
        state = update(row.solver, state, found_at(np.asarray(state.z)))
    assert int(state.status) in (codes.CONVERGED, codes.STALLED_AT_ROUNDING)
    np.testing.assert_allclose(state.best, np.linalg.solve(curvature, gradient), rtol=1e-9)
    assert not 0.5 * float(state.decrement) ** 2 > 1e-15  # NaN where a solver takes no curvature


@functools.cache
def _machine(structure):
    return (
        jax.jit(lambda solver, z: solver.init(z, 1e-16, jnp.abs(z))),
        jax.jit(lambda solver, state, evaluation: solver.update(state, evaluation)),
    )


def test_the_table_is_whole():
    assert set(jm.solvers.__all__) == SOLVERS
