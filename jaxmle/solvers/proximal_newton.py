"""Newton's method for a log-density with a penalty that has kinks, as a state machine."""

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxmle.core import linalg, status
from jaxmle.core.evaluation import Evaluation
from jaxmle.solvers.penalty import Penalty
from jaxmle.solvers.quadratic import Judgement, decrement_of, ended, idle_after, is_fading, judge, positive, underflows
from jaxmle.solvers.rough_step import Model, best_point


class ProximalNewtonState(eqx.Module):
    """Where a proximal Newton climb stands."""

    # Changes at every update
    z: Float[Array, " m"]
    predicted: Float[Array, ""]
    whole: Bool[Array, ""]
    left: Float[Array, ""]
    stiffness: Float[Array, ""]
    damping: Float[Array, ""]
    flat: Bool[Array, ""]
    fading: Bool[Array, ""]
    idle: Int[Array, ""]
    steps: Int[Array, ""]
    status: Int[Array, ""]

    # Changes when a step is accepted
    best: Float[Array, " m"]
    evaluation: Evaluation
    rough: Float[Array, ""]
    subgradient: Float[Array, " m"]
    scale: Float[Array, " m"]
    exact: Bool[Array, ""]
    last_step: Float[Array, " m"]
    curvature_ratio: Float[Array, ""]

    # Never changes
    tolerance: Float[Array, ""]

    @property
    def decrement(self):
        """The proximal Newton decrement: half its square is what the model has left to gain; NaN where that is not
        known."""
        return decrement_of(self.left)


class ProximalNewton(eqx.Module):
    """Proximal Newton (Lee, Sun and Saunders 2014): each step maximises a quadratic model less the whole penalty.

    So numbers, or groups of them, that a penalty holds at their centre are there *exactly*. The model is solved to
    its maximum, by proximal gradient steps and Newton steps on the face they find; where a step gains too little the
    model is damped (Levenberg 1944) in units of the largest curvatures met, so that no change of units changes the
    path. Where there is a nonlinear predictor the climb starts on its Gauss-Newton curvature and takes the exact one
    once the gain still to be had is below ``switch``.

    It ends when the log-density still to be gained, by the undamped model with its penalty, is below the tolerance.
    ``subgradient`` of the last state is the shortest subgradient at the best point: its length is the residual of the
    Karush-Kuhn-Tucker conditions.

    Arguments: ``switch``, in units of log-density.
    """

    switch: float = 1e-2
    order: ClassVar[int] = 2
    handles_rough: ClassVar[bool] = True

    def init(self, z: Float[Array, " m"], tolerance, size, penalty: Penalty) -> ProximalNewtonState:
        """The state that asks for ``z``. The ``size`` of its numbers plays no part."""
        dtype, m = z.dtype, z.size
        zero, eye = jnp.zeros((), dtype), jnp.eye(m, dtype=dtype)
        return ProximalNewtonState(
            z=z,
            predicted=zero,
            whole=jnp.zeros((), bool),
            left=jnp.full((), jnp.inf, dtype),
            stiffness=jnp.ones((), dtype),
            damping=zero,
            flat=jnp.zeros((), bool),
            fading=jnp.zeros((), bool),
            idle=jnp.zeros((), int),
            steps=jnp.zeros((), int),
            status=jnp.full((), status.RUNNING),
            best=z,
            evaluation=Evaluation(jnp.full((), -jnp.inf, dtype), zero, zero, jnp.zeros(m, dtype), eye, eye),
            rough=penalty.value(z),
            subgradient=jnp.zeros(m, dtype),
            scale=jnp.zeros(m, dtype),
            exact=jnp.zeros((), bool),
            last_step=jnp.zeros(m, dtype),
            curvature_ratio=jnp.ones((), dtype),
            tolerance=jnp.asarray(tolerance, dtype),
        )

    def update(self, state: ProximalNewtonState, evaluation: Evaluation, penalty: Penalty) -> ProximalNewtonState:
        """The state after hearing what was found at ``state.z``, but for the penalty."""
        two_curvatures = evaluation.gauss_newton is not None
        evaluation = dataclasses.replace(evaluation, gauss_newton=evaluation.approximate_curvature)
        rough = penalty.value(state.z)
        subgradient = penalty.smallest_subgradient(state.z, evaluation.gradient)
        judged = _judge(state, evaluation, penalty, rough, subgradient)
        exact = self._exact_from(state, judged) if two_curvatures else jnp.ones((), bool)
        moved = _moved(state, evaluation, rough, subgradient, judged.accept)
        idle, damping = idle_after(state, judged), _damping(state, judged)
        moved = dataclasses.replace(moved, idle=idle, exact=exact, damping=damping)
        return _conclude(_choose_point(moved, penalty), judged, penalty)

    def _exact_from(self, state, judged):
        """Whether the exact curvature is used from here: not until close by, and not after a try of it failed."""
        far = ~judged.accept & (state.predicted > jnp.maximum(self.switch, 1.0))
        near = judged.accept & (state.left < self.switch)
        return (state.exact | near | jnp.isinf(jnp.asarray(self.switch, state.z.dtype))) & ~far


def _judge(state, evaluation, penalty, rough, subgradient) -> Judgement:
    gain = evaluation.value - state.evaluation.value - penalty.difference(state.z, state.best)
    magnitude = jnp.maximum(evaluation.magnitude + rough, state.evaluation.magnitude + state.rough)
    finite = evaluation.is_finite() & jnp.isfinite(rough)
    return judge(state, gain, magnitude, finite, (state.subgradient, subgradient))


def _moved(state, evaluation, rough, subgradient, accept):
    """The state with the tried point as its best, where it was accepted."""
    step = state.z - state.best
    before = jnp.dot(step, state.evaluation.curvature @ step)
    after = jnp.dot(step, evaluation.curvature @ step)
    diagonal = jnp.abs(jnp.diagonal(evaluation.approximate_curvature))
    moved = dataclasses.replace(
        state,
        best=state.z,
        evaluation=evaluation,
        rough=rough,
        subgradient=subgradient,
        scale=jnp.maximum(state.scale, jnp.sqrt(diagonal)),
        last_step=step,
        curvature_ratio=jnp.where(state.whole & (before > 0), after / jnp.where(before > 0, before, 1.0), 1.0),
    )
    kept = jax.tree.map(lambda a, b: jnp.where(accept, a, b), moved, state)
    return dataclasses.replace(kept, steps=state.steps + 1)


def _damping(state, judged):
    """The damping after a try: one that shortens a step along the last to about a quarter where that failed."""
    shorter = state.damping + jnp.where(judged.finite, 3.0, 9.0) * state.stiffness
    eased = state.damping * jnp.where(judged.ratio > 0.9, 0.01, 0.1)
    firmer = state.damping + state.stiffness
    damping = jnp.where(judged.ratio > 0.75, eased, jnp.where(judged.ratio < 0.25, firmer, state.damping))
    return jnp.where(judged.first, 0.0, jnp.where(judged.accept, damping, shorter))


def _choose_point(state, penalty):
    """The state that asks for the point where the model is highest."""
    evaluation = state.evaluation
    curvature = jnp.where(state.exact, evaluation.curvature, evaluation.approximate_curvature)
    scale = positive(state.scale)
    metric = penalty.largest_in_group(_units(curvature, scale))
    noise = jnp.finfo(scale.dtype).eps * jnp.sqrt(1.0 + evaluation.magnitude)
    model = Model(state.best, evaluation.gradient, curvature, penalty, metric)
    found = best_point(model, scale, state.damping, noise)
    return dataclasses.replace(
        state,
        z=found.z,
        predicted=found.predicted,
        whole=found.whole,
        left=found.left,
        stiffness=found.stiffness,
        flat=found.flat,
    )


def _units(curvature, scale):
    """The unit of each number by the curvature here: the root of its diagonal, unless what is off the diagonal shows
    that it is small by chance, the curvature being indefinite."""
    diagonal = jnp.sqrt(jnp.abs(jnp.diagonal(curvature)))
    units = jnp.where(diagonal > 0, diagonal, scale)
    by_chance = jnp.any(jnp.abs(linalg.unit_diagonal(curvature, units)) > 1.01)
    return jnp.where(by_chance, jnp.maximum(diagonal, 1e-6 * scale), units)


def _conclude(state, judged, penalty):
    """The state with its status: still running, or how it ended."""
    eps = jnp.finfo(state.z.dtype).eps
    settled = jnp.all(penalty.face(state.z) == penalty.face(state.best))
    nowhere = state.exact & (jnp.all(state.z == state.best) | (state.damping > 1.0 / eps**2))
    step = state.z - state.best
    slopes = penalty.smallest_subgradient(state.best, state.evaluation.gradient)
    unseen = underflows(state.evaluation.curvature, slopes)
    how = ended(state, judged, step, state.exact, settled, nowhere, unseen)
    return dataclasses.replace(state, status=how, fading=is_fading(state, step))
