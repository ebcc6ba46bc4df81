"""Intervals for the scalars of params."""

import jax
import jax.numpy as jnp

from jaxmle.core.rearrange import rearrange
from jaxmle.parameters.space import Space


def interval_trees(space: Space, z, bse_z, bse, alpha):
    """The lower and upper ends, at confidence ``1 - alpha``, as trees like params; NaN where there is none.

    Formed in z and mapped where the constraint works number by number, else the estimate plus and minus.
    """
    return rearrange(_as_trees, _ends(space.unlabelled(), z, bse_z, space.unfixed_leaves(bse), alpha), space)


def _as_trees(ends, space):
    return tuple(space.tree_of_leaves(leaves) for leaves in ends)


@jax.jit
def _ends(space, z, bse_z, bse, alpha):
    scalars = jnp.concatenate([leaf.ravel() for leaf in bse])
    return tuple(space.leaves_of_scalars(end, jnp.nan) for end in _interval(space, z, bse_z, scalars, alpha))


def _interval(space, z, bse_z, bse_scalars, alpha):
    quantile = jax.scipy.special.ndtri(jnp.asarray(1.0 - alpha / 2.0, z.dtype))
    point, low, high = space.point(z), space.point(z - quantile * bse_z), space.point(z + quantile * bse_z)
    lower, upper, at = [], [], 0
    for leaf in space.unfixed():
        value = point[leaf.index].ravel()
        if space.bijections[leaf.index].elementwise:
            ends = low[leaf.index].ravel(), high[leaf.index].ravel()
        else:
            wald = quantile * bse_scalars[at : at + value.size]
            ends = value - wald, value + wald
        lower.append(jnp.minimum(*ends))
        upper.append(jnp.maximum(*ends))
        at += value.size
    return jnp.concatenate(lower), jnp.concatenate(upper)
