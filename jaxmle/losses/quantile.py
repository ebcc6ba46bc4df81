"""The quantile loss."""

from math import pi, sqrt

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxmle.losses._inputs import floats, valid

_PEAK = 1 / sqrt(2 * pi)


def quantile(
    prediction: ArrayLike, target: ArrayLike, tau: ArrayLike, bandwidth: ArrayLike = 0.0
) -> Float[Array, "..."]:
    """The quantile (pinball, check) loss, `tau r` for an error `r = target - prediction >= 0`, `(tau - 1) r` below.

    Noise model: asymmetric Laplace around the prediction, with tau and the scale s held fixed:
    `-log density = quantile / s - log(tau (1 - tau) / s)`. What is predicted is the quantile at level tau of the
    target; hardly anybody believes in this density, so standard errors are the sandwich's.

    Without a bandwidth the loss has a corner at r = 0, where the derivative is the middle of its two sides, and no
    curvature elsewhere, so that fits by gradients stop at corners and have no standard errors. With a bandwidth h the
    loss is its mean over `r + h z`, z standard normal: smooth, at most 0.4 h larger, and its curvature is the kernel
    estimate of the density at the quantile, which the standard errors of a quantile need. Where the distribution is
    smooth, h of the order of `n^(-2/5)` spreads of the errors changes the estimate by less than its standard error.
    A far smaller h gives the sample's own quantile, but standard errors from the few rows within h of it: no use.

    Args:
        prediction: the quantile, any shape.
        target: any number, in the units of the prediction.
        tau: the level, between 0 and 1; 0.5 is half the absolute error.
        bandwidth: h, in the same units; zero is the loss with its corner.

    Returns:
        The loss, elementwise, in the units of the target; NaN where tau is not between 0 and 1, or h is negative.

    Example:
        >>> float(quantile(0.0, 2.0, 0.75)), float(quantile(0.0, -2.0, 0.75))
        (1.5, 0.5)

    Source: Koenker and Bassett (1978), "Regression quantiles", equation 3.1; Koenker and Machado (1999), section 2; on
    the smooth one Fernandes, Guerre and Horta (2021), "Smoothing quantile regressions", equation 3.
    """
    prediction, target, tau, h = floats(prediction, target, tau, bandwidth)
    error = target - prediction
    near = (h > 0) & (jnp.abs(error) < 40 * h)  # beyond, the two losses are one in every digit
    scaled = jnp.where(near, error, 0.0) / jnp.where(near, h, 1.0)
    smooth = 0.5 * error * jax.scipy.special.erf(scaled / sqrt(2)) + h * _PEAK * jnp.exp(-0.5 * scaled**2)
    loss = jnp.where(near, smooth + (tau - 0.5) * error, jnp.maximum(tau * error, (tau - 1) * error))
    return valid((tau > 0) & (tau < 1) & (h >= 0), loss)


def quantile_weight(
    prediction: ArrayLike, target: ArrayLike, tau: ArrayLike, bandwidth: ArrayLike = 0.0
) -> Float[Array, "..."]:
    """The curvature of the parabola that touches the symmetric part of the quantile loss at its error and at minus its
    error, and is nowhere below it."""
    prediction, target, _, h = floats(prediction, target, tau, bandwidth)
    size = jnp.abs(target - prediction)
    scaled = size / h
    far = scaled > 1e-4
    return jnp.where(far, 0.5 * jax.scipy.special.erf(scaled / sqrt(2)) / jnp.where(far, size, 1.0), _PEAK / h)
