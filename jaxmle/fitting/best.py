"""The best of many starts."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxmle.core import status as codes
from jaxmle.core.evaluation import rounding_of_sum, shortfall
from jaxmle.fitting.climb import Options, ascent, climb
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.parameters.starts import first_start, free_values
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem


def fit_best(
    objective: Term | Problem,
    starts: Any,
    *,
    solver: Any = None,
    tolerance: float | None = None,
    max_steps: int | None = None,
    jacobian: bool = False,
) -> tuple[Fit, Int[Array, ""]]:
    """The best maximum found from many starts, all climbed at once; starts that fail do no harm.

    Arguments: ``objective``, a term, a sum of terms or a problem; ``starts``, a marked tree whose free leaves have a
    leading axis, as :func:`jaxmle.random_starts` makes it; the rest as for :func:`jaxmle.fit`.

    Returns ``(fit, reached)``: the fit of the highest value among those that are ok, and how many starts reached that
    value. With ``jacobian`` the value is that of the density of z. ``fit.history`` says where each start ended:
    ``value``, ``status``, ``z``, and ``maximum``, the number of the distinct maximum it found, 0 the best, 1 the next,
    -1 none. Maxima whose values agree to rounding, as those do that differ by a relabelling, count as one; a value is
    known to the rounding error of the sum it is, and to what is still to be gained where its climb ended. Where every
    start failed it is the fit that got highest, ``reached`` is zero.

    Errors: those of ``jm.fit``, where every start meets them; ``ValueError`` where the leading axes differ.

    >>> import jax, jax.numpy as jnp
    >>> import jaxmle as jm
    >>> two_hills = jm.log_prior(lambda p: -((p["x"] ** 2 - 4.0) ** 2) + p["x"])
    >>> fit, reached = jm.fit_best(two_hills, jm.random_starts(jax.random.key(0), {"x": 0.0}, 16, spread=3.0))
    >>> round(float(fit.params["x"]), 3), bool(reached > 4), int(fit.history["maximum"].max())
    (2.031, True, 1)

    Source: Rinnooy Kan and Timmer (1987), "Stochastic global optimization methods", part I, section 3.
    """
    if starts is None:
        raise TypeError("there are no starts: make them with jm.random_starts(key, start, count)")
    values = tuple(jnp.asarray(value) for value in free_values(starts))
    lengths = sorted({value.shape[0] if value.ndim else 0 for value in values})
    if len(lengths) != 1 or lengths == [0]:
        raise ValueError(
            f"every free leaf of the starts has one leading axis, one entry for each start; here the lengths are "
            f"{lengths} (0: no axis at all): make the starts with jm.random_starts(key, start, count)"
        )
    what = ascent(objective, first_start(starts))
    found, space, method = climb(what, Options(solver, tolerance, max_steps, jacobian), values)
    best, reached, history = _pick(found, what.objective, what.bare, bool(jacobian))
    fit = Fit.of(best, space, method, bool(jacobian))
    return dataclasses.replace(fit, history=history), reached


@functools.partial(jax.jit, static_argnames="jacobian")
def _pick(found, objective, space, jacobian):
    """The best lane, how many lanes reached its maximum, and where each lane ended."""
    good = codes.is_ok(found.status)
    height = found.value + found.log_jacobian if jacobian else found.value
    value = jnp.where(jnp.isfinite(height), height, -jnp.inf)
    rank = jnp.where(good, value, -jnp.inf)
    at = jnp.where(jnp.any(good), jnp.argmax(rank), jnp.argmax(value))
    best = jax.tree.map(lambda leaf: leaf[at], found)
    magnitude = jnp.maximum(evaluate_in_z(objective, space, best.z, 0, jacobian).magnitude, jnp.abs(value[at]))
    magnitude = magnitude.astype(value.dtype)
    slack = shortfall(rounding_of_sum(magnitude), magnitude, found.newton_decrement)
    order = jnp.argsort(-rank)
    falls = jnp.diff(rank[order], prepend=rank[order][:1]) < -slack[order]
    number = jnp.zeros(value.size, int).at[order].set(jnp.cumsum(falls))
    maximum = jnp.where(good, number, -1)
    reached = jnp.sum(maximum == 0)
    return best, reached, {"value": height, "status": found.status, "z": found.z, "maximum": maximum}
