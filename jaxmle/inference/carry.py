"""The delta method: the covariance of a function of params from that of its arguments."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri

from jaxmle.core.tree import as_array, is_traced
from jaxmle.fitting.result import Fit
from jaxmle.inference.infer import infer
from jaxmle.inference.inference import Inference
from jaxmle.parameters.layout import FREE, TIED
from jaxmle.parameters.space import Space


def covariance_for(objective, fit: Fit, covariance: Any):
    """The covariance matrix over the unfixed scalars of params that ``covariance`` stands for.

    A kind of :func:`jaxmle.infer` (None is its default), an :class:`Inference` of this fit, or the matrix itself.
    Raises ``ValueError`` where the one is of another fit, or the other of another shape.
    """
    if covariance is None or isinstance(covariance, str):
        return infer(objective, fit, covariance).cov
    if isinstance(covariance, Inference):
        if covariance.space.layout != fit.space.layout:
            raise ValueError("covariance= is the inference of a fit with other parameters; use jm.infer of this fit")
        known = not is_traced((covariance.z, fit.z))
        if known and not np.array_equal(np.asarray(covariance.z), np.asarray(fit.z), equal_nan=True):
            raise ValueError("covariance= is the inference of another estimate; use jm.infer of this fit")
        return covariance.cov
    matrix, count = as_array(covariance, "covariance").astype(fit.z.dtype), count_scalars(fit.space)
    if matrix.shape != (count, count):
        raise ValueError(
            f"covariance= has shape {matrix.shape} and the fit {count} numbers that are not fixed: give a matrix of "
            f"shape ({count}, {count}) in the order of params, a kind of jm.infer, or what jm.infer returned"
        )
    return matrix


def count_scalars(space: Space) -> int:
    """How many unfixed scalars params has."""
    return sum(int(np.prod(space.layout.shapes[leaf.index], dtype=int)) for leaf in space.unfixed())


def from_scalars(space: Space, z) -> tuple[Callable, Any]:
    """The function from the unfixed scalars to params, with fixed leaves as they are, and the scalars at ``z``."""
    whole = space.layout.treedef.flatten_up_to(space.params(z))

    def params(scalars):
        leaves, at = list(whole), 0
        for i, leaf in enumerate(space.layout.leaves):
            if leaf.kind in (FREE, TIED):
                shape = space.layout.shapes[leaf.index]
                size = int(np.prod(shape, dtype=int))
                leaves[i] = scalars[at : at + size].reshape(shape)
                at += size
        return space.layout.treedef.unflatten(leaves)

    return params, space.scalars(z)


def where_finite(jacobian, value):
    """The derivative of ``value``, NaN in the rows where that is not finite: what does not exist has no error."""
    return jnp.where(jnp.isfinite(value)[..., None], jacobian, jnp.nan)


def carried(jacobian, cov):
    """``J V J'``, NaN where a row of J touches a number without covariance.

    Source: Cramér (1946), "Mathematical Methods of Statistics", section 28.4.
    """
    known, lost = _known(jacobian, cov)
    return jnp.where(lost[:, None] | lost[None, :], jnp.nan, jacobian @ known @ jacobian.T)


def errors(jacobian, cov):
    """The standard errors ``sqrt(diag(J V J'))`` alone; the last axis of ``jacobian`` is that of ``cov``."""
    known, lost = _known(jacobian, cov)
    variance = jnp.sum((jacobian @ known) * jacobian, axis=-1)
    size = jnp.sum((jnp.abs(jacobian) @ jnp.abs(known)) * jnp.abs(jacobian), axis=-1)
    slack = 100.0 * float(jnp.finfo(variance.dtype).eps) * size  # below zero by rounding is zero, by more is none
    variance = jnp.where(variance >= -slack, jnp.maximum(variance, 0.0), jnp.nan)
    return jnp.where(lost, jnp.nan, jnp.sqrt(variance))


def _known(jacobian, cov):
    """``cov`` with zeros for what it does not have, and which rows of ``jacobian`` touch that."""
    affected = jnp.isnan(jnp.diagonal(cov))
    known = jnp.where(affected[:, None] | affected[None, :], 0.0, cov)
    return known, (jnp.abs(jacobian) @ affected.astype(jacobian.dtype)) > 0


def normal_quantile(alpha, dtype):
    """How many standard errors an interval at confidence ``1 - alpha`` goes to each side."""
    return ndtri(jnp.asarray(1.0 - alpha / 2.0, dtype))
