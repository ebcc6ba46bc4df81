"""Residuals against statsmodels, scipy and their definitions; the empirical survival curve; traces and sections."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st
import statsmodels.api as sm

import jaxmle as jm
from jaxmle.inference.predictions.marginal import marginal
from jaxmle.inference.profiles.section import section
from jaxmle.inference.rows.residuals import _quantile_of_log

RNG = np.random.default_rng(11)
N = 60
X = np.column_stack([np.ones(N), RNG.normal(size=(N, 2))])
MEAN = np.exp(X @ [0.6, 0.5, -0.4])
COUNTS, TRIALS = RNG.poisson(MEAN), RNG.integers(1, 9, N)
WINS = RNG.binomial(TRIALS, 1.0 / (1.0 + np.exp(-X @ [0.2, 1.0, -0.5])))
AMOUNTS = RNG.gamma(3.0, MEAN / 3.0)
KEY = jax.random.key(0)

# Both stop within 1e-8 of the maximum in the coefficients, and a residual moves as they do.
SLACK = {"rtol": 1e-6, "atol": 1e-7}


@pytest.fixture(scope="module")
def poisson():
    problem = jm.models.poisson_regression(jnp.asarray(X), jnp.asarray(COUNTS))
    return problem, jm.fit(problem)


def gamma_term(density, shape_first):
    def predictor(params, x):
        mean, shape = jnp.exp(x @ params["beta"]), params["shape"]
        return (shape, mean / shape) if shape_first else (x @ params["beta"], shape)

    return jm.regression(density, predictor, jnp.asarray(X), jnp.asarray(AMOUNTS))


GAMMA_START = {"beta": jnp.zeros(3), "shape": jm.positive(1.0)}


def test_poisson_residuals_are_those_of_statsmodels(poisson):
    other = sm.GLM(COUNTS, X, family=sm.families.Poisson()).fit(tol=1e-12)
    for kind, expected in (
        ("pearson", other.resid_pearson),
        ("deviance", other.resid_deviance),
        ("response", other.resid_response),
    ):
        np.testing.assert_allclose(jm.residuals(*poisson, kind), expected, **SLACK)
    assert (COUNTS == 0).any()  # so that the deviance of a zero was looked at


def test_binomial_residuals_are_those_of_statsmodels():
    problem = jm.models.logistic(jnp.asarray(X), jnp.asarray(WINS), trials=jnp.asarray(TRIALS))
    fit = jm.fit(problem)
    other = sm.GLM(np.column_stack([WINS, TRIALS - WINS]), X, family=sm.families.Binomial()).fit(tol=1e-12)
    np.testing.assert_allclose(jm.residuals(problem, fit, "pearson"), other.resid_pearson, **SLACK)
    np.testing.assert_allclose(jm.residuals(problem, fit, "deviance"), other.resid_deviance, **SLACK)
    assert ((WINS == 0) | (WINS == TRIALS)).any()


def test_gamma_and_inverse_gaussian_residuals_have_the_dispersion_of_the_fit():
    """Those of statsmodels are over the root of its own estimate of the dispersion, or over nothing."""
    cases = (
        (jm.densities.gamma, True, sm.families.Gamma(sm.families.links.Log())),
        (jm.densities.inverse_gaussian, False, sm.families.InverseGaussian(sm.families.links.Log())),
    )
    for density, shape_first, family in cases:
        term = gamma_term(density, shape_first)
        fit = jm.fit(term, GAMMA_START)
        mean = np.exp(X @ np.asarray(fit.params["beta"]))
        root = np.sqrt(float(fit.params["shape"]))
        np.testing.assert_allclose(
            jm.residuals(term, fit, "deviance"), root * family.resid_dev(AMOUNTS, mean), rtol=1e-9, atol=1e-9
        )
        pearson = root * (AMOUNTS - mean) / np.sqrt(family.variance(mean))
        np.testing.assert_allclose(jm.residuals(term, fit, "pearson"), pearson, rtol=1e-9, atol=1e-12)


def test_linear_residuals_are_all_the_same():
    problem = jm.models.linear(jnp.asarray(X), jnp.asarray(AMOUNTS))
    fit = jm.fit(problem)
    other = sm.OLS(AMOUNTS, X).fit()
    sigma = np.sqrt(np.mean(other.resid**2))
    for kind in ("pearson", "deviance", "quantile"):
        np.testing.assert_allclose(jm.residuals(problem, fit, kind), other.resid / sigma, **SLACK)
    np.testing.assert_allclose(jm.residuals(problem, fit, "response"), other.resid, **SLACK)


def test_quantile_residuals_of_a_continuous_density_are_scipys():
    term = gamma_term(jm.densities.gamma, True)
    fit = jm.fit(term, GAMMA_START)
    shape = float(fit.params["shape"])
    mean = np.exp(X @ np.asarray(fit.params["beta"]))
    expected = st.norm.ppf(st.gamma.cdf(AMOUNTS, shape, scale=mean / shape))
    np.testing.assert_allclose(jm.residuals(term, fit), expected, rtol=1e-8, atol=1e-9)  # logcdf: 1e-11, times 1/pdf


def test_quantile_residuals_of_counts_lie_between_the_ends_of_the_jump(poisson):
    problem, fit = poisson
    drawn = np.asarray(jm.residuals(problem, fit, key=KEY))
    rate = np.exp(X @ np.asarray(fit.params["beta"]))
    low, high = st.poisson.cdf(COUNTS - 1, rate), st.poisson.cdf(COUNTS, rate)
    share = (st.norm.cdf(drawn) - low) / (high - low)
    assert (share > 0).all()
    assert (share < 1).all()
    np.testing.assert_allclose(share, jax.random.uniform(KEY, (N,)), atol=1e-9)


def test_quantile_residuals_of_a_right_model_are_standard_normal():
    """Kolmogorov and Smirnov's test of 60 * 50 draws; one seed, level 0.001."""
    problem = jm.models.poisson_regression(jnp.asarray(X), jnp.asarray(COUNTS))
    fit = jm.Fit.at(problem, {"beta": jnp.asarray([0.6, 0.5, -0.4])})
    y = np.random.default_rng(5).poisson(MEAN, (50, N))

    def one(key, y):
        return jm.residuals(jm.models.poisson_regression(jnp.asarray(X), y), fit, key=key)

    drawn = jax.vmap(one)(jax.random.split(KEY, 50), jnp.asarray(y))
    assert st.kstest(np.asarray(drawn).ravel(), "norm").pvalue > 1e-3
    y[:, 0] += 6
    worse = jax.vmap(one)(jax.random.split(KEY, 50), jnp.asarray(y))
    assert (np.asarray(worse)[:, 0] > 0).all()


def test_censored_rows_are_drawn_from_what_is_known():
    time, upper = jnp.asarray([1.0, 2.0, 3.0, -jnp.inf]), jnp.asarray([1.0, 4.0, jnp.inf, 1.5])
    term = jm.regression(jm.densities.censored(jm.densities.exponential), lambda p, row: (p["scale"], row), upper, time)
    fit = jm.Fit.at(term, {"scale": jm.positive(2.0)})
    drawn = np.stack([jm.residuals(term, fit, key=key) for key in jax.random.split(KEY, 20)])
    low, high = st.expon.cdf([1.0, 2.0, 3.0, 0.0], scale=2.0), st.expon.cdf([1.0, 4.0, np.inf, 1.5], scale=2.0)
    u = st.norm.cdf(drawn)
    np.testing.assert_allclose(u[:, 0], low[0], rtol=1e-12)
    assert (u >= low - 1e-12).all()
    assert (u <= high + 1e-12).all()
    assert np.ptp(u[:, 1:], axis=0).min() > 0.1


def test_tails_are_kept():
    """A row 60 standard deviations out, on either side, where the probability underflows."""
    term = jm.regression(jm.densities.normal, lambda p, x: (p["mu"] * x, 1.0), jnp.ones(2), jnp.asarray([-60.0, 60.0]))
    found = jm.residuals(term, jm.Fit.at(term, {"mu": 0.0}))
    np.testing.assert_allclose(found, [-60.0, 60.0], rtol=1e-14)
    logs = -np.geomspace(np.log(2.0), 1e6, 80)
    scores = np.asarray(_quantile_of_log(jnp.asarray(logs)))
    np.testing.assert_allclose(st.norm.logcdf(scores), logs, rtol=1e-13)


def test_float32_and_jit_and_lanes(poisson):
    problem, fit = poisson
    again = jax.jit(lambda problem, fit: jm.residuals(problem, fit, "deviance"))(problem, fit)
    np.testing.assert_array_equal(again, jm.residuals(problem, fit, "deviance"))
    logs = jnp.asarray(-np.geomspace(np.log(2.0), 1e4, 30), jnp.float32)
    scores = _quantile_of_log(logs)
    assert scores.dtype == jnp.float32
    np.testing.assert_allclose(st.norm.logcdf(np.asarray(scores, float)), logs, rtol=1e-6)


def test_what_has_no_residuals_says_so(poisson):
    with pytest.raises(ValueError, match="no residuals of the kind 'raw'; the kinds are: quantile, pearson"):
        jm.residuals(*poisson, "raw")
    with pytest.raises(ValueError, match=r"drawn at random, so give key=jax.random.key\(0\)"):
        jm.residuals(*poisson)
    bare = jm.regression(lambda y, m: -((y - m) ** 2), lambda p, x: (p["m"],), jnp.ones(3), jnp.arange(3.0))
    fit = jm.fit(bare, {"m": 0.0})
    with pytest.raises(TypeError, match="has no logcdf and no logsf, which quantile residuals are made of"):
        jm.residuals(bare, fit)
    with pytest.raises(TypeError, match="no location that a perfect prediction moves"):
        jm.residuals(bare, fit, "deviance")
    with pytest.raises(TypeError, match=r"only a jm\.regression"):
        jm.residuals(jm.likelihood(lambda p, y: -((y - p["m"]) ** 2), jnp.arange(3.0)), fit)


def test_kaplan_meier_is_that_of_statsmodels():
    """With ties, between times of either kind too, and weights as repeated rows."""
    rng = np.random.default_rng(2)
    time, event = np.ceil(rng.exponential(6.0, 40)), rng.uniform(size=40) < 0.6
    other = sm.SurvfuncRight(time, event)
    found = jm.kaplan_meier(time, event)
    last = np.searchsorted(found.time, other.surv_times, side="right") - 1
    np.testing.assert_allclose(np.asarray(found.survival)[last], other.surv_prob, rtol=1e-12)
    inner = np.asarray(found.survival)[last] > 0
    np.testing.assert_allclose(np.asarray(found.bse)[last][inner], other.surv_prob_se[inner], rtol=1e-10)
    weights = rng.integers(0, 4, 40)
    twice = jm.kaplan_meier(np.repeat(time, weights), np.repeat(event, weights))
    weighted = jm.kaplan_meier(time, event, weights)
    at = np.unique(np.repeat(time, weights))
    one, two = ((np.searchsorted(curve.time, at, side="right") - 1, curve) for curve in (twice, weighted))
    for name in ("survival", "bse"):
        np.testing.assert_allclose(getattr(one[1], name)[one[0]], getattr(two[1], name)[two[0]], rtol=1e-10)
    with pytest.raises(ValueError, match="vectors of one length"):
        jm.kaplan_meier(time, event[:3])


def test_a_trace_ends_where_the_fit_ends(poisson):
    problem, fit = poisson
    climb = jm.trace(problem)
    assert climb.steps.tolist() == list(range(1, int(fit.steps) + 1))
    np.testing.assert_allclose(climb.value[-1], fit.value, rtol=1e-15)
    assert (np.diff(climb.value) >= 0).all()
    gained = np.asarray(fit.value - climb.value)
    near = (gained < 1e-2) & (gained > 1e-9)
    np.testing.assert_allclose(np.asarray(climb.left)[near], gained[near], rtol=0.1)  # a cubic term of order its root
    with pytest.raises(ValueError, match="max_steps must be a whole number of evaluations, one or more; it is 0"):
        jm.trace(problem, max_steps=0)
    with pytest.raises(TypeError, match="cannot be made inside a trace"):
        jax.jit(lambda y: jm.trace(jm.models.poisson(y)).value)(jnp.asarray(COUNTS))


def test_sections_are_refits(poisson):
    problem, fit = poisson
    free = np.asarray(fit.params["beta"])
    point = free + np.asarray([0.1, 0.0, -0.2])
    held = section(problem, fit, ["beta[0]", "beta[2]"], point[None, [0, 2]], "held")
    np.testing.assert_allclose(held.drop[0], fit.value - problem({"beta": jnp.asarray(point)}), rtol=1e-9)
    other = sm.GLM(COUNTS, X[:, 1], family=sm.families.Poisson(), offset=X[:, [0, 2]] @ point[[0, 2]]).fit(tol=1e-13)
    found = section(problem, fit, ["beta[0]", "beta[2]"], point[None, [0, 2]])
    np.testing.assert_allclose(found.drop[0], float(fit.value) - other.llf, rtol=1e-7)
    cov = np.asarray(jm.infer(problem, fit).cov)
    np.testing.assert_allclose(found.precision, np.linalg.inv(cov[np.ix_([0, 2], [0, 2])]), rtol=1e-8)
    np.testing.assert_allclose(held.precision, np.linalg.inv(cov)[np.ix_([0, 2], [0, 2])], rtol=1e-8)
    with pytest.raises(ValueError, match="one of"):
        section(problem, fit, "beta", point[None], "dropped")


def test_the_marginal_distribution_is_the_mean_over_rows(poisson):
    problem, fit = poisson
    rate = np.exp(X @ np.asarray(fit.params["beta"]))
    at = np.arange(4.0)
    expected = st.poisson.pmf(at[:, None], rate).mean(axis=1)
    np.testing.assert_allclose(marginal(problem, fit, at), expected, rtol=1e-12)
    np.testing.assert_allclose(
        marginal(problem, fit, at, survival=True), st.poisson.sf(at[:, None], rate).mean(axis=1), rtol=1e-9
    )


@pytest.mark.parametrize(
    "time, event, options, said",
    [
        ([1.0, np.nan], [True, True], {}, "time is nan at row 1, counted from zero: drop or fill"),
        ([1.0, 2.0], [1, 2], {}, "event is 2 at row 1, counted from zero: 1 is an event, 0 a censored time; recode"),
        ([1.0, 2.0], [np.nan, 1.0], {}, "event is nan at row 0"),
        ([1.0, 2.0], [True, True], {"weights": [1.0, -1.0]}, "weights is -1.0 at row 1"),
        ([1.0, 2.0], [True, True], {"weights": [1.0, np.inf]}, "weights is inf at row 1.*finite, and zero or more"),
    ],
)
def test_a_survival_curve_of_what_cannot_be_is_refused(time, event, options, said):
    """R's 2 for a death and 1 for none would all be deaths."""
    with pytest.raises(ValueError, match=said):
        jm.kaplan_meier(time, event, **options)


def test_times_may_be_negative_and_a_row_of_no_weight_is_not_looked_at():
    np.testing.assert_allclose(jm.kaplan_meier([-1.0, 2.0], [True, True]).survival, [0.5, 0.0])
    curve = jm.kaplan_meier([1.0, np.nan, 2.0], [1, 7, 1], weights=[1.0, 0.0, 1.0])
    np.testing.assert_allclose(curve.survival[:2], [0.5, 0.0])


@pytest.mark.parametrize("kind", ["pearson", "response", "deviance"])
def test_a_censored_response_has_no_residual_but_a_quantile(kind):
    y = np.array([1.0, 2.0, 3.0])
    problem = jm.models.distribution("exponential", y, censored=np.array([False, True, False]))
    with pytest.raises(TypeError, match=f"known to an interval, so it has no {kind} residual: take kind='quantile'"):
        jm.residuals(problem, jm.fit(problem), kind)
