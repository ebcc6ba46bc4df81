"""The generalized extreme value distribution, of maxima."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.quotient import quotient
from jaxmle.core.special import expm1_ratio, log1mexp_exp, log_gamma, log_gamma_bend, scaled_log1p
from jaxmle.densities._inputs import floats, inside, spread

SUPPORT = "a number, below loc + scale/c where c is positive, above it where negative"


def support(y: ArrayLike, c: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite, and on the side of the end loc + scale/c where c is not zero?

    >>> bool(support(5.0, 0.5, 0.0, 2.0))
    False
    """
    y, c, loc, scale = floats(y, c, loc, scale)
    return jnp.isfinite(y) & (c * ((y - loc) / scale) < 1)


def logpdf(y: ArrayLike, c: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the generalized extreme value distribution.

    Formula: `-(1 - c) L - exp(-L) - log(scale)` with `L = -log(1 - c z)/c` and `z = (y - loc)/scale`; L is z
    at c = 0, through which value and derivatives are smooth. Gumbel at c = 0.

    Args:
        y: observations, any shape.
        c: the shape, any real number, as in scipy: negative for a heavy tail, positive for a finite end.
            Elsewhere its negative is often called xi.
        loc: the location, in the units of y.
        scale: the scale, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity beyond the end.

    Example:
        >>> round(float(logpdf(1.0, -0.25, 0.0, 2.0)), 4)
        -1.9064

    Source: Jenkinson (1955), The frequency distribution of the annual maximum, equation 2; Coles (2001),
    equation 3.2 with xi = -c.
    """
    y, c, loc, scale = floats(y, c, loc, scale)
    ok = support(y, c, loc, scale)
    z = quotient(jnp.where(ok, y, loc) - loc, scale)
    level = scaled_log1p(z, -c)
    return inside(ok, y, (c - 1) * level - jnp.exp(-level) - jnp.log(scale))


def logcdf(y: ArrayLike, c: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `-exp(-L)`; minus infinity below a lower end, 0 above an upper one.

    >>> round(float(logcdf(1.0, -0.25, 0.0, 2.0)), 4)
    -0.6243
    """
    y, c, loc, scale = floats(y, c, loc, scale)
    ok = support(y, c, loc, scale)
    z = quotient(jnp.where(ok, y, loc) - loc, scale)
    level = scaled_log1p(z, -c)
    above = (c > 0) & (y > loc) & ~ok & ~jnp.isnan(y)
    return jnp.where(above | (y == jnp.inf), 0.0, inside(ok, y, -jnp.exp(-level)))


def logsf(y: ArrayLike, c: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `log(1 - exp(-exp(-L)))`; 0 below a lower end, minus infinity above an upper one.

    >>> round(float(logsf(1.0, -0.25, 0.0, 2.0)), 4)
    -0.7671
    """
    y, c, loc, scale = floats(y, c, loc, scale)
    ok = support(y, c, loc, scale)
    z = quotient(jnp.where(ok, y, loc) - loc, scale)
    level = scaled_log1p(z, -c)
    below = (c < 0) & (y < loc) & ~ok & ~jnp.isnan(y)
    return jnp.where(below | (y == -jnp.inf), 0.0, inside(ok, y, log1mexp_exp(level)))


def quantile(q: ArrayLike, c: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `loc + scale (1 - (-log q)^c)/c`.

    >>> round(float(quantile(0.25, -0.25, 0.0, 2.0)), 4)
    -0.6273
    """
    q, c, loc, scale = floats(q, c, loc, scale)
    level = -jnp.log(-jnp.log(q))
    return loc + scale * level * expm1_ratio(-c * level)


def mean(c: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `loc + scale (1 - Gamma(1 + c))/c`; infinite where c <= -1.

    >>> round(float(mean(-0.25, 0.0, 2.0)), 4)
    1.8033
    """
    c, loc, scale = spread(None, c, loc, scale)
    some = jnp.where((c > -1) & (c != 0), c, 1.0)
    shift = jnp.where(c == 0, 0.5772156649015329, -jnp.expm1(log_gamma(1 + some)) / some)
    return jnp.where(c > -1, loc + scale * shift, jnp.inf)


def variance(c: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2 (Gamma(1 + 2 c) - Gamma(1 + c)^2)/c^2`; infinite where c <= -1/2.

    >>> round(float(variance(-0.25, 0.0, 2.0)), 4)
    17.3317
    """
    c, _, scale = spread(None, c, loc, scale)
    some = jnp.where(c > -0.5, c, 0.0)
    bend = log_gamma_bend(some)
    relative = bend * expm1_ratio(some * some * bend)
    return jnp.where(c > -0.5, (scale * jnp.exp(log_gamma(1 + some))) ** 2 * relative, jnp.inf)


def sample(
    key: PRNGKeyArray, c: ArrayLike, loc: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `loc + scale (1 - exp(-c g))/c` with g standard Gumbel.

    >>> sample(jax.random.key(0), -0.25, 0.0, 2.0, shape=(3,)).shape
    (3,)
    """
    c, loc, scale = spread(shape, c, loc, scale)
    level = jax.random.gumbel(key, c.shape, c.dtype)
    return loc + scale * level * expm1_ratio(-c * level)
