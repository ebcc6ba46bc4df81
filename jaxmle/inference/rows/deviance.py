"""Deviances of single rows: what their log-density lacks of that of a perfect prediction."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxmle import densities


def _itself(y, eta):
    return y


def _log(y, eta):
    return jnp.log(jnp.maximum(y, jnp.finfo(y.dtype).tiny))


def _log_odds(y, eta):
    return _log(y, eta) - _log(1.0 - y, eta)


def _log_odds_of_trials(y, eta):
    return _log(y, eta) - _log(eta[0] - y, eta)


def _over_shape(y, eta):
    return y / eta[0]


# Which parameter of a density is its location (or its mean, or its scale), and at which value of it, the others held,
# the density of y is highest. All of them grow with y, so that the side of a residual can be told from them.
SATURATED: dict[Any, tuple[int, Callable]] = {
    densities.bernoulli: (0, _log_odds),
    densities.binomial: (1, _log_odds_of_trials),
    densities.cauchy: (0, _itself),
    densities.exponential: (0, _itself),
    densities.gamma: (1, _over_shape),
    densities.generalized_normal: (1, _itself),
    densities.gumbel: (0, _itself),
    densities.half_normal: (0, _itself),
    densities.inverse_gaussian: (0, _log),
    densities.laplace: (0, _itself),
    densities.logistic: (0, _itself),
    densities.loglogistic: (1, _itself),
    densities.lognormal: (0, _log),
    densities.negative_binomial: (0, _log),
    densities.normal: (0, _itself),
    densities.poisson: (0, _log),
    densities.student_t: (1, _itself),
    densities.weibull: (1, _itself),
}


def deviance_residual(density, log_density: Callable, y, eta: tuple):
    """The signed root of twice what the log-density of one row lacks of the highest one, the location moved alone."""
    index, best = SATURATED[density]
    y = jnp.asarray(y, eta[index].dtype)
    top = best(y, eta)
    lacks = log_density(y, *eta[:index], top, *eta[index + 1 :]) - log_density(y, *eta)
    return jnp.sign(top - eta[index]) * jnp.sqrt(2.0 * jnp.maximum(lacks, 0.0))
