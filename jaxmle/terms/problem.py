"""A problem: an objective and a start to climb from."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx

from jaxmle.terms.objective import Objective, Term, as_objective, refuse_function


def _summed(objective):
    return as_objective(objective) if isinstance(objective, Term) else objective  # or what stands in for it: its axes


class Problem(eqx.Module):
    """What a ready-made model returns: an objective (a term is one) with its start. ``problem + prior`` is a problem.

    ``name`` heads its tables. ``limit(objective, params, log_likelihood) -> status`` may object to an estimate, inside
    the graph (unbounded: a scale that is rounding error), or say converged; it is told the log-likelihood there.
    ``remarks(params, nobs, maximised) -> list`` gives sentences for the foot of its tables, with the names of the
    leaves that are at their maximum likelihood estimate; ``design(frame) -> x`` makes the rows of its regression from a
    data frame, and has the names of the ``columns`` that it uses.
    """

    objective: Objective = eqx.field(converter=_summed)
    start: Any
    name: str = eqx.field(static=True, default="Likelihood")
    limit: Callable | None = eqx.field(static=True, default=None)
    remarks: Callable | None = eqx.field(static=True, default=None)
    design: Callable | None = eqx.field(static=True, default=None)

    def __call__(self, params):
        """The log-posterior at ``params``."""
        return self.objective(params)

    def _with(self, objective):
        return dataclasses.replace(self, objective=objective)

    def __add__(self, other):
        if isinstance(other, Problem):
            raise TypeError(
                "two problems have two starts and cannot be added; add their objectives (a.objective + b.objective) "
                "and give jm.fit one start"
            )
        refuse_function(other)
        return self._with(self.objective + other) if isinstance(other, Term) else NotImplemented

    def __radd__(self, other):
        refuse_function(other)
        return self._with(other + self.objective) if isinstance(other, Term) else NotImplemented

    def __mul__(self, factor):
        return self._with(self.objective.scaled(factor))

    __rmul__ = __mul__


def as_problem(objective, start=None) -> Problem:
    """``objective`` (a term, a sum or a problem) with ``start`` as a problem.

    Raises ``TypeError`` where there is no start, or the objective is something else.
    """
    if isinstance(objective, Problem):
        if start is None:
            return objective
        return dataclasses.replace(objective, start=start)
    if not isinstance(objective, Term):
        what = type(objective).__name__
        hint = "wrap a function of params and data with jm.likelihood(function, data)" if callable(objective) else ""
        raise TypeError(
            f"jaxmle fits terms, their sums and problems, not a {what}; "
            + (hint or "make a term with jm.likelihood, jm.regression or jm.log_prior, or use one of jm.models")
        )
    return Problem(as_objective(objective), start)
