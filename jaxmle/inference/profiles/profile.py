"""Intervals by profile likelihood."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.core.tree import as_leaf, is_traced
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.carry import errors
from jaxmle.inference.door import as_level, check_one_fit
from jaxmle.inference.foreign import foreign_fit
from jaxmle.inference.printed import Printed, refuse_batch
from jaxmle.inference.profiles import outcome
from jaxmle.inference.profiles.report import profile_table
from jaxmle.inference.profiles.search import search
from jaxmle.inference.profiles.targets import PLAIN, Profiled, Targets, asked_scalars
from jaxmle.parameters.space import Space
from jaxmle.tables import Table
from jaxmle.terms.objective import Objective, Term
from jaxmle.terms.problem import Problem, as_problem
from jaxmle.terms.risk import losses_of

DEFAULT_MAX_STEPS = 100


class Profile(Printed):
    """Intervals by profile likelihood. Made by :func:`profile`; ``print`` shows it beside the Wald intervals.

    ``lower`` and ``upper`` are trees shaped like params, NaN where something is fixed, was not asked for or has no end;
    ``status_lower`` and ``status_upper`` say why, in integers of :mod:`jaxmle.inference.profiles.outcome`.
    ``wald_lower`` and ``wald_upper`` are the ends that standard errors give. Where a function was profiled all are
    single numbers, as is its ``estimate``. ``steps`` is the largest number of evaluations that an end took. In a batch
    every array has a leading axis.
    """

    estimate: Any
    lower: Any
    upper: Any
    status_lower: Any
    status_upper: Any
    wald_lower: Any
    wald_upper: Any
    level: Float[Array, ""]
    steps: Int[Array, ""]
    status: Int[Array, ""]
    space: Space
    name: str = eqx.field(static=True)
    has_prior: bool = eqx.field(static=True)
    of_function: bool = eqx.field(static=True)

    @property
    def ok(self):
        """Whether everything that was asked for has its ends, possibly infinite ones."""
        trees = jax.tree.leaves((self.status_lower, self.status_upper))
        good = [jnp.all(outcome.has_end(x) | (x == outcome.NOT_ASKED)) for x in trees]
        every = jnp.all(jnp.stack(good))
        return every if is_traced(every) else bool(every)

    def table(self) -> Table:
        """The table that ``print`` shows. Raises ``ValueError`` for a batch: take a lane first."""
        refuse_batch(self.status, 0, "profiles")
        return profile_table(self)


def profile(
    objective: Term | Problem,
    fit: Fit,
    which: str | Sequence[str] | Callable | None = None,
    *,
    level: float = 0.95,
    max_steps: int | None = None,
) -> Profile:
    r"""The interval of each parameter by its profile likelihood: the values at which the log-posterior, maximised over
    all other parameters, is within half a chi-square quantile of its maximum,

        { c : max { l(params) : params_k = c } >= l(estimate) - chi2(level; 1) / 2 }.

    No normal approximation is made, so the interval is as lopsided as the likelihood, and the same on any scale of the
    parameter. Both ends of all parameters are searched at once, by one compiled program.

    Arguments:
        objective: what was fitted: a term, a sum of terms or a problem. With a prior it is the log-posterior that is
            profiled.
        fit: the fit, by whomever; not a maximum, the profile says so. One that is diverging or at a boundary is fine:
            its end on that side is infinite, or the limit.
        which: what to profile: None, everything that is not fixed; the name of a leaf, the label of a number, or a list
            of these; or a function of params that returns a number, for a derived quantity.
        level: the confidence of each interval.
        max_steps: the most evaluations an end may take; by default 100. Most take three or four.

    Returns a :class:`Profile`; ``print`` shows it. Works under ``jax.jit`` and ``jax.vmap``. An end that a constraint
    limits is that limit, one that nothing limits is infinite; one that was not found is NaN; a status says which.
    Only points on the way are looked at: a profile of several humps may have pieces that are not seen.

    Errors: ``ValueError`` for a level outside (0, 1), a batch of fits, a parameter that is fixed, a function that does
    not return one number, a loss (:func:`jaxmle.risk`); ``KeyError`` for a name that none has; ``TypeError`` for a
    prior with kinks.

    Example: three counts of mean 3; the ends solve 3 (c - 3 - 3 log(c / 3)) = 1.92.

    >>> import jaxmle as jm
    >>> problem = jm.models.poisson([2.0, 3.0, 4.0])
    >>> profile = jm.profile(problem, jm.fit(problem))
    >>> [round(float(end["rate"]), 4) for end in (profile.lower, profile.upper)]
    [1.4415, 5.4081]

    Source: Venzon and Moolgavkar (1988), "A method for computing profile-likelihood-based confidence intervals".
    """
    problem = as_problem(objective)
    check(problem.objective, fit, "jm.profile")
    level = as_level(level)
    if max_steps is not None and not is_traced(max_steps) and not max_steps >= 1:
        raise ValueError(f"max_steps must be one or more evaluations; it is {max_steps}")
    function = as_leaf(which) if callable(which) else None
    targets = None if callable(which) else Targets.of(fit.space, asked_scalars(fit.space, which))
    with foreign_fit(fit):
        found = _profile(
            problem.objective,
            fit.space.unlabelled,
            fit.z,
            fit.status,
            level,
            DEFAULT_MAX_STEPS if max_steps is None else max_steps,
            function,
            targets=targets,
            jacobian=fit.jacobian,
        )
    ends = found["ends"]
    if targets is not None:
        ends = {key: Space.tree_of_leaves(fit.space, leaves) for key, leaves in ends.items()}
    return Profile(
        estimate=found["estimate"] if targets is None else fit.params,
        **ends,
        level=found["level"],
        steps=found["steps"],
        status=fit.status,
        space=fit.space,
        name=problem.name,
        has_prior=any(not term.is_likelihood for term in problem.objective.terms),
        of_function=targets is None,
    )


def check(objective: Objective, fit: Fit, call: str) -> None:
    """Raise where ``fit`` of ``objective`` cannot have profiles, by ``call``: a batch, a prior with kinks, a loss."""
    if objective.is_rough:
        raise TypeError(
            "a prior with kinks (laplace, elastic_net, group_laplace) has a profile with kinks, which is not searched; "
            "use a smooth prior such as jm.priors.normal"
        )
    losses = losses_of(objective)
    if losses:
        raise ValueError(
            f"a loss ({', '.join(losses)}) is no log-likelihood, so how far it rises from its minimum is no evidence: "
            "take intervals from jm.infer, which has the sandwich, or from jm.bootstrap"
        )
    check_one_fit(fit, call)


@compiled
def _profile(objective, space, z, status, level, max_steps, function, *, targets, jacobian):
    def evaluate(z, order):
        return dataclasses.replace(evaluate_in_z(objective, space, z, order, jacobian), gauss_newton=None)

    quantile = jax.scipy.special.ndtri(0.5 + 0.5 * jnp.asarray(level, z.dtype))
    signs = (-1.0, 1.0)
    if targets is None:
        functions, lanes = function_of_z(function, space), one_function(z, signs)
    else:
        functions, lanes = targets.functions(space), targets.lanes(z.dtype, z.size, signs)
    covariance, ended = search(evaluate, z, 0.5 * quantile**2, lanes, functions, status, max_steps)
    lower, upper = jnp.split(jnp.where(outcome.has_end(ended.status), ended.end, jnp.nan), 2)
    inside = jnp.split(ended.inside, 2)
    codes_lower, codes_upper = jnp.split(ended.status, 2)
    cov = jnp.where(codes.is_ok(status), covariance.matrix, jnp.nan)
    whole = jnp.asarray(level, z.dtype), jnp.max(ended.steps)
    if targets is None:
        value, wald = functions(z)[0], quantile * errors(jax.jacfwd(functions)(z), cov)[0]
        ends = (-lower[0], upper[0], codes_lower[0], codes_upper[0], value - wald, value + wald)
        return _found(dict(zip(_ENDS, ends, strict=True)), value, *whole)
    sides = ((-lower, -inside[0], codes_lower, -jnp.inf), (upper, inside[1], codes_upper, jnp.inf))
    ends = _in_params(targets, space, z, sides)
    ends = *ends, *_wald(targets, space, z, cov, quantile)
    p = space.scalars(z).size
    blank = (jnp.nan, jnp.nan, outcome.NOT_ASKED, outcome.NOT_ASKED, jnp.nan, jnp.nan)
    spread = {
        key: space.leaves_of_scalars(jnp.full(p, none, end.dtype).at[np.asarray(targets.scalars)].set(end), none)
        for key, end, none in zip(_ENDS, ends, blank, strict=True)
    }
    return _found(spread, None, *whole)


_ENDS = ("lower", "upper", "status_lower", "status_upper", "wald_lower", "wald_upper")


def _found(ends, estimate, level, steps):
    return {"ends": ends, "estimate": estimate, "level": level, "steps": steps}


def function_of_z(function, space: Space) -> Callable:
    """``function`` of params as a vector of one number at z."""

    def functions(z):
        value = function(space.params(z))
        if jnp.shape(value) != () or not jnp.issubdtype(jnp.result_type(value), jnp.floating):
            raise ValueError(
                f"a function to profile returns one floating number; this one returned {jnp.result_type(value)} of "
                f"shape {jnp.shape(value)}: profile one number at a time"
            )
        return jnp.asarray(value, z.dtype)[None]

    return functions


def one_function(z, signs) -> Profiled:
    """A lane for the one function, with each of ``signs``."""
    count = len(signs)
    nothing, all_of_it = jnp.zeros((count, z.size), z.dtype), jnp.ones((count, 1), z.dtype)
    return Profiled(nothing, all_of_it, jnp.asarray(signs, z.dtype), jnp.zeros(count, z.dtype))


def _in_params(targets, space, z, sides):
    """Ends and their outcomes in params; an infinite end that stands for a finite limit is that limit. A search that
    was given up where numbers stop, still inside, has found that there is no end."""
    falls = targets.falls(space, z)
    pairs = []
    for end, inside, code, beyond in sides:
        limit = targets.to_scalars(space, z, jnp.full_like(end, beyond))
        given_up = (code == outcome.AT_EDGE) | (code == outcome.STUCK) | (code == outcome.OUT_OF_STEPS)
        endless = given_up & _is_as_good_as(targets.to_scalars(space, z, inside), limit)
        value = jnp.where(endless, limit, targets.to_scalars(space, z, end))
        code = jnp.where(endless, outcome.ENDLESS, code)
        at_limit = (code == outcome.ENDLESS) & jnp.isfinite(value)
        pairs.append((value, jnp.where(at_limit, outcome.AT_LIMIT, code)))
    (low, code_low), (high, code_high) = pairs
    return (
        jnp.where(falls, high, low),
        jnp.where(falls, low, high),
        jnp.where(falls, code_high, code_low),
        jnp.where(falls, code_low, code_high),
    )


def _is_as_good_as(value, limit):
    """Whether numbers end, not the support, where ``value`` is the last one before ``limit``."""
    about = jnp.finfo(value.dtype)
    near = jnp.abs(value - limit) <= jnp.maximum(about.tiny**0.25, 2.0 * about.eps * jnp.abs(limit))
    return jnp.where(jnp.isfinite(limit), near, jnp.sign(limit) * value >= about.max**0.25)


def _wald(targets, space, z, cov, quantile):
    """The ends that standard errors give: in z where a parameter is a number of z, else the estimate plus and minus."""
    wide = quantile * jnp.sqrt(jnp.diagonal(cov))
    chosen = np.asarray(targets.scalars)
    scalars = space.scalars(z)[chosen]
    falls = targets.falls(space, z)
    low, high = space.scalars(z - wide)[chosen], space.scalars(z + wide)[chosen]
    in_z = jnp.where(falls, high, low), jnp.where(falls, low, high)
    if PLAIN not in targets.links or min(targets.places) < 0:
        bse = errors(jax.jacfwd(space.scalars)(z)[chosen], cov)
        plain = scalars - quantile * bse, scalars + quantile * bse
        return tuple(jnp.where(np.asarray(targets.places) >= 0, a, b) for a, b in zip(in_z, plain, strict=True))
    return in_z
