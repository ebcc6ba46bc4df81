"""Fit one objective: climb from a start to its maximum, inside one compiled program."""

from typing import Any

from jaxmle.fitting.climb import Options, ascent, climb
from jaxmle.fitting.result import Fit
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem


def fit(
    objective: Term | Problem,
    start: Any = None,
    *,
    solver: Any = None,
    tolerance: float | None = None,
    max_steps: int | None = None,
    jacobian: bool = False,
) -> Fit:
    """The parameters at which ``objective`` is highest: maximum likelihood, or maximum a posteriori with a prior.

    Arguments:
        objective: a term (``jm.likelihood``, ``jm.regression``), a sum of terms, or a problem of ``jm.models``.
        start: a tree of parameters, each a floating number or array or one of the marks; may be left out for a
            problem, which has its own. What bears no mark is free, in an Equinox module as in a dict: floating numbers
            and arrays. Not fitted are a module's whole numbers, flags and functions, its static fields, and the
            settings that layers of ``equinox.nn`` keep as numbers (``Dropout.p``); a number of your own module that
            Python needs is declared ``eqx.field(static=True)``, or held by ``jm.fixed``.
        solver: one of ``jm.solvers``, any optax transformation (``optax.adam(1e-2)``), or an Optimistix minimiser.
            None chooses: Newton's method in a trust region where the free numbers are few enough for a matrix (300),
            L-BFGS where they are more; ``message`` says which and why.
        tolerance: the log-density still to be gained at which the fit is converged; by default 1e-19 in float64 and
            1.4e-14 in float32, where sums over many rows stop it at their rounding error first.
        max_steps: how many evaluations (steps, for a solver with a loop of its own) are made at most, 1000 by default.
        jacobian: whether the mode is that of the density of z, the unconstrained numbers, not of the parameters.

    Returns a :class:`Fit`; whether it is an estimate is in ``ok``, why not in ``message``.

    Works under ``jax.jit`` and ``jax.vmap``; ``jax.grad`` and ``jax.jvp`` go through it by the implicit function
    theorem, with respect to data, weights, prior scales and fixed parameters, to any order (NaN where the fit is no
    maximum inside its constraints; refused with a prior that has kinks). Only the first call for given functions and
    shapes compiles: a callable object is known by itself, so make another one rather than change what it holds.

    Errors: ``ValueError`` for a start outside its constraint, data that are empty, missing, of different lengths or
    impossible under the model, weights that are negative or all zero, a function that returns the wrong shape or is
    not row-wise; ``TypeError`` for parameters that are not floating numbers, a missing start, or a function that
    JAX cannot trace; ``KeyError`` for a name that no parameter has, in ``jm.tied``, in the ``where`` of a prior or in a
    function of the model. Inside a trace nothing about values is raised: the status says it.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> y = jnp.array([1.0, 2.0, 4.0])
    >>> normal = lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"])
    >>> found = jm.fit(jm.likelihood(normal, y), {"mu": 0.0, "sigma": jm.positive(1.0)})
    >>> round(float(found.params["mu"]), 4), round(float(found.params["sigma"]), 4), found.ok
    (2.3333, 1.2472, True)

    Source: Nocedal and Wright (2006), "Numerical Optimization", chapter 4; Blondel and others (2022), "Efficient and
    modular implicit differentiation", equation 2.
    """
    found = climb(ascent(objective, start), Options(solver, tolerance, max_steps, jacobian))
    return Fit.of(*found, bool(jacobian))
