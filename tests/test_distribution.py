"""One-sample models of every univariate density: starts, closed forms, censoring, limits, and the catalogue."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bad_input import assert_says
from scipy import stats

import jaxmle as jm
from benchmarks import families as study
from jaxmle import cli
from jaxmle.core import status as codes
from jaxmle.densities import catalogue
from jaxmle.models.families import FAMILIES

RNG = np.random.default_rng(61)
POSITIVE = RNG.gamma(2.0, 1.5, 30)
REAL = RNG.normal(1.0, 2.0, 31)
COUNTS = RNG.poisson(3.0, 30)
SAMPLES = {
    "normal": REAL, "laplace": REAL, "asymmetric_laplace": REAL, "uniform": REAL, "lognormal": POSITIVE,
    "exponential": POSITIVE, "half_normal": POSITIVE, "inverse_gaussian": POSITIVE, "pareto": POSITIVE,
    "poisson": COUNTS, "geometric": COUNTS + 1, "bernoulli": COUNTS % 2,
}  # fmt: skip


def fit_of(name, y, **options):
    return jm.fit(jm.models.distribution(name, y, **options))


def test_every_univariate_density_has_a_family_and_a_range_in_the_study():
    assert set(FAMILIES) == set(catalogue.univariate()) == set(study.RANGES)
    for name, entry in catalogue.entries().items():
        assert all([entry.title, entry.support, entry.formula, entry.source, *entry.parameters.values()]), name


@pytest.mark.parametrize(
    "name, expected",
    [
        ("normal", {"loc": REAL.mean(), "scale": REAL.std()}),
        ("laplace", {"loc": np.median(REAL), "scale": np.abs(REAL - np.median(REAL)).mean()}),
        ("lognormal", {"log_scale": np.log(POSITIVE).mean(), "s": np.log(POSITIVE).std()}),
        ("exponential", {"scale": POSITIVE.mean()}),
        ("half_normal", {"scale": np.sqrt((POSITIVE**2).mean())}),
        (
            "inverse_gaussian",
            {"log_mean": np.log(POSITIVE.mean()), "scale": 1 / ((1 / POSITIVE).mean() - 1 / POSITIVE.mean())},
        ),
        ("pareto", {"scale": POSITIVE.min(), "b": 1 / np.log(POSITIVE / POSITIVE.min()).mean()}),
        ("uniform", {"loc": REAL.min(), "scale": np.ptp(REAL)}),
        ("poisson", {"log_rate": np.log(COUNTS.mean())}),
        ("geometric", {"logits": -np.log(COUNTS.mean())}),
        ("bernoulli", {"logits": np.log((COUNTS % 2).mean() / (1 - (COUNTS % 2).mean()))}),
    ],
)
def test_closed_forms(name, expected):
    """To rounding; and where the maximum is smooth, found at the first evaluation."""
    fit = fit_of(name, SAMPLES[name])
    assert fit.ok, fit.message
    for key, value in expected.items():
        np.testing.assert_allclose(fit.params[key], value, rtol=1e-13, err_msg=key)
    assert int(fit.steps) <= 2 or int(fit.status) == codes.AT_CORNER


# scipy's fit of the same family, its loc held where ours has none: its names, parameters to ours, and a sample
SCIPY = [
    ("gamma", stats.gamma, {"floc": 0}, lambda p: (p["a"], 0, p["scale"]), POSITIVE),
    ("weibull", stats.weibull_min, {"floc": 0}, lambda p: (p["c"], 0, p["scale"]), POSITIVE),
    ("loglogistic", stats.fisk, {"floc": 0}, lambda p: (p["c"], 0, p["scale"]), POSITIVE),
    ("inverse_gamma", stats.invgamma, {"floc": 0}, lambda p: (p["a"], 0, p["scale"]), POSITIVE),
    ("generalized_pareto", stats.genpareto, {"floc": 0}, lambda p: (p["c"], 0, p["scale"]), POSITIVE),
    ("beta", stats.beta, {"floc": 0, "fscale": 1}, lambda p: (p["a"], p["b"], 0, 1), POSITIVE / 12),
    ("gumbel", stats.gumbel_r, {}, lambda p: (p["loc"], p["scale"]), REAL),
    ("logistic", stats.logistic, {}, lambda p: (p["loc"], p["scale"]), REAL),
    ("genextreme", stats.genextreme, {}, lambda p: (p["c"], p["loc"], p["scale"]), REAL),
    (
        "asymmetric_laplace",
        stats.laplace_asymmetric,
        {},
        lambda p: (p["kappa"], p["loc"], p["scale"]),
        REAL,
    ),
    ("student_t", stats.t, {}, lambda p: (p["df"], p["loc"], p["scale"]), np.append(REAL, [25.0, -20.0])),
]


@pytest.mark.parametrize("name, peer, held, ours, y", SCIPY, ids=[row[0] for row in SCIPY])
def test_never_lower_than_scipy(name, peer, held, ours, y):
    fit = fit_of(name, y)
    assert fit.ok, fit.message
    params = {key: float(value) for key, value in fit.params.items()}
    value = peer.logpdf(y, *ours(params)).sum()
    np.testing.assert_allclose(fit.value, value, rtol=1e-11)
    assert value >= peer.logpdf(y, *peer.fit(y, **held)).sum() - 1e-9


@pytest.mark.parametrize("name", ["beta_binomial", "generalized_normal", "negative_binomial", "student_t"])
def test_a_small_study(name):
    """Forty samples from across the family: each fit at the maximum, or at a limit that no fit from the truth beats."""
    found = study.study(name, 40)
    assert found["claimed and lower"] == 0
    assert found["right"] >= 39, found


def test_lanes_equal_single_fits():
    y = jnp.stack([jnp.asarray(POSITIVE), jnp.asarray(POSITIVE[::-1]) ** 2])
    fits = jm.fit_batch(jax.vmap(lambda y: jm.models.distribution("pareto", y))(y))
    for lane in range(2):
        alone = fit_of("pareto", y[lane])
        for key, value in alone.params.items():
            np.testing.assert_allclose(fits.params[key][lane], value, rtol=1e-12)


# Censored and truncated

EXACT = np.array([0.5, 1.2, 2.0, 3.1])


def test_right_censored_exponential_is_its_closed_form():
    """All the time over the number of failures, Kalbfleisch and Prentice (2002), section 3.4."""
    fit = fit_of("exponential", [35.0, 52.0, 60.0, 60.0], censored=[False, False, True, True])
    np.testing.assert_allclose(fit.params["scale"], 103.5, rtol=1e-12)


CENSORED = [
    (stats.weibull_min, "weibull", {"floc": 0}, lambda p: (p["c"], 0, p["scale"])),
    (stats.gamma, "gamma", {"floc": 0}, lambda p: (p["a"], 0, p["scale"])),
    (stats.norm, "normal", {}, lambda p: (p["loc"], p["scale"])),
]
LEFT, RIGHT, INTERVALS = np.array([0.4, 0.9]), np.array([2.5, 4.0]), np.array([[1.0, 2.0], [0.5, 3.0]])
LOWER = np.concatenate([EXACT, [-np.inf, -np.inf], RIGHT, INTERVALS[:, 0]])
UPPER = np.concatenate([EXACT, LEFT, [np.inf, np.inf], INTERVALS[:, 1]])


@pytest.mark.parametrize("peer, name, held, ours", CENSORED, ids=[row[1] for row in CENSORED])
def test_censored_as_scipy(peer, name, held, ours):
    data = stats.CensoredData(uncensored=EXACT, left=LEFT, right=RIGHT, interval=INTERVALS)
    fit = fit_of(name, LOWER, censored=UPPER)
    assert fit.ok, fit.message
    params = {key: float(value) for key, value in fit.params.items()}
    best = peer.fit(data, **held)
    assert float(fit.value) >= -_cost(peer, best, data) - 1e-9
    np.testing.assert_allclose(fit.value, -_cost(peer, ours(params), data), rtol=1e-10)


DEVICES = [13.0, 22.0, 17.0, 15.0, 20.0, 18.0]  # hours to failure, the example of scipy.stats.CensoredData
CUT = np.minimum(stats.weibull_min.rvs(2.5, scale=30.0, size=250, random_state=np.random.default_rng(7)), 40.0)


@pytest.mark.parametrize(
    "y, running, name, peer",
    [
        (DEVICES, [False] * 4 + [True] * 2, "exponential", stats.expon),
        (DEVICES, [False] * 4 + [True] * 2, "weibull", stats.weibull_min),
        (CUT, CUT == 40.0, "weibull", stats.weibull_min),
    ],
    ids=["devices", "devices weibull", "weibull"],
)
def test_the_examples_of_scipys_censored_data(y, running, name, peer):
    fit = fit_of(name, y, censored=np.asarray(running)).raise_if_failed()
    data = stats.CensoredData.right_censored(y, running)
    theirs = peer.fit(data, floc=0)
    *shape, _, scale = theirs
    ours = [float(fit.params[key]) for key in (["c", "scale"] if shape else ["scale"])]
    np.testing.assert_allclose(ours, [*shape, scale], rtol=2e-4)  # scipy stops at 1e-4
    best = np.where(running, peer.logsf(y, *theirs), peer.logpdf(y, *theirs)).sum()
    assert 1e-4 > float(fit.value) - best >= -1e-9


def _cost(peer, params, data):
    """Minus the log-likelihood of censored data, by scipy's distribution functions."""
    frozen = peer(*params)
    low, high = INTERVALS.T
    return -(
        frozen.logpdf(EXACT).sum()
        + frozen.logcdf(LEFT).sum()
        + frozen.logsf(RIGHT).sum()
        + np.log(frozen.cdf(high) - frozen.cdf(low)).sum()
    )


def test_flags_are_ends():
    y, left, right = np.array([0.5, 1.2, 2.0, 3.1]), [True, False, False, False], [False, False, False, True]
    flagged = fit_of("normal", y, censored={"left": np.array(left), "right": np.array(right)})
    ends = fit_of("normal", np.where(left, -np.inf, y), censored=np.where(right, np.inf, y))
    assert float(flagged.value) == float(ends.value)


def test_truncated_is_the_density_between_the_bounds():
    fit = fit_of("exponential", POSITIVE[POSITIVE < 4], truncated=(0.0, 4.0))
    scale = float(fit.params["scale"])
    logs = stats.truncexpon.logpdf(POSITIVE[POSITIVE < 4], 4.0 / scale, scale=scale)
    np.testing.assert_allclose(fit.value, logs.sum(), rtol=1e-11)


# Limits


def test_counts_no_more_variable_than_poisson_have_no_concentration():
    fit = fit_of("negative_binomial", [2, 2, 3, 2, 3, 3, 2, 2])
    assert not fit.ok
    assert_says(fit.message, "diverging", "concentration goes to +infinity")


def test_a_sample_as_variable_as_an_exponential_has_no_truncated_normal():
    """Between bounds a truncated normal varies less than the exponential with the same mean, its limit."""
    y = np.array([1.01, 1.02, 1.1, 1.3, 3.9])
    fit = fit_of("truncated_normal", y, fixed={"lower": 1.0, "upper": np.inf})
    assert int(fit.status) == codes.DIVERGING
    limit = stats.expon.logpdf(y - 1, scale=(y - 1).mean()).sum()
    np.testing.assert_allclose(fit.value, limit, rtol=1e-6)


@pytest.mark.parametrize("name", ["laplace", "asymmetric_laplace", "uniform"])
def test_a_maximum_at_a_corner_is_ok_and_says_so(name):
    problem = jm.models.distribution(name, REAL)
    fit = jm.fit(problem)
    assert int(fit.status) == codes.AT_CORNER
    assert_says(fit.message, "corner", "no standard error")
    assert np.isnan(jm.infer(problem, fit).bse["loc"])


def test_the_table_of_a_sample_whose_smallest_observation_is_an_estimate_says_so():
    problem = jm.models.distribution("pareto", np.exp(0.3 * np.random.default_rng(1).normal(size=50)))
    assert "scale is the smallest observation" in str(jm.infer(problem, jm.fit(problem)))


def test_a_constant_sample_is_unbounded():
    for name in ("normal", "laplace", "uniform", "lognormal"):
        assert int(fit_of(name, np.full(9, 2.0)).status) in (codes.UNBOUNDED, codes.NON_FINITE), name


def test_weights_are_copies():
    weights = np.arange(30) % 3
    weighted, repeated = fit_of("gamma", POSITIVE, weights=weights), fit_of("gamma", np.repeat(POSITIVE, weights))
    np.testing.assert_allclose(weighted.value, repeated.value, rtol=1e-12)


def test_a_fixed_parameter_stays():
    fit = fit_of("student_t", REAL, fixed={"df": 4.0})
    assert float(fit.params["df"]) == 4.0
    peer = stats.t.fit(REAL, f0=4.0)
    assert float(fit.value) >= stats.t.logpdf(REAL, *peer).sum() - 1e-9


# Refusals


@pytest.mark.parametrize(
    "error, words, name, options",
    [
        (ValueError, ["no density 'wiebull'", "weibull"], "wiebull", {}),
        (TypeError, ["dirichlet", "single numbers"], "dirichlet", {}),
        (TypeError, ["by its name or its module"], 3, {}),
        (ValueError, ["binomial needs n", "fixed={'n'"], "binomial", {}),
        (ValueError, ["no parameter shape"], "gamma", {"fixed": {"shape": 1.0}}),
        (ValueError, ["pareto", "scale", "fixed"], "pareto", {"censored": np.zeros(30, bool)}),
        (TypeError, ["whole numbers", "booleans"], "gamma", {"censored": np.zeros(30, int)}),
        (ValueError, ["shape (3,)"], "gamma", {"censored": np.zeros(3, bool)}),
        (ValueError, ["no kind 'lift'"], "gamma", {"censored": {"lift": np.zeros(30, bool)}}),
        (TypeError, ["von_mises has no logsf"], "von_mises", {"censored": np.zeros(30, bool)}),
        (ValueError, ["pair"], "gamma", {"truncated": 3.0}),
    ],
)
def test_what_is_refused(error, words, name, options):
    with pytest.raises(error) as raised:
        jm.models.distribution(name, POSITIVE, **options)
    assert_says(str(raised.value), *words)


def test_an_observation_outside_the_support_is_named():
    with pytest.raises(ValueError, match="row 1"):
        fit_of("gamma", [1.0, -2.0, 3.0])


# The catalogue


def test_the_stored_page_is_what_the_docstrings_say():
    stored = pathlib.Path(__file__).parent.parent / "CATALOGUE.md"
    assert stored.read_text() == catalogue.page(), "run: jaxmle densities > CATALOGUE.md"


def test_the_command_line_prints_families(capsys):
    assert cli.main(["densities", "gamma"]) == 0
    assert capsys.readouterr().out.startswith("## gamma\n\nThe gamma distribution.")
    assert cli.main(["densities", "gama"]) == 2
    assert "there is no density 'gama'" in capsys.readouterr().err
