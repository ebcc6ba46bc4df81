"""The host's side of a fit: the start taken apart, the program called, and its failure explained."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.core.rearrange import rearrange
from jaxmle.core.tree import is_traced
from jaxmle.fitting import program
from jaxmle.fitting.enclosed import refuse_derivatives
from jaxmle.fitting.explain import explain_failure, explained
from jaxmle.parameters.builder import is_mark
from jaxmle.parameters.space import Space
from jaxmle.solvers.choice import as_solver, choose, method_of
from jaxmle.terms.objective import Term, as_objective
from jaxmle.terms.problem import Problem, as_problem

DEFAULT_MAX_STEPS = 1000


class Ascent(NamedTuple):
    """What is to be climbed, and from where."""

    objective: Term
    limit: Callable | None
    space: Space
    bare: Space  # the space without its labels
    values: tuple  # of the free leaves


class Options(NamedTuple):
    """How it is to be climbed: the options of ``jm.fit``."""

    solver: Any = None
    tolerance: Any = None
    max_steps: Any = None
    jacobian: bool = False


def ascent(objective: Term | Problem, start: Any) -> Ascent:
    """``objective`` and ``start`` taken apart. Errors are those of ``jm.fit``."""
    if not isinstance(objective, Term):
        problem = as_problem(objective, start)
        objective, start, limit = problem.objective, problem.start, problem.limit
    else:
        limit = None
    if start is None:
        raise TypeError("there is no start: give a tree of parameters, such as {'mu': 0.0, 'sigma': jm.positive(1.0)}")
    try:
        space, bare, values = rearrange(_open, start)
    except TypeError:  # what cannot be hashed
        _refuse_dataclasses(start)
        raise
    if space.size == 0:
        _refuse_dataclasses(start)
        raise ValueError("every parameter is fixed, so there is nothing to fit; call the objective on params instead")
    return Ascent(objective, limit, space, bare, values)


def climb(what: Ascent, options: Options, starts: tuple | None = None) -> tuple[program.Found, Space, int]:
    """What the compiled program found, the space it is in, and by which method (negative where it was chosen).

    With ``starts``, values of the free leaves with a leading axis, it climbs from each of them, and what it found has
    that axis. Errors are those of ``jm.fit``; many starts raise where every one of them does.
    """
    objective, limit, space, bare, values = what
    solver, tolerance, max_steps, jacobian = options
    check_options(tolerance, max_steps)
    solver = None if solver is None else as_solver(solver)
    rough = as_objective(objective).is_rough
    method = -choose(space.size, rough)[1] if solver is None else method_of(solver)
    before = len(program.TRACED)
    try:
        found = (program.maximise if starts is None else program.maximise_from_each)(
            objective,
            bare,
            values if starts is None else starts,
            solver,
            on_device(program.TOLERANCE_OF_DTYPE if tolerance is None else tolerance, float),
            on_device(DEFAULT_MAX_STEPS if max_steps is None else max_steps, int),
            limit=limit,
            jacobian=bool(jacobian),
        )
        check_once(objective, space, values, len(program.TRACED) > before)
    except Exception as error:
        raise explained(error, space.lift(values)) from error
    status = found.status
    if not isinstance(status, Tracer):
        mildest = int(np.asarray(status).min())  # by NumPy: int() of a JAX array takes three times as long
        if mildest >= codes.FIRST_FAILURE:
            explain_failure(mildest, objective, space, values)
    else:
        found = refuse_derivatives(found, objective, space, found.z if starts is None else found.z[0])
    return found, space, method


_PENDING: list[None] = []  # grows when a program was first traced inside a trace, where values cannot be looked at
_CHECKED: set = set()


def check_once(objective, space, values, fresh):
    """Try the functions of a freshly compiled objective at the start and off it; a refused one is compiled again."""
    if not fresh and not _PENDING:
        return
    if is_traced((objective, values, space)):
        _PENDING.append(None)
        return
    key = shape_of(objective)
    if not fresh and key in _CHECKED:
        return
    try:
        with jax.ensure_compile_time_eval():  # values are there to be looked at inside a trace of something else too
            objective.check_values(lambda: [space.lift(point) for point in tries(space.unlabelled, values)])
    except Exception:
        program.forget()
        raise
    _CHECKED.add(key)


def shape_of(objective) -> tuple:
    """What an objective is but for its numbers: what was tried with some of them need not be with others."""
    leaves, structure = jax.tree_util.tree_flatten(objective)
    return (structure, *[(np.shape(leaf), getattr(leaf, "dtype", type(leaf))) for leaf in leaves])


@compiled
def tries(space, values):
    """Points to try a function at: the start, and one off it in every direction, up and down, so that what wide layers
    add up stays small."""
    z = space.to_z(values)
    return space.point(z), space.point(z + 0.1 * jnp.sin(1.0 + jnp.arange(z.size, dtype=z.dtype)))


def _refuse_dataclasses(start) -> None:
    """Raise ``TypeError`` where the start is, or has, a dataclass of parameters that is no tree to JAX."""
    for leaf in jax.tree.leaves(start, is_leaf=is_mark):
        if dataclasses.is_dataclass(leaf) and not is_mark(leaf) and _has_numbers(leaf):
            raise TypeError(
                f"the start has a {type(leaf).__name__}, a dataclass that JAX takes for one leaf and not for a tree of "
                "parameters: register it by jax.tree_util.register_dataclass, or take an equinox.Module, a NamedTuple "
                "or a dict"
            )


def _has_numbers(leaf) -> bool:
    """Whether a field of a dataclass is what parameters are: a floating number, an array or a mark."""
    values = [getattr(leaf, field.name, None) for field in dataclasses.fields(leaf)]
    return any(isinstance(value, float) or hasattr(value, "dtype") or is_mark(value) for value in values)


def check_options(tolerance, max_steps) -> None:
    """Raise ``ValueError`` for a tolerance or a limit of steps that cannot be; tracers are not looked at."""
    if tolerance is not None and not is_traced(tolerance) and not float(tolerance) > 0:
        raise ValueError(f"tolerance must be positive, in units of log-density; it is {tolerance}")
    if max_steps is not None and not is_traced(max_steps) and not (max_steps >= 1 and max_steps == int(max_steps)):
        raise ValueError(f"max_steps must be a whole number of evaluations, one or more; it is {max_steps}")


def _open(start):
    space, values = Space.of(start)
    return space, space.unlabelled, values


def on_device(number, kind):
    """A number as an array, kept from call to call: handing over a Python number costs a copy each time."""
    return number if isinstance(number, Tracer) else _copied(kind(number), kind, jax.config.read("jax_enable_x64"))


@functools.lru_cache(maxsize=1024)
def _copied(number, kind, _):
    with jax.ensure_compile_time_eval():
        return jax.device_put(np.asarray(number, jnp.result_type(kind)))
