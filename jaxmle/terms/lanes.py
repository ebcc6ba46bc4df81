"""Lanes: the axis along which a batch of objectives lies."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.tree import is_array, is_traced
from jaxmle.terms.objective import Objective, Term
from jaxmle.terms.problem import Problem
from jaxmle.terms.rows import Shared, is_shared

_OF_ROWS = ("x", "y", "data", "weights")


def lane_axes(objective: Term | Problem) -> Any:
    """The axes of a batch: zero for the data and the weights of likelihoods, None for everything else.

    Arguments: ``objective``, a term, a sum of terms or a problem, whose data and weights have a leading lane axis.
    Of a problem, as ``jax.vmap`` of a model returns it, the arrays of the start have one too, and so have numbers of
    priors and factors that are as many as the lanes. What all rows share (``jm.shared``) all lanes share, and so they
    do all other numbers of priors and factors, and arrays inside functions. With ``rows=False`` one ``nobs`` is that
    of every lane: say it, for by default it is the leading length of the data, here the number of lanes; or give an
    array with one for each lane.

    Returns a tree shaped like ``objective``, for ``in_axes`` of ``jax.vmap``: standard errors of a batch are
    ``jax.vmap(jm.infer, in_axes=(jm.lane_axes(objective), 0))(objective, fits)``. To change one entry use
    ``equinox.tree_at``.

    Errors: ``TypeError`` for what is no term, sum or problem; ``ValueError`` where an array in a prior of a problem may
    be of the lanes or of the parameters.

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
        axes = _axes(objective.objective, _lanes_and_size(objective))
        return dataclasses.replace(objective, objective=axes, start=start)
    return _axes(objective, None)


def _axes(objective, of_problem: tuple[int, int] | None) -> Any:
    """The axes of a term or a sum; ``of_problem`` is how many lanes there are, and parameters in each, in a problem."""
    if isinstance(objective, Objective):
        terms = tuple(_axes(term, of_problem) for term in objective.terms)
        return Objective(terms, _numbers(objective.factors, of_problem))
    if not isinstance(objective, Term):
        raise TypeError(f"lanes are those of a term, a sum of terms or a problem, not of a {type(objective).__name__}")
    if not objective.is_likelihood:
        return _numbers(objective, of_problem)
    axes = jax.tree.map(lambda _: None, objective)
    names = [field.name for field in dataclasses.fields(objective)]
    found = {name: _rows(getattr(objective, name)) for name in names if name in _OF_ROWS}
    if jnp.ndim(getattr(objective, "observations", 0)):
        found["observations"] = 0
    return dataclasses.replace(axes, **found)


def _lanes_and_size(problem: Problem) -> tuple[int, int] | None:
    """How many lanes a problem has, and how many numbers its start has in each; None where nothing has lanes."""
    leaves = [leaf for leaf in jax.tree.leaves(problem.start) if is_array(leaf) and leaf.ndim]
    if not leaves or not leaves[0].shape[0]:
        return None
    lanes = leaves[0].shape[0]
    return lanes, sum(leaf.size for leaf in leaves) // lanes


def _numbers(tree, of_problem):
    """Zero for the numbers that ``jax.vmap`` made one for each lane, in a problem; None for all others."""

    def axis(leaf):
        if of_problem is None or not is_array(leaf) or leaf.ndim == 0 or leaf.shape[0] != of_problem[0]:
            return None
        lanes, size = of_problem
        if size >= lanes and (is_traced(leaf) or np.any(np.asarray(leaf) != np.asarray(leaf)[:1])):
            raise ValueError(
                f"an array of shape {leaf.shape} in a prior (or a factor) is one number for each of the {lanes} lanes, "
                f"or what all lanes have in common for {lanes} of their {size} parameters: say which. Where jax.vmap "
                "made the problem with its priors, give in_axes=(0,) to jm.fit_batch, and 0 to jax.vmap in place of "
                "jm.lane_axes"
            )
        return 0

    return jax.tree.map(axis, tree)


def _rows(data):
    """Zero for each leaf, None for what all rows share."""

    def axis(leaf):
        return Shared(jax.tree.map(lambda _: None, leaf.value)) if is_shared(leaf) else 0

    return jax.tree.map(axis, data, is_leaf=is_shared)
