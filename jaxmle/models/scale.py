"""The scale of normal noise: where to start it, its two conventions, and when it is only rounding error."""

import dataclasses
import math
from typing import Any

import jax.numpy as jnp

from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.terms.rows import counted_column, weighted


@compiled
def mean_and_scale(y, weights=None):
    """The mean of ``y`` and its standard deviation (dividing by n); if that is zero, the rounding error of ``y``."""
    y = counted_column(y, weights)
    size, middle = unit_of(y), mean(y, weights)
    spread = root_mean_square(y - middle, weights)
    return middle, jnp.where(spread > jnp.finfo(y.dtype).tiny, spread, size * jnp.finfo(y.dtype).eps)


@compiled
def root_mean_square(residuals, weights=None):
    """The root of the weighted mean square of ``residuals``, without overflow on the way; tiny where it is zero."""
    residuals = counted_column(residuals, weights)
    size = unit_of(residuals)
    root = size * jnp.sqrt(weighted_mean((residuals / size) ** 2, weights))
    return jnp.where(root == 0, jnp.finfo(residuals.dtype).tiny, root)


def mean(y, weights=None):
    """The weighted mean of ``y``, also where its sum would overflow."""
    size = unit_of(y)
    safe = weighted_mean(y, weights)
    return jnp.where(size < jnp.sqrt(jnp.finfo(y.dtype).max), safe, size * weighted_mean(y / size, weights))


def unit_of(y):
    """The largest size in ``y``; one where that is zero or not finite."""
    size = jnp.max(jnp.abs(y))
    return jnp.where((size > 0) & jnp.isfinite(size), size, 1.0)


@compiled
def weighted_mean(values, weights=None):
    """The mean of ``values`` by case weights, about the first value so that no digits are lost to their level."""
    values = counted_column(values, weights)
    level = jnp.where(jnp.isfinite(values[0]), values[0], 0.0)
    if weights is None:
        return level + jnp.mean(values - level)
    weights = weights.astype(values.dtype)
    return level + jnp.sum(weighted(values - level, weights)) / jnp.sum(weights)


def exact_fit(objective: Any, params, log_likelihood, slack: float = 16.0):
    """The status of a fit with a free scale: unbounded where ``sigma`` is no more than ``slack`` times the rounding
    error of the response, not finite where the response is so large or small that its squares are."""
    y = counted_column(objective.terms[0].y, objective.terms[0].weights)
    sigma = params["sigma"]
    largest = jnp.max(jnp.abs(y)).astype(sigma.dtype)
    info = jnp.finfo(sigma.dtype)
    extreme = (largest > info.max**0.45) | ((largest < info.tiny**0.45) & (largest > 0))
    exact = sigma <= slack * info.eps * largest
    return jnp.where(extreme, codes.NON_FINITE, jnp.where(exact, codes.UNBOUNDED, codes.CONVERGED))


def exact_linear_fit(objective: Any, params, log_likelihood):
    """As :func:`exact_fit`, with the slack that the rounding errors of normal equations need."""
    return exact_fit(objective, params, log_likelihood, 4096.0)


@dataclasses.dataclass(frozen=True)
class TwoConventions:
    """The remark that names both conventions of the scale, for a mean with ``count`` parameters; none where sigma is
    not among what was ``maximised``."""

    count: int

    def __call__(self, params, nobs, maximised):
        if "sigma" not in maximised:
            return
        sigma, freedom = float(params["sigma"]), nobs - self.count
        if freedom > 0:
            other = f"is {sigma * math.sqrt(nobs / freedom):.6g} on {freedom:g} degrees of freedom"
        else:
            other = "does not exist: there are no degrees of freedom left"
        yield (
            f"sigma is the maximum likelihood estimate, the root of RSS / n: {sigma:.6g}. The residual standard error, "
            f"the root of RSS / (n - p), {other}."
        )
