"""Solvers: state machines that climb a function they never see, and the one loop that drives them.

A solver is asked for the next point and told what was found there: ``init(z, tolerance, size) -> state``, then
``update(state, evaluation) -> state`` until ``state.status`` is no longer ``RUNNING``; ``state.z`` is the point it
wants evaluated, ``state.best`` the best it has met. Tries and steps are the same loop, so that a lane of a batch
never waits for the line search of another.
"""

from jaxmle.solvers.newton import Newton, levenberg_marquardt

__all__ = ["Newton", "levenberg_marquardt"]
