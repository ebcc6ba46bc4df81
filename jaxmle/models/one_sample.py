"""One sample of a distribution: a model for each, started at its closed form."""

import jax.numpy as jnp

from jaxmle import densities
from jaxmle.core.compiled import compiled
from jaxmle.models.design import as_floats, as_response, as_weights
from jaxmle.models.scale import TwoConventions, exact_fit, mean_and_scale, weighted_mean
from jaxmle.parameters import interval, positive
from jaxmle.terms.objective import as_objective
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression


def normal(y, weights=None) -> Problem:
    """A normal sample, in ``{"mu", "sigma"}``: the mean, and the root of the mean square about it (n, not n - 1).

    Arguments: ``y`` (n,); ``weights``, case weights (n,). The table names both conventions of the scale.

    Errors: ``ValueError`` for another shape, no rows, or pandas weights labelled differently. A constant sample or a
    single observation has an unbounded likelihood: the fit says so.

    >>> import jaxmle as jm
    >>> fit = jm.fit(normal([1.0, 2.0, 4.0]))
    >>> round(float(fit.params["mu"]), 4), round(float(fit.params["sigma"]), 4)
    (2.3333, 1.2472)

    Source: Fisher (1922), section 6.
    """
    y = as_floats(as_response(y, weights=weights), "y")
    weights = as_weights(weights, y)
    mu, sigma = mean_and_scale(y, weights)
    start = {"mu": mu, "sigma": positive(sigma)}
    term = regression(densities.normal, _normal_parameters, y, y, weights)
    return Problem(as_objective(term), start, "Normal sample", exact_fit, TwoConventions(1))


def bernoulli(y, weights=None) -> Problem:
    """Tosses of a coin, in ``{"p"}``: the share of ones, k / n.

    Arguments: ``y`` (n,), zeros and ones or booleans; ``weights``, case weights (n,).

    Errors: ``ValueError`` for another shape, no rows, or pandas weights labelled differently, and from ``jm.fit`` for
    values other than zero and one. A coin that always or never fell heads has its maximum on the boundary: the fit says
    so.

    >>> import jaxmle as jm
    >>> round(float(jm.fit(bernoulli([1, 0, 1])).params["p"]), 4)
    0.6667

    Source: Bernoulli (1713), "Ars conjectandi".
    """
    y = as_response(y, weights=weights)
    weights = as_weights(weights, y)
    start = {"p": interval(_share(weighted_mean(as_floats(y, "y"), weights)), lower=0, upper=1)}
    return Problem(
        as_objective(regression(densities.bernoulli, _coin_parameters, y, y, weights)), start, "Bernoulli sample"
    )


def binomial(y, n, weights=None) -> Problem:
    """Numbers of successes, in ``{"p"}``: all successes over all trials.

    Arguments: ``y`` (rows,), successes; ``n`` trials, a number or an array (rows,); ``weights``, case weights (rows,).

    Errors: as for :func:`bernoulli`; from ``jm.fit`` ``ValueError`` for successes below zero or above the trials.

    >>> import jaxmle as jm
    >>> round(float(jm.fit(binomial([3, 7], 10)).params["p"]), 4)
    0.5

    Source: Bernoulli (1713), "Ars conjectandi".
    """
    y = as_response(y, n=n, weights=weights)
    weights = as_weights(weights, y)
    n = as_floats(n, "n")
    if n.ndim and n.shape != y.shape:
        raise ValueError(f"n has shape {n.shape} and y has {y.shape[0]} rows: give one number, or one for each row")
    trials, share = _share_of_trials(y, n, weights)
    start = {"p": interval(share, lower=0, upper=1)}
    term = regression(densities.binomial, _trials_parameters, trials, y, weights)
    return Problem(as_objective(term), start, "Binomial sample")


def poisson(y, weights=None) -> Problem:
    """Counts, in ``{"rate"}``: their mean.

    Arguments: ``y`` (n,), counts; ``weights``, case weights (n,).

    Errors: ``ValueError`` for another shape, no rows, or pandas weights labelled differently, and from ``jm.fit`` for
    values that are not counts. A sample of zeros has its maximum on the boundary: the fit says so.

    >>> import jaxmle as jm
    >>> round(float(jm.fit(poisson([1, 0, 1])).params["rate"]), 4)
    0.6667

    Source: Bortkiewicz (1898), "Das Gesetz der kleinen Zahlen".
    """
    y = as_response(y, weights=weights)
    weights = as_weights(weights, y)
    start = {"rate": positive(_above_zero(weighted_mean(as_floats(y, "y"), weights)))}
    return Problem(
        as_objective(regression(densities.poisson, _rate_parameters, y, y, weights)), start, "Poisson sample"
    )


def exponential(y, weights=None) -> Problem:
    """Waiting times, in ``{"scale"}``: their mean (one over the rate).

    Arguments: ``y`` (n,), non-negative, in any unit of time; ``weights``, case weights (n,).

    Errors: ``ValueError`` for another shape, no rows, or pandas weights labelled differently, and from ``jm.fit`` for
    negative values.

    >>> import jaxmle as jm
    >>> round(float(jm.fit(exponential([1.0, 2.0, 6.0])).params["scale"]), 4)
    3.0

    Source: Johnson, Kotz and Balakrishnan (1994), chapter 19.
    """
    y = as_floats(as_response(y, weights=weights), "y")
    weights = as_weights(weights, y)
    start = {"scale": positive(_above_zero(weighted_mean(y, weights)))}
    term = regression(densities.exponential, _scale_parameters, y, y, weights)
    return Problem(as_objective(term), start, "Exponential sample")


def _normal_parameters(params, _):
    return params["mu"], params["sigma"]


def _coin_parameters(params, _):
    return (_logit(params["p"]),)


def _trials_parameters(params, trials):
    return trials, _logit(params["p"])


def _rate_parameters(params, _):
    return (jnp.log(params["rate"]),)


def _scale_parameters(params, _):
    return (params["scale"],)


def _logit(p):
    return jnp.log(p) - jnp.log1p(-p)


@compiled
def _share(share):
    """A share strictly between zero and one to start from: ``share`` itself where it is."""
    return jnp.where((share > 0) & (share < 1), share, jnp.where(share >= 1, 0.9, 0.1))


@compiled
def _share_of_trials(y, n, weights):
    trials = jnp.broadcast_to(n, y.shape)
    return trials, _share(weighted_mean(y.astype(trials.dtype), weights) / weighted_mean(trials, weights))


@compiled
def _above_zero(mean):
    """A positive mean to start from: ``mean`` itself where it is."""
    return jnp.where(mean > 0, mean, jnp.where(mean <= 0, 0.1, mean))
