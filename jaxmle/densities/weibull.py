"""The Weibull distribution, of minima."""

from math import pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.elementary import known_ln
from jaxmle.core.quotient import log_quotient
from jaxmle.core.special import log1mexp_exp, log_gamma, log_gamma_bend
from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, symmetric

SUPPORT = "a positive number"


def support(y: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite and positive?

    >>> bool(support(0.0, 1.0, 1.0))
    False
    """
    y = floats(y, c, scale)[0]
    return (y > 0) & (y < jnp.inf)


def logpdf(y: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the Weibull distribution, scipy's `weibull_min`.

    Formula: `log c - log y + u - exp(u)` with `u = c log(y/scale)`.

    Args:
        y: observations, any shape.
        c: the shape, positive; the hazard rises where it is above 1.
        scale: the scale, positive, in the units of y; the quantile of order 1 - 1/e.

    Returns:
        The log-density, elementwise; minus infinity at y <= 0.

    Example:
        >>> round(float(logpdf(1.0, 1.5, 2.0)), 4)
        -0.9878

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, equation 21.3.
    """
    y, c, scale = floats(y, c, scale)
    ok = support(y, c, scale)
    x = jnp.where(ok, y, 1.0)
    log_ratio = log_quotient(x, scale)
    u = c * log_ratio
    return inside(ok, y, jnp.log(c) - known_ln(x, jnp.log(scale) + log_ratio) + u - jnp.exp(u))


def logcdf(y: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log(1 - exp(-(y/scale)^c))`; minus infinity for y <= 0.

    >>> round(float(logcdf(1.0, 1.5, 2.0)), 4)
    -1.2113
    """
    y, c, scale = floats(y, c, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_below(y, log1mexp_exp(-c * log_quotient(x, scale)), low=0.0)


def logsf(y: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `-(y/scale)^c`; 0 for y <= 0.

    >>> round(float(logsf(1.0, 1.5, 2.0)), 4)
    -0.3536
    """
    y, c, scale = floats(y, c, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_above(y, -jnp.exp(c * log_quotient(x, scale)), low=0.0)


def quantile(q: ArrayLike, c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `scale (-log(1 - q))^(1/c)`.

    >>> round(float(quantile(0.25, 1.5, 2.0)), 4)
    0.8716
    """
    q, c, scale = floats(q, c, scale)
    return scale * (-jnp.log1p(-q)) ** (1 / c)


def mean(c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `scale Gamma(1 + 1/c)`.

    >>> round(float(mean(1.5, 2.0)), 4)
    1.8055
    """
    c, scale = spread(None, c, scale)
    return scale * jnp.exp(log_gamma(1 + 1 / c))


def variance(c: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2 (Gamma(1 + 2/c) - Gamma(1 + 1/c)^2)`.

    >>> round(float(variance(1.5, 2.0)), 4)
    1.5028
    """
    c, scale = spread(None, c, scale)
    k = 1 / c
    return (scale * jnp.exp(log_gamma(1 + k))) ** 2 * jnp.expm1(k * k * log_gamma_bend(k))


def information(c: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (c, scale) of one observation: c `(pi^2/6 + (1 - gamma)^2)/c^2`, both `-(1 -
    gamma)/scale`, scale `c^2/scale^2`, with Euler's gamma.

    >>> round(float(information(1.5, 2.0)[0, 0]), 4)
    0.8105

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, section 21.4.
    """
    c, scale = common(c, scale)
    rest = 1 - 0.5772156649015329
    return symmetric([[(pi**2 / 6 + rest**2) / c**2], [-rest / scale, (c / scale) ** 2]])


def sample(
    key: PRNGKeyArray, c: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `scale e^(1/c)` with e standard exponential.

    >>> sample(jax.random.key(0), 1.5, 2.0, shape=(3,)).shape
    (3,)
    """
    c, scale = spread(shape, c, scale)
    return scale * jax.random.exponential(key, c.shape, c.dtype) ** (1 / c)
