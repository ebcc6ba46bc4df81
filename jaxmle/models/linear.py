"""Linear regression with normal noise."""

from collections.abc import Sequence
from typing import Any

from jaxmle.densities import normal as density
from jaxmle.models.design import as_design, as_rows_of, line
from jaxmle.models.line_start import least_squares_line
from jaxmle.models.model import Model
from jaxmle.models.scale import TwoConventions, exact_linear_fit
from jaxmle.parameters import free, positive
from jaxmle.terms.objective import as_objective
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression


def _predict(params, row):
    return line(params, row), params["sigma"]


@Model
def linear(x, y, weights=None, *, offset=None, labels: Sequence[str] | None = None) -> Problem:
    r"""Linear regression: ``y_i ~ Normal(x_i . beta + offset_i, sigma)``. Its estimate of beta is least squares.

    Arguments: ``x`` (n, p), taken as it is (no intercept is added); ``y`` (n,); ``weights``, case weights (n,);
    ``offset`` (n,), a part of the mean known beforehand; ``labels``, names of the columns (by default those of a data
    frame).

    Returns a problem in ``{"beta": (p,), "sigma": ()}``. ``sigma`` is the maximum likelihood estimate, root of
    RSS / n; the table also gives the root of RSS / (n - p), and ``jm.models.least_squares`` the errors that go with it.

    Errors: ``ValueError`` for shapes that do not fit, pandas rows labelled differently, ``TypeError`` for columns that
    are not numbers.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = linear(jnp.array([[1.0], [2.0], [3.0]]), jnp.array([1.1, 1.9, 3.1]))
    >>> round(float(jm.fit(problem).params["beta"][0]), 4)
    1.0143

    Source: Gauss (1809), "Theoria motus", sections 175-179; Seber and Lee (2003), section 3.5.
    """
    x, y, labels = as_design(x, y, labels, weights=weights, offset=offset)
    term: Any = regression(density, _predict, as_rows_of(x, offset), y, weights)
    term.check_structure()
    response = term.y.astype(x.dtype)
    beta, sigma = least_squares_line(x, response if offset is None else response - term.x["offset"], term.weights)
    start = {"beta": free(beta, labels), "sigma": positive(sigma)}
    return Problem(as_objective(term), start, "Linear regression", exact_linear_fit, TwoConventions(x.shape[1]))
