"""What may object to the estimate of a one-sample model: a scale that is rounding error, a corner, an end of support."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxmle.core import status as codes
from jaxmle.terms.objective import whole_tree

_SLACK = 16.0  # a scale is no more than this many rounding errors of the observations
_ASIDE = 1e-7  # how far from a corner its slopes are taken, in units of the scale


def exact_fit(objective: Any, params):
    """Unbounded where the scale is no more than the rounding error of the sample."""
    size = _largest(objective, params["scale"].dtype, lambda y: y)
    exact = params["scale"] <= _SLACK * jnp.finfo(size.dtype).eps * size
    return jnp.where(exact, codes.UNBOUNDED, codes.CONVERGED)


def exact_fit_of_logs(objective: Any, params):
    """Unbounded where the scale of the logs, ``s``, is no more than their rounding error."""
    size = jnp.maximum(_largest(objective, params["s"].dtype, lambda y: jnp.log(jnp.abs(y))), 1.0)
    exact = params["s"] <= _SLACK * jnp.finfo(size.dtype).eps * size
    return jnp.where(exact, codes.UNBOUNDED, codes.CONVERGED)


def at_corner(objective: Any, params):
    """At a corner where the slope in loc changes its sign by a jump and the others are zero; else as an exact fit.

    The others are in units of the parameters, and zero if they could not change the log-likelihood by 1e-8 of it. A
    jump is more than a hundred times what the slope changes by on one side.
    """
    lift, point = whole_tree(params)
    names = sorted(params)
    at = names.index("loc")
    step = _ASIDE * jnp.maximum(params["scale"], jnp.abs(params["loc"]) * jnp.finfo(point[at].dtype).eps ** 0.5)

    def slopes(shift):
        return objective.evaluate(lift, (*point[:at], point[at] + shift, *point[at + 1 :]), 1).gradient

    far, left, here, right, beyond = jax.lax.map(slopes, step * jnp.arange(-2, 3, dtype=step.dtype))
    jump, change = left[at] - right[at], jnp.abs(far[at] - left[at]) + jnp.abs(right[at] - beyond[at])
    is_corner = (left[at] > 0) & (right[at] < 0) & (jump > 100 * change)
    magnitude = objective.evaluate(lift, point, 0).magnitude
    relative = jnp.stack([here[i] * point[i] for i in range(len(names)) if i != at])
    settled = jnp.all(jnp.abs(relative) <= jnp.finfo(magnitude.dtype).eps ** 0.5 * magnitude)
    status = jnp.where(is_corner & settled, codes.AT_CORNER, codes.CONVERGED)
    exact = exact_fit(objective, params)
    return jnp.where(exact == codes.UNBOUNDED, exact, status)


def at_extremes(objective: Any, params):
    """At a corner where the interval ends at the extremes of the sample, unbounded where it has no length."""
    loc, scale = params["loc"], params["scale"]
    term = _likelihood(objective)
    y = term.y.astype(scale.dtype)
    counts = True if term.weights is None else term.weights > 0
    low, high = jnp.min(jnp.where(counts, y, jnp.inf)), jnp.max(jnp.where(counts, y, -jnp.inf))
    slack = _SLACK * jnp.finfo(scale.dtype).eps * jnp.maximum(jnp.abs(low), jnp.abs(high))
    ends = (loc + scale - high <= slack) & (loc <= low) & (high <= loc + scale)
    status = jnp.where(ends, codes.AT_CORNER, codes.CONVERGED)
    return jnp.where(scale <= slack, codes.UNBOUNDED, status)


def _likelihood(objective):
    """The one-sample term of an objective, to which priors may have been added."""
    return next(term for term in objective.terms if term.is_likelihood)


def _largest(objective, dtype, function):
    values = jnp.abs(function(_likelihood(objective).y.astype(dtype)))
    return jnp.max(jnp.where(jnp.isfinite(values), values, 0.0))
