"""The scale of normal noise: where to start it, its two conventions, and when it is only rounding error."""

import functools
import math

import jax.numpy as jnp

from jaxmle.core.tree import as_array
from jaxmle.terms.objective import Objective


def start_scale(residuals, weights=None):
    """The root of the weighted mean square of ``residuals`` about their mean; if it is zero, their rounding error."""
    size = jnp.max(jnp.abs(residuals), initial=0.0)
    safe = jnp.where((size > 0) & jnp.isfinite(size), size, 1.0)
    unit = residuals / safe
    center = weighted_mean(unit, weights)
    spread = safe * jnp.sqrt(weighted_mean((unit - center) ** 2, weights))
    return jnp.where(spread > 0, spread, safe * jnp.finfo(residuals.dtype).eps)


def weighted_mean(values, weights=None):
    """The mean of ``values`` by case weights, about the first value so that no digits are lost to their level."""
    level = values[0]
    if weights is None:
        return level + jnp.mean(values - level)
    weights = as_array(weights, "weights").astype(values.dtype)
    return level + jnp.sum(weights * (values - level)) / jnp.sum(weights)


def exact_fit(objective: Objective, params):
    """Whether ``sigma`` is no more than the rounding error of the response: then the likelihood is unbounded."""
    y = objective.terms[0].y
    largest = jnp.max(jnp.abs(y))
    sigma = params["sigma"]
    return sigma <= 16.0 * jnp.finfo(sigma.dtype).eps * largest.astype(sigma.dtype)


@functools.lru_cache
def two_conventions(count: int):
    """The remark that names both conventions of the scale, for a mean with ``count`` parameters."""

    def remark(params, nobs):
        sigma, freedom = float(params["sigma"]), nobs - count
        yield (
            f"sigma is the maximum likelihood estimate, the root of RSS / n: {sigma:.6g}. The residual standard error, "
            + (
                f"the root of RSS / (n - p), is {sigma * math.sqrt(nobs / freedom):.6g} on {freedom:g} degrees of freedom."
                if freedom > 0
                else "the root of RSS / (n - p), does not exist: there are no degrees of freedom left."
            )
        )

    return remark
