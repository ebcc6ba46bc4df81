"""Linear regression with normal noise."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxmle.densities import normal as density
from jaxmle.models.design import as_design
from jaxmle.models.model import Model
from jaxmle.models.scale import exact_linear_fit, start_scale, two_conventions
from jaxmle.parameters import free, positive
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression


def _predict(params, x):
    return x @ params["beta"], params["sigma"]


@Model
def linear(x, y, weights=None, *, labels: Sequence[str] | None = None) -> Problem:
    r"""Linear regression: ``y_i ~ Normal(x_i . beta, sigma)``. Its estimate of beta is least squares.

    Arguments: ``x`` (n, p), taken as it is (no intercept is added); ``y`` (n,); ``weights``, case weights (n,);
    ``labels``, names of the columns (by default those of a data frame).

    Returns a problem in ``{"beta": (p,), "sigma": ()}``. ``sigma`` is the maximum likelihood estimate, root of
    RSS / n; the table also gives the root of RSS / (n - p), and ``jm.models.least_squares`` the errors that go with it.

    Errors: ``ValueError`` for shapes that do not fit, ``TypeError`` for columns that are not numbers.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = linear(jnp.array([[1.0], [2.0], [3.0]]), jnp.array([1.1, 1.9, 3.1]))
    >>> round(float(jm.fit(problem).params["beta"][0]), 4)
    1.0143

    Source: Gauss (1809), "Theoria motus", sections 175-179; Seber and Lee (2003), section 3.5.
    """
    x, y, labels = as_design(x, y, labels)
    zeros = jnp.zeros(x.shape[1], x.dtype)
    start = {"beta": free(zeros, labels), "sigma": positive(start_scale(y.astype(x.dtype), weights))}
    objective = 1.0 * regression(density, _predict, x, y, weights)
    return Problem(objective, start, "Linear regression", exact_linear_fit, two_conventions(x.shape[1]))
