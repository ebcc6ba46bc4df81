"""The binomial distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxmle.core.incomplete import log_betainc
from jaxmle.core.quotient import log_quotient
from jaxmle.core.special import log_factorial_excess, poisson_deviance, sigmoid, softplus
from jaxmle.densities._inputs import floats, inside, is_count, spread, symmetric

SUPPORT = "a count: 0, 1, ..., n, and n a whole number"
CONCAVE_IN = (1,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, n: ArrayLike, logits: ArrayLike) -> Bool[Array, "..."]:
    """Is y one of 0, 1, ..., n?

    >>> bool(support(4, 3, 0.0))
    False
    """
    y, n, _ = floats(y, n, logits)
    return is_count(y) & is_count(n) & (y <= n)


def _deviance(y: Float[Array, "..."], n: Float[Array, "..."], logits: Float[Array, "..."]) -> Float[Array, "..."]:
    """Half the Poisson deviance of y from its mean `n p`, `p = sigmoid(logits)`."""
    log_p, some = -softplus(-logits), y > 0
    log_share = log_quotient(jnp.where(some, y, 1.0), jnp.where(some, n, 1.0))
    return poisson_deviance(y, log_p, n * sigmoid(logits), log_p - log_share)


def logpmf(y: ArrayLike, n: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """Log-probability of the binomial distribution.

    Formula: `log C(n, y) + y logits - n log(1 + exp(logits))`, evaluated in Loader's form: `s(n) - s(y) - s(n
    - y)` less the deviances of y and of n - y from their means, with `s(k) = log k! - k log k + k`.

    Args:
        y: successes, whole numbers, any shape.
        n: trials, whole numbers; not a parameter to be estimated, and not differentiated.
        logits: the log-odds of a success, any real number.

    Returns:
        The log-probability, elementwise; minus infinity where y is not one of 0, 1, ..., n.

    Example:
        >>> round(float(logpmf(2, 5, 0.0)), 4)
        -1.1632

    Source: Johnson, Kemp and Kotz (2005), equation 3.1; Loader (2000), Fast and accurate computation of
    binomial probabilities.
    """
    y, n, logits = floats(y, n, logits)
    ok = support(y, n, logits)
    y_ok, n_ok = jnp.where(ok, y, 0.0), jnp.where(ok, n, 0.0)
    rest = n_ok - y_ok
    log_choose = log_factorial_excess(n_ok) - log_factorial_excess(y_ok) - log_factorial_excess(rest)
    value = log_choose - _deviance(y_ok, n_ok, logits) - _deviance(rest, n_ok, -logits)
    return inside(ok, y, value)


def _logs(y: Float[Array, "..."], n: Float[Array, "..."], logits: Float[Array, "..."]):
    """Log of P(Y <= y) and of P(Y > y), where that is between 0 and 1."""
    ok = (y >= 0) & (y < n)
    k = jnp.floor(jnp.where(ok, y, 0.0))
    n = jnp.where(ok, n, 1.0)
    return ok, *log_betainc(n - k, k + 1, -logits)


def logcdf(y: ArrayLike, n: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log I_(1 - p)(n - k, k + 1)` with k the whole part of y; 0 for y >= n.

    >>> round(float(logcdf(2, 5, 0.0)), 4)
    -0.6931
    """
    y, n, logits = floats(y, n, logits)
    ok, value, _ = _logs(y, n, logits)
    return jnp.where(y >= n, 0.0, inside(ok, y, value))


def logsf(y: ArrayLike, n: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), the complement of `logcdf`; 0 for y < 0.

    >>> round(float(logsf(2, 5, 0.0)), 4)
    -0.6931
    """
    y, n, logits = floats(y, n, logits)
    ok, _, value = _logs(y, n, logits)
    return jnp.where(y < 0, 0.0, inside(ok, y, value))


def probability(n: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """The probability of a success in one trial, `1/(1 + exp(-logits))`.

    >>> float(probability(4, 0.0))
    0.5
    """
    return sigmoid(spread(None, n, logits)[1])


def mean(n: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """The mean, `n p` with `p = 1/(1 + exp(-logits))`.

    >>> float(mean(4, 0.0))
    2.0
    """
    n, logits = spread(None, n, logits)
    return n * sigmoid(logits)


def variance(n: ArrayLike, logits: ArrayLike) -> Float[Array, "..."]:
    """The variance, `n p (1 - p)`.

    >>> float(variance(4, 0.0))
    1.0
    """
    n, logits = spread(None, n, logits)
    return n * sigmoid(logits) * sigmoid(-logits)


def information(n: ArrayLike, logits: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (n, logits) of one observation: the variance for logits, NaN for n, which is data.

    >>> float(information(4.0, 0.0)[1, 1])
    1.0

    Source: McCullagh and Nelder (1989), section 2.5.
    """
    spreads = variance(n, logits)
    none = jnp.full_like(spreads, jnp.nan)
    return symmetric([[none], [none, spreads]])


def sample(
    key: PRNGKeyArray, n: ArrayLike, logits: ArrayLike, shape: tuple[int, ...] | None = None
) -> Int[Array, "..."]:
    """Draws, numbers of successes.

    >>> sample(jax.random.key(0), 4, 0.0, shape=(3,)).shape
    (3,)
    """
    n, logits = spread(shape, n, logits)
    return jax.random.binomial(key, n, sigmoid(logits), n.shape, n.dtype).astype(int)
