"""The covariance of an estimate, from its information; and what has none."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxmle.core import linalg

_TOUCHED = 1e-6


class Covariance(eqx.Module):
    """The inverse of an information matrix where it has one.

    ``matrix`` is NaN in the rows and columns of numbers ``affected`` by a direction in which the information is zero
    or negative; the columns of ``directions`` are these directions, zero elsewhere. ``eigenvalues`` are the smallest
    and the largest of the information. ``indefinite``: some direction is curved upward, so this is no maximum.
    ``inverse`` is the generalised inverse behind ``matrix``, without its NaN: right for what is estimable only.
    """

    matrix: Float[Array, "m m"]
    affected: Bool[Array, " m"]
    directions: Float[Array, "m m"]
    eigenvalues: Float[Array, "2"]
    indefinite: Bool[Array, ""]
    inverse: Float[Array, "m m"]


def covariance_of(information: Float[Array, "m m"]) -> Covariance:
    """Invert an information matrix, in units in which its diagonal is one, without repairing anything.

    An eigenvalue that rounding cannot tell from zero, or a negative one, marks a direction that the data leave free
    (or that is no maximum): the entries it touches are NaN. Entries it does not touch are estimable and are kept
    (Searle 1971, "Linear Models", section 5.4).
    """
    diagonal = jnp.abs(jnp.diagonal(information))
    scale = jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    values, vectors = jnp.linalg.eigh(linalg.unit_diagonal(information, scale))
    threshold = linalg.null_threshold(scale.size, scale.dtype) * jnp.max(jnp.abs(values))
    sound = values > threshold
    reciprocals = jnp.where(sound, 1.0 / jnp.where(sound, values, 1.0), 0.0)
    inverse = (vectors * reciprocals[None, :]) @ vectors.T
    free = jnp.where(sound[None, :], 0.0, vectors)
    affected = ~(jnp.linalg.norm(free, axis=1) <= _TOUCHED)
    matrix = linalg.unit_diagonal(inverse, scale)
    whole = jnp.linalg.eigvalsh(information)
    return Covariance(
        jnp.where(affected[:, None] | affected[None, :], jnp.nan, matrix),
        affected,
        free / scale[:, None],
        jnp.stack([whole[0], whole[-1]]),
        jnp.any(values < -threshold),
        matrix,
    )


def sandwiched(bread: Covariance, meat: Float[Array, "m m"]) -> Covariance:
    """The covariance ``A^-1 B A^-1`` with A the information behind ``bread`` and B the ``meat``.

    Source: Huber (1967), theorem 3; White (1982), theorem 3.2.
    """
    matrix = bread.inverse @ meat @ bread.inverse
    affected = bread.affected
    return Covariance(
        jnp.where(affected[:, None] | affected[None, :], jnp.nan, 0.5 * (matrix + matrix.T)),
        affected,
        bread.directions,
        bread.eigenvalues,
        bread.indefinite,
        matrix,
    )
