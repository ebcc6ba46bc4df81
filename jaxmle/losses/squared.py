"""The squared error."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxmle.losses._inputs import floats


def squared_error(prediction: ArrayLike, target: ArrayLike) -> Float[Array, "..."]:
    """The squared error, `(target - prediction)^2`.

    Noise model: normal around the prediction, with the scale sigma held fixed:
    `-log density = squared_error / (2 sigma^2) + log(sigma sqrt(2 pi))`. The estimate is the same for every sigma.

    Args:
        prediction: the mean, any shape.
        target: any number, in the units of the prediction.

    Returns:
        The loss, elementwise, in squared units.

    Example:
        >>> float(squared_error(1.0, 3.0))
        4.0

    Source: Gauss (1809), "Theoria motus", section 179.
    """
    prediction, target = floats(prediction, target)
    return (target - prediction) ** 2


def squared_error_profiled(prediction: ArrayLike, target: ArrayLike) -> Float[Array, ""]:
    """Half the number of targets times the log of their mean squared error, `n/2 log mean (target - prediction)^2`.

    Noise model: normal around the prediction, with the scale profiled out: at each prediction sigma^2 is the mean
    squared error, where `-log likelihood = squared_error_profiled + n/2 (1 + log(2 pi))`. It is smallest where the
    squared error is.

    Of all losses this one alone is a single number for all targets: it is no sum over them, so :func:`jaxmle.risk`
    does not take it. With its scale as a parameter the model is `jm.regression(jm.densities.normal, ...)`.

    Args:
        prediction: the means, any shape.
        target: any numbers, of the same shape.

    Returns:
        One number; minus infinity where the prediction is exact.

    Example:
        >>> round(float(squared_error_profiled(jnp.zeros(2), jnp.array([1.0, 3.0]))), 4)
        1.6094

    Source: Cox and Reid (1987), "Parameter orthogonality and approximate conditional inference", section 1.
    """
    errors = squared_error(prediction, target)
    return 0.5 * errors.size * jnp.log(jnp.mean(errors))
