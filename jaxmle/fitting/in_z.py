"""The objective as a function of z, the free, unconstrained numbers that solvers climb in."""

import jax
import jax.numpy as jnp

from jaxmle.core.evaluation import OBSERVED, Evaluation, derivatives
from jaxmle.parameters.space import Space
from jaxmle.terms.objective import Term


def evaluate_in_z(
    objective: Term, space: Space, z, order: int, jacobian: bool = False, curvature: str = OBSERVED
) -> Evaluation:
    """The evaluation of ``objective`` at ``space.params(z)`` with derivatives in z, and the ``curvature`` asked for.

    With ``jacobian`` it is that of the density of z: the log-determinant is part of the log-prior. Matrix products are
    of the highest precision, unless the function itself asks for another: the default of an accelerator keeps ten bits.
    """
    with jax.default_matmul_precision("highest"):
        in_point = objective.evaluate(space.lift, space.point(z), order, curvature)
        evaluation = space.pull_back(in_point, z, curvature == OBSERVED)
    if not jacobian or space.is_identity:
        return evaluation
    value, gradient, hessian = derivatives(space.log_det, z, order)
    bend = None if hessian is None else -hessian
    return evaluation + Evaluation(jnp.zeros_like(value), value, jnp.abs(value), gradient, bend)
