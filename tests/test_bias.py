"""The first-order bias against closed forms and the formula for generalised linear models written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

GENERATOR = np.random.default_rng(7)
X = np.c_[np.ones(30), GENERATOR.normal(size=(30, 2))]
Y = (GENERATOR.uniform(size=30) < 1 / (1 + np.exp(-X @ np.array([0.3, 0.8, -0.5])))).astype(float)


def test_of_a_logistic_regression():
    """Cordeiro and McCullagh (1991), section 5: (X'WX)^-1 X' (h (p - 1/2))."""
    problem = jm.models.logistic(X, Y)
    fit = jm.fit(problem)
    p = 1 / (1 + np.exp(-X @ np.asarray(fit.params["beta"])))
    inverse = np.linalg.inv((X.T * (p * (1 - p))) @ X)
    h = p * (1 - p) * np.einsum("ni,ij,nj->n", X, inverse, X)
    np.testing.assert_allclose(jm.bias(problem, fit)["beta"], inverse @ X.T @ (h * (p - 0.5)), rtol=1e-8)


def test_of_least_squares():
    """Coefficients have none; the standard deviation (2 p + 1) / (4 n) of itself, the first term of its gammas."""
    problem = jm.models.linear(X, Y)
    fit = jm.fit(problem)
    found = jm.bias(problem, fit)
    np.testing.assert_allclose(found["beta"], 0.0, atol=1e-10)
    np.testing.assert_allclose(found["sigma"], -7 / 120 * fit.params["sigma"], rtol=1e-8)


def test_of_any_likelihood_of_rows_with_weights():
    """A rate is one over a mean: its bias is rate / (n - 1), rate / n to the first order; the sample has the variance
    that the model expects, the squared mean."""
    y = np.array([0.0, 0.0, 4.0, 4.0, 9.0])
    weights = np.array([1.0, 3.0, 2.0, 2.0, 0.0])
    term = jm.likelihood(lambda p, y: jnp.log(p["rate"]) - p["rate"] * y, y, weights)
    fit = jm.fit(term, {"rate": jm.positive(1.0), "spare": jm.fixed(1.0)})
    found = jm.bias(term, fit)
    np.testing.assert_allclose(found["rate"], fit.params["rate"] / 8, rtol=1e-8)
    assert np.isnan(found["spare"])


def test_does_not_depend_on_how_the_density_is_written():
    """Of a normal sample, where the products over rows have the sample's moments in place of the model's: here the
    third is zero and the fourth three times the squared second."""
    y = np.array([-1.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    assert abs(np.mean(y**4) - 3.0 * np.mean(y**2) ** 2) < 1e-12
    start = {"mu": 0.0, "sigma": jm.positive(1.0)}
    bare = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"]), y)
    module = jm.regression(jm.densities.normal, lambda p, _: (p["mu"], p["sigma"]), y, y)
    one, other = jm.bias(bare, jm.fit(bare, start)), jm.bias(module, jm.fit(module, start))
    np.testing.assert_allclose(one["sigma"], -3 / 24 * np.sqrt(np.mean(y**2)), rtol=1e-8)
    np.testing.assert_allclose(other["sigma"], one["sigma"], rtol=1e-8)


def test_lanes_and_what_failed():
    y = np.stack([Y, np.ones(30)])
    both = jax.vmap(jm.models.logistic)(np.stack([X, X]), y)
    fits = jm.fit_batch(both)
    found = jax.vmap(jm.bias, in_axes=(jm.lane_axes(both), 0))(both, fits)
    problem = jm.models.logistic(X, Y)
    np.testing.assert_allclose(found["beta"][0], jm.bias(problem, jm.fit(problem))["beta"], rtol=1e-7)
    assert np.isnan(found["beta"][1]).all()


def test_of_another_estimate_it_is_refused():
    problem = jm.models.logistic(X, Y)
    fit = jm.fit(problem)
    with pytest.raises(ValueError, match="this is the bias of maximum likelihood"):
        jm.bias(problem + jm.priors.normal("beta"), fit)
    with pytest.raises(ValueError, match=r"jm.bootstrap\(...\).bias estimates that of any fit"):
        jm.bias(2.0 * problem.objective, fit)
