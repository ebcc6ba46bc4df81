"""From the covariance of z to that of the parameters."""

import jax
import jax.numpy as jnp

from jaxmle.inference.covariances.covariance import Covariance
from jaxmle.parameters.space import Space

_TOUCHED = 1e-6


def in_params(space: Space, z, direction, covariance: Covariance, lost, at_boundary, carries: bool):
    """The covariance of z, that of the unfixed scalars of params, and the directions without curvature.

    NaN where a number depends on one that is ``lost`` or that a direction without curvature moves. With
    ``at_boundary``, numbers that are constrained together (a simplex) have run to an edge of theirs: z moves on along
    ``direction``, and the values do not. Those at the edge are NaN; the others have the errors they would have with
    those held there, which is what the generalised inverse carries to them where it ``carries`` at all, unless a
    direction without curvature moves them. A direction that moves only what is at the edge is none.
    """
    affected = covariance.affected | lost
    pairs = affected[:, None] | affected[None, :]
    cov_z = jnp.where(pairs, jnp.nan, covariance.matrix)
    if space.is_identity and not space.has_ties:
        return cov_z, cov_z, covariance.directions
    eased = at_boundary & jnp.asarray(space.eased())
    dropped = affected & ~(eased & carries)
    kept = jnp.where(pairs, covariance.inverse, covariance.matrix)
    kept = jnp.where(dropped[:, None] | dropped[None, :], 0.0, kept)
    jacobian = jax.jacfwd(space.scalars)(z)
    cov = jacobian @ kept @ jacobian.T
    touched = (jnp.abs(jacobian) @ dropped.astype(z.dtype)) > 0
    shared = jnp.where(eased[:, None], covariance.directions, 0.0)
    slack = max(_TOUCHED, float(jnp.finfo(z.dtype).eps) ** 0.5)
    moves = jnp.abs(jacobian @ shared) > slack * (jnp.abs(jacobian) @ jnp.abs(shared))
    at_edge = at_boundary & space.scalars_at_edge(z, direction)
    touched = touched | jnp.any(moves, axis=1) | at_edge
    idle = jnp.any(shared != 0, axis=0) & ~jnp.any(moves & ~at_edge[:, None], axis=0)
    directions = jnp.where(idle[None, :], 0.0, covariance.directions)
    return cov_z, jnp.where(touched[:, None] | touched[None, :], jnp.nan, cov), directions
