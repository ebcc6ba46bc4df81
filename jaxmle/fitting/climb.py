"""The host's side of a fit: the start taken apart, the program called, and its failure explained."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxmle.core import status as codes
from jaxmle.core.rearrange import rearrange
from jaxmle.core.tree import is_traced
from jaxmle.fitting import program
from jaxmle.fitting.explain import explain_failure, explained
from jaxmle.parameters.space import Space
from jaxmle.solvers.choice import as_solver, choose, method_of
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem

DEFAULT_MAX_STEPS = 1000


def climb(
    objective: Term | Problem, start: Any, solver, tolerance, max_steps, jacobian
) -> tuple[program.Found, Space, int]:
    """What the compiled program found, the space it is in, and by which method (negative where it was chosen).

    Arguments and errors are those of ``jm.fit``.
    """
    if not isinstance(objective, Term):
        problem = as_problem(objective, start)
        objective, start, limit = problem.objective, problem.start, problem.limit
    else:
        limit = None
    if start is None:
        raise TypeError("there is no start: give a tree of parameters, such as {'mu': 0.0, 'sigma': jm.positive(1.0)}")
    _check_options(tolerance, max_steps)
    space, bare, values = rearrange(_open, start)
    if space.size == 0:
        raise ValueError("every parameter is fixed, so there is nothing to fit; call the objective on params instead")
    solver = as_solver(solver)
    method = -choose(space.size, False)[1] if solver is None else method_of(solver)
    before = len(program.TRACED)
    try:
        found = program.maximise(
            objective,
            bare,
            values,
            solver,
            _on_device(program.TOLERANCE_OF_DTYPE if tolerance is None else tolerance, float),
            _on_device(DEFAULT_MAX_STEPS if max_steps is None else max_steps, int),
            limit=limit,
            jacobian=bool(jacobian),
        )
        _check_once(objective, space, values, len(program.TRACED) > before)
    except Exception as error:
        raise explained(error, space.lift(values)) from error
    if not isinstance(found.status, Tracer) and int(found.status) >= codes.FIRST_FAILURE:
        explain_failure(int(found.status), objective, space, values)
    return found, space, method


_PENDING: list[None] = []  # grows when a program was first traced inside a trace, where values cannot be looked at
_CHECKED: set = set()


def _check_once(objective, space, values, fresh):
    """Try the functions of a freshly compiled objective at the start and off it; a refused one is compiled again."""
    if not fresh and not _PENDING:
        return
    if is_traced((objective, values, space)):
        _PENDING.append(None)
        return
    leaves, structure = jax.tree_util.tree_flatten(objective)
    key = (structure, *[(np.shape(leaf), getattr(leaf, "dtype", type(leaf))) for leaf in leaves])
    if not fresh and key in _CHECKED:
        return
    try:
        objective.check_values(lambda: [space.lift(point) for point in _tries(space.unlabelled(), values)])
    except Exception:
        program.forget()
        raise
    _CHECKED.add(key)


@jax.jit
def _tries(space, values):
    """Points to try a function at: the start, and one off it in every direction."""
    z = space.to_z(values)
    return space.point(z), space.point(z + 0.1 * (1.0 + jnp.arange(z.size, dtype=z.dtype) % 7))


def _check_options(tolerance, max_steps):
    if tolerance is not None and not is_traced(tolerance) and not float(tolerance) > 0:
        raise ValueError(f"tolerance must be positive, in units of log-density; it is {tolerance}")
    if max_steps is not None and not is_traced(max_steps) and not max_steps >= 1:
        raise ValueError(f"max_steps must be one or more evaluations; it is {max_steps}")


def _open(start):
    space, values = Space.of(start)
    return space, space.unlabelled(), values


def _on_device(number, kind):
    """A number as an array, kept from call to call: handing over a Python number costs a copy each time."""
    return number if isinstance(number, Tracer) else _copied(kind(number), kind, jax.config.read("jax_enable_x64"))


@functools.lru_cache(maxsize=1024)
def _copied(number, kind, _):
    with jax.ensure_compile_time_eval():
        return jnp.asarray(np.asarray(number, jnp.result_type(kind)))
