"""The likelihood ratio test of nested models."""

import jax.numpy as jnp
import numpy as np

from jaxmle.core.compiled import compiled
from jaxmle.core.evaluation import shortfall
from jaxmle.core.tree import is_traced
from jaxmle.inference.asked import SAMPLING
from jaxmle.inference.hypotheses.hypothesis import Test
from jaxmle.inference.inference import Inference
from jaxmle.inference.top import is_top, why_not_top


def likelihood_ratio_test(larger: Inference, smaller: Inference) -> Test:
    """The likelihood ratio test of the ``smaller`` of two nested models against the ``larger``.

    The statistic is ``2 (llf_larger - llf_smaller)``, chi-square with as many degrees of freedom as the larger model
    has more free parameters.

    Arguments: two results of :func:`jaxmle.infer`, of fits to the same observations. That the models are nested is
    for the user to know: a smaller log-likelihood with more parameters is refused, since it cannot happen.

    Returns a :class:`Test`. Where the smaller model lies on the boundary of the larger (a variance of zero) the
    statistic is not chi-square, and the p-value is too large.

    Works on batches, under ``jax.jit`` and ``jax.vmap``: there a failed fit, different observations or a negative
    statistic give NaN.

    Errors: ``TypeError`` where these are no inferences; ``ValueError`` for different numbers of observations, a prior,
    an objective multiplied by a number, sampling weights, a fit that failed, stopped short of its maximum or is flat
    (its parameters cannot be counted), no more parameters in the larger, or a smaller likelihood there.

    >>> import jaxmle as jm
    >>> problem = jm.models.normal([1.0, 2.0, 4.0, 5.0])
    >>> smaller = {"mu": jm.fixed(0.0), "sigma": jm.positive(1.0)}
    >>> fits = jm.fit(problem), jm.fit(problem, smaller)
    >>> test = jm.likelihood_ratio_test(*[jm.infer(problem, fit) for fit in fits])
    >>> round(float(test.statistic), 4), test.df, round(float(test.pvalue), 4)
    (6.1042, 1, 0.0135)

    Source: Wilks (1938), "The large-sample distribution of the likelihood ratio for testing composite hypotheses".
    """
    for inference in (larger, smaller):
        _check(inference)
    df = larger.z.shape[-1] - smaller.z.shape[-1]
    if df <= 0:
        raise ValueError(
            f"the larger model has {larger.z.shape[-1]} free parameters and the smaller {smaller.z.shape[-1]}, so they "
            "are not nested in this order: give the larger first, or compare models that are not nested by jm.compare"
        )
    _refuse_values(larger, smaller)
    at_tops = _is_top(larger) & _is_top(smaller)
    statistic = _statistic(_facts(larger), _facts(smaller), at_tops)
    return Test.chi_square(statistic, df, "Likelihood ratio test", f"{smaller.name}, {smaller.z.shape[-1]} parameters")


def _check(inference):
    if not isinstance(inference, Inference):
        raise TypeError(
            f"the likelihood ratio test takes two inferences, jm.infer(objective, fit), not a "
            f"{type(inference).__name__}"
        )
    if inference.has_prior or inference.is_scaled or inference.jacobian:
        raise ValueError(
            "the likelihood ratio test compares maxima of a likelihood: with a prior, a loss, a factor or "
            "jacobian=True the estimate is not one, and the statistic not chi-square; fit without it, or compare by "
            "prediction"
        )
    if inference.weights == SAMPLING:
        raise ValueError(
            "with sampling weights the log-likelihood is not that of the rows seen, and its ratio not chi-square: use "
            "jm.wald_test with a sandwich, covariance=jm.infer(objective, fit, 'hc0', weights='sampling')"
        )


def _refuse_values(larger, smaller):
    """What one looks at where there are values, and one fit of each."""
    facts = larger.status, smaller.status, larger.nobs, smaller.nobs, larger.llf, smaller.llf
    if is_traced(facts) or np.ndim(larger.status) or np.ndim(smaller.status):
        return
    for which, inference in (("larger", larger), ("smaller", smaller)):
        if not _is_top(inference):
            why = why_not_top(inference.status, inference.newton_decrement)
            raise ValueError(f"the {which} model gives no likelihood ratio: {why}")
    if float(larger.nobs) != float(smaller.nobs):
        raise ValueError(
            f"the models were fitted to different observations, {float(larger.nobs):g} and {float(smaller.nobs):g}: "
            "fit both to the same rows (a missing value in a further column drops rows)"
        )
    if np.isnan(_statistic(_facts(larger), _facts(smaller), jnp.asarray(True))):
        raise ValueError(
            f"the larger model has the smaller log-likelihood, {float(larger.llf):.10g} against "
            f"{float(smaller.llf):.10g}: the models are not nested, are of different data, or the larger one was not "
            "fitted to its maximum (start it from the smaller one's estimate)"
        )


def _is_top(inference):
    return is_top(inference.status, inference.newton_decrement)


def _facts(inference) -> tuple:
    facts = inference.llf, inference.nobs, inference.rounding, inference.newton_decrement
    return tuple(map(jnp.asarray, facts))


@compiled
def _statistic(larger, smaller, at_tops):
    llf, nobs, rounding, decrement = larger
    llf_smaller, nobs_smaller, rounding_smaller, _ = smaller
    statistic = 2.0 * (llf - llf_smaller)
    # What rounding, and a larger fit that stops at its tolerance, can leave below zero.
    slack = 2.0 * (shortfall(rounding, jnp.abs(llf), decrement) + rounding_smaller)
    sound = at_tops & (nobs == nobs_smaller)
    return jnp.where(sound & (statistic >= -slack), jnp.maximum(statistic, 0.0), jnp.nan)
