"""The normal distribution."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtri
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.normal_tails import log_ndtr
from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, standard, symmetric

SUPPORT = "a finite number"
CONCAVE_IN = (0,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite?

    >>> bool(support(1.0, 0.0, 1.0))
    True
    """
    return jnp.isfinite(floats(y, loc, scale)[0])


def logpdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the normal distribution.

    Formula: `-z^2/2 - log(scale) - log(2 pi)/2` with `z = (y - loc)/scale`.

    Args:
        y: observations, any shape.
        loc: the mean, in the units of y.
        scale: the standard deviation, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity at an infinite y.

    Example:
        >>> round(float(logpdf(1.0, 0.0, 2.0)), 4)
        -1.7371

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, equation 13.1.
    """
    y, loc, scale = floats(y, loc, scale)
    z = standard(y, loc, scale)
    return inside(jnp.isfinite(y), y, -0.5 * z * z - jnp.log(scale) - 0.5 * log(2 * pi))


def best_scale(y: Float[Array, " n"], loc: Float[Array, " n"], weights: ArrayLike = 1.0) -> Float[Array, ""]:
    """The scale at which the log-likelihood of rows is highest, given their ``loc``: the root mean square deviation.

    Args:
        y: observations, shape ``(n,)``.
        loc: their means, shape ``(n,)``, in the units of y.
        weights: case weights, a number or of shape ``(n,)``, not all zero.

    Returns:
        One number, in the units of y; zero where every y is its loc.

    Example:
        >>> round(float(best_scale(jnp.array([1.0, 3.0]), jnp.array([0.0, 0.0]))), 4)
        2.2361

    Source: where the derivative in the scale is zero; Bates and Watts (1988), "Nonlinear
    Regression Analysis", section 2.2.
    """
    y, loc, weights = floats(y, loc, weights)
    square = (y - loc) ** 2
    return jnp.sqrt(jnp.sum(weights * square) / jnp.sum(jnp.broadcast_to(weights, square.shape)))


def logcdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log Phi(z)`.

    >>> round(float(logcdf(-10.0, 0.0, 1.0)), 4)
    -53.2313
    """
    y, loc, scale = floats(y, loc, scale)
    return log_below(y, log_ndtr(standard(y, loc, scale)))


def logsf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `log Phi(-z)`.

    >>> round(float(logsf(10.0, 0.0, 1.0)), 4)
    -53.2313
    """
    y, loc, scale = floats(y, loc, scale)
    return log_above(y, log_ndtr(-standard(y, loc, scale)))


def quantile(q: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `loc + scale Phi^-1(q)`.

    >>> round(float(quantile(0.975, 0.0, 1.0)), 3)
    1.96
    """
    q, loc, scale = floats(q, loc, scale)
    return loc + scale * ndtri(q)


def mean(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `loc`.

    >>> float(mean(1.0, 2.0))
    1.0
    """
    return spread(None, loc, scale)[0]


def variance(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2`.

    >>> float(variance(1.0, 2.0))
    4.0
    """
    return spread(None, loc, scale)[1] ** 2


def information(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (loc, scale) of one observation: `diag(1, 2) / scale^2`.

    >>> information(0.0, 2.0).tolist()
    [[0.25, 0.0], [0.0, 0.5]]

    Source: Lehmann and Casella (1998), section 2.5.
    """
    _, scale = common(loc, scale)
    return symmetric([[1.0 / scale**2], [0.0 * scale, 2.0 / scale**2]])


def sample(
    key: PRNGKeyArray, loc: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `loc + scale z` with z standard normal.

    >>> sample(jax.random.key(0), 0.0, 1.0, shape=(3,)).shape
    (3,)
    """
    loc, scale = spread(shape, loc, scale)
    return loc + scale * jax.random.normal(key, loc.shape, loc.dtype)
