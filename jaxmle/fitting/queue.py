"""The compiled program behind a batch: a fixed number of slots, and a queue of lanes that wait for one.

Under vmap a loop runs every lane until the slowest has ended. Here a lane that has ended leaves its slot to the next
one that waits, so that a batch takes as long as its lanes take together, and only the lanes in a slot need be in fast
memory.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxmle.core import status as codes
from jaxmle.core.lanes import transposed
from jaxmle.fitting import program
from jaxmle.fitting.chunks import in_chunks, lanes_in_cache
from jaxmle.fitting.ground import ground_of
from jaxmle.fitting.program import Ended, Found, concluded, differentiable, tolerance_in, verdict
from jaxmle.solvers.choice import choose
from jaxmle.terms.filled import filled, marked, owns_its_rows
from jaxmle.terms.objective import as_objective

_REFILLS = 16  # how often each slot is filled, unless that leaves less than enough of them
_FEWEST, _ENOUGH, _MOST = 4, 32, 2048
_MOST_ON_ACCELERATOR = 2**15


class Lanes(eqx.Module):
    """Objectives, spaces and values of free leaves: what differs from lane to lane, with a leading axis, and what is
    the same for all. Each is None where the other is not."""

    own: Any
    common: Any

    @property
    def count(self) -> int:
        """How many there are."""
        return jax.tree.leaves(self.own)[0].shape[0]

    def at(self, index) -> Any:
        """What is their own of the lanes ``index``, a number or an array of them."""
        return jax.tree.map(lambda leaf: leaf[index], self.own)

    def on(self, mesh: Mesh) -> "Lanes":
        """The lanes on the devices of ``mesh``, the last one as often again as it takes to share them out evenly."""
        size = -(-self.count // mesh.size) * mesh.size
        places = jnp.minimum(jnp.arange(size), self.count - 1)
        own = self.own if size == self.count else self.at(places)
        by_lanes, everywhere = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (mesh.axis_names, ()))
        return Lanes(jax.device_put(own, by_lanes), jax.device_put(self.common, everywhere))

    def are_on(self, mesh: Mesh) -> bool:
        """Whether data of theirs lie on the devices of ``mesh`` already, as many lanes on each."""
        devices = set(mesh.devices.ravel().tolist())
        there = [getattr(getattr(leaf, "sharding", None), "device_set", None) for leaf in jax.tree.leaves(self.own)]
        return self.count % mesh.size == 0 and any(found == devices for found in there)

    def whole(self, own) -> tuple:
        """The objective, the space and the values of one lane."""
        return eqx.combine(own, self.common)


def slots_for(lanes: Lanes) -> int:
    """How many lanes are worked on at once: what fits the backend's fast memory, and on a CPU few enough for the queue
    to hide the slow ones."""
    in_cache = lanes_in_cache(lanes.own)
    if jax.default_backend() == "cpu":
        return min(max(in_cache, _FEWEST), max(-(-lanes.count // _REFILLS), _ENOUGH), _MOST, lanes.count)
    return min(max(in_cache, _ENOUGH), _MOST_ON_ACCELERATOR, lanes.count)


@functools.partial(jax.jit, static_argnames=("limit", "jacobian", "width", "mesh"))
def maximise_lanes(lanes: Lanes, solver, tolerance, max_steps, *, limit, jacobian, width, mesh=None) -> Found:
    """As :func:`jaxmle.fitting.program.maximise`, of each of ``lanes``, ``width`` of them at once on each device of the
    ``mesh``, whose number divides that of the lanes."""
    program.TRACED.append(None)

    def here(lanes):
        return _maximise_here(lanes, solver, tolerance, max_steps, limit, jacobian, width)

    if mesh is None:
        return here(lanes)
    by_lanes, everywhere = PartitionSpec(*mesh.axis_names), PartitionSpec()
    specs = (Lanes(jax.tree.map(lambda _: by_lanes, lanes.own), jax.tree.map(lambda _: everywhere, lanes.common)),)
    return jax.shard_map(here, mesh=mesh, in_specs=specs, out_specs=by_lanes, check_vma=False)(lanes)


def _maximise_here(lanes, solver, tolerance, max_steps, limit, jacobian, width) -> Found:
    task = Task.of(jax.lax.stop_gradient(lanes), solver, tolerance, max_steps, limit, jacobian)
    found = task.found(width)
    found = jax.vmap(lambda own, found: differentiable(jacobian, *lanes.whole(own)[:2], found))(lanes.own, found)
    point = jax.vmap(lambda own, z: lanes.whole(own)[1].point(z))(lanes.own, found.z)
    return dataclasses.replace(found, point=point, value=found.log_likelihood + found.log_prior)


program.PROGRAMS.append(maximise_lanes)


class Slots(eqx.Module):
    """What is being worked on: in each slot the numbers of a lane, as the task lays them out, the state of its climb,
    and which lane it is (the number of lanes where there is none)."""

    own: Any
    state: Any
    lane: Any


class Task(eqx.Module):
    """The lanes and how they are climbed, each method for one lane but for those of the queue. ``by_columns``: while
    they are worked on their matrices are transposed in memory; ``fills``: and rows of weight zero are replaced."""

    lanes: Lanes
    solver: Any
    tolerance: Any
    max_steps: Any
    limit: Callable | None = eqx.field(static=True)
    jacobian: bool = eqx.field(static=True)
    by_columns: bool = eqx.field(static=True)
    fills: bool = eqx.field(static=True)

    @classmethod
    def of(cls, lanes, solver, tolerance, max_steps, limit, jacobian) -> "Task":
        """The task whose solver is chosen and whose tolerance is a number. Raises where shapes cannot be right."""

        def look(own):
            objective, space, values = lanes.whole(own)
            objective.check_structure()
            z = space.to_z(values)
            return z, objective.takes_products(space.lift, space.point(z))

        start, by_columns = eqx.filter_eval_shape(look, jax.eval_shape(lambda: lanes.at(0)))
        objective = lanes.whole(lanes.own)[0]
        fills = owns_its_rows(lanes.own[0], objective)
        if fills:
            own, common = ((marked(part[0], objective), *part[1:]) for part in (lanes.own, lanes.common))
            lanes = Lanes(own, common)
        solver = choose(start.size, as_objective(objective).is_rough)[0] if solver is None else solver
        return cls(lanes, solver, tolerance_in(start.dtype, tolerance), max_steps, limit, jacobian, by_columns, fills)

    def filled(self, own):
        """The numbers of a lane, its rows of weight zero replaced."""
        if not self.fills:
            return own
        objective, space, values = self.lanes.whole(own)
        whole = filled(objective), space, values
        return jax.tree.map(lambda old, new: None if old is None else new, own, whole, is_leaf=lambda x: x is None)

    def begin(self, own):
        """The state that asks for the start."""
        objective, space, values = self.lanes.whole(own)
        start = space.to_z(values)
        ground = ground_of(self.jacobian, objective, space, start, self.solver)
        rough = () if ground.penalty is None else (ground.penalty,)
        return self.solver.init(start, self.tolerance, ground.size, *rough)

    def step(self, own, state):
        """The state after one more evaluation."""
        objective, space, values = self.lanes.whole(own)
        ground = ground_of(self.jacobian, objective, space, space.to_z(values), self.solver)
        state = state if ground.guide is None else ground.guide(state)
        rough = () if ground.penalty is None else (ground.penalty,)
        return self.solver.update(state, ground.evaluate(state.z), *rough)

    def conclude(self, own, ended: Ended) -> Found:
        """What was found where a climb ended."""
        objective, space, values = self.lanes.whole(self.filled(own))
        start = space.to_z(values)
        found = concluded(self.jacobian, objective, space, start, self.solver, self.tolerance, self.max_steps, ended)
        return verdict(objective, space, start, found, self.limit, self.jacobian)

    def alone(self, own) -> Found:
        """What a solver with a loop of its own finds."""
        objective, space, values = self.lanes.whole(self.filled(own))
        start = space.to_z(values)
        found = program.solve(self.jacobian, objective, space, start, self.solver, self.tolerance, self.max_steps)
        return verdict(objective, space, start, found, self.limit, self.jacobian)

    def found(self, width: int) -> Found:
        """What was found of every lane."""
        if hasattr(self.solver, "search"):
            return in_chunks(self.alone, (self.lanes.own,), width, self.by_columns)
        return in_chunks(self.conclude, (self.lanes.own, self.run(width)), width, self.by_columns)

    def run(self, width: int) -> Ended:
        """Where the climb of every lane ended."""
        count = self.lanes.count
        own = jax.tree.map(lambda leaf: jnp.zeros((width, *leaf.shape[1:]), leaf.dtype), self.lanes.own)
        state = _zeros(jax.eval_shape(jax.vmap(self.begin), own))
        slots = Slots(self.laid_out(own), state, jnp.full(width, count))
        ended = _zeros(jax.eval_shape(jax.vmap(Ended.of), state))
        ended = jax.tree.map(lambda leaf: jnp.zeros((count, *leaf.shape[1:]), leaf.dtype), ended)

        def waiting(carry):
            slots, _, waiting = carry
            return (waiting < count) | jnp.any(slots.lane < count)

        def refill_and_work(carry):
            slots, ended, next = self.refill(*carry)
            return self.work(slots, next < count), ended, next

        start = slots, ended, jnp.zeros((), slots.lane.dtype)
        return jax.lax.while_loop(waiting, refill_and_work, start)[1]

    def running(self, slots: Slots):
        """Which slots are at work."""
        state = slots.state
        return (slots.lane < self.lanes.count) & (state.status == codes.RUNNING) & (state.steps < self.max_steps)

    def laid_out(self, own):
        """The numbers of lanes as they lie in the slots, and those in the slots as they were."""
        return transposed(own) if self.by_columns else own

    def work(self, slots: Slots, more) -> Slots:
        """The slots after as many steps as it takes for some of them to fall idle, or all where no ``more`` wait."""
        least = jnp.where(more, slots.lane.size - _share(slots.lane.size), 0)

        def busy(state):
            return jnp.sum(self.running(Slots(slots.own, state, slots.lane))) > least

        def step(state):
            running = self.running(Slots(slots.own, state, slots.lane))
            return _where(running, jax.vmap(self.step)(self.laid_out(slots.own), state), state)

        return Slots(slots.own, jax.lax.while_loop(busy, step, slots.state), slots.lane)

    def refill(self, slots: Slots, ended: Ended, next):
        """The slots with lanes from ``next`` on in place of some that ended; all that have are written to ``ended``."""
        count, width = self.lanes.count, slots.lane.size
        idle = ~self.running(slots)
        into = jnp.where(idle, slots.lane, count)
        here = jax.vmap(Ended.of)(slots.state)
        ended = jax.tree.map(lambda all, leaf: all.at[into].set(leaf, mode="drop"), ended, here)
        size = min(_share(width), count)
        first = jnp.minimum(next, count - size)
        entering = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, first, size), self.lanes.own)
        entering = jax.vmap(self.filled)(entering)
        lane = first + jnp.arange(size)
        places = jnp.argsort(~idle, stable=True)[:size]  # idle ones first
        fresh = (lane >= next) & idle[places]
        places = jnp.where(fresh, places, width)
        slots = Slots(slots.own, slots.state, jnp.where(idle, count, slots.lane))
        new = Slots(self.laid_out(entering), jax.vmap(self.begin)(entering), lane)
        slots = jax.tree.map(lambda all, leaf: all.at[places].set(leaf, mode="drop"), slots, new)
        return slots, ended, next + jnp.sum(fresh)


def _share(width: int) -> int:
    """How many of ``width`` slots fall idle before they are filled again, and are filled at once."""
    return max(1, width // 4)


def _where(condition, new, old):
    """For each slot the leaves of ``new`` where the ``condition`` holds, else those of ``old``."""

    def choose(new, old):
        return jnp.where(condition.reshape(condition.shape + (1,) * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, new, old)


def _zeros(shapes):
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
