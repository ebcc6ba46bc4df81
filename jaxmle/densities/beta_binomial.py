"""The beta-binomial distribution."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxmle.core.urn import urn, urn_total
from jaxmle.densities._inputs import floats, inside, is_count, spread

SUPPORT = "a count: 0, 1, ..., n, and n a whole number"


def support(y: ArrayLike, n: ArrayLike, a: ArrayLike, b: ArrayLike) -> Bool[Array, "..."]:
    """Is y one of 0, 1, ..., n?

    >>> bool(support(6, 5, 2.0, 3.0))
    False
    """
    y, n, _, _ = floats(y, n, a, b)
    return is_count(y) & is_count(n) & (y <= n)


def logpmf(y: ArrayLike, n: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """Log-probability of the beta-binomial distribution: binomial with a probability that is beta.

    Formula: `log C(n, y) + log B(y + a, n - y + b) - log B(a, b)`, evaluated as the deviances of the table of
    y, n - y, a and b from independence, and Stirling remainders. It passes into the binomial's as a and b
    grow.

    Args:
        y: successes, whole numbers, any shape.
        n: trials, whole numbers; not a parameter to be estimated, and not differentiated.
        a: the first shape, positive.
        b: the second shape, positive; the mean probability is `a/(a + b)`, the correlation of two trials
            `1/(a + b + 1)`.

    Returns:
        The log-probability, elementwise; minus infinity where y is not one of 0, 1, ..., n.

    Example:
        >>> round(float(logpmf(3, 5, 2.0, 3.0)), 4)
        -1.6582

    Source: Johnson, Kemp and Kotz (2005), equation 6.18; Loader (2000).
    """
    y, n, a, b = floats(y, n, a, b)
    ok = support(y, n, a, b)
    y_ok, n_ok = jnp.where(ok, y, 0.0), jnp.where(ok, n, 0.0)
    first, second = urn(y_ok, a, n_ok, a + b), urn(n_ok - y_ok, b, n_ok, a + b)
    return inside(ok, y, first + second + urn_total(n_ok, a + b))


def mean(n: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """The mean, `n a/(a + b)`.

    >>> round(float(mean(5, 2.0, 3.0)), 4)
    2.0
    """
    n, a, b = spread(None, n, a, b)
    return n * (a / (a + b))


def variance(n: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """The variance, `n p (1 - p) (a + b + n)/(a + b + 1)` with `p = a/(a + b)`.

    >>> round(float(variance(5, 2.0, 3.0)), 4)
    2.0
    """
    n, a, b = spread(None, n, a, b)
    total = a + b
    return n * (a / total) * (b / total) * ((total + n) / (total + 1))


def sample(
    key: PRNGKeyArray, n: ArrayLike, a: ArrayLike, b: ArrayLike, shape: tuple[int, ...] | None = None
) -> Int[Array, "..."]:
    """Draws, binomial with a beta-distributed probability.

    >>> sample(jax.random.key(0), 5, 2.0, 3.0, shape=(3,)).shape
    (3,)
    """
    n, a, b = spread(shape, n, a, b)
    beta_key, binomial_key = jax.random.split(key)
    p = jax.random.beta(beta_key, a, b, n.shape, n.dtype)
    return jax.random.binomial(binomial_key, n, p, n.shape, n.dtype).astype(int)
