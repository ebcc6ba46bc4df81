"""The multivariate Student t distribution."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.special import compound_log, log_gamma_half_step
from jaxmle.densities._inputs import common, floats
from jaxmle.densities._scaled import log_diagonal, solve_lower, times_lower

SUPPORT = "finite numbers"


def support(y: ArrayLike, df: ArrayLike, loc: ArrayLike, cholesky: ArrayLike) -> Bool[Array, "..."]:
    """Are the y finite?

    >>> import jax
    >>> import jax.numpy as jnp
    >>> bool(support(jnp.ones(2), 3.0, jnp.zeros(2), jnp.eye(2)))
    True
    """
    return jnp.all(jnp.isfinite(floats(y, df, loc, cholesky)[0]), axis=-1)


def logpdf(y: ArrayLike, df: ArrayLike, loc: ArrayLike, cholesky: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the multivariate Student t distribution.

    Formula: `log Gamma((df + K)/2) - log Gamma(df/2) - K log(df pi)/2 - sum_k log L_kk - (df + K)/2 log(1 +
    |z|^2/df)` with `L z = y - loc`. It passes into the normal's as df grows, without loss.

    Args:
        y: observations, of shape `(..., K)`.
        df: degrees of freedom, positive, of shape `(...)`.
        loc: the centre, of shape `(..., K)`.
        cholesky: the lower Cholesky factor of the scale matrix, of shape `(..., K, K)`, its diagonal
            positive; what is above it is not looked at.

    Returns:
        The log-density, of shape `(...)`.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> round(float(logpdf(jnp.ones(2), 3.0, jnp.zeros(2), jnp.eye(2))), 4)
        -3.1149

    Source: Kotz and Nadarajah (2004), Multivariate t distributions, equation 1.1.
    """
    y, df, loc, cholesky = floats(y, df, loc, cholesky)
    z = solve_lower(cholesky, y - loc)
    square, size = jnp.sum(z * z, axis=-1), z.shape[-1]
    steps = jnp.arange(size, dtype=df.dtype).reshape((1,) * df.ndim + (-1,)) / 2
    half = df[..., None] / 2
    gammas = jnp.sum(log_gamma_half_step(half + steps) + 0.5 * jnp.log1p(steps / half), axis=-1)
    kernel = compound_log(square, df) + size * jnp.log1p(square / df)
    return gammas - 0.5 * (size * log(2 * pi) + kernel) - log_diagonal(cholesky)


def mean(df: ArrayLike, loc: ArrayLike, cholesky: ArrayLike) -> Float[Array, "... k"]:
    """The mean, `loc`; NaN where df <= 1, for there is none.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> mean(3.0, jnp.zeros(2), jnp.eye(2)).tolist()
    [0.0, 0.0]
    """
    df, loc, _ = common(df, loc, cholesky)
    return jnp.where(df[..., None] > 1, loc, jnp.nan)


def variance(df: ArrayLike, loc: ArrayLike, cholesky: ArrayLike) -> Float[Array, "... k"]:
    """The variances, the diagonal of `L L' df/(df - 2)`; infinite where 1 < df <= 2, NaN where df <= 1.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> variance(4.0, jnp.zeros(2), jnp.eye(2)).tolist()
    [2.0, 2.0]
    """
    df, _, cholesky = common(df, loc, cholesky)
    df = df[..., None]
    finite = jnp.sum(jnp.tril(cholesky) ** 2, axis=-1) * (df / jnp.where(df > 2, df - 2, 1.0))
    return jnp.where(df > 2, finite, jnp.where(df > 1, jnp.inf, jnp.nan))


def sample(
    key: PRNGKeyArray, df: ArrayLike, loc: ArrayLike, cholesky: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "... k"]:
    """Draws, a normal over the root of a chi-squared over df; a shape is that of the draws, without their last
    axis.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> sample(jax.random.key(0), 3.0, jnp.zeros(2), jnp.eye(2), shape=(5,)).shape
    (5, 2)
    """
    df, loc, cholesky = common(df, loc, cholesky)
    if shape is None:
        shape = jnp.broadcast_shapes(df.shape, loc.shape[:-1], cholesky.shape[:-2])
    first, second = jax.random.split(key)
    z = jax.random.normal(first, (*shape, loc.shape[-1]), loc.dtype)
    log_width = jax.random.loggamma(second, jnp.broadcast_to(df / 2, shape)) - jnp.log(jnp.broadcast_to(df / 2, shape))
    widths = jnp.exp(-0.5 * log_width)[..., None]
    return jnp.broadcast_to(loc, z.shape) + times_lower(cholesky, z) * widths
