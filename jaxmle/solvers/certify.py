"""What Newton's method thinks of a point that another solver found."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxmle.core import lapack, linalg
from jaxmle.core import status as codes
from jaxmle.solvers.newton import Newton
from jaxmle.solvers.newton_cg import NewtonCGState
from jaxmle.solvers.penalty import Penalty
from jaxmle.solvers.proximal_newton import ProximalNewton
from jaxmle.solvers.quadratic import positive, underflows

_CURVED, _PART = 1e-4, 1e-3
_SHARE = 0.1  # of the way to where a number makes no difference any more: as a step that would still move it
_SEEN, _LESS = 100.0, 0.7
_MOST = 60  # evaluations


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
    evaluate: Callable,
    z: Float[Array, " m"],
    size: Float[Array, " m"],
    start: Float[Array, " m"],
    status,
    *penalty: Penalty,
) -> Certificate:
    """Look at ``z``, which was found from ``start``, and one Newton step on, with ``evaluate(z)`` of order 2; by
    proximal Newton where there is a ``penalty`` with kinks. Where the curvature fades on that step it goes on until it
    is known whether there is a maximum at all, if the ``status`` is a claim of one, or that the steps ran out."""
    newton: Any = ProximalNewton(switch=jnp.inf) if penalty else Newton(switch=jnp.inf)
    found = evaluate(z)
    here = newton.update(newton.init(z, jnp.finfo(z.dtype).tiny, size, *penalty), found, *penalty)
    near = here.left < jnp.finfo(z.dtype).eps ** 0.5
    asked = codes.is_maximum(status) | (status == codes.OUT_OF_STEPS)

    def onward(carry):
        state, fades, _ = carry
        evaluation = evaluate(state.z)
        fades = fades | _fades(state, evaluation)
        return newton.update(state, evaluation, *penalty), fades, jnp.zeros((), bool)

    def running(carry):
        state, fades, first = carry
        return first | (asked & fades & (state.status == codes.RUNNING) & (state.steps < _MOST))

    there, fades, _ = jax.lax.while_loop(running, onward, (here, jnp.zeros((), bool), jnp.ones((), bool)))
    diverging = (there.status == codes.DIVERGING) | (fades & near)
    slight = _slight(here.evaluation, z, start)
    gone = jax.lax.cond(
        here.flat | jnp.any(slight), lambda: _gone(here, evaluate(start), start, slight), lambda: jnp.zeros_like(z)
    )
    direction = jnp.where(gone != 0, _SHARE * gone, here.z - z)
    left = jnp.where(jnp.isfinite(here.left), jnp.maximum(here.left, 0.0), jnp.nan)
    pivot = getattr(here, "pivot", jnp.full_like(left, jnp.nan))
    slopes = here.evaluation.gradient
    slopes = penalty[0].smallest_subgradient(here.best, slopes) if penalty else slopes
    unseen = underflows(here.evaluation.curvature, slopes) | ~found.is_finite()
    known = jnp.where(unseen, jnp.nan, left)
    return Certificate(known, direction, jnp.isnan(left), here.flat, diverging | jnp.any(gone != 0), pivot)


def _fades(state, evaluation):
    """Whether the whole step that is ahead of ``state``, up to the rounding of numbers that it does not move, finds
    less curvature at its end, where ``evaluation`` was taken: on a separated direction 1/e of it."""
    step = jnp.where(codes.still_moving(state.z - state.best, state.best), state.z - state.best, 0.0)
    before = jnp.dot(step, state.evaluation.curvature @ step)
    size = jnp.abs(step) @ jnp.abs(state.evaluation.curvature) @ jnp.abs(step)
    seen = before > _SEEN * jnp.finfo(step.dtype).eps * size
    return state.whole & seen & (jnp.dot(step, evaluation.curvature @ step) < _LESS * before)


def _slight(evaluation, z, start):
    """Which numbers were moved to where they make hardly a difference: over their whole size the density curves by no
    more than a rounding error."""
    curving = jnp.abs(jnp.diagonal(evaluation.curvature)) * z**2
    moved = jnp.abs(z - start) > 0.5 * jnp.abs(z)
    return moved & (curving < jnp.finfo(z.dtype).eps) & (jnp.abs(z) > 1.0)


def _gone(here, before, start, slight):
    """How far from the ``start`` numbers have gone that the density curved in there, and curves in no more; zero for
    the others."""
    eps, way = jnp.finfo(start.dtype).eps, here.best - start
    then, now = (jnp.abs(jnp.diagonal(evaluation.curvature)) for evaluation in (before, here.evaluation))
    lost = slight & ((now < eps**0.5 * then) | (now * here.best**2 < eps**2))
    null = jnp.where(here.flat, _faded(here, before, start), 0.0)
    return jnp.where(null != 0, null, jnp.where(lost, way, 0.0))


def _faded(here, before, start):
    """How far from the ``start`` the directions without curvature have led, where they had some there and still have a
    gradient, if only of rounding, else zero: collinear columns never had any, and what has been switched off has no
    gradient at all."""
    scale = positive(here.scale)
    values, vectors = lapack.eigh(linalg.unit_diagonal(here.evaluation.curvature, scale))
    null = jnp.abs(values) <= linalg.null_threshold(values.size, values.dtype) * jnp.max(jnp.abs(values))
    way = vectors @ jnp.where(null, (scale * (here.best - start)) @ vectors, 0.0)
    unit = way / jnp.maximum(jnp.linalg.norm(way), jnp.finfo(way.dtype).tiny)
    part = jnp.abs(unit) > _PART
    curved = unit @ linalg.unit_diagonal(before.curvature, scale) @ unit
    faded = (curved > _CURVED) & jnp.any(part & (here.evaluation.gradient != 0))
    return jnp.where(faded & part, way / scale, 0.0)


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
    claims |= (status == codes.FLAT) & ~certificate.flat
    beaten = jnp.where(jnp.isnan(certificate.left), codes.UNSETTLED, codes.STOPPED_SHORT)
    beaten = jnp.where(certificate.upwards, codes.SADDLE, beaten)
    enough = enough & ~certificate.upwards
    status = jnp.where(claims & ~enough, beaten, status)
    status = jnp.where((status == codes.COMPLETED) & enough, codes.CONVERGED, status)
    status = jnp.where((status == codes.STALLED) & enough, codes.STALLED_AT_ROUNDING, status)
    status = jnp.where((status == codes.OUT_OF_STEPS) & (certificate.left < tolerance), codes.CONVERGED, status)
    status = jnp.where(certificate.flat & enough & codes.is_ok(status), codes.FLAT, status)
    others = jnp.asarray((codes.OUT_OF_STEPS, codes.STOPPED_SHORT, codes.UNSETTLED))
    fails = codes.is_ok(status) | jnp.isin(status, others)
    return jnp.where(certificate.diverging & fails, codes.DIVERGING, status)
