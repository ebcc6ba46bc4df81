"""The Pareto distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.quotient import log_quotient
from jaxmle.core.special import log1mexp
from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, symmetric

SUPPORT = "a number from scale on"


def support(y: ArrayLike, b: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite and at least scale?

    >>> bool(support(1.0, 1.5, 2.0))
    False
    """
    y, b, scale = floats(y, b, scale)
    return (y >= scale) & (y < jnp.inf)


def logpdf(y: ArrayLike, b: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the Pareto distribution.

    Formula: `log b - log y - b log(y/scale)` where `y >= scale`. The support depends on the scale, whose
    estimate is the smallest observation and has no standard error.

    Args:
        y: observations, any shape.
        b: the exponent of the tail, positive.
        scale: the lower end, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity below scale.

    Example:
        >>> round(float(logpdf(3.0, 1.5, 2.0)), 4)
        -1.3013

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, equation 20.3.
    """
    y, b, scale = floats(y, b, scale)
    ok = support(y, b, scale)
    x = jnp.where(ok, y, scale)
    value = inside(ok, y, jnp.log(b) - jnp.log(scale) - (1 + b) * log_quotient(x, scale))
    return jnp.where(scale > 0, value, jnp.nan)


def logcdf(y: ArrayLike, b: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log(1 - (scale/y)^b)`; minus infinity for y <= scale.

    >>> round(float(logcdf(3.0, 1.5, 2.0)), 4)
    -0.786
    """
    y, b, scale = floats(y, b, scale)
    ok = (y > scale) & (y < jnp.inf)
    return log_below(y, log1mexp(b * log_quotient(jnp.where(ok, y, 2 * scale), scale)), low=scale)


def logsf(y: ArrayLike, b: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `-b log(y/scale)`; 0 for y <= scale.

    >>> round(float(logsf(3.0, 1.5, 2.0)), 4)
    -0.6082
    """
    y, b, scale = floats(y, b, scale)
    ok = (y > scale) & (y < jnp.inf)
    return log_above(y, -b * log_quotient(jnp.where(ok, y, scale), scale), low=scale)


def quantile(q: ArrayLike, b: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `scale (1 - q)^(-1/b)`.

    >>> round(float(quantile(0.25, 1.5, 2.0)), 4)
    2.4228
    """
    q, b, scale = floats(q, b, scale)
    return scale * jnp.exp(-jnp.log1p(-q) / b)


def mean(b: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `scale b/(b - 1)`; infinite where b <= 1.

    >>> round(float(mean(1.5, 2.0)), 4)
    6.0
    """
    b, scale = spread(None, b, scale)
    return jnp.where(b > 1, scale * b / jnp.where(b > 1, b - 1, 1.0), jnp.inf)


def variance(b: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2 b/((b - 1)^2 (b - 2))`; infinite where b <= 2.

    >>> round(float(variance(1.5, 2.0)), 4)
    inf
    """
    b, scale = spread(None, b, scale)
    finite = b > 2
    some = jnp.where(finite, b, 3.0)
    return jnp.where(finite, scale**2 * some / ((some - 1) ** 2 * (some - 2)), jnp.inf)


def information(b: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (b, scale) of one observation: `1/b^2` for b, NaN for scale, which the support
    depends on.

    >>> round(float(information(1.5, 2.0)[0, 0]), 4)
    0.4444

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, section 20.5.
    """
    b, scale = common(b, scale)
    none = jnp.full_like(b + scale, jnp.nan)
    return symmetric([[1 / b**2 + 0.0 * scale], [none, none]])


def sample(
    key: PRNGKeyArray, b: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `scale exp(e/b)` with e standard exponential.

    >>> sample(jax.random.key(0), 1.5, 2.0, shape=(3,)).shape
    (3,)
    """
    b, scale = spread(shape, b, scale)
    return scale * jnp.exp(jax.random.exponential(key, b.shape, b.dtype) / b)
