"""The half Cauchy distribution."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.quotient import log_arctan, log_squares
from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, symmetric

SUPPORT = "a finite number, zero or positive"


def support(y: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite and not negative?

    >>> bool(support(-1.0, 1.0))
    False
    """
    y = floats(y, scale)[0]
    return (y >= 0) & (y < jnp.inf)


def logpdf(y: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the half Cauchy distribution.

    Formula: `log(2/pi) - log(1 + z^2) - log(scale)` with `z = y/scale`: the absolute value of a Cauchy of
    median zero. It has no mean.

    Args:
        y: observations, any shape.
        scale: the median, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity at a negative y.

    Example:
        >>> round(float(logpdf(1.0, 2.0)), 4)
        -1.3679

    Source: Gelman (2006), Prior distributions for variance parameters in hierarchical models, section 3.2.
    """
    y, scale = floats(y, scale)
    ok = support(y, scale)
    return inside(ok, y, log(2 / pi) - log_squares(jnp.where(ok, y, 0.0), scale) - jnp.log(scale))


def logcdf(y: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log(2 arctan(z)/pi)`; minus infinity for y <= 0.

    >>> round(float(logcdf(1.0, 2.0)), 4)
    -1.2202
    """
    y, scale = floats(y, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_below(y, log_arctan(x, scale), low=0.0)


def logsf(y: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `log(2 arctan(1/z)/pi)`; 0 for y <= 0.

    >>> round(float(logsf(1.0, 2.0)), 4)
    -0.3498
    """
    y, scale = floats(y, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_above(y, log_arctan(scale, x), low=0.0)


def quantile(q: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `scale tan(pi q/2)`.

    >>> round(float(quantile(0.25, 2.0)), 4)
    0.8284
    """
    q, scale = floats(q, scale)
    low = q < 0.5
    tan = jnp.tan(0.5 * pi * jnp.where(low, q, 1 - q))
    return scale * jnp.where(low, tan, 1 / tan)


def information(scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in scale of one observation: `1 / (2 scale^2)`.

    >>> round(float(information(2.0)[0, 0]), 4)
    0.125

    Source: Lehmann and Casella (1998), section 2.5.
    """
    (scale,) = common(scale)
    return symmetric([[0.5 / scale**2]])


def sample(key: PRNGKeyArray, scale: ArrayLike, shape: tuple[int, ...] | None = None) -> Float[Array, "..."]:
    """Draws, `scale |z|` with z standard Cauchy.

    >>> sample(jax.random.key(0), 2.0, shape=(3,)).shape
    (3,)
    """
    (scale,) = spread(shape, scale)
    return scale * jnp.abs(jax.random.cauchy(key, scale.shape, scale.dtype))
