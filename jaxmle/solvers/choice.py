"""Which solver climbs: the one asked for, or one chosen; and what to call it."""

import functools
from typing import Any

from jaxmle.core.evaluation import EXPECTED, OPG
from jaxmle.solvers.lbfgs import LBFGS
from jaxmle.solvers.newton import Newton
from jaxmle.solvers.newton_cg import LONGEST
from jaxmle.solvers.optax_solver import Optax, is_transformation
from jaxmle.solvers.optimistix_solver import Optimistix, is_minimiser
from jaxmle.solvers.proximal_gradient import ProximalGradient
from jaxmle.solvers.proximal_newton import ProximalNewton

METHODS = (
    "a solver of your own",
    "Newton's method",
    "Levenberg-Marquardt",
    "BHHH",
    "Fisher scoring",
    "L-BFGS",
    "proximal Newton",
    "accelerated proximal gradient",
    "an optax optimiser",
    "an Optimistix minimiser",
)


def as_solver(solver: Any) -> Any:
    """``solver`` as one of ours: optax transformations and Optimistix minimisers are wrapped, None stays None.

    Raises ``TypeError`` where it is something else.
    """
    if is_transformation(solver):
        return Optax(solver)
    if is_minimiser(solver):
        return Optimistix(solver)
    if solver is None or hasattr(solver, "search") or (hasattr(solver, "init") and hasattr(solver, "update")):
        return solver
    hint = ""
    if getattr(solver, "__module__", "").startswith("optax"):
        hint = f": write jm.solvers.Optax(optax.{solver.__name__}, learning_rate=1e-2), or call it first"
    raise TypeError(
        f"solver must be one of jm.solvers, such as jm.solvers.Newton(), an optax optimiser or an Optimistix "
        f"minimiser, not {solver!r}{hint}"
    )


@functools.lru_cache
def choose(size: int, rough: bool) -> tuple[Any, int]:
    """The solver for ``size`` free numbers, with a ``rough`` (non-smooth) term or without, and its method."""
    short, long = (ProximalNewton(), ProximalGradient()) if rough else (Newton(), LBFGS())
    solver = short if size <= LONGEST else long
    return solver, method_of(solver)


def reason(size: int) -> str:
    """Why :func:`choose` chose."""
    short = f"{size} free number{'s' * (size != 1)}"
    return short if size <= LONGEST else f"{short}, too many for a matrix"


def method_of(solver: Any) -> int:
    """The place of ``solver`` in ``METHODS``."""
    if isinstance(solver, Newton):
        by_curvature = {OPG: 3, EXPECTED: 4}.get(solver.curvature)
        return by_curvature or (2 if isinstance(solver.switch, float) and solver.switch <= 0 else 1)
    kinds = {LBFGS: 5, ProximalNewton: 6, ProximalGradient: 7, Optax: 8, Optimistix: 9}
    return kinds.get(type(solver), 0)
