"""Where a climb that found no maximum ran to: beyond the edge of what a constraint allows, or towards one."""

import jax.numpy as jnp

from jaxmle.core import status as codes

_RISES = 0.1  # log-density for each factor of e that a constrained number goes on by


def ran_away(space, start, found):
    """Whether a climb that found no maximum moved a constrained number by more orders of magnitude than there are, and
    the log-density still rises that way: what is far off because it is rare does not."""
    lost = (found.status == codes.NON_FINITE) | (found.status == codes.STALLED) | (found.status == codes.OUT_OF_STEPS)
    low, high = space.has_edges()
    way = jnp.asarray(space.edge_powers(), start.dtype) * jnp.abs(found.z - start)
    far = jnp.asarray(low | high) & (way > -0.8 * jnp.log(jnp.finfo(start.dtype).eps))
    rises = jnp.sum(jnp.where(far, found.gradient * jnp.sign(found.z - start), 0.0))
    return lost & jnp.any(far) & (rises > _RISES)


def towards_limits(space, found):
    """Whether every number that is still moving goes to a value, or an edge, that its constraint stops short of."""
    low, high = (jnp.asarray(ends) for ends in space.has_edges())
    moving = codes.still_moving(found.direction, found.z)
    towards = jnp.where(found.direction < 0, low, high)
    return jnp.all(towards | ~moving) & jnp.any(moving)
