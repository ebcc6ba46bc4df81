"""Intervals from bootstrap draws of one number."""

import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Float

PERCENTILE, BASIC, BCA, STUDENTISED = KINDS = ("percentile", "basic", "bca", "studentised")


def percentile(draws: Float[Array, " r"], alpha) -> tuple:
    """The quantiles ``alpha / 2`` and ``1 - alpha / 2`` of the draws.

    Source: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", section 13.3.
    """
    return _quantile(draws, 0.5 * alpha), _quantile(draws, 1.0 - 0.5 * alpha)


def basic(draws: Float[Array, " r"], estimate, alpha) -> tuple:
    """The percentile interval reflected at the estimate.

    Source: Davison and Hinkley (1997), "Bootstrap Methods and their Application", equation 5.6.
    """
    low, high = percentile(draws, alpha)
    return 2.0 * estimate - high, 2.0 * estimate - low


def bca(draws: Float[Array, " r"], estimate, acceleration, alpha) -> tuple:
    """The percentile interval with its levels corrected for bias and for ``acceleration``.

    NaN where all draws lie on one side of the estimate.

    Source: Efron (1987), "Better bootstrap confidence intervals", equations 2.3 and 4.1.
    """
    known = jnp.isfinite(draws)
    count = jnp.sum(known).astype(draws.dtype)
    below = jnp.sum(known & (draws < estimate)) + jnp.sum(known & (draws <= estimate))
    bias = ndtri(0.5 * below.astype(draws.dtype) / count)

    def level(normal):
        shifted = bias + normal
        corrected = ndtr(bias + shifted / (1.0 - acceleration * shifted))
        return jnp.where(jnp.isfinite(bias), corrected, jnp.nan)

    normal = ndtri(jnp.asarray(0.5 * alpha, draws.dtype))
    return _quantile(draws, level(normal)), _quantile(draws, level(-normal))


def studentised(draws: Float[Array, " r"], errors: Float[Array, " r"], estimate, error, alpha) -> tuple:
    """The estimate less quantiles of ``(draw - estimate) / error of the draw`` times its error.

    Source: Efron and Tibshirani (1993), section 12.5.
    """
    low, high = percentile((draws - estimate) / errors, alpha)
    return estimate - high * error, estimate - low * error


def _quantile(draws, level):
    return jnp.where(jnp.isnan(level), jnp.nan, jnp.nanquantile(draws, jnp.where(jnp.isnan(level), 0.5, level)))
