"""Newton's method without a matrix: conjugate gradients in a trust region, for vectors too long for one."""

import dataclasses
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxmle.core import lapack, linalg, status
from jaxmle.core.evaluation import Evaluation
from jaxmle.solvers.conjugate import bends_up, equilibrated, steihaug
from jaxmle.solvers.quadratic import Judgement, decrement_of, ended, idle_after, judge, magnitude_of, resized

LONGEST = 300  # numbers; beyond it no matrix is formed, and Newton steps go by conjugate gradients
_ROUNDS, _FRESH = 6, 1
_PATIENCE, _MOST_LOOKS = 8, 5
_SAME, _NEAR = 0.02, 1e-6


class NewtonCGState(eqx.Module):
    """Where a climb by conjugate gradients stands."""

    # Changes at every update
    z: Float[Array, " m"]
    step: Float[Array, " m"]
    predicted: Float[Array, ""]
    whole: Bool[Array, ""]
    left: Float[Array, ""]
    left_before: Float[Array, ""]
    upwards: Bool[Array, ""]
    flat: Bool[Array, ""]
    radius: Float[Array, ""]
    idle: Int[Array, ""]
    steps: Int[Array, ""]
    products: Int[Array, ""]
    status: Int[Array, ""]

    # Changes when a step is accepted
    best: Float[Array, " m"]
    evaluation: Evaluation
    scale: Float[Array, " m"]
    last_step: Float[Array, " m"]
    curvature_ratio: Float[Array, ""]

    # Of the start, once that has been looked at
    left_at_start: Float[Array, ""]
    first_step: Float[Array, " m"]

    # Never changes
    tolerance: Float[Array, ""]

    @property
    def fading(self):
        """Whether the last step found less curvature, which is looked at here beside the gain."""
        return jnp.zeros((), bool)

    @property
    def decrement(self):
        """The Newton decrement at the best point; NaN where conjugate gradients did not settle it."""
        return decrement_of(self.left)


def climb(evaluate: Callable, z: Float[Array, " m"], tolerance, goal, budget, wanted, matrix=None) -> NewtonCGState:
    """The last state of a climb from ``z``, after at most ``budget`` evaluations and products with the curvature (two
    evaluations at least), where it is ``wanted`` at all.

    ``evaluate(z, order)`` gives an evaluation, here of order 1; the curvature is met through its products with
    vectors only, each of which costs two or three gradients. The subproblem of the trust region is solved by conjugate
    gradients to within a share of the gain it promises, or of ``goal``; its units come from random products. So
    ``left``, the log-density still to be gained, is known to a few per cent without a matrix, or known not to be known
    (infinite).

    ``matrix``, a function that gives the curvature at ``z`` as a matrix, is for few numbers: its factors are then the
    units, in which conjugate gradients need few steps however ill-conditioned it is.

    It ends as Newton's method does. What ends as a maximum has been searched for a direction that curves upwards.

    Source: Steihaug (1983), "The conjugate gradient method and trust regions in large scale optimization"; Nocedal and
    Wright (2006), algorithm 7.2; the estimate of the gain left, Hestenes and Stiefel (1952), section 6, as in Strakoš
    and Tichý (2002).
    """

    def multiply(at, vector):
        return curvature_product(lambda z: evaluate(z, 1).gradient, at, vector)

    def running(state):
        least = jnp.where(_is_suspect(state), _MOST_LOOKS, 2)
        return (
            wanted
            & (state.status == status.RUNNING)
            & ((state.steps + state.products < budget) | (state.steps < least))
        )

    def step(state):
        evaluation, bent = _look(evaluate, state.z, state.step)
        return _update(state, evaluation, bent, multiply, goal, units)

    units = None if matrix is None else _factors(matrix, z, wanted)
    state = jax.lax.while_loop(running, step, _init(z, tolerance))
    if matrix is not None:  # whoever formed it has looked
        return state
    claims = wanted & status.is_ok(state.status) | (state.left < jnp.finfo(z.dtype).eps ** 0.5)
    bends, count = bends_up(lambda v: multiply(state.best, v), state.scale, claims)
    ends = jnp.where(claims & bends, status.SADDLE, state.status)
    return dataclasses.replace(state, status=ends, upwards=state.upwards | bends, products=state.products + count)


def curvature_product(gradient: Callable, at: Float[Array, " m"], vector: Float[Array, " m"]) -> Float[Array, " m"]:
    """Minus the derivative of ``gradient`` at ``at`` along ``vector``; by central differences where a function in it
    has a reverse derivative only."""
    try:
        return -jax.jvp(gradient, (at,), (vector,))[1]
    except TypeError:  # custom_vjp
        length = jnp.maximum(jnp.linalg.norm(vector), jnp.finfo(at.dtype).tiny)
        width = jnp.finfo(at.dtype).eps ** (1 / 3) * jnp.maximum(jnp.linalg.norm(at), 1.0) / length
        return (gradient(at - width * vector) - gradient(at + width * vector)) / (2.0 * width)


def _look(evaluate, z, step):
    """The evaluation at ``z``, and the product of the curvature there with ``step``."""
    try:
        evaluation, change = jax.jvp(lambda z: evaluate(z, 1), (z,), (step,))
        return evaluation, -change.gradient
    except TypeError:
        return evaluate(z, 1), curvature_product(lambda z: evaluate(z, 1).gradient, z, step)


def _factors(matrix, z, wanted):
    """The lower factor of the curvature at ``z`` with unit diagonal, a rounding error added; one where it is not wanted
    or void. With the roots of the diagonal, and whether some number has no curvature at all: products with vectors do
    not show that, for none ever moves it."""
    one = jnp.eye(z.size, dtype=z.dtype), jnp.ones_like(z), jnp.zeros((), bool)

    def look():
        curvature = matrix()
        diagonal = jnp.abs(jnp.diagonal(curvature))
        scale = jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
        floor = 10.0 * z.size * jnp.finfo(z.dtype).eps
        lower = lapack.cholesky(linalg.unit_diagonal(curvature, scale) + floor * one[0])
        good = jnp.all(jnp.isfinite(lower))
        return jnp.where(good, lower, one[0]), jnp.where(good, scale, 1.0), jnp.any(diagonal == 0)

    return jax.lax.cond(wanted, look, lambda: one)


def _init(z, tolerance) -> NewtonCGState:
    dtype = z.dtype
    zero, infinity = jnp.zeros((), dtype), jnp.full((), jnp.inf, dtype)
    no, none, nothing = jnp.zeros((), bool), jnp.zeros((), int), jnp.zeros_like(z)
    return NewtonCGState(
        z=z,
        step=nothing,
        predicted=zero,
        whole=no,
        left=infinity,
        left_before=infinity,
        upwards=no,
        radius=infinity,
        idle=none,
        steps=none,
        products=none,
        status=jnp.full((), status.RUNNING),
        best=z,
        evaluation=Evaluation(-infinity, zero, zero, nothing),
        scale=jnp.ones_like(z),
        flat=no,
        last_step=nothing,
        curvature_ratio=jnp.ones((), dtype),
        left_at_start=infinity,
        first_step=nothing,
        tolerance=jnp.asarray(tolerance, dtype),
    )


def _update(state, evaluation, bent, multiply, goal, units):
    """The state after hearing what was found at ``state.z``."""
    gain = evaluation.value - state.evaluation.value
    magnitude = magnitude_of(state, evaluation, state.scale)
    slopes = state.evaluation.gradient, evaluation.gradient
    judged = judge(state, gain, magnitude, evaluation.is_finite(), slopes)
    moved = _moved(state, evaluation, bent, judged, multiply, units)
    radius = jnp.where(judged.first, jnp.inf, resized(state, judged))
    chosen = _choose_step(dataclasses.replace(moved, radius=radius), judged, multiply, goal, units)
    return _conclude(chosen, judged)


def _moved(state, evaluation, bent, judged, multiply, units):
    """The state with the tried point as its best, where it was accepted, in the units of the curvature there."""
    step = state.step
    before = jnp.dot(step, state.evaluation.gradient)  # what a whole step finds is its curvature
    after = jnp.dot(step, bent)
    if units is None:
        rounds = jnp.where(judged.accept, jnp.where(judged.first, _ROUNDS, _FRESH), 0)
        scale = equilibrated(lambda v: multiply(state.z, v), state.scale, rounds, state.steps)
    else:
        rounds, scale = 0, units[1]
    moved = dataclasses.replace(
        state,
        best=state.z,
        evaluation=evaluation,
        scale=scale,
        last_step=step,
        curvature_ratio=jnp.where(state.whole & (before > 0), after / jnp.where(before > 0, before, 1.0), 1.0),
    )
    kept = jax.tree.map(lambda a, b: jnp.where(judged.accept, a, b), moved, state)
    return dataclasses.replace(
        kept, steps=state.steps + 1, products=state.products + 1 + rounds, idle=idle_after(state, judged)
    )


def _choose_step(state, judged, multiply, goal, units):
    """The state that asks for the next point of the trust region."""
    lower, unused = (None, False) if units is None else (units[0], units[2])

    def into_z(step):
        return (step if lower is None else lapack.solve_lower(lower, step[:, None], transpose=True)[:, 0]) / state.scale

    def from_z(slope):
        slope = slope / state.scale
        return slope if lower is None else lapack.solve_lower(lower, slope[:, None])[:, 0]

    slope = from_z(state.evaluation.gradient)
    eps = jnp.finfo(slope.dtype).eps
    noise = eps * (jnp.sqrt(1.0 + state.evaluation.magnitude) + jnp.linalg.norm(slope))
    found = steihaug(lambda v: from_z(multiply(state.best, into_z(v))), slope, state.radius, goal, noise)
    step = into_z(found.step)
    length = jnp.linalg.norm(found.step)
    return dataclasses.replace(
        state,
        z=state.best + step,
        step=step,
        predicted=found.predicted,
        whole=found.whole,
        flat=found.flat | unused,
        left_before=state.left,
        left=jnp.where(found.settled, found.predicted, jnp.inf),
        upwards=state.upwards | found.negative,
        radius=jnp.where(jnp.isinf(state.radius), length, state.radius),
        products=state.products + found.products,
        left_at_start=jnp.where(judged.first & found.settled, found.predicted, state.left_at_start),
        first_step=jnp.where(judged.first, step, state.first_step),
    )


def _conclude(state, judged: Judgement):
    """The state with its status: still running, or how it ended."""
    nowhere = jnp.all(state.z == state.best) | (state.radius < jnp.finfo(state.z.dtype).tiny ** 0.5)
    twice = state.steps > 1  # the curvature along a step is known at its end only
    ends = ended(state, judged, state.step, True, twice & ~_is_suspect(state), nowhere & twice)
    # On a separated direction each step gains 1/e of the last and finds 1/e of its curvature.
    fading = _is_suspect(state) & (state.curvature_ratio < 0.7) & (state.left > 0.1 * state.left_before)
    ends = jnp.where(fading & (state.left < jnp.maximum(_NEAR, state.tolerance)), status.DIVERGING, ends)
    unsettled = (ends == status.RUNNING) & (state.idle >= _PATIENCE)
    unsettled = (unsettled | (judged.at_rounding & (ends == status.STALLED))) & ~jnp.isfinite(state.left)
    ends = jnp.where(unsettled, status.UNSETTLED, ends)
    return dataclasses.replace(state, status=ends)


def _is_suspect(state):
    """Whether the curvature still changes along whole steps, which close to a maximum it does not."""
    return state.whole & (jnp.abs(state.curvature_ratio - 1.0) > _SAME)
