"""The profile itself: how far the log-posterior falls as one number is held at each of some values."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmle.core.compiled import compiled
from jaxmle.core.tree import as_leaf
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.foreign import foreign_fit
from jaxmle.inference.profiles import outcome
from jaxmle.inference.profiles.profile import DEFAULT_MAX_STEPS, check, function_of_z, one_function
from jaxmle.inference.profiles.search import search
from jaxmle.inference.profiles.targets import Targets, asked_scalars
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem


class ProfileCurve(eqx.Module):
    """A profile at some points. Made by :func:`profile_curve`.

    ``drop`` is how far the log-posterior, maximised over everything else, is below its maximum where what is profiled
    has the value of each of ``points``: an interval at confidence 0.95 is where it is below 1.92. ``params`` is the
    tree of parameters there, with a leading axis; ``status`` says how each search ended, in integers of
    :mod:`jaxmle.inference.profiles.outcome`. NaN where a point could not be reached.
    """

    points: Float[Array, " n"]
    drop: Float[Array, " n"]
    params: Any
    status: Int[Array, " n"]


def profile_curve(
    objective: Term | Problem, fit: Fit, which: str | Callable, points: Any, *, max_steps: int | None = None
) -> ProfileCurve:
    """How far the log-posterior, maximised over everything else, falls where ``which`` is held at each of ``points``.

    Arguments:
        objective: what was fitted: a term, a sum of terms or a problem.
        fit: the fit, by whomever.
        which: the label of a number, the name of a leaf that is one number, or a function of params that returns one.
        points: values of it, in its own units, an array of shape ``(n,)``.
        max_steps: the most evaluations a point may take; by default 100.

    Returns a :class:`ProfileCurve`. All points are lanes of one compiled program. Works under ``jax.jit`` and
    ``jax.vmap``.

    Errors: those of :func:`jaxmle.profile`; ``ValueError`` where ``which`` names several numbers, or ``points`` is not
    a vector.

    Example: for the mean of a normal sample the fall is n/2 log(1 + (c - mean)^2 / variance).

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.normal([1.0, 2.0, 6.0])
    >>> curve = jm.profile_curve(problem, jm.fit(problem), "mu", jnp.array([3.0, 5.0]))
    >>> [round(float(drop), 4) for drop in curve.drop]
    [0.0, 0.9286]

    Source: Pawitan (2001), "In All Likelihood", section 3.4.
    """
    problem = as_problem(objective)
    check(problem.objective, fit, "jm.profile_curve")
    points = jnp.asarray(points, fit.z.dtype)
    if points.ndim != 1 or points.size == 0:
        raise ValueError(f"points is a vector of values, such as jnp.linspace(...); its shape is {points.shape}")
    targets = None
    if not callable(which):
        scalars = asked_scalars(fit.space, which)
        if len(scalars) != 1:
            names = ", ".join(np.asarray(fit.space.scalar_labels())[list(scalars)])
            raise ValueError(f"a curve is of one number, and {which!r} names {len(scalars)}: ask for one of {names}")
        targets = Targets.of(fit.space, scalars)
    with foreign_fit(fit):
        return _curve(
            problem.objective,
            fit.space.unlabelled,
            fit.z,
            fit.status,
            points,
            DEFAULT_MAX_STEPS if max_steps is None else max_steps,
            as_leaf(which) if callable(which) else None,
            targets=targets,
            jacobian=fit.jacobian,
        )


@compiled
def _curve(objective, space, z, status, points, max_steps, function, *, targets, jacobian):
    def evaluate(z, order):
        return dataclasses.replace(evaluate_in_z(objective, space, z, order, jacobian), gauss_newton=None)

    signs = (1.0,) * points.size
    if targets is None:
        functions, lanes, levels = function_of_z(function, space), one_function(z, signs), points
    else:
        functions, lanes = targets.functions(space), targets.lanes(z.dtype, z.size, signs)
        levels = targets.to_levels(space, z, points)
    lanes = dataclasses.replace(lanes, level=levels)
    _, ended = search(evaluate, z, jnp.ones((), z.dtype), lanes, functions, status, max_steps, to_level=True)
    code = jnp.where(jnp.isfinite(levels), ended.status, outcome.OUTSIDE)
    there = outcome.has_end(code)
    reached = jnp.where(there[:, None], ended.best + ended.step, jnp.nan)
    return ProfileCurve(points, jnp.where(there, ended.fallen, jnp.nan), jax.vmap(space.params)(reached), code)
