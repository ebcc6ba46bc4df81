"""Where a climb that found no maximum ran to: beyond the edge of what a constraint allows, or towards one."""

import math

import jax
import jax.numpy as jnp

from jaxmle.core import status as codes
from jaxmle.parameters import edges
from jaxmle.terms.objective import as_objective

_LOST = (codes.NON_FINITE, codes.STALLED, codes.OUT_OF_STEPS, codes.SADDLE)
_RISES = 0.75  # power of eps: between the rounding of a gradient and the slope of one row among a hundred thousand
_STILL_RISES = 0.2  # where the climb was not over, and any slope is one it was going to follow


def ran_away(space, start, found):
    """Whether a climb that found no maximum moved a constrained number by more orders of magnitude than there are, and
    the log-density still rises that way, beside what it is a sum of: what is far off because it is rare does not."""
    lost = jnp.isin(found.status, jnp.asarray(_LOST))
    low, high = space.has_edges()
    way = jnp.asarray(space.edge_powers(), start.dtype) * jnp.abs(found.z - start)
    far = jnp.asarray(low | high) & (way > -0.8 * jnp.log(jnp.finfo(start.dtype).eps))
    rises = jnp.sum(jnp.where(far, found.gradient * jnp.sign(found.z - start), 0.0))
    eps = float(jnp.finfo(start.dtype).eps)
    enough = jnp.where(found.status == codes.OUT_OF_STEPS, eps**_STILL_RISES, eps**_RISES)
    return lost & jnp.any(far) & (rises > enough * found.magnitude)


def towards_limits(space, found):
    """Whether every number that is still moving goes to a value, or an edge, that its constraint stops short of, or
    follows another there."""
    low, high = (jnp.asarray(ends) for ends in space.has_edges())
    moving = codes.still_moving(found.direction, found.z)
    leaves = zip(space.bijections, space.split(found.z), space.split(found.direction), strict=True)
    follows = [edges.follows(bijection, z, step).ravel() for bijection, z, step in leaves]
    towards = jnp.where(found.direction < 0, low, high) | jnp.concatenate([jnp.zeros(0, bool), *follows])
    return jnp.all(towards | ~moving) & jnp.any(moving)


def onward(objective, space, z):
    """A step in z to the edges that values have come to by rounding; zero where they have come to none.

    The gradient in z is rounding there, that in the values is not: it is taken a part of the way nearer the edge, where
    what is small but has a top of its own rises again.
    """
    point = space.point(z)
    nearer = [edges.nearer(bijection, leaf) for bijection, leaf in zip(space.bijections, point, strict=True)]
    if all(leaf is None for leaf in nearer):
        return jnp.zeros_like(z)
    moved = tuple(here if there is None else there for here, there in zip(point, nearer, strict=True))
    with jax.default_matmul_precision("highest"):
        slopes = as_objective(objective).part(smooth=True).evaluate(space.lift, moved, 1).gradient
    steps, begin = [], 0
    for bijection, leaf, part in zip(space.bijections, point, space.split(z), strict=True):
        size = math.prod(leaf.shape)
        step = edges.onward(bijection, leaf, slopes[begin : begin + size].reshape(leaf.shape))
        steps.append((jnp.zeros_like(part) if step is None else step).ravel())
        begin += size
    return jnp.concatenate(steps)
