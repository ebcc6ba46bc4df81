"""The logarithm of the hyperbolic cosine."""

from math import log

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxmle.core.special import softplus
from jaxmle.losses._inputs import floats


def log_cosh(prediction: ArrayLike, target: ArrayLike) -> Float[Array, "..."]:
    """The logarithm of the hyperbolic cosine of the error, `log cosh(target - prediction)`.

    Noise model: hyperbolic secant around the prediction, with the unit scale held fixed:
    `-log density = log_cosh + log pi`. It is about `r^2/2` for a small error r and `|r| - log 2` for a large one, and
    smooth between. For errors of a scale s divide both arguments by s.

    Args:
        prediction: the centre, any shape.
        target: any number, in the units of the prediction.

    Returns:
        The loss, elementwise.

    Example:
        >>> round(float(log_cosh(0.0, 1.0)), 4)
        0.4338

    Source: Johnson, Kotz and Balakrishnan (1995), volume 2, equation 23.103.
    """
    prediction, target = floats(prediction, target)
    error = target - prediction
    size = jnp.where(error < 0, -error, error)
    tail = size + softplus(-2 * size) - log(2)
    # By cosh r = 1 + 2 sinh(r/2)^2, where the tail's terms cancel.
    near = size < 1
    return jnp.where(near, jnp.log1p(2 * jnp.sinh(jnp.where(near, 0.5 * size, 0.0)) ** 2), tail)


def log_cosh_weight(prediction: ArrayLike, target: ArrayLike) -> Float[Array, "..."]:
    """The curvature of the parabola that touches log cosh at its error and is nowhere below it, `tanh(r) / r`."""
    prediction, target = floats(prediction, target)
    size = jnp.abs(target - prediction)
    far = size > 1e-4
    return jnp.where(far, jnp.tanh(size) / jnp.where(far, size, 1.0), 1.0)
