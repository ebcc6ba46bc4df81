"""The asymmetric Laplace distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, standard, symmetric

SUPPORT = "a finite number"
CORNERS = True  # the gradient jumps at the location, and there is no curvature in it anywhere else
CONCAVE_IN = (1,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, kappa: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite?

    >>> bool(support(1.0, 1.0, 1.0, 1.0))
    True
    """
    return jnp.isfinite(floats(y, kappa, loc, scale)[0])


def _log_sum(kappa: Float[Array, "..."]) -> Float[Array, "..."]:
    """log(kappa + 1/kappa)."""
    return jnp.log(kappa + 1 / kappa)


def _log_lower(z: Float[Array, "..."], kappa: Float[Array, "..."]) -> Float[Array, "..."]:
    """Log of the standard distribution function."""
    below = z < 0
    share = jnp.log1p(-jnp.exp(-kappa * jnp.where(below, 0.0, z)) / (1 + kappa * kappa))
    return jnp.where(below, jnp.where(below, z, 0.0) / kappa - jnp.log1p(1 / (kappa * kappa)), share)


def logpdf(y: ArrayLike, kappa: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the asymmetric Laplace distribution.

    Formula: `-kappa z - log(scale (kappa + 1/kappa))` where `z = (y - loc)/scale` is positive, `z/kappa -
    log(...)` where it is negative. The loc is the quantile of order `kappa^2/(1 + kappa^2)`, which makes its
    regression quantile regression. At y = loc the derivative in loc is the middle of its two sides.

    Args:
        y: observations, any shape.
        kappa: the asymmetry, positive; 1 is symmetric, more than 1 has the longer tail on the left.
        loc: the mode, in the units of y.
        scale: the scale, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity at an infinite y.

    Example:
        >>> round(float(logpdf(1.0, 2.0, 0.0, 3.0)), 4)
        -2.6816

    Source: Kotz, Kozubowski and Podgorski (2001), The Laplace distribution and generalizations, equation
    3.1.10.
    """
    y, kappa, loc, scale = floats(y, kappa, loc, scale)
    z = standard(y, loc, scale)
    over, under = jnp.maximum(z, 0.0), jnp.maximum(-z, 0.0)
    return inside(jnp.isfinite(y), y, -kappa * over - under / kappa - _log_sum(kappa) - jnp.log(scale))


def logcdf(y: ArrayLike, kappa: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y): `z/kappa + log(kappa^2/(1 + kappa^2))` below loc, `log(1 - exp(-kappa z)/(1 + kappa^2))`
    above.

    >>> round(float(logcdf(1.0, 2.0, 0.0, 3.0)), 4)
    -0.1083
    """
    y, kappa, loc, scale = floats(y, kappa, loc, scale)
    return log_below(y, _log_lower(standard(y, loc, scale), kappa))


def logsf(y: ArrayLike, kappa: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), the `logcdf` of the mirror image, whose asymmetry is 1/kappa.

    >>> round(float(logsf(1.0, 2.0, 0.0, 3.0)), 4)
    -2.2761
    """
    y, kappa, loc, scale = floats(y, kappa, loc, scale)
    return log_above(y, _log_lower(-standard(y, loc, scale), 1 / kappa))


def quantile(q: ArrayLike, kappa: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q: the inverse of either side.

    >>> round(float(quantile(0.25, 2.0, 0.0, 3.0)), 4)
    -6.9789
    """
    q, kappa, loc, scale = floats(q, kappa, loc, scale)
    square = kappa * kappa
    below = q * (1 + 1 / square) < 1
    tail = jnp.log(jnp.where(below, q * (1 + 1 / square), (1 - q) * (1 + square)))
    return loc + scale * jnp.where(below, kappa * tail, -tail / kappa)


def mean(kappa: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `loc + scale (1/kappa - kappa)`.

    >>> round(float(mean(2.0, 0.0, 3.0)), 4)
    -4.5
    """
    kappa, loc, scale = spread(None, kappa, loc, scale)
    return loc + scale * (1 / kappa - kappa)


def variance(kappa: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2 (kappa^2 + 1/kappa^2)`.

    >>> round(float(variance(2.0, 0.0, 3.0)), 4)
    38.25
    """
    kappa, loc, scale = spread(None, kappa, loc, scale)
    return scale**2 * (kappa**2 + 1 / kappa**2)


def information(kappa: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (kappa, loc, scale) of one observation, the variance of the score.

    With k = kappa and s = scale: kappa `1/k^2 + 4/(1 + k^2)^2`, loc and scale `1/s^2`, kappa and loc `-2/(s
    (1 + k^2))`, kappa and scale `(k^2 - 1)/(s k (1 + k^2))`, loc and scale 0.

    >>> information(2.0, 0.0, 3.0).round(4).tolist()
    [[0.41000000000000003, -0.1333, 0.1], [-0.1333, 0.1111, 0.0], [0.1, 0.0, 0.1111]]

    Source: Kotz, Kozubowski and Podgorski (2001), section 3.5.
    """
    kappa, _, scale = common(kappa, loc, scale)
    sum_ = 1 + kappa**2
    own = 1 / kappa**2 + 4 / sum_**2
    with_scale = (kappa**2 - 1) / (scale * kappa * sum_)
    zero, unit = 0.0 * scale * kappa, 1 / scale**2 + 0.0 * kappa
    return symmetric([[own + zero], [-2 / (scale * sum_), unit], [with_scale, zero, unit]])


def sample(
    key: PRNGKeyArray, kappa: ArrayLike, loc: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `loc + scale (e/kappa - kappa e')` with e and e' standard exponential.

    >>> sample(jax.random.key(0), 2.0, 0.0, 3.0, shape=(3,)).shape
    (3,)
    """
    kappa, loc, scale = spread(shape, kappa, loc, scale)
    over, under = jax.random.exponential(key, (2, *loc.shape), loc.dtype)
    return loc + scale * (over / kappa - kappa * under)
