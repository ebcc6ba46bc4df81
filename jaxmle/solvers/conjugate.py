"""Conjugate gradients on a curvature that is met through its products with vectors only."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

_MOST = 200
_RECENT = 4
_SHARE = 0.05
_PROBES = 12


class ConjugateStep(eqx.Module):
    """A step, the gain it promises, whether it is the ``whole`` one, whether that gain is ``settled`` (no more than a
    share of it is missing), whether curvature was ``negative`` on the way, whether ``flat`` directions, with neither
    curvature nor gradient beyond rounding, were left alone, and how many products it took."""

    step: Float[Array, " m"]
    predicted: Float[Array, ""]
    whole: Bool[Array, ""]
    settled: Bool[Array, ""]
    negative: Bool[Array, ""]
    flat: Bool[Array, ""]
    products: Int[Array, ""]


def steihaug(multiply: Callable, slope: Float[Array, " m"], radius, goal, noise) -> ConjugateStep:
    """The step p, |p| <= radius, at which ``slope . p - p' A p / 2`` is nearly highest, where ``multiply(v)`` is A v.

    Conjugate gradients from zero, to the boundary where they meet it or a direction that curves upwards. They stop
    once the last few steps together gained less than a share of all, a twentieth, or less close to a maximum, or of
    ``goal``, and what is left of the slope could gain no more at the lowest curvature met. The gain only grows, so what
    is found is a lower bound until it has settled. ``noise`` is the rounding error of a slope.

    Source: Steihaug (1983); Nocedal and Wright (2006), algorithm 7.2; Strakoš and Tichý (2002) on stopping by the
    gains of the last steps.
    """
    most = min(_MOST, 2 * slope.size)

    def running(carry):
        return ~carry.over & (carry.count < most)

    def step(carry):
        return _onward(carry, slope, multiply(carry.direction), radius, goal, noise)

    end = jax.lax.while_loop(running, step, _Search.begun(slope))
    inside = ~end.negative & ~end.outside
    return ConjugateStep(end.step, end.gain, inside, end.settled, end.negative, end.flat, end.count)


class _Search(eqx.Module):
    """Where conjugate gradients stand."""

    step: Float[Array, " m"]
    residual: Float[Array, " m"]
    direction: Float[Array, " m"]
    gain: Float[Array, ""]
    recent: Float[Array, " k"]
    lowest: Float[Array, ""]
    largest: Float[Array, ""]
    count: Int[Array, ""]
    negative: Bool[Array, ""]
    flat: Bool[Array, ""]
    outside: Bool[Array, ""]
    settled: Bool[Array, ""]
    over: Bool[Array, ""]

    @classmethod
    def begun(cls, slope) -> "_Search":
        """The search from a step of zero."""
        dtype, no = slope.dtype, jnp.zeros((), bool)
        zero, infinity = jnp.zeros((), dtype), jnp.full((), jnp.inf, dtype)
        nothing = jnp.dot(slope, slope) <= jnp.finfo(dtype).tiny
        return cls(
            step=jnp.zeros_like(slope),
            residual=slope,
            direction=slope,
            gain=zero,
            recent=jnp.full(_RECENT, jnp.inf, dtype),
            lowest=infinity,
            largest=zero,
            count=jnp.zeros((), int),
            negative=no,
            flat=no,
            outside=no,
            settled=nothing,
            over=nothing | ~jnp.all(jnp.isfinite(slope)),
        )


def _onward(old, slope, bent, radius, goal, noise):
    """The search one step on; ``bent`` is the product of the curvature with its direction."""
    eps, tiny = jnp.finfo(slope.dtype).eps, jnp.finfo(slope.dtype).tiny
    p, r, y = old.direction, old.residual, old.step
    square, curvature, rr = jnp.dot(p, p), jnp.dot(p, bent), jnp.dot(r, r)
    largest = jnp.maximum(old.largest, jnp.abs(curvature) / square)
    negative = curvature < -100.0 * eps * largest * square
    # Curvature is a sum of squares in most models, so that it is known to the square of the rounding error.
    lost = ~negative & ~(curvature > (30.0 * eps) ** 2 * largest * square)
    length = jnp.where(lost, 0.0, rr / jnp.where(curvature > 0, curvature, 1.0))
    reach = jnp.where(jnp.isinf(radius), jnp.maximum(2.0 * jnp.linalg.norm(y), jnp.linalg.norm(slope)), radius)
    outside = ~lost & ~(jnp.linalg.norm(y + length * p) <= radius)
    length = jnp.where(negative | outside, _to_boundary(y, p, reach), length)
    step, residual = y + length * p, r - length * bent
    gain = 0.5 * jnp.dot(step, slope + residual)
    recent = jnp.roll(old.recent, 1).at[0].set(jnp.maximum(gain - old.gain, 0.0))
    lowest = jnp.minimum(old.lowest, jnp.where(lost, jnp.inf, jnp.abs(curvature) / square))
    remaining = jnp.dot(residual, residual)
    missing = jnp.maximum(0.5 * remaining / lowest, jnp.sum(recent))
    share = jnp.minimum(_SHARE, jnp.sqrt(jnp.maximum(gain, 0.0)))
    small = (old.count >= _RECENT) & (missing <= jnp.maximum(share * gain, _SHARE * goal))
    flat = lost & (jnp.sqrt(rr) <= 100.0 * noise)
    settled = flat | (~negative & ~outside & ~lost & (small | (remaining <= tiny)))
    return _Search(
        step=step,
        residual=residual,
        direction=residual + remaining / jnp.where(rr > 0, rr, 1.0) * p,
        gain=gain,
        recent=recent,
        lowest=lowest,
        largest=largest,
        count=old.count + 1,
        negative=negative,
        flat=flat,
        outside=outside,
        settled=settled,
        over=negative | outside | settled | lost,
    )


def _to_boundary(y, p, radius):
    """How far along ``p`` from ``y`` the length is ``radius``."""
    square, along = jnp.dot(p, p), jnp.dot(y, p)
    missing = jnp.maximum(radius**2 - jnp.dot(y, y), 0.0)
    root = jnp.sqrt(along**2 + square * missing)
    return missing / jnp.maximum(along + root, jnp.finfo(y.dtype).tiny)


def equilibrated(multiply: Callable, scale: Float[Array, " m"], rounds, seed) -> Float[Array, " m"]:
    """``scale`` after ``rounds`` that bring the rows of ``A / (scale scale')`` nearer to length one.

    Each halves, in logarithms, how far a unit is off. The lengths of the rows are those of a product with a random
    vector of signs, on average.

    Source: Bradley (2010), "Algorithms for the equilibration of matrices and their application to limited-memory
    quasi-Newton methods", chapter 2.
    """

    def again(i, scale):
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), seed), i)
        signs = jax.random.rademacher(key, scale.shape, scale.dtype)
        rows = jnp.abs(multiply(signs / scale)) / scale
        typical = jnp.sqrt(jnp.mean(jnp.where(jnp.isfinite(rows), rows, 0.0) ** 2))
        rows = jnp.clip(rows, 1e-6 * typical, None)  # one random product may vanish by chance
        good = jnp.isfinite(rows) & (rows > 0)
        return scale * jnp.sqrt(jnp.where(good, rows, 1.0))

    return jax.lax.fori_loop(0, rounds, again, scale)


def bends_up(multiply: Callable, scale: Float[Array, " m"], wanted):
    """Whether a direction that curves upwards shows in a few Lanczos steps from a random vector, where that is
    ``wanted``; and how many products it took.

    Conjugate gradients on a positive definite matrix meet positive curvature only (Nocedal and Wright 2006, section
    7.1), so that one meets no other is what is tested.
    """
    dtype = scale.dtype
    start = jax.random.normal(jax.random.key(1), scale.shape, dtype)
    most = jnp.where(wanted, min(_PROBES, scale.size), 0)

    def running(carry):
        *_, bends, count = carry
        return ~bends & (count < most)

    def step(carry):
        r, p, largest, bends, count = carry
        bent = multiply(p / scale) / scale
        rr, square, curvature = jnp.dot(r, r), jnp.dot(p, p), jnp.dot(p, bent)
        largest = jnp.maximum(largest, jnp.abs(curvature) / square)
        bends = curvature < -100.0 * jnp.finfo(dtype).eps * largest * square
        left = r - rr / jnp.where(curvature > 0, curvature, 1.0) * bent
        over = bends | ~(curvature > 0)
        p = left + jnp.dot(left, left) / jnp.where(rr > 0, rr, 1.0) * p
        return left, p, largest, bends, jnp.where(over, jnp.maximum(most, count + 1), count + 1)

    zero = jnp.zeros((), dtype)
    *_, bends, count = jax.lax.while_loop(running, step, (start, start, zero, jnp.zeros((), bool), jnp.zeros((), int)))
    return bends, count
