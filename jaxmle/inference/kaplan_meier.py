"""The survival curve of censored times, without a model."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmle.core.compiled import compiled
from jaxmle.core.tree import as_array, is_traced


class Survival(eqx.Module):
    """A survival curve. Made by :func:`kaplan_meier`.

    ``time`` is sorted, with a place for each observation; at and after it, until the next, ``survival`` is the
    probability of lasting longer, and ``bse`` its standard error.
    """

    time: Float[Array, " n"]
    survival: Float[Array, " n"]
    bse: Float[Array, " n"]


def kaplan_meier(time, event, weights=None) -> Survival:
    r"""The share that lasts longer than each time, from times some of which are censored.

    ``S(t)`` is the product over times ``t_i <= t`` of ``1 - d_i / r_i``, with ``d_i`` the events at ``t_i`` and ``r_i``
    those still at risk just before. A censored time counts as at risk up to and including its end. Standard errors
    are Greenwood's, ``S(t) sqrt(sum d_i / (r_i (r_i - d_i)))``, NaN where S is zero.

    Arguments: ``time`` (n,), in any unit; ``event`` (n,), whether the time ended with the event (False: censored);
    ``weights``, case weights (n,): weight 2 equals the row twice.

    Returns a :class:`Survival`. Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``ValueError`` where the lengths differ, a time is missing, an event is something else than 0 or 1, or a
    weight is negative (of a row of no weight only that is looked at); values in a trace are not looked at.

    >>> curve = kaplan_meier([2.0, 5.0, 3.0, 6.0], [True, True, False, True])
    >>> curve.time.tolist(), curve.survival.tolist()
    ([2.0, 3.0, 5.0, 6.0], [0.75, 0.75, 0.375, 0.0])

    Source: Kaplan and Meier (1958), "Nonparametric estimation from incomplete observations", equation 2b; Greenwood
    (1926).
    """
    time, event = as_array(time, "time"), as_array(event, "event")
    time = time.astype(jnp.result_type(time, float)) if not jnp.issubdtype(time.dtype, jnp.floating) else time
    weights = jnp.ones_like(time) if weights is None else as_array(weights, "weights").astype(time.dtype)
    if time.ndim != 1 or event.shape != time.shape or weights.shape != time.shape:
        raise ValueError(
            f"time, event and weights are vectors of one length; their shapes are {time.shape}, {event.shape} and "
            f"{weights.shape}"
        )
    if not is_traced((time, event, weights)):
        _check(*map(np.asarray, (time, event, weights)))
    return _kaplan_meier(time, event.astype(bool), weights)


def _check(time, event, weights) -> None:
    """Raise ``ValueError`` for the first row of something that cannot be."""
    idle = weights == 0
    for name, values, good, wanted in (
        ("weights", weights, (weights >= 0) & np.isfinite(weights), "weights count cases: finite, and zero or more"),
        ("time", time, ~np.isnan(time) | idle, "drop or fill missing times"),
        ("event", event, (event == 0) | (event == 1) | idle, "1 is an event, 0 a censored time; recode others"),
    ):
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            raise ValueError(f"{name} is {values[row]} at row {row}, counted from zero: {wanted}")


@compiled
def _kaplan_meier(time, event, weights):
    order = jnp.argsort(time)
    time, event, weights = time[order], event[order], weights[order]
    first = jnp.searchsorted(time, time, side="left")
    last = jnp.searchsorted(time, time, side="right") - 1
    seen = jnp.cumsum(jnp.where(event, weights, 0.0))
    passed = jnp.cumsum(weights) - weights
    at_risk = passed[-1] + weights[-1] - passed[first]
    events = seen[last] - seen[first] + jnp.where(event, weights, 0.0)[first]
    leads = jnp.arange(time.size, dtype=first.dtype) == first
    survives = jnp.where(leads, 1.0 - events / at_risk, 1.0)
    adds = jnp.where(leads & (events > 0), events / (at_risk * (at_risk - events)), 0.0)
    survival = jnp.cumprod(survives)
    bse = survival * jnp.sqrt(jnp.cumsum(adds))
    return Survival(time, survival, jnp.where(survival > 0, bse, jnp.nan))
