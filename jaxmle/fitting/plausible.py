"""Whether the parts of a fit belong together: what a file could hold that no fit ever was."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core import status as codes
from jaxmle.parameters.layout import FREE
from jaxmle.parameters.space import Space
from jaxmle.solvers.choice import METHODS

_SCALARS = ("value", "log_likelihood", "log_prior", "log_jacobian", "newton_decrement", "gradient_norm", "steps")
_ROUNDINGS = 1e4  # in units of eps: constraints are not inverted alike on every machine


def contradiction(fit: Any) -> str | None:
    """What in a fit, or a batch of fits, cannot be; None where all is as it should be."""
    return _of_shapes(fit) or _of_codes(fit) or _of_params(fit)


def _of_shapes(fit) -> str | None:
    batch, space = np.shape(fit.status), fit.space
    leaves = jax.tree_util.tree_leaves(fit.params)
    whole = len(leaves) == len(space.layout.leaves) and len(space.bijections) == len(space.layout.shapes)
    if not whole or np.shape(fit.z) != (*batch, space.size):
        return "it has not as many numbers as parameters"
    for leaf, value in zip(space.layout.leaves, leaves, strict=True):
        wanted = (*batch, *space.layout.shapes[leaf.index]) if leaf.kind == FREE else np.shape(value)
        if np.shape(value) != wanted:
            return f"parameter {leaf.name!r} has shape {np.shape(value)}, not {wanted}"
    if np.shape(fit.direction) != np.shape(fit.z):
        return f"the direction has shape {np.shape(fit.direction)}, not {np.shape(fit.z)}"
    for name in _SCALARS:
        if np.shape(getattr(fit, name)) != batch:
            return f"{name} has shape {np.shape(getattr(fit, name))}, not {batch}"
    return None


def _of_codes(fit) -> str | None:
    status, method = np.asarray(fit.status), np.asarray(fit.method)
    if status.dtype.kind not in "iu" or not np.isin(status, list(codes.SENTENCES)).all():
        return f"its status {_short(status)} is none there is"
    if method.dtype.kind not in "iu" or not (np.abs(method) < len(METHODS)).all():
        return f"its method {_short(method)} is none there is"
    return None


def _of_params(fit) -> str | None:
    """Whether the parameters are what their constraints make of z."""
    space, leaves, batch = fit.space.unlabelled, jax.tree_util.tree_leaves(fit.params), np.shape(fit.status)
    if any(np.shape(leaf)[: len(batch)] != batch for leaf in jax.tree_util.tree_leaves(space)):
        return None  # one space for many lanes: not made here, but nothing against it
    point_of = Space.point
    for _ in batch:
        point_of = jax.vmap(point_of)
    point = point_of(space, jnp.asarray(fit.z))
    for leaf, value in zip(space.layout.leaves, leaves, strict=True):
        if leaf.kind == FREE and not _agree(point[leaf.index], value, _reach(space.bijections[leaf.index]), len(batch)):
            return f"parameter {leaf.name!r} is not what z says it is"
    return None


def _reach(bijection) -> float:
    """How large the numbers are that a constraint adds and subtracts: its limits."""
    limits = [np.max(np.abs(np.asarray(limit)), initial=0.0) for limit in bijection.limits() if limit is not None]
    return max([0.0, *(float(limit) for limit in limits if np.isfinite(limit))])


def _agree(made, kept, reach, lanes) -> bool:
    """Whether two leaves are the same to rounding, lane by lane."""
    made, kept, eps = np.asarray(made, float), np.asarray(kept, float), float(jnp.finfo(made.dtype).eps)
    size = np.max(np.abs(made), axis=tuple(range(lanes, made.ndim)), keepdims=True, initial=reach)
    with np.errstate(invalid="ignore"):
        near = np.abs(made - kept) <= _ROUNDINGS * eps * size
    return bool(np.all(near | (made == kept) | (np.isnan(made) & np.isnan(kept))))


def _short(array) -> str:
    return np.array2string(array, threshold=4)
