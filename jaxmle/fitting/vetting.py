"""What a training run is given, looked at on the host: before it begins, and where a step was not finite."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxmle.core import status as codes
from jaxmle.fitting.climb import shape_of, tries
from jaxmle.fitting.epoch import Carry
from jaxmle.fitting.explain import explain_failure
from jaxmle.fitting.minibatch import Cut, settled
from jaxmle.fitting.stream import Stream
from jaxmle.parameters.space import Space
from jaxmle.terms.likelihood import bad_rows
from jaxmle.terms.objective import Term, as_objective
from jaxmle.terms.sample import at_rows, count_rows, has_rows

_TRIED_ROWS = 64
_ROWS_AT_ONCE = 4096
_TRIED: set = set()


def check_start(objective: Term, held_out: Term | None, space: Space, values, carry: Carry) -> None:
    """Raise where the start, the weights or the held-out data cannot be, or a function is not row-wise (tried on a few
    rows, at the start and off it)."""
    if carry.halted:
        explain_failure(codes.START_OUTSIDE, objective, space, values)
    for term in Cut.of(settled(objective, carry.state)).sampled:
        _check_weights(term, space, values)
        _try_rows(at_rows(term, lambda leaf: leaf[:_TRIED_ROWS]), space, values)
    if held_out is None:
        return
    for term in Cut.of(held_out).sampled:
        _check_weights(term, space, values)
    reasons = held_out.explain_data()
    if reasons:
        raise ValueError("in held_out: " + "; ".join(reasons))


def _try_rows(term: Term, space: Space, values) -> None:
    """Raise where the function of a term is not row-wise, which is tried once: it takes longer than a short run."""
    key = shape_of((term, space.unlabelled, values))
    if key in _TRIED:
        return
    term.check_values(lambda: [space.lift(point) for point in tries(space.unlabelled, values)])
    _TRIED.add(key)


def explain_halt(objective: Term, stream: Stream | None, epoch: int, space: Space, values, state) -> None:
    """Raise where a step was not finite because of the data: because they are missing, or impossible even at the
    start. Return where they are not to blame. Rows from the host are gone through once more, as in ``epoch``."""
    start = space.lift(tuple(map(jnp.asarray, values)))
    objective = as_objective(settled(objective, state))
    if stream is None:
        reasons = objective.explain_data() or [why for term in objective.terms for why in _reasons(term, start)]
    else:
        reasons = [why for term in objective.terms if not has_rows(term) for why in term.explain(start)]
        reasons = reasons or _reasons_in_pass(stream, epoch, start, state)
    if reasons:
        raise ValueError("; ".join(reasons))


def _check_weights(term: Term, space: Space, values) -> None:
    weights = term.weights_of_rows()
    if weights is not None and not np.all((np.asarray(weights) >= 0) & np.isfinite(weights)):
        explain_failure(codes.NEGATIVE_WEIGHT, term, space, values)
    if weights is not None and not np.any(np.asarray(weights) > 0):
        explain_failure(codes.NO_WEIGHT, term, space, values)


def _reasons(term, params) -> list[str]:
    """What is wrong with a term at ``params``; where it has many rows they are tried some at a time."""
    if not has_rows(term) or count_rows(term) <= _ROWS_AT_ONCE:
        return term.explain(params)
    cuts = [slice(first, first + _ROWS_AT_ONCE) for first in range(0, count_rows(term), _ROWS_AT_ONCE)]
    values = [np.asarray(_contributions(at_rows(term, lambda leaf, cut=cut: leaf[cut]), params)) for cut in cuts]
    return bad_rows(np.concatenate(values))


def _reasons_in_pass(stream, epoch, params, state) -> list[str]:
    """What is wrong in the first step of a pass over the host's batches in which something is."""
    first = 0
    for cut, real in stream.steps(epoch):
        (term,) = as_objective(settled(at_rows(cut.sampled[0], lambda leaf, real=real: leaf[:real]), state)).terms
        found = term.explain(params)
        if found:
            return [f"in {real} rows of the batches, the first of them row {first} of a pass: {why}" for why in found]
        first += real
    return []


@eqx.filter_jit
def _contributions(term, params):
    return term.contributions(params)
