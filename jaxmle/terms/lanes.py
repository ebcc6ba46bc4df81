"""Lanes: the axis along which a batch of objectives lies."""

import dataclasses
from typing import Any

import jax

from jaxmle.core.tree import is_array
from jaxmle.terms.objective import Objective, Term
from jaxmle.terms.problem import Problem
from jaxmle.terms.rows import Shared, is_shared

_OF_ROWS = ("x", "y", "data", "weights")


def lane_axes(objective: Term | Problem) -> Any:
    """The axes of a batch: zero for the data and the weights of likelihoods, None for everything else.

    Arguments: ``objective``, a term, a sum of terms or a problem, whose data and weights have a leading lane axis.
    Of a problem, as ``jax.vmap`` of a model returns it, the arrays of the start have one too. What all rows share
    (``jm.shared``) all lanes share, and so they do the numbers of priors, factors, and arrays inside functions.

    Returns a tree shaped like ``objective``, for ``in_axes`` of ``jax.vmap``: standard errors of a batch are
    ``jax.vmap(jm.infer, in_axes=(jm.lane_axes(objective), 0))(objective, fits)``. To change one entry use
    ``equinox.tree_at``.

    Errors: ``TypeError`` for what is no term, sum or problem.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> lanes = jm.likelihood(lambda p, y: -((y - p["mu"]) ** 2), jnp.ones((10, 4)))
    >>> axes = lane_axes(lanes + jm.priors.normal("mu"))
    >>> axes.terms[0].data, jax.tree.leaves(axes.terms[1])
    (0, [])

    Source: the ``in_axes`` of ``jax.vmap``.
    """
    if isinstance(objective, Problem):
        start = jax.tree.map(lambda leaf: 0 if is_array(leaf) and leaf.ndim else None, objective.start)
        return dataclasses.replace(objective, objective=lane_axes(objective.objective), start=start)
    if isinstance(objective, Objective):
        factors = tuple(None for _ in objective.factors)
        return Objective(tuple(lane_axes(term) for term in objective.terms), factors)
    if not isinstance(objective, Term):
        raise TypeError(f"lanes are those of a term, a sum of terms or a problem, not of a {type(objective).__name__}")
    axes = jax.tree.map(lambda _: None, objective)
    if not objective.is_likelihood:
        return axes
    fields = [field.name for field in dataclasses.fields(objective) if field.name in _OF_ROWS]
    return dataclasses.replace(axes, **{name: _rows(getattr(objective, name)) for name in fields})


def _rows(data):
    """Zero for each leaf, None for what all rows share."""

    def axis(leaf):
        return Shared(jax.tree.map(lambda _: None, leaf.value)) if is_shared(leaf) else 0

    return jax.tree.map(axis, data, is_leaf=is_shared)
