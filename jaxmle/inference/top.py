"""Whether an estimate is at a maximum whose parameters can be counted, as tests and criteria need it to be."""

import jax.numpy as jnp
import numpy as np

from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.core.evaluation import Evaluation
from jaxmle.core.tree import is_traced
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.covariances.covariance import covariance_of
from jaxmle.terms.objective import Objective
from jaxmle.terms.risk import losses_of

SHORT = 0.01  # log-likelihood: a statistic, and an AIC, is then right to 0.02
_BEYOND_ROUNDING = 0.5  # log-likelihood, which is about a standard error


def newton_decrement(observed: Evaluation):
    """The root of twice what a Newton step would still bring, by the ``observed`` curvature; infinite where that is the
    curvature of no maximum, NaN where it leaves a direction free. No other information will do: the outer product of
    the gradient is largest where the gradient is."""
    covariance = covariance_of(observed.curvature)
    decrement = jnp.sqrt(observed.gradient @ covariance.matrix @ observed.gradient)
    return jnp.where(covariance.indefinite, jnp.inf, decrement)


def decrement_of(objective: Objective, fit: Fit):
    """The Newton decrement of ``objective`` at a ``fit``, which may have been of another one; NaN with a prior that has
    kinks, where the curvature does not say."""
    if objective.is_rough:
        return jnp.asarray(jnp.nan, fit.z.dtype)
    return _decrement_at(objective, fit.space.unlabelled, fit.z, jacobian=fit.jacobian)


def standard_errors_away(objective: Objective, fit: Fit, cov):
    """By how many standard errors of ``cov``, the covariance of the scalars, a Newton step moves some scalar of a
    ``fit`` for whose maximum no solver vouches, at the most; zero at others, NaN where there is no such step.

    In units of the errors, and not of log-likelihood, it holds for a loss too. A scalar without an error is passed
    over.
    """
    status = fit.status
    if not (is_traced(status) or codes.is_unfinished(np.asarray(status))):
        return jnp.zeros((), fit.z.dtype)
    away = _away(objective, fit.space.unlabelled, fit.z, cov, jacobian=fit.jacobian)
    return jnp.where(codes.is_unfinished(status), away, 0.0)


@compiled
def _away(objective, space, z, cov, *, jacobian):
    observed = evaluate_in_z(objective.part(smooth=True), space, z, 2, jacobian)
    step = covariance_of(observed.curvature).matrix @ observed.gradient
    moves = jnp.abs(space.scalars(z + step) - space.scalars(z)) / jnp.sqrt(jnp.diagonal(cov))
    return jnp.where(jnp.any(jnp.isfinite(moves)), jnp.nanmax(moves), jnp.nan)


@compiled
def _decrement_at(objective, space, z, *, jacobian):
    return newton_decrement(evaluate_in_z(objective, space, z, 2, jacobian))


def is_short(status, decrement):
    """Whether a fit that is ok is short of its maximum: its Newton ``decrement`` says that ``SHORT`` or more is
    missing, and no solver vouches for it, as of optax after some steps, or it is contradicted."""
    return codes.is_unfinished(status) & ~(0.5 * decrement**2 < SHORT) | is_contradicted(status, decrement)


def is_contradicted(status, decrement):
    """Whether a fit says that it converged, and the objective whose ``decrement`` this is that it did not: it was of
    another one, or its tolerance was loose."""
    missing = 0.5 * decrement**2
    at_rounding = (status == codes.STALLED_AT_ROUNDING) & (missing >= _BEYOND_ROUNDING)
    return ((status == codes.CONVERGED) & (missing >= SHORT)) | at_rounding


def contradicts(inference):
    """Whether the objective of an ``inference`` contradicts its fit; a loss, in units that are anybody's, does not."""
    return is_contradicted(inference.status, inference.newton_decrement) & (not inference.losses)


def refuse_contradicted(objective: Objective, fit: Fit, call: str) -> None:
    """Raise ``ValueError`` where the ``objective`` contradicts its fit, for what begins at the estimate, by ``call``;
    values in a trace are not looked at."""
    if is_traced((objective, fit)) or losses_of(objective) or not _claims(fit.status):
        return
    decrement = decrement_of(objective, fit)
    if is_contradicted(fit.status, decrement):
        raise ValueError(f"{call} begins at the estimate, and {what_contradicts(decrement)}")


def _claims(status) -> bool:
    """Whether a fit says that it is where it should be, so that it can be contradicted."""
    return int(status) in (codes.CONVERGED, codes.STALLED_AT_ROUNDING)


def is_top(status, decrement):
    """Whether a fit is at a maximum whose parameters can be counted: ok, not flat, and not short of it."""
    return codes.is_ok(status) & (status != codes.FLAT) & ~is_short(status, decrement)


def why_not_top(status, decrement) -> str:
    """What to say of one fit that is not."""
    status = int(status)
    if not codes.is_ok(status) or status == codes.FLAT:
        return codes.sentence(status)
    if is_contradicted(status, decrement):
        return what_contradicts(decrement)
    how = f"{what_is_missing(decrement)}; go on from there, by jm.polish or jm.fit"
    return f"{codes.sentence(status)}, and is not at its maximum: {how}"


def what_contradicts(decrement) -> str:
    """What to say of a fit that is contradicted."""
    return (
        f"the fit says that it converged, but on this objective {what_is_missing(decrement)}: it was of another one "
        "(other data, weights or terms), or its tolerance was loose; give the objective that was fitted, or fit this "
        "one, to a smaller tolerance"
    )


def why_away(status, away) -> str:
    """What to say of one fit that is ``away`` standard errors from its maximum."""
    how = "its curvature shows no maximum" if np.isnan(away) else f"it is about {float(away):.2g} standard errors away"
    return f"{codes.sentence(int(status))}, and is not at its maximum: {how}; go on from there, by jm.polish or jm.fit"


def what_is_missing(decrement) -> str:
    """How far from its maximum a fit is, in words."""
    left = 0.5 * float(decrement) ** 2
    return f"about {left:.3g} of log-likelihood is missing" if np.isfinite(left) else "its curvature shows no maximum"
