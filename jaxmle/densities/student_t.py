"""Student's t distribution."""

from math import log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxmle.core.elementary import slopes
from jaxmle.core.incomplete import log_betainc
from jaxmle.core.quotient import inverse, log_quotient, log_squares, log_squares_rest, quotient, share, smaller
from jaxmle.core.special import log_gamma_half_step
from jaxmle.densities._inputs import common, finite, floats, inside, log_above, log_below, spread, symmetric

SUPPORT = "a finite number"
_NEAR = 1e-5  # in units of sqrt(df) or 1, where the distribution function is 1/2 and a cubic to rounding


def support(y: ArrayLike, df: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Bool[Array, "..."]:
    """Is y finite?

    >>> bool(support(1.0, 3.0, 0.0, 1.0))
    True
    """
    return jnp.isfinite(floats(y, df, loc, scale)[0])


def logpdf(y: ArrayLike, df: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log-density of Student's t distribution.

    Formula: `log Gamma((df + 1)/2) - log Gamma(df/2) - log(df pi)/2 - log(scale) - (df + 1)/2 log(1 +
    z^2/df)` with `z = (y - loc)/scale`. It passes into the normal's as df grows, without loss: `df log(1 +
    z^2/df)` and the difference of the gamma functions are taken as wholes, and so are their derivatives in
    df.

    Args:
        y: observations, any shape.
        df: degrees of freedom, positive, not necessarily whole.
        loc: the median, in the units of y.
        scale: the scale, positive, in the units of y; the standard deviation is larger, see `variance`.

    Returns:
        The log-density, elementwise; minus infinity at an infinite y.

    Example:
        >>> round(float(logpdf(1.0, 3.0, 0.0, 2.0)), 4)
        -1.8541

    Source: Lange, Little and Taylor (1989), Robust statistical modeling using the t distribution, section 2.
    """
    y, df, loc, scale = floats(y, df, loc, scale)
    value = log_gamma_half_step(df / 2) - 0.5 * (log(2 * pi) + _kernel(finite(y, y - loc), df, scale)) - jnp.log(scale)
    return inside(jnp.isfinite(y), y, value)


@jax.custom_jvp
def _kernel(x: Float[Array, "..."], df: Float[Array, "..."], scale: Float[Array, "..."]) -> Float[Array, "..."]:
    """(df + 1) log(1 + (x/scale)^2 / df)."""
    return (df + 1) * log_squares(x, scale * jnp.sqrt(df))


def _times_df(x: Float[Array, "..."], df: Float[Array, "..."], scale: Float[Array, "..."]):
    """df x^2 / (x^2 + df scale^2), by itself and over x; written so that its slope in a large df does not cancel."""
    steep, _, part = smaller(x, scale * jnp.sqrt(df))
    z = quotient(jnp.where(steep, 0.0, x), scale)
    over = jnp.where(steep, df * inverse(jnp.where(steep, x, 1.0)), z * inverse(scale))
    return jnp.where(steep, df, z * z) * part, over * part


def _kernel_in_df(value: Float[Array, "..."], x: Float[Array, "..."], df: Float[Array, "..."], scale):
    unit = scale * jnp.sqrt(df)
    return log_squares_rest(x, unit) - share(x, unit) / df


slopes(
    _kernel,
    lambda value, x, df, scale: 2 * (1 + 1 / df) * _times_df(x, df, scale)[1],
    _kernel_in_df,
    lambda value, x, df, scale: -2 * (1 + 1 / df) * inverse(scale) * _times_df(x, df, scale)[0],
)


def _log_lower(x: Float[Array, "..."], df: Float[Array, "..."], scale: Float[Array, "..."]) -> Float[Array, "..."]:
    """Log of the distribution function at x from the median: with z = x/scale half of `I_u(df/2, 1/2)`, where
    `u = df/(df + z^2)`, or less that.

    Near its middle by its series, for there the derivatives of u are infinite.
    """
    size = jnp.where(x < 0, -x, x)
    near = size < _NEAR * jnp.sqrt(jnp.minimum(df, 1.0)) * scale
    logit = jnp.log(df) - 2 * log_quotient(jnp.where(near, 1.0, size), jnp.where(near, 1.0, scale))
    log_both = log_betainc(0.5 * df, jnp.full_like(df, 0.5), logit)[0]
    far = jnp.where(x < 0, log_both - log(2), jnp.log1p(-0.5 * jnp.exp(log_both)))
    z = quotient(jnp.where(near, x, 0.0), scale)
    step = jnp.exp(log_gamma_half_step(0.5 * df)) * z * (1 - (1 + 1 / df) * z * z / 6) * (2 / pi) ** 0.5
    return jnp.where(near, jnp.log1p(step) - log(2), far)


def logcdf(y: ArrayLike, df: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y <= y), `log(I_x(df/2, 1/2)/2)` with `x = df/(df + z^2)` below loc, the complement above.

    >>> round(float(logcdf(1.0, 3.0, 0.0, 2.0)), 4)
    -0.3941
    """
    y, df, loc, scale = floats(y, df, loc, scale)
    return log_below(y, _log_lower(finite(y, y - loc), df, scale))


def logsf(y: ArrayLike, df: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """Log of P(Y > y), the `logcdf` of the mirror image.

    >>> round(float(logsf(1.0, 3.0, 0.0, 2.0)), 4)
    -1.1217
    """
    y, df, loc, scale = floats(y, df, loc, scale)
    return log_above(y, _log_lower(finite(y, loc - y), df, scale))


def mean(df: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The mean, `loc`; NaN where df <= 1, for there is none.

    >>> float(mean(3.0, 1.0, 2.0))
    1.0
    """
    df, loc, scale = spread(None, df, loc, scale)
    return jnp.where(df > 1, loc, jnp.nan)


def variance(df: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "..."]:
    """The variance, `scale^2 df/(df - 2)`; infinite where 1 < df <= 2, NaN where df <= 1.

    >>> float(variance(4.0, 0.0, 1.0))
    2.0
    """
    df, loc, scale = spread(None, df, loc, scale)
    finite = scale**2 * (df / jnp.where(df > 2, df - 2, 1.0))
    return jnp.where(df > 2, finite, jnp.where(df > 1, jnp.inf, jnp.nan))


def information(df: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Float[Array, "k k"]:
    """The expected information in (df, loc, scale) of one observation.

    With v = df and s = scale: loc `(v + 1) / ((v + 3) s^2)`, scale `2 v / ((v + 3) s^2)`, df and scale
    `-2 / (s (v + 1) (v + 3))`, df `(psi'(v/2) - psi'((v + 1)/2)) / 4 - (v + 5) / (2 v (v + 1) (v + 3))`.

    >>> round(float(information(3.0, 0.0, 1.0)[1, 1]), 4)
    0.6667

    Source: Lange, Little and Taylor (1989), "Robust statistical modeling using the t distribution", appendix B.
    """
    df, _, scale = common(df, loc, scale)
    trigamma = jax.scipy.special.polygamma
    bend = trigamma(1, df / 2) - trigamma(1, (df + 1) / 2)
    shape = bend / 4 - (df + 5) / (2 * df * (df + 1) * (df + 3))
    zero = 0.0 * scale
    mixed = -2.0 / (scale * (df + 1) * (df + 3))
    widths = (df + 3) * scale**2
    return symmetric([[shape], [zero, (df + 1) / widths], [mixed, zero, 2 * df / widths]])


def sample(
    key: PRNGKeyArray,
    df: ArrayLike,
    loc: ArrayLike,
    scale: ArrayLike,
    shape: tuple[int, ...] | None = None,
) -> Float[Array, "..."]:
    """Draws, `loc + scale t` with t standard Student.

    >>> sample(jax.random.key(0), 3.0, 0.0, 1.0, shape=(3,)).shape
    (3,)
    """
    df, loc, scale = spread(shape, df, loc, scale)
    return loc + scale * jax.random.t(key, df, df.shape, df.dtype)
