"""The failed lanes of a batch, tried again."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.tree import is_traced
from jaxmle.fitting.batch import fit_lanes, open_lanes
from jaxmle.fitting.climb import Options
from jaxmle.fitting.queue import Lanes
from jaxmle.fitting.result import Fit
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem


def refit(
    objective: Term | Problem,
    fits: Fit,
    where: Any = None,
    *,
    start: Any = None,
    in_axes: Any = None,
    batch_size: int | None = None,
    solver: Any = None,
    tolerance: float | None = None,
    max_steps: int | None = None,
) -> Fit:
    """``fits`` with some lanes fitted once more, by another solver, from another start or with more steps.

    Arguments:
        objective: what was given to :func:`fit_batch`.
        fits: what it returned.
        where: which lanes, an array of True and False; by default those that are not ok.
        start: a marked tree with the marks of the first start; by default each lane starts where it ended, which
            helps one that ran out of steps, and not one whose numbers were never finite.
        in_axes, batch_size, solver, tolerance, max_steps: as for :func:`fit_batch`.

    Returns a :class:`Fit` with a leading lane axis: new in the lanes chosen, whatever became of them, and as it was in
    the others. Runs on the host, since how many lanes are chosen depends on values; so many that there are few shapes
    to compile for.

    Errors: ``ValueError`` for a single fit, where ``where`` or the objective has another number of lanes, or ``start``
    other marks; ``TypeError`` inside ``jax.jit``.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> lanes = jm.likelihood(lambda p, y: -((y - jnp.exp(p["a"])) ** 2), jnp.array([[1.0, 2.0], [3.0, 9.0]]))
    >>> fits = jm.fit_batch(lanes, {"a": 0.0}, max_steps=3)
    >>> fits.ok.tolist(), jm.refit(lanes, fits).ok.tolist()
    ([False, False], [True, True])

    Source: the remedies that ``fits.message`` names.
    """
    if np.ndim(fits.status) != 1:
        raise ValueError(
            f"jm.refit takes what jm.fit_batch returned, with one axis of lanes; this fit has the shape "
            f"{np.shape(fits.status)}: fit one fit again by jm.fit, from where it ended or from another start"
        )
    where = ~np.asarray(_concrete(fits.ok, fits)) if where is None else np.asarray(_concrete(where, fits))
    batch = open_lanes(objective, start, in_axes, None if start is not None else fits)
    if where.dtype != bool or where.shape != np.shape(fits.status) or where.shape != (batch.lanes.count,):
        raise ValueError(
            f"where is an array of True and False with one entry for each lane; it has the type {where.dtype} and the "
            f"shape {where.shape}, the fits have the shape {np.shape(fits.status)}, and the objective has "
            f"{batch.lanes.count} lanes: give the objective and the fits of one jm.fit_batch"
        )
    chosen = np.flatnonzero(where)
    if not chosen.size:
        return fits
    size = 1 << (chosen.size - 1).bit_length()
    padded = np.concatenate([chosen, np.full(size - chosen.size, chosen[0])])
    some = batch._replace(lanes=Lanes(batch.lanes.at(padded), batch.lanes.common))
    found = fit_lanes(some, Options(solver, tolerance, max_steps, fits.jacobian), batch_size)
    fits = dataclasses.replace(fits, history=None, state=None)
    if jax.tree.structure(found) != jax.tree.structure(fits):
        raise ValueError("start has other marks, names or labels than that of the fits; give it the same ones")
    return jax.tree.map(lambda old, new: jnp.asarray(old).at[chosen].set(new[: chosen.size]), fits, found)


def _concrete(array, fits):
    if is_traced((array, fits)):
        raise TypeError(
            "jm.refit looks at which lanes failed, which is not known inside jax.jit or jax.vmap: call it outside"
        )
    return array
