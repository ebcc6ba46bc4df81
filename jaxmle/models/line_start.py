"""Where a line through a response starts: at least squares."""

import jax
import jax.numpy as jnp

from jaxmle.core import linalg
from jaxmle.core.compiled import compiled
from jaxmle.core.evaluation import Evaluation
from jaxmle.models.scale import root_mean_square, unit_of
from jaxmle.terms.idle import not_finite
from jaxmle.terms.rows import counted, counted_column, sum_over_blocks, weighted


def _too_large(rows):
    """Which rows have squares that are not finite."""
    return not_finite(jax.tree.map(jnp.square, rows))


@compiled
def least_squares_line(x, y, weights):
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
