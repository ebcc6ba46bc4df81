"""The gamma distribution."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.elementary import known_ln
from jaxmle.core.incomplete import log_gammainc, log_gammaincc
from jaxmle.core.quotient import log_over_product, log_quotient, quotient
from jaxmle.core.special import binet, poisson_deviance
from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, symmetric

SUPPORT = "a positive number"


def support(y: ArrayLike, a: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite and positive?

    >>> bool(support(0.0, 2.0, 1.0))
    False
    """
    y, _, _ = floats(y, a, scale)
    return (y > 0) & (y < jnp.inf)


def logpdf(y: ArrayLike, a: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the gamma distribution.

    Formula: `(a - 1) log(y) - y/scale - a log(scale) - log Gamma(a)`, evaluated as
    `log(a / (2 pi))/2 - binet(a) - D - log(y)` with `D = a log(a scale/y) - a + y/scale`, where nothing
    cancels.

    Args:
        y: observations, any shape.
        a: the shape, positive; the coefficient of variation is `1/sqrt(a)`.
        scale: the scale, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity at y <= 0. Near its mode at a shape of 1e8 it cannot be
        known better than to `1e4 eps`, the effect of rounding y.

    Example:
        >>> round(float(logpdf(1.0, 2.0, 3.0)), 4)
        -2.5306

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, equation 17.1; Loader (2000).
    """
    y, a, scale = floats(y, a, scale)
    ok = support(y, a, scale)
    x = jnp.where(ok, y, 1.0)
    log_ratio = log_over_product(x, a, scale)
    log_x = known_ln(x, log_ratio + jnp.log(a) + jnp.log(scale))
    deviance = poisson_deviance(a, log_quotient(x, scale), quotient(x, scale), log_ratio)
    return inside(ok, y, 0.5 * jnp.log(a) - 0.5 * log(2 * pi) - binet(a) - deviance - log_x)


def logcdf(y: ArrayLike, a: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log P(a, y/scale)`; minus infinity for y <= 0.

    >>> round(float(logcdf(1.0, 2.0, 3.0)), 4)
    -3.1095
    """
    y, a, scale = floats(y, a, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_below(y, log_gammainc(a, quotient(x, scale), log_quotient(x, scale)), low=0.0)


def logsf(y: ArrayLike, a: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `log Q(a, y/scale)`; 0 for y <= 0.

    >>> round(float(logsf(1.0, 2.0, 3.0)), 4)
    -0.0457
    """
    y, a, scale = floats(y, a, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_above(y, log_gammaincc(a, quotient(x, scale), log_quotient(x, scale)), low=0.0)


def mean(a: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `a scale`.

    >>> float(mean(2.0, 3.0))
    6.0
    """
    a, scale = spread(None, a, scale)
    return a * scale


def variance(a: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `a scale^2`.

    >>> float(variance(2.0, 3.0))
    18.0
    """
    a, scale = spread(None, a, scale)
    return a * scale**2


def information(a: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (a, scale) of one observation: psi'(a), 1 / scale and a / scale^2.

    >>> round(float(information(1.0, 2.0)[1, 1]), 4)
    0.25

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, section 17.7.
    """
    a, scale = common(a, scale)
    return symmetric([[jax.scipy.special.polygamma(1, a)], [1.0 / scale, a / scale**2]])


def sample(
    key: PRNGKeyArray, a: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `scale g` with g standard gamma.

    >>> sample(jax.random.key(0), 2.0, 3.0, shape=(3,)).shape
    (3,)
    """
    a, scale = spread(shape, a, scale)
    return scale * jax.random.gamma(key, a, a.shape, a.dtype)
