"""L-BFGS, the quasi-Newton method for long vectors, as a state machine."""

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxmle.core import status
from jaxmle.core.evaluation import Evaluation
from jaxmle.solvers.newton_cg import LONGEST

_RISE = 1e-4  # of the gain that the slope promises
_FLATTEN = 0.9  # of the slope
_TRIES = 30
_PATIENCE = 12


class LBFGSState(eqx.Module):
    """Where an L-BFGS climb stands."""

    # Changes at every update
    z: Float[Array, " m"]
    length: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    tries: Int[Array, ""]
    steps: Int[Array, ""]
    status: Int[Array, ""]

    # Changes when a step is accepted
    best: Float[Array, " m"]
    evaluation: Evaluation
    direction: Float[Array, " m"]
    slope: Float[Array, ""]
    left: Float[Array, ""]
    least: Float[Array, ""]
    idle: Int[Array, ""]
    moves: Float[Array, "k m"]
    bends: Float[Array, "k m"]
    stored: Int[Array, ""]

    # Never changes
    tolerance: Float[Array, ""]

    @property
    def decrement(self):
        """NaN: no curvature was taken."""
        return jnp.full_like(self.left, jnp.nan)


class LBFGS(eqx.Module):
    """The limited-memory BFGS method: gradients only, for parameter vectors too long for a matrix.

    The inverse curvature is modelled from the last ``memory`` steps. The line search, bisection for the weak Wolfe
    conditions, is flattened into the one loop: every try is a step of it, so that a lane of a batch never waits for
    the search of another. Where values are below their rounding error a try is judged by its slope.

    It ends when half the squared length of the gradient in the modelled inverse curvature, an estimate of the
    log-density still to be gained that no change of units moves, is below the tolerance.

    Where there are too many numbers for a matrix, what it leaves when it stops, or has not found after ``most``
    evaluations, is gained by Newton steps through conjugate gradients (:mod:`jaxmle.solvers.newton_cg`), whose products
    with the curvature count as steps. They cost two or three gradients each, and also tell a maximum from a saddle and
    from a density that only flattens out.

    Arguments: ``memory``, how many steps are remembered, 10 by default; ``most``, 300.

    Source: Liu and Nocedal (1989), "On the limited memory BFGS method"; Lewis and Overton (2013), "Nonsmooth
    optimization via quasi-Newton methods", section 4; Hager and Zhang (2005), equation 4.
    """

    memory: int = eqx.field(static=True, default=10)
    most: float = 300.0
    order: ClassVar[int] = 1
    finishes: ClassVar[bool] = True

    def init(self, z: Float[Array, " m"], tolerance, size: Float[Array, " m"]) -> LBFGSState:
        """The state that asks for ``z``."""
        dtype, m = z.dtype, z.size
        zero, infinity = jnp.zeros((), dtype), jnp.full((), jnp.inf, dtype)
        nowhere = Evaluation(-infinity, zero, zero, jnp.zeros(m, dtype))
        return LBFGSState(
            z=z,
            length=zero,
            low=zero,
            high=infinity,
            tries=jnp.zeros((), int),
            steps=jnp.zeros((), int),
            status=jnp.full((), status.RUNNING),
            best=z,
            evaluation=nowhere,
            direction=jnp.zeros(m, dtype),
            slope=zero,
            left=infinity,
            least=infinity,
            idle=jnp.zeros((), int),
            moves=jnp.zeros((self.memory, m), dtype),
            bends=jnp.zeros((self.memory, m), dtype),
            stored=jnp.zeros((), int),
            tolerance=jnp.asarray(tolerance, dtype),
        )

    def update(self, state: LBFGSState, evaluation: Evaluation) -> LBFGSState:
        """The state after hearing what was found at ``state.z``."""
        first = state.steps == 0
        judged = _judge(state, evaluation, first)
        state = dataclasses.replace(state, steps=state.steps + 1)
        given_up = ~judged.accept & (state.tries >= _TRIES)
        moved = self._remember(state, evaluation, first)
        forgotten = dataclasses.replace(state, stored=jnp.zeros((), int))
        turned = _turn(_select(judged.accept, moved, forgotten))
        tried = _narrow(state, judged)
        new = _select(judged.accept | given_up, turned, tried)
        return _conclude(new, state, judged, first, given_up, self._hands_over(new))

    def _hands_over(self, state):
        """Whether the rest is left to conjugate gradients."""
        return (state.z.size > LONGEST) & (state.steps >= jnp.asarray(self.most, state.steps.dtype))

    def _remember(self, state, evaluation, first):
        """The state with the tried point as its best and the step among those remembered."""
        move, bend = state.z - state.best, state.evaluation.gradient - evaluation.gradient
        curved = ~first & (jnp.dot(move, bend) > 0)
        moves = jnp.where(curved, jnp.roll(state.moves, 1, axis=0).at[0].set(move), state.moves)
        bends = jnp.where(curved, jnp.roll(state.bends, 1, axis=0).at[0].set(bend), state.bends)
        stored = jnp.where(curved, jnp.minimum(state.stored + 1, self.memory), state.stored)
        return dataclasses.replace(state, best=state.z, evaluation=evaluation, moves=moves, bends=bends, stored=stored)


class _Judgement(eqx.Module):
    """What became of the point that was tried."""

    accept: Bool[Array, ""]
    too_far: Bool[Array, ""]
    at_rounding: Bool[Array, ""]


def _judge(state, evaluation, first):
    """The weak Wolfe conditions; where values are below their rounding error, the slopes alone (Hager and Zhang)."""
    eps = jnp.finfo(state.z.dtype).eps
    finite = evaluation.is_finite()
    noise = 8.0 * eps * jnp.maximum(evaluation.magnitude, state.evaluation.magnitude)
    gain = evaluation.value - state.evaluation.value
    promised = state.length * state.slope
    slope = jnp.dot(evaluation.gradient, state.direction)
    at_rounding = ~first & finite & (promised <= noise) & (jnp.abs(gain) <= noise)
    risen = jnp.where(at_rounding, slope >= -_FLATTEN * state.slope, gain >= _RISE * promised)
    flattened = slope <= _FLATTEN * state.slope
    too_far = ~first & (~finite | ~risen)
    return _Judgement(finite & (first | (risen & flattened)), too_far, at_rounding)


def _narrow(state, judged):
    """The next try on the same line: between the ends of the bracket, or twice as far where it has one end."""
    low = jnp.where(judged.too_far, state.low, state.length)
    high = jnp.where(judged.too_far, state.length, state.high)
    length = jnp.where(jnp.isinf(high), 4.0 * low, jnp.where(low > 0, 0.5 * (low + high), 0.2 * high))
    return dataclasses.replace(
        state, low=low, high=high, length=length, tries=state.tries + 1, z=state.best + length * state.direction
    )


def _turn(state):
    """The state that starts along a new line from its best point."""
    gradient = state.evaluation.gradient
    direction = _two_loops(state, gradient)
    slope = jnp.dot(gradient, direction)
    fresh = state.stored == 0
    # Nothing is known of the curvature yet: a tenth of the size of z, along the gradient.
    steepness = jnp.maximum(jnp.linalg.norm(gradient), jnp.finfo(slope.dtype).tiny ** 0.5)
    length = jnp.where(fresh, 0.1 * jnp.maximum(jnp.linalg.norm(state.best), 1.0) / steepness, 1.0)
    return dataclasses.replace(
        state,
        z=state.best + length * direction,
        length=length,
        low=jnp.zeros_like(length),
        high=jnp.full_like(length, jnp.inf),
        tries=jnp.zeros((), int),
        direction=direction,
        slope=slope,
        left=jnp.where(fresh, jnp.inf, 0.5 * slope),
    )


def _two_loops(state, gradient):
    """The modelled inverse curvature times the gradient (Nocedal and Wright 2006, algorithm 7.4)."""
    memory = state.moves.shape[0]
    used = jnp.arange(memory) < state.stored
    products = jnp.sum(state.moves * state.bends, axis=1)
    shares = jnp.where(used, 1.0 / jnp.where(used, products, 1.0), 0.0)

    def down(direction, row):
        move, bend, share = row
        part = share * jnp.dot(move, direction)
        return direction - part * bend, part

    def up(direction, row):
        move, bend, share, part = row
        return direction + (part - share * jnp.dot(bend, direction)) * move, None

    direction, parts = jax.lax.scan(down, gradient, (state.moves, state.bends, shares))
    squares = jnp.sum(state.bends[0] ** 2)
    direction = direction * jnp.where(used[0], products[0] / jnp.where(squares > 0, squares, 1.0), 1.0)
    direction, _ = jax.lax.scan(up, direction, (state.moves, state.bends, shares, parts), reverse=True)
    return direction


def _conclude(new, old, judged, first, given_up, hands_over):
    """The state with its status: still running, or how it ended."""
    progress = (new.left < 0.5 * new.least) | ~judged.at_rounding
    idle = jnp.where(judged.accept, jnp.where(progress, 0, new.idle + 1), new.idle)
    done = judged.accept & ((new.left < new.tolerance) | (new.slope == 0.0))
    # Below rounding, and along every line that was tried the slope does not fall either.
    blind = (given_up & judged.at_rounding) | (idle >= _PATIENCE)
    lost = given_up & (old.stored == 0)
    rising = given_up & jnp.isinf(old.high) & ~judged.too_far  # every try, each four times as far, and never less steep
    ended = jnp.select(
        [first & ~judged.accept, done, rising, blind, lost, hands_over],
        [
            status.NON_FINITE_AT_START,
            status.CONVERGED,
            status.UNBOUNDED,
            status.STALLED_AT_ROUNDING,
            status.STALLED,
            status.OUT_OF_STEPS,
        ],
        status.RUNNING,
    )
    least = jnp.where(judged.accept, jnp.minimum(new.left, new.least), new.least)
    return dataclasses.replace(new, least=least, idle=idle, status=ended)


def _select(condition, a, b):
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), a, b)
