"""The uniform distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.quotient import log_quotient, quotient
from jaxmle.densities._inputs import floats, inside, log_below, spread

SUPPORT = "a number from loc to loc + scale"


def support(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y between loc and loc + scale, both included?

    >>> bool(support(3.0, 0.0, 2.0))
    False
    """
    y, loc, scale = floats(y, loc, scale)
    z = y - loc
    return (z >= 0) & (z <= scale)


def logpdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the uniform distribution.

    Formula: `-log(scale)` where `loc <= y <= loc + scale`. The ends are parameters that the support depends
    on: where they are estimated, maximum likelihood is at the extremes of the sample, and standard errors do
    not exist.

    Args:
        y: observations, any shape.
        loc: the lower end, in the units of y.
        scale: the length, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity outside the interval.

    Example:
        >>> round(float(logpdf(1.0, 0.0, 2.0)), 4)
        -0.6931

    Source: Johnson, Kotz and Balakrishnan (1995), volume 2, equation 26.1.
    """
    y, loc, scale = floats(y, loc, scale)
    value = inside(support(y, loc, scale), y, -jnp.log(scale))
    return jnp.where(scale > 0, value, jnp.nan)


def logcdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log((y - loc)/scale)` within the interval.

    >>> round(float(logcdf(1.0, 0.0, 2.0)), 4)
    -0.6931
    """
    y, loc, scale = floats(y, loc, scale)
    x = y - loc
    ok = (x > 0) & (x < scale)
    return log_below(x, log_quotient(jnp.where(ok, x, 1.0), jnp.where(ok, scale, 1.0)), low=0.0, high=scale)


def logsf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `log(1 - (y - loc)/scale)` within the interval.

    >>> round(float(logsf(1.0, 0.0, 2.0)), 4)
    -0.6931
    """
    y, loc, scale = floats(y, loc, scale)
    x = y - loc
    ok = (x >= 0) & (x < scale)
    value = jnp.log1p(-quotient(jnp.where(ok, x, 0.0), jnp.where(ok, scale, 1.0)))
    return jnp.where(x < 0, 0.0, inside(ok, y, value))


def quantile(q: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `loc + scale q`.

    >>> round(float(quantile(0.25, 0.0, 2.0)), 4)
    0.5
    """
    q, loc, scale = floats(q, loc, scale)
    return loc + scale * q


def mean(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `loc + scale/2`.

    >>> round(float(mean(0.0, 2.0)), 4)
    1.0
    """
    loc, scale = spread(None, loc, scale)
    return loc + 0.5 * scale


def variance(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2/12`.

    >>> round(float(variance(0.0, 2.0)), 4)
    0.3333
    """
    return spread(None, loc, scale)[1] ** 2 / 12


def sample(
    key: PRNGKeyArray, loc: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `loc + scale u` with u standard uniform.

    >>> sample(jax.random.key(0), 0.0, 2.0, shape=(3,)).shape
    (3,)
    """
    loc, scale = spread(shape, loc, scale)
    return loc + scale * jax.random.uniform(key, loc.shape, loc.dtype)
