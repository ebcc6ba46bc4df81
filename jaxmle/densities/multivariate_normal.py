"""The multivariate normal distribution, by the Cholesky factor of its covariance."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.densities._inputs import common, floats
from jaxmle.densities._scaled import log_diagonal, solve_lower, times_lower

SUPPORT = "finite numbers"
CONCAVE_IN = (0,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, loc: ArrayLike, cholesky: ArrayLike) -> Bool[Array, "..."]:
    """Are the y finite?

    >>> import jax
    >>> import jax.numpy as jnp
    >>> bool(support(jnp.ones(2), jnp.zeros(2), jnp.eye(2)))
    True
    """
    return jnp.all(jnp.isfinite(floats(y, loc, cholesky)[0]), axis=-1)


def logpdf(y: ArrayLike, loc: ArrayLike, cholesky: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the multivariate normal distribution.

    Formula: `-|z|^2/2 - sum_k log L_kk - K log(2 pi)/2` with `L z = y - loc` and the covariance `L L'`.

    Args:
        y: observations, of shape `(..., K)`.
        loc: the mean, of shape `(..., K)`.
        cholesky: the lower Cholesky factor of the covariance, of shape `(..., K, K)`, its diagonal positive;
            what is above it is not looked at.

    Returns:
        The log-density, of shape `(...)`.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> round(float(logpdf(jnp.ones(2), jnp.zeros(2), jnp.eye(2))), 4)
        -2.8379

    Source: Kotz, Balakrishnan and Johnson (2000), Continuous multivariate distributions, equation 45.1.
    """
    y, loc, cholesky = floats(y, loc, cholesky)
    z = solve_lower(cholesky, y - loc)
    return -0.5 * jnp.sum(z * z, axis=-1) - log_diagonal(cholesky) - 0.5 * z.shape[-1] * log(2 * pi)


def mean(loc: ArrayLike, cholesky: ArrayLike) -> Float[Array, "... k"]:
    """The mean, `loc`.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> mean(jnp.zeros(2), jnp.eye(2)).tolist()
    [0.0, 0.0]
    """
    return common(loc, cholesky)[0]


def variance(loc: ArrayLike, cholesky: ArrayLike) -> Float[Array, "... k"]:
    """The variances, the diagonal of `L L'`.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> variance(jnp.zeros(2), jnp.eye(2)).tolist()
    [1.0, 1.0]
    """
    lower = jnp.tril(common(loc, cholesky)[1])
    return jnp.sum(lower * lower, axis=-1)


def sample(
    key: PRNGKeyArray, loc: ArrayLike, cholesky: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "... k"]:
    """Draws, `loc + L z` with z standard normal; a shape is that of the draws, without their last axis.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> sample(jax.random.key(0), jnp.zeros(2), jnp.eye(2), shape=(5,)).shape
    (5, 2)
    """
    loc, cholesky = common(loc, cholesky)
    shape = jnp.broadcast_shapes(loc.shape[:-1], cholesky.shape[:-2]) if shape is None else shape
    z = jax.random.normal(key, (*shape, loc.shape[-1]), loc.dtype)
    return jnp.broadcast_to(loc, z.shape) + times_lower(cholesky, z)
