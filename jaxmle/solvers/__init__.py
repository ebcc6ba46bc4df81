"""Solvers: state machines that climb a function they never see, and the one loop that drives them.

A solver is asked for the next point and told what was found there: ``init(z, tolerance, size) -> state``, then
``update(state, evaluation) -> state`` until ``state.status`` is no longer ``RUNNING``; ``state.z`` is the point it
wants evaluated, ``state.best`` the best it has met. Tries and steps are the same loop, so that a lane of a batch
never waits for the line search of another. One that ``handles_rough`` is told the penalty too, as last argument.
What must own its loop (an optax method with a line search, an Optimistix minimiser) has
``search(loss, z, tolerance, max_steps) -> z, status, steps`` instead.
"""

from jaxmle.solvers.lbfgs import LBFGS
from jaxmle.solvers.newton import BHHH, FisherScoring, Newton, levenberg_marquardt
from jaxmle.solvers.optax_solver import Optax
from jaxmle.solvers.optimistix_solver import Optimistix
from jaxmle.solvers.proximal_gradient import ProximalGradient
from jaxmle.solvers.proximal_newton import ProximalNewton

__all__ = [
    "BHHH",
    "LBFGS",
    "FisherScoring",
    "Newton",
    "Optax",
    "Optimistix",
    "ProximalGradient",
    "ProximalNewton",
    "levenberg_marquardt",
]
