"""Numbers that a model closes over: no derivative of a fit goes through them, so it is refused."""

from typing import Any

import jax
import numpy as np

from jaxmle.core.closure import closed_over, sealed
from jaxmle.fitting.explain import CLOSED_OVER
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.parameters.space import Space
from jaxmle.terms.objective import Term, as_objective

_MOST = 4096
_NOTHING_IN: set = set()  # objectives that were seen to close over nothing, by structure and shapes


def refuse_derivatives(found: Any, objective: Term, space: Space, z: Any) -> Any:
    """``found``, what was found of an ``objective`` at ``z`` inside a trace, of which derivatives in numbers that the
    functions of the objective close over are refused."""
    arguments = objective, space.unlabelled, z
    leaves, structure = jax.tree_util.tree_flatten(arguments)
    key = (structure, *[(np.shape(leaf), getattr(leaf, "dtype", type(leaf))) for leaf in leaves])
    if key in _NOTHING_IN:
        return found
    numbers = closed_over(_log_density, *arguments)
    if numbers:
        return sealed(CLOSED_OVER, found, numbers)
    if len(_NOTHING_IN) >= _MOST:
        _NOTHING_IN.clear()
    _NOTHING_IN.add(key)
    return found


def _log_density(objective, space, z):
    objective = as_objective(objective)
    rough = objective.rough_value(space.params(z))
    return evaluate_in_z(objective.part(smooth=True), space, z, 0).value + rough
