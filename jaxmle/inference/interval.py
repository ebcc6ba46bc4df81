"""Intervals for the scalars of params."""

import jax
import jax.numpy as jnp

from jaxmle.parameters.space import Space


def interval(space: Space, z, bse_z, bse_scalars, alpha):
    """The lower and upper ends, at confidence ``1 - alpha``, for the unfixed scalars of params in tree order.

    Formed in z and mapped where the constraint works number by number, else the estimate plus and minus.
    """
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
