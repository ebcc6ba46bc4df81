"""Standard errors, tests and intervals of a fit."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxmle.core import status as codes
from jaxmle.core.rearrange import rearrange
from jaxmle.fitting.program import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.covariance import covariance_of
from jaxmle.inference.inference import Inference
from jaxmle.tables import Table
from jaxmle.terms.objective import Objective, Term
from jaxmle.terms.problem import Problem, as_problem

KINDS = ("observed",)


def infer(objective: Term | Problem, fit: Fit, covariance: str = "observed", weights: str = "case") -> Inference:
    """Standard errors, z-values, p-values, intervals and criteria of ``fit``.

    Arguments:
        objective: what was fitted: a term, a sum of terms or a problem.
        fit: the fit, by whomever: ``jm.fit``, or ``jm.Fit.at(objective, values)``.
        covariance: "observed": the inverse of the curvature of the log-posterior at the estimate, in z, carried to
            params by the delta method.
        weights: what the weights of the terms mean. "case": weight 2 equals the row twice.

    Returns an :class:`Inference`; ``print`` shows it. Works under ``jax.jit`` and ``jax.vmap``.

    Where the information is singular or not positive definite the entries that the direction touches are NaN, and
    the table names the direction. A fit that is not ok has no standard errors, but for the parameters that a
    diverging fit had settled; a fit with a prior that has kinks (laplace, elastic_net, group_laplace) has none, since
    the curvature does not say how the zeros vary.

    Errors: ``ValueError`` for an unknown kind of covariance or of weights, or a fit of another objective.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.poisson(jnp.array([2.0, 3.0, 4.0]))
    >>> inference = jm.infer(problem, jm.fit(problem))
    >>> round(float(inference.bse["rate"]), 4), round(float(inference.llf), 4)
    (1.0, -4.7754)

    Source: Efron and Hinkley (1978), "Assessing the accuracy of the maximum likelihood estimator: observed versus
    expected Fisher information"; Akaike (1974); Schwarz (1978).
    """
    if covariance not in KINDS:
        raise ValueError(f"there is no covariance {covariance!r}; the kinds are: {', '.join(KINDS)}")
    if weights != "case":
        raise ValueError(f"there are no weights of the kind {weights!r}; the kinds are: case")
    problem = as_problem(objective)
    try:
        found = _infer(problem.objective, fit.space.unlabelled(), fit.z, fit.direction, fit.status, fit.jacobian)
    except (KeyError, AttributeError, IndexError) as error:
        names = ", ".join(leaf.name for leaf in fit.space.layout.leaves)
        raise ValueError(
            f"this fit is not one of this objective: the fit has the parameters {names}, and the objective could not "
            f"be evaluated there ({error}); give both from the same jm.fit"
        ) from error
    facts = _Facts(
        covariance,
        has_prior(problem.objective),
        is_scaled(problem.objective),
        problem.objective.is_rough,
        problem.name,
        problem.remarks,
    )
    return rearrange(_put_together, found, fit, facts)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class _Facts:
    """What an inference knows that is not an array."""

    covariance: str
    has_prior: bool
    is_scaled: bool
    is_rough: bool
    name: str
    remarks: Any


def _put_together(found, fit, facts) -> Inference:
    trees = {key: fit.space.tree_of_leaves(leaves) for key, leaves in found["trees"].items()}
    return Inference(
        params=fit.params,
        status=fit.status,
        z=fit.z,
        jacobian=fit.jacobian,
        space=fit.space,
        **trees,
        **found["arrays"],
        **dataclasses.asdict(facts),
    )


def summary(objective: Term | Problem, fit: Fit, alpha: float = 0.05) -> Table:
    """The table of estimates, standard errors, tests and intervals of ``fit``: ``print(jm.summary(objective, fit))``.

    Arguments as for :func:`infer`; intervals are at confidence ``1 - alpha``. The table has ``to_frame()``,
    ``to_latex()`` and ``to_html()``.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.poisson(jnp.array([2.0, 3.0, 4.0]))
    >>> summary(problem, jm.fit(problem)).rows[0].label
    'rate'
    """
    return infer(objective, fit).table(alpha)


def has_prior(objective: Objective) -> bool:
    """Whether any term of the objective is not a likelihood."""
    return any(not term.is_likelihood for term in objective.terms)


def is_scaled(objective: Objective) -> bool:
    """Whether some likelihood is multiplied by a number, so that the sum is the log-likelihood of no model."""
    pairs = zip(objective.terms, objective.factors, strict=True)
    return any(term.is_likelihood and factor is not None for term, factor in pairs)


@functools.partial(jax.jit, static_argnums=5)
def _infer(objective, space, z, direction, status, jacobian):
    rough = objective.part(smooth=False)
    evaluation = evaluate_in_z(objective.part(smooth=True), space, z, 2, jacobian)
    covariance = covariance_of(evaluation.curvature)
    lost = _without_errors(z, direction, status) | objective.is_rough
    affected = covariance.affected | lost
    cov_z = jnp.where(affected[:, None] | affected[None, :], jnp.nan, covariance.matrix)
    scalars = space.scalars(z)
    cov = _carry(space, z, jnp.where(jnp.isnan(cov_z), 0.0, cov_z), affected)
    bse = jnp.sqrt(jnp.diagonal(cov))
    zvalues = scalars / bse
    llf, nobs, count = evaluation.log_likelihood, objective.nobs().astype(z.dtype), z.size
    aic, bic = 2.0 * count - 2.0 * llf, count * jnp.log(nobs) - 2.0 * llf
    penalised = has_prior(objective) or is_scaled(objective) or jacobian
    pvalues = jax.scipy.special.erfc(jnp.abs(zvalues) / jnp.sqrt(jnp.asarray(2.0, z.dtype)))
    trees = {"bse": bse, "zvalues": zvalues, "pvalues": pvalues}
    arrays = {
        "cov": cov,
        "bse_z": jnp.sqrt(jnp.diagonal(cov_z)),
        "llf": llf,
        "logprior": evaluation.log_prior + rough.rough_value(space.params(z)) - (space.log_det(z) if jacobian else 0.0),
        "aic": jnp.full_like(aic, jnp.nan) if penalised else aic,
        "bic": jnp.full_like(bic, jnp.nan) if penalised else bic,
        "nobs": nobs,
        "eigenvalues": covariance.eigenvalues,
        "directions": covariance.directions,
        "indefinite": covariance.indefinite,
    }
    leaves = {key: space.leaves_of_scalars(scalars, jnp.nan) for key, scalars in trees.items()}
    return {"trees": leaves, "arrays": arrays}


def _carry(space, z, cov_z, affected):
    """The covariance of the scalars of params from that of z; NaN where one depends on an affected number."""
    if space.is_identity and not space.has_ties:
        jacobian_touches, cov = affected, cov_z
    else:
        jacobian = jax.jacfwd(space.scalars)(z)
        jacobian_touches = (jnp.abs(jacobian) @ affected.astype(z.dtype)) > 0
        cov = jacobian @ cov_z @ jacobian.T
    return jnp.where(jacobian_touches[:, None] | jacobian_touches[None, :], jnp.nan, cov)


def _without_errors(z, direction, status):
    """Which numbers have no standard error because of how the fit ended."""
    settled = (status == codes.DIVERGING) | (status == codes.BOUNDARY)
    moving = codes.still_moving(direction, z)
    return jnp.where(settled, moving, ~codes.is_ok(status))
