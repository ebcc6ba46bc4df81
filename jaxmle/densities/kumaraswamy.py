"""The Kumaraswamy distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.elementary import ln
from jaxmle.core.special import log1mexp, log1mexp_product, log_gamma
from jaxmle.densities._inputs import floats, inside, log_above, log_below, spread

SUPPORT = "a number between 0 and 1, both excluded"


def support(y: ArrayLike, a: ArrayLike, b: ArrayLike) -> Bool[Array, "..."]:
    """Is y between 0 and 1, both excluded?

    >>> bool(support(1.0, 2.0, 3.0))
    False
    """
    y = floats(y, a, b)[0]
    return (y > 0) & (y < 1)


def _moment(k: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    """The mean of y^(a k), `b B(1 + k, b)`."""
    return jnp.exp(log_gamma(1 + k) + log_gamma(1 + b) - log_gamma(1 + k + b))


def logpdf(y: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the Kumaraswamy distribution.

    Formula: `log(a b) + (a - 1) log y + (b - 1) log(1 - y^a)`: like a beta, with a distribution function in
    closed form.

    Args:
        y: observations, any shape.
        a: the first shape, positive.
        b: the second shape, positive.

    Returns:
        The log-density, elementwise; minus infinity unless 0 < y < 1.

    Example:
        >>> round(float(logpdf(0.3, 2.0, 3.0)), 4)
        0.3992

    Source: Kumaraswamy (1980), A generalized probability density function for double-bounded random
    processes; Jones (2009), equation 1.1.
    """
    y, a, b = floats(y, a, b)
    ok = support(y, a, b)
    x = jnp.where(ok, y, 0.5)
    log_x = ln(x)
    value = jnp.log(a) + jnp.log(b) + (a - 1) * log_x + (b - 1) * log1mexp(-a * log_x)
    return inside(ok, y, value)


def logcdf(y: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log(1 - (1 - y^a)^b)`; minus infinity for y <= 0, 0 for y >= 1.

    >>> round(float(logcdf(0.3, 2.0, 3.0)), 4)
    -1.4007
    """
    y, a, b = floats(y, a, b)
    ok = (y > 0) & (y < 1)
    u = -a * jnp.log(jnp.where(ok, y, 0.5))
    return log_below(y, log1mexp_product(b, -log1mexp(u), -u), low=0.0, high=1.0)


def logsf(y: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `b log(1 - y^a)`; 0 for y <= 0, minus infinity for y >= 1.

    >>> round(float(logsf(0.3, 2.0, 3.0)), 4)
    -0.2829
    """
    y, a, b = floats(y, a, b)
    ok = (y > 0) & (y < 1)
    value = b * log1mexp(-a * jnp.log(jnp.where(ok, y, 0.5)))
    return log_above(y, value, low=0.0, high=1.0)


def quantile(q: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `(1 - (1 - q)^(1/b))^(1/a)`.

    >>> round(float(quantile(0.25, 2.0, 3.0)), 4)
    0.3024
    """
    q, a, b = floats(q, a, b)
    return jnp.exp(log1mexp(-jnp.log1p(-q) / b) / a)


def mean(a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """The mean, `b B(1 + 1/a, b)`.

    >>> round(float(mean(2.0, 3.0)), 4)
    0.4571
    """
    a, b = spread(None, a, b)
    return _moment(1 / a, b)


def variance(a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """The variance, `b B(1 + 2/a, b) - mean^2`.

    >>> round(float(variance(2.0, 3.0)), 4)
    0.041
    """
    a, b = spread(None, a, b)
    return _moment(2 / a, b) - _moment(1 / a, b) ** 2


def sample(key: PRNGKeyArray, a: ArrayLike, b: ArrayLike, shape: tuple[int, ...] | None = None) -> Float[Array, "..."]:
    """Draws, `(1 - (1 - u)^(1/b))^(1/a)` with u standard uniform.

    >>> sample(jax.random.key(0), 2.0, 3.0, shape=(3,)).shape
    (3,)
    """
    a, b = spread(shape, a, b)
    return jnp.exp(log1mexp(jax.random.exponential(key, a.shape, a.dtype) / b) / a)
