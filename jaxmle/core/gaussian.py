"""The probability of an interval under the normal distribution, in logarithms, with its derivatives."""

from math import log, pi

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxmle.core.normal_tails import log_mills
from jaxmle.core.special import Real

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


def log_normal_between(loc: Real, scale: Real, lower: Real, upper: Real) -> tuple[Real, Real]:
    """A point c, and R with log P(lower <= Y <= upper) = R - ((c - loc)/scale)^2 / 2 for a normal Y.

    The square is what a truncated log-density does not contain, and what would cancel in it. Bounds on both sides of
    loc: c is loc, and R the log of 1 less two tails. Both on one side: c is the nearer one, and R is of Mills' ratios.
    Close bounds: c is their middle, and R is an integral by the rule of Gauss and Legendre, since both of the above
    are differences of nearly equal numbers.
    """
    below, above = distance(lower, loc, scale), distance(upper, loc, scale)
    mirrored = below + above < 0
    start, end = jnp.where(mirrored, -above, below), jnp.where(mirrored, -below, above)
    bounded = jnp.isfinite(lower) & jnp.isfinite(upper)
    width = jnp.where(bounded, upper, 2.0) - jnp.where(bounded, lower, 0.0)
    half, middle = 0.5 * width / scale, 0.5 * (jnp.where(bounded, start, 0.0) + jnp.where(bounded, end, 1.0))
    close = bounded & (half <= 1) & (middle * half <= 1.5)
    one_side = ~close & (start > 0)
    nearer = jnp.where(mirrored, upper, lower)

    inner = _log_close(jnp.where(close, half, 1.0), jnp.where(close, middle, 0.0))
    side = _log_one_side(jnp.where(one_side, start, 1.0), jnp.where(one_side, end, 3.0))
    outer = _log_both_sides(jnp.where(close | one_side, -1.0, start), jnp.where(close | one_side, 1.0, end))
    centre = jnp.where(close, jnp.where(bounded, lower, 0.0) + 0.5 * width, jnp.where(one_side, nearer, loc))
    return centre, jnp.where(close, inner, jnp.where(one_side, side, outer))


def distance(bound: Real, loc: Real, scale: Real) -> Real:
    """(bound - loc)/scale, which does not depend on loc and scale where the bound is infinite."""
    finite = jnp.isfinite(bound)
    return jnp.where(finite, (jnp.where(finite, bound, 0.0) - loc) / scale, bound)


def _log_close(half: Real, middle: Real) -> Real:
    """From `middle - half` to `middle + half`, with exp(-middle^2/2) taken out."""
    total = jnp.zeros_like(half)
    for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True):
        total = total + weight * jnp.exp(-half * node * (middle + 0.5 * half * node))
    return jnp.log(half) + jnp.log(total) - 0.5 * log(2 * pi)


def _log_one_side(start: Real, end: Real) -> Real:
    """From `start` > 0 to `end`, which may be infinite, with exp(-start^2/2) taken out."""
    finite = end < jnp.inf
    last = jnp.where(finite, end, start + 1)
    ratio = -0.5 * (last - start) * (last + start) + log_mills(last) - log_mills(start)
    return log_mills(start) + jnp.where(finite, jnp.log1p(-jnp.exp(ratio)), 0.0)


def _log_both_sides(start: Real, end: Real) -> Real:
    """From `start` <= 0 to `end` > 0, either of which may be infinite."""
    return jnp.log1p(-_tail(-start) - _tail(end))


def _tail(x: Real) -> Real:
    """Phi(-x) for x >= 0, infinite or not."""
    finite = x < jnp.inf
    tail = 0.5 * lax.erfc(jnp.where(finite, x, 1.0) * 0.5**0.5)
    return jnp.where(finite, tail, 0.0)
