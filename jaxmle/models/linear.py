"""Linear regression with normal noise."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxmle.core import linalg
from jaxmle.core.compiled import compiled
from jaxmle.core.evaluation import Evaluation
from jaxmle.densities import normal as density
from jaxmle.models.design import as_design, as_rows_of, line
from jaxmle.models.model import Model
from jaxmle.models.scale import TwoConventions, exact_linear_fit, root_mean_square, unit_of
from jaxmle.parameters import free, positive
from jaxmle.terms.idle import not_finite
from jaxmle.terms.objective import as_objective
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression
from jaxmle.terms.rows import counted, counted_column, sum_over_blocks, weighted


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
    beta, sigma = _least_squares(x, response if offset is None else response - term.x["offset"], term.weights)
    start = {"beta": free(beta, labels), "sigma": positive(sigma)}
    return Problem(as_objective(term), start, "Linear regression", exact_linear_fit, TwoConventions(x.shape[1]))


def _too_large(rows):
    """Which rows have squares that are not finite."""
    return not_finite(jax.tree.map(jnp.square, rows))


@compiled
def _least_squares(x, y, weights):
    """Least squares by normal equations in unit columns, refined twice; where they are singular zeros and the size of
    the response."""
    size = x.shape[1]

    def normal_equations(beta, order):
        def of_block(rows, weights):
            residual, zero = weighted(rows["y"] - rows["x"] @ beta, weights), jnp.zeros((), x.dtype)
            gram = rows["x"].T @ weighted(rows["x"], weights) if order == 2 else None
            return Evaluation(zero, zero, zero, residual @ rows["x"], gram)

        evaluation = sum_over_blocks(of_block, {"x": x, "y": y}, weights, None, _too_large)
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
    rows = counted({"x": x, "y": y}, weights, _too_large)
    x, y = rows["x"], rows["y"]
    beta = jnp.where((pivot > linalg.null_threshold(size, y.dtype)) & jnp.all(jnp.isfinite(beta)), beta, zeros)
    rounding = jnp.finfo(y.dtype).eps * unit_of(counted_column(y, weights))
    return beta, jnp.maximum(root_mean_square(y - x @ beta, weights), rounding)
