"""Poisson regression."""

from collections.abc import Sequence

from jaxmle.densities import poisson
from jaxmle.models.design import as_design, as_rows_of, coefficients, line
from jaxmle.models.model import Model
from jaxmle.terms.objective import as_objective
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression


def _predict(params, row):
    return (line(params, row),)


@Model
def poisson_regression(
    x, y, weights=None, *, offset=None, exposure=None, labels: Sequence[str] | None = None
) -> Problem:
    r"""Poisson regression with a log link: ``y_i ~ Poisson(exposure_i exp(x_i . beta + offset_i))``.

    Arguments: ``x`` (n, p), taken as it is (no intercept is added); ``y`` (n,), counts; ``weights``, case weights
    (n,); ``exposure`` (n,), positive, the time or the size that a row's count is of; ``offset`` (n,), a log rate known
    beforehand; ``labels``, names of the columns (by default those of a data frame).

    Returns a problem in ``{"beta": (p,)}``, log rate ratios for each unit of a column. A group without a single
    event has no finite coefficient: the fit says diverging.

    Errors: ``ValueError`` for shapes that do not fit, pandas rows labelled differently, ``TypeError`` for columns that
    are not numbers; from ``jm.fit`` ``ValueError`` for responses that are not counts, or exposures that are not
    positive.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = poisson_regression(jnp.ones((3, 1)), jnp.array([1, 2, 6]))
    >>> round(float(jm.fit(problem).params["beta"][0]), 4)
    1.0986

    Source: McCullagh and Nelder (1989), chapter 6.
    """
    x, y, labels = as_design(x, y, labels, weights=weights, offset=offset, exposure=exposure)
    term = regression(poisson, _predict, as_rows_of(x, offset, exposure), y, weights)
    return Problem(as_objective(term), {"beta": coefficients(x, labels)}, "Poisson regression")
