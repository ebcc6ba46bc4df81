"""Each row left out by one Newton step, with the curvature of all rows less its own."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxmle.core import linalg
from jaxmle.fitting.chunks import in_chunks
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.inference.asked import Asked
from jaxmle.inference.covariances.covariance import Covariance
from jaxmle.inference.resampling.resample import counts_of, likelihood_terms
from jaxmle.terms.objective import Objective
from jaxmle.terms.sample import at_rows

_NUMBERS = 2**20


class LeftOut(eqx.Module):
    """For each row, with A the curvature and H the part of it that one case of this row has: the ``step`` in z to the
    estimate without it, ``-(A - H)^-1 s``; the ``leverage``, trace(A^-1 H); the ``shift``, the length of the step in
    standard errors; and the log-likelihood of the row there. NaN where A - H is not positive definite."""

    step: Float[Array, "n m"]
    leverage: Float[Array, " n"]
    shift: Float[Array, " n"]
    log_likelihood: Float[Array, " n"]


def left_out(asked: Asked, curvature: Float[Array, "m m"], covariance: Covariance) -> LeftOut:
    """Every row of the likelihoods left out in turn; ``curvature`` is that of the log-posterior.

    Source: Beirami and others (2017), "On optimal generalizability in parametric learning", equation 8; Pregibon
    (1981), section 3, for generalised linear models.
    """
    likelihoods = asked.likelihoods()
    counts, terms = counts_of(likelihoods), likelihood_terms(likelihoods)
    pieces = []
    for term, factor, count in zip(terms, likelihoods.factors, counts, strict=True):
        bare = dataclasses.replace(term, weights=None)

        def one(i, bare=bare, factor=factor):
            row = Objective((at_rows(bare, lambda leaf: leaf[i][None]),), (factor,))
            return _without(asked, row, curvature, covariance)

        width = max(1, min(count, _NUMBERS // curvature.size))
        pieces.append(in_chunks(one, (jnp.arange(count),), width))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *pieces)


def _without(asked, row, curvature, covariance) -> LeftOut:
    space, z = asked.space, asked.z
    own = evaluate_in_z(row, space, z, 2)
    scale = jnp.sqrt(jnp.abs(jnp.diagonal(curvature)))
    factors, pivot = linalg.factor(linalg.unit_diagonal(curvature - own.curvature, scale))
    step = -linalg.solve_factored(factors, own.gradient / scale) / scale
    step = jnp.where(pivot > linalg.null_threshold(z.size, z.dtype), step, jnp.nan)
    there = row.evaluate(space.lift, space.point(z + step), 0).log_likelihood
    leverage = jnp.sum(covariance.matrix * own.curvature)
    return LeftOut(step, leverage, jnp.sqrt(step @ curvature @ step), there)
