"""The beta prior, and the Dirichlet."""

from collections.abc import Callable
from typing import Any

from jaxmle.densities import beta as density
from jaxmle.densities import dirichlet as dirichlet_density
from jaxmle.priors.over import density_over
from jaxmle.priors.strength import positive
from jaxmle.terms.prior import LogPrior


def beta(where: str | Callable, a: Any, b: Any) -> LogPrior:
    r"""Beta priors of probabilities: the sum of ``(a - 1) log x + (b - 1) log(1 - x) - log B(a, b)`` at 0 < x < 1.

    As a penalty: logarithmic barriers at zero and one with strengths ``a - 1`` and ``b - 1``. For the probability of
    independent trials it is conjugate: the mode is that of ``a - 1`` more successes and ``b - 1`` more failures. Below
    one a shape pulls to its end, where the density is infinite.

    Arguments: ``where``, a leaf (as a rule ``jm.interval(0.5, lower=0, upper=1)``), a sub-tree, or a function of
    params; ``a`` and ``b``, the shapes, positive, numbers or arrays shaped like the leaf.

    Returns a term, to be added to a likelihood. Errors: ``ValueError`` for a shape that is not positive and finite;
    ``KeyError`` from ``jm.fit`` where no leaf has that name.

    >>> round(float(beta("p", a=2.0, b=3.0)({"p": 0.3})), 4)
    0.5676

    Source: Gelman and others (2013), "Bayesian Data Analysis", section 2.4.
    """
    a = positive(a, "the a of jm.priors.beta")
    return density_over(density.logpdf, where, a, positive(b, "the b of jm.priors.beta"))


def dirichlet(where: str | Callable, alpha: Any) -> LogPrior:
    r"""A Dirichlet prior of shares: ``sum_k (alpha_k - 1) log x_k``, and its constant, along the last axis.

    As a penalty: logarithmic barriers at zero with strengths ``alpha_k - 1``. For the probabilities of categories it is
    conjugate: the mode is that of ``alpha_k - 1`` more observations of each. It is a density in all shares but one.

    Arguments: ``where``, a leaf (as a rule ``jm.simplex``), a sub-tree, or a function of params, whose last axis sums
    to one; ``alpha``, positive, one number for all shares, or an array that has one for each.

    Returns a term, to be added to a likelihood. Errors: ``ValueError`` for an alpha that is not positive and finite or
    does not fit; ``KeyError`` from ``jm.fit`` where no leaf has that name.

    >>> import jax.numpy as jnp
    >>> shares = jnp.array([0.2, 0.3, 0.5])
    >>> round(float(dirichlet("shares", alpha=[1.0, 2.0, 3.0])({"shares": shares})), 4)
    1.5041

    Source: Gelman and others (2013), "Bayesian Data Analysis", section 3.4.
    """
    return density_over(dirichlet_density.logpdf, where, positive(alpha, "the alpha of jm.priors.dirichlet"))
