"""Leave-one-out log-likelihoods, approximated without fitting again."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.asked import Asked
from jaxmle.inference.covariances.covariance import covariance_of
from jaxmle.inference.door import check_one_fit
from jaxmle.inference.predictions.quantity import check_kind, parts_of, quantity_of, the_regression
from jaxmle.inference.printed import Printed, refuse_batch
from jaxmle.inference.resampling.resample import fractional_row, likelihood_terms
from jaxmle.inference.rows.influence import smooth_objective
from jaxmle.inference.rows.leave_out import left_out
from jaxmle.inference.rows.scores import row_weights
from jaxmle.inference.top import refuse_contradicted
from jaxmle.parameters.space import Space
from jaxmle.tables import Row, Table
from jaxmle.terms.objective import Term
from jaxmle.terms.predictor import over_rows
from jaxmle.terms.problem import Problem
from jaxmle.terms.rows import open_shared

HIGH_LEVERAGE, LONG_SHIFT = 0.5, 1.0
_SHOWN = 10


class LeaveOneOut(Printed):
    """Approximate log-likelihoods of rows by the fit without them. Made by :func:`loo`; ``print`` shows the sum.

    ``log_likelihood`` (n,) is that of each row, ``total`` the sum over cases with its standard error ``se``;
    ``effective_parameters`` how much lower the total is than the log-likelihood of the fit. ``z`` (n, m) are the
    estimates without each row, ``params`` the tree like params with that leading axis. ``leverage`` (n,) and ``shift``
    (n,), in standard errors, say how much a row decides; ``doubtful`` (n,) where the approximation may be poor.
    ``fitted`` is the status of the fit.
    ``predicted`` is what the fit without it predicts of each row, None where no ``kind`` was asked for.
    """

    log_likelihood: Float[Array, " n"]
    total: Float[Array, ""]
    se: Float[Array, ""]
    effective_parameters: Float[Array, ""]
    params: Any
    z: Float[Array, "n m"]
    leverage: Float[Array, " n"]
    shift: Float[Array, " n"]
    doubtful: Bool[Array, " n"]
    fitted: Int[Array, ""]
    space: Space
    predicted: Any = None

    @property
    def message(self) -> str:
        """Which rows are doubtful, in a sentence. Raises ``ValueError`` for a batch."""
        refuse_batch(self.total, 0, "leave-one-out results")
        if not codes.is_ok(int(self.fitted)):
            return f"nothing is known without a row, since the fit is no estimate: {codes.sentence(int(self.fitted))}"
        rows = np.flatnonzero(np.asarray(self.doubtful))
        if not rows.size:
            return "no row decides so much that the approximation is in doubt"
        some = ", ".join(map(str, rows[:_SHOWN])) + ", ..." * (rows.size > _SHOWN)
        return (
            f"doubtful at row{'s' * (rows.size > 1)} {some} (counted from zero, {rows.size} in all): a leverage above "
            f"{HIGH_LEVERAGE:g}, or an estimate that moves by more than a standard error without the row; "
            "jm.jackknife or jm.cross_validate fit again without them"
        )

    def table(self) -> Table:
        """The table that ``print`` shows. Raises ``ValueError`` for a batch."""
        refuse_batch(self.total, 0, "leave-one-out results")
        numbers = np.asarray(self.total), np.asarray(self.se)
        return Table(
            title="Leave-one-out log-likelihood (one Newton step)",
            header=(("Rows", str(self.leverage.shape[0])), ("Doubtful", str(int(np.asarray(self.doubtful).sum())))),
            columns=("estimate", "std err"),
            formats=("statistic", "statistic"),
            rows=(
                Row("log-likelihood", tuple(map(float, numbers))),
                Row("effective parameters", (float(self.effective_parameters), None)),
            ),
            notes=(self.message[:1].upper() + self.message[1:] + ".",),
        )


def loo(objective: Term | Problem, fit: Fit, kind: str | None = None) -> LeaveOneOut:
    r"""The log-likelihood of each row by the fit without it, approximately, from one fit.

    With ``s_i`` and ``H_i`` the score and curvature of row i and A the curvature of the log-posterior, the estimate
    without the row is taken to be ``z - (A - H_i)^-1 s_i``: one Newton step, exact where the log-posterior is
    quadratic. Of a row of weight w one case is left out, and its number counts w times in the sum.

    Arguments: ``objective``, what was fitted, with likelihoods that are sums over rows, and smooth priors; ``fit``;
    ``kind``, "mean", "linear" or "probability" as for :func:`jaxmle.predict`, where predictions are wanted too.

    Returns a :class:`LeaveOneOut`; ``print`` shows it, and where it is doubtful: rows of leverage ``trace(A^-1 H_i)``
    above 0.5, rows without which the estimate moves by more than a standard error, and those without which no maximum
    is left (NaN). NaN where the fit is no estimate. Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``ValueError`` for weights that are no whole numbers (NaN in a trace), and a fit that the objective
    contradicts (it was of another); ``TypeError`` for likelihoods without rows, a prior with kinks, or a ``kind`` where
    the one likelihood is no regression.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.logistic(jnp.ones((8, 1)), jnp.array([0, 1, 1, 1, 0, 1, 0, 1]))
    >>> found = jm.loo(problem, jm.fit(problem))
    >>> round(float(found.total), 3), int(found.doubtful.sum())  # 5 log(4/7) + 3 log(2/7) is -6.556
    (-6.516, 0)

    Source: Beirami and others (2017), "On optimal generalizability in parametric learning"; Rad and Maleki (2020), "A
    scalable estimate of the out-of-sample prediction error via approximate leave-one-out cross-validation".
    """
    check_one_fit(fit, "jm.loo")
    objective = smooth_objective(objective, "leaving rows out by one step")
    refuse_contradicted(objective, fit, "jm.loo")
    fraction = fractional_row(objective)
    if fraction is not None:
        raise ValueError(
            f"one case of each row is left out, and {fraction}: its weights are case weights, whole numbers; leave "
            "whole rows out with jm.jackknife(..., groups=numpy.arange(rows)) or jm.cross_validate"
        )
    space = fit.space.unlabelled
    found = _loo(Asked(objective, space, fit.z, jacobian=fit.jacobian), fit.status)
    predicted = None if kind is None else _predicted(_alone(objective, kind), space, fit.z, found["z"], kind=kind)
    params = jax.vmap(space.params)(found["z"])
    return LeaveOneOut(params=params, fitted=fit.status, space=fit.space, predicted=predicted, **found)


def _alone(objective, kind):
    """The regression whose rows are all rows."""
    check_kind(kind, None)
    if len(likelihood_terms(objective)) > 1:
        raise TypeError(
            "predictions without a row are those of one regression, and the objective has other likelihoods beside it: "
            "compute them from jm.loo(...).params, one estimate for each row"
        )
    return the_regression(objective)


@compiled
def _predicted(term, space, z, without, *, kind):
    quantity = quantity_of(term, space, z, kind)

    def one(row):
        return jnp.asarray(quantity.of(parts_of(term, space.params(row["z"]), row["x"]), None), z.dtype)

    rows = {"x": term.x, "z": without}
    return over_rows(one, rows)(open_shared(rows))


@compiled
def _loo(asked: Asked, status) -> dict[str, Any]:
    evaluation: Any = evaluate_in_z(asked.objective, asked.space, asked.z, 2, asked.jacobian)
    rows = left_out(asked, evaluation.curvature, covariance_of(evaluation.curvature))
    weights = row_weights(asked.likelihoods(), asked.space, asked.z)
    n = jnp.sum(weights)
    values = jnp.where(weights > 0, rows.log_likelihood, 0.0)
    total = weights @ values
    spread = weights @ jnp.square(jnp.where(weights > 0, values - total / n, 0.0))
    found = {
        "log_likelihood": rows.log_likelihood,
        "total": total,
        "se": jnp.sqrt(n * spread / (n - 1.0)),
        "effective_parameters": evaluation.log_likelihood - total,
        "z": asked.z[None, :] + rows.step,
        "leverage": rows.leverage,
        "shift": rows.shift,
    }
    sound = codes.is_ok(status) & jnp.all(weights == jnp.round(weights))
    found = {name: jnp.where(sound, value, jnp.nan) for name, value in found.items()}
    doubtful = ~((found["leverage"] <= HIGH_LEVERAGE) & (found["shift"] <= LONG_SHIFT))
    return found | {"doubtful": doubtful & (weights > 0)}
