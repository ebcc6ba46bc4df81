"""Separated data with many rows: what is left to gain on the way to infinity is lost in rounding before it is small.
Law 8: separation is not convergence. Law 9: no standard error is made up."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.core import status as codes

RNG = np.random.default_rng(1)
GROUP = np.repeat([0, 1], [50, 10])
X = np.column_stack([np.ones(60), RNG.normal(size=60), GROUP])
Y = np.where(GROUP == 1, 1.0, (RNG.random(60) < 1.0 / (1.0 + np.exp(-X[:, 1]))).astype(float))
COUNTS = np.where(GROUP == 1, 0.0, RNG.poisson(2.0, 60))
SOLVERS = {"Newton": None, "L-BFGS": jm.solvers.LBFGS(), "BHHH": jm.solvers.BHHH()}


def rest_of(model, y):
    """The errors of the others: those of a fit without the group, which is what the likelihood goes to."""
    rest = model(X[:50, :2], y[:50])
    return np.asarray(jm.infer(rest, jm.fit(rest)).bse["beta"])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_separated_group_diverges_whatever_the_weights(solver, dtype):
    """A weight w divides errors by root(w). BHHH in single precision stops 5e-7 short of a probability of one."""
    errors = rest_of(jm.models.logistic, Y)
    for weight in (1.0, 1e3, 1e5):
        problem = jm.models.logistic(X.astype(dtype), Y.astype(dtype), np.full(60, weight, dtype))
        fit = jm.fit(problem, solver=SOLVERS[solver])
        assert int(fit.status) == codes.DIVERGING, fit.message
        assert "; beta[2] goes to +infinity (" in fit.message
        found = np.asarray(jm.infer(problem, fit).bse["beta"]) * weight**0.5
        np.testing.assert_allclose(found, [*errors, np.nan], rtol=1e-4 if dtype == np.float32 else 1e-7)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_group_without_events_diverges_whatever_the_exposure(dtype):
    """The exposure moves the constant only, and no error."""
    errors = rest_of(jm.models.poisson_regression, COUNTS)
    for exposure in (1.0, 1e6):
        problem = jm.models.poisson_regression(
            X.astype(dtype), COUNTS.astype(dtype), exposure=np.full(60, exposure, dtype)
        )
        fit = jm.fit(problem)
        assert int(fit.status) == codes.DIVERGING, fit.message
        assert "; beta[2] goes to -infinity (" in fit.message
        found = np.asarray(jm.infer(problem, fit).bse["beta"])
        np.testing.assert_allclose(found, [*errors, np.nan], rtol=1e-5 if dtype == np.float32 else 1e-7)


def test_a_fit_that_diverges_without_saying_where_has_no_errors_at_all():
    problem = jm.models.logistic(X, Y)
    fit = jm.fit(problem)
    for direction in (jnp.zeros(3), jnp.array([1e-17, -1e-17, 0.0])):
        silent = eqx.tree_at(lambda f: f.direction, fit, direction)
        assert np.isnan(np.asarray(jm.infer(problem, silent).bse["beta"])).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "solver", [jm.solvers.ProximalGradient(), jm.solvers.ProximalNewton()], ids=["gradient", "Newton"]
)
def test_separated_data_with_a_penalty_on_the_intercept_alone_diverge(solver, dtype):
    """Gradients alone crawl along the separation until the steps run out, or, in single precision, the curvature."""
    x = np.random.default_rng(0).normal(size=(200, 6))[:, 0]
    design, y = np.column_stack([np.ones(200), x]).astype(dtype), (x > 0).astype(dtype)
    problem = jm.models.logistic(design, y) + jm.priors.laplace(intercept, scale=1.0)
    fit = jm.fit(problem, solver=solver)
    assert int(fit.status) == codes.DIVERGING, fit.message
    assert "; beta[1] goes to +infinity (" in fit.message


def intercept(params):
    return params["beta"][0]


def test_steps_that_ran_out_on_the_way_to_a_maximum_do_not_diverge():
    """Counts of e^-6 are met from above by steps that each find 1/e of the curvature, as on a separated direction."""
    y = np.zeros(400)
    y[0] = 1.0
    problem = jm.models.poisson_regression(np.ones((400, 1)), y)
    fit = jm.fit(problem, solver=jm.solvers.BHHH(), max_steps=3)
    assert int(fit.status) == codes.OUT_OF_STEPS


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
@pytest.mark.parametrize("model", [jm.models.linear, jm.models.logistic, jm.models.poisson_regression])
@pytest.mark.parametrize("dtype, unit", [(np.float64, 1e-170), (np.float64, 1e-300), (np.float32, 1e-23)])
def test_a_column_whose_squares_are_too_small_for_the_dtype_is_no_flat_direction(dtype, unit, model, solver):
    """Along it the curvature is zero and the gradient is not: nothing is known of what is left to gain."""
    x = X[:, :2] * np.array([1.0, unit])
    fit = jm.fit(model(x.astype(dtype), np.where(GROUP == 1, 0.0, Y).astype(dtype)), solver=solver)
    slow = solver is SOLVERS["BHHH"] and model is jm.models.linear  # runs out of steps before it settles
    assert fit.status == (codes.OUT_OF_STEPS if slow else codes.UNSETTLED)
    assert "rescale" in fit.message


@pytest.mark.parametrize("dtype, unit", [(np.float64, 1e155), (np.float64, 1e300), (np.float32, 1e20)])
@pytest.mark.parametrize("model", [jm.models.exponential, jm.models.normal])
def test_a_scale_whose_square_is_too_large_for_the_dtype_is_refused(dtype, unit, model):
    with pytest.raises(ValueError, match="rescale the data"):
        jm.fit(model((np.array([1.0, 2.0, 4.0, 3.0]) * unit).astype(dtype)))


@pytest.mark.parametrize("solver", [None, jm.solvers.ProximalGradient()], ids=["Newton", "gradient"])
def test_what_a_kink_holds_needs_no_curvature(solver):
    objective = jm.likelihood(lambda p, y: p["b"] * y, jnp.array([0.1, -0.2, 0.3])) + jm.penalties.l1("b", 2.0)
    fit = jm.fit(objective, {"b": 0.5}, solver=solver)
    assert fit.status == codes.CONVERGED
    assert fit.params["b"] == 0.0


@pytest.mark.parametrize("unit", [1e-170, 1e-300])
def test_beside_a_kink_a_column_whose_squares_are_too_small_is_not_settled_either(unit):
    def lines(params, data):
        return jm.densities.normal.logpdf(data["y"], params["a"] + data["x"] * params["b"] + params["c"], 1.0)

    x, y = np.arange(5.0) * unit, np.array([1.0, 3.0, 2.0, 5.0, 4.0])
    objective = jm.likelihood(lines, {"x": x, "y": y}) + jm.penalties.l1("c", 1.0)
    assert jm.fit(objective, {"a": 0.0, "b": 0.0, "c": 0.0}).status == codes.UNSETTLED


def test_a_long_way_in_large_units_is_not_unbounded():
    """The first step is as long as the gradient, 1e24, and the top five of them away."""

    def ramp(params):
        x = params["x"] / 1e24
        return 1e48 * (x - jnp.maximum(x - 5.0, 0.0) ** 2)

    fit = jm.fit(jm.log_prior(ramp), {"x": 0.0})
    assert fit.status != codes.UNBOUNDED
    np.testing.assert_allclose(fit.params["x"], 5.5e24)


@pytest.mark.parametrize("far", [1e20, 1e50, -1e140])
def test_a_start_that_is_absurdly_far_is_no_reason_to_claim_a_flat_maximum(far):
    """Beside the curvature met there all that comes after is small."""
    normal = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"]), jnp.asarray(X[:, 1]))
    assert not jm.fit(normal, {"mu": far, "sigma": jm.positive(1.0)}).ok


def test_a_far_sample_in_single_precision_is_reached():
    """The curvature there is less than a millionth of a millionth of what there is at the start."""
    y = (3e8 * (1.0 + 0.1 * np.random.default_rng(0).normal(size=1000))).astype(np.float32)
    normal = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"]), y)
    fit = jm.fit(normal, {"mu": np.float32(0.0), "sigma": jm.positive(np.float32(1.0))})
    np.testing.assert_allclose(fit.params["mu"], y.mean(dtype=float), rtol=1e-3)
    assert fit.status != codes.UNBOUNDED


def test_a_large_number_without_curvature_of_its_own_is_none_that_was_lost():
    def bowl(params):
        return -((params["a"] - 1.0) ** 2) + 0.0 * params["x"]

    start = {"x": jm.positive(np.float32(1e17)), "a": np.float32(0.0)}
    assert jm.fit(jm.log_prior(bowl), start).ok
    linear = jm.log_prior(lambda p: -p["x"] / 1e16)
    assert jm.fit(linear, {"x": jm.positive(np.float32(1e16))}, jacobian=True).ok
