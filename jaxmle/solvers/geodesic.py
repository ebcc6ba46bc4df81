"""The bent step: a step of Newton or Gauss-Newton, corrected for how the prediction bends along it.

A straight step in the parameters is a curved one in the predictions. The second derivative of the predictions along
the step says how far from the straight line they come out; half of what the model would go against that is added. In
a long curved valley steps grow ten times as long. Source: Transtrum, Machta and Sethna (2011), "Geometry of nonlinear
least squares", section VIII; Transtrum and Sethna (2012), "Improvements to the Levenberg-Marquardt algorithm".
"""

from collections.abc import Callable

import jax.numpy as jnp

from jaxmle.core import linalg
from jaxmle.solvers.quadratic import positive

_MOST = 0.1875  # of the length of the step: twice the acceleration is at most 0.75 of it, beyond that it says nothing


def bent(state, bend: Callable):
    """The step of a Newton climb bent along the predictor, or as it is where the bend is as large as the step itself.

    ``bend(z, direction)`` is the sum over rows of J' W eta'', with eta'' the second derivative along ``direction``.
    """
    scale = positive(state.scale)
    evaluation = state.evaluation
    curvature = jnp.where(state.exact, evaluation.curvature, evaluation.approximate_curvature)
    matrix = linalg.unit_diagonal(curvature, scale)
    factors, _ = linalg.factor(matrix + state.shift * jnp.eye(scale.size, dtype=scale.dtype))
    half = -0.5 * linalg.solve_factored(factors, bend(state.best, state.step) / scale)
    small = jnp.linalg.norm(half) <= _MOST * jnp.linalg.norm(scale * state.step)
    return state.step + jnp.where(small, half / scale, 0.0)
