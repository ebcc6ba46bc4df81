"""Many fits of one model at once."""

import dataclasses
import importlib
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxmle.core.rearrange import ArraySlot
from jaxmle.core.tree import is_array, is_traced, named_leaves
from jaxmle.fitting import program
from jaxmle.fitting.climb import DEFAULT_MAX_STEPS, Options, check_once, check_options, on_device
from jaxmle.fitting.enclosed import refuse_derivatives
from jaxmle.fitting.explain import explained
from jaxmle.fitting.queue import Lanes, maximise_lanes, slots_for
from jaxmle.fitting.result import Fit
from jaxmle.parameters.space import Space
from jaxmle.solvers.choice import as_solver, choose, method_of
from jaxmle.terms.lanes import lane_axes
from jaxmle.terms.objective import Term, as_objective
from jaxmle.terms.problem import Problem, as_problem

_CALLS_FOR_A_BAR = 50
_SLOTS_IN_A_CALL = 16


def fit_batch(
    objective: Term | Problem,
    start: Any = None,
    *,
    in_axes: Any = None,
    batch_size: int | None = None,
    progress: bool = False,
    devices: Sequence[Any] | None = None,
    solver: Any = None,
    tolerance: float | None = None,
    max_steps: int | None = None,
    jacobian: bool = False,
) -> Fit:
    """Many fits of one model, each with its own data, weights, prior numbers or start, by one compiled program.

    Arguments:
        objective: a term, a sum of terms or a problem whose data and weights have a leading lane axis. Ready-made
            models are batched by ``jax.vmap(jm.models.logistic)(x, y)``.
        start: a marked tree as for :func:`jaxmle.fit`, the same for all lanes; may be left out for a problem.
        in_axes: which leaves have a lane axis, as for ``jax.vmap`` of a function of ``(objective, start)``: a pair of
            axes or trees of them, None for what all lanes have in common; without ``start`` one entry,
            ``(axes,)``. By default ``(jm.lane_axes(objective), None)``.
        batch_size: how many lanes are worked on at once; by default what fits the backend's fast memory.
        progress: whether to show a bar, which needs tqdm; the program is then called piece by piece.
        devices: the devices that share the lanes out among them, each with its own queue; by default one. The cores
            of a CPU are devices too, where ``jax.config.update("jax_num_cpu_devices", 2)`` is said first of all. Data
            that already lie on them, an equal number of lanes on each, are not moved, and then the fits lie there too.
        solver, tolerance, max_steps, jacobian: as for :func:`jaxmle.fit`.

    Returns a :class:`Fit` whose arrays have a leading lane axis. Nothing is raised about values: a lane whose data,
    weights or start are bad has a status that says so (``ok``, ``message``), and leaves the others as they are without
    it. Standard errors are ``jax.vmap(jm.infer, in_axes=(jm.lane_axes(objective), 0))(objective, fits)``; failed lanes
    are tried again by :func:`refit`.

    With jaxlib up to 0.10, a function of yours that calls LAPACK (``jnp.linalg.cholesky``, ``solve``, ``eigh``) in
    lanes can wait for ever on a CPU of few cores, since the threads that call it wait for threads to do it. The
    densities, marks and solvers here do not; for a function of yours, start Python with ``NPROC=16`` in its
    environment.

    Works under ``jax.jit``; derivatives are those of ``jm.fit``. New numbers compile nothing; another number of lanes
    or rows is another shape, and compiles.

    Errors: ``ValueError`` where there are no lanes, or leaves with different numbers of them; those of ``jm.fit``
    about the shapes of one lane; ``TypeError`` for a start that is missing; ``ImportError`` without tqdm.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> y = jnp.array([[1.0, 2.0, 4.0], [2.0, 2.0, 5.0]])
    >>> normal = lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"])
    >>> fits = jm.fit_batch(jm.likelihood(normal, y), {"mu": 0.0, "sigma": jm.positive(1.0)})
    >>> fits.params["mu"].round(4).tolist(), fits.ok.tolist()
    ([2.3333, 3.0], [True, True])

    Source: Nocedal and Wright (2006), "Numerical Optimization", chapter 4, for one lane.
    """
    batch = open_lanes(objective, start, in_axes)
    return fit_lanes(batch, Options(solver, tolerance, max_steps, jacobian), batch_size, progress, devices)


class Batch(NamedTuple):
    """Lanes to be climbed, what may object to their estimates, and the labels of their space."""

    lanes: Lanes
    limit: Any
    labels: Any

    def spaces(self) -> Space:
        """The space of every lane, as one whose arrays have a leading axis."""
        count, (_, own, _), (_, common, _) = self.lanes.count, self.lanes.own, self.lanes.common
        wide = jax.tree.map(lambda leaf: jnp.broadcast_to(jnp.asarray(leaf), (count, *jnp.shape(leaf))), common)
        space = eqx.combine(own, wide)
        return Space(space.bijections, space.constants, space.layout, self.labels)


def open_lanes(objective: Term | Problem, start: Any, in_axes: Any, climbed: Fit | None = None) -> Batch:
    """``objective`` and ``start`` taken apart into lanes; each starts where it ended in ``climbed``, where that is
    given. Errors are those of :func:`fit_batch`."""
    problem = as_problem(objective, start)
    if problem.start is None and climbed is None:
        raise TypeError("there is no start: give a tree of parameters, such as {'mu': 0.0, 'sigma': jm.positive(1.0)}")
    arguments = (objective,) if start is None else (objective, start)
    axes = _axes_of_leaves(arguments, in_axes)
    moved = _with_lanes_first(arguments, axes)
    stand_ins = [_stand_in(i, leaf, axis) for i, (leaf, axis) in enumerate(zip(moved, axes, strict=True))]
    problem = as_problem(*jax.tree_util.tree_unflatten(jax.tree.structure(arguments), stand_ins))
    if climbed is None:
        space, values = Space.of(problem.start)
        whole = as_objective(problem.objective), space.unlabelled, values
    else:
        space, whole = climbed.space, (as_objective(problem.objective), None, None)
    if space.size == 0:
        raise ValueError("every parameter is fixed, so there is nothing to fit; call the objective on params instead")
    own = jax.tree.map(lambda leaf: moved[leaf.index] if isinstance(leaf, ArraySlot) else None, whole)
    common = jax.tree.map(lambda leaf: None if isinstance(leaf, ArraySlot) else leaf, whole)
    if climbed is not None:
        ends = space.unlabelled, jax.vmap(Space.point)(space.unlabelled, climbed.z)
        own, common = (own[0], *ends), (common[0], *jax.tree.map(lambda _: None, ends))
    lanes = Lanes(own, common)
    _check_one_lane(lanes)
    return Batch(lanes, problem.limit, space.labels)


def _stand_in(index, leaf, axis):
    """What stands for a leaf while the arguments are taken apart: one lane of it, where there are lanes."""
    return leaf if axis is None else ArraySlot(index, leaf.shape[1:], leaf.dtype)


def fit_lanes(
    batch: Batch, options: Options, batch_size: int | None = None, progress: bool = False, devices: Any = None
) -> Fit:
    """The fits of a batch. Errors are those of :func:`fit_batch`."""
    check_options(options.tolerance, options.max_steps)
    lanes, solver, mesh = batch.lanes, as_solver(options.solver), _as_mesh(devices)
    most = -(-lanes.count // (1 if mesh is None else mesh.size))
    width = min(slots_for(lanes) if batch_size is None else _as_size(batch_size), most)
    objective, space, values = lanes.whole(lanes.at(0))
    method = -choose(space.size, objective.is_rough)[1] if solver is None else method_of(solver)

    def call(lanes):
        found = maximise_lanes(
            lanes if mesh is None else lanes.on(mesh),
            solver,
            on_device(program.TOLERANCE_OF_DTYPE if options.tolerance is None else options.tolerance, float),
            on_device(DEFAULT_MAX_STEPS if options.max_steps is None else options.max_steps, int),
            limit=batch.limit,
            jacobian=bool(options.jacobian),
            width=width,
            mesh=mesh,
        )
        return found if mesh is None or lanes.are_on(mesh) else _together(found, lanes.count)

    before = len(program.TRACED)
    try:
        found = _with_a_bar(call, lanes, width) if progress else call(lanes)
        check_once(objective, space, values, len(program.TRACED) > before)
    except Exception as error:
        raise explained(error, space.lift(values)) from error
    if is_traced(found) or len(program.TRACED) > before:
        found = refuse_derivatives(found, objective, space, found.z[0])
    fits = Fit.of(found, batch.spaces(), jacobian=bool(options.jacobian))
    return dataclasses.replace(fits, method=jnp.full(lanes.count, method, int))


def _axes_of_leaves(arguments, in_axes) -> list:
    """The lane axis of each leaf of ``arguments``, None where it has none."""
    names = ("objective", "start")[: len(arguments)]
    if in_axes is None:
        in_axes = (lane_axes(arguments[0]), None)[: len(arguments)]
    if not isinstance(in_axes, tuple | list) or len(in_axes) != len(arguments):
        raise ValueError(
            f"in_axes has one entry for each argument, ({', '.join(names)}{',' * (len(names) == 1)}), each an axis, "
            f"None or a tree of them such as jm.lane_axes(objective); it is {in_axes!r}"
        )
    axes: list = []

    def spread(axis, part):
        for leaf in jax.tree.leaves(part):
            axes.append(None if axis is None or not is_array(leaf) else operator.index(axis))

    try:
        jax.tree.map(spread, tuple(in_axes), arguments, is_leaf=lambda leaf: leaf is None)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"in_axes must be shaped like ({', '.join(names)}), with whole numbers and None for leaves, or one of them "
            f"for a whole branch; start from jm.lane_axes(objective). JAX says: {error}"
        ) from error
    return axes


def _with_lanes_first(arguments, axes) -> list:
    """The leaves of ``arguments``, the lane axis in front where there is one. Raises where lanes do not agree."""
    names = [name for name, _ in named_leaves(dict(zip(("objective", "start"), arguments, strict=False)))]
    moved, lengths = [], {}
    for name, leaf, axis in zip(names, jax.tree.leaves(arguments), axes, strict=True):
        if axis is not None and not -np.ndim(leaf) <= axis < np.ndim(leaf):
            raise ValueError(
                f"{name} has shape {np.shape(leaf)} and no axis {axis} for lanes; give it one, or None in in_axes for "
                "what all lanes have in common"
            )
        moved.append(leaf if axis is None else jnp.moveaxis(jnp.asarray(leaf), axis, 0))
        if axis is not None:
            lengths.setdefault(moved[-1].shape[0], f"{name} (shape {np.shape(leaf)}, axis {axis})")
    if not lengths:
        raise ValueError(
            "no leaf has a lane axis, so this is one fit and not a batch: use jm.fit, or say in in_axes where lanes are"
        )
    if len(lengths) > 1:
        (first, of_first), (second, of_second), *_ = lengths.items()
        raise ValueError(
            f"lanes do not agree: {of_first} has {first} of them and {of_second} has {second}; give every leaf one "
            "entry for each lane, or say in in_axes which leaves all lanes have in common"
        )
    if 0 in lengths:
        raise ValueError(f"the batch has no lanes: {lengths[0]} is empty; check how it was filtered")
    return moved


def _check_one_lane(lanes: Lanes) -> None:
    """Raise the ``ValueError`` about the shapes of a lane, with what a lane is."""
    try:
        jax.eval_shape(lambda own: lanes.whole(own)[0].check_structure(), jax.eval_shape(lambda: lanes.at(0)))
    except ValueError as error:
        raise ValueError(
            f"in one of the {lanes.count} lanes: {error}. The first axis of data and weights counts lanes, the second "
            "rows, unless in_axes says otherwise"
        ) from error


def _together(found, count: int):
    """What was ``found`` on several devices, the first ``count`` lanes of it, on one."""
    return jax.tree.map(lambda leaf: (leaf if is_traced(leaf) else jnp.asarray(np.asarray(leaf)))[:count], found)


def _as_mesh(devices) -> Mesh | None:
    if devices is None:
        return None
    if not len(devices):
        raise ValueError("devices is empty: give one device or more, such as jax.devices(), or leave it out")
    return Mesh(np.asarray(devices), ("lanes",))


def _as_size(batch_size) -> int:
    if batch_size != int(batch_size) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number of lanes, one or more; it is {batch_size}")
    return int(batch_size)


def _with_a_bar(call, lanes: Lanes, width: int):
    """What ``call`` finds of the lanes, called for some of them after the other with a bar in between."""
    if is_traced(lanes):
        raise ValueError("progress=True shows a bar between calls, and inside jax.jit or jax.vmap there is one call")
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError as error:
        raise ImportError("progress=True shows a bar with tqdm, which is not installed: pip install tqdm") from error
    size = min(lanes.count, max(_SLOTS_IN_A_CALL * width, -(-lanes.count // _CALLS_FOR_A_BAR)))
    pieces = []
    with tqdm(total=lanes.count, unit=" fits") as bar:
        for done in range(0, lanes.count, size):
            first = min(done, lanes.count - size)  # the last piece is as long as the others, so that nothing compiles
            piece = call(Lanes(lanes.at(slice(first, first + size)), lanes.common))
            pieces.append(jax.block_until_ready(jax.tree.map(lambda leaf, new=done - first: leaf[new:], piece)))
            bar.update(pieces[-1].status.shape[0])
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *pieces)
