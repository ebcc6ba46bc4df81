"""Inference against statsmodels, scikit-learn, scipy and closed forms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import statsmodels.api as sm
from scipy import stats
from sklearn.linear_model import LogisticRegression

import jaxmle as jm
from jaxmle.core import status as codes


@functools.cache
def _spector():
    data = sm.datasets.spector.load_pandas()
    return sm.add_constant(data.exog), data.endog


@functools.cache
def _peer(name):
    """The statsmodels results, and our problem, of one model on data that statsmodels brings along."""
    if name == "Logit":
        x, y = _spector()
        return sm.Logit(y, x).fit(disp=0, method="newton", tol=1e-14), jm.models.logistic(x, y)
    if name == "Poisson":
        data = sm.datasets.cpunish.load_pandas()
        # In units in which the peer's own Hessian is well conditioned.
        x = sm.add_constant(data.exog / data.exog.std())
        return sm.Poisson(data.endog, x).fit(disp=0, method="newton", tol=1e-14), jm.models.poisson_regression(
            x, data.endog
        )
    if name == "MNLogit":
        data = sm.datasets.anes96.load_pandas()
        x, y = sm.add_constant(data.exog), (data.endog // 3).astype(int)
        return sm.MNLogit(y, x).fit(disp=0, method="newton", tol=1e-14), jm.models.softmax(x, y)
    data = sm.datasets.stackloss.load_pandas()
    x = sm.add_constant(data.exog)
    return sm.OLS(data.endog, x).fit(), jm.models.linear(x, data.endog)


@functools.cache
def _ours(name):
    problem = _peer(name)[1]
    fit = jm.fit(problem).raise_if_failed()
    return fit, jm.infer(problem, fit)


@pytest.fixture(scope="module", params=["Logit", "Poisson", "MNLogit", "OLS"])
def name(request):
    """One peer after the other, so that each is fitted once."""
    return request.param


def _covariance(name):
    """Over the coefficients in the order of our tree; maximum likelihood divides the residual sum of squares by n."""
    peer, _ = _peer(name)
    covariance = np.asarray(peer.cov_params())
    if name == "OLS":
        covariance = covariance * peer.df_resid / peer.nobs
    if name == "MNLogit":
        p, k = peer.params.shape
        covariance = covariance.reshape(k, p, k, p).transpose(1, 0, 3, 2).reshape(k * p, k * p)
    return covariance


@pytest.mark.always
def test_estimates_errors_and_covariance_equal_statsmodels(name):
    peer, _ = _peer(name)
    _, inference = _ours(name)
    estimates, covariance = np.asarray(peer.params), _covariance(name)
    errors = np.sqrt(np.diagonal(covariance)).reshape(estimates.shape)
    beta = np.asarray(inference.params["beta"])
    assert np.all(np.abs(beta - estimates) < 1e-6 * errors)
    np.testing.assert_allclose(inference.bse["beta"], errors, rtol=1e-6)
    got = np.asarray(inference.cov)[: beta.size, : beta.size]
    outer = np.outer(errors, errors)
    assert np.all(np.abs(got - covariance) < 1e-6 * outer)


def test_criteria_tests_and_intervals_equal_statsmodels(name):
    peer, _ = _peer(name)
    _, inference = _ours(name)
    count = inference.z.size
    assert float(inference.llf) == pytest.approx(peer.llf, rel=1e-10)
    assert float(inference.nobs) == peer.nobs
    assert float(inference.aic) == pytest.approx(2 * count - 2 * peer.llf, rel=1e-10)
    assert float(inference.bic) == pytest.approx(count * np.log(peer.nobs) - 2 * peer.llf, rel=1e-10)
    if name == "OLS":
        return  # statsmodels has t tests and does not count sigma
    assert float(inference.aic) == pytest.approx(peer.aic, rel=1e-10)
    assert float(inference.bic) == pytest.approx(peer.bic, rel=1e-10)
    np.testing.assert_allclose(inference.zvalues["beta"], peer.tvalues, rtol=2e-6)
    np.testing.assert_allclose(inference.pvalues["beta"], peer.pvalues, rtol=1e-4, atol=1e-12)
    for alpha in (0.05, 0.2):
        theirs = np.asarray(peer.conf_int(alpha))
        lower, upper = inference.conf_int(alpha)
        if name == "MNLogit":
            theirs = theirs.reshape(*np.shape(lower["beta"])[::-1], 2).transpose(1, 0, 2)
        np.testing.assert_allclose(lower["beta"], theirs[..., 0], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(upper["beta"], theirs[..., 1], rtol=1e-5, atol=1e-7)


def test_least_squares_in_its_own_convention_equals_statsmodels():
    peer, problem = _peer("OLS")
    fit, _ = _ours("OLS")
    found = jm.models.least_squares(problem, fit)
    np.testing.assert_allclose(found.bse["beta"], peer.bse, rtol=1e-8)
    assert float(found.scale) == pytest.approx(np.sqrt(peer.scale), rel=1e-9)
    assert float(found.rss) == pytest.approx(peer.ssr, rel=1e-9)
    assert float(found.dof) == peer.df_resid


def test_columns_keep_their_names():
    _, inference = _ours("Logit")
    assert [row.label for row in inference.table().rows] == ["const", "GPA", "TUCE", "PSI"]


@pytest.mark.parametrize("C", [0.1, 10.0])
def test_map_equals_scikit_learn(C):
    """Its penalty is |b|^2 / 2 against C times the log-likelihood: a normal prior of scale root C, the intercept free.

    To 1e-6, what its own tolerance leaves."""
    x, y = _spector()
    slopes = np.asarray(x)[:, 1:]
    peer = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(slopes, y)
    prior = jm.priors.normal(_slopes, scale=np.sqrt(C))
    fit = jm.fit(jm.models.logistic(x, y) + prior).raise_if_failed()
    beta = np.asarray(fit.params["beta"])
    np.testing.assert_allclose(beta[1:], peer.coef_[0], rtol=1e-6)
    np.testing.assert_allclose(beta[0], peer.intercept_[0], rtol=1e-6)


def _slopes(params):
    return params["beta"][1:]


def _decay(params, t):
    return params["a"] * jnp.exp(-params["b"] * t)


def test_nonlinear_least_squares_equals_scipy():
    """scipy's covariance is the Gauss-Newton one with n - p."""
    t = np.linspace(0, 4, 12)
    y = 2.0 * np.exp(-0.7 * t) + 0.05 * np.random.default_rng(1).normal(size=12)
    best, covariance = scipy.optimize.curve_fit(
        lambda t, a, b: a * np.exp(-b * t), t, y, p0=(1, 1), ftol=1e-15, xtol=1e-15, gtol=1e-15
    )
    problem = jm.models.nonlinear_least_squares(_decay, t, y, {"a": 1.0, "b": 1.0})
    fit = jm.fit(problem).raise_if_failed()
    found = jm.models.least_squares(problem, fit)
    for i, name in enumerate("ab"):
        assert float(fit.params[name]) == pytest.approx(best[i], rel=1e-6)
        assert float(found.bse[name]) == pytest.approx(np.sqrt(covariance[i, i]), rel=1e-5)
    assert np.isnan(found.bse["sigma"])


# Closed forms


SAMPLE = np.random.default_rng(2).gamma(2.0, 1.5, 25)
COUNTS = np.random.default_rng(3).poisson(2.0, 25)


@functools.cache
def _closed(name):
    """The problem, and estimate and standard error of each parameter."""
    n, mean, sd = 25, SAMPLE.mean(), SAMPLE.std()
    if name == "normal":
        truth = {"mu": (mean, sd / np.sqrt(n)), "sigma": (sd, sd / np.sqrt(2 * n))}
        return jm.models.normal(SAMPLE), truth
    if name == "exponential":
        return jm.models.exponential(SAMPLE), {"scale": (mean, mean / np.sqrt(n))}
    if name == "poisson":
        return jm.models.poisson(COUNTS), {"rate": (COUNTS.mean(), np.sqrt(COUNTS.mean() / n))}
    p = (COUNTS > 2).mean()
    return jm.models.bernoulli(COUNTS > 2), {"p": (p, np.sqrt(p * (1 - p) / n))}


@functools.cache
def _inferred(name):
    problem, _ = _closed(name)
    return jm.infer(problem, jm.fit(problem).raise_if_failed())


@pytest.mark.parametrize("model", ["normal", "exponential", "poisson", "bernoulli"])
def test_closed_forms(model):
    _, truth = _closed(model)
    inference = _inferred(model)
    lower, upper = inference.conf_int()
    for parameter, (estimate, error) in truth.items():
        assert float(inference.params[parameter]) == pytest.approx(estimate, rel=1e-9)
        assert float(inference.bse[parameter]) == pytest.approx(error, rel=1e-7)
        assert float(lower[parameter]) < estimate < float(upper[parameter])


def test_the_interval_of_a_positive_parameter_is_formed_in_its_logarithm():
    inference = _inferred("exponential")
    for alpha in (0.05, 1e-9):
        lower, upper = inference.conf_int(alpha)
        half = stats.norm.isf(alpha / 2) / np.sqrt(25)
        assert float(lower["scale"]) == pytest.approx(SAMPLE.mean() * np.exp(-half), rel=1e-7)
        assert float(upper["scale"]) == pytest.approx(SAMPLE.mean() * np.exp(half), rel=1e-7)
        assert float(lower["scale"]) > 0


def test_the_interval_of_a_share_stays_inside():
    lower, upper = _inferred("bernoulli").conf_int(1e-12)
    assert 0 < float(lower["p"]) < float(upper["p"]) < 1


def test_the_covariance_is_that_of_the_parameters_not_of_z():
    inference = _inferred("normal")
    variance = SAMPLE.var() / 25
    np.testing.assert_allclose(inference.cov, np.diag([variance, variance / 2]), rtol=1e-7, atol=1e-12)


# Trees, tables, batches


def _two(params, rows):
    location = params["group"]["location"][rows["group"]]
    return jm.densities.normal.logpdf(rows["y"], location, params["sigma"]) + 0.0 * params["known"]


ROWS = {"y": SAMPLE, "group": np.arange(25) % 2}
START = {"group": {"location": jm.free(np.zeros(2), labels=["even", "odd"])}, "known": jm.fixed(3.0)} | {
    "sigma": jm.positive(1.0)
}


@pytest.fixture(scope="module")
def grouped():
    term = jm.likelihood(_two, ROWS)
    return term, jm.fit(term, START).raise_if_failed()


def test_trees_are_shaped_like_params(grouped):
    inference = jm.infer(*grouped)
    structure = jax.tree.structure(grouped[1].params)
    lower, upper = inference.conf_int()
    for tree in (inference.params, inference.bse, inference.zvalues, inference.pvalues, lower, upper):
        assert jax.tree.structure(tree) == structure
        assert [leaf.shape for leaf in map(jnp.asarray, jax.tree.leaves(tree))] == [(2,), (), ()]
    for tree in (inference.bse, inference.zvalues, inference.pvalues, lower, upper):
        assert np.isnan(tree["known"])
        assert np.isfinite(tree["sigma"])
    sizes = np.bincount(ROWS["group"])
    errors = float(inference.params["sigma"]) / np.sqrt(sizes)
    np.testing.assert_allclose(inference.bse["group"]["location"], errors, rtol=1e-8)


def test_the_table_shows_all_and_fixed_as_fixed(grouped):
    text = str(jm.summary(*grouped))
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert {"even", "odd", "sigma", "known"} <= set(lines)
    assert lines["known"][1:] == ["3.0000", "fixed"] or "fixed" in lines["known"]
    assert "nan" not in text.lower()
    assert "converged" in text
    assert "std err" in text
    assert str(jm.infer(*grouped)) == text
    assert print(jm.infer(*grouped)) is None


def test_the_table_in_other_forms(grouped):
    inference = jm.infer(*grouped)
    frame = inference.to_frame()
    assert list(frame.index) == ["even", "odd", "known", "sigma"]
    assert frame.loc["even", "coef"] == pytest.approx(float(inference.params["group"]["location"][0]), rel=1e-12)
    assert frame.loc["sigma", "std err"] == pytest.approx(float(inference.bse["sigma"]), rel=1e-12)
    assert r"\begin{tabular}" in inference.to_latex()
    assert "<table" in inference._repr_html_()
    assert inference._repr_html_() == inference.to_html()
    for text in (inference.to_latex(), inference.to_html()):
        assert "even" in text
        assert "fixed" in text


def test_the_level_of_the_interval_is_written_above_it(grouped):
    text = str(jm.summary(*grouped, alpha=0.1))
    assert "[0.05" in text
    assert "0.95]" in text


def test_a_prior_leaves_aic_and_bic_out_and_says_why():
    x, y = _spector()
    posterior = jm.models.logistic(x, y) + jm.priors.normal(_slopes, scale=np.sqrt(10.0))
    fit = jm.fit(posterior)
    inference = jm.infer(posterior, fit)
    assert np.isnan(inference.aic)
    assert np.isnan(inference.bic)
    text = str(inference)
    assert "maximum a posteriori" in text
    assert "AIC and BIC are not defined" in text
    beta = np.asarray(fit.params["beta"])
    logits = np.asarray(x) @ beta
    llf = stats.bernoulli.logpmf(np.asarray(y), 1 / (1 + np.exp(-logits))).sum()
    assert float(inference.llf) == pytest.approx(llf, rel=1e-10)
    assert float(inference.logprior) == pytest.approx(stats.norm.logpdf(beta[1:], 0, np.sqrt(10.0)).sum(), rel=1e-10)
    chance = 1 / (1 + np.exp(-logits))
    information = np.asarray(x).T @ (np.asarray(x) * (chance * (1 - chance))[:, None]) + np.diag([0, 0.1, 0.1, 0.1])
    np.testing.assert_allclose(inference.cov, np.linalg.inv(information), rtol=1e-6)


def test_an_unknown_covariance_is_refused(grouped):
    with pytest.raises(ValueError, match="there is no covariance 'robust'; the kinds are: observed"):
        jm.infer(*grouped, covariance="robust")


@pytest.mark.always
def test_under_vmap(grouped):
    """Each lane is the inference of its own fit; a table needs one lane."""

    def study(y):
        term = jm.likelihood(_two, ROWS | {"y": y})
        return jm.infer(term, jm.fit(term, START))

    ys = np.stack([SAMPLE, SAMPLE[::-1], np.sqrt(SAMPLE)])
    lanes = jax.jit(jax.vmap(study))(ys)
    alone = jm.infer(*grouped)
    first = jax.tree.map(lambda leaf: leaf[0], lanes)
    np.testing.assert_allclose(first.cov, alone.cov, rtol=1e-9, atol=1e-14)
    assert str(first) == str(alone)
    lower, upper = lanes.conf_int()
    assert lower["sigma"].shape == upper["sigma"].shape == (3,)
    np.testing.assert_allclose(lower["sigma"][0], alone.conf_int()[0]["sigma"], rtol=1e-9)
    with pytest.raises(ValueError, match="take a lane"):
        str(lanes)


def test_a_diverging_fit_keeps_the_errors_of_what_settled():
    """The slope of a separated column has none; a coefficient that the separation does not touch has its own."""
    x = np.array([[1.0, 0.0]] * 6 + [[0.0, 1.0]] * 4)
    y = np.array([1, 0, 1, 0, 1, 1, 1, 1, 1, 1])
    problem = jm.models.logistic(x, y, labels=["mixed", "all"])
    fit = jm.fit(problem)
    assert int(fit.status) == codes.DIVERGING
    inference = jm.infer(problem, fit)
    assert float(inference.params["beta"][0]) == pytest.approx(np.log(2), rel=1e-6)
    assert float(inference.bse["beta"][0]) == pytest.approx(np.sqrt(1 / (6 * 2 / 9)), rel=1e-6)
    assert np.isnan(inference.bse["beta"][1])
    assert "No standard error exists for all" in str(inference) or "leave this combination" in str(inference)
    assert "DIVERGING" in str(inference)
