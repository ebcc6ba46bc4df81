"""The Gumbel distribution, of maxima."""

from math import pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.special import log1mexp_exp
from jaxmle.densities._inputs import common, floats, inside, log_above, log_below, spread, standard, symmetric

SUPPORT = "a finite number"
CONCAVE_IN = (0,)  # the places of the parameters that it is jointly log-concave in, the others held


def support(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite?

    >>> bool(support(1.0, 1.0, 1.0))
    True
    """
    return jnp.isfinite(floats(y, loc, scale)[0])


def logpdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the Gumbel distribution of maxima, scipy's `gumbel_r`.

    Formula: `-z - exp(-z) - log(scale)` with `z = (y - loc)/scale`. Minima have the density of -y.

    Args:
        y: observations, any shape.
        loc: the mode, in the units of y.
        scale: the scale, positive, in the units of y.

    Returns:
        The log-density, elementwise; minus infinity at an infinite y.

    Example:
        >>> round(float(logpdf(1.0, 0.0, 2.0)), 4)
        -1.7997

    Source: Johnson, Kotz and Balakrishnan (1995), volume 2, equation 22.27.
    """
    y, loc, scale = floats(y, loc, scale)
    ok = support(y, loc, scale)
    z = standard(y, loc, scale)
    return inside(ok, y, -z - jnp.exp(-z) - jnp.log(scale))


def logcdf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `-exp(-z)`.

    >>> round(float(logcdf(1.0, 0.0, 2.0)), 4)
    -0.6065
    """
    y, loc, scale = floats(y, loc, scale)
    return log_below(y, -jnp.exp(-standard(y, loc, scale)))


def logsf(y: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), `log(1 - exp(-exp(-z)))`, which is near -z in the upper tail.

    >>> round(float(logsf(1.0, 0.0, 2.0)), 4)
    -0.788
    """
    y, loc, scale = floats(y, loc, scale)
    return log_above(y, log1mexp_exp(standard(y, loc, scale)))


def quantile(q: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The y with P(Y <= y) = q, `loc - scale log(-log q)`.

    >>> round(float(quantile(0.25, 0.0, 2.0)), 4)
    -0.6533
    """
    q, loc, scale = floats(q, loc, scale)
    return loc - scale * jnp.log(-jnp.log(q))


def mean(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `loc + gamma scale` with Euler's constant, 0.5772.

    >>> round(float(mean(0.0, 2.0)), 4)
    1.1544
    """
    loc, scale = spread(None, loc, scale)
    return loc + 0.5772156649015329 * scale


def variance(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `pi^2 scale^2/6`.

    >>> round(float(variance(0.0, 2.0)), 4)
    6.5797
    """
    return pi**2 / 6 * spread(None, loc, scale)[1] ** 2


def information(loc: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (loc, scale) of one observation: 1, `gamma - 1` and `pi^2/6 + (1 - gamma)^2`,
    over scale^2.

    >>> information(0.0, 2.0).round(4).tolist()
    [[0.25, -0.1057], [-0.1057, 0.4559]]

    Source: Johnson, Kotz and Balakrishnan (1995), volume 2, section 22.9.
    """
    _, scale = common(loc, scale)
    rest = 1 - 0.5772156649015329
    return symmetric([[1 / scale**2], [-rest / scale**2, (pi**2 / 6 + rest**2) / scale**2]])


def sample(
    key: PRNGKeyArray, loc: ArrayLike, scale: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, `loc + scale z` with z standard Gumbel.

    >>> sample(jax.random.key(0), 0.0, 2.0, shape=(3,)).shape
    (3,)
    """
    loc, scale = spread(shape, loc, scale)
    return loc + scale * jax.random.gumbel(key, loc.shape, loc.dtype)
