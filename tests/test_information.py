"""The expected information of a density equals the mean outer product of its score, summed or integrated by scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from jaxmle import densities

CONTINUOUS = [
    ("normal", (0.3, 1.7), stats.norm(0.3, 1.7)),
    ("laplace", (0.3, 1.7), stats.laplace(0.3, 1.7)),
    ("student_t", (4.5, 0.3, 1.7), stats.t(4.5, 0.3, 1.7)),
    ("gamma", (2.5, 1.7), stats.gamma(2.5, scale=1.7)),
    ("exponential", (1.7,), stats.expon(scale=1.7)),
    ("cauchy", (0.3, 1.7), stats.cauchy(0.3, 1.7)),
    ("logistic", (0.3, 1.7), stats.logistic(0.3, 1.7)),
    ("gumbel", (0.3, 1.7), stats.gumbel_r(0.3, 1.7)),
    ("asymmetric_laplace", (1.0, 0.3, 1.7), stats.laplace_asymmetric(1.0, 0.3, 1.7)),
    ("generalized_normal", (1.5, 0.3, 1.7), stats.gennorm(1.5, 0.3, 1.7)),
    ("lognormal", (0.3, 0.7), stats.lognorm(0.7, scale=np.exp(0.3))),
    ("weibull", (1.5, 1.7), stats.weibull_min(1.5, scale=1.7)),
    ("half_normal", (1.7,), stats.halfnorm(scale=1.7)),
    ("half_cauchy", (1.7,), stats.halfcauchy(scale=1.7)),
    ("inverse_gamma", (2.5, 1.7), stats.invgamma(2.5, scale=1.7)),
    ("inverse_gaussian", (0.3, 1.7), stats.invgauss(np.exp(0.3) / 1.7, scale=1.7)),
    ("chi2", (4.5,), stats.chi2(4.5)),
    ("loglogistic", (2.5, 1.7), stats.fisk(2.5, scale=1.7)),
    ("beta", (2.5, 3.5), stats.beta(2.5, 3.5)),
    ("generalized_pareto", (0.3, 1.7), stats.genpareto(0.3, scale=1.7)),
]
DISCRETE = [("bernoulli", (0.4,), 2), ("poisson", (0.7,), 60), ("geometric", (0.4,), 60)]


def score(name, y, parameters):
    module = getattr(densities, name)
    log_density = getattr(module, "logpdf", None) or module.logpmf
    return jax.jacfwd(lambda p: log_density(y, *p))(jnp.asarray(parameters))


@pytest.mark.parametrize(("name, parameters, frozen"), CONTINUOUS, ids=[row[0] for row in CONTINUOUS])
def test_continuous(name, parameters, frozen):
    """By quadrature over probabilities, its ends cut at 1e-9, split at the corner of the Laplace density."""
    scores = jax.jit(jax.vmap(lambda y: score(name, y, parameters)))

    def outer(u):
        s = np.asarray(scores(jnp.atleast_1d(frozen.ppf(u))))
        return (s[:, :, None] * s[:, None, :])[0]

    mean = sum(integrate.quad_vec(outer, *ends, epsrel=1e-9)[0] for ends in ((1e-9, 0.5), (0.5, 1 - 1e-9)))
    information = getattr(densities, name).information(*parameters)
    np.testing.assert_allclose(information, mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name, parameters, count"), DISCRETE, ids=[row[0] for row in DISCRETE])
def test_discrete(name, parameters, count):
    module, ys = getattr(densities, name), jnp.arange(float(count))
    s = jax.vmap(lambda y: score(name, y, parameters))(ys)
    mass = jnp.exp(module.logpmf(ys, *parameters))
    np.testing.assert_allclose(module.information(*parameters), s.T @ (mass[:, None] * s), rtol=1e-12)


def test_von_mises():
    """Over the circle, where equal steps integrate to rounding."""
    y, parameters = jnp.linspace(0.0, 2 * np.pi, 101)[1:], (1.5, 0.3)
    s = jax.vmap(lambda y: score("von_mises", y, parameters))(y)
    mass = stats.vonmises(*parameters).pdf(y) * 2 * np.pi / 100
    np.testing.assert_allclose(
        densities.von_mises.information(*parameters), s.T @ (mass[:, None] * s), rtol=1e-12, atol=1e-15
    )


def test_binomial_in_its_logits():
    ys = jnp.arange(8.0)
    slope = jax.vmap(jax.grad(lambda logits, y: densities.binomial.logpmf(y, 7.0, logits)), (None, 0))(0.4, ys)
    mass = jnp.exp(densities.binomial.logpmf(ys, 7.0, 0.4))
    information = densities.binomial.information(7.0, 0.4)
    assert float(information[1, 1]) == pytest.approx(float(jnp.sum(mass * slope**2)), rel=1e-12)
    assert np.isnan(information[0, 0])


def test_categorical():
    logits = jnp.array([0.2, -1.0, 0.5])
    s = jax.vmap(lambda y: jax.grad(lambda p: densities.categorical.logpmf(y, p))(logits))(jnp.arange(3))
    mass = jax.nn.softmax(logits)
    np.testing.assert_allclose(densities.categorical.information(logits), s.T @ (mass[:, None] * s), atol=1e-15)
