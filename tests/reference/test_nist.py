"""Certified results: the NIST/ITL Statistical Reference Datasets.

Digits are counted against the certified numbers, which have eleven (nonlinear) or fifteen (the others).
"""

from types import SimpleNamespace

import cases
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

cases.require()

# What float64 data cannot carry: Lanczos1 is noise-free but for its last printed digit, so that its residuals
# (1e-13) are the rounding of y.
RESIDUALS_ARE_ROUNDING = "nist-nls-lanczos1"
NAMES = {name: getattr(jnp, name) for name in ("exp", "log", "sqrt", "cos", "sin", "arctan", "pi")}


def fit_from(mean, data, response, start):
    """The problem of a nonlinear case from one start, its fit, and how many programs that compiled."""
    with cases.Compilations() as compiled:
        problem = jm.models.nonlinear_least_squares(mean, data, response, cases.numbers(start))
        fit = jm.fit(problem)
    return SimpleNamespace(start=start, problem=problem, fit=fit, compiled=compiled.count)


@pytest.fixture(scope="module", params=cases.ids("nist-nls-"))
def nonlinear(request):
    case = cases.CASES[request.param]
    data = cases.columns(case)
    response = {"y": data["y"], "log(y)": np.log(data["y"])}[case["model"]["response"]]
    code = compile(case["model"]["mean"], request.param, "eval")

    def mean(params, row):
        return eval(code, NAMES, {**row, **params})

    fits = [fit_from(mean, data, response, start) for start in case["starts"]]
    return SimpleNamespace(case=case, fits=fits, rounding=request.param == RESIDUALS_ARE_ROUNDING)


@pytest.mark.always
def test_nonlinear_estimates_have_eight_digits_from_both_starts(nonlinear):
    certified = cases.numbers(nonlinear.case["published"]["params"])
    for found in nonlinear.fits:
        assert found.fit.ok, (found.start, found.fit.message)
        assert cases.relative_error(found.fit.params, certified) < 1e-8, found.start


def test_nonlinear_estimates_take_few_evaluations(nonlinear):
    """Without steps bent along the predictor several take more than five hundred."""
    assert max(int(found.fit.steps) for found in nonlinear.fits) < 200


def test_nonlinear_least_squares_summary(nonlinear):
    published = nonlinear.case["published"]
    for found in nonlinear.fits:
        summary = jm.models.least_squares(found.problem, found.fit)
        assert float(summary.dof) == published["dof"]
        if not nonlinear.rounding:
            assert cases.relative_error(summary.bse, cases.numbers(published["se"])) < 1e-6
            np.testing.assert_allclose(summary.scale, float(published["residual_sd"]), rtol=1e-6)
            np.testing.assert_allclose(summary.rss, float(published["rss"]), rtol=1e-8)


def test_nonlinear_likelihood(nonlinear):
    computed = nonlinear.case["computed"]
    if nonlinear.rounding:
        pytest.skip("its residuals are the rounding of its data")
    for found in nonlinear.fits:
        inference = jm.infer(found.problem, found.fit)
        np.testing.assert_allclose(inference.llf, float(computed["loglik"]), rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(found.fit.params["sigma"], float(computed["sigma_mle"]), rtol=1e-8)
        assert cases.relative_error(inference.bse, cases.numbers(computed["se_observed"])) < 1e-4
    np.testing.assert_allclose(found.fit.value, nonlinear.fits[0].fit.value, rtol=1e-12)


def test_a_second_start_compiles_nothing(nonlinear):
    first, *others = nonlinear.fits
    assert first.compiled > 0
    assert [other.compiled for other in others] == [0] * len(others)


def powers(case):
    """The design of a polynomial case: the powers of x that its coefficients B0, B1, ... belong to."""
    data = cases.columns(case)
    exponents = [float(name[1:]) for name in case["params"]]
    return data["x"][:, None] ** np.array(exponents)[None, :], data["y"]


def is_exact(name) -> bool:
    return float(cases.CASES[name]["published"]["rss"]) == 0


def by_name(case, vector):
    return dict(zip(case["params"], np.asarray(vector), strict=True))


@pytest.mark.always(3)
@pytest.mark.parametrize("name", [name for name in cases.ids("nist-lin-") if not is_exact(name)])
def test_linear(name):
    case = cases.CASES[name]
    published, computed, tolerance = case["published"], case["computed"], case["tolerance"]
    problem = jm.models.linear(*powers(case), labels=case["params"])
    fit = jm.fit(problem)
    assert fit.ok, fit.message
    summary, inference = jm.models.least_squares(problem, fit), jm.infer(problem, fit)
    certified = cases.numbers(published["params"])
    assert cases.relative_error(by_name(case, fit.params["beta"]), certified) < tolerance["params_rel"]
    assert float(summary.dof) == published["dof"]
    se = cases.numbers(published["se"])
    assert cases.relative_error(by_name(case, summary.bse["beta"]), se) < tolerance["se_rel"]
    np.testing.assert_allclose(summary.rss, float(published["rss"]), rtol=tolerance["rss_rel"])
    np.testing.assert_allclose(summary.scale, float(published["residual_sd"]), rtol=1e-6)
    np.testing.assert_allclose(inference.llf, float(computed["loglik"]), rtol=1e-8)
    observed = cases.numbers(computed["se_observed"])
    bse = {**by_name(case, inference.bse["beta"]), "sigma": inference.bse["sigma"]}
    assert cases.relative_error(bse, observed) < 1e-4


@pytest.mark.parametrize("name", [name for name in cases.ids("nist-lin-") if is_exact(name)])
def test_a_line_through_every_point_has_its_coefficients_but_no_scale(name):
    case = cases.CASES[name]
    problem = jm.models.linear(*powers(case), labels=case["params"])
    fit = jm.fit(problem)
    assert not fit.ok
    assert "unbounded" in fit.message
    assert np.isnan(jm.infer(problem, fit).bse["sigma"])
    certified = cases.numbers(case["published"]["params"])
    error = cases.relative_error(by_name(case, fit.params["beta"]), certified)
    assert error < case["tolerance"]["params_rel"]


@pytest.mark.always(3)
@pytest.mark.parametrize("name", cases.ids("nist-uni-"))
def test_univariate(name):
    case = cases.CASES[name]
    published, computed, tolerance = case["published"], case["computed"], case["tolerance"]
    y = cases.columns(case)["y"]
    problem = jm.models.normal(y)
    fit = jm.fit(problem)
    assert fit.ok, fit.message
    mu, sigma = float(fit.params["mu"]), float(fit.params["sigma"])
    # A last digit of the mean is all that float64 can be asked for.
    rounding = 4 * np.finfo(float).eps
    np.testing.assert_allclose(mu, float(published["mean"]), rtol=max(tolerance["mean_rel"], rounding))
    spread = sigma * np.sqrt(y.size / (y.size - 1))
    np.testing.assert_allclose(spread, float(published["sd_n_minus_1"]), rtol=tolerance["sd_rel"])
    np.testing.assert_allclose(sigma, float(computed["params"]["sigma"]), rtol=tolerance["sd_rel"])
    inference = jm.infer(problem, fit)
    np.testing.assert_allclose(inference.llf, float(computed["loglik"]), rtol=1e-8)
    assert cases.relative_error(inference.bse, cases.numbers(computed["se_observed"])) < 1e-4
