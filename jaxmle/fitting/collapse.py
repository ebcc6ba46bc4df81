"""Whether an objective rises without limit where a scale that is a parameter goes to zero.

Under a centred hierarchical prior m numbers x with scale s add ``-m log s`` where they are at their centre, so that the
joint density is infinite at s = 0 unless another term holds it down. A climb may end elsewhere, at a local maximum, and
cannot know. So the path into the spike is walked, from the start, on which nothing depends: in steps that close the
gaps and halve the scales, whatever functions of params they are. On its last stretch the objective rises, or not.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.sparse.linalg import cg
from jaxtyping import Array, Bool, Float

from jaxmle.parameters.space import Space
from jaxmle.terms.objective import Objective
from jaxmle.terms.spike import Spike

_STEP = 0.5  # of the log of a scale
_STEPS = 40  # to a scale of 2e-9 of what it was at the start, and half as many again to 1e-13
_RISE = 0.01  # log-density per unit of the log of a scale


def has_spikes(objective: Objective) -> bool:
    """Whether some prior has a place where its density may be infinite."""
    return any(_spike_of(term) is not None for term in objective.terms)


def is_unbounded(value: Callable, objective: Objective, space: Space, z: Float[Array, " m"]) -> Bool[Array, ""]:
    """Whether ``objective`` rises without limit on the path from ``z`` into a spike of one of its priors.

    ``value(objective, z)`` is the log-density of a sum of terms at ``z``.
    """
    found = jnp.zeros((), bool)
    for i, term in enumerate(objective.terms):
        spike = _spike_of(term)
        if spike is not None:
            found = found | _rises(value, objective, i, lambda z, spike=spike: spike(space.params(z)), z)
    return found


def _spike_of(term):
    return getattr(term, "spike", None)


def _rises(value, objective, i, spike: Callable[..., Spike], z):
    """Whether the objective rises on the last stretch of the path into the spike of its term ``i``."""
    rest = Objective(objective.terms[:i] + objective.terms[i + 1 :], objective.factors[:i] + objective.factors[i + 1 :])
    factor = 1.0 if objective.factors[i] is None else objective.factors[i]
    unit = jnp.exp(spike(z).log_scales)

    def of_prior(here):
        closed = jnp.abs(here.gaps) <= jnp.finfo(z.dtype).eps ** 0.5 * unit
        return jnp.asarray(factor, z.dtype) * jnp.sum(jnp.where(closed, here.peaks, here.values)).astype(z.dtype)

    nearer = _walk(spike, z, _STEPS)
    nearest = _walk(spike, nearer, _STEPS // 2)
    before, after = spike(nearer), spike(nearest)
    prior, others = of_prior(after), value(rest, nearest)
    rise = prior - of_prior(before) + (others - value(rest, nearer))
    way = jnp.max(before.log_scales - after.log_scales, initial=0.0).astype(z.dtype)
    noise = 32.0 * jnp.finfo(z.dtype).eps * (1.0 + jnp.abs(others) + jnp.abs(prior))
    return (rise > _RISE * way + noise) | ((prior == jnp.inf) & jnp.isfinite(others))


def _walk(spike, z, steps):
    """``z`` after ``steps`` steps, each the shortest that closes the gaps and lowers the logs of the scales."""

    def aims(z):
        here = spike(z)
        return here.gaps.astype(z.dtype), here.log_scales.astype(z.dtype)

    def step(z, _):
        (gaps, logs), push = jax.linearize(aims, z)
        pull = jax.linear_transpose(push, z)
        slope = jnp.max(jnp.abs(pull((jnp.zeros_like(gaps), jnp.ones_like(logs)))[0]), initial=0.0)
        weight = 1.0 / jnp.where(slope > 0, slope, 1.0)  # of the logs: a free scale has slopes that grow beyond float32

        def both_ways(move):
            of_gaps, of_logs = push(move)
            return pull((of_gaps, weight**2 * of_logs))[0]

        wanted = pull((-gaps, jnp.full_like(logs, -_STEP * weight**2)))[0]
        return z + cg(both_ways, wanted, maxiter=1000)[0], None

    return jax.lax.scan(step, z, None, length=steps)[0]
