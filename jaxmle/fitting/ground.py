"""What a state machine climbs on: what it has evaluated, and what helps it there."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxmle.core.evaluation import OBSERVED
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.parameters.space import Space
from jaxmle.solvers.choice import METHODS, method_of
from jaxmle.solvers.penalty import Penalty
from jaxmle.terms.objective import Objective, as_objective

_ROUNDS = 8  # of Newton's method for the log of a scale, which is exact in one where the number in z is that log
_THERE = 1e-3  # of its log: nearer, it is taken


class Ground(NamedTuple):
    """The ``evaluate`` of z, the ``size`` of the numbers in it, the ``penalty`` of what has no derivative for a solver
    that takes one, and ``guide``, which puts a better point in the place of the one that a state asks for; None where
    there is none."""

    evaluate: Callable
    size: Any
    penalty: Penalty | None
    guide: Callable | None


def ground_of(jacobian, objective, space, start, solver) -> Ground:
    """What ``solver`` climbs on from ``start`` in z."""
    smooth, rough = as_objective(objective).part(smooth=True), as_objective(objective).part(smooth=False)
    kind = getattr(solver, "curvature", OBSERVED)
    penalty = penalty_of(rough, space, start, solver)

    def evaluate(z, order=solver.order):
        return evaluate_in_z(smooth, space, z, order, jacobian, kind)

    guided = hasattr(solver, "guided") and kind == OBSERVED and smooth.is_bent(space.lift, space.point(start))
    guide = _guide(jacobian, smooth, space, solver) if guided else None
    return Ground(evaluate, space.sizes(start), penalty, guide)


def _guide(jacobian, objective: Objective, space: Space, solver) -> Callable:
    """The guide of a climb on a nonlinear predictor: how it bends, and the best scale of the noise at each place, which
    it is not with ``jacobian``."""

    def bend(z, direction):
        with jax.default_matmul_precision("highest"):
            found = objective.bend(space.lift, space.point(z), lambda t: space.point(z + t * direction))
        return jax.vjp(space.flat_point, z)[1](found)[0]

    def settle(z):
        found = None if jacobian else objective.noise_scale(space.lift, space.point(z))
        if found is None:
            return z, jnp.ones_like(z[0])
        place, scale_of, best = found
        here = space.split(jnp.arange(z.size))[place]

        def log_scale(number):
            return jnp.log(scale_of(space.bijections[place].forward(number)))

        def nearer(_, number):
            value, slope = jax.jvp(log_scale, (number,), (jnp.ones_like(number),))
            return number + (jnp.log(best) - value) / slope

        moved = jax.lax.fori_loop(0, _ROUNDS, nearer, z[here])
        # Not where a constraint keeps it from its best.
        there = jnp.abs(log_scale(moved) - jnp.log(best)) < _THERE
        z = z.at[here].set(jnp.where(there, moved, z[here]))
        return z, jnp.exp(log_scale(z[here])).reshape(())

    return lambda state: solver.guided(state, bend, settle)


def penalty_of(rough, space, start, solver):
    """The penalty over z of the ``rough`` terms, None where there is none.

    Raises ``TypeError`` where the solver climbs smooth objectives only, or the other way round.
    """
    handles = getattr(solver, "handles_rough", False)
    if rough.terms and not handles:
        raise TypeError(
            f"{METHODS[method_of(solver)]} climbs smooth objectives, and this one has a prior with kinks (laplace, "
            "elastic_net, group_laplace): leave the solver out, or use jm.solvers.ProximalNewton() or "
            "jm.solvers.ProximalGradient()"
        )
    total = Penalty.nothing(start.size, start.dtype)
    point, into = space.point(start), space.places_in_z()
    for term, factor in zip(rough.terms, rough.factors, strict=True):
        penalty = term.penalty(space.lift, point, start.size, into)
        total = total + (penalty if factor is None else factor * penalty)
    return total if handles else None
