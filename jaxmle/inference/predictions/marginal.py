"""The distribution that a fitted regression gives the responses as a whole."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxmle.core.compiled import compiled
from jaxmle.densities.censoring import Censored
from jaxmle.fitting.result import Fit
from jaxmle.inference.predictions.quantity import the_regression
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import log_density


def marginal(objective: Term | Problem, fit: Fit, points: Any, survival: bool = False) -> Float[Array, " k"]:
    """The mean over rows of their fitted densities (or probabilities) at each of ``points``; with ``survival`` of the
    probabilities to be above.

    Arguments: what was fitted, with one :func:`jaxmle.regression`, and the fit; ``points`` (k,). Rows count by their
    weights. Of censored responses it is the distribution of what was censored.

    Returns an array (k,). Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``TypeError`` where no term is a regression, or its density has no survival function.

    >>> import jaxmle as jm
    >>> problem = jm.models.exponential([1.0, 2.0, 6.0])
    >>> found = marginal(problem, jm.fit(problem), jnp.array([0.0, 3.0]), survival=True)
    >>> [round(float(share), 4) for share in found]
    [1.0, 0.3679]

    Source: the law of total probability, the rows' covariates as they are.
    """
    term = the_regression(objective)
    points = jnp.asarray(points, fit.z.dtype)
    return _marginal(term, fit.space.unlabelled, fit.z, points, survival)


@compiled
def _density_at(term, space, z, points):
    return _mean_of(term, space, z, points, log_density(_bare(term.density)))


@compiled
def _survival_at(term, space, z, points):
    return _mean_of(term, space, z, points, _bare(term.density).logsf)


def _marginal(term, space, z, points, survival):
    if survival and not hasattr(_bare(term.density), "logsf"):
        raise TypeError("this density has no survival function (logsf), so none can be averaged")
    return (_survival_at if survival else _density_at)(term, space, z, points)


def _mean_of(term, space, z, points, function):
    eta = term.predictions(space.params(z))
    eta = eta[:-1] if isinstance(term.density, Censored) else eta
    weights = jnp.ones(jax.tree.leaves(term.y)[0].shape[0]) if term.weights is None else term.weights
    weights = weights.astype(z.dtype)

    def at(point):
        values = jnp.exp(jax.vmap(lambda eta: function(point, *eta))(eta))
        return jnp.sum(jnp.where(weights == 0, 0.0, weights * values)) / jnp.sum(weights)

    return jax.lax.map(at, points)


def _bare(density):
    return density.base if isinstance(density, Censored) else density
