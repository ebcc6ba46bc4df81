"""The multivariate normal distribution whose covariance is of low rank plus a diagonal."""

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


def support(y: ArrayLike, loc: ArrayLike, loadings: ArrayLike, variances: ArrayLike) -> Bool[Array, "..."]:
    """Are the y finite?

    >>> import jax.numpy as jnp
    >>> bool(support(jnp.ones(2), jnp.zeros(2), jnp.ones((2, 1)), jnp.ones(2)))
    True
    """
    return jnp.all(jnp.isfinite(floats(y, loc, loadings, variances)[0]), axis=-1)


def logpdf(y: ArrayLike, loc: ArrayLike, loadings: ArrayLike, variances: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the multivariate normal distribution with covariance `F F' + diag(v)`: factor analysis.

    Formula: `-(|u|^2 + |z|^2)/2 - sum_k log(v_k)/2 - sum_r log L_rr - K log(2 pi)/2` with `L L' = I + F' diag(1/v) F`,
    z the scores `(L L')^-1 F' diag(1/v) (y - loc)` and u the residuals `(y - loc - F z)/sqrt(v)`. It takes K R^2
    operations where R, the number of factors, is small, and nothing is subtracted that would cancel.

    Args:
        y: observations, of shape `(..., K)`.
        loc: the mean, of shape `(..., K)`.
        loadings: F, of shape `(..., K, R)`. Their signs and rotation are not identified.
        variances: v, positive, of shape `(..., K)`, those of what the factors do not share.

    Returns:
        The log-density, of shape `(...)`; NaN where a variance is negative.

    Example:
        >>> import jax.numpy as jnp
        >>> round(float(logpdf(jnp.ones(2), jnp.zeros(2), jnp.ones((2, 1)), jnp.ones(2))), 4)
        -2.7205

    Source: Lawley and Maxwell (1971), Factor analysis as a statistical method, section 2.2; Woodbury (1950).
    """
    y, loc, loadings, variances = floats(y, loc, loadings, variances)
    scale = jnp.sqrt(variances)
    units = loadings / scale[..., None]
    eye = jnp.eye(loadings.shape[-1], dtype=loadings.dtype)
    factor = lapack.cholesky(jnp.swapaxes(units, -1, -2) @ units + eye)
    e = (y - loc) / scale
    half = solve_lower(factor, jnp.squeeze(jnp.swapaxes(units, -1, -2) @ e[..., None], -1))
    z = solve_lower(factor, half, transpose=True)
    u = e - jnp.squeeze(units @ z[..., None], -1)
    square = jnp.sum(u * u, axis=-1) + jnp.sum(z * z, axis=-1)
    return -0.5 * square - jnp.sum(jnp.log(scale), axis=-1) - log_diagonal(factor) - 0.5 * e.shape[-1] * log(2 * pi)


def mean(loc: ArrayLike, loadings: ArrayLike, variances: ArrayLike) -> Float[Array, "... k"]:
    """The mean, `loc`.

    >>> import jax.numpy as jnp
    >>> mean(jnp.zeros(2), jnp.ones((2, 1)), jnp.ones(2)).tolist()
    [0.0, 0.0]
    """
    return common(loc, loadings, variances)[0]


def variance(loc: ArrayLike, loadings: ArrayLike, variances: ArrayLike) -> Float[Array, "... k"]:
    """The variances, `sum_r F_kr^2 + v_k`.

    >>> import jax.numpy as jnp
    >>> variance(jnp.zeros(2), jnp.ones((2, 1)), jnp.ones(2)).tolist()
    [2.0, 2.0]
    """
    _, loadings, variances = common(loc, loadings, variances)
    return jnp.sum(loadings * loadings, axis=-1) + variances


def sample(
    key: PRNGKeyArray,
    loc: ArrayLike,
    loadings: ArrayLike,
    variances: ArrayLike,
    shape: tuple[int, ...] | None = None,
) -> Float[Array, "... k"]:
    """Draws, `loc + F z + sqrt(v) u` with z and u standard normal; a shape is that of the draws, without their last
    axis.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> sample(jax.random.key(0), jnp.zeros(2), jnp.ones((2, 1)), jnp.ones(2), shape=(5,)).shape
    (5, 2)
    """
    loc, loadings, variances = common(loc, loadings, variances)
    if shape is None:
        shape = jnp.broadcast_shapes(loc.shape[:-1], loadings.shape[:-2], variances.shape[:-1])
    shared, own = jax.random.split(key)
    z = jax.random.normal(shared, (*shape, loadings.shape[-1]), loc.dtype)
    u = jax.random.normal(own, (*shape, loc.shape[-1]), loc.dtype)
    explained = jnp.squeeze(loadings @ z[..., None], -1)
    return jnp.broadcast_to(loc, u.shape) + explained + jnp.broadcast_to(jnp.sqrt(variances), u.shape) * u
