"""Influence and approximate leave-one-out against statsmodels, closed forms and fits one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import norm

import jaxmle as jm

STACKLOSS = sm.datasets.stackloss.load_pandas()
SPECTOR = sm.datasets.spector.load_pandas()


@pytest.fixture(scope="module")
def linear():
    x, y = sm.add_constant(STACKLOSS.exog.to_numpy()), STACKLOSS.endog.to_numpy()
    problem = jm.models.linear(x, y)
    return problem, jm.fit(problem), sm.OLS(y, x).fit()


@pytest.fixture(scope="module")
def logistic():
    x, y = sm.add_constant(SPECTOR.exog.to_numpy()), SPECTOR.endog.to_numpy()
    problem = jm.models.logistic(x, y)
    peer = sm.GLM(y, x, family=sm.families.Binomial()).fit(tol=1e-14, tol_criterion="params", maxiter=100)
    return problem, jm.fit(problem), peer


def test_of_least_squares_equals_statsmodels(linear):
    """The peer's variance of the noise is unbiased, ours that of maximum likelihood: a factor n / (n - p)."""
    problem, fit, peer = linear
    found, theirs = jm.influence(problem, fit), peer.get_influence()
    np.testing.assert_allclose(found.leverage, theirs.hat_matrix_diag, rtol=1e-9)
    np.testing.assert_allclose(found.cooks_distance, 21 / 17 * theirs.cooks_distance[0], rtol=1e-8)
    deleted = np.asarray(found.params["beta"]) / (1 - np.asarray(found.leverage))[:, None]
    truth = np.linalg.inv(peer.model.exog.T @ peer.model.exog) @ (peer.model.exog.T * theirs.resid_press)
    np.testing.assert_allclose(deleted, truth.T, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(deleted, theirs.dfbeta, rtol=1e-7, atol=1e-10)
    assert str(found).index("row 20") < str(found).index("row 0 ")  # the 21st is the famous one


def test_of_a_logistic_regression_equals_statsmodels(logistic):
    problem, fit, peer = logistic
    found, theirs = jm.influence(problem, fit), peer.get_influence()
    np.testing.assert_allclose(found.leverage, theirs.hat_matrix_diag, rtol=1e-7)
    np.testing.assert_allclose(found.cooks_distance, theirs.cooks_distance[0], rtol=1e-7)
    change = np.asarray(found.params["beta"]) / (1 - np.asarray(found.leverage))[:, None]
    np.testing.assert_allclose(change, theirs.d_params, rtol=1e-6, atol=1e-10)


def test_summed_within_groups_it_is_the_cluster_sandwich(linear):
    """The infinitesimal jackknife of groups, in the parameters themselves, the scale among them."""
    problem, fit, _ = linear
    groups = np.arange(21) // 4
    found = jm.influence(problem, fit)
    rows = np.c_[found.params["beta"], found.params["sigma"]]
    sums = np.stack([rows[groups == g].sum(axis=0) for g in range(6)])
    sandwich = jm.infer(problem, fit, "cluster", groups=groups, correction=False).cov
    np.testing.assert_allclose(sums.T @ sums, sandwich, rtol=1e-8, atol=1e-12)


def test_it_is_the_derivative_in_the_weight(logistic):
    problem, fit, _ = logistic
    x, y = problem.objective.terms[0].x, problem.objective.terms[0].y

    def beta(weight):
        return jm.fit(jm.models.logistic(x, y, weights=jnp.ones(32).at[4].set(weight))).params["beta"]

    np.testing.assert_allclose(jm.influence(problem, fit).params["beta"][4], jax.jacfwd(beta)(1.0), rtol=1e-8)


def test_of_any_likelihood_of_rows():
    """Of a normal mean with known scale the leverage is 1 / n, Cook's distance r^2 n / (n - 1)^2; fixed leaves NaN."""
    y = np.array([1.0, 4.0, 2.0, 7.0])
    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"]), y)
    fit = jm.fit(term, {"mu": 0.0, "sigma": jm.fixed(2.0)})
    found = jm.influence(term, fit)
    residual = y - y.mean()
    np.testing.assert_allclose(found.params["mu"], residual / 4, atol=1e-9)
    assert np.isnan(found.params["sigma"]).all()
    np.testing.assert_allclose(found.leverage, 0.25, rtol=1e-12)
    np.testing.assert_allclose(found.cooks_distance, (residual / 3) ** 2, atol=1e-9)  # variance of the mean is one


def test_leave_one_out_of_a_known_scale_is_exact():
    """The PRESS residuals e / (1 - h) of least squares (Allen 1974)."""
    x, y = sm.add_constant(STACKLOSS.exog.to_numpy()), STACKLOSS.endog.to_numpy()
    scale = 3.0
    term = jm.regression(jm.densities.normal, lambda p, row: (row @ p["beta"], p["scale"]), x, y)
    fit = jm.fit(term, {"beta": np.zeros(4), "scale": jm.fixed(scale)})
    found = jm.loo(term, fit)
    press = sm.OLS(y, x).fit().get_influence().resid_press
    np.testing.assert_allclose(found.log_likelihood, norm.logpdf(press, scale=scale), rtol=1e-7)
    np.testing.assert_allclose(found.total, norm.logpdf(press, scale=scale).sum(), rtol=1e-8)
    np.testing.assert_allclose(found.effective_parameters, fit.log_likelihood - found.total, rtol=1e-8)
    assert found.doubtful.tolist() == [i == 20 for i in range(21)]
    assert "Doubtful at row 20 (counted from zero, 1 in all)" in " ".join(str(found).split())


def test_leave_one_out_is_close_to_refits():
    """One Newton step leaves an error of second order in the shift, here less than a tenth of its square."""
    generator = np.random.default_rng(2)
    x = np.c_[np.ones(80), generator.normal(size=80)]
    y = generator.poisson(np.exp(x @ np.array([1.0, 0.3]))).astype(float)
    problem = jm.models.poisson_regression(x, y)
    fit = jm.fit(problem)
    found = jm.loo(problem, fit)
    refits = jm.cross_validate(problem, fit, folds=np.arange(80))
    assert not found.doubtful.any()
    error = np.abs(np.asarray(found.log_likelihood - refits.log_likelihood))
    assert np.all(error <= 0.1 * np.square(found.shift) + 1e-8)
    np.testing.assert_allclose(found.total, refits.total, atol=1e-2)
    np.testing.assert_allclose(found.se, np.sqrt(80) * np.std(refits.log_likelihood, ddof=1), rtol=1e-3)
    assert found.message == "no row decides so much that the approximation is in doubt"


def test_a_row_of_weight_two_is_two_cases():
    y = np.array([2.0, 3.0, 5.0])
    weighted = jm.models.poisson(y, weights=np.array([2.0, 1.0, 0.0]))
    written = jm.models.poisson(np.array([2.0, 2.0, 3.0]))
    few, many = (jm.loo(problem, jm.fit(problem)) for problem in (weighted, written))
    for name in ("total", "se", "effective_parameters"):
        np.testing.assert_allclose(getattr(few, name), getattr(many, name), rtol=1e-9)


def test_rows_without_which_nothing_is_left_are_doubtful():
    """A column that one row alone has: without it the curvature is singular."""
    x = np.c_[np.ones(6), np.eye(6)[:, 0]]
    problem = jm.models.linear(x, np.array([1.0, 2.0, 3.0, 2.0, 4.0, 1.0]))
    term = jm.regression(jm.densities.normal, lambda p, row: (row @ p["beta"], 1.0), x, problem.objective.terms[0].y)
    found = jm.loo(term, jm.fit(term, {"beta": np.zeros(2)}))
    assert np.isnan(found.log_likelihood[0])
    assert np.isnan(found.total)
    assert found.doubtful.tolist() == [True] + [False] * 5


def test_a_fit_that_failed_has_no_influence(logistic):
    problem = jm.models.logistic(np.ones((3, 1)), np.ones(3))
    fit = jm.fit(problem)
    assert np.isnan(jm.influence(problem, fit).cooks_distance).all()
    assert np.isnan(jm.loo(problem, fit).total)


def test_lanes(logistic):
    problem, fit, _ = logistic
    x, y = problem.objective.terms[0].x, problem.objective.terms[0].y
    both = jax.vmap(jm.models.logistic, in_axes=(None, 0))(x, jnp.stack([y, 1 - y]))
    axes = (jm.lane_axes(both), 0)
    both = jax.vmap(jm.models.logistic)(jnp.stack([x, x]), jnp.stack([y, 1 - y]))
    fits = jm.fit_batch(both)
    lanes = jax.vmap(jm.loo, in_axes=axes)(both, fits)
    np.testing.assert_allclose(lanes.total, np.full(2, jm.loo(problem, fit).total), rtol=1e-7)
    with pytest.raises(ValueError, match="a batch of leave-one-out results has no single table"):
        lanes.table()


def test_what_has_no_rows_or_no_curvature_is_refused():
    y = np.array([1.0, 2.0, 4.0])
    whole = jm.likelihood(lambda p, y: jnp.sum(-((y - p["m"]) ** 2)), y, rows=False)
    fit = jm.fit(whole, {"m": 0.0})
    with pytest.raises(TypeError, match="no scores by rows"):
        jm.influence(whole, fit)
    with pytest.raises(TypeError, match="likelihood has none to be had: one with rows=False"):
        jm.loo(whole, fit)
    with pytest.raises(TypeError, match="influence is told by the curvature, and a prior with kinks"):
        jm.influence(whole + jm.priors.laplace("m"), fit)


def test_predictions_of_rows_without_them_equal_statsmodels(logistic):
    problem, fit, peer = logistic
    x = peer.model.exog
    without = peer.params - peer.get_influence().d_params
    line = np.sum(x * without, axis=1)
    np.testing.assert_allclose(jm.loo(problem, fit, "linear").predicted, line, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(jm.loo(problem, fit, "mean").predicted, 1 / (1 + np.exp(-line)), rtol=1e-6)
    with pytest.raises(TypeError, match="are those of one regression, and the objective has other likelihoods"):
        jm.loo(problem.objective + problem.objective.terms[0], fit, "mean")
    with pytest.raises(ValueError, match="no prediction of the kind 'median'"):
        jm.loo(problem, fit, "median")
