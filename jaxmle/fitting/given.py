"""The derivative of what is known of a model at values that were given, where nothing is maximised."""

from typing import Any

import equinox as eqx
import jax

from jaxmle.core.tree import is_traced
from jaxmle.fitting.climb import Ascent
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.program import Found, no_tangent
from jaxmle.parameters.space import Space
from jaxmle.terms.objective import Objective, as_objective


def without_derivative(what: Ascent) -> Ascent:
    """``what`` is to be climbed, as constants: the derivative of a climb is that of its maximum, and no other's."""
    numbers = what.objective, what.space, what.bare, what.values
    if not is_traced(numbers):
        return what
    objective, space, bare, values = jax.lax.stop_gradient(numbers)
    return what._replace(objective=objective, space=space, bare=bare, values=values)


def at_given(what: Ascent, found: Found) -> Found:
    """``found`` at the values of ``what``, with its derivative in them and in the numbers of the objective: that of
    the log-density itself."""
    return _given(as_objective(what.objective), what.bare, what.values, found)


@jax.custom_jvp
def _given(objective: Objective, space: Space, values: tuple, found: Found) -> Found:
    return found


@_given.defjvp
def _given_jvp(primals, tangents):
    objective, space, values, found = primals
    changes = jax.jvp(_known, (objective, space, values), tangents[:3])[1]
    told = eqx.tree_at(_told, jax.tree.map(no_tangent, found), changes)
    return _given(*primals), told


def _known(objective, space, values) -> Any:
    """What of a :class:`Found` moves with the values and the objective."""
    z = space.to_z(values)
    evaluation = evaluate_in_z(objective.part(smooth=True), space, z, 0)
    log_prior = evaluation.log_prior + objective.rough_value(space.params(z))
    value = evaluation.log_likelihood + log_prior
    return space.point(z), z, value, evaluation.log_likelihood, log_prior, space.log_det(z)


def _told(found):
    return found.point, found.z, found.value, found.log_likelihood, found.log_prior, found.log_jacobian
