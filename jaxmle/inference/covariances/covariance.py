"""The covariance of an estimate, from its information; and what has none."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxmle.core import lapack, linalg
from jaxmle.core.rarely import rarely

_TOUCHED = 1e-6
_SAFE = 10.0  # times what is rounding: a smallest eigenvalue that needs no second look


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
    inverse, free, indefinite = _inverse(linalg.unit_diagonal(information, scale))
    affected = ~(jnp.linalg.norm(free, axis=1) <= _TOUCHED)
    matrix = linalg.unit_diagonal(inverse, scale)
    eigenvalues, _ = lapack.eigh(information)
    return Covariance(
        jnp.where(affected[:, None] | affected[None, :], jnp.nan, matrix),
        affected,
        free / scale[:, None],
        eigenvalues[jnp.array([0, -1])],
        indefinite,
        matrix,
    )


@jax.custom_jvp
def _inverse(matrix: Float[Array, "m m"]):
    """The generalised inverse of a matrix with unit diagonal, the directions in which it is singular or negative, in
    columns that are zero elsewhere, and whether any is negative: by its factors where they settle it."""
    eye = jnp.eye(matrix.shape[0], dtype=matrix.dtype)
    factors, pivot = linalg.factor(matrix)
    inverse = jax.vmap(lambda column: linalg.solve_factored(factors, column))(eye)
    found = 0.5 * (inverse + inverse.T), jnp.zeros_like(matrix), jnp.zeros((), bool)
    rounding = _SAFE * linalg.null_threshold(matrix.shape[0], matrix.dtype)
    sound = (pivot > 0) & (rounding * jnp.trace(inverse) < 1.0)  # no eigenvalue is below one over the trace
    return rarely(_by_eigenvalues, sound, found, matrix)


@_inverse.defjvp
def _(primals, tangents):
    inverse, free, indefinite = _inverse(*primals)
    constant = jnp.zeros_like(free), np.zeros(indefinite.shape, jax.dtypes.float0)
    return (inverse, free, indefinite), (-inverse @ tangents[0] @ inverse, *constant)


def _by_eigenvalues(matrix):
    values, vectors = lapack.eigh(matrix)
    threshold = linalg.null_threshold(values.size, values.dtype) * jnp.max(jnp.abs(values))
    sound = values > threshold
    reciprocals = jnp.where(sound, 1.0 / jnp.where(sound, values, 1.0), 0.0)
    inverse = (vectors * reciprocals[None, :]) @ vectors.T
    return inverse, jnp.where(sound[None, :], 0.0, vectors), jnp.any(values < -threshold)


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
