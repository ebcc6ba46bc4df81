"""The inverse Gaussian distribution."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.elementary import expm1, ln
from jaxmle.core.normal_tails import log_mills
from jaxmle.core.quotient import quotient
from jaxmle.core.special import log1mexp
from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, symmetric

SUPPORT = "a positive number"


def support(y: ArrayLike, log_mean: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite and positive?

    >>> bool(support(0.0, 1.0, 1.0))
    False
    """
    y = floats(y, log_mean, scale)[0]
    return (y > 0) & (y < jnp.inf)


def _logs(y: Float[Array, "..."], log_mean: Float[Array, "..."], scale: Float[Array, "..."]):
    """Log of P(Y <= y) and of P(Y > y): `exp(-u^2/2)` is common to both terms of either, and taken out."""
    root, ratio = quotient(jnp.sqrt(scale), jnp.sqrt(y)), jnp.exp(jnp.log(y) - log_mean)
    u, v = root * expm1(jnp.log(y) - log_mean), root * (ratio + 1)
    below = u < 0
    side = jnp.where(below, -u, u)
    nearer, other = log_mills(side), log_mills(v)
    lower = nearer + jnp.log1p(jnp.exp(other - nearer))
    # The difference of nearly equal logs is the step times the slope in its middle.
    slope = jax.jvp(log_mills, (side + root,), (jnp.ones_like(side),))[1]
    gap = jnp.where(root < 1e-5 * (1 + side), -2 * root * slope, nearer - other)
    upper = nearer + log1mexp(jnp.where(below, 1.0, gap))
    minor = jnp.minimum(jnp.where(below, lower, upper) - 0.5 * u * u, -jnp.finfo(y.dtype).tiny)
    major = log1mexp(-minor)
    return jnp.where(below, minor, major), jnp.where(below, major, minor)


def logpdf(y: ArrayLike, log_mean: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the inverse Gaussian distribution, by its mean.

    Formula: `log(scale/(2 pi y^3))/2 - scale (y/m - 1)^2/(2 y)` with `m = exp(log_mean)`. The two parameters
    are orthogonal.

    Args:
        y: observations, any shape.
        log_mean: the log of the mean, any real number; scipy's mu is `m/scale`.
        scale: the shape lambda, positive, in the units of y: the variance is `m^3/scale`.

    Returns:
        The log-density, elementwise; minus infinity at y <= 0.

    Example:
        >>> round(float(logpdf(1.0, 0.5, 2.0)), 4)
        -0.7272

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, equation 15.4a.
    """
    y, log_mean, scale = floats(y, log_mean, scale)
    ok = support(y, log_mean, scale)
    x = jnp.where(ok, y, 1.0)
    log_x, root = ln(x), jnp.exp(-0.5 * log_mean)
    miss = quotient((x * root) * root - 1, jnp.sqrt(x))
    return inside(ok, y, 0.5 * (jnp.log(scale) - log(2 * pi)) - 1.5 * log_x - 0.5 * (scale * (miss * miss)))


def logcdf(y: ArrayLike, log_mean: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log(Phi(u) + exp(2 scale/m) Phi(-v))` with u and v `sqrt(scale/y) (y/m -+ 1)`; minus
    infinity for y <= 0.

    >>> round(float(logcdf(1.0, 0.5, 2.0)), 4)
    -0.8685

    Source: Giner and Smyth (2016), statmod: probability calculations for the inverse Gaussian distribution,
    section 3.
    """
    y, log_mean, scale = floats(y, log_mean, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_below(y, _logs(x, log_mean, scale)[0], low=0.0)


def logsf(y: ArrayLike, log_mean: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y); 0 for y <= 0.

    >>> round(float(logsf(1.0, 0.5, 2.0)), 4)
    -0.544
    """
    y, log_mean, scale = floats(y, log_mean, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_above(y, _logs(x, log_mean, scale)[1], low=0.0)


def mean(log_mean: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `m = exp(log_mean)`.

    >>> round(float(mean(0.5, 2.0)), 4)
    1.6487
    """
    return jnp.exp(spread(None, log_mean, scale)[0])


def variance(log_mean: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `m^3/scale`.

    >>> round(float(variance(0.5, 2.0)), 4)
    2.2408
    """
    log_mean, scale = spread(None, log_mean, scale)
    return jnp.exp(3 * log_mean) / scale


def information(log_mean: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (log_mean, scale) of one observation: `diag(scale/m, 1/(2 scale^2))`.

    >>> round(float(information(0.5, 2.0)[0, 0]), 4)
    1.2131

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, section 15.7.
    """
    log_mean, scale = common(log_mean, scale)
    zero = 0.0 * log_mean * scale
    return symmetric([[scale * jnp.exp(-log_mean)], [zero, 0.5 / scale**2 + zero]])


def sample(
    key: PRNGKeyArray, log_mean: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws: the smaller root of a quadratic equation in a chi-squared variate, or its mirror image.

    >>> sample(jax.random.key(0), 0.5, 2.0, shape=(3,)).shape
    (3,)

    Source: Michael, Schucany and Haas (1976), Generating random variates using transformations with multiple
    roots.
    """
    log_mean, scale = spread(shape, log_mean, scale)
    normal_key, uniform_key = jax.random.split(key)
    m = jnp.exp(log_mean)
    w = 0.5 * m / scale * jax.random.normal(normal_key, m.shape, m.dtype) ** 2
    smaller = 1 / (1 + w + jnp.sqrt(w * (2 + w)))
    first = jax.random.uniform(uniform_key, m.shape, m.dtype) * (1 + smaller) <= 1
    return m * jnp.where(first, smaller, 1 / smaller)
