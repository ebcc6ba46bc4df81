"""The Dirichlet distribution."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.elementary import ln
from jaxmle.core.quotient import log_quotient
from jaxmle.core.special import binet, poisson_deviance
from jaxmle.densities._inputs import common, floats, sum_over_last

SUPPORT = "positive numbers that sum to one"
CONCAVE_IN = (0,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, alpha: ArrayLike) -> Bool[Array, "..."]:
    """Are the y positive, and is their sum one to rounding?

    >>> import jax
    >>> import jax.numpy as jnp
    >>> bool(support(jnp.array([0.2, 0.3, 0.5]), jnp.array([1.0, 2.0, 3.0])))
    True
    """
    y, _ = floats(y, alpha)
    tolerance = 2.0 * float(jnp.finfo(y.dtype).eps) ** 0.5
    return jnp.all(y > 0, axis=-1) & (jnp.abs(jnp.sum(y, axis=-1) - 1) < tolerance)


def logpdf(y: ArrayLike, alpha: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the Dirichlet distribution, in all of the y but one.

    Formula: `log Gamma(A) + sum_k ((alpha_k - 1) log y_k - log Gamma(alpha_k))` with A the sum of alpha, in
    Loader's form: the deviances of alpha_k from A y_k.

    Args:
        y: shares, of shape `(..., K)`, that sum to one.
        alpha: the parameters, positive, of shape `(..., K)`; the means are in proportion to them.

    Returns:
        The log-density, of shape `(...)`; minus infinity where the y are not shares.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> round(float(logpdf(jnp.array([0.2, 0.3, 0.5]), jnp.array([1.0, 2.0, 3.0]))), 4)
        1.5041

    Source: Kotz, Balakrishnan and Johnson (2000), Continuous multivariate distributions, equation 49.1;
    Loader (2000).
    """
    y, alpha = floats(y, alpha)
    ok = support(y, alpha)
    y_ok = jnp.where(ok[..., None], y, 1 / y.shape[-1])
    total = jnp.sum(alpha, axis=-1)

    def of_share(y, alpha):
        expected, log_y = total * y, ln(y)
        deviance = poisson_deviance(alpha, log_y, expected, log_quotient(expected, alpha))
        return 0.5 * (jnp.log(alpha) - log(2 * pi)) - binet(alpha) - deviance - log_y

    value = sum_over_last(of_share, y_ok, alpha) - 0.5 * (jnp.log(total) - log(2 * pi)) + binet(total)
    return jnp.where(jnp.any(jnp.isnan(y), axis=-1), jnp.nan, jnp.where(ok, value, -jnp.inf))


def mean(alpha: ArrayLike) -> Float[Array, "... k"]:
    """The means, `alpha/A`.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> mean(jnp.array([1.0, 3.0])).tolist()
    [0.25, 0.75]
    """
    (alpha,) = common(alpha)
    return alpha / jnp.sum(alpha, axis=-1, keepdims=True)


def variance(alpha: ArrayLike) -> Float[Array, "... k"]:
    """The variances of each share, `m (1 - m)/(A + 1)` with m its mean.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> variance(jnp.array([1.0, 2.0])).round(4).tolist()
    [0.055600000000000004, 0.055600000000000004]
    """
    (alpha,) = common(alpha)
    total = jnp.sum(alpha, axis=-1, keepdims=True)
    return alpha / total * ((total - alpha) / total) / (total + 1)


def information(alpha: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in alpha of one observation: `diag(psi'(alpha)) - psi'(A)`.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> round(float(information(jnp.array([1.0, 2.0]))[0, 0]), 4)
    1.25

    Source: Kotz, Balakrishnan and Johnson (2000), section 49.4.
    """
    (alpha,) = common(alpha)
    return jnp.diag(jax.scipy.special.polygamma(1, alpha)) - jax.scipy.special.polygamma(1, jnp.sum(alpha))


def sample(key: PRNGKeyArray, alpha: ArrayLike, shape: tuple[int, ...] | None = None) -> Float[Array, "... k"]:
    """Draws; a shape is that of the draws, without the axis of the shares.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> sample(jax.random.key(0), jnp.ones(3), shape=(5,)).shape
    (5, 3)
    """
    (alpha,) = common(alpha)
    return jax.random.dirichlet(key, alpha, shape, alpha.dtype)
