"""What objects to the estimate of a model: a scale that is rounding error, a corner, an end of support, no events."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxmle.core import status as codes
from jaxmle.models.design import END, log_line
from jaxmle.models.line_start import least_squares_line
from jaxmle.models.sample import Sample
from jaxmle.models.starts_real import exponential_limit
from jaxmle.terms.objective import whole_tree
from jaxmle.terms.rows import counted_column

_SLACK = 16.0  # a scale is no more than this many rounding errors of the observations
_SLACK_OF_LINES = 4096.0  # the same, of least squares
_ONE_SIDED = 10.0  # the log of a kappa with which no observation lies on one side
_HALF = 1e5  # a skewness parameter with which one side of the density is empty
_ASIDE = 1e-7  # how far from a corner its slopes are taken, in units of the scale


def exact_fit(objective: Any, params, log_likelihood):
    """Unbounded where the scale is no more than the rounding error of the sample."""
    size = _largest(objective, params["scale"].dtype, lambda y: y)
    exact = params["scale"] <= _SLACK * jnp.finfo(size.dtype).eps * size
    return jnp.where(exact, codes.UNBOUNDED, codes.CONVERGED)


def exact_fit_of_logs(objective: Any, params, log_likelihood):
    """Unbounded where the scale of the logs, ``s``, is no more than their rounding error."""
    size = jnp.maximum(_largest(objective, params["s"].dtype, lambda y: jnp.log(jnp.abs(y))), 1.0)
    exact = params["s"] <= _SLACK * jnp.finfo(size.dtype).eps * size
    return jnp.where(exact, codes.UNBOUNDED, codes.CONVERGED)


def at_corner(objective: Any, params, log_likelihood):
    """At a corner where loc is an observation (and a power ``beta`` no more than 1), at which the slope jumps from
    rising to falling, and the other slopes are zero; else as an exact fit.

    A jump is more than twice what the slope changes by over two such distances beside it, which even a cusp's is: where
    all is smooth the two are equal. The other slopes are in units of the parameters, and zero if they could not raise
    the log-likelihood by about 1e-8.
    """
    lift, point = whole_tree(params)
    names = sorted(params)
    at = names.index("loc")
    step = _ASIDE * jnp.maximum(params["scale"], jnp.abs(params["loc"]) * jnp.finfo(point[at].dtype).eps ** 0.5)

    def slopes(shift):
        return objective.evaluate(lift, (*point[:at], point[at] + shift, *point[at + 1 :]), 1).gradient

    far, left, here, right, beyond = jax.lax.map(slopes, step * jnp.arange(-2, 3, dtype=step.dtype))
    jump, change = left[at] - right[at], jnp.abs(far[at] - left[at]) + jnp.abs(right[at] - beyond[at])
    y = _likelihood(objective).y.astype(step.dtype)
    at_one = (params.get("beta", 0.0) <= 1) & jnp.any(jnp.abs(y - params["loc"]) <= 0.01 * step)
    is_corner = at_one & (left[at] > 0) & (right[at] < 0) & (jump > 2 * change)
    relative = jnp.stack([here[i] * point[i] for i in range(len(names)) if i != at])
    settled = jnp.all(relative**2 <= jnp.finfo(step.dtype).eps ** 0.5 * objective.nobs().astype(step.dtype))
    status = jnp.where(is_corner & settled, codes.AT_CORNER, codes.CONVERGED)
    exact = exact_fit(objective, params, log_likelihood)
    return jnp.where(exact == codes.UNBOUNDED, exact, status)


def at_corner_or_one_sided(objective: Any, params, log_likelihood):
    """As :func:`at_corner`; on the boundary where the asymmetry has become infinite, for then all observations lie on
    one side of loc and the density is exponential."""
    one_sided = jnp.abs(jnp.log(params["kappa"])) > _ONE_SIDED
    return jnp.where(one_sided, codes.BOUNDARY, at_corner(objective, params, log_likelihood))


def half_normal_or_exact(objective: Any, params, log_likelihood):
    """Diverging where the skewness parameter has become so large that the density is half normal, with loc at an
    extreme of the sample; else as an exact fit."""
    return jnp.where(jnp.abs(params["a"]) > _HALF, codes.DIVERGING, exact_fit(objective, params, log_likelihood))


def without_maximum(objective: Any, params, log_likelihood):
    """Diverging where the sample varies no less than the exponential density that truncated normals go to, so that
    there is no maximum; else as an exact fit. Only for one likelihood alone, with the same bounds for all rows."""
    term = _likelihood(objective)
    status = exact_fit(objective, params, log_likelihood)
    if len(objective.terms) > 1 or "lower" not in getattr(term, "x", ()) or term.y.ndim != 1:
        return status
    y, lower, upper = (x.astype(params["loc"].dtype) for x in (term.y, term.x["lower"], term.x["upper"]))
    s = Sample.of(y, term.weights)
    lost = s.deviation >= exponential_limit(s, lower[0], upper[0])[1]
    lost = lost & jnp.all(lower == lower[0]) & jnp.all(upper == upper[0])
    return jnp.where(lost, codes.DIVERGING, status)


def at_extremes(objective: Any, params, log_likelihood):
    """At a corner where the interval ends at the extremes of the sample, unbounded where it has no length."""
    loc, scale = params["loc"], params["scale"]
    term = _likelihood(objective)
    y = term.y.astype(scale.dtype)
    counts = True if term.weights is None else term.weights > 0
    low, high = jnp.min(jnp.where(counts, y, jnp.inf)), jnp.max(jnp.where(counts, y, -jnp.inf))
    slack = _SLACK * jnp.finfo(scale.dtype).eps * jnp.maximum(jnp.maximum(jnp.abs(low), jnp.abs(high)), scale)
    ends = (loc + scale - high <= slack) & (loc <= low) & (high <= loc + scale)
    status = jnp.where(ends, codes.AT_CORNER, codes.CONVERGED)
    return jnp.where(high <= low, codes.UNBOUNDED, status)


def without_events(objective, params, log_likelihood):
    """Diverging where nothing was counted, and that has become certain; with a prior it may be."""
    if len(objective.terms) > 1:
        return jnp.asarray(codes.CONVERGED)
    term = _likelihood(objective)
    return _diverging_if_certain(jnp.all(counted_column(term.y, term.weights) == 0), log_likelihood)


def all_censored(objective, params, log_likelihood):
    """Diverging where every time was censored, and that has become certain; with a prior it may be."""
    term = _likelihood(objective)
    end = term.x.get(END) if isinstance(term.x, dict) else None
    if end is None or len(objective.terms) > 1:
        return jnp.asarray(codes.CONVERGED)
    return _diverging_if_certain(jnp.all(counted_column(end, term.weights) == jnp.inf), log_likelihood)


def on_a_line(term):
    """Whether the logs of all times that ended with the event are what their covariates say, to rounding, and no time
    was censored beyond that: the spread of the noise then has no maximum but zero."""
    y, (x, logs) = term.y, log_line(term.x, term.y)
    weights = jnp.ones_like(y) if term.weights is None else term.weights.astype(y.dtype)
    ended = term.x[END] == y if isinstance(term.x, dict) and END in term.x else jnp.ones(y.shape, bool)
    beta, spread = least_squares_line(x, logs, jnp.where(ended, weights, 0.0))
    rounding = _SLACK_OF_LINES * jnp.finfo(y.dtype).eps * jnp.maximum(jnp.max(jnp.abs(logs)), 1.0)
    beyond = ~ended & (weights > 0) & (logs - x @ beta > rounding)
    return (spread <= rounding) & ~jnp.any(beyond)


def _diverging_if_certain(nothing, log_likelihood):
    """Diverging where ``nothing`` happened, and the probability of that is one to rounding, so that no slope is left to
    tell which way the parameters have gone."""
    certain = nothing & (log_likelihood > -jnp.finfo(log_likelihood.dtype).eps)
    return jnp.where(certain, codes.DIVERGING, codes.CONVERGED)


def _likelihood(objective):
    """The likelihood of an objective, to which priors may have been added."""
    return next(term for term in objective.terms if term.is_likelihood)


def _largest(objective, dtype, function):
    term = _likelihood(objective)
    values = jnp.abs(function(counted_column(term.y, term.weights).astype(dtype)))
    return jnp.max(jnp.where(jnp.isfinite(values), values, 0.0))
