"""The host's side of a fit: the start taken apart, the program called, and its failure explained."""

from typing import Any

from jaxmle.core import status as codes
from jaxmle.core.rearrange import rearrange
from jaxmle.core.tree import is_traced
from jaxmle.fitting import program
from jaxmle.fitting.explain import explain_failure, explained
from jaxmle.parameters.space import Space
from jaxmle.solvers import Newton
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem

DEFAULT_SOLVER = Newton()
DEFAULT_MAX_STEPS = 1000


def climb(objective: Term | Problem, start: Any, solver, tolerance, max_steps, jacobian) -> tuple[program.Found, Space]:
    """What the compiled program found, and the space it is in. Arguments and errors are those of ``jm.fit``."""
    if not isinstance(objective, Term):
        objective, start, limit = as_problem(objective, start).parts()
    else:
        limit = None
    if start is None:
        raise TypeError("jm.fit needs a start: a tree of parameters, such as {'mu': 0.0, 'sigma': jm.positive(1.0)}")
    space, bare, values = rearrange(_open, start)
    if space.size == 0:
        raise ValueError("every parameter is fixed, so there is nothing to fit; use jm.Fit.at to evaluate them")
    before = len(program.TRACED)
    try:
        found = program.maximise(
            objective,
            bare,
            values,
            DEFAULT_SOLVER if solver is None else solver,
            program.TOLERANCE_OF_DTYPE if tolerance is None else _as_float(tolerance),
            DEFAULT_MAX_STEPS if max_steps is None else max_steps,
            limit=limit,
            jacobian=bool(jacobian),
        )
        if len(program.TRACED) > before:
            objective.check_values(space.lift(values))
    except Exception as error:
        raise explained(error, space.lift(values)) from error
    if not is_traced(found.status) and int(found.status) >= codes.FIRST_FAILURE:
        explain_failure(int(found.status), objective, space, values)
    return found, space


def _open(start):
    space, values = Space.of(start)
    return space, space.unlabelled(), values


def _as_float(tolerance):
    return tolerance if is_traced(tolerance) else float(tolerance)
