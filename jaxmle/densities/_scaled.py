"""What densities with a Cholesky factor share."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def solve_lower(
    factor: Float[Array, "... k k"], right: Float[Array, "... k"], transpose: bool = False
) -> Float[Array, "... k"]:
    """z with L z = right (L' z where `transpose`), L being the lower triangle of `factor`."""
    shape = jnp.broadcast_shapes(factor.shape[:-2], right.shape[:-1])
    factor = jnp.broadcast_to(factor, (*shape, *factor.shape[-2:]))
    right = jnp.broadcast_to(right, (*shape, right.shape[-1]))[..., None]
    return jax.lax.linalg.triangular_solve(factor, right, left_side=True, lower=True, transpose_a=transpose)[..., 0]


def times_lower(factor: Float[Array, "... k k"], z: Float[Array, "... k"]) -> Float[Array, "... k"]:
    """L z, L being the lower triangle of `factor`, which may have fewer leading axes than z."""
    factor = factor.reshape((1,) * (z.ndim + 1 - factor.ndim) + factor.shape)
    return jnp.squeeze(jnp.tril(factor) @ z[..., None], -1)


def log_diagonal(factor: Float[Array, "... k k"]) -> Float[Array, "..."]:
    """The sum of the logs of the diagonal: half the log-determinant of L L'."""
    return jnp.sum(jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)), axis=-1)
