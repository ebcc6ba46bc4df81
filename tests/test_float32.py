"""What depends on the dtype, in float32: sums over many rows, solvers that are not Newton, statuses that are honest."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import statsmodels.api as sm

import jaxmle as jm
from jaxmle.core import status as codes

RNG = np.random.default_rng(12)


def test_a_log_likelihood_of_ten_million_rows_is_right_to_1e_6():
    n = 10_000_000
    y = RNG.standard_normal(n, dtype=np.float32)
    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"]), y)
    params = {"mu": jnp.float32(0.1), "sigma": jnp.float32(1.5)}
    value = jax.jit(lambda term: term(params))(term)
    assert value.dtype == jnp.float32
    mu, sigma = np.float64(np.float32(0.1)), 1.5
    z = (y.astype(float) - mu) / sigma
    exact = -0.5 * np.sum(z * z) - n * (np.log(sigma) + 0.5 * np.log(2 * np.pi))
    assert float(value) == pytest.approx(exact, rel=1e-6)


def _counts(n=20_190):
    """As many rows as the data on which a mean objective with an absolute gradient test stopped 3.5 % off."""
    x = np.column_stack([np.ones(n), RNG.normal(size=(n, 5)), 50.0 + 10.0 * RNG.normal(size=n)]).astype(np.float32)
    beta = np.array([0.3, 0.2, -0.1, 0.05, 0.3, -0.2, 0.01])
    return x, RNG.poisson(np.exp(x @ beta))


X, COUNTS = _counts()


@pytest.mark.parametrize(
    "solver",
    [None, jm.solvers.LBFGS(), jm.solvers.BHHH(), jm.solvers.FisherScoring(), jm.solvers.Optax(optax.lbfgs)],
    ids=["chosen", "L-BFGS", "BHHH", "Fisher", "optax L-BFGS"],
)
def test_no_solver_claims_convergence_short_of_it(solver):
    """Ok is within a hundredth of a standard error; what is left is known to a factor of ten, or below that."""
    problem = jm.models.poisson_regression(X, COUNTS)
    exact = jm.models.poisson_regression(X.astype(float), COUNTS)
    truth = jm.fit(exact)
    bse = np.asarray(jm.infer(exact, truth).bse["beta"])
    found = jm.fit(problem, solver=solver)
    assert found.z.dtype == jnp.float32
    off = np.max(np.abs(np.asarray(found.params["beta"], float) - np.asarray(truth.params["beta"])) / bse)
    if found.ok:
        assert off < 0.01, found.message
    else:
        assert int(found.status) in (codes.STOPPED_SHORT, codes.OUT_OF_STEPS)
    if solver is None:
        assert found.ok
    gap = float(exact(truth.params)) - float(exact({"beta": jnp.asarray(found.params["beta"], float)}))
    assert gap <= 10.0 * 0.5 * float(found.newton_decrement) ** 2 + 1e-5


@pytest.mark.parametrize("model", ["logistic", "poisson_regression", "linear"])
def test_standard_errors_in_float32(model):
    n = 500
    x = np.column_stack([np.ones(n), RNG.normal(size=(n, 2))])
    y = {"logistic": RNG.random(n) < 0.4, "poisson_regression": RNG.poisson(2.0, n), "linear": RNG.normal(size=n)}[
        model
    ]
    build = getattr(jm.models, model)
    wide, narrow = build(x, y.astype(float)), build(x.astype(np.float32), y.astype(np.float32))
    errors = [jm.infer(problem, jm.fit(problem)).bse["beta"] for problem in (wide, narrow)]
    assert errors[1].dtype == jnp.float32
    np.testing.assert_allclose(np.asarray(errors[1], float), np.asarray(errors[0]), rtol=1e-5)


def test_marks_in_float32_come_back_to_where_they_started():
    start = {
        "a": jm.positive(jnp.float32(2.5)),
        "b": jm.interval(jnp.float32(0.3), lower=0, upper=1),
        "c": jm.simplex(jnp.asarray([0.2, 0.3, 0.5], jnp.float32)),
        "d": jm.ordered(jnp.asarray([-1.0, 0.5, 2.0], jnp.float32)),
        "e": jm.covariance_matrix(jnp.asarray([[2.0, 0.5], [0.5, 1.0]], jnp.float32)),
    }
    term = jm.log_prior(lambda p: -sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(p)))
    fit = jm.Fit.at(term, start)
    for name, mark in start.items():
        assert fit.params[name].dtype == jnp.float32
        np.testing.assert_allclose(fit.params[name], mark.value, rtol=1e-6)


def test_separated_data_in_float32_are_not_convergence():
    x = np.linspace(-1.0, 1.0, 40, dtype=np.float32)[:, None]
    fit = jm.fit(jm.models.logistic(x, (x[:, 0] > 0).astype(np.float32)))
    assert int(fit.status) == codes.DIVERGING


def _far_columns(model):
    """Five columns whose mean is 2000 times their spread: in float32 the curvature as a matrix is rounding."""
    rng = np.random.default_rng(21)
    x = np.column_stack([np.ones(1000), rng.normal(size=(1000, 4)) + 2000.0]).astype(np.float32)
    eta = (x.astype(float)[:, 1:] - 2000.0) @ np.array([0.3, -0.2, 0.1, 0.2])
    y = {
        "logistic": rng.random(1000) < 1.0 / (1.0 + np.exp(-eta)),
        "poisson_regression": rng.poisson(np.exp(eta)),
        "linear": eta + rng.normal(size=1000),
    }[model]
    return x, np.asarray(y, np.float32)


def _longley(_):
    data = sm.datasets.longley.load_pandas()
    return sm.add_constant(data.exog).to_numpy().astype(np.float32), data.endog.to_numpy().astype(np.float32)


@pytest.mark.parametrize(
    "model, made, solver",
    [
        ("logistic", _far_columns, None),
        ("poisson_regression", _far_columns, jm.solvers.LBFGS()),
        ("linear", _far_columns, None),
        ("linear", _longley, None),
    ],
    ids=["logistic", "Poisson by L-BFGS", "linear", "Longley"],
)
def test_what_is_claimed_of_an_ill_conditioned_fit_is_true(model, made, solver):
    """Against float64 on the same rounded numbers: what is said to be left bounds what is, to a factor of ten and
    1e-5, and an estimate is within a tenth of a standard error. Newton's matrix alone was 8 to 480 log units short."""
    x, y = made(model)
    build = getattr(jm.models, model)
    found, exact = jm.fit(build(x, y), solver=solver), build(x.astype(float), y.astype(float))
    truth = jm.fit(exact)
    at = {name: jnp.asarray(value, float) for name, value in found.params.items()}
    gap = float(truth.value) - float(exact.objective(at))
    assert found.z.dtype == jnp.float32
    assert found.ok, found.message
    assert gap <= 10.0 * 0.5 * float(found.newton_decrement) ** 2 + 1e-5
    bse = np.asarray(jm.infer(exact, truth).bse["beta"])
    assert np.max(np.abs(np.asarray(at["beta"] - truth.params["beta"])) / bse) < 0.1


def test_collinear_columns_in_float32_are_flat():
    x = RNG.normal(size=(300, 2)).astype(np.float32)
    fit = jm.fit(jm.models.logistic(np.column_stack([x, x[:, 1]]), (RNG.random(300) < 0.4).astype(np.float32)))
    assert int(fit.status) == codes.FLAT


def test_a_column_far_from_zero_is_not_laid_to_the_data_alone():
    """A year is collinear with a constant in float32, and not in float64."""
    rng = np.random.default_rng(2)
    year = rng.integers(1990, 2020, 200) * 1.0
    counts = rng.poisson(np.exp(1 + (year - 2005) * 0.05))
    for dtype, told in ((np.float32, True), (np.float64, False)):
        x = np.column_stack([np.ones(200), year]).astype(dtype)
        problem = jm.models.poisson_regression(x, counts.astype(dtype))
        fit = jm.fit(problem)
        for said in (str(jm.summary(problem, fit)), str(jm.diagnose(problem, fit))):
            assert ("That is in float32, where columns far from zero" in " ".join(said.split())) is told
