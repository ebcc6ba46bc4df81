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

_LONGEST_ROUGH = 1000

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
    machine = all(hasattr(solver, name) for name in ("init", "update", "order"))
    searches = callable(getattr(solver, "search", None))
    if solver is None or ((searches or machine) and not isinstance(solver, type)):
        return solver
    hint = _hint(solver)
    raise TypeError(
        f"solver must be one of jm.solvers, such as jm.solvers.Newton(), an optax optimiser or an Optimistix "
        f"minimiser, not {solver!r}{hint}"
    )


def _hint(solver) -> str:
    """What to write instead of something that is no solver."""
    name, home = getattr(solver, "__name__", type(solver).__name__), getattr(solver, "__module__", "")
    if isinstance(solver, type):
        return (
            f", which is a class: call it first, as in jm.solvers.{name}()"
            if home.startswith("jaxmle")
            else (f", which is a class: call it first, as in {name}(...)")
        )
    if name == "MultiSteps":
        return ": jm.fit sees all data at each step; to accumulate minibatches use jm.train(..., accumulate=)"
    if home.startswith("optax"):
        return f": write jm.solvers.Optax(optax.{name}, learning_rate=1e-2), or call it first"
    if home.startswith("optimistix"):
        return f": {name} is not a minimiser of vectors; use optimistix.BFGS, or jm.solvers.levenberg_marquardt()"
    return ""


@functools.lru_cache
def choose(size: int, rough: bool) -> tuple[Any, int]:
    """The solver for ``size`` free numbers, with a ``rough`` (non-smooth) term or without, and its method."""
    short, long = (ProximalNewton(), ProximalGradient()) if rough else (Newton(), LBFGS())
    solver = short if size <= LONGEST else long
    return solver, method_of(solver)


def successor(size: int, rough: bool) -> Any:
    """The solver that goes on where the one chosen ends undecided: proximal Newton, while a matrix can still be formed,
    after proximal gradients that were too slow (fewer rows than numbers, a faint penalty). None where there is none."""
    return ProximalNewton() if rough and LONGEST < size <= _LONGEST_ROUGH else None


def reason(size: int, method: int) -> str:
    """Why :func:`choose` chose ``method``, the place in ``METHODS`` with either sign.

    >>> reason(3, -6)
    'a prior with kinks and 3 free numbers'
    """
    short = f"{size} free number{'s' * (size != 1)}"
    kinks = "a prior with kinks and " if "proximal" in METHODS[abs(method)] else ""
    if size <= LONGEST:
        return kinks + short
    follows = kinks and successor(size, rough=True) is not None
    return f"{kinks}{short}, too many {'to begin with' if follows else 'for'} a matrix"


def method_of(solver: Any) -> int:
    """The place of ``solver`` in ``METHODS``."""
    if isinstance(solver, Newton):
        by_curvature = {OPG: 3, EXPECTED: 4}.get(solver.curvature)
        return by_curvature or (2 if isinstance(solver.switch, float) and solver.switch <= 0 else 1)
    kinds = {LBFGS: 5, ProximalNewton: 6, ProximalGradient: 7, Optax: 8, Optimistix: 9}
    return kinds.get(type(solver), 0)
