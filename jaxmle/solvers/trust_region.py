"""The trust-region step: the point of a ball at which a quadratic model is highest."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxmle.core import lapack, linalg
from jaxmle.core.rarely import rarely

_SECULAR_STEPS = 30
_SAFE_PIVOT = 1e-8


class Step(eqx.Module):
    """A step, the gain the model predicts for it, whether it is the ``whole`` Newton step, the gain ``left`` that the
    whole one would bring (infinite where there is none), whether ``flat`` directions were left alone, the smallest
    ``pivot`` of the scaled curvature, one where nothing is correlated, and the ``shift`` that was added to its diagonal
    to make the step as short as the radius."""

    step: Float[Array, " m"]
    predicted: Float[Array, ""]
    whole: Bool[Array, ""]
    left: Float[Array, ""]
    flat: Bool[Array, ""]
    pivot: Float[Array, ""]
    shift: Float[Array, ""]


def best_step(gradient: Float[Array, " m"], curvature: Float[Array, "m m"], scale: Float[Array, " m"], radius, noise):
    """The step p, |scale * p| <= radius, that maximises ``gradient . p - p' curvature p / 2``.

    ``noise`` is the rounding error of a scaled gradient; an infinite ``radius`` is for the first step, when nothing
    is known: the Newton step if there is one, else one as long as the scaled gradient. Any symmetric curvature:
    positive definite, singular or indefinite. Nocedal and Wright (2006), section 4.3, by an eigendecomposition where
    the Cholesky factors do not settle it.
    """
    matrix = linalg.unit_diagonal(curvature, scale)
    slope = gradient / scale
    factors, pivot = linalg.factor(matrix)
    newton = linalg.solve_factored(factors, slope)
    left = 0.5 * jnp.sum(slope * newton)
    settled = (pivot > _SAFE_PIVOT) & (jnp.linalg.norm(newton) <= radius)
    found = newton, settled, left, jnp.zeros((), bool), jnp.zeros_like(left)
    scaled, whole, left, flat, shift = rarely(_by_eigenvalues, settled, found, (matrix, slope, radius, noise))
    curved = jnp.sum(matrix * scaled[None, :], axis=1)
    predicted = jnp.sum(scaled * (slope - 0.5 * curved))
    return Step(scaled / scale, predicted, whole, left, flat, pivot, shift)


def _by_eigenvalues(subproblem):
    matrix, slope, radius, noise = subproblem
    tiny = jnp.finfo(matrix.dtype).tiny
    values, vectors = lapack.eigh(matrix)
    parts = slope @ vectors
    threshold = linalg.null_threshold(slope.size, matrix.dtype)
    largest = jnp.maximum(jnp.max(jnp.abs(values)), tiny)
    # A direction with neither curvature nor gradient beyond rounding has nothing to gain: it is left alone.
    rounding = 100.0 * (noise + jnp.finfo(matrix.dtype).eps * jnp.linalg.norm(slope))
    idle = (jnp.abs(values) <= threshold * largest) & (jnp.abs(parts) <= rounding)
    parts = jnp.where(idle, 0.0, parts)
    values = jnp.where(idle, largest, values)
    lowest = jnp.min(values)
    left = jnp.where(lowest > 0, 0.5 * jnp.sum(parts**2 / jnp.where(lowest > 0, values, 1.0)), jnp.inf)
    radius = jnp.where(jnp.isinf(radius) & (lowest <= 0), jnp.linalg.norm(slope), radius)
    shift, interior = _secular(values, parts, radius, lowest)
    denominator = values + shift
    steps = jnp.where(parts == 0.0, 0.0, parts / jnp.where(denominator > 0, denominator, 1.0))
    # The hard case: no gradient along the lowest direction, which must be taken all the same.
    missing = jnp.sqrt(jnp.maximum(radius**2 - jnp.sum(steps**2), 0.0))
    hard = (lowest < 0) & (missing > 0.05 * radius)
    share = jnp.where(values == lowest, missing / jnp.sqrt(jnp.sum(values == lowest).astype(values.dtype)), 0.0)
    steps = steps + jnp.where(hard, jnp.where(steps < 0, -share, share), 0.0)
    return vectors @ steps, interior, left, jnp.any(idle), shift


def _secular(values, parts, radius, lowest):
    """The shift s >= 0, values + s positive, at which the step has the length of the radius; 0 if the whole step fits.

    Newton's iteration on 1/radius - 1/length (Nocedal and Wright 2006, algorithm 4.3), kept in its bracket.
    """
    dtype = values.dtype
    eps = jnp.finfo(dtype).eps

    def length(shift):
        denominator = values + shift
        return jnp.sqrt(jnp.sum((parts / jnp.where(denominator > 0, denominator, eps)) ** 2))

    definite = lowest > 0
    interior = definite & (length(jnp.zeros((), dtype)) <= radius)
    floor = jnp.maximum(-lowest, 0.0)
    needed = jnp.linalg.norm(parts) / radius
    low = floor + jnp.where(definite, 0.0, eps * jnp.maximum(jnp.abs(lowest), jnp.minimum(needed, 1.0)))
    high = floor + needed + eps * jnp.minimum(needed, 1.0)

    def improve(_, carry):
        low, high, shift = carry
        denominator = values + shift
        share = parts / jnp.where(denominator > 0, denominator, eps)
        square = jnp.sum(share**2)
        size = jnp.sqrt(square)
        too_long = size > radius
        low, high = jnp.where(too_long, shift, low), jnp.where(too_long, high, shift)
        bend = jnp.sum(share**2 / jnp.where(denominator > 0, denominator, eps))
        new = shift + (size - radius) / radius * square / jnp.where(bend > 0, bend, 1.0)
        middle = jnp.where(high > 1e3 * low, jnp.sqrt(jnp.maximum(low, 1e-20 * high) * high), 0.5 * (low + high))
        return low, high, jnp.where((new > low) & (new < high), new, middle)

    _, _, shift = jax.lax.fori_loop(0, _SECULAR_STEPS, improve, (low, high, low))
    return jnp.where(interior, 0.0, shift), interior
