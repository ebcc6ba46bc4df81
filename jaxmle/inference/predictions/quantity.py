"""What is predicted of a row: the linear predictor, the mean, probabilities, or a quantile."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.compiled import compiled
from jaxmle.core.dependence import dependence
from jaxmle.core.tree import is_traced
from jaxmle.terms import rows as row_tools
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem
from jaxmle.terms.regression import Regression

LINEAR, MEAN, PROBABILITY, QUANTILE = KINDS = ("linear", "mean", "probability", "quantile")


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A number, or some, of the parameters eta of one row's density.

    ``of(parts, q)`` takes the leaves of eta. ``alone`` is the part of eta that is one number and all that it depends
    on among what moves with the parameters; None where there is no such part.
    """

    of: Callable
    alone: int | None


def the_regression(objective: Term | Problem) -> Regression:
    """The one regression term among the likelihoods of ``objective``.

    Raises ``TypeError`` where there is none, ``ValueError`` where there are several.
    """
    terms = as_problem(objective).objective.terms
    found = [term for term in terms if isinstance(term, Regression)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise TypeError(
            "only a jm.regression (or a model of jm.models) knows what it predicts, and this objective has none: "
            "compute what you want from params with jm.delta, or write the likelihood as "
            "jm.regression(jm.densities...., predictor, x, y)"
        )
    raise ValueError(
        f"the objective has {len(found)} regressions, so it is not clear which is to predict: give that term, and "
        "covariance=jm.infer(objective, fit) of the whole objective"
    )


def check_kind(kind: str, q) -> None:
    """Raise ``ValueError`` for an unknown kind of prediction, or a ``q`` that does not go with it."""
    if kind not in KINDS:
        raise ValueError(f"there is no prediction of the kind {kind!r}; the kinds are: {', '.join(KINDS)}")
    if (q is None) == (kind == QUANTILE):
        raise ValueError('q= is the level of a quantile: write kind="quantile", q=0.9, and no q with another kind')
    if q is not None and not is_traced(q) and not (jnp.ndim(q) == 0 and 0 < float(q) < 1):
        raise ValueError(f"q must be a number between 0 and 1, the level of the quantile; it is {q}")


def quantity_of(term: Regression, space, z, kind: str) -> Quantity:
    """The quantity of ``kind`` of the rows of a regression. Raises ``TypeError`` where its density has none."""
    predictor = term.predictor_at(space.lift, space.point(z))
    moving = predictor.moving
    if not moving:
        raise ValueError("the predictor of this regression depends on no free parameter, so no prediction varies")
    if kind == LINEAR:
        first = _first_that_varies(term, space, z, moving)
        return Quantity(lambda parts, q: parts[first], None)
    function = _function(term.density, kind)
    shapes, treedef = _one_row(term, space.params(z))

    def of(parts, q):
        eta = jax.tree_util.tree_unflatten(treedef, parts)
        return function(*eta) if kind != QUANTILE else function(q, *eta)

    used = set().union(*dependence(lambda *parts: of(parts, jnp.asarray(0.5, z.dtype)), *shapes))
    active = [j for j in moving if j in used]
    alone = active[0] if len(active) == 1 and math.prod(shapes[active[0]].shape) == 1 else None
    return Quantity(of, alone)


def is_discrete(term: Regression) -> bool:
    """Whether the responses are counts or labels, so that their quantiles jump."""
    return hasattr(term.density, "logpmf")


def parts_of(term: Regression, params, row) -> list[Any]:
    """The leaves of eta of one row."""
    return jax.tree_util.tree_leaves(term.predict(params, row))


def _first_that_varies(term, space, z, moving) -> int:
    """The first of the ``moving`` leaves of eta that depends on the row; the first of all where none does."""
    params = space.params(z)
    used = _dependence_on_rows(term, lambda term: term.predictions(params))
    return next((j for j in moving if used[j]), moving[0])


def leaves_that_matter(term: Regression, space, z, kind: str) -> set[int]:
    """Which leaves of a row the quantity of ``kind`` depends on; looked up where it was asked of the same shapes."""
    if is_traced((term, space, z)):
        return _matter(term, space, z, kind)
    with jax.ensure_compile_time_eval():  # inside somebody's jit too
        return set(map(int, np.flatnonzero(_mask(term, space.unlabelled, z, kind=kind))))


@compiled
def _mask(term, space, z, *, kind):
    matter = _matter(term, space, z, kind)
    return jnp.asarray([place in matter for place in range(len(_leaves_of_row(term)))])


def _leaves_of_row(term) -> list:
    return jax.tree_util.tree_leaves(term.x, is_leaf=row_tools.is_shared)


def _matter(term, space, z, kind) -> set[int]:
    params = space.params(z)
    if kind == LINEAR:
        first = _first_that_varies(term, space, z, term.predictor_at(space.lift, space.point(z)).moving)
        return _dependence_on_rows(term, lambda term: term.predictions(params))[first]
    function = _function(term.density, kind)
    given = (jnp.asarray(0.5, z.dtype),) if kind == QUANTILE else ()
    return set().union(
        *_dependence_on_rows(term, lambda term: jax.vmap(lambda eta: function(*given, *eta))(term.predictions(params)))
    )


def _dependence_on_rows(term, function) -> list[set[int]]:
    """For each leaf of ``function(term)`` the leaves of its rows that it depends on; what all rows share is none."""
    leaves, treedef = jax.tree_util.tree_flatten(term.x, is_leaf=row_tools.is_shared)
    own = [place for place, leaf in enumerate(leaves) if not row_tools.is_shared(leaf)]

    def of(*moved):
        together = dict(enumerate(leaves)) | dict(zip(own, moved, strict=True))
        x = jax.tree_util.tree_unflatten(treedef, [together[place] for place in range(len(leaves))])
        return jax.tree_util.tree_leaves(function(dataclasses.replace(term, x=x)))

    return [{own[i] for i in used} for used in dependence(of, *(leaves[place] for place in own))]


def _one_row(term, params):
    """The shapes of the leaves of one row's eta, and how they make up the tuple."""
    leaves, treedef = jax.tree_util.tree_flatten(jax.eval_shape(term.predictions, params))
    return [jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype) for leaf in leaves], treedef


def _function(density, kind) -> Callable:
    function = getattr(density, kind, None)
    if function is not None:
        return function
    name = getattr(density, "__name__", type(density).__name__).rsplit(".", 1)[-1]
    there = [other for other in KINDS if other == LINEAR or hasattr(density, other)]
    raise TypeError(
        f"{name} has no {kind} in closed form; predict one of {', '.join(there)}, or compute what you want from params "
        "with jm.delta"
    )
