"""The multivariate normal distribution, by its precision."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core import lapack
from jaxmle.densities._inputs import common, floats
from jaxmle.densities._scaled import log_diagonal, solve_lower

SUPPORT = "finite numbers"
CONCAVE_IN = (0,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, loc: ArrayLike, precision: ArrayLike) -> Bool[Array, "..."]:
    """Are the y finite?

    >>> import jax
    >>> import jax.numpy as jnp
    >>> bool(support(jnp.ones(2), jnp.zeros(2), jnp.eye(2)))
    True
    """
    return jnp.all(jnp.isfinite(floats(y, loc, precision)[0]), axis=-1)


def logpdf(y: ArrayLike, loc: ArrayLike, precision: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the multivariate normal distribution, by the inverse of its covariance.

    Formula: `-|z|^2/2 + sum_k log L_kk - K log(2 pi)/2` with `z = L' (y - loc)` and the precision `L L'`.

    Args:
        y: observations, of shape `(..., K)`.
        loc: the mean, of shape `(..., K)`.
        precision: the inverse of the covariance, symmetric and positive definite, of shape `(..., K, K)`.

    Returns:
        The log-density, of shape `(...)`; NaN where the precision is not positive definite.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> round(float(logpdf(jnp.ones(2), jnp.zeros(2), jnp.eye(2))), 4)
        -2.8379

    Source: Rue and Held (2005), Gaussian Markov random fields, equation 2.4.
    """
    y, loc, precision = floats(y, loc, precision)
    factor = lapack.cholesky(precision)
    z = jnp.squeeze(jnp.swapaxes(factor, -1, -2) @ (y - loc)[..., None], -1)
    return -0.5 * jnp.sum(z * z, axis=-1) + log_diagonal(factor) - 0.5 * z.shape[-1] * log(2 * pi)


def mean(loc: ArrayLike, precision: ArrayLike) -> Float[Array, "... k"]:
    """The mean, `loc`.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> mean(jnp.zeros(2), jnp.eye(2)).tolist()
    [0.0, 0.0]
    """
    return common(loc, precision)[0]


def variance(loc: ArrayLike, precision: ArrayLike) -> Float[Array, "... k"]:
    """The variances, the diagonal of the inverse of the precision.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> variance(jnp.zeros(2), jnp.eye(2)).tolist()
    [1.0, 1.0]
    """
    factor = lapack.cholesky(common(loc, precision)[1])
    half = lapack.solve_lower(factor, jnp.eye(factor.shape[-1], dtype=factor.dtype))
    return jnp.sum(half * half, axis=-2)


def sample(
    key: PRNGKeyArray, loc: ArrayLike, precision: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "... k"]:
    """Draws, `loc + x` with `L' x` standard normal; a shape is that of the draws, without their last axis.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> sample(jax.random.key(0), jnp.zeros(2), jnp.eye(2), shape=(5,)).shape
    (5, 2)
    """
    loc, precision = common(loc, precision)
    shape = jnp.broadcast_shapes(loc.shape[:-1], precision.shape[:-2]) if shape is None else shape
    z = jax.random.normal(key, (*shape, loc.shape[-1]), loc.dtype)
    return jnp.broadcast_to(loc, z.shape) + solve_lower(lapack.cholesky(precision), z, transpose=True)
