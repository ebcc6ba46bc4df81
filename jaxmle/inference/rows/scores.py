"""Scores: the gradient of the log-likelihood, row by row."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxmle.core.compiled import compiled
from jaxmle.fitting.result import Fit
from jaxmle.inference.door import check_one_fit
from jaxmle.parameters.space import Space
from jaxmle.terms.objective import Objective, Term
from jaxmle.terms.problem import Problem, as_problem


def scores(objective: Term | Problem, fit: Fit) -> Float[Array, "n m"]:
    r"""The gradient of each row's log-likelihood in z, at the estimate.

    Arguments: ``objective``, what was fitted; ``fit``, its fit.

    Returns an array (n, m): n rows, those of the likelihood terms one after the other in the order of the sum, each
    times the factor of its term; m free numbers in z. Rows are *not* multiplied by their weights: with ``w``
    the weights of all rows the gradient of the log-likelihood is ``w @ scores``, zero at a maximum. Priors have no
    rows. A row of weight zero has its own score too, what one case like it would add to the gradient; NaN where its
    log-likelihood has no finite one (a missing value): leave such rows out of ``w @ scores``. Of a time series
    (``rows=False``) the rows are its per-step contributions. For scores in params themselves
    multiply by the derivative of z in params, or fit without constraints. Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``TypeError`` where a likelihood gives one number for all its data, so that there are no rows.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.logistic(jnp.ones((4, 1)), jnp.array([0, 1, 1, 1]))
    >>> jm.scores(problem, jm.fit(problem)).round(4).ravel().tolist()
    [-0.75, 0.25, 0.25, 0.25]

    Source: Fisher (1925), "Theory of statistical estimation"; White (1982), equation 2.2.
    """
    check_one_fit(fit, "jm.scores")
    return _scores(as_problem(objective).objective, fit.space.unlabelled, fit.z)


def own_scores_in_z(objective: Objective, space: Space, z: Float[Array, " m"]) -> Float[Array, "n m"]:
    """The unweighted scores of all rows of ``objective`` at ``z``, factors applied. See :func:`scores`."""
    check_has_rows(objective, space, z)
    return in_z(space, z, objective.scores(space.lift, space.point(z)))


def scores_in_z(objective: Objective, space: Space, z: Float[Array, " m"]) -> Float[Array, "n m"]:
    """As :func:`own_scores_in_z`, with zeros where a row of weight zero has no finite score, so that sums over rows are
    numbers."""
    found = own_scores_in_z(objective, space, z)
    idle = (row_weights(objective, space, z) == 0)[:, None]
    return jnp.where(idle & ~jnp.isfinite(found), 0.0, found)


def in_z(space: Space, z: Float[Array, " m"], in_point: Any) -> Float[Array, "n m"]:
    """Gradients in the flat point, one in each row of ``in_point``, as gradients in ``z``."""
    if space.is_identity:
        return in_point
    if all(bijection.elementwise for bijection in space.bijections):
        return in_point * jax.jvp(space.flat_point, (z,), (jnp.ones_like(z),))[1][None, :]
    return in_point @ jax.jacfwd(space.flat_point)(z)


def row_weights(objective: Objective, space: Space, z: Float[Array, " m"]) -> Float[Array, " n"]:
    """The weights of the rows of :func:`scores_in_z`, ones where a term has none."""
    pieces = []
    for term, count in zip(objective.terms, row_counts(objective, space, z), strict=True):
        weights = term.weights_of_rows()
        if count is not None:
            pieces.append(jnp.ones(count, z.dtype) if weights is None else weights[:count].astype(z.dtype))
    return jnp.concatenate(pieces)


def row_counts(objective: Objective, space: Space, z: Float[Array, " m"]) -> list[int | None]:
    """How many rows each term has scores of, None for one without; found from shapes alone."""
    shapes = [jax.eval_shape(lambda z, t=term: t.scores(space.lift, space.point(z)), z) for term in objective.terms]
    return [None if shape is None else shape.shape[0] for shape in shapes]


def check_has_rows(objective: Objective, space: Space, z: Float[Array, " m"]) -> None:
    """Raise ``TypeError`` unless every likelihood of ``objective`` has rows, and there is one."""
    counts = row_counts(objective, space, z)
    likelihoods = [count for term, count in zip(objective.terms, counts, strict=True) if term.is_likelihood]
    if not likelihoods:
        raise TypeError("there are no scores: the objective has no likelihood, only priors; add one to it")
    if None in likelihoods:
        raise TypeError(
            "there are no scores by rows: a likelihood with rows=False gives one number for all its data; return a "
            "vector of per-step contributions from its function, or use what needs the curvature only"
        )


@compiled
def _scores(objective, space, z):
    return own_scores_in_z(objective, space, z)
