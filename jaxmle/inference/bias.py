"""The bias of maximum likelihood to the first order."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxmle.core.compiled import compiled
from jaxmle.core.evaluation import EXPECTED
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.covariances.covariance import covariance_of
from jaxmle.inference.door import check_one_fit
from jaxmle.inference.infer import has_prior, is_scaled
from jaxmle.inference.rows.scores import row_weights, scores_in_z
from jaxmle.inference.top import is_top, newton_decrement, refuse_contradicted
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem
from jaxmle.terms.regression import Regression
from jaxmle.terms.rows import weighted


def bias(objective: Term | Problem, fit: Fit) -> Any:
    r"""How far the maximum likelihood estimate lies off on average, to the first order in 1 / n.

    With K the inverse of the expected information I, and ``k_rtu``, ``k_rt,u`` the expected third derivatives of the
    log-likelihood and products of second and first ones, the bias of number s is
    ``sum K_sr K_tu (k_rtu / 2 + k_rt,u)``, taken in z and carried to params with the second derivative of the
    constraints. An estimate less its bias is right to the second order; :func:`jaxmle.priors.firth` does it in the fit.

    Arguments: ``objective``, what was fitted, likelihoods alone; ``fit``, its fit.

    Where all densities have an expected information, ``k_rt,u`` is minus its derivative, less ``k_rtu``; elsewhere it
    is a sum over rows at the estimate, and the observed information stands for the expected. ``k_rtu`` is the third
    derivative at the estimate, which for exponential families in full is its expectation.

    Returns a tree like params; NaN for what is fixed, and where the fit is no estimate or stopped short of its maximum,
    or the information is singular. Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``ValueError`` with a prior or a likelihood multiplied by a number, and for a fit that the objective
    contradicts (it was of another); ``TypeError`` for a log-likelihood that gives one number for all rows.

    Example: the standard deviation of n normal numbers, too small by 3 / (4 n) of itself.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.normal(jnp.array([1.0, 2.0, 3.0, 6.0]))
    >>> fit = jm.fit(problem)
    >>> round(float(jm.bias(problem, fit)["sigma"] / fit.params["sigma"]), 4)
    -0.1875

    Source: Cox and Snell (1968), "A general definition of residuals", equation 20; Cordeiro and McCullagh (1991).
    """
    check_one_fit(fit, "jm.bias")
    objective = as_problem(objective).objective
    if has_prior(objective) or is_scaled(objective) or fit.jacobian:
        raise ValueError(
            "this is the bias of maximum likelihood: with a prior, a factor or jacobian=True the estimate is another; "
            "jm.bootstrap(...).bias estimates that of any fit"
        )
    refuse_contradicted(objective, fit, "jm.bias")
    space = fit.space.unlabelled
    return space.tree_of_leaves(_bias(objective, space, fit.z, fit.status))


@compiled
def _bias(objective, space, z, status):
    known = all(isinstance(term, Regression) and hasattr(term.density, "information") for term in objective.terms)
    observed = evaluate_in_z(objective, space, z, 2)
    information = evaluate_in_z(objective, space, z, 2, False, EXPECTED).curvature if known else observed.curvature
    inverse = covariance_of(information).matrix
    third = -jax.jacfwd(lambda z: jnp.sum(inverse * evaluate_in_z(objective, space, z, 2).curvature))(z)
    if known:
        slopes = jax.jacfwd(lambda z: evaluate_in_z(objective, space, z, 2, False, EXPECTED).curvature)(z)
        mixed = -jnp.einsum("rtu,tu->r", slopes, inverse) - third
    else:
        mixed = _mixed(objective, space, z, inverse)
    in_z = inverse @ (0.5 * third + mixed)
    bend = jnp.einsum("kij,ij->k", jax.hessian(space.scalars)(z), inverse)
    scalars = jax.jacfwd(space.scalars)(z) @ in_z + 0.5 * bend
    at_top = is_top(status, newton_decrement(observed))
    return space.leaves_of_scalars(jnp.where(at_top, scalars, jnp.nan), jnp.nan)


def _mixed(objective, space, z, inverse):
    """The sum over rows of second derivatives times the inverse information times the score."""
    scores = scores_in_z(objective, space, z)
    turns = jax.jacfwd(lambda z: scores_in_z(objective, space, z))(z)
    rows = jnp.einsum("nij,jk,nk->ni", turns, inverse, scores)
    return jnp.sum(weighted(rows, row_weights(objective, space, z)), axis=0)
