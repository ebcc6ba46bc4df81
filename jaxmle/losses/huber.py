"""Huber's loss."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxmle.losses._inputs import floats, valid


def huber(prediction: ArrayLike, target: ArrayLike, delta: ArrayLike = 1.0) -> Float[Array, "..."]:
    """Huber's loss, `r^2/2` for an error r of at most delta, `delta (|r| - delta/2)` beyond.

    Noise model: Huber's least favourable density around the prediction, normal in the middle with exponential tails,
    with delta and the unit scale held fixed: `-log density = huber + log Z`, where
    `Z = sqrt(2 pi) erf(delta / sqrt 2) + (2 / delta) exp(-delta^2/2)`. For errors of a scale s the width is in units
    of s: give `delta = 1.345 s` for 95 % of the efficiency of least squares where errors are normal.

    Args:
        prediction: the centre, any shape.
        target: any number, in the units of the prediction.
        delta: where the square ends, positive, in the same units.

    Returns:
        The loss, elementwise, in squared units; NaN where delta is not positive.

    Example:
        >>> float(huber(0.0, 3.0)), float(huber(0.0, 0.5))
        (2.5, 0.125)

    Source: Huber (1964), "Robust estimation of a location parameter", equation 2.1 and section 6.
    """
    prediction, target, delta = floats(prediction, target, delta)
    error = target - prediction
    size = jnp.abs(error)
    inside = size <= delta
    return valid(delta > 0, jnp.where(inside, 0.5 * jnp.where(inside, error, 0.0) ** 2, delta * (size - 0.5 * delta)))


def huber_weight(prediction: ArrayLike, target: ArrayLike, delta: ArrayLike = 1.0) -> Float[Array, "..."]:
    """The curvature of the parabola that touches Huber's loss at its error and is nowhere below it: the weight of the
    row in iteratively reweighted least squares.

    Source: Huber (1981), "Robust Statistics", section 7.8.
    """
    prediction, target, delta = floats(prediction, target, delta)
    size = jnp.abs(target - prediction)
    return jnp.where(size <= delta, 1.0, delta / jnp.where(size > 0, size, 1.0))
