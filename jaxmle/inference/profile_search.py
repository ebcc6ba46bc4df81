"""The loop that drives many searches for ends of profiles at once."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxmle.inference import outcome
from jaxmle.inference.profile_lane import Aim, Lane, Quantity, first, update
from jaxmle.solvers import trust_region


def search(evaluate: Callable, fit, drop, quantities: Quantity, functions, status, max_steps, to_level=False):
    """Where the lanes of ``quantities`` end that start at ``fit``, a point in z.

    ``evaluate(z, order)`` is the objective; ``functions(z)`` gives the numbers that are no number of z, None where
    there are none; a ``status`` other than searching is that of every lane. Returns ``(aim, lanes)``.
    """
    start = evaluate(fit, 2)
    scale = jnp.sqrt(jnp.abs(jnp.diagonal(start.curvature)))
    scale = jnp.where(scale > 0, scale, 1.0)
    noise = jnp.finfo(fit.dtype).eps * jnp.sqrt(1.0 + start.magnitude)
    widest = jnp.full((), jnp.finfo(fit.dtype).max ** 0.25, fit.dtype)
    left = trust_region.best_step(start.gradient, start.curvature, scale, widest, noise).left
    aim = Aim(fit, start, left, jnp.asarray(drop, fit.dtype), to_level)

    def running(lanes):
        return (lanes.status == outcome.SEARCHING) & (lanes.steps < max_steps)

    def step(lanes):
        asks = running(lanes)
        anew = asks & lanes.refresh
        return jax.lax.cond(jnp.any(anew), _take_curvatures, _take_gradients, lanes, asks, anew)

    def _take_gradients(lanes, asks, _):
        return told(lanes, jax.vmap(lambda z: evaluate(z, 1))(lanes.z), asks)

    def _take_curvatures(lanes, _, anew):
        return told(lanes, _of_some(lambda z: evaluate(z, 2), lanes.z, anew), anew)

    def told(lanes, evaluations, which):
        heard = jax.vmap(lambda q, lane, e: update(aim, q, functions, lane, e))(quantities, lanes, evaluations)
        return _chosen(which, heard, lanes)

    lanes = jax.vmap(lambda q: first(aim, q, functions, status))(quantities)
    lanes = jax.lax.while_loop(lambda lanes: jnp.any(running(lanes)), step, lanes)
    ended = jnp.where(lanes.status == outcome.SEARCHING, outcome.OUT_OF_STEPS, lanes.status)
    return aim, eqx.tree_at(lambda lanes: lanes.status, lanes, ended)


def _of_some(evaluate, z, wanted):
    """The evaluations of the lanes that are ``wanted``. On a CPU one after the other, which is as fast as all at once
    and skips the rest."""
    if jax.default_backend() != "cpu":
        return jax.vmap(evaluate)(z)
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(evaluate, z[0]))
    return jax.lax.map(lambda pair: jax.lax.cond(pair[1], evaluate, lambda _: nothing, pair[0]), (z, wanted))


def _chosen(which, new: Lane, old: Lane) -> Lane:
    def choose(a, b):
        return jnp.where(which.reshape(which.shape + (1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(choose, new, old)
