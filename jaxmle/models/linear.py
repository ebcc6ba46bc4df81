"""Linear regression with normal noise."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxmle.core import linalg
from jaxmle.densities import normal as density
from jaxmle.models.design import as_design, as_rows_of, line
from jaxmle.models.model import Model
from jaxmle.models.scale import exact_linear_fit, root_mean_square, two_conventions, unit_of
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

    Errors: ``ValueError`` for shapes that do not fit, ``TypeError`` for columns that are not numbers.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = linear(jnp.array([[1.0], [2.0], [3.0]]), jnp.array([1.1, 1.9, 3.1]))
    >>> round(float(jm.fit(problem).params["beta"][0]), 4)
    1.0143

    Source: Gauss (1809), "Theoria motus", sections 175-179; Seber and Lee (2003), section 3.5.
    """
    x, y, labels = as_design(x, y, labels)
    term = regression(density, _predict, as_rows_of(x, offset), y, weights)
    beta, sigma = _least_squares(term, x)
    start = {"beta": free(beta, labels), "sigma": positive(sigma)}
    return Problem(as_objective(term), start, "Linear regression", exact_linear_fit, two_conventions(x.shape[1]))


@jax.jit
def _least_squares(term, x):
    """Least squares by normal equations in unit columns, refined twice; where they are singular zeros and the size of
    the response."""
    term.check_structure()
    size, y = x.shape[1], term.y.astype(x.dtype)

    def normal_equations(beta, order):
        evaluation = term.evaluate(lambda point: {"beta": point[0], "sigma": jnp.ones((), y.dtype)}, (beta,), order)
        return evaluation.gradient, evaluation.curvature

    zeros = jnp.zeros(size, x.dtype)
    _, gram = normal_equations(zeros, 2)
    diagonal = jnp.diagonal(gram)
    lengths = jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    factors, pivot = linalg.factor(linalg.unit_diagonal(gram, lengths))

    def refine(_, beta):
        left, _ = normal_equations(beta, 1)
        return beta + linalg.solve_factored(factors, left / lengths) / lengths

    beta = jax.lax.fori_loop(0, 3, refine, zeros)
    beta = jnp.where((pivot > linalg.null_threshold(size, y.dtype)) & jnp.all(jnp.isfinite(beta)), beta, zeros)
    rounding = jnp.finfo(y.dtype).eps * unit_of(y)
    mean, _ = term.predictions({"beta": beta, "sigma": jnp.ones((), y.dtype)})
    return beta, jnp.maximum(root_mean_square(y - mean, term.weights), rounding)
