"""More numbers than a matrix is formed for: what is called converged is so, and what is not says what it is."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optimistix
import pytest

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.solvers import conjugate
from jaxmle.solvers.newton_cg import LONGEST, curvature_product

M = LONGEST + 2
START = {"x": jnp.zeros(M)}
CURVATURES = np.logspace(-6, 6, M)


def quadratic(params):
    return -0.5 * jnp.sum(CURVATURES * (params["x"] - 1.0) ** 2)


def design(seed, n=600, m=M, scale=None):
    x = np.random.default_rng(seed).normal(size=(n, m))
    return x if scale is None else x * scale


def test_separated_responses_are_diverging():
    x = design(1)
    found = jm.fit(jm.models.logistic(x, x[:, 0] > 0))
    assert int(found.status) == codes.DIVERGING
    assert "by L-BFGS, chosen for 302 free numbers, too many for a matrix" in found.message


def test_an_empty_group_is_named():
    group = np.arange(4 * M) % M
    counts = np.random.default_rng(2).poisson(3.0, group.size) * (group != 7)
    found = jm.fit(jm.models.poisson_regression(np.eye(M)[group], counts))
    assert int(found.status) == codes.DIVERGING
    assert "beta[7] goes to -infinity" in found.message


@pytest.mark.parametrize("where", ["minimum", "saddle"])
def test_a_stationary_point_that_is_no_maximum(where):
    signs = np.ones(M) if where == "minimum" else np.where(np.arange(M) == 5, 1.0, -1.0)
    found = jm.fit(jm.log_prior(lambda p: jnp.sum(signs * p["x"] ** 2 - p["x"] ** 4)), START)
    assert int(found.status) == codes.SADDLE


@pytest.mark.parametrize(
    "solver",
    [optimistix.BFGS(1e-1, 1e-1), jm.solvers.Optax(optax.lbfgs), optax.adam(1e-2)],
    ids=["Optimistix", "optax L-BFGS", "optax Adam"],
)
def test_what_others_leave_is_known(solver):
    """By the closed form to the share that conjugate gradients settle to, a twentieth."""
    found = jm.fit(jm.log_prior(quadratic), START, solver=solver, max_steps=30)
    assert not codes.is_maximum(int(found.status)), found.message
    assert 0.5 * float(found.newton_decrement) ** 2 == pytest.approx(-float(found.value), rel=0.1)


def test_an_early_stop_is_named():
    found = jm.fit(jm.log_prior(quadratic), START, solver=optimistix.BFGS(1e-1, 1e-1))
    assert int(found.status) == codes.STOPPED_SHORT
    assert found.message.endswith("by an Optimistix minimiser")


def test_ill_scaled_columns_end_where_newton_ends():
    """The value to its rounding: 600 rows, each right to some 1e-15."""
    y = np.random.default_rng(3).random(2000) < 0.5
    problem = jm.models.logistic(design(4, 2000, scale=np.logspace(-3, 3, M)), y)
    found, newton = jm.fit(problem), jm.fit(problem, solver=jm.solvers.Newton())
    assert found.ok, found.message
    assert 0.5 * float(found.newton_decrement) ** 2 < 1e-18
    assert float(found.value) == pytest.approx(float(newton.value), abs=1e-10)
    assert int(found.steps) < 1000


@pytest.mark.parametrize("mean", [20.0, 200.0])
def test_float32_columns_far_from_zero(mean):
    """In float32 what is claimed bounds what is missing to a factor of ten, or nothing is claimed."""
    x = (design(5, 1500) + mean).astype(np.float32)
    y = (np.random.default_rng(6).random(1500) < 0.5).astype(np.float32)
    found = jm.fit(jm.models.logistic(x, y))
    exact = jm.models.logistic(x.astype(float), y.astype(float))
    gap = float(jm.fit(exact, solver=jm.solvers.Newton()).value) - float(
        exact.objective({"beta": jnp.asarray(found.params["beta"], float)})
    )
    assert found.z.dtype == jnp.float32
    if found.ok:
        assert gap < 10.0 * 0.5 * float(found.newton_decrement) ** 2 + 1e-5, found.message


def test_a_density_without_a_top_is_unbounded():
    found = jm.fit(jm.log_prior(lambda p: jnp.sum(p["x"])), START)
    assert int(found.status) == codes.UNBOUNDED


def test_a_limit_of_steps_is_kept():
    found = jm.fit(jm.log_prior(quadratic), START, max_steps=50)
    assert (int(found.status), int(found.steps)) == (codes.OUT_OF_STEPS, 50)


def test_lanes_equal_a_loop():
    heights = jnp.asarray([1.0, -2.0])

    def fit(height):
        return jm.fit(jm.log_prior(lambda p: -jnp.sum(jnp.cosh(p["x"] - height))), START)

    lanes = jax.jit(jax.vmap(fit))(heights)
    assert np.all(lanes.ok)
    np.testing.assert_allclose(lanes.params["x"], np.broadcast_to(heights[:, None], (2, M)), rtol=1e-8)


def test_functions_with_a_reverse_derivative_only():
    """Products are then differences of gradients; here central ones of a quadratic, right to rounding over the step."""

    @jax.custom_vjp
    def square(x):
        return x**2

    square.defvjp(lambda x: (x**2, x), lambda x, slope: (2.0 * x * slope,))
    product = curvature_product(lambda z: jax.grad(lambda z: -jnp.sum(square(z)))(z), jnp.ones(3), jnp.arange(3.0))
    np.testing.assert_allclose(product, [0.0, 2.0, 4.0], atol=1e-9)
    found = jm.fit(jm.log_prior(lambda p: -jnp.sum(square(p["x"] - 2.0))), START)
    assert found.ok, found.message
    np.testing.assert_allclose(found.params["x"], 2.0, rtol=1e-8)


# The parts


def test_conjugate_gradients_gain_what_a_solve_gains():
    rng = np.random.default_rng(7)
    root = rng.normal(size=(40, 40))
    matrix, slope = root @ root.T + 0.1 * np.eye(40), rng.normal(size=40)
    found = conjugate.steihaug(lambda v: matrix @ v, jnp.asarray(slope), jnp.inf, 1e-12, 1e-16)
    exact = 0.5 * slope @ np.linalg.solve(matrix, slope)
    assert bool(found.settled)
    assert bool(found.whole)
    assert 0.95 * exact < float(found.predicted) <= exact * (1.0 + 1e-12)


def test_conjugate_gradients_stop_at_the_boundary_and_where_it_curves_upwards():
    slope = jnp.asarray([1.0, 1.0])
    short = conjugate.steihaug(lambda v: v, slope, 0.5, 1e-12, 1e-16)
    assert float(jnp.linalg.norm(short.step)) == pytest.approx(0.5)
    assert not bool(short.whole)
    upwards = conjugate.steihaug(lambda v: jnp.asarray([1.0, -2.0]) * v, slope, 3.0, 1e-12, 1e-16)
    assert bool(upwards.negative)
    assert float(jnp.linalg.norm(upwards.step)) == pytest.approx(3.0)


def test_units_follow_the_columns():
    """Six decades apart, to a factor of three: a row's length is met in one random product at a time."""
    units = np.logspace(-3, 3, 50)
    mixed = 0.02 * np.random.default_rng(8).normal(size=(50, 50))
    matrix = (np.eye(50) + mixed @ mixed.T) * np.outer(units, units)
    found = conjugate.equilibrated(lambda v: matrix @ v, jnp.ones(50), 8, 0)
    assert np.all(np.abs(np.log(found / units)) < np.log(3.0))
