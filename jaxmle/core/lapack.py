"""Factors of matrices and solutions of triangular systems by LAPACK, safe in lanes.

On a CPU, jaxlib up to 0.10 shares the matrices of a stack out among XLA's threads from within one of them, which waits
for the others: where as many such calls run at once as there are threads, none of them ever ends. A program of two
decompositions, under ``jax.vmap``, on two cores, is enough. So the matrices of a stack are taken one after the other
here (as later versions of jaxlib do themselves), whether it comes from lanes or from leading axes.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.custom_jvp
def eigh(matrix: Float[Array, "... m m"]) -> tuple[Float[Array, "... m"], Float[Array, "... m m"]]:
    """The eigenvalues of symmetric matrices, ascending, and their eigenvectors, in columns. Only lower triangles are
    read.

    >>> eigh(jnp.array([[2.0, 0.0], [0.0, 1.0]]))[0].tolist()
    [1.0, 2.0]
    """
    return _eigh(matrix)


@eigh.defjvp
def _(primals, tangents):
    (change,), (values, vectors) = tangents, eigh(*primals)
    turned = vectors.mT @ (jnp.tril(change) + jnp.tril(change, -1).mT) @ vectors
    gaps = values[..., None, :] - values[..., :, None]
    eye = jnp.broadcast_to(jnp.eye(values.shape[-1], dtype=bool), gaps.shape)
    turn = jnp.where(eye, 0.0, turned) / jnp.where(eye, 1.0, gaps)
    return (values, vectors), (jnp.diagonal(turned, axis1=-2, axis2=-1), vectors @ turn)


@jax.custom_jvp
def cholesky(matrix: Float[Array, "... m m"]) -> Float[Array, "... m m"]:
    """The lower triangular L with L L' = ``matrix``; NaN where it is not positive definite.

    >>> cholesky(jnp.array([[4.0, 2.0], [2.0, 2.0]])).tolist()
    [[2.0, 0.0], [1.0, 1.0]]
    """
    return _cholesky(_symmetric(matrix))


@cholesky.defjvp
def _(primals, tangents):
    (change,), lower = tangents, cholesky(*primals)
    return lower, lower @ _lower_half(solve_lower(lower, solve_lower(lower, _symmetric(change)).mT))


@jax.custom_jvp
def triangle(matrix: Float[Array, "... n m"]) -> Float[Array, "... m m"]:
    """The upper triangular R of a QR factorisation of matrices with at least as many rows as columns: R'R = A'A.

    >>> abs(triangle(jnp.array([[3.0], [4.0]]))).round(4).tolist()
    [[5.0]]
    """
    return _triangle(matrix)


@triangle.defjvp
def _(primals, tangents):
    (matrix,), (change,) = primals, tangents
    upper = triangle(matrix)
    square = change.mT @ matrix
    inner = solve_lower(upper.mT, solve_lower(upper.mT, square + square.mT).mT)
    return upper, _lower_half(inner).mT @ upper


def solve_lower(
    lower: Float[Array, "... m m"], right: Float[Array, "... m k"], transpose: bool = False
) -> Float[Array, "... m k"]:
    """X with L X = ``right``, or L' X where ``transpose``, L being the lower triangle of ``lower``. Right sides that
    share an L are the columns of one call.

    >>> solve_lower(jnp.array([[2.0, 0.0], [1.0, 1.0]]), jnp.array([[2.0], [3.0]])).tolist()
    [[1.0], [2.0]]
    """
    if lower.ndim == 2 and right.ndim > 2:
        columns = jnp.moveaxis(right, -2, 0)
        solved = solve_lower(lower, columns.reshape(lower.shape[0], -1), transpose)
        return jnp.moveaxis(solved.reshape(columns.shape), 0, -2)
    stack = jnp.broadcast_shapes(lower.shape[:-2], right.shape[:-2])
    lower = jnp.tril(jnp.broadcast_to(lower, (*stack, *lower.shape[-2:])))
    right = jnp.broadcast_to(right, (*stack, *right.shape[-2:]))
    factor = lower.mT if transpose else lower
    return jax.lax.custom_linear_solve(
        lambda x: factor @ x,
        right,
        lambda _, right: _solved(transpose, lower, right),
        lambda _, right: _solved(not transpose, lower, right),
    )


def _one_by_one(function):
    """``function`` of matrices as one of stacks of them, which on a CPU takes them one after the other."""

    def each(*matrices):
        stack = matrices[0].shape[:-2]
        if not stack or jax.default_backend() != "cpu":
            return function(*matrices)
        shares = jax.device_count()  # of a stack that lies on several devices each takes its own matrices
        shares = shares if stack[0] % shares == 0 else 1
        length = math.prod(stack) // shares

        def these(i):
            return [jax.lax.dynamic_index_in_dim(all, i, 1, keepdims=False) for all in matrices]

        matrices = [matrix.reshape(shares, length, *matrix.shape[-2:]) for matrix in matrices]
        if shares == 1:
            found = jax.lax.map(lambda row: function(*row), [matrix[0] for matrix in matrices])
        else:
            found = jax.lax.map(lambda i: function(*these(i)), jnp.arange(length))
            found = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1), found)
        return jax.tree.map(lambda leaf: leaf.reshape(*stack, *leaf.shape[1 + (shares > 1) :]), found)

    lanes = jax.custom_batching.custom_vmap(each)

    @lanes.def_vmap
    def _(size, batched, *matrices):
        wide = [
            matrix if own else jnp.broadcast_to(matrix, (size, *matrix.shape))
            for own, matrix in zip(batched, matrices, strict=True)
        ]
        found = lanes(*wide)
        return found, jax.tree.map(lambda _: True, found)

    return lanes


@_one_by_one
def _eigh(matrix):
    values, vectors = jnp.linalg.eigh(matrix, symmetrize_input=False)
    return values, vectors


@_one_by_one
def _cholesky(matrix):
    return jax.lax.linalg.cholesky(matrix, symmetrize_input=False)


@_one_by_one
def _triangle(matrix):
    return jnp.linalg.qr(matrix, mode="r")


@_one_by_one
def _solve(lower, right):
    return jax.lax.linalg.triangular_solve(lower, right, left_side=True, lower=True)


@_one_by_one
def _solve_transposed(lower, right):
    return jax.lax.linalg.triangular_solve(lower, right, left_side=True, lower=True, transpose_a=True)


def _solved(transposed, lower, right):
    """As :func:`solve_lower`, without derivatives: lanes of right sides that share a matrix are columns of one call."""
    solve = _solve_transposed if transposed else _solve
    if lower.ndim > 2:
        return solve(lower, right)

    @jax.custom_batching.custom_vmap
    def one(lower, right):
        return solve(lower, right)

    @one.def_vmap
    def _(size, batched, lower, right):
        if batched[0]:
            right = right if batched[1] else jnp.broadcast_to(right, (size, *right.shape))
            return solve(lower, right), True
        columns = jnp.moveaxis(right, 0, 1)
        solved = _solved(transposed, lower, columns.reshape(lower.shape[0], -1))
        return jnp.moveaxis(solved.reshape(columns.shape), 1, 0), True

    return one(lower, right)


def _symmetric(matrix):
    return 0.5 * (matrix + matrix.mT)


def _lower_half(matrix):
    """The lower triangle, its diagonal halved."""
    on_diagonal = jnp.broadcast_to(jnp.eye(matrix.shape[-1], dtype=matrix.dtype), matrix.shape)
    return jnp.tril(matrix) - 0.5 * matrix * on_diagonal
