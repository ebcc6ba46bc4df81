"""The middle of a sandwich where rows are independent: the sum of outer products of their scores."""

import jax.numpy as jnp

from jaxmle.core.evaluation import OPG
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.inference.asked import CASE, Asked, with_weights
from jaxmle.inference.covariances.hat import count_coefficients
from jaxmle.terms.objective import Objective


def outer_products(asked: Asked):
    """The sum over rows of the scores' outer products in z, ``w s s'`` with case weights, ``w^2 s s'`` with sampling
    weights, taken block by block so that no matrix has a row for each observation."""
    likelihoods = asked.likelihoods()
    terms, factors = likelihoods.terms, likelihoods.factors
    if asked.weights != CASE:
        terms = tuple(with_weights(term, jnp.square) for term in terms)
    squared = Objective(terms, tuple(None if factor is None else factor * factor for factor in factors))
    return evaluate_in_z(squared, asked.space, asked.z, 2, False, OPG).curvature


def hc0(asked: Asked):
    """White's middle, without a small-sample factor."""
    return outer_products(asked), {}


def hc1(asked: Asked):
    """White's middle times n / (n - p), with p the coefficients of the location, or all free numbers."""
    n, p = asked.nobs(), count_coefficients(asked)
    factor = n / (n - p)
    return factor * outer_products(asked), {"factor": factor}
