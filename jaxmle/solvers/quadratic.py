"""What climbs on a quadratic model share: how a try is judged, and how it ends. Newton's method, with kinks or not."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxmle.core import status

_ACCEPT = 1e-4
_PATIENCE = 8
_MUCH = 0.1  # log-density
FADED = 0.65  # power of eps, of log-density: so little is left along what diverges
_LASTING = 0.9  # of the last step: a separated probit has 0.98, -x^10 has 0.89
_SHRINK, _GROW = 0.25, 2.0


class Judgement(eqx.Module):
    """What became of the point that was tried."""

    first: Bool[Array, ""]
    finite: Bool[Array, ""]
    accept: Bool[Array, ""]
    at_rounding: Bool[Array, ""]
    halved: Bool[Array, ""]
    ratio: Float[Array, ""]
    noise: Float[Array, ""]


def judge(state, gain, magnitude, finite, slopes: tuple) -> Judgement:
    """Accept a point that gains enough; where values are below their rounding error, one that lowers the slope.

    ``gain`` is the rise in value and ``magnitude`` the size of what it is a difference of; ``slopes`` are the
    (sub)gradients at the best point and at the one tried.
    """
    first, eps = state.steps == 0, jnp.finfo(state.z.dtype).eps
    noise = 32.0 * eps * magnitude
    ratio = jnp.where(finite, gain / jnp.where(state.predicted > 0, state.predicted, 1.0), -1.0)
    at_rounding = ~first & finite & (state.predicted <= noise) & (jnp.abs(gain) <= 2.0 * noise)
    before, after = (jnp.linalg.norm(slope / positive(state.scale)) for slope in slopes)
    accept = finite & (first | jnp.where(at_rounding, after < before, ratio > _ACCEPT))
    halved = accept & (after < 0.5 * before)
    return Judgement(first, finite, accept, at_rounding, halved, jnp.where(at_rounding, 1.0, ratio), noise)


def magnitude_of(state, evaluation, scale):
    """The size of what a gain is the difference of: of the values, and of what the numbers in z change them by, which
    counts where the curvature is ill-conditioned (columns far from zero); ``scale`` is how much they do."""
    terms = jnp.maximum(evaluation.magnitude, state.evaluation.magnitude)
    return terms + jnp.linalg.norm(scale * state.best)


def idle_after(state, judged: Judgement):
    """How many tries in a row were below rounding and did not halve the slope.

    Where the curvature is not that of a maximum they count downwards, from zero, and one that is refused does not start
    the count anew: at a corner longer tries are refused, and shorter ones lost in rounding, in turn for ever.
    """
    vain = judged.at_rounding & ~judged.halved
    down = jnp.where(vain, jnp.minimum(state.idle, 0) - 1, jnp.where(judged.accept, 0, jnp.minimum(state.idle, 0)))
    return jnp.where(jnp.isfinite(state.left), jnp.where(vain, jnp.maximum(state.idle, 0) + 1, 0), down)


def resized(state, judged: Judgement):
    """The radius of a trust region after a try (Nocedal and Wright 2006, algorithm 4.1)."""
    length = jnp.minimum(jnp.linalg.norm(positive(state.scale) * state.step), state.radius)
    shrunk = length * jnp.where(judged.finite, _SHRINK, 0.1)
    grown = jnp.maximum(state.radius, _GROW * length)
    return jnp.where(judged.ratio < 0.25, shrunk, jnp.where(judged.ratio > 0.75, grown, state.radius))


def ended(state, judged: Judgement, step, final, settled, nowhere, unseen: Any = False):
    """The status of a climb that is about to take ``step``: still running, or how it ended.

    ``final``: no other curvature is to come; ``settled``: neither is another face of a penalty; ``nowhere``: the step
    leads to no other point; ``unseen``: the curvature along some number is none that the dtype can hold.
    """
    eps, left = jnp.finfo(state.z.dtype).eps, state.left
    done = final & (left < state.tolerance) & settled
    diverging = final & is_fading(state, step) & (left < jnp.maximum(eps**FADED, state.tolerance))
    # What faded until it was lost in rounding is not flat: it went on as long as it could be seen.
    diverging |= final & state.fading & state.flat & (left < jnp.sqrt(eps))
    # Tries below rounding that do not even lower the gradient: nothing more can be seen from here.
    blind = (~judged.accept & state.whole) | (state.idle >= _PATIENCE)
    # Not where a radius that shrank at a jump hides what is left.
    hidden = ~state.whole & (left > jnp.maximum(judged.noise, _MUCH))
    stalled_at_rounding = judged.at_rounding & blind & final & jnp.isfinite(left) & ~hidden
    near = final & (left < jnp.sqrt(eps))
    saddle = ~jnp.isfinite(left) & (state.predicted < state.tolerance)
    lost = nowhere & ~judged.finite
    vain = ((state.idle <= -2 * _PATIENCE) & ~jnp.isfinite(left)) | ((state.idle >= 2 * _PATIENCE) & hidden)
    stuck = nowhere | (vain & final)
    rests = stalled_at_rounding | (nowhere & near)
    return jnp.select(
        [
            judged.first & ~judged.finite,
            diverging,
            (done | rests) & unseen,
            done,
            rests,
            lost,
            stuck,
        ],
        [
            status.NON_FINITE_AT_START,
            status.DIVERGING,
            status.UNSETTLED,
            jnp.where(state.flat, status.FLAT, status.CONVERGED),
            jnp.where(state.flat, status.FLAT, status.STALLED_AT_ROUNDING),
            status.NON_FINITE,
            jnp.where(saddle, status.SADDLE, status.STALLED),
        ],
        status.RUNNING,
    )


def is_fading(state, step):
    """Whether whole steps find ever less curvature: on a separated direction each is as long as the last and finds 1/e
    of it. Towards a top as flat as that of -x^k they find (1 - 1/(k - 1))^(k - 2), hardly more, and are shorter, by
    1/(k - 1) each."""
    length = jnp.linalg.norm(state.scale * state.last_step)
    lasting = jnp.linalg.norm(state.scale * step) > _LASTING * length
    return state.whole & (state.curvature_ratio < 0.7) & lasting & (length > 0)


def underflows(curvature, slopes):
    """Whether some number has a slope and a curvature too small for the dtype: nothing is known of what is left to be
    gained along it. One that nothing depends on has neither, and one that is held at a kink has no (sub)gradient."""
    diagonal = jnp.abs(jnp.diagonal(curvature))
    return jnp.any((diagonal < jnp.finfo(diagonal.dtype).tiny) & (slopes != 0))


def decrement_of(left):
    """The Newton decrement where ``left`` is to be gained, half its square; NaN where that is not known."""
    return jnp.where(jnp.isfinite(left), jnp.sqrt(2.0 * jnp.maximum(left, 0.0)), jnp.nan)


def positive(scale):
    """``scale`` with ones where nothing has curved yet."""
    return jnp.where(scale > 0, scale, 1.0)
