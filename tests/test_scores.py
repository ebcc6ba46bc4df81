"""Scores by rows against statsmodels, closed forms and the gradient of the whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm

import jaxmle as jm
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.inference.rows.scores import row_weights, scores_in_z

DATA = sm.datasets.spector.load_pandas()
X, Y = sm.add_constant(DATA.exog), DATA.endog
SAMPLE = np.random.default_rng(5).normal(3.0, 2.0, 12)
WEIGHTS = np.r_[np.ones(6), 2.0, 3.0, 0.0, 1.0, 1.0, 0.5]


def normal(params, y):
    return jm.densities.normal.logpdf(y, params["mu"], params["sigma"])


START = {"mu": 0.0, "sigma": jm.positive(1.0), "spare": jm.fixed(2.0)}


def test_of_a_regression_equal_statsmodels():
    problem = jm.models.logistic(X, Y)
    beta = np.array([-2.0, 0.5, 0.03, 0.8])
    fit = jm.Fit.at(problem, {"beta": beta})
    theirs = sm.Logit(Y, X).score_obs(beta)
    np.testing.assert_allclose(jm.scores(problem, fit), theirs, rtol=1e-12, atol=1e-14)


def test_in_z_of_a_constrained_parameter():
    """d/dlog sigma is sigma times d/dsigma = r^2 / sigma^2 - 1; a fixed parameter has no column."""
    term = jm.likelihood(normal, SAMPLE)
    fit = jm.Fit.at(term, START | {"mu": 2.5, "sigma": jm.positive(1.5)})
    residual = (SAMPLE - 2.5) / 1.5
    truth = np.stack([residual / 1.5, residual**2 - 1], axis=1)
    np.testing.assert_allclose(jm.scores(term, fit), truth, rtol=1e-12)


def _sums():
    """Objectives whose scores must add to their gradient: several terms, factors, weights, priors, many parts."""
    regression = jm.regression(
        jm.densities.normal, lambda p, x: (p["mu"] + p["share"][0] * x, p["sigma"]), np.arange(12.0), SAMPLE, WEIGHTS
    )
    series = jm.likelihood(lambda p, y: normal(p, y[1:] - p["share"][1] * y[:-1]), SAMPLE, rows=False)
    return 2.5 * regression + jm.likelihood(normal, SAMPLE[:5], np.arange(5.0)) + 0.5 * series


def test_weighted_they_add_to_the_gradient():
    objective = _sums()
    start = START | {"share": jm.simplex([0.2, 0.3, 0.5])}
    fit = jm.Fit.at(objective + jm.priors.normal("mu"), start)
    space, z = fit.space, fit.z
    scores, weights = jax.jit(lambda z: (scores_in_z(objective, space, z), row_weights(objective, space, z)))(z)
    assert scores.shape == (12 + 5 + 11, 4)
    gradient = jax.jit(lambda z: evaluate_in_z(objective, space, z, 1).gradient)(z)
    np.testing.assert_allclose(weights @ scores, gradient, rtol=1e-10, atol=1e-12)


def test_a_prior_adds_no_rows():
    term = jm.likelihood(normal, SAMPLE)
    posterior = term + jm.priors.normal("mu", scale=0.1)
    fit = jm.fit(posterior, START)
    np.testing.assert_array_equal(jm.scores(posterior, fit), jm.scores(term, fit))


def test_under_jit_and_vmap():
    term = jm.likelihood(normal, SAMPLE)
    lanes = jm.likelihood(normal, np.stack([SAMPLE, SAMPLE + 1.0]))
    fits = jm.fit_batch(lanes, START)
    one = jm.fit(term, START)
    alone = jm.scores(term, one)
    np.testing.assert_allclose(jax.jit(jm.scores)(term, one), alone, rtol=1e-12, atol=1e-14)
    together = jax.vmap(jm.scores, in_axes=(jm.lane_axes(lanes), 0))(lanes, fits)
    assert together.shape == (2, 12, 2)
    np.testing.assert_allclose(together[0], alone, rtol=1e-6, atol=1e-7)


def test_without_rows_there_are_none():
    whole = jm.likelihood(lambda p, y: jnp.sum(normal(p, y)), SAMPLE, rows=False)
    fit = jm.Fit.at(whole, START)
    with pytest.raises(TypeError, match="one number for all its data; return a vector of per-step contributions"):
        jm.scores(whole, fit)
    with pytest.raises(TypeError, match="no likelihood, only priors"):
        jm.scores(jm.priors.normal("mu"), jm.Fit.at(jm.priors.normal("mu"), {"mu": 1.0}))
