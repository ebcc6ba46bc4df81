"""The inverse gamma distribution."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import polygamma
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

    >>> bool(support(0.0, 1.0, 1.0))
    False
    """
    y = floats(y, a, scale)[0]
    return (y > 0) & (y < jnp.inf)


def logpdf(y: ArrayLike, a: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the inverse gamma distribution.

    Formula: `a log(scale/y) - scale/y - log y - log Gamma(a)`, evaluated as the gamma's: 1/y is gamma.

    Args:
        y: observations, any shape.
        a: the shape, positive; moments exist up to it.
        scale: the scale, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity at y <= 0.

    Example:
        >>> round(float(logpdf(1.0, 2.0, 3.0)), 4)
        -0.8028

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, section 17.8.
    """
    y, a, scale = floats(y, a, scale)
    ok = support(y, a, scale)
    x = jnp.where(ok, y, 1.0)
    log_ratio = log_over_product(scale, a, x)
    log_x = known_ln(x, jnp.log(scale) - jnp.log(a) - log_ratio)
    deviance = poisson_deviance(a, log_quotient(scale, x), quotient(scale, x), log_ratio)
    return inside(ok, y, 0.5 * jnp.log(a) - 0.5 * log(2 * pi) - binet(a) - deviance - log_x)


def logcdf(y: ArrayLike, a: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log Q(a, scale/y)`; minus infinity for y <= 0.

    >>> round(float(logcdf(1.0, 2.0, 3.0)), 4)
    -1.6137
    """
    y, a, scale = floats(y, a, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_below(y, log_gammaincc(a, quotient(scale, x), log_quotient(scale, x)), low=0.0)


def logsf(y: ArrayLike, a: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `log P(a, scale/y)`; 0 for y <= 0.

    >>> round(float(logsf(1.0, 2.0, 3.0)), 4)
    -0.2221
    """
    y, a, scale = floats(y, a, scale)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_above(y, log_gammainc(a, quotient(scale, x), log_quotient(scale, x)), low=0.0)


def mean(a: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `scale/(a - 1)`; infinite where a <= 1.

    >>> round(float(mean(2.0, 3.0)), 4)
    3.0
    """
    a, scale = spread(None, a, scale)
    return jnp.where(a > 1, scale / jnp.where(a > 1, a - 1, 1.0), jnp.inf)


def variance(a: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2/((a - 1)^2 (a - 2))`; infinite where a <= 2.

    >>> round(float(variance(3.0, 3.0)), 4)
    2.25
    """
    a, scale = spread(None, a, scale)
    finite = a > 2
    some = jnp.where(finite, a, 3.0)
    return jnp.where(finite, (scale / (some - 1)) ** 2 / (some - 2), jnp.inf)


def information(a: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (a, scale) of one observation: psi'(a), -1/scale and a/scale^2.

    >>> round(float(information(2.0, 3.0)[0, 0]), 4)
    0.6449

    Source: Johnson, Kotz and Balakrishnan (1994), volume 1, section 17.7, by inversion.
    """
    a, scale = common(a, scale)
    return symmetric([[polygamma(1, a)], [-1.0 / scale, a / scale**2]])


def sample(
    key: PRNGKeyArray, a: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `scale/g` with g standard gamma.

    >>> sample(jax.random.key(0), 2.0, 3.0, shape=(3,)).shape
    (3,)
    """
    a, scale = spread(shape, a, scale)
    return scale * jnp.exp(-jax.random.loggamma(key, a, a.shape, a.dtype))
