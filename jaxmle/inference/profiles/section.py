"""Sections through a log-posterior: its value where some numbers are held at given points."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.foreign import foreign_fit
from jaxmle.inference.profiles.profile import check
from jaxmle.inference.profiles.targets import Targets, asked_scalars
from jaxmle.solvers.loop import run
from jaxmle.solvers.newton import Newton
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem

PROFILED, HELD = OTHERS = ("profiled", "held")

_MAX_STEPS = 100


class Section(eqx.Module):
    """A log-posterior at some points. Made by :func:`section`.

    ``drop`` is how far it is below its value at the estimate, NaN where a constraint does not allow a point or no
    maximum over the others was found; ``top`` that value; ``precision`` the matrix P of its quadratic approximation,
    ``drop = (c - estimate)' P (c - estimate) / 2``.
    """

    points: Float[Array, "n k"]
    drop: Float[Array, " n"]
    top: Float[Array, ""]
    precision: Float[Array, "k k"]


def section(
    objective: Term | Problem, fit: Fit, which: str | Sequence[str], points: Any, others: str = PROFILED
) -> Section:
    """How far the log-posterior is below its maximum where each of ``which`` has the values of ``points``.

    Arguments: what was fitted and the fit; ``which``, labels of numbers or names of leaves, k numbers altogether;
    ``points`` (n, k), in the units of the parameters; ``others``, what becomes of all other parameters: "profiled",
    they are moved to where the log-posterior is highest, or "held" at their estimates.

    Returns a :class:`Section`. Works under ``jax.jit`` and ``jax.vmap``.

    Errors: those of :func:`jaxmle.profile`; ``ValueError`` for a number that a constraint ties to others (one entry of
    a simplex or a covariance matrix), points of another shape, or another word for ``others``.

    >>> import jaxmle as jm
    >>> problem = jm.models.normal([1.0, 2.0, 6.0])
    >>> found = section(problem, jm.fit(problem), ["mu"], jnp.array([[5.0]]))
    >>> round(float(found.drop[0]), 4)  # 3/2 log(1 + 4 / (14 / 3))
    0.9286

    Source: Pawitan (2001), "In All Likelihood", section 3.4.
    """
    if others not in OTHERS:
        raise ValueError(f"others= says what becomes of the other parameters, one of {OTHERS}, not {others!r}")
    problem = as_problem(objective)
    check(problem.objective, fit, "section")
    targets = Targets.of(fit.space, asked_scalars(fit.space, which))
    points = jnp.asarray(points, fit.z.dtype)
    if points.ndim != 2 or points.shape[1] != len(targets.places):
        raise ValueError(
            f"points have a column for each of {len(targets.places)} numbers; their shape is {points.shape}"
        )
    _check_places(fit.space, targets)
    with foreign_fit(fit):
        drop, top, precision = _section(
            problem.objective,
            fit.space.unlabelled,
            fit.z,
            points,
            targets=targets,
            profiled=others == PROFILED,
            jacobian=fit.jacobian,
        )
    return Section(points, drop, top, precision)


def _check_places(space, targets):
    labels = np.asarray(space.scalar_labels())[list(targets.scalars)]
    tied = [label for label, place in zip(labels, targets.places, strict=True) if place < 0]
    if tied:
        raise ValueError(
            f"{', '.join(tied)} cannot be moved while others are held: a constraint ties the numbers of that leaf "
            "together; jm.profile_curve and jm.profile look at one of them at a time"
        )
    if len(set(targets.places)) < len(targets.places):
        raise ValueError(f"{' and '.join(labels)} are tied and move as one: ask for one of them")


@compiled
def _section(objective, space, z, points, *, targets, profiled, jacobian):
    places = np.asarray(targets.places)
    rest = np.setdiff1d(np.arange(z.size), places)
    singles = [Targets((j,), (k,), (link,)) for j, k, link in zip(*dataclasses.astuple(targets), strict=True)]
    levels = jnp.stack([one.to_levels(space, z, points[:, i]) for i, one in enumerate(singles)], axis=1)
    top: Any = evaluate_in_z(objective, space, z, 2, jacobian)
    slopes = jax.jvp(space.scalars, (z,), (jnp.ones_like(z),))[1][np.asarray(targets.scalars)]
    among, across = top.curvature[np.ix_(places, places)], top.curvature[np.ix_(rest, places)]
    follow = jnp.linalg.solve(top.curvature[np.ix_(rest, rest)], across) if rest.size else across
    precision = (among - across.T @ follow if profiled else among) / (slopes[:, None] * slopes[None, :])

    def value(z):
        return evaluate_in_z(objective, space, z, 0, jacobian).value

    def held(level):
        return value(z.at[places].set(level))

    def highest(level):
        def evaluate(part, order):
            return _part(
                evaluate_in_z(objective, space, z.at[places].set(level).at[rest].set(part), order, jacobian), rest
            )

        near = z[rest] - follow @ (level - z[places])
        near = jnp.where(jnp.isfinite(evaluate(near, 0).value), near, z[rest])
        state = run(Newton(), evaluate, near, _tolerance(z.dtype), _MAX_STEPS, space.sizes(z)[rest])
        return jnp.where(codes.is_ok(state.status), state.evaluation.value, jnp.nan)

    values = jax.vmap(highest if profiled and rest.size else held)(levels)
    drop = jnp.where(jnp.all(jnp.isfinite(levels), axis=1), top.value - values, jnp.nan)
    return drop, top.value, precision


def _tolerance(dtype):
    """The log-density that a picture can lack."""
    return jnp.asarray(1e-9 if jnp.finfo(dtype).bits > 32 else 1e-5, dtype)


def _part(evaluation, rest):
    """An evaluation in some of the numbers of z."""

    def cut(matrix):
        return None if matrix is None else matrix[np.ix_(rest, rest)]

    gradient = None if evaluation.gradient is None else evaluation.gradient[rest]
    return dataclasses.replace(
        evaluation, gradient=gradient, curvature=cut(evaluation.curvature), gauss_newton=cut(evaluation.gauss_newton)
    )
