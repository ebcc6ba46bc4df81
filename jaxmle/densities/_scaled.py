"""What densities with a Cholesky factor share."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxmle.core import lapack
from jaxmle.core.linalg import UNROLLED


def solve_lower(
    factor: Float[Array, "... k k"], right: Float[Array, "... k"], transpose: bool = False
) -> Float[Array, "... k"]:
    """z with L z = right (L' z where `transpose`), L being the lower triangle of `factor`.

    Small systems are written out: faster than LAPACK for each row.
    """
    if factor.shape[-1] <= UNROLLED:
        return _substituted(factor, right, transpose)
    return lapack.solve_lower(factor, right[..., None], transpose)[..., 0]


def _substituted(factor, right, transpose):
    """The same, entry by entry, from the first on, or from the last where `transpose`."""
    z, size = {}, factor.shape[-1]
    for i in reversed(range(size)) if transpose else range(size):
        known = sum((factor[..., j, i] if transpose else factor[..., i, j]) * z[j] for j in z)
        z[i] = (right[..., i] - known) / factor[..., i, i]
    return jnp.stack([z[i] for i in range(size)], axis=-1)


def times_lower(factor: Float[Array, "... k k"], z: Float[Array, "... k"]) -> Float[Array, "... k"]:
    """L z, L being the lower triangle of `factor`, which may have fewer leading axes than z."""
    factor = factor.reshape((1,) * (z.ndim + 1 - factor.ndim) + factor.shape)
    return jnp.squeeze(jnp.tril(factor) @ z[..., None], -1)


def log_diagonal(factor: Float[Array, "... k k"]) -> Float[Array, "..."]:
    """The sum of the logs of the diagonal: half the log-determinant of L L'."""
    return jnp.sum(jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)), axis=-1)
