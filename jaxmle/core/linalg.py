"""Small symmetric systems. Up to ``UNROLLED`` unknowns the factorisation is written out, because in a compiled
loop and above all in a batch the call into LAPACK costs more than the arithmetic."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxmle.core import lapack

UNROLLED = 8


def unit_diagonal(matrix: Float[Array, "m m"], scale: Float[Array, " m"]) -> Float[Array, "m m"]:
    """``matrix`` in units of ``scale``: entry (i, j) over ``scale[i] * scale[j]``, without overflow on the way."""
    return matrix / scale[:, None] / scale[None, :]


def factor(matrix: Float[Array, "m m"]):
    """The factors of a symmetric matrix and its smallest pivot, which is positive when the matrix is.

    Returns ``(factors, pivot)``; ``factors`` is for :func:`solve_factored` and means nothing to others. A
    pivot that is not positive (or NaN) says that the matrix is not positive definite and the factors are void.
    """
    if matrix.shape[0] > UNROLLED:
        lower = lapack.cholesky(matrix)
        return lower, jnp.min(jnp.diagonal(lower)) ** 2
    return _factor_unrolled(matrix)


def _factor_unrolled(matrix):
    """L D L' (Golub and Van Loan 2013, algorithm 4.1.2), each entry a scalar so that lanes vectorise."""
    m = matrix.shape[0]
    lower, pivots = [[None] * m for _ in range(m)], []
    for j in range(m):
        scaled = [lower[j][k] * pivots[k] for k in range(j)]
        pivots.append(matrix[j, j] - sum(lower[j][k] * scaled[k] for k in range(j)))
        for i in range(j + 1, m):
            lower[i][j] = (matrix[i, j] - sum(lower[i][k] * scaled[k] for k in range(j))) / pivots[j]
    smallest = pivots[0]
    for pivot in pivots[1:]:
        smallest = jnp.minimum(smallest, pivot)
    return (tuple(tuple(row[:i]) for i, row in enumerate(lower)), tuple(pivots)), smallest


def solve_factored(factors, right: Float[Array, " m"]) -> Float[Array, " m"]:
    """Solve ``matrix @ x = right`` with the factors of ``matrix``."""
    if not isinstance(factors, tuple):
        half = lapack.solve_lower(factors, right[:, None])
        return lapack.solve_lower(factors, half, transpose=True)[:, 0]
    lower, pivots = factors
    m = len(pivots)
    x = [right[i] for i in range(m)]
    for i in range(m):
        x[i] = x[i] - sum(lower[i][k] * x[k] for k in range(i))
    x = [x[i] / pivots[i] for i in range(m)]
    for i in reversed(range(m)):
        x[i] = x[i] - sum(lower[k][i] * x[k] for k in range(i + 1, m))
    return jnp.stack(x)


def null_threshold(size: int, dtype) -> float:
    """Below this an eigenvalue of a matrix with unit diagonal is zero as far as ``dtype`` can tell."""
    return 50.0 * max(size, 1) * float(jnp.finfo(dtype).eps)
