"""The generalized Pareto distribution, of excesses."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.quotient import log1mexp_quotient, quotient
from jaxmle.core.special import expm1_ratio, scaled_log1p
from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, symmetric

SUPPORT = "a number from 0 on, below -scale/c where c is negative"


def support(y: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite, not negative, and below the end -scale/c where c is negative?

    >>> bool(support(5.0, -0.5, 2.0))
    False
    """
    y, c, scale = floats(y, c, scale)
    return (y >= 0) & (y < jnp.inf) & (c * (y / scale) > -1)


def logpdf(y: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the generalized Pareto distribution.

    Formula: `-(1 + c) L - log(scale)` with `L = log(1 + c z)/c` and `z = y/scale`; L is z at c = 0, through
    which value and derivatives are smooth. Exponential at c = 0.

    Args:
        y: observations, any shape.
        c: the shape, any real number: positive for a heavy tail, negative for a finite end.
        scale: the scale, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity at a negative y and from the end on.

    Example:
        >>> round(float(logpdf(1.0, 0.25, 2.0)), 4)
        -1.2821

    Source: Hosking and Wallis (1987), Parameter and quantile estimation for the generalized Pareto
    distribution, equation 1 with k = -c.
    """
    y, c, scale = floats(y, c, scale)
    ok = support(y, c, scale)
    z = quotient(jnp.where(ok, y, 0.0), scale)
    return inside(ok, y, -(1 + c) * scaled_log1p(z, c) - jnp.log(scale))


def logcdf(y: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log(1 - exp(-L))`; minus infinity for y <= 0.

    >>> round(float(logcdf(1.0, 0.25, 2.0)), 4)
    -0.979
    """
    y, c, scale = floats(y, c, scale)
    some = (y > 0) & (y < jnp.inf)
    z = quotient(jnp.where(some, y, 0.0), scale)
    ok = some & (c * z > -1)
    tiny = ok & ((1 + jnp.abs(c)) * z < 1e-20)  # where L is z, which may underflow
    level = scaled_log1p(jnp.where(ok, z, 1.0), jnp.where(ok, c, 0.0))
    value = log1mexp_quotient(jnp.where(tiny, y, level), jnp.where(tiny, scale, 1.0))
    return log_below(y, jnp.where(some & ~ok, 0.0, value), low=0.0)


def logsf(y: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `-L`; 0 for y <= 0, minus infinity from the end on.

    >>> round(float(logsf(1.0, 0.25, 2.0)), 4)
    -0.4711
    """
    y, c, scale = floats(y, c, scale)
    some = (y > 0) & (y < jnp.inf)
    z = quotient(jnp.where(some, y, 0.0), scale)
    ok = c * z > -1
    value = -scaled_log1p(jnp.where(ok, z, 0.0), c)
    return log_above(y, inside(ok, y, value), low=0.0)


def quantile(q: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `scale ((1 - q)^-c - 1)/c`.

    >>> round(float(quantile(0.25, 0.25, 2.0)), 4)
    0.5966
    """
    q, c, scale = floats(q, c, scale)
    w = -jnp.log1p(-q)
    return scale * w * expm1_ratio(c * w)


def mean(c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `scale/(1 - c)`; infinite where c >= 1.

    >>> round(float(mean(0.25, 2.0)), 4)
    2.6667
    """
    c, scale = spread(None, c, scale)
    return jnp.where(c < 1, scale / jnp.where(c < 1, 1 - c, 1.0), jnp.inf)


def variance(c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2/((1 - c)^2 (1 - 2 c))`; infinite where c >= 1/2.

    >>> round(float(variance(0.25, 2.0)), 4)
    14.2222
    """
    c, scale = spread(None, c, scale)
    finite = c < 0.5
    some = jnp.where(finite, c, 0.0)
    return jnp.where(finite, (scale / (1 - some)) ** 2 / (1 - 2 * some), jnp.inf)


def information(c: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (c, scale) of one observation; NaN where c <= -1/2, for there is none.

    With s = scale: c `2/((1 + c) (1 + 2 c))`, both `1/(s (1 + c) (1 + 2 c))`, scale `1/(s^2 (1 + 2 c))`.

    >>> round(float(information(0.25, 2.0)[0, 0]), 4)
    1.0667

    Source: Smith (1984), Threshold methods for sample extremes.
    """
    c, scale = common(c, scale)
    regular = jnp.where(c > -0.5, 1 / (1 + 2 * c), jnp.nan)
    mixed = regular / (1 + c)
    return symmetric([[2 * mixed + 0.0 * scale], [mixed / scale, regular / scale**2]])


def sample(
    key: PRNGKeyArray, c: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `scale (exp(c e) - 1)/c` with e standard exponential.

    >>> sample(jax.random.key(0), 0.25, 2.0, shape=(3,)).shape
    (3,)
    """
    c, scale = spread(shape, c, scale)
    w = jax.random.exponential(key, c.shape, c.dtype)
    return scale * w * expm1_ratio(c * w)
