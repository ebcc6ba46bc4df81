"""The negative binomial distribution, by its mean and concentration."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxmle.core.elementary import ln, ln1p
from jaxmle.core.incomplete import log_betainc
from jaxmle.core.special import binet, compound_slope, expm1mx, log_factorial_excess, sigmoid
from jaxmle.densities._inputs import floats, inside, is_count, spread

SUPPORT = "a count: 0, 1, 2, ..."
Real = Float[Array, "..."]


def support(y: ArrayLike, log_mean: ArrayLike, concentration: ArrayLike) -> Bool[Array, "..."]:
    """Is y one of 0, 1, 2, ...?

    >>> bool(support(1.5, 0.0, 1.0))
    False
    """
    return is_count(floats(y, log_mean, concentration)[0])


@jax.custom_jvp
def _deviance(y: Real, log_mean: Real, r: Real) -> Real:
    """The sum of half the deviances of y and of r from their shares of y + r.

    `log_total` is log((r + m)/(r + y)) and `log_share` is log(m (r + y)/(y (r + m))), each written to be
    precise through its zero at m = y, from either side. Far out, above `top` or below `-reach`, r + m is m,
    or r, to rounding, and the logs are linear in log m; a third of the exponents leaves room for the squares
    in derivatives.
    """
    reach = _reach(r)
    far = log_mean < -reach
    under, inverse = jnp.where(far, log_mean + reach, 0.0), jnp.exp(jnp.where(far, reach, -log_mean))
    log_mean, over = _below_top(log_mean, r)
    m, r_share = jnp.exp(log_mean), sigmoid(jnp.log(r) - log_mean)
    above, some = m > y, jnp.maximum(y, 1.0)
    high, low = jnp.where(above, m, y), jnp.where(above, y, m)
    size = ln1p((high - low) / (r + low))
    up = (high - y) / some * r_share
    share = ln1p(jnp.where(above, up, (some * inverse - 1) / (1 + y / r)))
    log_total, log_share = jnp.where(above, size, -size) + over, jnp.where(above, share, -share) + under
    return r * expm1mx(-log_total) + jnp.where(y > 0, y * expm1mx(log_share), m * r_share)


@_deviance.defjvp
def _(primals, tangents):
    """The derivatives are r (m - y)/(r + m) in log m and log((r + m)/(r + y)) - (m - y)/(r + m) in r."""
    y, log_mean, r = primals
    _, log_mean_tangent, r_tangent = tangents
    log_mean, over = _below_top(log_mean, r)
    m = jnp.exp(log_mean)
    in_log_mean = sigmoid(jnp.log(r) - log_mean) * (m - y)
    near = jnp.abs(m - y) < 0.1 * (r + y)
    small = compound_slope(jnp.where(near, (m - y) / (r + y), 0.0))
    in_r = jnp.where(near, small, ln((r + m) / (r + y)) - (m - y) / (r + m)) + over
    return _deviance(*primals), in_log_mean * log_mean_tangent + in_r * r_tangent


def _below_top(log_mean: Real, r: Real):
    """`log_mean` kept below `top`, and by how much it was over."""
    top = jax.lax.stop_gradient(jnp.log(r)) + _reach(r)
    over = log_mean > top
    return jnp.where(over, top, log_mean), jnp.where(over, log_mean - top, 0.0)


def _reach(r: Real):
    return jnp.log(jnp.finfo(r.dtype).max) / 3


def logpmf(y: ArrayLike, log_mean: ArrayLike, concentration: ArrayLike) -> Float[Array, "..."]:
    """Log-probability of the negative binomial distribution with variance `m + m^2/r`.

    Formula: `log Gamma(y + r) - log Gamma(r) - log y! + r log(r/(r + m)) + y log(m/(r + m))` with `m =
    exp(log_mean)` and `r = concentration`. Evaluated in Loader's form: Stirling remainders, and the deviances
    of y and of r from their shares `(y + r) m/(r + m)` and `(y + r) r/(r + m)` of the total. It passes into
    the Poisson's as r grows, without loss in the value or in the derivatives in r.

    Args:
        y: counts, whole numbers, any shape.
        log_mean: the log of the mean, any real number.
        concentration: r, positive; scipy's n, and 1/alpha where the dispersion is called alpha.

    Returns:
        The log-probability, elementwise; minus infinity where y is not a count.

    Example:
        >>> round(float(logpmf(2, 1.0, 3.0)), 4)
        -1.6307

    Source: Lawless (1987), Negative binomial and mixed Poisson regression, equation 1; Loader (2000).
    """
    y, log_mean, r = floats(y, log_mean, concentration)
    ok = support(y, log_mean, r)
    count = jnp.where(ok, y, 0.0)
    stirling = binet(r + count) - binet(r) - 0.5 * ln1p(count / r) - log_factorial_excess(count)
    return inside(ok, y, stirling - _deviance(count, log_mean, r))


def _logs(y: Float[Array, "..."], log_mean: Float[Array, "..."], r: Float[Array, "..."]):
    """Log of P(Y <= y) and of P(Y > y), where that is between 0 and 1."""
    ok = (y >= 0) & (y < jnp.inf)
    k = jnp.floor(jnp.where(ok, y, 0.0))
    return ok, *log_betainc(r, k + 1, jnp.log(r) - log_mean)


def logcdf(y: ArrayLike, log_mean: ArrayLike, concentration: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log I_p(r, k + 1)` with `p = r/(r + m)` and k the whole part of y.

    >>> round(float(logcdf(2, 1.0, 3.0)), 4)
    -0.6049
    """
    y, log_mean, r = floats(y, log_mean, concentration)
    ok, value, _ = _logs(y, log_mean, r)
    return jnp.where(y == jnp.inf, 0.0, inside(ok, y, value))


def logsf(y: ArrayLike, log_mean: ArrayLike, concentration: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), the complement of `logcdf`; 0 for y < 0.

    >>> round(float(logsf(2, 1.0, 3.0)), 4)
    -0.7899
    """
    y, log_mean, r = floats(y, log_mean, concentration)
    ok, _, value = _logs(y, log_mean, r)
    return jnp.where(y < 0, 0.0, inside(ok, y, value))


def mean(log_mean: ArrayLike, concentration: ArrayLike) -> Float[Array, "..."]:
    """The mean, `m = exp(log_mean)`.

    >>> float(mean(0.0, 2.0))
    1.0
    """
    return jnp.exp(spread(None, log_mean, concentration)[0])


def variance(log_mean: ArrayLike, concentration: ArrayLike) -> Float[Array, "..."]:
    """The variance, `m + m^2/concentration`.

    >>> float(variance(0.0, 2.0))
    1.5
    """
    log_mean, r = spread(None, log_mean, concentration)
    return jnp.exp(log_mean) * (1 + jnp.exp(log_mean) / r)


def sample(
    key: PRNGKeyArray, log_mean: ArrayLike, concentration: ArrayLike, shape: tuple[int, ...] | None = None
) -> Int[Array, "..."]:
    """Draws, counts: Poisson with a gamma-distributed rate of shape r and mean m.

    >>> sample(jax.random.key(0), 0.0, 2.0, shape=(3,)).shape
    (3,)
    """
    log_mean, r = spread(shape, log_mean, concentration)
    gamma_key, poisson_key = jax.random.split(key)
    rate = jnp.exp(log_mean) * jax.random.gamma(gamma_key, r, r.shape, r.dtype) / r
    return jax.random.poisson(poisson_key, rate, dtype=int)
