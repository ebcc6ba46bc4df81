"""The von Mises distribution, on the circle."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.bessel import log_bessel
from jaxmle.core.elementary import sine
from jaxmle.densities._inputs import common, floats, inside, spread, symmetric

SUPPORT = "a finite angle, in radians"


def support(y: ArrayLike, kappa: ArrayLike, loc: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite?

    >>> bool(support(1.0, 1.0, 1.0))
    True
    """
    return jnp.isfinite(floats(y, kappa, loc)[0])


def logpdf(y: ArrayLike, kappa: ArrayLike, loc: ArrayLike) -> Float[Array, "..."]:
    """Log-density of the von Mises distribution.

    Formula: `kappa cos(y - loc) - log(2 pi I_0(kappa))`, evaluated as `-2 kappa sin((y - loc)/2)^2 - log(2 pi
    exp(-kappa) I_0(kappa))`.

    Args:
        y: angles, in radians; y and y + 2 pi are the same.
        kappa: the concentration, positive; nearly 1/variance where it is large.
        loc: the mean direction, in radians.

    Returns:
        The log-density, elementwise; it integrates to one over any turn; minus infinity at an infinite y.

    Example:
        >>> round(float(logpdf(1.0, 2.0, 0.5)), 4)
        -0.9067

    Source: Mardia and Jupp (2000), Directional statistics, equation 3.5.17.
    """
    y, kappa, loc = floats(y, kappa, loc)
    ok = support(y, kappa, loc)
    half = 0.5 * (jnp.where(ok, y, 0.0) - loc)
    value = -2 * kappa * sine(half) ** 2 - log_bessel(kappa) - log(2 * pi)
    return jnp.where(kappa > 0, inside(ok, y, value), jnp.nan)


def mean(kappa: ArrayLike, loc: ArrayLike) -> Float[Array, "..."]:
    """The mean direction, `loc`, in radians.

    >>> round(float(mean(2.0, 0.5)), 4)
    0.5
    """
    return spread(None, kappa, loc)[1]


def information(kappa: ArrayLike, loc: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (kappa, loc) of one observation: `diag(1 - A/kappa - A^2, kappa A)` with `A =
    I_1(kappa)/I_0(kappa)`.

    >>> information(2.0, 0.5).round(4).tolist()
    [[0.1642, 0.0], [0.0, 1.3955]]

    Source: Mardia and Jupp (2000), section 5.3.1.
    """
    kappa, _ = common(kappa, loc)
    slope = jax.grad(lambda k: jnp.sum(log_bessel(k)))
    length, ones = 1 + slope(kappa), jnp.ones_like(kappa)
    return symmetric([[jax.jvp(slope, (kappa,), (ones,))[1]], [0.0 * kappa, kappa * length]])


def sample(
    key: PRNGKeyArray, kappa: ArrayLike, loc: ArrayLike, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    """Draws, angles from loc - pi to loc + pi, by rejection from a wrapped Cauchy distribution.

    >>> sample(jax.random.key(0), 2.0, 0.5, shape=(3,)).shape
    (3,)

    Source: Best and Fisher (1979), Efficient simulation of the von Mises distribution.
    """
    kappa, loc = spread(shape, kappa, loc)
    root = 1 + jnp.sqrt(1 + 4 * kappa**2)
    rho = 2 * kappa / (root + jnp.sqrt(2 * root))
    r = (1 + rho**2) / (2 * rho)

    def propose(state):
        key, done, cosine = state
        key, now = jax.random.split(key)
        z, u = jax.random.uniform(now, (2, *loc.shape), loc.dtype)
        z = jnp.cos(pi * z)
        f = (1 + r * z) / (r + z)
        c = kappa * (r - f)
        accept = ~done & (jnp.log(c / u) + 1 - c >= 0)
        return key, done | accept, jnp.where(accept, f, cosine)

    angle_key, sign_key = jax.random.split(key)
    start = angle_key, jnp.zeros(loc.shape, bool), jnp.zeros_like(loc)
    *_, cosine = jax.lax.while_loop(lambda state: ~jnp.all(state[1]), propose, start)
    angle = jnp.arccos(jnp.clip(cosine, -1.0, 1.0))
    return loc + angle * jax.random.rademacher(sign_key, loc.shape, loc.dtype)
