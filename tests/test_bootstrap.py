"""The bootstrap against scipy's intervals, refits one by one and closed forms.

What is drawn at random is compared within four Monte Carlo errors at fixed keys; all else is exact.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.inference.resampling.resample import KINDS, Scheme

KEY = jax.random.key(3)
DRAWS = 300
COUNTS = np.array([2.0, 3.0, 4.0, 7.0, 1.0, 0.0, 5.0, 3.0, 9.0, 2.0, 2.0, 4.0])
GENERATOR = np.random.default_rng(8)
X = np.c_[np.ones(40), GENERATOR.normal(size=(40, 2))]
Y = X @ np.array([1.0, 0.5, -0.5]) + GENERATOR.normal(size=40)
GROUPS = np.arange(40) // 5


@pytest.fixture(scope="module")
def counts():
    problem = jm.models.poisson(COUNTS)
    fit = jm.fit(problem)
    return problem, fit, jm.bootstrap(problem, fit, KEY, DRAWS, studentise=True)


@pytest.fixture(scope="module")
def linear():
    problem = jm.models.linear(X, Y)
    return problem, jm.fit(problem)


def _scheme(problem, fit, kind, labels=None):
    labels = None if labels is None else jnp.asarray(labels)
    return Scheme.of(kind, problem.objective, fit.space.unlabelled, fit.z, labels)


def _weights(scheme, draws=DRAWS):
    return np.asarray(jax.jit(jax.vmap(lambda key: jnp.concatenate(scheme.weights(key))))(jax.random.split(KEY, draws)))


@pytest.mark.parametrize("kind, theirs", [("percentile", "percentile"), ("basic", "basic"), ("bca", "BCa")])
def test_intervals_equal_those_of_scipy(counts, kind, theirs):
    """Of the same draws; scipy takes the acceleration from the jackknife, which for a mean is the influence."""
    _, _, drawn = counts
    given = scipy.stats.bootstrap((COUNTS,), np.mean, n_resamples=2, method="percentile")
    given.bootstrap_distribution = np.asarray(drawn.values)[:, 0]
    truth = scipy.stats.bootstrap(
        (COUNTS,), np.mean, n_resamples=0, bootstrap_result=given, method=theirs, confidence_level=0.9
    ).confidence_interval
    low, high = drawn.conf_int(0.1, kind)
    np.testing.assert_allclose([low["rate"], high["rate"]], truth, rtol=1e-10)


def test_studentised_interval_by_hand(counts):
    """The standard error of a Poisson mean is sqrt(mean / n)."""
    _, _, drawn = counts
    means = np.asarray(drawn.values)[:, 0]
    t = (means - COUNTS.mean()) / np.sqrt(means / 12)
    truth = COUNTS.mean() - np.quantile(t, [0.975, 0.025]) * np.sqrt(COUNTS.mean() / 12)
    low, high = drawn.conf_int(0.05, "studentised")
    np.testing.assert_allclose([low["rate"], high["rate"]], truth, rtol=1e-8)


def test_draws_are_means_of_resampled_rows(counts):
    problem, fit, drawn = counts
    weights = _weights(_scheme(problem, fit, "nonparametric"))
    np.testing.assert_array_equal(weights.sum(axis=1), 12)
    np.testing.assert_array_equal(weights, np.round(weights))
    np.testing.assert_allclose(drawn.params["rate"], weights @ COUNTS / 12, rtol=1e-8)
    np.testing.assert_allclose(drawn.bse["rate"], (weights @ COUNTS / 12).std(ddof=1), rtol=1e-8)
    np.testing.assert_allclose(drawn.bias["rate"], (weights @ COUNTS / 12).mean() - COUNTS.mean(), atol=1e-8)
    assert drawn.ok.all()
    assert drawn.message == "all 300 draws have an estimate"


@pytest.mark.parametrize(
    "kind, labels, variance",
    [
        ("nonparametric", None, 39 / 40),
        ("bayesian", None, 39 / 41),
        ("wild", None, 1.0),
        ("wild", GROUPS, 1.0),
        ("cluster", GROUPS, 7 / 8),
        ("bayesian", GROUPS, 7 / 9),
    ],
)
def test_weights_have_their_moments(linear, kind, labels, variance):
    """Multinomial, Dirichlet and Mammen weights over 40 rows, or 8 groups of 5: mean one, and the variance known."""
    weights = _weights(_scheme(*linear, kind, labels), 4000)
    units = weights if labels is None else weights[:, ::5]
    if labels is not None:
        np.testing.assert_allclose(weights, np.repeat(units, 5, axis=1))
    if kind != "wild":
        np.testing.assert_allclose(weights.sum(axis=1), 40.0)
    size = 4000 * units.shape[1]
    np.testing.assert_allclose(units.mean(), 1.0, atol=4 / np.sqrt(size))
    np.testing.assert_allclose(units.var(), variance, atol=4 * 3 / np.sqrt(size))  # no kurtosis here is above 9
    if kind == "wild":
        np.testing.assert_allclose(((units - 1) ** 3).mean(), 1.0, atol=4 * 3 / np.sqrt(size))


@pytest.mark.always
def test_a_draw_is_the_fit_with_its_weights(linear):
    problem, fit = linear
    weights = _weights(_scheme(problem, fit, "cluster", GROUPS), 20)[:3]
    drawn = jm.bootstrap(problem, fit, KEY, 20, "cluster", groups=GROUPS)
    for i, own in enumerate(weights):
        alone = jm.fit(jm.models.linear(X, Y, weights=own))
        np.testing.assert_allclose(drawn.params["beta"][i], alone.params["beta"], rtol=1e-8)


def test_several_likelihoods_and_firth_are_resampled_together():
    """Each likelihood keeps its number of cases, and the penalty is that of the drawn ones."""
    x, y = np.ones((6, 1)), np.array([0.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    objective = jm.models.logistic(x[:4], y[:4]).objective + jm.models.logistic(x[4:], y[4:]).objective
    penalised = objective + jm.priors.firth(objective)
    fit = jm.fit(penalised, {"beta": np.zeros(1)})
    drawn = jm.bootstrap(penalised, fit, KEY, 20)
    scheme = Scheme.of("nonparametric", objective, fit.space.unlabelled, fit.z)
    weights = _weights(scheme, 20)
    np.testing.assert_array_equal(weights[:, :4].sum(axis=1), 4)
    heads = weights @ y
    np.testing.assert_allclose(drawn.params["beta"][:, 0], np.log((heads + 0.5) / (6.5 - heads)), rtol=1e-8, atol=1e-9)


def test_one_step_is_the_wild_bootstrap_of_residuals(linear):
    """Wu (1986): least squares of fitted values plus residuals times multipliers."""
    problem, fit = linear
    drawn = jm.bootstrap(problem, fit, KEY, DRAWS, "wild", one_step=True, statistic="beta")
    multipliers = _weights(_scheme(problem, fit, "wild")) - 1.0
    responses = X @ np.asarray(fit.params["beta"]) + multipliers * (Y - X @ np.asarray(fit.params["beta"]))
    np.testing.assert_allclose(drawn.values, np.linalg.lstsq(X, responses.T)[0].T, rtol=1e-9)
    assert drawn.ok.all()


def test_parametric_draws_vary_as_the_model_says():
    """The mean of n exponentials has standard deviation scale / sqrt(n)."""
    problem = jm.models.exponential(np.array([1.0, 3.0, 2.0, 6.0]))
    fit = jm.fit(problem)
    drawn = jm.bootstrap(problem, fit, KEY, 2000, "parametric")
    # The variance of a sample variance of r draws is (kurtosis - 1) / r of it squared, the kurtosis here 3 + 6 / 4.
    np.testing.assert_allclose(drawn.bse["scale"], 1.5, rtol=4 * np.sqrt((3 + 6 / 4 - 1) / 4 / 2000))


def test_weighted_rows_are_that_many_cases():
    problem = jm.models.poisson(np.array([1.0, 4.0]), weights=np.array([30.0, 10.0]))
    fit = jm.fit(problem)
    weights = _weights(_scheme(problem, fit, "nonparametric"), 2000)
    np.testing.assert_array_equal(weights.sum(axis=1), 40.0)
    np.testing.assert_allclose(weights[:, 0].var(), 40 * 0.75 * 0.25, rtol=4 * np.sqrt(2 / 2000))
    shares = _weights(_scheme(problem, fit, "bayesian"), 2000)[:, 0] / 40
    np.testing.assert_allclose(shares.var(), 0.75 * 0.25 / 41, rtol=4 * np.sqrt(2 / 2000))


def test_draws_without_an_estimate_are_counted():
    """All heads or all tails in a resample of three: no logit has a maximum there, and a probability has its limit."""
    problem = jm.models.logistic(np.ones((3, 1)), np.array([0.0, 1.0, 1.0]))
    fit = jm.fit(problem)
    drawn = jm.bootstrap(problem, fit, KEY, 200)
    heads = _weights(_scheme(problem, fit, "nonparametric"), 200)[:, 1:].sum(axis=1)
    np.testing.assert_array_equal(drawn.ok, (heads > 0) & (heads < 3))
    assert drawn.failed == np.sum((heads == 0) | (heads == 3)) > 0
    assert np.isnan(np.asarray(drawn.params["beta"])[~drawn.ok]).all()
    assert f"{drawn.failed} of 200 draws have no estimate and are NaN" in drawn.message
    assert "too small where draws fail because they are extreme" in drawn.message
    assert "diverging" in drawn.message
    assert "200 draws have no" in " ".join(str(drawn).split())
    coin = jm.models.bernoulli(np.array([0.0, 1.0, 1.0]))
    tossed = jm.bootstrap(coin, jm.fit(coin), KEY, 200)
    assert tossed.ok.all()
    assert codes.BOUNDARY in tossed.status
    np.testing.assert_allclose(tossed.params["p"], heads / 3, atol=1e-6)


def test_a_fit_that_failed_has_no_draws():
    problem = jm.models.logistic(np.ones((3, 1)), np.ones(3))
    drawn = jm.bootstrap(problem, jm.fit(problem), KEY, 200)
    assert np.isnan(drawn.bse["beta"]).all()
    assert not drawn.ok.any()
    assert drawn.message.startswith("there are no draws, since the fit is no estimate: diverging")


def test_fixed_parameters_do_not_vary_and_statistics_do():
    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"]), COUNTS)
    fit = jm.fit(term, {"mu": 1.0, "sigma": jm.fixed(2.0)})
    drawn = jm.bootstrap(term, fit, KEY, 50, "bayesian")
    assert np.isnan(drawn.bse["sigma"])
    assert np.isfinite(drawn.bse["mu"])
    double = jm.bootstrap(term, fit, KEY, 50, "bayesian", statistic=lambda p: {"twice": 2.0 * p["mu"]})
    np.testing.assert_allclose(double.bse["twice"], 2.0 * drawn.bse["mu"], rtol=1e-9)
    assert "twice" in str(double)
    assert "bayesian" in str(double)


def test_lanes_and_pieces_equal_the_whole(counts):
    problem, fit, _ = counts
    both = jax.vmap(lambda y: jm.models.poisson(y))(np.stack([COUNTS, COUNTS + 1.0]))
    fits = jm.fit_batch(both)
    lanes = jax.vmap(lambda problem, fit: jm.bootstrap(problem, fit, KEY, 60), in_axes=(jm.lane_axes(both), 0))(
        both, fits
    )
    alone = jm.bootstrap(problem, fit, KEY, 60)
    np.testing.assert_allclose(lanes.values[0], alone.values, rtol=1e-8)
    np.testing.assert_allclose(lanes.values[1], alone.values + 1.0, rtol=1e-8)
    np.testing.assert_allclose(lanes.conf_int(0.1, "bca")[1]["rate"][0], alone.conf_int(0.1, "bca")[1]["rate"])
    np.testing.assert_allclose(lanes.bse["rate"][0], alone.bse["rate"], rtol=1e-8)
    with pytest.raises(ValueError, match="a batch of bootstraps has no single table"):
        lanes.table()
    pieces = jm.bootstrap(problem, fit, KEY, 60, progress=True)
    np.testing.assert_allclose(pieces.values, alone.values, rtol=1e-12)


MISTAKES = [
    ({"kind": "jack"}, ValueError, f"no bootstrap 'jack'; the kinds are: {', '.join(KINDS)}"),
    ({"draws": 1}, ValueError, "draws must be a whole number, two or more"),
    ({"kind": "cluster"}, ValueError, "needs groups="),
    ({"groups": np.arange(12)}, ValueError, "groups= goes with kind='cluster'"),
    ({"kind": "wild", "groups": np.arange(5)}, ValueError, "groups= has 5 labels and the likelihood 12 rows"),
    ({"kind": "wild", "groups": (np.arange(12), np.arange(12))}, ValueError, "one way of grouping"),
    ({"statistic": lambda p: ()}, TypeError, "the statistic returned nothing"),
]


@pytest.mark.parametrize("options, error, words", MISTAKES, ids=[words for *_, words in MISTAKES])
def test_mistakes_are_answered(counts, options, error, words):
    problem, fit, _ = counts
    with pytest.raises(error, match=words):
        jm.bootstrap(problem, fit, KEY, **{"draws": 10} | options)


def test_intervals_that_do_not_exist_are_refused(counts, linear):
    _, _, drawn = counts
    with pytest.raises(ValueError, match="no bootstrap interval 'normal'; the kinds are: percentile, basic, bca"):
        drawn.conf_int(kind="normal")
    with pytest.raises(ValueError, match="needs the standard error of every draw"):
        jm.bootstrap(*linear, KEY, DRAWS, "wild", one_step=True, statistic="beta").conf_int(kind="studentised")


def test_what_cannot_be_resampled_is_refused(counts):
    _, fit, _ = counts
    whole = jm.likelihood(lambda p, y: jnp.sum(-((y - p["rate"]) ** 2)), COUNTS, rows=False)
    with pytest.raises(TypeError, match="likelihood has none to be had: one with rows=False"):
        jm.bootstrap(whole, fit, KEY)
    with pytest.raises(TypeError, match="there is nothing to resample"):
        jm.bootstrap(jm.priors.normal("rate"), fit, KEY)
    rows = jm.likelihood(lambda p, y: -((y - p["rate"]) ** 2), COUNTS)
    with pytest.raises(TypeError, match="this likelihood has none"):
        jm.bootstrap(rows, fit, KEY, kind="parametric")
    with pytest.raises(TypeError, match="cannot be simulated for rows with weights"):
        jm.bootstrap(jm.models.poisson(COUNTS, weights=np.ones(12)), fit, KEY, kind="parametric")
    with pytest.raises(TypeError, match="one_step=True takes Newton steps"):
        jm.bootstrap(rows + jm.priors.laplace("rate"), fit, KEY, one_step=True)
