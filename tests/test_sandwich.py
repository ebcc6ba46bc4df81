"""Sandwich covariances against statsmodels, closed forms and formulas written out in NumPy.

Where both sides evaluate one formula at estimates that agree to 1e-9 standard errors, they agree to 1e-8.
"""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm

import jaxmle as jm

NEWTON = {"disp": 0, "method": "newton", "tol": 1e-14}
MODELS = ["Logit", "Poisson", "OLS"]


@functools.cache
def _data(name):
    if name == "Logit":
        data = sm.datasets.spector.load_pandas()
        return sm.add_constant(data.exog), data.endog
    if name == "Poisson":
        data = sm.datasets.cpunish.load_pandas()  # in units in which the peer's own Hessian is well conditioned
        return sm.add_constant(data.exog / data.exog.std()), data.endog
    data = sm.datasets.stackloss.load_pandas()
    return sm.add_constant(data.exog), data.endog


@functools.cache
def _ours(name):
    x, y = _data(name)
    model = {"Logit": jm.models.logistic, "Poisson": jm.models.poisson_regression, "OLS": jm.models.linear}[name]
    problem = model(x, y)
    return problem, jm.fit(problem).raise_if_failed()


@functools.cache
def _peer(name):
    x, y = _data(name)
    return sm.OLS(y, x) if name == "OLS" else getattr(sm, name)(y, x)


def _theirs(name, kind, **options):
    options = {"cov_type": kind} | ({"cov_kwds": options} if options else {})
    return _peer(name).fit(**options) if name == "OLS" else _peer(name).fit(**options, **NEWTON)


def _cov(name, kind, **options):
    """Our covariance of the coefficients."""
    problem, fit = _ours(name)
    p = _data(name)[0].shape[1]
    return np.asarray(jm.infer(problem, fit, kind, **options).cov)[:p, :p]


def _agree(cov, truth, rtol=1e-8):
    errors = np.sqrt(np.abs(np.diagonal(np.asarray(truth))))  # with two ways of clustering some may be negative
    assert np.all(np.abs(cov - np.asarray(truth)) <= rtol * np.outer(errors, errors))


def _groups(name):
    rows = np.arange(len(_data(name)[1]))
    return rows % 7, rows // 5


# Against statsmodels


@pytest.mark.parametrize("name", MODELS)
def test_white_equals_statsmodels(name):
    _agree(_cov(name, "hc0"), _theirs(name, "HC0").cov_params())
    assert _ours(name)[1].ok


@pytest.mark.parametrize("kind", ["hc1", "hc2", "hc3"])
def test_corrected_white_equals_statsmodels_for_least_squares(kind):
    """The scale of the noise is a parameter of ours, and does not count in n - p nor in the leverages."""
    _agree(_cov("OLS", kind), _theirs("OLS", kind.upper()).cov_params())


@pytest.mark.parametrize("name", MODELS)
def test_clusters_equal_statsmodels(name):
    one, two = _groups(name)
    for correction in (True, False):
        truth = _theirs(name, "cluster", groups=one, use_correction=correction)
        _agree(_cov(name, "cluster", groups=one, correction=correction), truth.cov_params())
        truth = _theirs(name, "cluster", groups=np.column_stack([one, two]), use_correction=correction)
        _agree(_cov(name, "cluster", groups=(one, two), correction=correction), truth.cov_params())
    np.testing.assert_array_equal(_cov(name, "cluster", groups=one), _cov(name, "cluster", groups=one, correction=True))


@pytest.mark.parametrize("name", MODELS)
def test_newey_west_equals_statsmodels(name):
    n = len(_data(name)[1])
    for lags in (0, 3):
        truth = _theirs(name, "HAC", maxlags=lags, use_correction=False)
        _agree(_cov(name, "hac", lags=lags), truth.cov_params())
    truth = _theirs(name, "HAC", maxlags=3, use_correction=True)
    _agree(_cov(name, "hac", lags=3, correction=True), truth.cov_params())
    rule = int(np.floor(4 * (n / 100) ** (2 / 9)))
    np.testing.assert_array_equal(_cov(name, "hac"), _cov(name, "hac", lags=rule))


@pytest.mark.parametrize("name", ["Logit", "Poisson"])
def test_leverages_equal_statsmodels(name):
    x, y = _data(name)
    family = sm.families.Binomial() if name == "Logit" else sm.families.Poisson()
    truth = sm.GLM(y, x, family=family).fit(tol=1e-14).get_influence().hat_matrix_diag
    np.testing.assert_allclose(jm.leverage(*_ours(name)), truth, rtol=1e-7)


def test_leverages_of_least_squares_equal_statsmodels():
    truth = _theirs("OLS", "nonrobust").get_influence().hat_matrix_diag
    np.testing.assert_allclose(jm.leverage(*_ours("OLS")), truth, rtol=1e-8)


# Against formulas written out


def _pieces(name="Logit"):
    """Design, scores, weights of the curvature, and the inverse curvature of a logistic regression, in NumPy."""
    x, y = (np.asarray(part) for part in _data(name))
    p = 1 / (1 + np.exp(-x @ np.asarray(_ours(name)[1].params["beta"])))
    return x, x * (y - p)[:, None], p * (1 - p), np.linalg.inv(x.T @ (x * (p * (1 - p))[:, None]))


def test_outer_product_of_the_gradient():
    _, scores, _, _ = _pieces()
    _agree(_cov("Logit", "opg"), np.linalg.inv(scores.T @ scores))


@pytest.mark.parametrize("kind, power", [("hc2", 0.5), ("hc3", 1.0)])
def test_leverage_corrected_by_hand_outside_least_squares(kind, power):
    x, scores, v, bread = _pieces()
    h = v * np.einsum("ni,ij,nj->n", x, bread, x)
    scores = scores / (1 - h)[:, None] ** power
    _agree(_cov("Logit", kind), bread @ scores.T @ scores @ bread)
    assert h.sum() == pytest.approx(4, rel=1e-10)


def test_sandwich_is_hc0_and_hc1_has_its_factor():
    _, scores, _, bread = _pieces()
    truth = bread @ scores.T @ scores @ bread
    _agree(_cov("Logit", "sandwich"), truth)
    _agree(_cov("Logit", "hc1"), truth * 32 / 28)


RNG = np.random.default_rng(11)
N = 24
X = np.column_stack([np.ones(N), RNG.normal(size=N)])
RESPONSE = X @ [1.0, 0.5] + RNG.gamma(2.0, 1.0, N)
COUNTS = RNG.integers(0, 4, N).astype(float)
COUNTS[:2] = [0.0, 3.0]
START = {"beta": jnp.zeros(2), "sigma": jm.positive(1.0), "known": jm.fixed(1.0)}


def _mean_and_scale(params, row):
    return row @ params["beta"] * params["known"], params["sigma"]


def _linear(x, y, weights):
    return jm.regression(jm.densities.normal, _mean_and_scale, x, y, weights)


@functools.cache
def _weighted():
    term = _linear(X, RESPONSE, COUNTS)
    return term, jm.fit(term, START).raise_if_failed()


@functools.cache
def _duplicated():
    times = COUNTS.astype(int)
    term = _linear(np.repeat(X, times, axis=0), np.repeat(RESPONSE, times), None)
    return term, jm.fit(term, START).raise_if_failed()


@pytest.mark.parametrize("kind", ["observed", "expected", "opg", "hc0", "hc1", "hc2", "hc3", "cluster"])
def test_a_case_weight_of_two_equals_the_row_twice(kind):
    """A row of weight zero is not there: groups that have no other do not count."""
    labels = np.minimum(np.arange(N), 8)
    options = {"groups": labels} if kind == "cluster" else {}
    again = {"groups": np.repeat(labels, COUNTS.astype(int))} if kind == "cluster" else {}
    one = jm.infer(*_weighted(), kind, "frequency", **options)
    two = jm.infer(*_duplicated(), kind, **again)
    assert float(one.nobs) == float(two.nobs) == COUNTS.sum()
    _agree(np.asarray(one.cov), two.cov)
    assert float(one.aic) == pytest.approx(float(two.aic), rel=1e-10)


def test_sampling_weights_of_a_mean():
    """The weighted mean varies with sum w^2 (y - mean)^2 / (sum w)^2 (Hajek 1971)."""
    term = jm.likelihood(_normal, RESPONSE, COUNTS)
    fit = jm.fit(term, {"mu": 0.0, "sigma": jm.positive(1.0)})
    found = jm.infer(term, fit, "hc0", "sampling")
    mean = COUNTS @ RESPONSE / COUNTS.sum()
    variance = COUNTS**2 @ (RESPONSE - mean) ** 2 / COUNTS.sum() ** 2
    assert float(found.bse["mu"]) == pytest.approx(np.sqrt(variance), rel=1e-8)
    assert float(found.nobs) == (COUNTS > 0).sum()
    assert np.isnan(found.aic)
    assert np.isnan(found.bic)
    text = str(found)
    assert "hc0, sampling weights" in text
    assert "AIC and BIC are not defined" in " ".join(text.split())


def test_with_sampling_weights_sigma_is_no_maximum_likelihood_estimate():
    problem = jm.models.linear(np.ones((RESPONSE.size, 1)), RESPONSE, COUNTS)
    fit = jm.fit(problem)
    cases, sampled = (jm.infer(problem, fit, "hc0", weights) for weights in ("case", "sampling"))
    assert [cases.is_mle, sampled.is_mle] == [True, False]
    assert "sigma is the maximum likelihood estimate" in str(cases)
    assert "sigma is the maximum likelihood estimate" not in str(sampled)


def _normal(params, y):
    return jm.densities.normal.logpdf(y, params["mu"], params["sigma"])


def test_sampling_weights_equal_statsmodels():
    """Its variance weights enter the scores, and so the middle as squares; its own n is that of the rows."""
    x, y = _data("Logit")
    weights = np.random.default_rng(3).uniform(0.5, 2.0, len(y))
    problem = jm.models.logistic(x, y, weights)
    fit = jm.fit(problem)
    truth = sm.GLM(y, x, family=sm.families.Binomial(), var_weights=weights).fit(tol=1e-14, cov_type="HC0")
    _agree(np.asarray(jm.infer(problem, fit, "hc0", "sampling").cov), truth.cov_params(), rtol=1e-7)
    h = np.asarray(jm.leverage(problem, fit, "sampling"))
    np.testing.assert_allclose(h, weights * np.asarray(jm.leverage(problem, fit)), rtol=1e-12)
    assert h.sum() == pytest.approx(4, rel=1e-10)
    bread, scores = np.asarray(jm.infer(problem, fit).cov), np.asarray(jm.scores(problem, fit))
    for kind, power in (("hc2", 0.5), ("hc3", 1.0)):
        s = scores * (weights / (1 - h) ** power)[:, None]
        _agree(np.asarray(jm.infer(problem, fit, kind, "sampling").cov), bread @ s.T @ s @ bread)


def test_several_likelihoods_factors_and_a_prior_by_hand():
    """The prior is in the bread only; a factor multiplies the scores; groups go over the rows of both."""
    one, two = jm.likelihood(_normal, RESPONSE, COUNTS), jm.likelihood(_normal, RESPONSE[:10] + 1.0)
    posterior = one + 0.5 * two + jm.priors.normal("mu", scale=0.3)
    fit = jm.fit(posterior, {"mu": 0.0, "sigma": jm.positive(1.0)})
    mu, sigma = float(fit.params["mu"]), float(fit.params["sigma"])
    y, w = np.r_[RESPONSE, RESPONSE[:10] + 1.0], np.r_[COUNTS, np.full(10, 0.5)]
    r = (y - mu) / sigma
    scores = np.column_stack([r / sigma, (r**2 - 1) / sigma])  # in (mu, sigma)
    cross = -2 * r / sigma**2
    bread = np.array([[w.sum() / sigma**2 + 1 / 0.09, -w @ cross], [-w @ cross, w @ (3 * r**2 - 1) / sigma**2]])
    inverse = np.linalg.inv(bread)
    squared = np.r_[COUNTS, np.full(10, 0.25)]
    inference = jm.infer(posterior, fit, "hc0")
    _agree(np.asarray(inference.cov), inverse @ (scores.T @ (scores * squared[:, None])) @ inverse, rtol=1e-7)
    assert "a sandwich around the scores of the likelihood" in " ".join(str(inference).split())
    groups = np.arange(34) % 5
    sums = np.stack([(scores * w[:, None])[groups == g].sum(axis=0) for g in range(5)])
    clustered = jm.infer(posterior, fit, "cluster", groups=groups, correction=False)
    _agree(np.asarray(clustered.cov), inverse @ sums.T @ sums @ inverse, rtol=1e-7)
