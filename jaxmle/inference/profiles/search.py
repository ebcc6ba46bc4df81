"""The loop that drives many searches for ends of profiles at once."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxmle.core import status as codes
from jaxmle.inference.covariances.covariance import covariance_of
from jaxmle.inference.profiles import outcome
from jaxmle.inference.profiles.lane import Aim, Lane, choose, first, hear
from jaxmle.inference.profiles.targets import Profiled

# For numbers of z, where there are no functions that could close over anything: traced once for as many parameters.
_choose_number = jax.jit(choose, static_argnums=2, inline=True)
_hear_number = jax.jit(hear, static_argnums=2, inline=True)


def search(evaluate: Callable, fit, drop, targets: Profiled, functions, status, max_steps, to_level=False):
    """Where the lanes of ``targets`` end that start at ``fit``, a point in z.

    ``evaluate(z, order)`` is the objective; ``functions(z)`` gives the numbers that are no number of z, None where
    there are none; ``status`` is that of the fit. One that diverges or is at a boundary is as high as it can be, so it
    is searched from; others that are no estimate are not. Returns ``(covariance, peak, lanes)``: the covariance in z at
    the fit, the maximum, and the lanes where they ended.
    """
    start = evaluate(fit, 2)
    covariance = covariance_of(start.curvature)
    settled, ran_away = codes.is_ok(status), (status == codes.DIVERGING) | (status == codes.BOUNDARY)
    aim = Aim(fit, start, _left(covariance, start, ran_away), jnp.asarray(drop, fit.dtype), ran_away, to_level)
    begins = jnp.where(settled | ran_away, jnp.asarray(outcome.SEARCHING), outcome.NO_FIT)

    def running(lanes):
        return (lanes.status == outcome.SEARCHING) & (lanes.steps < max_steps)

    choosing, hearing = (_choose_number, _hear_number) if functions is None else (choose, hear)

    def turn(lanes):
        chosen = jax.vmap(lambda target, lane: choosing(aim, target, functions, lane))(targets, lanes)
        lanes = _where(running(lanes), chosen, lanes)
        asks = running(lanes)
        anew = asks & lanes.refresh
        told = jnp.where(jnp.any(anew), anew, asks)
        kind = jnp.where(jnp.any(anew), 2, jnp.any(asks).astype(int))
        evaluations = jax.lax.switch(kind, (nothing, gradients, curvatures), lanes.z, told)
        heard = jax.vmap(lambda target, lane, e: hearing(aim, target, functions, lane, e))(targets, lanes, evaluations)
        return _where(told, heard, lanes)

    def gradients(z, _):
        flat = jax.vmap(lambda z: evaluate(z, 1))(z)
        return dataclasses.replace(flat, curvature=jnp.zeros((*z.shape, z.shape[-1]), z.dtype))

    def curvatures(z, wanted):
        return _of_some(lambda z: evaluate(z, 2), z, wanted)

    def nothing(z, wanted):
        shapes = jax.eval_shape(curvatures, z, wanted)
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    lanes = jax.vmap(lambda target: first(aim, target, functions, begins))(targets)
    lanes = jax.lax.while_loop(lambda lanes: jnp.any(running(lanes)), turn, lanes)
    ended = jnp.where(lanes.status == outcome.SEARCHING, outcome.OUT_OF_STEPS, lanes.status)
    return covariance, dataclasses.replace(lanes, status=ended)


def _left(covariance, start, ran_away):
    """The log-density that the quadratic model still sees to be gained; infinite where this is no maximum. Where the
    fit ran away the curvature is about to vanish, and its sign is a matter of rounding."""
    known = jnp.where(jnp.isnan(covariance.matrix), 0.0, covariance.matrix)
    seen = 0.5 * jnp.dot(start.gradient, known @ start.gradient)
    return jnp.where(covariance.indefinite, jnp.where(ran_away, 0.0, jnp.inf), seen)


def _of_some(evaluate, z, wanted):
    """The evaluations of the lanes that are ``wanted``. On a CPU one after the other, which is as fast as all at once
    and skips the rest."""
    if jax.default_backend() != "cpu":
        return jax.vmap(evaluate)(z)
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(evaluate, z[0]))
    return jax.lax.map(lambda pair: jax.lax.cond(pair[1], evaluate, lambda _: nothing, pair[0]), (z, wanted))


def _where(which, new: Lane, old: Lane) -> Lane:
    def pick(a, b):
        return jnp.where(which.reshape(which.shape + (1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(pick, new, old)
