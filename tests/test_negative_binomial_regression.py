"""Negative binomial regression: against statsmodels, and counts that it is no model of."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import jaxmle as jm
from jaxmle import cli

MODEL = jm.models.negative_binomial_regression
RNG = np.random.default_rng(11)
X = np.column_stack([np.ones(150), RNG.normal(size=(150, 2))])
YEARS = RNG.uniform(0.5, 4.0, 150)
Y = RNG.poisson(RNG.gamma(1.5, 1 / 1.5, 150) * YEARS * np.exp(X @ [0.5, 0.4, -0.3]))


def test_visits_to_doctors_equal_statsmodels():
    data = sm.datasets.randhie.load_pandas()
    x, y = sm.add_constant(data.exog[["lncoins", "idp", "lpi", "fmde", "physlm", "disea"]])[::10], data.endog[::10]
    theirs = sm.NegativeBinomial(y, x).fit(disp=0, method="newton", maxiter=100, tol=1e-12)
    problem = MODEL(x, y)
    found = jm.infer(problem, jm.fit(problem))
    assert float(found.llf) == pytest.approx(theirs.llf, rel=1e-12)
    np.testing.assert_allclose(found.params["beta"], theirs.params[:-1], rtol=1e-6)
    np.testing.assert_allclose(found.bse["beta"], theirs.bse[:-1], rtol=1e-6)
    alpha = theirs.params.iloc[-1]
    assert float(found.params["concentration"]) == pytest.approx(1 / alpha, rel=1e-6)
    assert float(found.bse["concentration"]) == pytest.approx(theirs.bse.iloc[-1] / alpha**2, rel=1e-6)


def test_exposure_offset_and_formula():
    theirs = sm.NegativeBinomial(Y, X, exposure=YEARS).fit(disp=0, method="newton", maxiter=100, tol=1e-12)
    by_exposure = jm.fit(MODEL(X, Y, exposure=YEARS)).params["beta"]
    np.testing.assert_allclose(by_exposure, theirs.params[:-1], rtol=1e-6)
    np.testing.assert_allclose(jm.fit(MODEL(X, Y, offset=np.log(YEARS))).params["beta"], by_exposure, rtol=1e-9)
    frame = pd.DataFrame({"y": Y, "a": X[:, 1], "b": X[:, 2], "years": YEARS})
    problem = MODEL.from_formula("y ~ a + b", frame, exposure="years")
    fit = jm.fit(problem)
    np.testing.assert_allclose(fit.params["beta"], by_exposure, rtol=1e-9)
    assert fit.space.scalar_labels() == ["const", "a", "b", "concentration"]
    predicted = jm.predict(problem, fit, frame.iloc[:3]).value
    np.testing.assert_allclose(predicted, YEARS[:3] * np.exp(X[:3] @ by_exposure), rtol=1e-9)


def test_where_the_concentration_is_large_it_is_poisson_regression():
    problem = MODEL(X, Y)
    held = jm.fit(problem.objective, problem.start | {"concentration": jm.fixed(1e12)})
    np.testing.assert_allclose(
        held.params["beta"], jm.fit(jm.models.poisson_regression(X, Y)).params["beta"], rtol=1e-8
    )


def test_counts_that_vary_less_than_poissons_have_no_finite_concentration():
    problem = MODEL(X, 3 + np.arange(150) % 2)
    fit = jm.fit(problem)
    assert fit.status == jm.status.DIVERGING
    assert "concentration goes to +infinity" in fit.message
    errors = jm.infer(problem, fit).bse
    assert np.isfinite(errors["beta"]).all()
    assert np.isnan(errors["concentration"])


@pytest.mark.parametrize("unit", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("rows", [5, 150])
def test_nothing_counted_is_no_maximum_whatever_the_units(unit, rows):
    """A leap to where the density has no slope left was called a flat maximum."""
    fit = jm.fit(MODEL(unit * X[:rows], np.zeros(rows)))
    assert fit.status == jm.status.DIVERGING
    assert not fit.ok


@pytest.mark.parametrize("name", ["negative_binomial", "negative_binomial_linear"])
def test_nothing_counted_in_a_sample_is_no_maximum(name):
    assert jm.fit(jm.models.distribution(name, jnp.zeros(50))).status == jm.status.DIVERGING


def test_a_prior_makes_nothing_counted_fit():
    problem = MODEL(X, np.zeros(150)) + jm.priors.normal("beta") + jm.priors.gamma("concentration", 2.0, 1.0)
    fit = jm.fit(problem)
    assert fit.ok, fit.message
    certain = MODEL(X[:, :1], np.zeros(150)) + jm.priors.normal("beta", loc=-60.0, scale=0.1)
    assert jm.fit(certain + jm.priors.gamma("concentration", 2.0, 1.0)).ok


@pytest.mark.parametrize("scale", [0.1, 1e3, 1e7])
def test_counts_of_any_size(scale):
    rng = np.random.default_rng(3)
    y = rng.poisson(rng.gamma(2.0, 0.5, 150) * scale * np.exp(X @ [1.0, 0.4, -0.3]))
    fit = jm.fit(MODEL(X, y))
    assert fit.status == jm.status.CONVERGED
    theirs = sm.GLM(y, X, sm.families.NegativeBinomial(alpha=1 / float(fit.params["concentration"]))).fit(tol=1e-12)
    np.testing.assert_allclose(fit.params["beta"], theirs.params, rtol=1e-6, atol=1e-8)


def test_the_command_line_fits_it(tmp_path, capsys):
    pd.DataFrame({"y": Y, "a": X[:, 1], "years": YEARS}).to_csv(tmp_path / "data.csv", index=False)
    arguments = ["y ~ a", "--model", "negative_binomial", "--exposure", "years"]
    assert cli.main(["fit", str(tmp_path / "data.csv"), *arguments]) == 0
    said = capsys.readouterr().out
    assert "Negative binomial regression" in said
    assert "concentration" in said


def test_nothing_counted_may_have_a_maximum():
    """Without a constant, and of known concentration, what lowers one mean raises another."""
    problem = MODEL(np.array([[1.0], [-1.0]]), [0, 0])
    fit = jm.fit(dataclasses.replace(problem, start=problem.start | {"concentration": jm.fixed(2.0)}))
    assert fit.ok, fit.message
    assert float(fit.params["beta"][0]) == pytest.approx(0.0, abs=1e-9)
