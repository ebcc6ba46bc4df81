"""Last Newton steps, in the widest floating type there is."""

import jax
import jax.numpy as jnp

from jaxmle.core.tree import is_array, named_leaves
from jaxmle.fitting.climb import Ascent, Options, climb
from jaxmle.fitting.result import Fit
from jaxmle.solvers.newton import Newton
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem


def polish(objective: Term | Problem, fit: Fit, *, tolerance: float | None = None, max_steps: int = 20) -> Fit:
    """``fit``, whoever found it, carried on by Newton's method in float64 where ``jax_enable_x64`` is on.

    For a fit made in float32, and for one of an optimiser that stopped short: data and parameters are widened, so that
    rows are added up in float64, and a few steps are taken. Where x64 is off the steps are taken in float32.

    Arguments: ``objective``, what was fitted; ``fit``; ``tolerance`` and ``max_steps``, 20 by default, as for
    :func:`jaxmle.fit`.

    Returns a fit in the wider type.

    Errors: ``TypeError`` for what is no fit, a batch of fits, or an objective with a prior that has kinks;
    ``ValueError`` for a fit of another model; those of :func:`jaxmle.fit` about the data.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.poisson_regression(jnp.ones((3, 1)), jnp.array([1, 2, 6]))
    >>> rough = jm.Fit.at(problem, {"beta": jnp.array([1.0])})
    >>> round(float(polish(problem, rough).params["beta"][0]), 6)
    1.098612

    Source: Higham (2002), "Accuracy and Stability of Numerical Algorithms", section 12.1.
    """
    problem = _checked(objective, fit)
    space, values = widened(fit.space), fit.space.point(fit.z)
    what = Ascent(widened(problem.objective), problem.limit, space, space.unlabelled, widened(values))
    found, space, method = climb(what, Options(Newton(), tolerance, max_steps, fit.jacobian))
    return Fit.of(found, space, method, fit.jacobian)


def _checked(objective, fit) -> Problem:
    """``objective`` with the parameters of ``fit``, where the two belong together and there is something to do."""
    if not isinstance(fit, Fit):
        raise TypeError(f"jm.polish(objective, fit) carries on a Fit, not a {type(fit).__name__}")
    if jnp.ndim(fit.status):
        raise TypeError(
            "jm.polish carries on one fit, and this is a batch of them: use jax.vmap(lambda objective, fit: "
            "jm.polish(objective, fit), in_axes=(jm.lane_axes(objective), 0))"
        )
    problem = as_problem(objective, fit.params)
    if problem.objective.is_rough:
        raise TypeError(
            "jm.polish takes Newton steps, and this objective has a prior with kinks (laplace, elastic_net, "
            "group_laplace) where there are none to take: fit it again with jm.fit and a smaller tolerance, in float64"
        )
    try:
        jax.eval_shape(problem.objective, fit.params)
    except Exception as error:
        names = ", ".join(name for name, _ in named_leaves(fit.params))
        raise ValueError(
            f"the objective cannot be evaluated at the parameters of this fit ({names}): give jm.polish the objective "
            f"that was fitted. JAX says: {str(error).splitlines()[0]}"
        ) from error
    return problem


def widened(tree):
    """``tree`` with its floating arrays in the widest type that is switched on."""
    wide = jnp.result_type(float)

    def widen(leaf):
        return jnp.asarray(leaf, wide) if is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(widen, tree)
