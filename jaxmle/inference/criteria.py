"""Information criteria beyond AIC and BIC."""

import jax.numpy as jnp

from jaxmle.core.compiled import compiled
from jaxmle.core.evaluation import OPG
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.covariances.covariance import covariance_of
from jaxmle.inference.door import check_one_fit
from jaxmle.inference.infer import has_prior, is_scaled
from jaxmle.inference.inference import Inference
from jaxmle.inference.top import is_top, newton_decrement
from jaxmle.terms.objective import Objective, Term
from jaxmle.terms.problem import Problem, as_problem


def aicc(inference: Inference):
    """Akaike's criterion corrected for few observations: ``aic + 2 k (k + 1) / (n - k - 1)``.

    Arguments: ``inference``, what :func:`jaxmle.infer` returned; k its free parameters, n its observations.

    Returns a number; NaN where there are no more than k + 1 observations, and where the AIC is (a prior, no maximum).

    >>> import jaxmle as jm
    >>> problem = jm.models.poisson([2.0, 3.0, 4.0])
    >>> round(float(jm.aicc(jm.infer(problem, jm.fit(problem)))), 4)
    15.5509

    Source: Hurvich and Tsai (1989), "Regression and time series model selection in small samples", equation 4: exact
    for linear regression, an approximation elsewhere.
    """
    count = inference.z.shape[-1]
    left = inference.nobs - count - 1.0
    more = 2.0 * count * (count + 1.0) / jnp.where(left > 0, left, 1.0)
    return jnp.where(left > 0, inference.aic + more, jnp.nan)


def tic(objective: Term | Problem, fit: Fit):
    """Takeuchi's criterion: ``-2 llf + 2 trace(A^-1 B)``, which is AIC where the model is right.

    A is the observed information and B the sum over rows of the outer product of the gradient: the trace counts
    parameters also where no parameter is the true one.

    Arguments: what was fitted, a likelihood of rows, and the fit.

    Returns a number; NaN where the fit failed or stopped short of its maximum, or the information is not positive
    definite. Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``ValueError`` with a prior, a loss, or a likelihood multiplied by a number; ``TypeError`` for a
    log-likelihood that gives one number for all rows.

    >>> import jaxmle as jm
    >>> problem = jm.models.poisson([2.0, 3.0, 4.0])
    >>> round(float(jm.tic(problem, jm.fit(problem))), 4)  # variance over mean, 2/9, in place of 1
    9.9953

    Source: Takeuchi (1976); Burnham and Anderson (2002), "Model Selection and Multimodel Inference", section 7.3.
    """
    check_one_fit(fit, "jm.tic")
    objective = as_problem(objective).objective
    if has_prior(objective) or is_scaled(objective) or fit.jacobian:
        raise ValueError(
            "TIC is that of a maximum of the likelihood: with a prior, a loss, a factor or jacobian=True there is "
            "none; jm.effective_parameters counts the parameters of a penalised fit"
        )
    return _tic(objective, fit.space.unlabelled, fit.z, fit.status)


def effective_parameters(objective: Term | Problem, fit: Fit):
    """How many parameters a penalised fit uses: ``trace(A (A + P)^-1)``.

    A is the curvature of the likelihood and P that of the priors, both at the mode and in the user's parameters: for
    ridge regression it is the trace of the hat matrix, and without a prior the number of free parameters.

    Arguments: what was fitted, with smooth priors, and the fit.

    Returns a number; NaN where the fit failed or stopped short of its mode, or the curvature of the whole is not
    positive definite. Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``TypeError`` for a prior that has kinks.

    >>> import jaxmle as jm
    >>> problem = jm.models.poisson([2.0, 3.0, 4.0]) + jm.priors.normal("rate", 3.0, 1.0)
    >>> round(float(jm.effective_parameters(problem, jm.fit(problem))), 4)  # information 1, and 1 of the prior
    0.5

    Source: Moody (1992), "The effective number of parameters", equation 18; Hastie, Tibshirani and Friedman (2009),
    "The Elements of Statistical Learning", section 7.6.
    """
    check_one_fit(fit, "jm.effective_parameters")
    objective = as_problem(objective).objective
    if objective.is_rough:
        raise TypeError(
            "a prior with kinks has no curvature to count parameters by; those of a lasso are estimated by how many "
            "are not zero (Zou, Hastie and Tibshirani 2007)"
        )
    pairs = [pair for pair in zip(objective.terms, objective.factors, strict=True) if pair[0].is_likelihood]
    likelihood = Objective(tuple(term for term, _ in pairs), tuple(factor for _, factor in pairs))
    return _effective(objective, likelihood, fit.space.unlabelled, fit.z, fit.status, jacobian=fit.jacobian)


@compiled
def _tic(objective, space, z, status):
    observed = evaluate_in_z(objective, space, z, 2)
    outer = evaluate_in_z(objective, space, z, 2, False, OPG)
    count = jnp.trace(covariance_of(observed.curvature).matrix @ outer.curvature)
    at_top = is_top(status, newton_decrement(observed))
    return jnp.where(at_top, 2.0 * count - 2.0 * observed.log_likelihood, jnp.nan)


@compiled
def _effective(objective, likelihood, space, z, status, *, jacobian):
    whole = evaluate_in_z(objective, space, z, 2, jacobian)
    # At a mode the gradients of likelihood and prior cancel, and with them the bend of the constraints; apart they
    # do not, and only J' A J has the trace that A has in the user's parameters.
    part = space.pull_back(likelihood.evaluate(space.lift, space.point(z), 2), z, jacobian).curvature
    count = jnp.trace(part @ covariance_of(whole.curvature).matrix)
    return jnp.where(is_top(status, newton_decrement(whole)), count, jnp.nan)
