"""The hat matrix of a regression: leverages, and the sandwiches that correct for them."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmle.core.compiled import compiled
from jaxmle.core.dependence import dependence
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.asked import CASE, SAMPLING, Asked
from jaxmle.inference.covariances.covariance import covariance_of
from jaxmle.inference.door import check_one_fit
from jaxmle.inference.rows.scores import in_z, scores_in_z
from jaxmle.terms import rows as row_tools
from jaxmle.terms.objective import Term
from jaxmle.terms.predictor import Predictor, moving_numbers, noise_derivatives
from jaxmle.terms.problem import Problem, as_problem
from jaxmle.terms.regression import Regression


class Location(NamedTuple):
    """The one number of each row that a regression is about: part ``index`` of ``predictor``, and where in z its
    coefficients are."""

    term: Regression
    factor: Any
    predictor: Predictor
    index: int
    columns: np.ndarray


def leverage(objective: Term | Problem, fit: Fit, weights: str = CASE) -> Float[Array, " n"]:
    r"""The leverages of the rows of a regression, the diagonal of its hat matrix.

    ``h_i = v_i J_i A^-1 J_i'`` with ``J_i`` the derivative of row i's location (the linear predictor) in its
    coefficients, ``v_i`` the expected information about it (the curvature where that has no closed form), and ``A``
    the sum of ``w_i v_i J_i' J_i``, and of the curvature of priors. They lie between zero and one and sum, without a
    prior, to the number of coefficients.

    Arguments:
        objective: what was fitted, with one likelihood, a ``jm.regression`` (so are the models), whose density has
            one parameter a row that depends on ``x``, one number. Other parameters (a scale) are taken as known.
        fit: its fit.
        weights: what the weights mean. "case": a row of weight w is w rows, and the leverage that of one of them.
            "sampling": it is one row, and ``h_i`` has the factor ``w_i``.

    Returns an array (n,). Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``TypeError`` for an objective that has no such location, ``ValueError`` for unknown weights.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.linear(jnp.array([[1.0], [2.0], [3.0]]), jnp.array([1.1, 1.9, 3.1]))
    >>> [round(float(h), 4) for h in leverage(problem, jm.fit(problem))]
    [0.0714, 0.2857, 0.6429]

    Source: Hoaglin and Welsch (1978), "The hat matrix in regression and ANOVA"; Pregibon (1981), section 2.
    """
    check_one_fit(fit, "jm.leverage")
    if weights not in (CASE, "frequency", SAMPLING):
        raise ValueError(f"there are no weights of the kind {weights!r}; the kinds are: case, frequency, sampling")
    objective = as_problem(objective).objective.part(smooth=True)
    meaning = SAMPLING if weights == SAMPLING else CASE
    return _leverage(Asked(objective, fit.space.unlabelled, fit.z, meaning))


def leverages(asked: Asked, location: Location) -> Float[Array, " n"]:
    """The leverages of the rows. See :func:`leverage`."""
    jacobian, curvature, information = of_location(asked, location)
    counted = curvature if asked.weights == CASE else row_tools.weighted(curvature, location.term.weights)
    return counted * jnp.einsum("ni,ij,nj->n", jacobian, covariance_of(information).inverse, jacobian)


def of_location(asked: Asked, location: Location):
    """The derivative of each row's location in its coefficients (n, p), the information of each about it (n,), and that
    of all rows and of the priors about the coefficients (p, p)."""
    term, predictor, j = location.term, location.predictor, location.index
    rows = row_tools.open_shared(term.x)
    eta = predictor(rows)
    curvature = _curvature(term, eta, j)
    if location.factor is not None:
        curvature = jnp.asarray(location.factor, curvature.dtype) * curvature
    chosen = moving_numbers(eta, predictor.moving) == moving_numbers(eta, [j])
    ones = jnp.broadcast_to(jnp.asarray(chosen, curvature.dtype)[None, :], (curvature.size, chosen.size))
    jacobian = predictor.row_gradients(rows, ones)
    jacobian = in_z(asked.space, asked.z, jacobian)[:, location.columns]
    kept = row_tools.weighted(curvature, term.weights)
    prior: Any = evaluate_in_z(asked.priors(), asked.space, asked.z, 2, asked.jacobian).curvature
    counted = _without(jacobian, term.weights)
    information = counted.T @ (counted * kept[:, None]) + prior[np.ix_(location.columns, location.columns)]
    return jacobian, curvature, information


def hc2(asked: Asked):
    """The middle with ``s s' / (1 - h)`` for the coefficients of the location.

    Source: Horn, Horn and Duncan (1975); MacKinnon and White (1985), section 2.
    """
    return _by_leverage(asked, 0.5), {}


def hc3(asked: Asked):
    """The middle with ``s s' / (1 - h)^2`` for the coefficients of the location.

    Source: MacKinnon and White (1985), section 2; Long and Ervin (2000), equation 8.
    """
    return _by_leverage(asked, 1.0), {}


def _by_leverage(asked: Asked, power: float):
    """The sum over rows of outer products, the scores of the location's coefficients over ``(1 - h)^power``, the
    others as they are."""
    location = location_of(asked)
    if isinstance(location, str):
        raise TypeError(f"hc2 and hc3 correct for leverages, and {location}; use hc0 or hc1")
    raised = (1.0 - leverages(asked, location)) ** -power
    scores = scores_in_z(asked.likelihoods(), asked.space, asked.z)
    scores = scores.at[:, location.columns].multiply(raised[:, None])
    weights = location.term.weights
    if weights is not None and asked.weights != CASE:
        weights = jnp.square(weights)
    return row_tools.weighted(scores, weights).T @ _without(scores, weights)


def _without(scores, weights):
    """``scores`` with zeros in rows of weight zero, whatever they are worth."""
    return scores if weights is None else jnp.where(weights[:, None] == 0, 0.0, scores)


def count_coefficients(asked: Asked) -> int:
    """What small-sample factors subtract from n: the coefficients of the location, where the objective has one, as
    least squares does; else all free numbers."""
    location = location_of(asked)
    return asked.z.size if isinstance(location, str) else len(location.columns)


def location_of(asked: Asked) -> Location | str:
    """The location of the objective's one regression, or why there is none."""
    likelihoods = asked.likelihoods()
    if len(likelihoods.terms) != 1 or not isinstance(likelihoods.terms[0], Regression):
        return "only an objective with one likelihood, a jm.regression, has them"
    term, space = likelihoods.terms[0], asked.space
    predictor = term.predictor_at(space.lift, space.point(asked.z))
    wanted = predictor.moving if len(predictor.moving) == 1 else _of_rows(predictor)
    if len(wanted) != 1:
        return f"{len(wanted)} parameters of this density depend on both x and the coefficients, not one"
    part = predictor.parts[wanted[0]]
    if part.size != 1:
        return f"the location of this density is {part.size} numbers a row, not one"
    if any(set(predictor.parts[j].leaves) & set(part.leaves) for j in predictor.moving if j != wanted[0]):
        return "its coefficients also enter another parameter of the density"
    return Location(term, likelihoods.factors[0], predictor, wanted[0], _columns(space, part.leaves))


def _of_rows(predictor: Predictor) -> list[int]:
    """The moving parts of eta that also depend on data of the row's own."""
    count = len(predictor.point)
    leaves, treedef = jax.tree.flatten(predictor.x, is_leaf=row_tools.is_shared)
    own = [not row_tools.is_shared(leaf) for leaf in leaves for _ in jax.tree.leaves(leaf)]
    row = jax.tree.unflatten(treedef, [leaf.value if row_tools.is_shared(leaf) else leaf[0] for leaf in leaves])

    def parts(*point_and_row):
        return jax.tree.leaves(predictor.function(point_and_row[:count], point_and_row[count]))

    used = dependence(parts, *predictor.point, row)
    return [j for j in predictor.moving if any(i >= count and own[i - count] for i in used[j])]


def _columns(space, leaves) -> np.ndarray:
    """Where in z the free numbers of ``leaves`` are."""
    sizes = [math.prod(shape) for shape in space.layout.free_shapes]
    ends = np.cumsum(sizes).tolist()
    return np.concatenate([np.arange(ends[i] - sizes[i], ends[i]) for i in leaves])


def _curvature(term, eta, j):
    """The information of each row about part ``j`` of eta: expected, or observed where that has no closed form."""
    if hasattr(term.density, "information"):
        return term.information(eta, [j])[:, 0, 0]
    return -noise_derivatives(term.log_density, eta, [j], row_tools.open_shared(term.y), 2)[2][:, 0, 0]


@compiled
def _leverage(asked):
    location = location_of(asked)
    if isinstance(location, str):
        raise TypeError(f"there are no leverages: {location}")
    return leverages(asked, location)
