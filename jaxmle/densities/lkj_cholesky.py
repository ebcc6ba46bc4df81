"""The LKJ distribution of the Cholesky factor of a correlation matrix."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.special import log_gamma
from jaxmle.densities._inputs import floats, spread

SUPPORT = "a lower triangular matrix with a positive diagonal and rows of length one"


def support(y: ArrayLike, eta: ArrayLike) -> Bool[Array, "..."]:
    """Is y lower triangular with a positive diagonal, and are its rows of length one to rounding?

    >>> import jax
    >>> import jax.numpy as jnp
    >>> bool(support(jnp.eye(3), 2.0))
    True
    """
    y, _ = floats(y, eta)
    tolerance = 2.0 * float(jnp.finfo(y.dtype).eps) ** 0.5
    lengths = jnp.all(jnp.abs(jnp.sum(y * y, axis=-1) - 1) < tolerance, axis=-1)
    triangular = jnp.all(jnp.triu(y, 1) == 0, axis=(-1, -2))
    return lengths & triangular & jnp.all(jnp.diagonal(y, axis1=-2, axis2=-1) > 0, axis=-1)


def logpdf(y: ArrayLike, eta: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the Cholesky factor of an LKJ correlation matrix, in its entries below the diagonal.

    Formula: `sum_(i > 1) (K - i + 2 eta - 2) log L_ii - log c(eta, K)`: that of the matrix, `|R|^(eta - 1)`,
    and the Jacobian.

    Args:
        y: the lower Cholesky factor of a correlation matrix, of shape `(..., K, K)`.
        eta: the concentration, positive, of shape `(...)`: 1 is uniform over correlation matrices, more is
            nearer to the identity.

    Returns:
        The log-density, of shape `(...)`; minus infinity where y is not such a factor.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> round(float(logpdf(jnp.eye(3), 2.0)), 4)
        -0.6155

    Source: Lewandowski, Kurowicka and Joe (2009), Generating random correlation matrices based on vines and
    extended onion method, theorem 5.
    """
    y, eta = floats(y, eta)
    ok, size = support(y, eta), y.shape[-1]
    diagonal = jnp.diagonal(y, axis1=-2, axis2=-1)[..., 1:]
    log_diagonal = jnp.log(jnp.where(ok[..., None], diagonal, 1.0))
    k = jnp.arange(1, size, dtype=y.dtype).reshape((1,) * eta.ndim + (-1,))
    powers = (size - 1) - k + 2 * eta[..., None] - 2
    gammas = log_gamma(eta[..., None] + 0.5 * (size - 1 - k)) - log_gamma(eta + 0.5 * (size - 1))[..., None]
    value = jnp.sum(powers * log_diagonal - gammas - 0.5 * log(pi) * k, axis=-1)
    return jnp.where(jnp.any(jnp.isnan(y), axis=(-1, -2)), jnp.nan, jnp.where(ok, value, -jnp.inf))


def sample(
    key: PRNGKeyArray, eta: ArrayLike, size: int, shape: tuple[int, ...] | None = None
) -> Float[Array, "... k k"]:
    """Draws, factors of `size` rows, by the onion method.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> sample(jax.random.key(0), 2.0, 3, shape=(5,)).shape
    (5, 3, 3)

    Source: Lewandowski, Kurowicka and Joe (2009), section 3.2.
    """
    (eta,) = spread(shape, eta)
    beta_key, normal_key = jax.random.split(key)
    rows = jnp.arange(1, size, dtype=eta.dtype).reshape((1,) * eta.ndim + (-1,))
    first, second = jnp.broadcast_arrays(rows / 2, eta[..., None] + 0.5 * (size - 1 - rows))
    square = jax.random.beta(beta_key, first, second)
    z = jnp.tril(jax.random.normal(normal_key, (*eta.shape, size - 1, size - 1), eta.dtype))
    direction = z / jnp.linalg.norm(z, axis=-1, keepdims=True)
    lower = jnp.zeros((*eta.shape, size, size), eta.dtype).at[..., 0, 0].set(1.0)
    lower = lower.at[..., 1:, :-1].set(jnp.sqrt(square)[..., None] * direction)
    i = jnp.arange(1, size)
    return lower.at[..., i, i].set(jnp.sqrt(1 - square))
