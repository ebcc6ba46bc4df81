"""The proximal Newton step: the point at which a quadratic model less a penalty with kinks is highest."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxmle.core import lapack, linalg
from jaxmle.solvers.penalty import Penalty

_STEPS = 25
_CLIMBS = 20
_POLISHES = 100
_ROUNDS = 60
_PATIENCE = 8
_CLOSE = 1e-9
_SOLVED = 1e-3


class RoughStep(eqx.Module):
    """The point ``z``, with its zeros exact; the gain the undamped model predicts for it; the gain ``left`` that the
    undamped model has to offer (infinite where it has no maximum, or none was found); ``whole``, whether nothing was
    damped; ``stiffness``, the curvature along the step in units of the damping; ``flat``, whether some direction of
    the face has no curvature."""

    z: Float[Array, " m"]
    predicted: Float[Array, ""]
    left: Float[Array, ""]
    whole: Bool[Array, ""]
    stiffness: Float[Array, ""]
    flat: Bool[Array, ""]


class Model(eqx.Module):
    """``gradient . p - p' curvature p / 2 - penalty(best + p)``, p counted from ``best``; ``metric`` is the unit of
    each number, the same within a group."""

    best: Float[Array, " m"]
    gradient: Float[Array, " m"]
    curvature: Float[Array, "m m"]
    penalty: Penalty
    metric: Float[Array, " m"]

    def slope(self, z):
        """The gradient of the quadratic at ``z``."""
        return self.gradient - self.curvature @ (z - self.best)

    def gain(self, new, old):
        """How much higher the model is at ``new`` than at ``old``."""
        step = new - old
        smooth = jnp.dot(self.slope(old), step) - 0.5 * jnp.dot(step, self.curvature @ step)
        return smooth - self.penalty.difference(new, old)

    def residual(self, z):
        """The length, in units of the metric, of the smallest subgradient at ``z``."""
        return jnp.linalg.norm(self.penalty.smallest_subgradient(z, self.slope(z)) / self.metric)


def best_point(model: Model, scale: Float[Array, " m"], damping, noise) -> RoughStep:
    """The maximum of ``model`` less ``damping / 2 * |scale * p|^2``. Any symmetric curvature.

    ``noise`` is the rounding error of a gradient in units of the metric. Rounds of accelerated proximal gradient
    steps (Beck and Teboulle 2009), which find out what is zero, each followed by a Newton step on the face they found
    (Lee, Battle, Raina and Ng 2006, algorithm 1), which is exact where the face is right, however ill-conditioned.
    """
    shift = _shift(model, scale, damping)
    damped = eqx.tree_at(lambda m: m.curvature, model, model.curvature + jnp.diag(shift))
    z, solved = _maximum(damped, noise)
    step = z - model.best
    length = jnp.sum((scale * step) ** 2)
    stiffness = jnp.dot(step, damped.curvature @ step) / jnp.where(length > 0, length, 1.0)
    predicted = model.gain(z, model.best)
    direction, pivot = _newton(model, z)
    more = 0.5 * jnp.dot(direction, _face_slope(model, z))
    left = jnp.where(solved & (pivot > 0), jnp.abs(predicted) + more, jnp.inf)
    # Damped by so little that the next step makes up for it.
    whole = jnp.all(shift <= (1e-6 + 10.0 * _jitter(model)) * model.metric**2)
    return RoughStep(z, predicted, left, whole, stiffness, pivot <= 10.0 * _jitter(model))


def _jitter(model):
    return linalg.null_threshold(model.best.size, model.best.dtype)


def _shift(model, scale, damping):
    """What is added to the diagonal of the curvature: the damping, and enough to make it positive definite."""
    matrix = linalg.unit_diagonal(model.curvature, model.metric)
    asked = damping * (scale / model.metric) ** 2 + 10.0 * _jitter(model)
    _, pivot = linalg.factor(matrix + jnp.diag(asked))
    lowest = jax.lax.cond(
        pivot > 0,
        lambda matrix: jnp.zeros((), matrix.dtype),
        lambda matrix: jnp.min(lapack.eigh(matrix)[0]),
        matrix,
    )
    return jnp.maximum(asked, -2.0 * lowest) * model.metric**2


def _maximum(model, noise):
    """The maximum of a concave model, and whether it was found."""
    eps = jnp.finfo(model.best.dtype).eps
    start = model.residual(model.best)
    floor = 10.0 * (noise + eps * jnp.linalg.norm(model.gradient / model.metric))
    goal = jnp.maximum(_CLOSE * start, floor)
    steepest = _steepest(model)

    def running(carry):
        _, residual, rounds, idle = carry
        return (residual > goal) & (rounds < _ROUNDS) & (idle < _PATIENCE)

    def again(carry):
        z, before, rounds, idle = carry
        z = _polish(model, _climb(model, z, steepest))
        residual = model.residual(z)
        return z, residual, rounds + 1, jnp.where(residual < 0.5 * before, 0, idle + 1)

    zero = jnp.zeros((), int)
    z, residual, *_ = jax.lax.while_loop(running, again, (model.best, start, zero, zero))
    return z, residual <= jnp.maximum(_SOLVED * start, 10.0 * floor)


def _steepest(model):
    """A bound of the largest eigenvalue of the curvature, in units of the metric."""
    matrix = linalg.unit_diagonal(model.curvature, model.metric)
    return jnp.minimum(jnp.max(jnp.sum(jnp.abs(matrix), axis=1)), jnp.sqrt(jnp.sum(matrix**2)))


def _climb(model, z, steepest):
    """``z`` after accelerated proximal gradient steps, begun anew where they overshoot (O'Donoghue and Candès 2015,
    section 3.2), until a number of them has left the face as it was."""
    rate = 1.0 / (steepest * model.metric**2)

    def step(_, carry):
        z, ahead, t = carry
        new = model.penalty.prox(ahead + rate * model.slope(ahead), rate)
        overshoots = jnp.sum((ahead - new) * (new - z) / rate) > 0
        t = jnp.where(overshoots, 1.0, t)
        after = 0.5 * (1.0 + jnp.sqrt(1.0 + 4.0 * t**2))
        return new, new + (t - 1.0) / after * (new - z), after

    def running(carry):
        _, same, count = carry
        return ~same & (count < _CLIMBS)

    def some(carry):
        before, _, count = carry
        after = jax.lax.fori_loop(0, _STEPS, step, before)
        same = jnp.all(model.penalty.face(after[0]) == model.penalty.face(before[0]))
        return after, same, count + 1

    start = (z, z, jnp.ones((), z.dtype)), jnp.zeros((), bool), jnp.zeros((), int)
    return jax.lax.while_loop(running, some, start)[0][0]


def _face_slope(model, z):
    return jnp.where(model.penalty.face(z), model.slope(z) - model.penalty.slope(z), 0.0)


def _newton(model, z):
    """The Newton step from ``z`` within its face, and the smallest pivot of the curvature there."""
    penalty, face = model.penalty, model.penalty.face(z)
    bend = penalty.bend(z)
    curvature = model.curvature if bend is None else model.curvature + bend
    matrix = linalg.unit_diagonal(curvature, model.metric)
    on_face = jnp.where(face[:, None] & face[None, :], matrix, 0.0)
    one = jnp.where(face, _jitter(model), 1.0).astype(z.dtype)
    factors, pivot = linalg.factor(on_face + jnp.diag(one))
    slope = _face_slope(model, z) / model.metric
    step = linalg.solve_factored(factors, slope)
    step = step + linalg.solve_factored(factors, slope - on_face @ step)  # so that the jitter biases nothing
    return jnp.where(face, step / model.metric, 0.0), pivot


def _polish(model, z):
    """``z`` moved to the maximum over its face, or over the smaller one that is left when numbers on the way there
    become zero."""

    def step(carry):
        z, _, count = carry
        new, dropped = _along_face(model, z)
        return new, dropped, count + 1

    def running(carry):
        return carry[1] & (carry[2] < _POLISHES)

    return jax.lax.while_loop(running, step, (z, jnp.ones((), bool), jnp.zeros((), int)))[0]


def _along_face(model, z):
    """``z`` after one Newton step within its face, and whether numbers became zero on the way."""
    step, pivot = _newton(model, z)
    points = _until_kinks(model.penalty, z, step)
    gains = jax.vmap(lambda new: model.gain(new, z))(points)
    new, gain = points[jnp.argmax(gains)], jnp.max(gains)
    # Gains below rounding are judged by what is left of the gradient.
    better = (gain > 0) | ((gain > -_rounding(model, new, z)) & (model.residual(new) < model.residual(z)))
    better = better & (pivot > 0) & jnp.all(jnp.isfinite(new))
    return jnp.where(better, new, z), better & jnp.any(model.penalty.face(new) != model.penalty.face(z))


def _rounding(model, new, old):
    eps = jnp.finfo(new.dtype).eps
    return 8.0 * eps * jnp.sum(jnp.abs(new - old) * (jnp.abs(model.gradient) + model.penalty.l1))


def _until_kinks(penalty, z, step):
    """Points (k, m) from ``z`` to ``z + step``: where the first penalised sign changes, the second, fourth and so on,
    and the end; what has changed its sign is zero."""
    centre = jnp.zeros_like(z) if penalty.centre is None else penalty.centre
    x, target = z - centre, z + step - centre
    crosses = (penalty.l1 > 0) & (x != 0) & (x * target <= 0)
    share = jnp.where(crosses, x / jnp.where(crosses, x - target, 1.0), 2.0)
    places = [2**k - 1 for k in range(z.size.bit_length())]
    ends = jnp.append(jnp.minimum(jnp.sort(share)[jnp.asarray(places)], 1.0), 1.0)
    return jax.vmap(lambda end: jnp.where(share <= end, centre, z + end * step))(ends)
