"""Deviances: twice what the log-likelihood lacks of that of an exact prediction."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxmle.core.special import expm1mx
from jaxmle.core.special import poisson_deviance as half_poisson_deviance
from jaxmle.losses._inputs import allowed, floats


def poisson_deviance(log_mean: ArrayLike, target: ArrayLike) -> Float[Array, "..."]:
    """The Poisson deviance from the log of the mean m, `2 (target log(target / m) - target + m)`.

    Noise model: Poisson, nothing held fixed: `-log probability = poisson_deviance / 2 + constant` with the constant
    `log target! - target log target + target`, which the target alone decides. The estimate is right for any
    target whose mean is exp(log_mean), a count or not, and its sandwich errors for any variance.

    Args:
        log_mean: the *log* of the mean, any shape: `exp` of it is what scikit-learn's `mean_poisson_deviance` takes.
        target: zero or more, whole or not.

    Returns:
        The loss, elementwise; infinite for a negative target.

    Example:
        >>> round(float(poisson_deviance(0.0, 2.0)), 4)
        0.7726

    Source: Nelder and Wedderburn (1972), "Generalized linear models", section 1.3.
    """
    log_mean, target = floats(log_mean, target)
    ok = (target >= 0) & (target < jnp.inf)
    y, log_mean = jnp.where(ok, target, 1.0), jnp.where(ok, log_mean, 0.0)
    log_ratio = log_mean - jnp.log(jnp.where(y > 0, y, 1.0))
    return allowed(ok, target, 2 * half_poisson_deviance(y, log_mean, jnp.exp(log_mean), log_ratio))


def gamma_deviance(log_mean: ArrayLike, target: ArrayLike) -> Float[Array, "..."]:
    """The gamma deviance from the log of the mean m, `2 (target / m - 1 - log(target / m))`.

    Noise model: gamma with the shape a held fixed and the scale m / a: `-log density = (a/2) gamma_deviance +
    constant` with the constant `log Gamma(a) - a log a + a + log target`. The estimate is the same for every a.

    Args:
        log_mean: the *log* of the mean, any shape: `exp` of it is what scikit-learn's `mean_gamma_deviance` takes.
        target: positive.

    Returns:
        The loss, elementwise; infinite for a target that is not positive.

    Example:
        >>> round(float(gamma_deviance(0.0, 2.0)), 4)
        0.6137

    Source: McCullagh and Nelder (1989), "Generalized Linear Models", section 8.3.1.
    """
    log_mean, target = floats(log_mean, target)
    ok = (target > 0) & (target < jnp.inf)
    return allowed(ok, target, 2 * expm1mx(jnp.where(ok, jnp.log(jnp.where(ok, target, 1.0)) - log_mean, 0.0)))
