"""The LKJ prior of a correlation matrix."""

from collections.abc import Callable
from math import log, pi
from typing import Any

import jax
import jax.numpy as jnp

from jaxmle.core import lapack
from jaxmle.core.special import log_gamma
from jaxmle.core.tree import where_function
from jaxmle.densities import lkj_cholesky as density
from jaxmle.priors.strength import positive
from jaxmle.terms.prior import LogPrior


def lkj(where: str | Callable, eta: Any, *, cholesky: bool = False) -> LogPrior:
    r"""The LKJ prior of a correlation matrix R: ``(eta - 1) log det R - log c(eta, K)``.

    As a penalty: a barrier at singular matrices, ``-log det R`` with strength ``eta - 1``. With eta = 1 it is uniform
    over correlation matrices; with more, nearer to the identity; for K = 2, ``(r + 1) / 2`` is beta(eta, eta).

    Arguments:
        where: a leaf made by ``jm.correlation_matrix``, of shape (..., K, K), a sub-tree, or a function of params.
        eta: the concentration, positive, one number.
        cholesky: ``where`` gives the lower Cholesky factor of R, and the density is that of the factor's entries below
            the diagonal: ``jm.densities.lkj_cholesky``. Its mode is another than that of R.

    Returns a term, to be added to a likelihood; minus infinity where R is not positive definite. Errors: ``ValueError``
    for an eta that is not positive and finite, or what is no square matrix; ``KeyError`` from ``jm.fit`` where no leaf
    has that name.

    >>> import jax.numpy as jnp
    >>> round(float(lkj("R", eta=2.0)({"R": jnp.eye(3)})), 4)
    -0.6155

    Source: Lewandowski, Kurowicka and Joe (2009), "Generating random correlation matrices based on vines and extended
    onion method", section 3.
    """
    eta = positive(eta, "the eta of jm.priors.lkj")
    function = _of_factors if cholesky else _of_matrices
    return LogPrior(jax.tree_util.Partial(function, where_function(where), eta))


def _of_matrices(where, eta, params):
    return sum(map(jnp.sum, [_log_density(matrix, eta) for matrix in _matrices(where(params))]), jnp.zeros(()))


def _of_factors(where, eta, params):
    factors = _matrices(where(params))
    values = [density.logpdf(factor, jnp.full(factor.shape[:-2], eta, factor.dtype)) for factor in factors]
    return sum(map(jnp.sum, values), jnp.zeros(()))


def _matrices(selection):
    matrices = [jnp.asarray(leaf) for leaf in jax.tree.leaves(selection)]
    for matrix in matrices:
        if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
            raise ValueError(
                f"jm.priors.lkj is over correlation matrices, of shape (..., K, K); it was given an array of shape "
                f"{matrix.shape}: mark the leaf with jm.correlation_matrix, or select it with where"
            )
    return matrices


def _log_density(matrix, eta):
    """``(eta - 1) log det R`` by the Cholesky factor, and the constant of theorem 5; -inf where there is no factor."""
    eta, size = jnp.asarray(eta, matrix.dtype), matrix.shape[-1]
    factor = lapack.cholesky(matrix)
    ok = jnp.all(jnp.isfinite(factor), axis=(-1, -2))
    safe = jnp.where(ok[..., None, None], matrix, jnp.broadcast_to(jnp.eye(size, dtype=matrix.dtype), matrix.shape))
    log_diagonal = jnp.log(jnp.diagonal(lapack.cholesky(safe), axis1=-2, axis2=-1))
    k = jnp.arange(1, size, dtype=matrix.dtype)
    constant = jnp.sum(log_gamma(eta + 0.5 * (size - 1 - k)) - log_gamma(eta + 0.5 * (size - 1)) + 0.5 * log(pi) * k)
    value = 2.0 * (eta - 1.0) * jnp.sum(log_diagonal, axis=-1) - constant
    missing = jnp.any(jnp.isnan(matrix), axis=(-1, -2))
    return jnp.where(missing, jnp.nan, jnp.where(ok, value, -jnp.inf))
