"""Firth's penalty: half the log-determinant of the expected information."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxmle.core import lapack, linalg
from jaxmle.core.evaluation import EXPECTED, OBSERVED, Evaluation, derivatives
from jaxmle.terms.objective import Objective, Term, as_objective, flatten_point, value_at
from jaxmle.terms.problem import Problem, as_problem
from jaxmle.terms.without_data import WithoutData


class Firth(WithoutData):
    """Half the log-determinant of the expected information of a ``likelihood``. Made by :func:`firth`."""

    likelihood: Objective
    is_likelihood: ClassVar[bool] = False

    def log_density(self, params):
        """The penalty at ``params``, all of whose numbers are taken as free."""
        return value_at(self, params)

    def evaluate(self, lift, point, order, curvature=OBSERVED):
        flat, cut = flatten_point(point)

        def penalty(flat):
            return _half_log_determinant(self.likelihood.evaluate(lift, cut(flat), 2, EXPECTED).curvature)

        value, gradient, hessian = derivatives(penalty, flat, order)
        observed = None if hessian is None else -hessian
        return Evaluation(jnp.zeros_like(value), value, jnp.abs(value), gradient, observed)

    def check_structure(self):
        self.likelihood.check_structure()

    def at(self, terms: tuple[Term, ...]) -> "Firth":
        """The penalty of the same sum with other ``terms`` in it."""
        return dataclasses.replace(self, likelihood=Objective(terms, self.likelihood.factors))


def firth(likelihood: Term | Problem) -> Firth:
    r"""Firth's penalty, ``log det I(params) / 2`` with I the expected information about the free parameters.

    It is Jeffreys' prior. Added to the likelihood of an exponential family in its canonical parameters (logistic,
    Poisson) it takes the first order of the bias away, and there is always a finite maximum, in separated data too.

    Arguments:
        likelihood: the likelihood that it is added to, or the problem: ``problem + jm.priors.firth(problem)``. Its
            terms are regressions whose densities have an expected information in closed form; other terms of it, such
            as priors, have no part in it.

    Returns a term. Where the information is singular its value is minus infinity.

    Errors: ``TypeError`` where there is no likelihood; from ``jm.fit`` where a density has no expected information.

    Example: no head in three throws; half a head and half a tail are added.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.logistic(jnp.ones((3, 1)), jnp.zeros(3))
    >>> fit = jm.fit(problem + jm.priors.firth(problem))
    >>> round(float(jax.nn.sigmoid(fit.params["beta"][0])), 4)
    0.125

    Source: Firth (1993), "Bias reduction of maximum likelihood estimates", section 3; Heinze and Schemper (2002);
    Kosmidis and Firth (2021) on why it is finite.
    """
    objective = as_problem(likelihood).objective if isinstance(likelihood, Problem) else as_objective(likelihood)
    pairs = [(t, f) for t, f in zip(objective.terms, objective.factors, strict=True) if t.is_likelihood]
    if not pairs:
        raise TypeError("Firth's penalty is that of a likelihood, and there is none here: give the likelihood's term")
    return Firth(Objective(tuple(term for term, _ in pairs), tuple(factor for _, factor in pairs)))


def _half_log_determinant(information):
    """In units of the diagonal, so that no product of small numbers vanishes. Which units changes nothing, so they may
    be held constant where derivatives are taken."""
    diagonal = jax.lax.stop_gradient(jnp.diagonal(information))
    scale = jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    lower = lapack.cholesky(linalg.unit_diagonal(information, scale))
    value = jnp.sum(jnp.log(jnp.diagonal(lower))) + jnp.sum(jnp.log(scale))
    return jnp.where(jnp.isnan(value), -jnp.inf, value)
