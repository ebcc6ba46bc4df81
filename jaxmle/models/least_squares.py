"""Least squares in its own convention: the scale that divides by n - p, and the standard errors that go with it."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxmle.core import lapack
from jaxmle.fitting.result import Fit
from jaxmle.terms import rows as row_tools
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import Regression


class LeastSquares(eqx.Module):
    """``rss``; ``dof`` = n - p; ``scale`` = root of RSS / (n - p); ``scale_ml`` = root of RSS / n; ``bse``, a tree like
    params with the Gauss-Newton standard errors by ``scale`` (NaN for sigma and what is fixed)."""

    rss: Float[Array, ""]
    dof: Float[Array, ""]
    scale: Float[Array, ""]
    scale_ml: Float[Array, ""]
    bse: Any


def least_squares(problem: Problem, fit: Fit) -> LeastSquares:
    r"""The least-squares summary of a fit of ``linear`` or ``nonlinear_least_squares``.

    Standard errors are the roots of the diagonal of ``scale^2 (J'J)^-1``, J the derivative of the mean, by the QR
    decomposition of J: what NIST, R's ``lm`` and ``nls`` and most textbooks print. ``jm.infer`` has those of maximum
    likelihood: with the scale that divides by n and, for a nonlinear mean, the exact curvature.

    Errors: ``TypeError`` for a problem that is not of normal noise around a mean.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.linear(jnp.array([[1.0], [2.0], [3.0]]), jnp.array([1.1, 1.9, 3.1]))
    >>> round(float(least_squares(problem, jm.fit(problem)).scale), 4)
    0.1165

    Source: Bates and Watts (1988), "Nonlinear Regression Analysis", equation 2.7; NIST/ITL StRD.
    """
    term = problem.objective.terms[0] if problem.objective.terms else None
    if not isinstance(term, Regression) or "sigma" not in fit.params:
        raise TypeError(
            f"least squares is for jm.models.linear and jm.models.nonlinear_least_squares, not for {problem.name!r}; "
            "use jm.infer"
        )
    return _summarise(term, fit)


@eqx.filter_jit
def _summarise(term: Regression, fit: Fit) -> LeastSquares:
    space, point = fit.space, fit.space.point(fit.z)
    predictor = term.predictor_at(space.lift, point)
    opened = row_tools.open_counted({"x": term.x, "y": term.y}, term.weights)
    rows, y = opened["x"], opened["y"]
    mean, _ = predictor(rows)
    weights = jnp.ones_like(mean) if term.weights is None else term.weights.astype(mean.dtype)
    part = predictor.parts[0]
    jacobian = jnp.asarray(predictor.jacobian(0, rows))[:, 0, :] * jnp.sqrt(weights)[:, None]
    rss = jnp.sum(weights * (y.astype(mean.dtype) - mean) ** 2)
    nobs = jnp.sum(weights)
    dof = nobs - part.coordinates.size
    scale = jnp.sqrt(rss / dof)
    lengths = jnp.linalg.norm(jacobian, axis=0)
    triangle = lapack.triangle(jacobian / lengths[None, :])
    inverse = lapack.solve_lower(triangle.T, jnp.eye(lengths.size, dtype=mean.dtype))
    errors = scale * jnp.linalg.norm(inverse, axis=0) / lengths
    flat = jnp.full(predictor.size, jnp.nan, mean.dtype).at[part.coordinates].set(errors)
    cut = space.cut_point(flat)
    bse = space.tree_of_leaves(space.leaves_of_scalars(space.flatten_point(cut), jnp.nan))
    return LeastSquares(rss, dof, scale, jnp.sqrt(rss / nobs), bse)
