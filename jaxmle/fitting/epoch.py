"""The compiled part of training: many steps of an optax optimiser over batches of rows, in one program."""

import contextlib
import dataclasses
import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Int

from jaxmle.core.summation import Sum
from jaxmle.fitting.minibatch import Cut
from jaxmle.parameters.layout import FREE
from jaxmle.parameters.space import Space
from jaxmle.solvers.optax_solver import updated

TRACED: list[None] = []  # grows by one whenever a program is traced


class Carry(eqx.Module):
    """What goes from step to step. ``free`` is shaped like params: the free leaves, unconstrained, None elsewhere."""

    free: Any
    memory: Any  # of the optimiser
    average: Any  # of the iterates, None where it is not asked for
    state: Any  # of the user's functions
    log_likelihood: Sum  # over the steps of the epoch so far
    log_prior: Sum  # likewise
    taken: Int[Array, ""]  # steps since the start
    halted: Bool[Array, ""]  # a step was not finite; what is carried is from before it


class Task(eqx.Module):
    """What is trained, and how: a step sees ``accumulate`` parts of ``size`` rows, and an epoch has ``steps`` steps.

    ``total`` is the number of observations that the loss is divided by; ``average_from`` the number of the step from
    which on iterates are averaged; ``looped`` says whether steps are a loop inside one program.
    """

    cut: Cut
    space: Space
    optimiser: Any
    steps: Any
    total: Any
    average_from: Any
    size: int = eqx.field(static=True)
    accumulate: int = eqx.field(static=True)
    looped: bool = eqx.field(static=True, default=True)

    @property
    def rows_of_step(self) -> int:
        """How many rows one step sees."""
        return self.size * self.accumulate

    def rows(self, free, state, part):
        """The log-likelihood of one part of a step's rows, and the state after it."""
        places, counted, key = part
        value, state = self.cut.sum_of_rows(params_of(self.space, free), places, counted, state, key)
        return value.astype(dtype_of(free)), state

    def whole(self, free):
        """The log-likelihood and log-prior of what is not sampled."""
        return whole(self.cut, self.space, free)


@functools.partial(jax.jit, static_argnames="averaged")
def begin(space: Space, values, optimiser, state, averaged: bool) -> Carry:
    """The carry before the first step, from the ``values`` of the free leaves; halted where they are outside."""
    z = space.to_z(values)
    free = free_tree(space, z)
    carry = Carry(
        free=free,
        memory=_memory(optimiser, free),
        average=free if averaged else None,
        state=jax.tree.map(jnp.asarray, state),
        log_likelihood=Sum.of(jnp.zeros((), z.dtype)),
        log_prior=Sum.of(jnp.zeros((), z.dtype)),
        taken=jnp.zeros((), int),
        halted=~jnp.all(jnp.isfinite(z)),
    )
    # Not weakly typed, as nothing that comes out of a step is: else the second call of a program would compile again.
    return jax.tree.map(_strongly_typed, carry)


@functools.partial(jax.jit, static_argnames="count")
def shuffle(key, epoch, count: int):
    """The order of the rows in an epoch, a function of key and epoch alone, and the key of the epoch's steps."""
    shuffling, stepping = jax.random.split(jax.random.fold_in(key, epoch))
    return jax.random.permutation(shuffling, max(count, 1)), stepping


@jax.jit
def advance(task: Task, carry: Carry, order, key, first, last) -> Carry:
    """Take the steps ``first`` to ``last`` (exclusive) of an epoch over rows that lie on the device, in ``order``.

    The number of steps is a number of a ``while_loop``, so that however an epoch is cut into calls the same program
    takes the same steps: a ``scan`` of another length would be another program, which may round otherwise.
    """
    TRACED.append(None)

    def more(at):
        return (at[0] < last) & ~at[1].halted

    def step(at):
        i, carry = at
        # After the last row come the first ones again, which count nothing: they fill the last batch of the epoch, so
        # that statistics over a batch (batch normalisation) are always those of ordinary rows.
        rows = i * task.rows_of_step + jnp.arange(task.rows_of_step)
        places, counted = order[rows % len(order)], rows < len(order)
        return i + 1, _step(task, carry, places, counted, jax.random.fold_in(key, i))

    first = jnp.asarray(first)
    if not task.looped:
        return step((first, _from_zero(carry, first)))[1]
    return jax.lax.while_loop(more, step, (first, _from_zero(carry, first)))[1]


@jax.jit
def advance_on(task: Task, carry: Carry, key, first, real) -> Carry:
    """Take step ``first`` of an epoch on all rows of ``task``, which are that step's: the first ``real`` count."""
    TRACED.append(None)
    rows = jnp.arange(task.rows_of_step)
    return _step(task, _from_zero(carry, first), rows, rows < real, jax.random.fold_in(key, first))


def is_slow_in_loops(task: Task, carry: Carry, key) -> bool:
    """Whether the steps should be calls of a program each instead of a loop inside one.

    On CPUs XLA runs a convolution inside a loop tens of times slower than outside (github.com/jax-ml/jax, issue
    12868). The kernel of one has three axes or more.
    """
    if jax.default_backend() != "cpu" or all(leaf.ndim < 3 for leaf in jax.tree.leaves(carry.free)):
        return False
    places = jnp.zeros(task.size, int)
    program = jax.make_jaxpr(lambda free, state: task.rows(free, state, (places, places == 0, key))[0])
    return "conv_general_dilated" in str(program(carry.free, carry.state))


def _step(task: Task, carry: Carry, places, counted, key) -> Carry:
    """One step of the optimiser on the rows at ``places``.

    Its loss is -(steps x log-likelihood of the batch + what counts whole) / total. The factor is the number of steps
    in an epoch, that is n over the mean size of a batch: so the mean of an epoch's gradients is the gradient of the
    whole objective, whichever batch is short, and every row has the same say.
    """
    free = carry.free
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(task.accumulate))
    parts = (places.reshape(task.accumulate, -1), counted.reshape(task.accumulate, -1), keys)
    steps, total = (jnp.asarray(number, dtype_of(free)) for number in (task.steps, task.total))

    def loss_of(free):
        return -(steps * _sum_of_parts(task, free, carry.state, parts)[0] + sum(task.whole(free))) / total

    value, gradient, state = _gradient_of_parts(task, free, carry.state, parts)
    (likelihood, prior), rest = _with_gradient(task.whole, free)
    loss = -(steps * value + likelihood + prior) / total
    gradient = jax.tree.map(lambda rows, rest: -(steps * rows + rest) / total, gradient, rest)
    with _promotion_allowed():
        transformation = optax.with_extra_args_support(task.optimiser.transformation())
        extra = {"value": loss, "grad": gradient, "value_fn": loss_of}
        updates, memory = updated(transformation, gradient, carry.memory, free, **extra)
        moved = optax.apply_updates(free, updates)
    new = Carry(
        free=moved,
        memory=memory,
        average=_averaged(carry, moved, task.average_from),
        state=state,
        log_likelihood=carry.log_likelihood.plus(steps * value + likelihood),
        log_prior=carry.log_prior.plus(prior),
        taken=carry.taken + 1,
        halted=carry.halted,
    )
    finite = jnp.isfinite(loss) & jnp.all(jnp.isfinite(flat(moved)))
    finite = finite & ~carry.halted
    kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), new, carry)
    return dataclasses.replace(kept, halted=~finite)


def _gradient_of_parts(task, free, state, parts):
    """The log-likelihood of a step's rows, its gradient, and the state after them, one part after the other."""

    def add(sums, part):
        value, gradient, state = sums
        (more, state), slope = jax.value_and_grad(task.rows, has_aux=True)(free, state, part)
        return value + more, jax.tree.map(jnp.add, gradient, slope), state

    nothing = jnp.zeros((), dtype_of(free)), jax.tree.map(jnp.zeros_like, free), state
    return _over_parts(task, add, nothing, parts)


def _sum_of_parts(task, free, state, parts):
    """The same without the gradient, for optimisers that search along a line."""

    def add(sums, part):
        value, state = sums
        more, state = task.rows(free, state, part)
        return value + more, state

    return _over_parts(task, add, (jnp.zeros((), dtype_of(free)), state), parts)


def _over_parts(task, add, sums, parts):
    """``add`` applied to one part after the other; without a trace of a loop where the task shuns them."""
    if task.looped:
        return jax.lax.scan(lambda sums, part: (add(sums, part), None), sums, parts)[0]
    for i in range(task.accumulate):
        sums = add(sums, jax.tree.map(lambda part, i=i: part[i], parts))
    return sums


def _with_gradient(function, free):
    """A pair of numbers, and the gradient of their sum."""

    def total(free):
        pair = function(free)
        return sum(pair), pair

    (_, pair), gradient = jax.value_and_grad(total, has_aux=True)(free)
    return pair, gradient


def _averaged(carry, moved, average_from):
    """The mean of the iterates from step ``average_from`` on; the iterate itself before."""
    if carry.average is None:
        return None
    count = jnp.maximum(carry.taken + 1 - average_from, 1)
    weight = 1 / count.astype(dtype_of(moved))
    return jax.tree.map(lambda mean, new: mean + weight * (new - mean), carry.average, moved)


def whole(cut: Cut, space: Space, free):
    """The log-likelihood and log-prior at ``free`` of what is not sampled."""
    dtype = dtype_of(free)
    if not cut.whole.terms:
        return jnp.zeros((), dtype), jnp.zeros((), dtype)
    evaluation = cut.whole.evaluate(space.lift, _point(space, free), 0)
    return evaluation.log_likelihood.astype(dtype), evaluation.log_prior.astype(dtype)


def free_tree(space: Space, z) -> Any:
    """``z`` as a tree shaped like params: the free leaves, unconstrained, and None for all others."""
    parts = space.split(z)
    leaves = [parts[leaf.index] if leaf.kind == FREE else None for leaf in space.layout.leaves]
    return jax.tree_util.tree_unflatten(space.layout.treedef, leaves)


def flat(free):
    """The z of such a tree."""
    return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(free)])


def params_of(space: Space, free):
    """The params of such a tree."""
    return space.lift(_point(space, free))


def dtype_of(free):
    """The dtype of such a tree, which is one."""
    return jax.tree.leaves(free)[0].dtype


def _point(space, free):
    pairs = zip(space.bijections, jax.tree.leaves(free), strict=True)
    return tuple(bijection.forward(part) for bijection, part in pairs)


def _from_zero(carry, first):
    """``carry`` with the sums over the epoch begun anew before its first step."""
    sums = carry.log_likelihood, carry.log_prior
    likelihood, prior = jax.tree.map(lambda number: jnp.where(first == 0, 0, number), sums)
    return dataclasses.replace(carry, log_likelihood=likelihood, log_prior=prior)


def _memory(optimiser, free):
    with _promotion_allowed():
        return optimiser.transformation().init(free)


@contextlib.contextmanager
def _promotion_allowed():
    """Inside optax integers meet floats, which a user who has JAX be strict about dtypes or ranks cannot help."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def _strongly_typed(leaf):
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return leaf if is_key else jax.lax.convert_element_type(leaf, leaf.dtype)
