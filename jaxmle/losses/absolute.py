"""The absolute error."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxmle.losses._inputs import floats


def absolute_error(prediction: ArrayLike, target: ArrayLike) -> Float[Array, "..."]:
    """The absolute error, `|target - prediction|`.

    Noise model: Laplace around the prediction, with the scale b held fixed:
    `-log density = absolute_error / b + log(2 b)`. At its corner, an error of zero, the derivative is the middle of
    its two sides, 0; the curvature is zero everywhere else, so that an estimate has no standard errors by it.

    Args:
        prediction: the median, any shape.
        target: any number, in the units of the prediction.

    Returns:
        The loss, elementwise, in the units of the target.

    Example:
        >>> float(absolute_error(1.0, 3.0))
        2.0

    Source: Laplace (1774); Bloomfield and Steiger (1983), "Least Absolute Deviations".
    """
    prediction, target = floats(prediction, target)
    error = target - prediction
    return jnp.maximum(error, -error)  # whose derivative at a tie is the mean of both; that of abs is not
