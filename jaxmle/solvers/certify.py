"""What Newton's method thinks of a point that another solver found."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxmle.core import linalg
from jaxmle.core import status as codes
from jaxmle.solvers.newton import Newton
from jaxmle.solvers.newton_cg import NewtonCGState
from jaxmle.solvers.penalty import Penalty
from jaxmle.solvers.proximal_newton import ProximalNewton
from jaxmle.solvers.quadratic import positive

_CURVED, _PART = 1e-4, 1e-3


class Certificate(eqx.Module):
    """The log-density ``left`` to gain (NaN where that is not known), the Newton step that would gain it, whether some
    direction curves ``upwards``, and whether this is a ``flat`` top, or no top at all because the density only flattens
    out; and the smallest ``pivot`` of the scaled curvature (NaN where no matrix was formed)."""

    left: Float[Array, ""]
    direction: Float[Array, " m"]
    upwards: Bool[Array, ""]
    flat: Bool[Array, ""]
    diverging: Bool[Array, ""]
    pivot: Float[Array, ""]


def certify(
    evaluate: Callable, z: Float[Array, " m"], size: Float[Array, " m"], start: Float[Array, " m"], *penalty: Penalty
) -> Certificate:
    """Look at ``z``, which was found from ``start``, and one Newton step on, with ``evaluate(z)`` of order 2; by
    proximal Newton where there is a ``penalty`` with kinks."""
    newton: Any = ProximalNewton(switch=jnp.inf) if penalty else Newton(switch=jnp.inf)
    here = newton.update(newton.init(z, jnp.finfo(z.dtype).tiny, size, *penalty), evaluate(z), *penalty)
    there = newton.update(here, evaluate(here.z), *penalty)
    near = here.left < jnp.finfo(z.dtype).eps ** 0.5
    diverging = _is_lost(here.evaluation, z, start) | (there.fading & near)
    diverging |= jax.lax.cond(here.flat, lambda: _has_faded(here, evaluate(start), start), lambda: jnp.zeros((), bool))
    left = jnp.where(jnp.isfinite(here.left), jnp.maximum(here.left, 0.0), jnp.nan)
    pivot = getattr(here, "pivot", jnp.full_like(left, jnp.nan))
    return Certificate(
        left, here.z - z, jnp.isnan(left), here.flat, diverging | (there.status == codes.DIVERGING), pivot
    )


def _is_lost(evaluation, z, start):
    """Whether some number was moved to where it makes no difference any more: over its whole size the density does not
    curve by a rounding error."""
    curving = jnp.abs(jnp.diagonal(evaluation.curvature)) * z**2
    moved = jnp.abs(z - start) > 0.5 * jnp.abs(z)
    return jnp.any(moved & (curving < jnp.finfo(z.dtype).eps ** 2) & (jnp.abs(z) > 1.0))


def _has_faded(here, before, start):
    """Whether the directions without curvature had some at the start, and still have a gradient, if only of rounding:
    collinear columns never had any, and what has been switched off has none at all."""
    scale = positive(here.scale)
    values, vectors = jnp.linalg.eigh(linalg.unit_diagonal(here.evaluation.curvature, scale))
    null = jnp.abs(values) <= linalg.null_threshold(values.size, values.dtype) * jnp.max(jnp.abs(values))
    way = vectors @ jnp.where(null, (scale * (here.best - start)) @ vectors, 0.0)
    length = jnp.maximum(jnp.linalg.norm(way), jnp.finfo(way.dtype).tiny)
    way = way / length
    curved = way @ linalg.unit_diagonal(before.curvature, scale) @ way
    return (curved > _CURVED) & jnp.any((jnp.abs(way) > _PART) & (here.evaluation.gradient != 0))


def certificate_of(state: NewtonCGState) -> Certificate:
    """What conjugate gradients found out about the point they began at, and one step on."""
    left = jnp.where(jnp.isfinite(state.left_at_start), state.left_at_start, jnp.nan)
    diverging = state.status == codes.DIVERGING
    return Certificate(left, state.first_step, state.upwards, state.flat, diverging, jnp.full_like(left, jnp.nan))


def certified(status, certificate: Certificate, tolerance):
    """The ``status`` that a solver claims, in the light of the curvature.

    What it calls converged is so where no more is left than ``tolerance``, or the square root of eps.
    """
    enough = certificate.left <= jnp.maximum(tolerance, jnp.finfo(certificate.left.dtype).eps ** 0.5)
    claims = (status == codes.CONVERGED) | (status == codes.STALLED_AT_ROUNDING)
    beaten = jnp.where(jnp.isnan(certificate.left), codes.UNSETTLED, codes.STOPPED_SHORT)
    beaten = jnp.where(certificate.upwards, codes.SADDLE, beaten)
    enough = enough & ~certificate.upwards
    status = jnp.where(claims & ~enough, beaten, status)
    status = jnp.where((status == codes.COMPLETED) & enough, codes.CONVERGED, status)
    status = jnp.where((status == codes.STALLED) & enough, codes.STALLED_AT_ROUNDING, status)
    status = jnp.where((status == codes.OUT_OF_STEPS) & (certificate.left < tolerance), codes.CONVERGED, status)
    status = jnp.where(certificate.flat & enough & codes.is_ok(status), codes.FLAT, status)
    return jnp.where(certificate.diverging & codes.is_ok(status), codes.DIVERGING, status)
