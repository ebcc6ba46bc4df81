"""A fit at values that were given has the derivatives of the model there, in the weights, the data and the values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxmle as jm

Y = jnp.asarray(np.random.default_rng(4).normal(1.0, 2.0, 7))
W = jnp.array([1.0, 2.0, 0.5, 1.0, 0.0, 1.0, 3.0])
START = {"mu": 0.5, "sigma": jm.positive(1.5)}


def _of_user(weights, y=Y, start=START):
    return jm.Fit.at(jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"]), y, weights), start)


def _of_regression(weights, y=Y, start=START):
    return jm.Fit.at(jm.regression(jm.densities.normal, lambda p, x: (p["mu"], p["sigma"]), y, y, weights), start)


@pytest.mark.parametrize("make", [_of_user, _of_regression], ids=["likelihood", "regression"])
@pytest.mark.parametrize("through", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_the_derivative_in_a_weight_is_the_log_likelihood_of_its_row(make, through):
    """By definition: the log-likelihood is sum_i w_i l_i, and the parameters do not move."""
    rows = jm.densities.normal.logpdf(Y, 0.5, 1.5)

    def llf(weights):
        return make(weights).log_likelihood

    np.testing.assert_allclose(through(jax.grad(llf))(W), rows, rtol=1e-12)
    value, slope = through(lambda w, t: jax.jvp(llf, (w,), (t,)))(W, jnp.arange(7.0))
    np.testing.assert_allclose([value, slope], [W @ rows, jnp.arange(7.0) @ rows], rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(jax.grad(llf))(jnp.stack([W, 2.0 * W])), [rows, rows], rtol=1e-12)


@pytest.mark.parametrize("make", [_of_user, _of_regression], ids=["likelihood", "regression"])
def test_other_derivatives_equal_finite_differences(make):
    """Of the first and the second order, by ``jax.test_util``; steps of 1e-4 leave 1e-8 of the size of the value."""

    def llf(weights, y, mu, sigma):
        fit = make(weights, y, {"mu": mu, "sigma": jm.positive(sigma)})
        return fit.log_likelihood, fit.z, fit.params, fit.value, fit.log_jacobian

    check_grads(jax.jit(llf), (W + 0.5, Y, 0.5, 1.5), order=2, modes=("fwd", "rev"), eps=1e-4, rtol=1e-5, atol=1e-5)


def test_priors_are_differentiated_too_and_one_with_kinks_beside_its_kink():
    def prior(scale, mu):
        term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], 1.0), Y)
        smooth = jm.Fit.at(term + jm.priors.normal("mu", 0.0, scale), {"mu": mu})
        rough = jm.Fit.at(term + jm.priors.laplace("mu", 0.0, scale), {"mu": mu})
        return smooth.log_prior, rough.log_prior

    (smooth, in_mu), (rough, rough_in_mu) = jax.jacfwd(prior, (0, 1))(2.0, 0.5)
    np.testing.assert_allclose([smooth, in_mu], [0.5**2 / 2.0**3 - 0.5, -0.5 / 4.0], rtol=1e-12)
    np.testing.assert_allclose([rough, rough_in_mu], [0.5 / 4.0 - 0.5, -0.5], rtol=1e-12)


def test_standard_errors_at_given_values_have_derivatives():
    """Of the mean s / sqrt(sum w) with s given: in each weight -s / (2 (sum w)^1.5)."""

    def error(weights):
        term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], 1.5), Y, weights)
        return jm.infer(term, jm.Fit.at(term, {"mu": 0.5})).bse["mu"]

    np.testing.assert_allclose(jax.grad(error)(W), jnp.full(7, -0.75 / W.sum() ** 1.5), rtol=1e-10)


def test_a_number_that_the_model_closes_over_is_still_refused():
    def llf(scale):
        term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], scale), Y)
        return jm.Fit.at(term, {"mu": 0.5}).log_likelihood

    for through in (lambda f: f, jax.jit):
        with pytest.raises(TypeError, match="closes over a number that JAX traces"):
            through(jax.grad(llf))(1.5)


def test_what_cannot_be_evaluated_is_refused_under_a_derivative_too():
    with pytest.raises(ValueError, match=r"the weight of row 2 is -1\.0"):
        jax.grad(lambda w: _of_user(w).log_likelihood)(W.at[2].set(-1.0))
