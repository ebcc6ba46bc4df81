"""Profile likelihood against MINOS, closed forms and published intervals."""

import functools
import sys

import iminuit
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special, stats

import jaxmle as jm
from jaxmle.core.tree import NoSuchParameter
from jaxmle.inference.profiles import outcome

profile_module = sys.modules["jaxmle.inference.profiles.profile"]

DROP = stats.chi2.ppf(0.95, 1) / 2


@functools.cache
def _dobson():
    """Counts of a randomised trial (Dobson 1990, page 93): the example of R's glm."""
    y = [18.0, 17, 15, 20, 10, 20, 25, 13, 12]
    x = [[1.0, a == 2, a == 3, b == 2, b == 3] for b in (1, 2, 3) for a in (1, 2, 3)]
    start = jm.free(jnp.zeros(5), ["one", "outcome2", "outcome3", "treatment2", "treatment3"])
    term = jm.regression(jm.densities.poisson, lambda p, row: (row @ p["beta"],), jnp.asarray(x, float), jnp.array(y))
    fit = jm.fit(term, {"beta": start})
    return term, fit, jm.profile(term, fit)


def _gamma(params, y):
    shape, rate = params["shape"], params["rate"]
    return shape * jnp.log(rate) + (shape - 1.0) * jnp.log(y) - rate * y - jax.scipy.special.gammaln(shape)


@functools.cache
def _gamma_fit():
    y = jnp.asarray(np.random.default_rng(3).gamma(2.0, 0.5, (4, 12)))
    likelihoods = jm.likelihood(_gamma, y)
    start = {"shape": jm.positive(1.0), "rate": jm.positive(1.0)}
    return likelihoods, jm.fit_batch(likelihoods, start)


def _lane(tree, i):
    return jax.tree.map(lambda leaf: leaf[i] if jnp.ndim(leaf) else leaf, tree)


def _minuit(names):
    """Minuit on the counts, started at our estimate, with its own gradient tolerance and second derivatives."""
    term, fit, _ = _dobson()
    loss = jax.jit(jax.value_and_grad(lambda z: -term({"beta": z})))
    m = iminuit.Minuit(
        lambda z: float(loss(z)[0]), np.asarray(fit.z), grad=lambda z: np.asarray(loss(z)[1]), name=names
    )
    m.errordef, m.strategy, m.tol = 0.5, 2, 1e-8
    m.errors[:] = 0.1
    m.migrad()
    return m


@pytest.mark.always
def test_published_intervals_of_r():
    # confint(glm.D93) of R 4: its profile is interpolated by a spline, so four digits.
    _, _, profile = _dobson()
    lower = [2.6958215, -0.8577018, -0.6753696, -0.3932548, -0.3932548]
    upper = [3.36655581, -0.06255840, 0.08244089, 0.3932548, 0.3932548]
    np.testing.assert_allclose(profile.lower["beta"], lower, atol=1e-4)
    np.testing.assert_allclose(profile.upper["beta"], upper, atol=1e-4)
    assert profile.ok
    assert int(profile.steps) <= 4


def test_ends_are_those_of_minuit():
    _, _, profile = _dobson()
    names = [f"b{i}" for i in range(5)]
    m = _minuit(names)
    m.minos(cl=0.95)
    lowest, errors, ends = m.fval, np.array(m.errors), m.merrors
    for i, name in enumerate(names):
        pair = ends[name].lower, ends[name].upper
        for end, theirs in zip((profile.lower["beta"][i], profile.upper["beta"][i]), pair, strict=True):
            # MINOS stops within 0.01 of its target, and a few of its ends are 2e-3 of a standard error off.
            assert abs(float(end) - m.values[name] - theirs) < 3e-3 * errors[i]
            held = _minuit(names)  # so its minimiser is asked how far the likelihood has fallen at our end
            held.values[name] = float(end)
            held.fixed[name] = True
            held.migrad()
            # The slope there is about 2 for each standard error, so this is 5e-7 of one.
            assert held.fval - lowest == pytest.approx(DROP, abs=1e-6)


def test_ends_of_gamma_solve_the_concentrated_likelihood():
    likelihoods, fits = _gamma_fit()
    profiles = jax.vmap(jm.profile, in_axes=(jm.lane_axes(likelihoods), 0))(likelihoods, fits)
    for i in range(4):
        y, shape, rate = np.asarray(likelihoods.data[i]), fits.params["shape"][i], fits.params["rate"][i]
        by_shape = functools.partial(_gamma_by_shape, y)
        by_rate = functools.partial(_gamma_by_rate, y)
        for name, peak, function in (("shape", shape, by_shape), ("rate", rate, by_rate)):
            wanted = _ends(function, float(peak))
            got = [float(end[name][i]) for end in (profiles.lower, profiles.upper)]
            # A step is left out once it leaves 1e-8 of a standard error, squared-convergence away.
            np.testing.assert_allclose(got, wanted, rtol=1e-8)


def _gamma_by_shape(y, a):
    return np.sum(stats.gamma.logpdf(y, a, scale=y.mean() / a))


def _gamma_by_rate(y, b):
    a = optimize.brentq(lambda a: np.log(b) + np.log(y).mean() - special.digamma(a), 1e-8, 1e4, xtol=1e-14)
    return np.sum(stats.gamma.logpdf(y, a, scale=1 / b))


def _ends(function, peak):
    """Where a function of one number has fallen by DROP from its peak."""
    short = function(peak) - DROP
    low = optimize.brentq(lambda c: function(c) - short, 1e-3 * peak, peak, xtol=1e-13)
    return low, optimize.brentq(lambda c: function(c) - short, peak, 50 * peak, xtol=1e-13)


def test_a_vmapped_lane_equals_its_own_profile_and_jit_equals_eager():
    likelihoods, fits = _gamma_fit()
    axes = jm.lane_axes(likelihoods)
    profiles = jax.jit(jax.vmap(jm.profile, in_axes=(axes, 0)))(likelihoods, fits)
    alone = jm.profile(jm.likelihood(_gamma, likelihoods.data[2]), _lane(fits, 2))
    assert profiles.status_lower["rate"].shape == (4,)
    for a, b in ((profiles.lower, alone.lower), (profiles.upper, alone.upper)):
        np.testing.assert_allclose(a["shape"][2], b["shape"], rtol=1e-9)
        np.testing.assert_allclose(a["rate"][2], b["rate"], rtol=1e-9)


def test_a_function_that_is_a_coordinate_has_its_ends_and_others_are_mapped():
    term, fit, profile = _dobson()
    coordinate = jm.profile(term, fit, lambda params: params["beta"][1])
    assert float(coordinate.lower) == pytest.approx(float(profile.lower["beta"][1]), rel=1e-8)
    assert float(coordinate.upper) == pytest.approx(float(profile.upper["beta"][1]), rel=1e-8)
    mapped = jm.profile(term, fit, lambda params: jnp.exp(params["beta"][0]))  # curved, and the ends are invariant
    assert float(mapped.lower) == pytest.approx(float(np.exp(profile.lower["beta"][0])), rel=1e-8)
    assert float(mapped.upper) == pytest.approx(float(np.exp(profile.upper["beta"][0])), rel=1e-8)
    assert float(mapped.estimate) == pytest.approx(21.0, rel=1e-9)


def test_which_asks_for_some_and_the_rest_is_not_there():
    term, fit, profile = _dobson()
    some = jm.profile(term, fit, ["treatment2", "outcome3"])
    asked = np.array([False, False, True, True, False])
    for a, b in ((some.lower, profile.lower), (some.upper, profile.upper)):
        np.testing.assert_allclose(np.asarray(a["beta"])[asked], np.asarray(b["beta"])[asked], rtol=1e-9)
        assert np.all(np.isnan(np.asarray(a["beta"])[~asked]))
    assert np.all(np.asarray(some.status_lower["beta"])[~asked] == outcome.NOT_ASKED)
    assert [row.label for row in some.table().rows] == ["outcome3", "treatment2"]


def test_mean_and_sigma_of_a_normal_sample():
    y = np.array([1.0, 2.0, 4.0, 7.0])
    problem = jm.models.normal(jnp.asarray(y))
    fit = jm.fit(problem)
    profile = jm.profile(problem, fit)
    wide = np.std(y) * np.sqrt(np.expm1(2 * DROP / y.size))  # n/2 log(1 + (c - mean)^2 / variance) = DROP
    np.testing.assert_allclose(
        [profile.lower["mu"], profile.upper["mu"]], y.mean() + wide * np.array([-1, 1]), rtol=1e-9
    )
    wanted = _ends(lambda s: -y.size * (np.log(s) + 0.5 * np.var(y) / s**2), np.std(y))
    np.testing.assert_allclose([profile.lower["sigma"], profile.upper["sigma"]], wanted, rtol=1e-8)
    points = jnp.array([-1.0, 0.5, 2.0, 30.0, 1e3])
    curve = jm.profile_curve(problem, fit, "sigma", points)
    s = np.asarray(points)[1:]
    drop = y.size * (np.log(s / np.std(y)) + 0.5 * (np.var(y) / s**2 - 1))
    np.testing.assert_allclose(curve.drop[1:], drop, rtol=1e-9, atol=1e-11)
    assert int(curve.status[0]) == outcome.OUTSIDE
    assert np.isnan(curve.drop[0])
    ratio = jm.profile_curve(problem, fit, lambda p: p["mu"] / p["sigma"], jnp.array([0.0, 3.0]))
    np.testing.assert_allclose(ratio.params["mu"] / ratio.params["sigma"], [0.0, 3.0], atol=1e-7)
    assert float(ratio.drop[0]) == pytest.approx(0.5 * y.size * np.log1p(y.mean() ** 2 / np.var(y)), rel=1e-9)


def test_a_coin_that_never_fell_heads_ends_at_its_limit():
    problem = jm.models.bernoulli(jnp.zeros(5))
    profile = jm.profile(problem, jm.fit(problem))
    assert float(profile.lower["p"]) == 0.0
    assert int(profile.status_lower["p"]) == outcome.AT_LIMIT
    assert float(profile.upper["p"]) == pytest.approx(-np.expm1(-DROP / 5), rel=1e-6)  # 5 log(1 - p) = -DROP
    assert np.isnan(profile.wald_upper["p"])
    assert "limit" in str(profile)


def test_a_separated_regression_has_one_end():
    x = np.array([-3, -2, -1, -0.5, 0.5, 1, 2, 3.0])
    problem = jm.models.logistic(x[:, None], (x > 0).astype(float))
    profile = jm.profile(problem, jm.fit(problem))
    lower = optimize.brentq(lambda b: np.sum(np.log1p(np.exp(-b * np.abs(x)))) - DROP, 0.01, 50, xtol=1e-13)
    assert float(profile.lower["beta"][0]) == pytest.approx(lower, rel=1e-8)
    assert np.isposinf(profile.upper["beta"][0])
    assert int(profile.status_upper["beta"][0]) == outcome.ENDLESS
    assert profile.ok
    assert "no end" in str(profile)


def _cauchy(params, y):
    return jm.densities.student_t.logpdf(y, 1.0, params["m"], 1.0)


def test_a_higher_maximum_is_told():
    term = jm.likelihood(_cauchy, jnp.array([-4.0, 4.3, 4.5]))
    lower, higher = (jm.fit(term, {"m": start}).raise_if_failed() for start in (-4.0, 4.4))
    assert float(higher.value) > float(lower.value)
    profile = jm.profile(term, lower)
    assert int(profile.status_upper["m"]) == outcome.HIGHER
    assert np.isnan(profile.upper["m"])
    assert not profile.ok
    assert "higher log-density" in str(profile)
    off = jm.profile(term, jm.Fit.at(term, {"m": 3.9}))  # no maximum at all
    assert int(off.status_lower["m"]) == outcome.HIGHER


def test_collinear_columns_have_no_ends_and_the_intercept_has():
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(20), rng.standard_normal(20)])
    y = rng.poisson(2.0, 20).astype(float)
    problem = jm.models.poisson_regression(np.column_stack([x, 2 * x[:, 1]]), y)
    profile = jm.profile(problem, jm.fit(problem))
    alone = jm.models.poisson_regression(x, y)
    wanted = jm.profile(alone, jm.fit(alone))
    assert float(profile.lower["beta"][0]) == pytest.approx(float(wanted.lower["beta"][0]), rel=1e-8)
    assert np.all(np.isposinf(profile.upper["beta"][1:]))
    assert np.all(np.isneginf(profile.lower["beta"][1:]))


def test_a_probability_of_a_simplex_and_a_fixed_and_an_upper_bounded_number():
    term = jm.likelihood(
        lambda p, n: jnp.sum(n * jnp.log(p["w"])) + p["c"], jnp.array([3.0, 5.0, 2.0]), rows=False, nobs=10
    )
    fit = jm.fit(term, {"w": jm.simplex([0.3, 0.4, 0.3]), "c": jm.fixed(0.0)})
    profile = jm.profile(term, fit)
    wanted = optimize.brentq(lambda q: stats.binom.logpmf(3, 10, q) - stats.binom.logpmf(3, 10, 0.3) + DROP, 1e-6, 0.3)
    assert float(profile.lower["w"][0]) == pytest.approx(wanted, rel=1e-8)
    assert np.isnan(profile.lower["c"])
    assert int(profile.status_lower["c"]) == outcome.NOT_ASKED
    below = jm.likelihood(lambda p, y: jm.densities.poisson.logpmf(y, jnp.log(p["rate"])), jnp.array([2.0, 4.0, 3.0]))
    fit = jm.fit(below, {"rate": jm.interval(2.0, upper=9.0)})
    profile = jm.profile(below, fit)
    assert float(profile.lower["rate"]) < float(fit.params["rate"]) < float(profile.upper["rate"])
    low, high = _ends(lambda c: 9 * np.log(c) - 3 * c, 3.0)
    np.testing.assert_allclose([profile.lower["rate"], profile.upper["rate"]], [low, high], rtol=1e-8)


def test_with_a_prior_it_is_the_log_posterior():
    term, _, _ = _dobson()
    y, scale = np.array([3.0, 4.0]), 2.0
    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["m"], 1.0), jnp.asarray(y))
    posterior = term + jm.priors.normal("m", scale=scale)
    profile = jm.profile(posterior, jm.fit(posterior, {"m": 0.0}), level=0.5)
    precision = 2 + 1 / scale**2
    wanted = y.sum() / precision + stats.norm.ppf([0.25, 0.75]) / np.sqrt(precision)
    np.testing.assert_allclose([profile.lower["m"], profile.upper["m"]], wanted, rtol=1e-10)
    assert "log-posterior" in str(profile)


def test_float32():
    with jax.enable_x64(False):
        problem = jm.models.poisson(jnp.array([2.0, 3.0, 4.0]))
        profile = jm.profile(problem, jm.fit(problem))
        assert profile.lower["rate"].dtype == jnp.float32
        np.testing.assert_allclose([profile.lower["rate"], profile.upper["rate"]], [1.4415379, 5.4080995], rtol=2e-5)


def test_new_numbers_compile_nothing_and_tables_take_every_form():
    term, fit, profile = _dobson()
    before = profile_module._profile.briefly._cache_size()
    assert float(jm.profile(term, fit, level=0.5, max_steps=50).upper["beta"][0]) < float(profile.upper["beta"][0])
    assert profile_module._profile.briefly._cache_size() == before
    table = profile.table()
    assert table.columns == ("estimate", "lower", "upper", "Wald lower", "Wald upper")
    assert "95%" in str(profile)
    assert "<table" in profile.to_html()
    assert "tabular" in profile.to_latex()
    assert profile.to_frame().loc["outcome2", "lower"] == pytest.approx(-0.8577, abs=1e-4)
    lower, upper = jm.infer(term, fit).conf_int()
    np.testing.assert_allclose(profile.wald_lower["beta"], lower["beta"], rtol=1e-9)
    np.testing.assert_allclose(profile.wald_upper["beta"], upper["beta"], rtol=1e-9)


def test_what_cannot_be_profiled_is_said():
    term, fit, _ = _dobson()
    with pytest.raises(ValueError, match="level must be a number between 0 and 1"):
        jm.profile(term, fit, level=95)
    with pytest.raises(ValueError, match="max_steps must be one or more"):
        jm.profile(term, fit, max_steps=0)
    with pytest.raises(NoSuchParameter, match="no parameter is called 'gamma'; there are: one, outcome2"):
        jm.profile(term, fit, "gamma")
    with pytest.raises(ValueError, match="which is empty"):
        jm.profile(term, fit, [])
    with pytest.raises(ValueError, match="returns one floating number; this one returned float64 of shape \\(5,\\)"):
        jm.profile(term, fit, lambda params: params["beta"])
    with pytest.raises(ValueError, match="a curve is of one number, and 'beta' names 5"):
        jm.profile_curve(term, fit, "beta", jnp.zeros(2))
    with pytest.raises(ValueError, match="points is a vector"):
        jm.profile_curve(term, fit, "one", 3.0)
    with pytest.raises(TypeError, match="a prior with kinks"):
        jm.profile(term + jm.priors.laplace("beta"), fit)
    likelihoods, fits = _gamma_fit()
    with pytest.raises(ValueError, match=r"this is a batch of fits, and jm\.profile takes one"):
        jm.profile(likelihoods, fits)
    with pytest.raises(ValueError, match="not one of this objective"):
        jm.profile(jm.likelihood(_gamma, likelihoods.data[0]), fit)
    fixed = jm.fit(jm.likelihood(_cauchy, jnp.array([1.0, 2.0])), {"m": 1.0, "s": jm.fixed(2.0)})
    with pytest.raises(ValueError, match="'s' is held fixed"):
        jm.profile(jm.likelihood(_cauchy, jnp.array([1.0, 2.0])), fixed, "s")
    failed = jm.profile(term, jm.fit(term, {"beta": jnp.zeros(5)}, max_steps=1))
    assert np.all(np.isnan(failed.lower["beta"]))
    assert np.all(failed.status_lower["beta"] == outcome.NO_FIT)
