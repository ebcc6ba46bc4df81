"""Accelerated proximal gradient ascent for a log-density with a penalty that has kinks, as a state machine."""

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxmle.core import status
from jaxmle.core.evaluation import Evaluation
from jaxmle.solvers.penalty import Penalty
from jaxmle.solvers.quadratic import decrement_of

_GROW = 1.1
_FORGET = 1.05
_PATIENCE = 50
_TRIES = 60


class ProximalGradientState(eqx.Module):
    """Where an accelerated proximal gradient climb stands."""

    # Changes at every update
    z: Float[Array, " m"]
    trying: Bool[Array, ""]
    rate: Float[Array, ""]
    tries: Int[Array, ""]
    idle: Int[Array, ""]
    steps: Int[Array, ""]
    status: Int[Array, ""]

    # Where the next step is taken from
    ahead: Float[Array, " m"]
    ahead_evaluation: Evaluation
    momentum: Float[Array, ""]

    # Changes when a step is accepted
    best: Float[Array, " m"]
    evaluation: Evaluation
    rough: Float[Array, ""]
    subgradient: Float[Array, " m"]
    lowest: Float[Array, ""]
    least: Float[Array, ""]

    # Never changes
    tolerance: Float[Array, ""]

    @property
    def left(self):
        """The log-density still to be gained: half the squared subgradient over the lowest curvature met lately."""
        square = jnp.sum(self.subgradient**2)
        gain = jnp.where(self.lowest < jnp.inf, 0.5 * square / self.lowest, jnp.inf)
        return jnp.where(square == 0, 0.0, gain)

    @property
    def decrement(self):
        """The root of twice the gain still to be had; NaN before any curvature was met."""
        return decrement_of(self.left)


class ProximalGradient(eqx.Module):
    """FISTA (Beck and Teboulle 2009) with an adaptive step, begun anew where momentum overshoots (O'Donoghue and
    Candès 2015): for vectors too long for a matrix of curvature.

    Numbers, or groups of them, that the penalty holds at their centre are there *exactly*. A try of a step and the
    look at the point ahead are each one evaluation of value and gradient. A step is tried again, shorter, where the
    density lies below the parabola that it was taken for. It converges linearly, at a pace that depends on the units
    of the parameters: standardise the columns of a design.

    It ends when the estimate of the log-density still to be gained is below the tolerance: half the squared length of
    the shortest subgradient (the Karush-Kuhn-Tucker residual) over the lowest curvature along its last steps. Or when
    steps are below rounding.

    Arguments: ``shrink``, what a step that failed is multiplied by.
    """

    shrink: float = 0.5
    order: ClassVar[int] = 1
    handles_rough: ClassVar[bool] = True

    def init(self, z: Float[Array, " m"], tolerance, size, penalty: Penalty) -> ProximalGradientState:
        """The state that asks for ``z``. The ``size`` of its numbers plays no part."""
        dtype = z.dtype
        zero = jnp.zeros((), dtype)
        nowhere = Evaluation(jnp.full((), -jnp.inf, dtype), zero, zero, jnp.zeros_like(z))
        return ProximalGradientState(
            z=z,
            trying=jnp.ones((), bool),
            rate=jnp.ones((), dtype),
            tries=jnp.zeros((), int),
            idle=jnp.zeros((), int),
            steps=jnp.zeros((), int),
            status=jnp.full((), status.RUNNING),
            ahead=z,
            ahead_evaluation=nowhere,
            momentum=jnp.ones((), dtype),
            best=z,
            evaluation=nowhere,
            rough=penalty.value(z),
            subgradient=jnp.full_like(z, jnp.nan),
            lowest=jnp.full((), jnp.inf, dtype),
            least=jnp.full((), jnp.inf, dtype),
            tolerance=jnp.asarray(tolerance, dtype),
        )

    def update(self, state: ProximalGradientState, evaluation: Evaluation, penalty: Penalty) -> ProximalGradientState:
        """The state after hearing what was found at ``state.z``, but for the penalty."""
        evaluation = dataclasses.replace(evaluation, curvature=None, gauss_newton=None)
        first = state.steps == 0
        looked = _looked(state, evaluation)
        judged = _judge(state, evaluation, penalty, first)
        stepped = _pick(judged.accept, _accepted(state, evaluation, judged, first), self._rejected(state, judged))
        chosen = _pick(state.trying, stepped, looked)
        asked = _ask(dataclasses.replace(chosen, steps=state.steps + 1), penalty)
        return _conclude(asked, judged, state.trying, first)

    def _rejected(self, state, judged):
        """From the best point without momentum where that overshot, else the same step again, shorter."""
        shorter = jnp.where(judged.overshot, 1.0, jnp.asarray(self.shrink, state.rate.dtype)) * state.rate
        far = ~judged.overshot & ~judged.finite
        again = dataclasses.replace(
            state, rate=shorter * jnp.where(far, 0.1, 1.0), tries=jnp.where(judged.overshot, 0, state.tries + 1)
        )
        return _pick(judged.overshot, _from_best(again), again)


class _Judgement(eqx.Module):
    """What became of the step that was tried."""

    finite: Bool[Array, ""]
    accept: Bool[Array, ""]
    overshot: Bool[Array, ""]
    at_rounding: Bool[Array, ""]
    rough: Float[Array, ""]
    subgradient: Float[Array, " m"]


def _judge(state, evaluation, penalty, first):
    """Accept a step no worse than its parabola, unless momentum made it worse than the best point. Where values are
    below their rounding error curvature along the step is measured by gradients."""
    eps = jnp.finfo(state.z.dtype).eps
    rough = penalty.value(state.z)
    finite = evaluation.is_finite() & jnp.isfinite(rough)
    noise = 16.0 * eps * (evaluation.magnitude + state.ahead_evaluation.magnitude + rough + state.rough)
    step = state.z - state.ahead
    parabola = jnp.sum(step**2) / (2.0 * state.rate)
    rise = evaluation.value - state.ahead_evaluation.value - jnp.sum(state.ahead_evaluation.gradient * step)
    bend = jnp.sum((state.ahead_evaluation.gradient - evaluation.gradient) * step)
    enough = jnp.where(parabola > noise, rise >= -parabola, bend <= 2.0 * parabola)
    gain = evaluation.value - state.evaluation.value - penalty.difference(state.z, state.best)
    at_rounding = ~first & finite & (jnp.abs(gain) <= noise)
    overshot = finite & enough & ~first & (gain < -noise) & (state.momentum > 1.0)
    accept = finite & (first | (enough & ~overshot))
    return _Judgement(
        finite, accept, overshot, at_rounding, rough, penalty.smallest_subgradient(state.z, evaluation.gradient)
    )


def _accepted(state, evaluation, judged, first):
    """The state with the tried point as its best, and the point ahead of it as the next to look at."""
    step = state.z - state.best
    momentum = 0.5 * (1.0 + jnp.sqrt(1.0 + 4.0 * state.momentum**2))
    back = jnp.sum((state.ahead - state.z) * step) > 0
    momentum = jnp.where(back | first, 1.0, momentum)
    share = jnp.where(back | first, 0.0, (state.momentum - 1.0) / momentum)
    least = jnp.minimum(state.least, jnp.linalg.norm(judged.subgradient))
    moved = dataclasses.replace(
        state,
        best=state.z,
        evaluation=evaluation,
        rough=judged.rough,
        subgradient=judged.subgradient,
        lowest=jnp.where(first, jnp.inf, _lowest(state, judged, step)),
        least=least,
        rate=jnp.where(first, _first_rate(state.z, evaluation), _GROW * state.rate),
        tries=jnp.zeros((), int),
        idle=jnp.where(judged.at_rounding & (least >= 0.99 * state.least), state.idle + 1, 0),
        ahead=state.z + share * step,
        ahead_evaluation=evaluation,
        momentum=momentum,
    )
    # Without momentum the point ahead is the best one, which is known already.
    return dataclasses.replace(moved, trying=share == 0.0)


def _lowest(state, judged, step):
    """The lowest curvature along the steps of late, by the change of the subgradient."""
    length = jnp.sum(step**2)
    here = jnp.sum((state.subgradient - judged.subgradient) * step) / jnp.where(length > 0, length, 1.0)
    before = jnp.minimum(_FORGET * state.lowest, 1.0 / state.rate)
    return jnp.where((here > 0) & (length > 0), jnp.minimum(before, here), before)


def _first_rate(z, evaluation):
    """A first step about as long as z, or one where that is zero."""
    length = jnp.linalg.norm(evaluation.gradient)
    return jnp.maximum(jnp.linalg.norm(z), 1.0) / jnp.where(length > 0, length, 1.0)


def _looked(state, evaluation):
    """The state that knows the point ahead; the best one in its place where nothing finite is there."""
    known = dataclasses.replace(state, ahead_evaluation=evaluation, trying=jnp.ones((), bool))
    return _pick(evaluation.is_finite(), known, _from_best(state))


def _from_best(state):
    """The state that steps from its best point, without momentum."""
    return dataclasses.replace(
        state,
        ahead=state.best,
        ahead_evaluation=state.evaluation,
        momentum=jnp.ones_like(state.momentum),
        trying=jnp.ones((), bool),
    )


def _ask(state, penalty):
    """The state that asks for the end of the step, or for the point ahead."""
    end = penalty.prox(state.ahead + state.rate * state.ahead_evaluation.gradient, state.rate)
    return dataclasses.replace(state, z=jnp.where(state.trying, end, state.ahead))


def _conclude(state, judged, tried, first):
    """The state with its status: still running, or how it ended."""
    eps = jnp.finfo(state.z.dtype).eps
    done = tried & judged.accept & (state.left < state.tolerance)
    nowhere = state.trying & jnp.all(state.z == state.best) & jnp.all(state.ahead == state.best)
    lost = state.tries > _TRIES
    near = state.left < jnp.sqrt(eps)
    ended = jnp.select(
        [first & ~judged.finite, done, (nowhere & ~lost) | (state.idle > _PATIENCE), lost & ~judged.finite, lost],
        [
            status.NON_FINITE_AT_START,
            status.CONVERGED,
            jnp.where(near, status.STALLED_AT_ROUNDING, status.STALLED),
            status.NON_FINITE,
            jnp.where(near, status.STALLED_AT_ROUNDING, status.STALLED),
        ],
        status.RUNNING,
    )
    return dataclasses.replace(state, status=ended)


def _pick(condition: Any, one, other):
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)
