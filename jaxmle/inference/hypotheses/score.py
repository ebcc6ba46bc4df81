"""The score test: how steep the log-likelihood still is where the hypothesis holds."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.core.evaluation import EXPECTED, OBSERVED, OPG
from jaxmle.core.tree import is_traced
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.door import check_one_fit
from jaxmle.inference.hypotheses.hypothesis import Test
from jaxmle.inference.hypotheses.wald import quadratic_form
from jaxmle.inference.infer import has_prior, is_scaled
from jaxmle.inference.top import decrement_of, is_top, why_not_top
from jaxmle.parameters.layout import FIXED, FREE, TIED
from jaxmle.parameters.space import Space
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem


def score_test(objective: Term | Problem, restricted: Fit, start: Any = None, *, information: str = "observed") -> Test:
    r"""The score test (Lagrange multiplier test) of the restrictions that ``restricted`` was fitted under.

    With S the gradient of the log-likelihood and A its information, both over all parameters of ``start`` and at the
    restricted estimate, the statistic is ``S' A^-1 S``, chi-square with as many degrees of freedom as there are more
    free numbers. The larger model is never fitted.

    Arguments:
        objective: the likelihood, the same for both.
        restricted: the fit with some leaves held by ``jm.fixed`` or made equal by ``jm.tied``.
        start: the start tree of the larger model, with its marks; the values of what is free play no part. What it
            holds or ties the restricted fit holds or ties too, at the same values. May be left out for a problem, which
            has its own.
        information: "observed", "expected" (for :func:`jaxmle.regression` and densities that know theirs), or "opg",
            the outer product of the gradient.

    Returns a :class:`Test`. The statistic is NaN where the information is not positive definite at the restricted
    estimate: far from the maximum the observed one need not be, the expected one is. With constraints gradient and
    observed information are those of the unconstrained numbers z.

    Works under ``jax.jit`` and ``jax.vmap``, where a failed fit gives NaN, and one that is short of its maximum or no
    case of the larger model.

    Errors: ``ValueError`` where the restricted fit failed, stopped short of its maximum, was of another objective or is
    flat, has other parameters, or as many free ones, or others where the start holds or ties them; for an objective
    with a prior or one multiplied by a number, whose score has no chi-square distribution; and for an unknown
    information.

    >>> import jaxmle as jm
    >>> problem = jm.models.normal([1.0, 2.0, 4.0, 5.0])
    >>> restricted = jm.fit(problem, {"mu": jm.fixed(0.0), "sigma": jm.positive(1.0)})
    >>> test = jm.score_test(problem, restricted, information="expected")
    >>> round(float(test.statistic), 4), test.df
    (3.1304, 1)

    Source: Rao (1948), "Large sample tests of statistical hypotheses concerning several parameters with applications
    to problems of estimation"; Silvey (1959), "The Lagrangian multiplier test".
    """
    if information not in (OBSERVED, EXPECTED, OPG):
        raise ValueError(f"there is no information {information!r}; the kinds are: observed, expected, opg")
    check_one_fit(restricted, "jm.score_test")
    problem = as_problem(objective, start)
    _refuse(problem, restricted)
    space, _ = Space.of(problem.start)
    values = _values_in(space, restricted)
    nested = _is_nested(space, restricted)
    df = space.size - restricted.z.shape[-1]
    if df <= 0:
        raise ValueError(
            f"the restricted fit has {restricted.z.shape[-1]} free numbers and the start {space.size}, so nothing is "
            "restricted: fit the smaller model first, with jm.fixed(...) on what the hypothesis says"
        )
    at_top = _is_top(problem.objective, restricted)
    statistic = _score(problem.objective, space.unlabelled, values, nested & at_top, curvature=information)
    return Test.chi_square(statistic, df, "Score test", f"{df} restriction{'s' * (df > 1)} of the restricted fit")


def _refuse(problem, restricted):
    if problem.start is None:
        raise TypeError("there is no start: give the start tree of the larger model, with its marks")
    if has_prior(problem.objective) or is_scaled(problem.objective) or restricted.jacobian:
        raise ValueError(
            "the score test is of a likelihood: with a prior, a loss, a factor or jacobian=True the gradient at the "
            "restricted estimate has no chi-square distribution"
        )
    if not is_traced(restricted.status) and not np.all(codes.is_ok(np.asarray(restricted.status))):
        raise ValueError(f"the restricted fit is not an estimate: {restricted.message}")


def _is_top(objective, restricted):
    """Whether the restricted fit is at its maximum: elsewhere the score is not that of the restrictions alone.

    Raises ``ValueError`` where it is not; of values in a trace it can only be said, by an array.
    """
    status, decrement = restricted.status, decrement_of(objective, restricted)
    at_top = is_top(status, decrement)
    if not is_traced(at_top) and not at_top:
        raise ValueError(f"the restricted fit gives no score test: {why_not_top(status, decrement)}")
    return at_top


def _values_in(space: Space, restricted: Fit) -> tuple:
    """The restricted estimate of each leaf that is free in ``space``."""
    leaves, treedef = jax.tree_util.tree_flatten(restricted.params)
    shapes = [space.layout.shapes[leaf.index] if leaf.kind == FREE else None for leaf in space.layout.leaves]
    if treedef != space.layout.treedef or any(
        shape is not None and shape != jnp.shape(leaf) for shape, leaf in zip(shapes, leaves, strict=True)
    ):
        raise ValueError(
            "the restricted fit has other parameters than the start: give both the same tree, and hold with "
            "jm.fixed(...) what the hypothesis says"
        )
    pairs = zip(space.layout.leaves, leaves, strict=True)
    return tuple(value for leaf, value in pairs if leaf.kind == FREE)


def _is_nested(space: Space, restricted: Fit):
    """Whether the larger model holds at the restricted estimate: its fixed and tied leaves have their values there.

    Raises ``ValueError`` where it does not; of values in a trace it can only be said, by an array.
    """
    leaves, others = space.layout.leaves, restricted.space.layout.leaves
    estimate = jax.tree_util.tree_leaves(restricted.params)
    freed = [a.name for a, b in zip(leaves, others, strict=True) if a.kind == FIXED and b.kind in (FREE, TIED)]
    if freed:
        raise ValueError(
            f"{', '.join(freed)} {'is' if len(freed) == 1 else 'are'} fixed in the start and not in the restricted "
            "fit, so the one model is no case of the other: free in the start what the restricted fit has free"
        )
    free = {leaf.index: value for leaf, value in zip(leaves, estimate, strict=True) if leaf.kind == FREE}
    held = {FIXED: space.constants, TIED: free}
    triples = [
        (leaf.name, held[leaf.kind][leaf.index], value)
        for leaf, value in zip(leaves, estimate, strict=True)
        if leaf.kind in held
    ]
    off = {name: _differ(a, b, restricted.z.dtype) for name, a, b in triples}
    if is_traced(off):
        return ~jnp.any(jnp.stack(list(off.values())))
    names = [name for name, differ in off.items() if differ]
    if names:
        raise ValueError(
            f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} another value in the restricted fit than the "
            "start fixes or ties, so the one model is no case of the other: give the start the same jm.fixed(...) and "
            "jm.tied(...) as the restricted fit, less what the hypothesis says"
        )
    return True


def _differ(a, b, dtype):
    """Whether two values differ by more than the rounding of ``dtype``."""
    if jnp.shape(a) != jnp.shape(b):
        return jnp.asarray(True)
    a, b = jnp.asarray(a, dtype), jnp.asarray(b, dtype)
    slack = 4.0 * float(jnp.finfo(dtype).eps) * jnp.abs(b)
    return ~jnp.all((jnp.abs(a - b) <= slack) | (a == b) | (jnp.isnan(a) & jnp.isnan(b)))


@compiled
def _score(objective, space, values, sound, *, curvature):
    z = space.to_z(values)
    evaluation = evaluate_in_z(objective, space, z, 2, False, curvature)
    statistic = quadratic_form(evaluation.curvature, evaluation.gradient)
    return jnp.where(sound, statistic, jnp.nan)
