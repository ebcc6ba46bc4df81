"""Covariances from replicates: the bootstrap's, and the jackknife's."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxmle.core import status as codes
from jaxmle.core.tree import is_traced
from jaxmle.inference.asked import Asked
from jaxmle.inference.covariances.groups import one_way
from jaxmle.inference.resampling import resample
from jaxmle.inference.resampling.replicates import Climb, replicates

REFITS = 1000


def bootstrap_covariance(asked: Asked):
    """The covariance in z of refits to cases drawn with replacement, or to whole groups of them.

    Draws that have no estimate, or one at a limit of its constraint, where z is infinite, are left out and counted.
    """
    labels = one_way(asked.groups) if asked.groups else None
    kind = resample.NONPARAMETRIC if labels is None else resample.CLUSTER
    scheme = resample.Scheme.of(kind, asked.objective, asked.space, asked.z, labels)
    found = replicates(scheme, jax.random.split(asked.key, asked.draws), Climb(jacobian=asked.jacobian))
    good = codes.is_ok(found.status) & jnp.all(jnp.isfinite(found.z), axis=1)
    count = jnp.sum(good).astype(asked.z.dtype)
    kept = jnp.where(good[:, None], found.z, 0.0)
    mean = jnp.sum(kept, axis=0) / count
    centred = jnp.where(good[:, None], found.z - mean[None, :], 0.0)
    facts = {"replicates": jnp.asarray(asked.draws), "failed": jnp.sum(~good)}
    return jnp.where(count > 1, centred.T @ centred / (count - 1.0), jnp.nan), facts


def as_draws(draws) -> int:
    """``draws`` as a whole number. Raises ``ValueError`` where it is none, is below two, or is being traced."""
    if is_traced(draws) or draws != int(draws) or draws < 2:
        raise ValueError(f"draws must be a whole number, two or more, known before tracing; it is {draws}")
    return int(draws)


def jackknife_covariance(asked: Asked):
    """The jackknife's covariance in z of refits without each case in turn; NaN where one of them has no estimate."""
    scheme = resample.Scheme.of(resample.DELETE, asked.objective, asked.space, asked.z)
    rows = sum(resample.counts_of(asked.objective))
    found = replicates(scheme, jnp.arange(rows), Climb(jacobian=asked.jacobian))
    matrix, _, counts = jackknifed(scheme, found.z, asked.z)
    good = codes.is_ok(found.status) | (counts == 0)
    facts = {"replicates": jnp.asarray(rows), "failed": jnp.sum(~good), "parts": jnp.sum(counts != jnp.round(counts))}
    return jnp.where(jnp.all(good), matrix, jnp.nan), facts


def jackknifed(scheme: resample.Scheme, values: Float[Array, "r k"], estimate: Float[Array, " k"]):
    """The jackknife's covariance and bias of ``values``, and how many cases each of them stands for.

    Source: Efron and Tibshirani (1993), equations 10.35 and 11.5.
    """
    counts = scheme.cases(values.shape[0])
    n, there = jnp.sum(counts), counts > 0
    mean = counts @ jnp.where(there[:, None], values, 0.0) / n
    centred = jnp.where(there[:, None], values - mean[None, :], 0.0)
    return (n - 1.0) / n * (centred.T @ (centred * counts[:, None])), (n - 1.0) * (mean - estimate), counts
