"""Negative binomial regression: counts that vary more than Poisson's."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxmle.densities import negative_binomial
from jaxmle.models.design import as_design, as_rows_of, coefficients, line
from jaxmle.models.limits import without_events
from jaxmle.models.model import Model
from jaxmle.parameters import positive
from jaxmle.terms.objective import as_objective
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression


def _predict(params, row):
    return line(params, row), params["concentration"]


@Model
def negative_binomial_regression(
    x, y, weights=None, *, offset=None, exposure=None, labels: Sequence[str] | None = None
) -> Problem:
    r"""Negative binomial regression with a log link: mean ``m_i = exposure_i exp(x_i . beta + offset_i)``, variance
    ``m_i + m_i^2 / concentration``.

    Arguments: ``x`` (n, p), taken as it is (no intercept is added); ``y`` (n,), counts; ``weights``, case weights
    (n,); ``exposure`` (n,), positive, the time or the size that a row's count is of; ``offset`` (n,), a log mean known
    beforehand; ``labels``, names of the columns (by default those of a data frame).

    Returns a problem in ``{"beta": (p,), "concentration": ()}``: log rate ratios for each unit of a column, and the
    concentration, R's theta, of which the dispersion ``alpha`` of statsmodels and Stata is the reciprocal. Counts that
    vary no more than Poisson's have no finite concentration: the fit says so, and
    :data:`jaxmle.models.poisson_regression` is their model.

    Errors: ``ValueError`` for shapes that do not fit, pandas rows labelled differently, ``TypeError`` for columns that
    are not numbers; from ``jm.fit`` ``ValueError`` for responses that are not counts, or exposures that are not
    positive.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = negative_binomial_regression(jnp.ones((4, 1)), jnp.array([0, 1, 2, 9]))
    >>> fit = jm.fit(problem)
    >>> round(float(fit.params["beta"][0]), 4), round(float(fit.params["concentration"]), 4)
    (1.0986, 0.8113)

    Source: Lawless (1987), Negative binomial and mixed Poisson regression, section 2.
    """
    x, y, labels = as_design(x, y, labels, weights=weights, offset=offset, exposure=exposure)
    term = regression(negative_binomial, _predict, as_rows_of(x, offset, exposure), y, weights)
    start = {"beta": coefficients(x, labels), "concentration": positive(jnp.ones((), x.dtype))}
    return Problem(as_objective(term), start, "Negative binomial regression", without_events)
