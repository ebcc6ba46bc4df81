"""Replicates: an objective fitted again and again to resampled data, from its estimate on.

Each lane of the batch has its own weights (or responses) only; everything else all lanes share. Weights are drawn for
a chunk of lanes at a time, so that memory does not grow with their number.
"""

import functools
import importlib
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxmle.core import status as codes
from jaxmle.core.tree import is_traced
from jaxmle.fitting.chunks import in_chunks
from jaxmle.fitting.climb import DEFAULT_MAX_STEPS
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.program import TOLERANCE_OF_DTYPE
from jaxmle.fitting.queue import Lanes, maximise_lanes, slots_for
from jaxmle.inference.covariances.covariance import covariance_of
from jaxmle.inference.resampling.resample import Scheme

_CPU_NUMBERS, _ACCELERATOR_NUMBERS = 2**23, 2**28
_CALLS_FOR_A_BAR, _DRAWN_AT_ONCE = 50, 128


class Replicates(eqx.Module):
    """Estimates in z, one for each replicate, NaN where there is none; the ``status`` of each; and what was asked to be
    seen of each, None where nothing was."""

    z: Float[Array, "r m"]
    status: Int[Array, " r"]
    seen: Any = None


class Climb(eqx.Module):
    """How replicates are found: exactly, or by ``one_step`` of Newton with the curvature at the estimate; what may
    object (``limit``), in which density the mode is; and ``look(objective, space, z)``, what is to be seen of each."""

    one_step: bool = eqx.field(static=True, default=False)
    limit: Callable | None = eqx.field(static=True, default=None)
    jacobian: bool = eqx.field(static=True, default=False)
    look: Callable | None = None


def replicates(scheme: Scheme, seeds, climb: Climb, progress: bool = False) -> Replicates:
    """The replicate of every seed. With ``progress`` there is a bar, which needs tqdm."""
    return _with_a_bar(scheme, seeds, climb) if progress else _replicates(scheme, seeds, climb)


def usable(status):
    """Whether ``status`` is that of a replicate's estimate: a unique maximum, or one on the boundary, or one step."""
    return (codes.is_ok(status) & (status != codes.FLAT)) | (status == codes.BOUNDARY)


@jax.jit
def _replicates(scheme: Scheme, seeds, climb: Climb) -> Replicates:
    count, size = seeds.shape[0], _chunk(scheme, seeds)
    solve = functools.partial(_one_chunk, scheme, climb)
    if count <= size:
        return solve(seeds)
    places = jnp.minimum(jnp.arange(-(-count // size) * size), count - 1).reshape(-1, size)
    found = jax.lax.map(lambda place: solve(seeds[place]), places)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], found)


def _chunk(scheme, seeds) -> int:
    """How many replicates have their data in memory at once, about the same for each chunk."""
    own = jax.eval_shape(scheme.own, seeds[0])
    numbers = _CPU_NUMBERS if jax.default_backend() == "cpu" else _ACCELERATOR_NUMBERS
    most = max(8, numbers // max(1, sum(leaf.size for leaf in jax.tree.leaves(own))))
    return -(-seeds.shape[0] // -(-seeds.shape[0] // most))


def _one_chunk(scheme: Scheme, climb: Climb, seeds) -> Replicates:
    space, z = scheme.space, scheme.z
    own = in_chunks(scheme.own, (seeds,), min(_DRAWN_AT_ONCE, seeds.shape[0]))  # in fast memory
    shared = scheme.objective, space, space.point(z)
    lanes = Lanes((own, *jax.tree.map(lambda _: None, shared[1:])), shared)
    width = slots_for(lanes)
    if climb.one_step:
        inverse = _inverse(scheme, climb)
        new = in_chunks(lambda own: z + inverse @ _gradient(lanes.whole(own)[0], space, z, climb), (lanes.own,), width)
        status = jnp.where(jnp.all(jnp.isfinite(new), axis=1), codes.COMPLETED, codes.NON_FINITE)
    else:
        tolerance, most = jnp.asarray(TOLERANCE_OF_DTYPE, z.dtype), jnp.asarray(DEFAULT_MAX_STEPS)
        found = maximise_lanes(lanes, None, tolerance, most, limit=climb.limit, jacobian=climb.jacobian, width=width)
        new, status = found.z, found.status
    new = jnp.where(usable(status)[:, None], new, jnp.nan)
    if climb.look is None:
        return Replicates(new, status)
    look = climb.look
    seen = in_chunks(lambda own, z: look(lanes.whole(own)[0], space, z), (lanes.own, new), width)
    return Replicates(new, status, seen)


def _inverse(scheme, climb):
    """The covariance at the estimate; NaN in all of it where a direction is free, for then no step is Newton's."""
    evaluation = evaluate_in_z(scheme.objective, scheme.space, scheme.z, 2, climb.jacobian)
    return covariance_of(evaluation.curvature).matrix


def _gradient(objective, space, z, climb):
    return evaluate_in_z(objective, space, z, 1, climb.jacobian).gradient


def _with_a_bar(scheme, seeds, climb) -> Replicates:
    if is_traced((scheme, seeds)):
        raise ValueError("progress=True shows a bar between calls, and inside jax.jit or jax.vmap there is one call")
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError as error:
        raise ImportError("progress=True shows a bar with tqdm, which is not installed: pip install tqdm") from error
    count = seeds.shape[0]
    size = min(count, max(_chunk(scheme, seeds) if count > _CALLS_FOR_A_BAR else 1, -(-count // _CALLS_FOR_A_BAR)))
    pieces = []
    with tqdm(total=count, unit=" fits") as bar:
        for done in range(0, count, size):
            first = min(done, count - size)  # the last piece is as long as the others, so that nothing compiles
            piece = _replicates(scheme, seeds[first : first + size], climb)
            pieces.append(jax.block_until_ready(jax.tree.map(lambda leaf, new=done - first: leaf[new:], piece)))
            bar.update(pieces[-1].status.shape[0])
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *pieces)
