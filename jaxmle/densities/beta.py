"""The beta distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import polygamma
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.elementary import ln, ln1p
from jaxmle.core.incomplete import log_beta_of_logs, log_betainc
from jaxmle.densities._inputs import common, floats, inside, spread, symmetric

SUPPORT = "a number between 0 and 1, both excluded"
CONCAVE_IN = (0, 1)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, a: ArrayLike, b: ArrayLike) -> Bool[Array, "..."]:
    """Is y between 0 and 1, both excluded?

    >>> bool(support(1.0, 2.0, 3.0))
    False
    """
    y = floats(y, a, b)[0]
    return (y > 0) & (y < 1)


def _logs(y: Float[Array, "..."], a: Float[Array, "..."], b: Float[Array, "..."]) -> list[Float[Array, "..."]]:
    """Log of P(Y <= y) and of P(Y > y)."""
    ok = (y > 0) & (y < 1)
    x = jnp.where(ok, y, 0.5)
    sides = y >= 1, y <= 0
    logs = log_betainc(a, b, jnp.log(x) - jnp.log1p(-x))
    return [jnp.where(full, 0.0, inside(ok, y, value)) for full, value in zip(sides, logs, strict=True)]


def logpdf(y: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the beta distribution.

    Formula: `(a - 1) log y + (b - 1) log(1 - y) - log B(a, b)`, evaluated in Loader's form: the deviances of
    a and b from `(a + b) y` and `(a + b) (1 - y)`, where nothing cancels.

    Args:
        y: observations, any shape.
        a: the first shape, positive.
        b: the second shape, positive; the mean is `a/(a + b)`.

    Returns:
        The log-density, elementwise; minus infinity unless 0 < y < 1.

    Example:
        >>> round(float(logpdf(0.3, 2.0, 3.0)), 4)
        0.5676

    Source: Johnson, Kotz and Balakrishnan (1995), volume 2, equation 25.1; Loader (2000).
    """
    y, a, b = floats(y, a, b)
    ok = support(y, a, b)
    x = jnp.where(ok, y, 0.5)
    log_x, log_rest = ln(x), ln1p(-x)
    return inside(ok, y, log_beta_of_logs(a, b, log_x, log_rest, x, 1 - x) - log_x - log_rest)


def logcdf(y: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log I_y(a, b)`; minus infinity for y <= 0, 0 for y >= 1.

    >>> round(float(logcdf(0.3, 2.0, 3.0)), 4)
    -1.0547
    """
    y, a, b = floats(y, a, b)
    return _logs(y, a, b)[0]


def logsf(y: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `log I_(1-y)(b, a)`; 0 for y <= 0, minus infinity for y >= 1.

    >>> round(float(logsf(0.3, 2.0, 3.0)), 4)
    -0.4282
    """
    y, a, b = floats(y, a, b)
    return _logs(y, a, b)[1]


def mean(a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """The mean, `a/(a + b)`.

    >>> round(float(mean(2.0, 3.0)), 4)
    0.4
    """
    a, b = spread(None, a, b)
    return a / (a + b)


def variance(a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """The variance, `a b/((a + b)^2 (a + b + 1))`.

    >>> round(float(variance(2.0, 3.0)), 4)
    0.04
    """
    a, b = spread(None, a, b)
    return a / (a + b) * (b / (a + b)) / (a + b + 1)


def information(a: ArrayLike, b: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (a, b) of one observation: `diag(psi'(a), psi'(b)) - psi'(a + b)`.

    >>> round(float(information(2.0, 3.0)[0, 0]), 4)
    0.4236

    Source: Johnson, Kotz and Balakrishnan (1995), volume 2, section 25.4.
    """
    a, b = common(a, b)
    both = polygamma(1, a + b)
    return symmetric([[polygamma(1, a) - both], [-both, polygamma(1, b) - both]])


def sample(key: PRNGKeyArray, a: ArrayLike, b: ArrayLike, shape: tuple[int, ...] | None = None) -> Float[Array, "..."]:
    """Draws, `g/(g + h)` with g and h gamma of shapes a and b.

    >>> sample(jax.random.key(0), 2.0, 3.0, shape=(3,)).shape
    (3,)
    """
    a, b = spread(shape, a, b)
    return jax.random.beta(key, a, b, a.shape, a.dtype)
