"""The Cauchy prior, and its half."""

from collections.abc import Callable
from typing import Any

from jaxmle.densities import cauchy as density
from jaxmle.densities import half_cauchy as half_density
from jaxmle.priors.over import density_over
from jaxmle.priors.strength import positive
from jaxmle.terms.prior import LogPrior


def cauchy(where: str | Callable, loc: Any = 0.0, scale: Any = 1.0) -> LogPrior:
    r"""Independent Cauchy priors: the sum of ``-log(1 + ((x - loc) / scale)^2) - log(pi scale)``.

    The penalty is logarithmic, ``strength log(1 + (x - loc)^2 / scale^2)`` with strength 1: that of
    ``jm.priors.student_t`` with one degree of freedom. For a logistic regression with columns of standard deviation
    one half, scale 2.5 (10 for the intercept) is a usual default, and keeps separated data finite.

    Arguments: ``where``, the leaf it is over, a sub-tree, or a function of params; ``loc``, the median, and ``scale``,
    positive, in the leaf's units, numbers or arrays shaped like the leaf.

    Returns a term, to be added to a likelihood. Errors: ``ValueError`` for a scale that is not positive and finite;
    ``KeyError`` from ``jm.fit`` where no leaf has that name.

    >>> import jax.numpy as jnp
    >>> round(float(cauchy("beta", scale=2.5)({"beta": jnp.array([0.0, 2.0])})), 4)
    -4.6167

    Source: Gelman, Jakulin, Pittau and Su (2008), "A weakly informative default prior distribution for logistic and
    other regression models", section 2.
    """
    return density_over(density.logpdf, where, loc, positive(scale, "the scale of jm.priors.cauchy"))


def half_cauchy(where: str | Callable, scale: Any = 1.0) -> LogPrior:
    r"""Half Cauchy priors of positive parameters: ``log(2 / pi) - log(scale) - log(1 + (x / scale)^2)`` at x >= 0.

    The penalty is ``strength log(1 + x^2 / scale^2)`` with strength 1. It does not vanish at zero, so that a scale of
    zero is not kept away: under ``jm.priors.hierarchical`` the joint mode still does not exist.

    Arguments: ``where``, a leaf (as a rule ``jm.positive``), a sub-tree, or a function of params; ``scale``, the
    median, positive, in the leaf's units, a number or an array shaped like the leaf.

    Returns a term, to be added to a likelihood. Errors: those of ``jm.priors.cauchy``.

    >>> round(float(half_cauchy("tau", scale=2.0)({"tau": 1.0})), 4)
    -1.3679

    Source: Gelman (2006), "Prior distributions for variance parameters in hierarchical models", section 3.2.
    """
    return density_over(half_density.logpdf, where, positive(scale, "the scale of jm.priors.half_cauchy"))
