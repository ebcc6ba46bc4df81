"""Poisson regression."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxmle.densities import poisson
from jaxmle.models.design import as_design
from jaxmle.models.model import Model
from jaxmle.parameters import free
from jaxmle.terms.objective import as_objective
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression


def _predict(params, x):
    return (x @ params["beta"],)


@Model
def poisson_regression(x, y, weights=None, *, labels: Sequence[str] | None = None) -> Problem:
    r"""Poisson regression with a log link: ``y_i ~ Poisson(exp(x_i . beta))``.

    Arguments: ``x`` (n, p), taken as it is (no intercept is added); ``y`` (n,), counts; ``weights``, case weights
    (n,); ``labels``, names of the columns (by default those of a data frame).

    Returns a problem in ``{"beta": (p,)}``, log rate ratios for each unit of a column. A group without a single
    event has no finite coefficient: the fit says diverging.

    Errors: ``ValueError`` for shapes that do not fit, ``TypeError`` for columns that are not numbers; from ``jm.fit``
    ``ValueError`` for responses that are not counts.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = poisson_regression(jnp.ones((3, 1)), jnp.array([1, 2, 6]))
    >>> round(float(jm.fit(problem).params["beta"][0]), 4)
    1.0986

    Source: McCullagh and Nelder (1989), chapter 6.
    """
    x, y, labels = as_design(x, y, labels)
    start = {"beta": free(jnp.zeros(x.shape[1], x.dtype), labels)}
    return Problem(as_objective(regression(poisson, _predict, x, y, weights)), start, "Poisson regression")
