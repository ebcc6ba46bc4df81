"""The generalized normal distribution, or exponential power."""

from math import log

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import digamma, polygamma
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.incomplete import log_gammaincc
from jaxmle.core.quotient import log_quotient, quotient
from jaxmle.core.special import log_gamma
from jaxmle.densities._inputs import common, finite, floats, inside, log_above, log_below, spread, symmetric

SUPPORT = "a finite number"


def support(y: ArrayLike, beta: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite?

    >>> bool(support(1.0, 1.0, 1.0, 1.0))
    True
    """
    return jnp.isfinite(floats(y, beta, loc, scale)[0])


def _power(x: Float[Array, "..."], beta: Float[Array, "..."], scale: Float[Array, "..."]):
    """|z|^beta with z = x/scale, and its log; at z = 0 it is z^2 where beta is 2, for the sake of its derivatives, and
    else a constant."""
    some = x != 0
    at_zero = jnp.where(beta == 2, jnp.where(some, 0.0, quotient(x, scale)) ** 2, 0.0)
    log_power = beta * log_quotient(jnp.where(some, jnp.abs(x), scale), scale)
    return jnp.where(some, jnp.exp(log_power), at_zero), log_power


def _log_lower(x: Float[Array, "..."], beta: Float[Array, "..."], scale: Float[Array, "..."]) -> Float[Array, "..."]:
    """Log of the distribution function at x from the median, where its slope is `1/(2 Gamma(1 + 1/beta) scale)`."""
    middle = x == 0
    power, log_power = _power(jnp.where(middle, 1.0, x), beta, jnp.where(middle, 1.0, scale))
    log_outside = log_gammaincc(1 / beta, power, log_power)
    sides = jnp.where(x < 0, log_outside - log(2), jnp.log1p(-0.5 * jnp.exp(log_outside)))
    slope = jnp.exp(-log_gamma(1 + 1 / beta))
    return jnp.where(middle, jnp.log1p(slope * quotient(jnp.where(middle, x, 0.0), scale)) - log(2), sides)


def logpdf(y: ArrayLike, beta: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the generalized normal distribution.

    Formula: `-|z|^beta - log Gamma(1 + 1/beta) - log(2 scale)` with `z = (y - loc)/scale`. Laplace at beta =
    1, normal at 2 with `scale = sqrt(2) sd`. At y = loc exactly the derivatives in y and loc are zero, though
    the curvature there is infinite for beta below 2.

    Args:
        y: observations, any shape.
        beta: the shape, positive.
        loc: the median, in the units of y.
        scale: the scale, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity at an infinite y.

    Example:
        >>> round(float(logpdf(1.0, 1.5, 0.0, 3.0)), 4)
        -1.8819

    Source: Nadarajah (2005), A generalized normal distribution, equation 1.
    """
    y, beta, loc, scale = floats(y, beta, loc, scale)
    power = _power(finite(y, y - loc), beta, scale)[0]
    return inside(jnp.isfinite(y), y, -power - log_gamma(1 + 1 / beta) - jnp.log(scale) - log(2))


def logcdf(y: ArrayLike, beta: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log(Q(1/beta, |z|^beta)/2)` below loc, the complement above.

    >>> round(float(logcdf(1.0, 1.5, 0.0, 3.0)), 4)
    -0.3986
    """
    y, beta, loc, scale = floats(y, beta, loc, scale)
    return log_below(y, _log_lower(finite(y, y - loc), beta, scale))


def logsf(y: ArrayLike, beta: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), the `logcdf` of the mirror image.

    >>> round(float(logsf(1.0, 1.5, 0.0, 3.0)), 4)
    -1.1124
    """
    y, beta, loc, scale = floats(y, beta, loc, scale)
    return log_above(y, _log_lower(finite(y, loc - y), beta, scale))


def mean(beta: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `loc`.

    >>> round(float(mean(1.5, 0.0, 3.0)), 4)
    0.0
    """
    return spread(None, beta, loc, scale)[1]


def variance(beta: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2 Gamma(3/beta)/Gamma(1/beta)`.

    >>> round(float(variance(1.5, 0.0, 3.0)), 4)
    6.6464
    """
    beta, _, scale = spread(None, beta, loc, scale)
    return scale**2 * jnp.exp(log_gamma(3 / beta) - log_gamma(1 / beta))


def information(beta: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (beta, loc, scale) of one observation.

    With k = 1/beta and s = scale: loc `Gamma(2 - k)/(k^2 s^2 Gamma(k))`, infinite for beta <= 1/2; scale
    `beta/s^2`; beta and scale `-k (psi(k + 1) + 1)/s`; beta `k^3 ((k + 1) (psi(k + 2)^2 + psi'(k + 2)) - k
    psi(k + 1)^2)`; loc is orthogonal to both.

    >>> information(1.5, 0.0, 3.0).round(4).tolist()
    [[0.5194, 0.0, -0.2626], [0.0, 0.16490000000000002, 0.0], [-0.2626, 0.0, 0.16670000000000001]]

    Source: Agro (1995), Maximum likelihood estimation for the exponential power function parameters.
    """
    beta, _, scale = common(beta, loc, scale)
    k = 1 / beta
    regular = k < 2
    log_place = log_gamma(jnp.where(regular, 2 - k, 1.0)) - log_gamma(k) - 2 * jnp.log(k * scale)
    first, second = digamma(k + 1), digamma(k + 2)
    shape = k**3 * ((k + 1) * (second**2 + polygamma(1, k + 2)) - k * first**2) + 0.0 * scale
    zero = 0.0 * scale * k
    place = jnp.where(regular, jnp.exp(log_place), jnp.inf)
    return symmetric([[shape], [zero, place], [-k * (first + 1) / scale, zero, beta / scale**2]])


def sample(
    key: PRNGKeyArray, beta: ArrayLike, loc: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `loc + scale g^(1/beta)` with a random sign and g gamma of shape 1/beta.

    >>> sample(jax.random.key(0), 1.5, 0.0, 3.0, shape=(3,)).shape
    (3,)
    """
    beta, loc, scale = spread(shape, beta, loc, scale)
    gamma_key, sign_key = jax.random.split(key)
    size = jnp.exp(jax.random.loggamma(gamma_key, 1 / beta, loc.shape, loc.dtype) / beta)
    return loc + scale * size * jax.random.rademacher(sign_key, loc.shape, loc.dtype)
