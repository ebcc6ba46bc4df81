"""The delta method against closed forms, statsmodels, and draws; and its laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm

import jaxmle as jm


@pytest.fixture(scope="module")
def spector():
    """A logistic regression on data that statsmodels brings along: the peer, the problem, the fit, the inference."""
    data = sm.datasets.spector.load_pandas()
    x = sm.add_constant(data.exog)
    problem = jm.models.logistic(x, data.endog)
    fit = jm.fit(problem).raise_if_failed()
    peer = sm.Logit(data.endog, x).fit(disp=0, method="newton", tol=1e-14)
    return peer, problem, fit, jm.infer(problem, fit)


def test_odds_ratios_and_their_errors_in_closed_form(spector):
    """The error of exp(b) is exp(b) times that of b. To 1e-8: both fits end within 1e-9 standard errors."""
    peer, problem, fit, _ = spector
    found = jm.delta(problem, fit, lambda params: {"odds": jnp.exp(params["beta"])})
    odds = np.exp(np.asarray(peer.params))
    np.testing.assert_allclose(found.value["odds"], odds, rtol=1e-8)
    np.testing.assert_allclose(found.bse["odds"], odds * np.asarray(peer.bse), rtol=1e-8)
    np.testing.assert_allclose(found.lower["odds"], odds * (1 - 1.959963984540054 * np.asarray(peer.bse)), rtol=1e-6)
    np.testing.assert_allclose(found.upper["odds"], odds * (1 + 1.959963984540054 * np.asarray(peer.bse)), rtol=1e-8)
    np.testing.assert_allclose(found.cov, np.asarray(peer.cov_params()) * np.outer(odds, odds), rtol=1e-7)


def test_ratio_of_coefficients_in_closed_form(spector):
    """var(a / b) = (var a - 2 r cov + r^2 var b) / b^2 with r the ratio."""
    peer, problem, fit, _ = spector
    found = jm.delta(problem, fit, lambda params: params["beta"][1] / params["beta"][3], alpha=0.1)
    (a, b), cov = np.asarray(peer.params)[[1, 3]], np.asarray(peer.cov_params())[np.ix_([1, 3], [1, 3])]
    error = np.sqrt((cov[0, 0] - 2 * a / b * cov[0, 1] + (a / b) ** 2 * cov[1, 1]) / b**2)
    assert float(found.bse) == pytest.approx(error, rel=1e-8)
    assert float(found.upper - found.value) == pytest.approx(1.6448536269514722 * error, rel=1e-8)


def test_linear_combination_equals_the_t_test_of_statsmodels(spector):
    peer, problem, fit, inference = spector
    weights = np.array([[0.0, 1.0, -2.0, 0.5], [1.0, 3.0, 20.0, 0.0]])
    theirs = peer.t_test(weights)
    for covariance in ("observed", inference, inference.cov):
        found = jm.delta(problem, fit, lambda params: weights @ params["beta"], covariance=covariance)
        np.testing.assert_allclose(found.value, theirs.effect, rtol=1e-8)
        np.testing.assert_allclose(found.bse, theirs.sd.ravel(), rtol=1e-8)
        np.testing.assert_allclose(np.stack([found.lower, found.upper], 1), theirs.conf_int(), rtol=1e-6)


def test_the_path_of_a_leaf_is_the_leaf_itself(spector):
    _, problem, fit, inference = spector
    found = jm.delta(problem, fit, "beta")
    np.testing.assert_allclose(found.bse, inference.bse["beta"], rtol=1e-12)
    with pytest.raises(KeyError, match="no parameter is called 'gamma'"):
        jm.delta(problem, fit, "gamma")


@pytest.fixture(scope="module")
def marked():
    """A normal sample with a simplex, a tie and a fixed leaf among its parameters."""
    y = jnp.array([0.3, 1.1, 2.0, 2.2, 3.9])

    def log_likelihood(params, y):
        count = 4.0 * jnp.log(params["share"]) @ jnp.array([0.5, 0.25, 0.25])
        return jm.densities.normal.logpdf(y, params["mu"] + params["shift"], params["sigma"]) + count + params["nu"]

    term = jm.likelihood(log_likelihood, y)
    start = {
        "mu": 0.0,
        "shift": jm.fixed(1.0),
        "sigma": jm.positive(1.0),
        "same": jm.tied("sigma"),
        "share": jm.simplex(jnp.full(3, 1.0 / 3.0)),
        "nu": jm.fixed(0.0),
    }
    return y, term, jm.fit(term, start).raise_if_failed()


def test_constraints_ties_and_fixed_leaves(marked):
    """The coefficient of variation of a normal sample: by hand (JKB 1994, section 13.8) with mean and scale
    independent, var = sigma^2 / (2 n mu^2) + sigma^4 / (n mu^4)."""
    y, term, fit = marked

    def g(params):
        mean = params["mu"] + params["shift"]
        return {
            "variation": params["sigma"] / mean,
            "twice": params["sigma"] + params["same"],
            "total": jnp.sum(params["share"]),
            "fixed": params["shift"] * 2.0,
        }

    found = jm.delta(term, fit, g)
    mean, sigma, n = float(y.mean()), float(y.std()), y.size
    assert float(found.value["variation"]) == pytest.approx(sigma / mean, rel=1e-9)
    by_hand = np.sqrt(sigma**2 / (2 * n * mean**2) + sigma**4 / (n * mean**4))
    assert float(found.bse["variation"]) == pytest.approx(by_hand, rel=1e-7)
    assert float(found.bse["twice"]) == pytest.approx(2 * sigma / np.sqrt(2 * n), rel=1e-7)
    assert float(found.bse["total"]) == pytest.approx(0.0, abs=1e-8)  # always one
    assert float(found.bse["fixed"]) == 0.0  # depends on no free parameter


def test_only_what_touches_a_number_without_covariance_is_nan():
    """Two equal columns: neither coefficient has an error, and nothing computed from them; the third keeps its."""
    x = np.random.default_rng(0).normal(size=(40, 2))
    design = np.stack([x[:, 0], x[:, 0], x[:, 1]], axis=1)
    y = x @ np.array([1.0, -1.0]) + 0.1 * np.random.default_rng(1).normal(size=40)
    problem = jm.models.linear(design, y)
    fit = jm.fit(problem)
    found = jm.delta(problem, fit, lambda p: (p["beta"][0] * 2.0, p["beta"][2] ** 2, p["beta"][1] + p["beta"][2]))
    assert np.isnan([float(found.bse[0]), float(found.bse[2]), float(found.lower[2])]).all()
    alone = jm.infer(problem, fit).bse["beta"][2]
    assert float(found.bse[1]) == pytest.approx(2 * abs(float(fit.params["beta"][2])) * float(alone), rel=1e-10)
    assert np.isnan(np.asarray(found.cov)[1, 0])
    assert np.isfinite(np.asarray(found.cov)[1, 1])


def test_a_failed_fit_has_values_and_no_errors(spector):
    _, problem, _, _ = spector
    fit = jm.fit(problem, max_steps=1)
    assert not fit.ok
    assert np.isnan(jm.delta(problem, fit, "beta").bse).all()


def test_errors_equal_the_spread_of_refitted_samples():
    """The parametric bootstrap of a rate's logarithm: 4,000 samples give the spread to 1.1 %; four times that."""
    key = jax.random.key(0)
    samples = jax.random.poisson(key, 30.0, (4000, 20)).astype(float)
    spread = float(jnp.std(jnp.log(samples.mean(axis=1))))
    problem = jm.models.poisson(samples[0])
    found = jm.delta(problem, jm.Fit.at(problem, {"rate": jm.positive(30.0)}), lambda params: jnp.log(params["rate"]))
    observed = samples[0].mean() / 30.0  # its observed information at the true rate
    assert float(found.bse) * np.sqrt(observed) == pytest.approx(spread, rel=0.045)


def _log_odds_to_odds(params):
    return jnp.exp(params["beta"])


def test_jit_equals_eager_and_vmap_equals_a_loop():
    rng = np.random.default_rng(3)
    x = jnp.asarray(rng.normal(size=(3, 30, 2)))
    y = jnp.asarray((rng.random((3, 30)) < 0.5).astype(float))

    def both(x, y):
        problem = jm.models.logistic(x, y)
        return jm.delta(problem, jm.fit(problem), _log_odds_to_odds)

    loop = [both(x[i], y[i]) for i in range(3)]
    batched = jax.jit(jax.vmap(both))(x, y)
    for name in ("value", "bse", "lower", "upper", "cov"):
        one_by_one = np.stack([getattr(lane, name) for lane in loop])
        # The order of the sums differs: rounding times the condition of the information.
        np.testing.assert_allclose(getattr(batched, name), one_by_one, rtol=1e-9)
    with pytest.raises(ValueError, match="a batch of derived numbers has no single table; take a lane"):
        print(batched)


def test_float32():
    y = jnp.array([2.0, 3.0, 4.0], jnp.float32)
    problem = jm.models.poisson(y)
    found = jm.delta(problem, jm.fit(problem), lambda params: jnp.log(params["rate"]))
    assert found.bse.dtype == jnp.float32
    assert float(found.bse) == pytest.approx(1.0 / 3.0, rel=1e-5)


def test_what_g_must_return(spector):
    _, problem, fit, inference = spector
    for g, message in [
        (lambda params: {}, "g returned nothing"),
        (lambda params: "beta", "g must return floating numbers, which have derivatives; it returned str"),
        (lambda params: params["beta"][0] > 0, "it returned bool: a count, a label or a yes"),
    ]:
        with pytest.raises(TypeError, match=message):
            jm.delta(problem, fit, g)
    with pytest.raises(ValueError, match=r"covariance= has shape \(2, 2\) and the fit 4 numbers that are not fixed"):
        jm.delta(problem, fit, "beta", covariance=np.eye(2))
    other = jm.models.poisson([1.0, 2.0])
    with pytest.raises(ValueError, match="the inference of a fit with other parameters"):
        jm.delta(other, jm.fit(other), "rate", covariance=inference)
    elsewhere = jm.Fit.at(problem, {"beta": jnp.zeros(4)})
    with pytest.raises(ValueError, match=r"the inference of another estimate; use jm\.infer of this fit"):
        jm.delta(problem, elsewhere, "beta", covariance=inference)
    with pytest.raises(ValueError, match="there is no covariance 'wrong'"):
        jm.delta(problem, fit, "beta", covariance="wrong")


def test_it_prints_itself(spector):
    _, problem, fit, _ = spector
    found = jm.delta(problem, fit, lambda params: {"odds": jnp.exp(params["beta"][3]), "ratio": jnp.ones(1)})
    assert str(found).splitlines() == [
        "                  Derived from the parameters (delta method)",
        "=" * 78,
        "                                        value    std err     [0.025     0.975]",
        "-" * 78,
        "odds                                  10.7907     11.487    -11.724     33.306",
        "ratio[0]                               1.0000      0.000      1.000      1.000",
        "=" * 78,
    ]
    assert list(found.to_frame().index) == ["odds", "ratio[0]"]
    assert "odds" in found.to_latex()
    assert "<table" in found.to_html()
