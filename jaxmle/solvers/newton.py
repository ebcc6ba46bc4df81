"""Newton's method in a trust region, as a state machine."""

import dataclasses
import functools
from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxmle.core import status
from jaxmle.core.evaluation import EXPECTED, OBSERVED, OPG, Evaluation
from jaxmle.solvers import geodesic, trust_region
from jaxmle.solvers.quadratic import (
    FADED,
    Judgement,
    decrement_of,
    ended,
    idle_after,
    is_fading,
    judge,
    magnitude_of,
    positive,
    resized,
    underflows,
)

_NEAR, _SAME = 1e-2, 0.1
_FAR, _KEPT, _LONG = -1.5, 0.5, 40  # power of eps, of units; of what was promised; steps
_LINGERING = 24  # tries in a row with next to nothing left to be gained, where Newton's method takes two or three


class NewtonState(eqx.Module):
    """Where a Newton climb stands."""

    # Changes at every update
    z: Float[Array, " m"]
    step: Float[Array, " m"]
    predicted: Float[Array, ""]
    whole: Bool[Array, ""]
    left: Float[Array, ""]
    pivot: Float[Array, ""]
    shift: Float[Array, ""]
    radius: Float[Array, ""]
    noise: Float[Array, ""]
    idle: Int[Array, ""]
    lingers: Int[Array, ""]
    steps: Int[Array, ""]
    status: Int[Array, ""]

    # Changes when a step is accepted
    best: Float[Array, " m"]
    best_noise: Float[Array, ""]
    evaluation: Evaluation
    scale: Float[Array, " m"]
    exact: Bool[Array, ""]
    flat: Bool[Array, ""]
    fading: Bool[Array, ""]
    last_step: Float[Array, " m"]
    curvature_ratio: Float[Array, ""]

    # Never changes
    tolerance: Float[Array, ""]
    size: Float[Array, " m"]

    @property
    def decrement(self):
        """The Newton decrement at the best point; NaN where the curvature is not positive definite."""
        return decrement_of(self.left)


class Newton(eqx.Module):
    """Newton's method in a trust region (Nocedal and Wright 2006, chapter 4).

    The region is an ellipsoid in units of the square roots of the largest curvatures met (Moré 1978), so that no
    change of the units of a parameter changes the path. Indefinite and singular curvature are handled by the
    subproblem. Where a term is a noise model around a nonlinear predictor, the climb starts on its Gauss-Newton
    curvature (so it is Levenberg-Marquardt, its steps bent along the predictor: see :mod:`jaxmle.solvers.geodesic`)
    and takes the exact curvature once the gain still to be had is below ``switch``: far away the exact one leads
    astray, close by it converges quadratically.

    It ends when the log-density still to be gained, half the squared Newton decrement, is below the tolerance.

    Arguments: ``switch``, in units of log-density; infinity is Newton from the start, zero (as in
    :func:`levenberg_marquardt`) is the Gauss-Newton curvature to the end. ``radius``, the first radius as a multiple
    of the scaled start, where there is a nonlinear predictor. ``curvature``, the one it climbs on: see :func:`BHHH`
    and :func:`FisherScoring`. ``reuse``: whether the last steps, along which the curvature no longer changes, go
    without evaluating it again, which pays where there are very many rows and no lanes.
    """

    switch: float = 1e-2
    radius: float = 10.0
    curvature: str = eqx.field(static=True, default=OBSERVED)
    reuse: bool = eqx.field(static=True, default=False)
    order: ClassVar[int] = 2

    def init(self, z: Float[Array, " m"], tolerance, size: Float[Array, " m"]) -> NewtonState:
        """The state that asks for ``z``, whose numbers are of ``size`` (zero where zero is no natural origin)."""
        dtype, m = z.dtype, z.size
        nowhere = Evaluation(
            jnp.full((), -jnp.inf, dtype),
            jnp.zeros((), dtype),
            jnp.zeros((), dtype),
            jnp.zeros(m, dtype),
            jnp.eye(m, dtype=dtype),
            jnp.eye(m, dtype=dtype),
        )
        return NewtonState(
            z=z,
            step=jnp.zeros(m, dtype),
            predicted=jnp.zeros((), dtype),
            whole=jnp.zeros((), bool),
            left=jnp.full((), jnp.inf, dtype),
            pivot=jnp.ones((), dtype),
            shift=jnp.zeros((), dtype),
            radius=jnp.full((), -1.0, dtype),
            noise=jnp.ones((), dtype),
            idle=jnp.zeros((), int),
            lingers=jnp.zeros((), int),
            steps=jnp.zeros((), int),
            status=jnp.full((), status.RUNNING),
            best=z,
            best_noise=jnp.ones((), dtype),
            evaluation=nowhere,
            scale=jnp.zeros(m, dtype),
            exact=jnp.zeros((), bool),
            flat=jnp.zeros((), bool),
            fading=jnp.zeros((), bool),
            last_step=jnp.zeros(m, dtype),
            curvature_ratio=jnp.ones((), dtype),
            tolerance=jnp.asarray(tolerance, dtype),
            size=size,
        )

    @functools.partial(jax.jit, inline=True)  # traced once for as many parameters
    def update(self, state: NewtonState, evaluation: Evaluation) -> NewtonState:
        """The state after hearing what was found at ``state.z``."""
        two_curvatures = evaluation.gauss_newton is not None
        evaluation = dataclasses.replace(evaluation, gauss_newton=evaluation.approximate_curvature)
        judged = _judge(state, evaluation)
        # Where the curvature is ill-conditioned, the gradient may grow by rounding as the point gets better.
        doubtful = judged.at_rounding & ~judged.accept & state.whole & two_curvatures
        taken = judged.accept | doubtful
        moved = _moved(state, evaluation, taken, self._exact_from(state, judged, two_curvatures))
        moved = dataclasses.replace(moved, idle=idle_after(state, judged))
        radius = resized(state, judged) * jnp.where(taken, _sharper(state), 1.0)
        radius = jnp.where(judged.first, self._first_radius(moved, two_curvatures), radius)
        chosen = self._choose_step(moved, radius, two_curvatures)
        if two_curvatures:
            back = dataclasses.replace(state, idle=moved.idle, steps=moved.steps)
            worse = doubtful & ~(chosen.left < state.left)
            judged = dataclasses.replace(judged, accept=taken & ~worse)
            chosen = jax.tree.map(lambda a, b: jnp.where(worse, a, b), back, chosen)
        final = chosen.exact | (jnp.asarray(self.switch, radius.dtype) <= 0)
        return _conclude(chosen, judged, final, self.curvature == OBSERVED)

    def guided(self, state: NewtonState, bend: Callable, settle: Callable) -> NewtonState:
        """The state that asks for a better point than its model knows: its step bent along the predictor (for ``bend``
        see :func:`jaxmle.solvers.geodesic.bent`), and the scale of the noise at its best there. ``settle(z)`` is z with
        that, and that scale."""
        z, noise = settle(state.best + geodesic.bent(state, bend))
        return dataclasses.replace(state, z=z, noise=noise)

    def has_settled(self, state: NewtonState) -> Bool[Array, ""]:
        """Whether the curvature at hand serves for the next point too: little is left to be gained, and along the last
        step it stayed as it was (on a separated direction it never does)."""
        return state.whole & (state.left < _NEAR) & (jnp.abs(state.curvature_ratio - 1.0) < _SAME) & (state.steps > 1)

    def _exact_from(self, state, judged, two_curvatures):
        """Whether the exact curvature is used from here: not until close by, and not after a try of it failed."""
        if not two_curvatures:
            return jnp.ones((), bool)
        far = ~judged.accept & (state.predicted > jnp.maximum(self.switch, 1.0))
        return (state.exact & ~far) | jnp.isinf(jnp.asarray(self.switch, state.z.dtype))

    def _choose_step(self, state, radius, two_curvatures):
        """The state that asks for the next point of the trust region."""
        evaluation = state.evaluation
        noise = jnp.finfo(radius.dtype).eps * jnp.sqrt(1.0 + evaluation.magnitude)

        def step(exact):
            curvature = jnp.where(exact, evaluation.curvature, evaluation.approximate_curvature)
            return trust_region.best_step(evaluation.gradient, curvature, positive(state.scale), radius, noise)

        def again(carry):
            found, exact, _ = carry
            found = step(exact)
            indefinite = jnp.isposinf(found.left) & (self.switch > 0)
            near = ~exact & ((found.left < self.switch) | indefinite)
            return found, exact | near, near

        # Once more, with the exact curvature, where the Gauss-Newton one sees little left to gain, or is indefinite
        # (unless it is to be kept to the end).
        if two_curvatures:
            nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(step, state.exact))
            start = nothing, state.exact, jnp.ones((), bool)
            found, exact, _ = jax.lax.while_loop(lambda carry: carry[-1], again, start)
        else:
            found, exact = step(state.exact), state.exact
        return dataclasses.replace(
            state,
            z=state.best + found.step,
            step=found.step,
            predicted=found.predicted,
            whole=found.whole,
            left=found.left,
            pivot=found.pivot,
            shift=found.shift,
            flat=found.flat,
            exact=exact,
            radius=jnp.where(jnp.isinf(radius), jnp.linalg.norm(positive(state.scale) * found.step), radius),
        )

    def _first_radius(self, state, two_curvatures):
        if not two_curvatures:
            return jnp.full((), jnp.inf, state.z.dtype)
        return self.radius * jnp.maximum(jnp.linalg.norm(state.scale * state.size), 1e-3)


def levenberg_marquardt() -> Newton:
    """Newton's method that keeps the Gauss-Newton curvature to the end, for a nonlinear ``jm.regression``.

    Cheaper where second derivatives of the predictor are dear; it converges linearly where residuals are large. Rows
    are weighed by the expected information of the density where that has a closed form. On other objectives it is
    :class:`Newton`.

    >>> levenberg_marquardt().switch
    0.0

    Source: Levenberg (1944); Marquardt (1963); Moré (1978), "The Levenberg-Marquardt algorithm".
    """
    return Newton(switch=0.0)


def BHHH() -> Newton:
    """Newton's method on the outer product of the gradient, summed over rows, in place of the second derivatives.

    Needs first derivatives only, and is never indefinite; it converges linearly, faster the better the model fits.

    >>> BHHH().curvature
    'opg'

    Source: Berndt, Hall, Hall and Hausman (1974), "Estimation and inference in nonlinear structural models".
    """
    return Newton(curvature=OPG)


def FisherScoring() -> Newton:
    """Newton's method on the expected information: for ``jm.regression`` with a density that knows its own.

    On canonical links (logistic, Poisson, softmax regression) it is Newton's method.

    >>> FisherScoring().curvature
    'expected'

    Source: Fisher (1925), "Theory of statistical estimation"; McCullagh and Nelder (1989), section 2.5.
    """
    return Newton(curvature=EXPECTED)


def _judge(state, evaluation) -> Judgement:
    gain = evaluation.value - state.evaluation.value
    curved = jnp.sqrt(jnp.abs(jnp.diagonal(state.evaluation.approximate_curvature)))
    magnitude = magnitude_of(state, evaluation, jnp.minimum(state.scale, curved))  # it may have faded on the way
    slopes = state.evaluation.gradient, evaluation.gradient
    return judge(state, gain, magnitude, evaluation.is_finite(), slopes)


def _moved(state, evaluation, accept, exact):
    """The state with the tried point as its best, where it was accepted."""
    step = state.step
    before = 2.0 * state.predicted  # what a whole step finds is half its curvature
    after = jnp.sum(step * jnp.sum(evaluation.curvature * step[None, :], axis=1))
    ratio = after / jnp.where(before > 0, before, 1.0)
    diagonal = jnp.abs(jnp.diagonal(evaluation.approximate_curvature))
    moved = dataclasses.replace(
        state,
        best=state.z,
        best_noise=state.noise,
        evaluation=evaluation,
        scale=jnp.maximum(state.scale * _sharper(state), jnp.sqrt(diagonal)),
        last_step=step,
        curvature_ratio=jnp.where(state.whole & (before > 0), ratio, 1.0),
    )
    kept = jax.tree.map(lambda a, b: jnp.where(accept, a, b), moved, state)
    return dataclasses.replace(kept, exact=exact, steps=state.steps + 1)


def _sharper(state):
    """By how much the noise is less at the point tried than at the best one: all other numbers weigh as much more, and
    the region stays where it is in them."""
    return state.best_noise / state.noise


def _conclude(state, judged, final, observed):
    """The state with its status: still running, or how it ended. ``final``: no other curvature is to come;
    ``observed``: it is minus the second derivative (an outer product of the gradient fades with it, so that the gain it
    promises does not)."""
    nowhere = jnp.all(state.z == state.best) | (state.radius < jnp.finfo(state.z.dtype).tiny ** 0.5)
    curvature, slopes = state.evaluation.curvature, state.evaluation.gradient
    diagonal = jnp.abs(jnp.diagonal(curvature))
    # What looks flat beside the largest curvature met may still rise by much along a number of its own.
    rise = jnp.max(jnp.where(diagonal > 0, 0.5 * slopes**2 / jnp.where(diagonal > 0, diagonal, 1.0), 0.0))
    hidden = observed & state.flat & (rise > jnp.maximum(jnp.finfo(rise.dtype).eps ** 0.5, judged.noise))
    unseen = hidden | underflows(curvature, slopes)
    how = ended(state, judged, state.step, final, True, nowhere, unseen)
    # As far as it went, each time farther, there was no top and what was promised was gained.
    far = state.radius > float(jnp.finfo(state.z.dtype).eps) ** _FAR
    kept = judged.accept & (judged.ratio > _KEPT) & (state.steps > _LONG)
    rising = final & kept & ~jnp.isfinite(state.left) & far
    how = jnp.where(rising & (how == status.RUNNING), status.UNBOUNDED, how)
    # A bent valley in which everything fades, too slowly or unevenly for two steps to show it.
    close = final & observed & (state.left < float(jnp.finfo(rise.dtype).eps) ** FADED)
    lingers = jnp.where(close, state.lingers + 1, 0)
    lost = jnp.where(state.left < judged.noise, status.STALLED_AT_ROUNDING, status.RUNNING)
    moving = jnp.any(status.still_moving(state.step, state.best))
    tired = (how == status.RUNNING) & (lingers >= _LINGERING)
    how = jnp.where(tired, jnp.where(moving, status.DIVERGING, lost), how)
    return dataclasses.replace(state, status=how, lingers=lingers, fading=is_fading(state, state.step))
