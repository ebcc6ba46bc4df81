"""The F distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.elementary import ln
from jaxmle.core.incomplete import log_beta_kernel, log_betainc
from jaxmle.densities._inputs import floats, inside, log_above, log_below, spread

SUPPORT = "a positive number"


def support(y: ArrayLike, dfn: ArrayLike, dfd: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite and positive?

    >>> bool(support(0.0, 1.0, 1.0))
    False
    """
    y = floats(y, dfn, dfd)[0]
    return (y > 0) & (y < jnp.inf)


def _logit(y: Float[Array, "..."], dfn: Float[Array, "..."], dfd: Float[Array, "..."]) -> Float[Array, "..."]:
    """log(x/(1 - x)) with x = dfn y/(dfn y + dfd)."""
    return ln(y) + jnp.log(dfn / dfd)


def logpdf(y: ArrayLike, dfn: ArrayLike, dfd: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the F distribution.

    Formula: `a log x + b log(1 - x) - log B(a, b) - log y` with a and b half the degrees of freedom and `x =
    dfn y/(dfn y + dfd)`, which is beta, in Loader's form.

    Args:
        y: observations, any shape.
        dfn: degrees of freedom of the numerator, positive, not necessarily whole.
        dfd: degrees of freedom of the denominator, positive, not necessarily whole.

    Returns:
        The log-density, elementwise; minus infinity at y <= 0.

    Example:
        >>> round(float(logpdf(1.0, 3.0, 5.0)), 4)
        -1.0184

    Source: Johnson, Kotz and Balakrishnan (1995), volume 2, equation 27.3.
    """
    y, dfn, dfd = floats(y, dfn, dfd)
    ok = support(y, dfn, dfd)
    x = jnp.where(ok, y, 1.0)
    return inside(ok, y, log_beta_kernel(0.5 * dfn, 0.5 * dfd, _logit(x, dfn, dfd)) - ln(x))


def logcdf(y: ArrayLike, dfn: ArrayLike, dfd: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log I_x(dfn/2, dfd/2)`; minus infinity for y <= 0.

    >>> round(float(logcdf(1.0, 3.0, 5.0)), 4)
    -0.6252
    """
    y, dfn, dfd = floats(y, dfn, dfd)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_below(y, log_betainc(0.5 * dfn, 0.5 * dfd, _logit(x, dfn, dfd))[0], low=0.0)


def logsf(y: ArrayLike, dfn: ArrayLike, dfd: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `log I_(1-x)(dfd/2, dfn/2)`; 0 for y <= 0.

    >>> round(float(logsf(1.0, 3.0, 5.0)), 4)
    -0.766
    """
    y, dfn, dfd = floats(y, dfn, dfd)
    x = jnp.where((y > 0) & (y < jnp.inf), y, 1.0)
    return log_above(y, log_betainc(0.5 * dfn, 0.5 * dfd, _logit(x, dfn, dfd))[1], low=0.0)


def mean(dfn: ArrayLike, dfd: ArrayLike) -> Float[Array, "..."]:
    """The mean, `dfd/(dfd - 2)`; infinite where dfd <= 2.

    >>> round(float(mean(3.0, 5.0)), 4)
    1.6667
    """
    _, dfd = spread(None, dfn, dfd)
    return jnp.where(dfd > 2, dfd / jnp.where(dfd > 2, dfd - 2, 1.0), jnp.inf)


def variance(dfn: ArrayLike, dfd: ArrayLike) -> Float[Array, "..."]:
    """The variance, `2 (dfd/(dfd - 2))^2 (dfn + dfd - 2)/(dfn (dfd - 4))`; infinite where dfd <= 4.

    >>> round(float(variance(3.0, 5.0)), 4)
    11.1111
    """
    dfn, dfd = spread(None, dfn, dfd)
    finite = dfd > 4
    some = jnp.where(finite, dfd, 5.0)
    return jnp.where(finite, 2 * (some / (some - 2)) ** 2 * ((dfn + some - 2) / dfn) / (some - 4), jnp.inf)


def sample(
    key: PRNGKeyArray, dfn: ArrayLike, dfd: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `(g/dfn)/(h/dfd)` with g and h chi-squared.

    >>> sample(jax.random.key(0), 3.0, 5.0, shape=(3,)).shape
    (3,)
    """
    dfn, dfd = spread(shape, dfn, dfd)
    first, second = jax.random.split(key)
    top = jax.random.loggamma(first, 0.5 * dfn, dfn.shape, dfn.dtype)
    bottom = jax.random.loggamma(second, 0.5 * dfd, dfd.shape, dfd.dtype)
    return jnp.exp(top - bottom) * (dfd / dfn)
