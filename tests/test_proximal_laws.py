"""Proximal solvers on hard problems and through the laws: never a wrong claim, lanes apart, one trace."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from proximal_cases import (
    SOLVERS,
    TRACED,
    climb,
    data,
    drive,
    kkt,
    lasso,
    loss,
    per_solver,
    regress,
)

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.core.evaluation import Evaluation
from jaxmle.solvers.penalty import Penalty
from jaxmle.solvers.proximal_newton import ProximalNewton

# Hard problems


@pytest.mark.parametrize("share", [0.3, 0.01, 1e-4])
def test_more_columns_than_rows(share):
    """Correlated, so that most faces are singular; scikit-learn's coordinate descent as the peer."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 100)) + rng.normal(size=(40, 1))
    y = x[:, :4] @ np.array([3.0, -2.0, 1.0, 1.0]) + rng.normal(size=40)
    alpha = share * np.abs(x.T @ (y - y.mean())).max() / 40
    state, params = regress(SOLVERS["Newton"], "normal", x, y, 40 * alpha, 0.0)
    assert int(state.status) == codes.CONVERGED
    other = loss("normal", x, y, 40 * alpha, 0.0, *lasso("normal", x, y, alpha, 1.0))
    ours = loss("normal", x, y, 40 * alpha, 0.0, float(params["b0"]), np.asarray(params["beta"]))
    assert ours <= other * (1 + 1e-10)
    assert 100 - np.sum(np.asarray(params["beta"]) == 0) <= 40


def _separated():
    x = np.random.default_rng(6).normal(size=(60, 4))
    return x, (x[:, 0] > 0).astype(float)


@per_solver
def test_separated_data_have_an_estimate_with_l1(solver):
    x, y = _separated()
    state, params = regress(solver, "binomial", x, y, 0.5, 0.0)
    assert int(state.status) == codes.CONVERGED
    assert kkt("binomial", x, y, 0.5, 0.0, params) < 1e-8
    assert np.abs(params["beta"][0]) > 1.0


def test_separated_by_what_is_not_penalised_diverges():
    x, y = _separated()
    state, _ = regress(
        SOLVERS["Newton"], "binomial", x, y, np.array([0.0, 1.0, 1.0, 1.0]), 0.1 * np.array([0, 1, 1, 1])
    )
    assert int(state.status) == codes.DIVERGING


def test_a_repeated_column_is_flat():
    x, y = data("diabetes")
    x = np.column_stack([x[:, 2], x])
    l1 = np.r_[0.0, np.full(10, 50.0)] * np.r_[0, 1, 1, 0, np.ones(7)]
    state, _ = regress(SOLVERS["Newton"], "normal", x, y, l1, 1e-9 * (l1 > 0))
    assert int(state.status) == codes.FLAT


@pytest.mark.parametrize("start", [8.0, -8.0])
def test_from_a_start_far_away(start):
    x, y = data("gymnastics")
    far = {"b0": jnp.asarray(start), "beta": jnp.full(x.shape[1], start)}
    _, params = regress(SOLVERS["Newton"], "poisson", x, y, 20.0, 0.0)
    state, others = regress(SOLVERS["Newton"], "poisson", x, y, 20.0, 0.0, far)
    assert int(state.status) == codes.CONVERGED
    np.testing.assert_allclose(others["beta"], params["beta"], atol=1e-10)


def test_units_change_nothing():
    x, y = data("cancer")
    units = 10.0 ** np.random.default_rng(7).uniform(-3, 3, x.shape[1])
    one, a = regress(SOLVERS["Newton"], "binomial", x, y, np.full(x.shape[1], 5.0), 0.0 * units + 1e-3)
    two, b = regress(SOLVERS["Newton"], "binomial", x * units, y, 5.0 * units, 1e-3 * units**2)
    assert int(one.steps) == int(two.steps)
    np.testing.assert_allclose(np.asarray(b["beta"]) * units, a["beta"], atol=1e-9)
    assert np.array_equal(a["beta"] == 0, b["beta"] == 0)


def function_of(f):
    def evaluate(z):
        value, gradient = jax.value_and_grad(f)(z)
        return Evaluation(value, jnp.zeros_like(value), jnp.abs(value), gradient, -jax.hessian(f)(z))

    return evaluate


FUNCTIONS = {
    "double well": (lambda z: -jnp.sum((z**2 - 1) ** 2), [0.1, -0.2], 0.3, codes.CONVERGED),
    "curved valley": (
        lambda z: -((1 - z[0]) ** 2) - 100 * (z[1] - z[0] ** 2) ** 2,
        [-1.2, 1.0],
        0.1,
        codes.CONVERGED,
    ),
    "kink at the top": (lambda z: jnp.sum(z**2), [0.0, 0.0], 1.0, codes.CONVERGED),
    "saddle": (lambda z: 0.5 * z[0] ** 2 - z[0] ** 4 - z[1] ** 2, [0.0, 1.0], [0.0, 1.0], codes.SADDLE),
    "edge of a domain": (lambda z: 5 * jnp.log(z[0]) - z[1] ** 2, [1e-3, 1.0], 1.0, codes.CONVERGED),
    "no start": (lambda z: jnp.log(z[0]) - z[1] ** 2, [-1.0, 0.0], 1.0, codes.NON_FINITE_AT_START),
    "no maximum": (lambda z: 2 * z[0] - z[1] ** 2, [1.0, 1.0], 1.0, codes.RUNNING),
}


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_functions_that_are_not_concave(name):
    f, start, strength, status = FUNCTIONS[name]
    penalty = Penalty(jnp.broadcast_to(jnp.asarray(strength), (2,)))
    evaluate = function_of(f)
    state = jax.jit(lambda z: drive(ProximalNewton(), evaluate, z, penalty, 100))(jnp.asarray(start))
    assert int(state.status) == status
    if status == codes.CONVERGED:
        best = np.asarray(state.best)

        def height(z):
            return float(f(z) - penalty.value(z))

        for step in 1e-3 * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 1.0], [1.0, -1.0]]):
            assert height(best + step) < height(best)
    if status == codes.SADDLE:
        assert np.isnan(state.decrement)


def test_a_nonlinear_predictor():
    """A sum of two decays, the second of which a prior removes: what is left is the fit of one."""
    t = np.linspace(0.0, 4.0, 25)
    y = 2.0 * np.exp(-0.7 * t) + 0.05 * np.random.default_rng(8).normal(size=25)

    def curve(params, t):
        return params["a"][0] * jnp.exp(-params["b"] * t) + params["a"][1] * jnp.exp(-3.0 * t), 0.05

    def fit(objective, start):
        return jax.jit(lambda: climb(ProximalNewton(), objective, start))()

    curves = jm.regression(jm.densities.normal, curve, t, y)
    state, params = fit(curves + jm.penalties.l1(lambda p: p["a"][1:], 300.0), {"a": np.array([1.0, 0.5]), "b": 0.3})
    assert int(state.status) == codes.CONVERGED
    assert float(params["a"][1]) == 0.0
    alone = jm.fit(
        jm.regression(jm.densities.normal, lambda p, t: (p["a"] * jnp.exp(-p["b"] * t), 0.05), t, y),
        {"a": 1.0, "b": 0.3},
    )
    assert float(params["a"][0]) == pytest.approx(float(alone.params["a"]), rel=1e-9)
    assert float(params["b"]) == pytest.approx(float(alone.params["b"]), rel=1e-9)


# Laws


def _lanes():
    x, y = data("gymnastics")
    return x, np.stack([y, y[::-1], y + 3.0]), np.array([1.0, 20.0, 400.0])


@functools.partial(jax.jit)
def together(solver, x, ys, l1s):
    return jax.vmap(lambda y, l1: regress(solver, "poisson", x, y, l1, 0.01))(ys, l1s)


@per_solver
def test_vmap_equals_a_loop_and_jit_equals_eager(solver):
    x, ys, l1s = _lanes()
    states, params = together(solver, x, ys, l1s)
    for i in range(3):
        alone, other = regress(solver, "poisson", x, ys[i], l1s[i], 0.01)
        np.testing.assert_allclose(params["beta"][i], other["beta"], atol=1e-9)
        assert np.array_equal(params["beta"][i] == 0, other["beta"] == 0)
        assert codes.is_ok(int(states.status[i]))
        assert codes.is_ok(int(alone.status))
    _, other = regress.__wrapped__(solver, "poisson", x, ys[1], l1s[1], 0.01)
    np.testing.assert_allclose(params["beta"][1], other["beta"], atol=1e-9)


@per_solver
def test_a_bad_lane_is_alone(solver):
    x, ys, l1s = _lanes()
    clean, _ = together(solver, x, ys, l1s)
    ys = ys.copy()
    ys[1, 3] = np.nan
    spoilt, _ = together(solver, x, ys, l1s)
    assert np.array_equal(codes.is_ok(np.asarray(spoilt.status)), [True, False, True])
    for a, b in zip(jax.tree.leaves(clean), jax.tree.leaves(spoilt), strict=True):
        assert np.array_equal(np.asarray(a)[[0, 2]], np.asarray(b)[[0, 2]], equal_nan=True)


@per_solver
def test_new_numbers_trace_nothing(solver):
    x, y = data("gymnastics")
    regress(solver, "poisson", x, y, 3.0, 0.1)
    before = len(TRACED)
    regress(jax.tree.map(lambda number: 0.9 * number, solver), "poisson", x, y + 1.0, 4.0, 0.2)
    assert len(TRACED) == before


@per_solver
def test_a_run_cut_short_says_how_far_it_is(solver):
    """The gain left that it states is that to the optimum, within a factor of ten."""
    x, y = data("cancer")
    best, _ = regress(SOLVERS["Newton"], "binomial", x, y, 5.0, 0.0)
    steps = 6 if solver.order == 2 else 120
    state, _ = regress(solver, "binomial", x, y, 5.0, 0.0, None, steps)
    assert int(state.status) == codes.RUNNING
    assert int(state.steps) == steps
    gain = float(best.evaluation.value - best.rough - state.evaluation.value + state.rough)
    assert gain > 1e-9
    assert 0.1 < 0.5 * float(state.decrement) ** 2 / gain < 10.0


@per_solver
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_is_a_state_machine_that_never_sees_the_objective(solver, dtype):
    """Asked for points and told what was found there, it climbs; here from Python, a quadratic of NumPy."""
    curvature = np.array([[3.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 2.0]], dtype)
    gradient = np.array([1.0, -2.0, 0.1], dtype)
    penalty = Penalty(jnp.array([0.1, 0.2, 0.5], dtype))
    init = jax.jit(lambda z: solver.init(z, np.finfo(dtype).eps ** 1.2, jnp.abs(z), penalty))
    update = jax.jit(lambda state, found: solver.update(state, found, penalty))
    state = init(jnp.ones(3, dtype))
    for _ in range(300):
        if int(state.status) != codes.RUNNING:
            break
        z = np.asarray(state.z)
        value = gradient @ z - 0.5 * z @ curvature @ z
        given = (gradient - curvature @ z, curvature if solver.order == 2 else None)
        state = update(state, Evaluation(*(jnp.asarray(n, dtype) for n in (value, 0.0, abs(value))), *given))
    assert codes.is_ok(int(state.status))
    assert state.best.dtype == dtype
    assert float(state.best[2]) == 0.0
    expected = np.linalg.solve(curvature[:2, :2], gradient[:2] - np.array([0.1, -0.2], dtype))
    np.testing.assert_allclose(state.best[:2], expected, rtol=1e-8 if dtype == "float64" else 1e-4)
