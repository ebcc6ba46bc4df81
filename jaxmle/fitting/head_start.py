"""A head start: where a log-concave likelihood of very many rows is highest on a sample of them.

From there the climb on all rows reads the data two or three times instead of six or more. How the climb ends is judged
on all rows, and a sample without a maximum of its own (one that is separated, say) is passed over.
"""

import functools
from typing import Any

import jax.numpy as jnp

from jaxmle.core import status as codes
from jaxmle.parameters.space import Space
from jaxmle.solvers.loop import run
from jaxmle.terms.objective import Objective

_LEAST_ROWS, _ROWS_FOR_A_NUMBER = 10_000, 100
_LEAST_STRIDE, _LARGEST_STRIDE = 4, 32
_MOST_STEPS = 30
_SHARE = 0.01  # of the log-density that the sample is wrong by anyway


def stride_of(objective: Objective, space: Space, start) -> int:
    """Every how many-th row is enough for a head start from ``start`` in z; one where there is to be none.

    None is taken where some likelihood is not known to be log-concave in z: a predictor that is affine, a density with
    ``CONCAVE_IN``, and no constraints.
    """
    likelihoods: list[Any] = [term for term in objective.terms if term.is_likelihood]
    if not likelihoods or objective.is_rough or not space.is_identity:
        return 1
    if not all(hasattr(term, "every") for term in likelihoods):
        return 1
    rows = min(term.count for term in likelihoods)
    stride = min(_LARGEST_STRIDE, rows // max(_LEAST_ROWS, _ROWS_FOR_A_NUMBER * start.size))
    if stride < _LEAST_STRIDE or not all(term.is_concave(space.lift, space.point(start)) for term in likelihoods):
        return 1
    return stride


def head_start(stride: int, evaluate, objective: Objective, space: Space, start, solver: Any, max_steps):
    """The maximum in z of ``objective`` with every ``stride``-th row counted ``stride`` times, or ``start`` where that
    has none. ``evaluate(objective, z, order)`` is the evaluation in z."""
    sample = _every(objective, stride)
    tolerance = jnp.asarray(0.5 * _SHARE * stride * start.size, start.dtype)
    steps = jnp.minimum(max_steps, _MOST_STEPS)
    state = run(solver, functools.partial(evaluate, sample), start, tolerance, steps, space.sizes(start))
    return jnp.where(codes.is_maximum(state.status), state.best, start)


def _every(objective: Objective, stride: int) -> Objective:
    """``objective`` with every ``stride``-th row of its likelihoods, which count that many times as much."""
    pairs: list[Any] = [
        (term.every(stride), stride if factor is None else stride * factor) if term.is_likelihood else (term, factor)
        for term, factor in _pairs(objective)
    ]
    return Objective(tuple(term for term, _ in pairs), tuple(factor for _, factor in pairs))


def _pairs(objective: Objective) -> Any:
    return zip(objective.terms, objective.factors, strict=True)
