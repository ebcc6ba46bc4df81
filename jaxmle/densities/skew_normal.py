"""The skew normal distribution."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.normal_tails import log_ndtr
from jaxmle.densities._inputs import floats, inside, spread, standard

SUPPORT = "a finite number"
CONCAVE_IN = (1,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, a: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite?

    >>> bool(support(1.0, 1.0, 1.0, 1.0))
    True
    """
    return jnp.isfinite(floats(y, a, loc, scale)[0])


def _slant(a: Float[Array, "..."]) -> Float[Array, "..."]:
    """a / sqrt(1 + a^2)."""
    return a / jnp.sqrt(1 + a * a)


def logpdf(y: ArrayLike, a: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the skew normal distribution.

    Formula: `log 2 - z^2/2 - log(2 pi)/2 + log Phi(a z) - log(scale)` with `z = (y - loc)/scale`. At a = 0
    the expected information is singular: the score of a is a multiple of that of loc.

    Args:
        y: observations, any shape.
        a: the skewness parameter, any real number; 0 is normal.
        loc: where the mode would be without skewness, in the units of y.
        scale: the scale, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity at an infinite y.

    Example:
        >>> round(float(logpdf(1.0, 2.0, 0.0, 3.0)), 4)
        -1.671

    Source: Azzalini (1985), A class of distributions which includes the normal ones, equation 1.
    """
    y, a, loc, scale = floats(y, a, loc, scale)
    z = standard(y, loc, scale)
    return inside(jnp.isfinite(y), y, log_ndtr(a * z) - 0.5 * z * z - jnp.log(scale) + 0.5 * log(2 / pi))


def mean(a: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `loc + scale d sqrt(2/pi)` with `d = a/sqrt(1 + a^2)`.

    >>> round(float(mean(2.0, 0.0, 3.0)), 4)
    2.1409
    """
    a, loc, scale = spread(None, a, loc, scale)
    return loc + scale * _slant(a) * (2 / pi) ** 0.5


def variance(a: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2 (1 - 2 d^2/pi)` with `d = a/sqrt(1 + a^2)`.

    >>> round(float(variance(2.0, 0.0, 3.0)), 4)
    4.4163
    """
    a, loc, scale = spread(None, a, loc, scale)
    return scale**2 * (1 - 2 / pi * _slant(a) ** 2)


def sample(
    key: PRNGKeyArray, a: ArrayLike, loc: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `loc + scale (d |u| + sqrt(1 - d^2) v)` with u and v standard normal.

    >>> sample(jax.random.key(0), 2.0, 0.0, 3.0, shape=(3,)).shape
    (3,)
    """
    a, loc, scale = spread(shape, a, loc, scale)
    u, v = jax.random.normal(key, (2, *loc.shape), loc.dtype)
    d = _slant(a)
    return loc + scale * (d * jnp.abs(u) + jnp.sqrt((1 - d) * (1 + d)) * v)
