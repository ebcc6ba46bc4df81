"""Influence: how far each row moves the estimate."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.asked import Asked
from jaxmle.inference.covariances.covariance import covariance_of
from jaxmle.inference.covariances.hat import leverages, location_of, of_location
from jaxmle.inference.door import check_one_fit
from jaxmle.inference.printed import Printed, refuse_batch
from jaxmle.inference.rows.leave_out import left_out
from jaxmle.inference.rows.scores import own_scores_in_z
from jaxmle.inference.top import refuse_contradicted
from jaxmle.parameters.space import Space
from jaxmle.tables import Row, Table
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem

_SHOWN = 10


class Influence(Printed):
    """How far each row moves the estimate. Made by :func:`influence`; ``print`` shows the rows that do most.

    ``params`` is a tree like params with a leading axis of rows: the derivative of each number in the weight of the
    row, NaN for what is fixed; ``z`` (n, m) the same of the free numbers. ``leverage`` (n,) and ``cooks_distance``
    (n,) as :func:`influence` says.
    """

    params: Any
    z: Float[Array, "n m"]
    leverage: Float[Array, " n"]
    cooks_distance: Float[Array, " n"]
    space: Space

    def table(self) -> Table:
        """The table that ``print`` shows: the rows of largest Cook's distance. Raises ``ValueError`` for a batch."""
        refuse_batch(self.leverage, 1, "influences")
        distance, leverage = np.asarray(self.cooks_distance), np.asarray(self.leverage)
        order = np.argsort(-np.where(np.isnan(distance), np.inf, distance), kind="stable")[:_SHOWN]
        z = np.asarray(self.z)
        return Table(
            title="Influence of rows",
            header=(("Rows", str(distance.size)), ("Largest first", "by Cook's distance")),
            columns=("Cook's D", "leverage", *self.space.z_labels()),
            formats=("coefficient",) * (2 + z.shape[1]),
            rows=tuple(Row(f"row {i}", tuple(map(float, (distance[i], leverage[i], *z[i])))) for i in order.tolist()),
            notes=("Columns of parameters: the change in z for one more case like the row.",),
        )


def influence(objective: Term | Problem, fit: Fit) -> Influence:
    r"""How far each row moves the estimate, without fitting again.

    With ``s_i`` the score of row i and A the curvature at the estimate, its influence is ``A^-1 s_i``, the derivative
    of the estimate in the weight of the row: one more case like it moves the estimate there, one less to the other
    side. Summed within groups and squared it is the cluster sandwich (the infinitesimal jackknife).

    - Of an objective with one regression the ``leverage`` h is that of :func:`jaxmle.leverage`, and Cook's distance is
      ``s' I^-1 s / (p (1 - h)^2)`` in the p coefficients of the location, whose expected information is I. For least
      squares, where the scale is a parameter, that is n / (n - p) times the one with the unbiased variance.
    - Else with H the curvature of row i the leverage is ``trace(A^-1 H)``, and Cook's distance ``d' A d / m`` with the
      step ``d = (A - H)^-1 s_i`` to the estimate without the row.

    Arguments: ``objective``, what was fitted, with likelihoods that are sums over rows; ``fit``, its fit.

    Returns an :class:`Influence`. All is of one case of a row, whatever its weight: of a row of weight zero, of the
    case that it would be, and NaN where that has no finite score (a missing value). NaN too where the fit is no
    estimate or a direction has no curvature. Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``TypeError`` for likelihoods without rows, or a prior with kinks; ``ValueError`` for
    a fit that the objective contradicts (it was of another).

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.poisson(jnp.array([2.0, 3.0, 4.0]))
    >>> [round(float(x), 4) for x in jm.influence(problem, jm.fit(problem)).params["rate"][::2]]  # (y - mean) / n
    [-0.3333, 0.3333]

    Source: Hampel (1974); Cook and Weisberg (1982), "Residuals and Influence in Regression", sections 3.4 and 5.2;
    Pregibon (1981), section 4; Jaeckel (1972) on the infinitesimal jackknife.
    """
    check_one_fit(fit, "jm.influence")
    objective = smooth_objective(objective, "influence")
    refuse_contradicted(objective, fit, "jm.influence")
    space = fit.space.unlabelled
    found = _influence(Asked(objective, space, fit.z, jacobian=fit.jacobian), fit.status)
    params = jax.vmap(lambda flat: space.tree_of_leaves(space.leaves_of_scalars(flat, jnp.nan)))(found.pop("scalars"))
    return Influence(params=params, space=fit.space, **found)


def smooth_objective(objective: Term | Problem, what: str):
    """The objective, for what a curvature tells. Raises ``TypeError`` for a prior with kinks."""
    objective = as_problem(objective).objective
    if objective.is_rough:
        raise TypeError(
            f"{what} is told by the curvature, and a prior with kinks (laplace, elastic_net, group_laplace) has none: "
            "leave rows out and fit again, with jm.jackknife or jm.cross_validate"
        )
    return objective


@compiled
def _influence(asked: Asked, status) -> dict[str, Any]:
    space, z = asked.space, asked.z
    curvature: Any = evaluate_in_z(asked.objective, space, z, 2, asked.jacobian).curvature
    covariance = covariance_of(curvature)
    scores = own_scores_in_z(asked.likelihoods(), space, z)
    moves = scores @ covariance.matrix
    location = location_of(asked)
    if isinstance(location, str):
        rows = left_out(asked, curvature, covariance)
        leverage, distance = rows.leverage, jnp.square(rows.shift) / z.size
    else:
        leverage = leverages(asked, location)
        distance = _cooks_distance(asked, location, scores, leverage)
    found = {"z": moves, "leverage": leverage, "cooks_distance": distance}
    found["scalars"] = moves if space.is_identity and not space.has_ties else moves @ jax.jacfwd(space.scalars)(z).T
    return {name: jnp.where(codes.is_ok(status), value, jnp.nan) for name, value in found.items()}


def _cooks_distance(asked, location, scores, leverage):
    """Cook's distance of rows in the coefficients of the location."""
    columns = location.columns
    _, _, information = of_location(asked, location)
    own = scores[:, columns]
    lengths = jnp.einsum("ni,ij,nj->n", own, covariance_of(information).matrix, own)
    return lengths / columns.size / jnp.square(1.0 - leverage)
