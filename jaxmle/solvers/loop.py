"""The one loop: evaluate where the solver asks, tell it what was found, until it knows how it ended."""

import dataclasses
from collections.abc import Callable

import jax

from jaxmle.core import status
from jaxmle.core.evaluation import Evaluation


def run(
    solver,
    evaluate: Callable[..., Evaluation],
    z,
    tolerance,
    max_steps,
    size,
    penalty=None,
    guide: Callable | None = None,
):
    """The last state of ``solver`` on ``evaluate``, started at ``z``, after at most ``max_steps`` evaluations.

    ``size`` says how large the numbers in z are, zero where zero is no natural origin (the log of a scale).

    ``penalty`` is what has no derivative, for a solver that ``handles_rough``: it is then told it each time.

    ``guide(state)`` may put another point in the place of the one that a state asks for.

    ``evaluate(z, order)`` gives an evaluation. ``order`` is what ``solver.order`` asks for; where the solver would
    ``reuse`` its curvature and that has settled, it is one. Under vmap a lane that has ended keeps its state while the
    others go on.
    """

    def running(state):
        return (state.status == status.RUNNING) & (state.steps < max_steps)

    def step(state):
        state = state if guide is None else guide(state)
        return solver.update(state, look(state), *rough)

    def look(state):
        if not getattr(solver, "reuse", False):
            return evaluate(state.z, solver.order)
        return jax.lax.cond(solver.has_settled(state), again, lambda state: evaluate(state.z, solver.order), state)

    def again(state):
        return dataclasses.replace(evaluate(state.z, 1), curvature=state.evaluation.curvature)

    rough = () if penalty is None else (penalty,)
    return jax.lax.while_loop(running, step, solver.init(z, tolerance, size, *rough))
