"""Intervals for the scalars of params."""

import jax
import jax.numpy as jnp

from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.parameters.space import Space


def interval_trees(space: Space, z, bse_z, bse, sides, alpha):
    """The lower and upper ends, at confidence ``1 - alpha``, as trees like params; NaN where there is none.

    Formed in z and mapped where the constraint works number by number, else the estimate plus and minus. Where
    ``sides`` says that a parameter is at its limit this end is the limit, and the other NaN.
    """
    leaves = _ends(space.unlabelled, z, bse_z, space.unfixed_leaves(bse), sides, alpha)
    return tuple(Space.tree_of_leaves(space, end) for end in leaves)


def sides_at_limit(space: Space, z, direction, status):
    """For each number of z, -1 or 1 where its parameter has run to the lower or upper limit of its constraint."""
    low, high = (jnp.asarray(ends, bool) for ends in space.has_limits())
    moving = codes.still_moving(direction, z)
    at_low = (moving & (direction < 0) & low) | _touches(space, z, 0)
    at_high = (moving & (direction > 0) & high) | _touches(space, z, 1)
    return jnp.where(status == codes.BOUNDARY, at_high.astype(int) - at_low.astype(int), 0)


def _touches(space, z, end):
    """Which numbers of z stand for a parameter that has become, by rounding, the limit of its constraint."""
    parts = [jnp.zeros(0, bool)]
    for bijection, leaf, part in zip(space.bijections, space.point(z), space.split(z), strict=True):
        limit = bijection.limits()[end]
        touches = jnp.zeros(part.shape, bool) if limit is None else leaf == jnp.asarray(limit, leaf.dtype)
        parts.append(touches.ravel())
    return jnp.concatenate(parts)


@compiled
def _ends(space, z, bse_z, bse, sides, alpha):
    scalars = jnp.concatenate([leaf.ravel() for leaf in bse])
    ends = _interval(space, z, bse_z, scalars, sides, alpha)
    return tuple(space.leaves_of_scalars(end, jnp.nan) for end in ends)


def _interval(space, z, bse_z, bse_scalars, sides, alpha):
    quantile = jax.scipy.special.ndtri(jnp.asarray(1.0 - alpha / 2.0, z.dtype))
    infinite = jnp.where(sides == 0, jnp.nan, sides.astype(z.dtype) * jnp.inf)
    reach = quantile * bse_z
    point = space.point(z)
    low = space.point(jnp.where(sides < 0, infinite, z - reach))
    high = space.point(jnp.where(sides > 0, infinite, z + reach))
    slopes = jax.jvp(space.point, (jnp.zeros_like(z),), (jnp.ones_like(z),))[1]  # below zero for an upper bound
    lower, upper, at = [], [], 0
    for leaf in space.unfixed():
        value = point[leaf.index].ravel()
        if space.bijections[leaf.index].elementwise:
            ends = low[leaf.index].ravel(), high[leaf.index].ravel()
        else:
            wald = quantile * bse_scalars[at : at + value.size]
            ends = value - wald, value + wald
        rises = slopes[leaf.index].ravel() >= 0 if space.bijections[leaf.index].elementwise else True
        lower.append(jnp.where(rises, *ends))
        upper.append(jnp.where(rises, *ends[::-1]))
        at += value.size
    return jnp.concatenate(lower), jnp.concatenate(upper)
