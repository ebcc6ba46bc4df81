"""The trace of a climb: how high it had got after each evaluation."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxmle.core import status as codes
from jaxmle.core.tree import is_traced
from jaxmle.fitting.climb import check_options
from jaxmle.fitting.fit import fit
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem


class Trace(eqx.Module):
    """How high a climb had got. Made by :func:`trace`.

    ``value`` is the log-posterior at the best point met in the first ``steps`` evaluations, ``log_prior`` the part of
    it that is prior; ``left`` what its last Newton step says is still to be gained there, NaN where no curvature is
    known; ``status`` how it stood.
    """

    steps: Int[Array, " k"]
    value: Float[Array, " k"]
    log_prior: Float[Array, " k"]
    left: Float[Array, " k"]
    status: Int[Array, " k"]


def trace(
    objective: Term | Problem,
    start: Any = None,
    *,
    solver: Any = None,
    tolerance: float | None = None,
    max_steps: int = 100,
) -> Trace:
    """How the climb of :func:`jaxmle.fit` goes: what it has reached after one evaluation, after two, and so on.

    The fit is run once for each number of evaluations until it ends by itself, so that k of them cost k (k + 1) / 2.
    ``max_steps`` is a number of the compiled program, so that it is compiled once.

    Arguments: as for ``jm.fit``; ``max_steps``, after how many evaluations it is given up; an optax optimiser
    always takes that many. A solver with a loop of its own counts its steps.

    Returns a :class:`Trace`.

    Errors: those of ``jm.fit``; ``ValueError`` for a ``max_steps`` below one; ``TypeError`` inside a trace
    of JAX, since its length depends on values.

    >>> import jaxmle as jm
    >>> problem = jm.models.poisson([2.0, 3.0, 4.0])
    >>> climb = jm.trace(problem.objective, {"rate": jm.positive(20.0)})
    >>> climb.steps.tolist()[:3], bool((jnp.diff(climb.value) >= 0).all())
    ([1, 2, 3], True)

    Source: Nocedal and Wright (2006), "Numerical Optimization", section 2.2.
    """
    check_options(tolerance, max_steps)
    if is_traced((objective, start)):
        raise TypeError("a trace has as many entries as the climb takes steps, so it cannot be made inside a trace")
    fits = []
    for steps in range(1, max_steps + 1):
        fits.append(fit(objective, start, solver=solver, tolerance=tolerance, max_steps=steps))
        if int(fits[-1].status) not in (codes.OUT_OF_STEPS, codes.COMPLETED):
            break
    return Trace(
        jnp.asarray([int(found.steps) for found in fits]),
        jnp.stack([found.value for found in fits]),
        jnp.stack([found.log_prior for found in fits]),
        jnp.stack([0.5 * jnp.square(found.newton_decrement) for found in fits]),
        jnp.asarray([int(found.status) for found in fits]),
    )
