"""Densities of other packages inside a user's log-likelihood: anything with a ``log_prob``."""

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import jaxmle as jm

Y = jnp.array([0.4, 1.9, 2.2, 3.1, 0.8, 1.4, 5.0, 2.7])


def gamma(params, y):
    return dist.Gamma(params["shape"], params["rate"]).log_prob(y)


def test_a_fit_of_numpyros_gamma_is_that_of_scipy():
    start = {"shape": jm.positive(1.0), "rate": jm.positive(1.0)}
    fit = jm.fit(jm.likelihood(gamma, Y), start)
    shape, _, scale = stats.gamma.fit(np.asarray(Y), floc=0)
    assert fit.ok
    assert float(fit.params["shape"]) == pytest.approx(shape, rel=1e-6)  # scipy's own root finder
    assert float(fit.params["rate"]) == pytest.approx(1 / scale, rel=1e-6)


def test_a_prior_of_numpyro_is_a_term_like_any_other():
    prior = jm.log_prior(lambda params: dist.Normal(0.0, 2.0).log_prob(params["mu"]))
    term = jm.regression(jm.densities.normal, lambda p, _: (p["mu"], 1.0), Y, Y)
    found = jm.fit(term + prior, {"mu": 0.0}).params["mu"]
    ours = jm.fit(term + jm.priors.normal("mu", scale=2.0), {"mu": 0.0}).params["mu"]
    assert float(found) == pytest.approx(float(ours), rel=1e-12)
    assert float(found) == pytest.approx(float(Y.sum() / (Y.size + 0.25)), rel=1e-12)
