"""Student's t prior, and its half."""

from collections.abc import Callable
from math import log
from typing import Any

import jax.numpy as jnp

from jaxmle.densities import student_t as density
from jaxmle.priors.over import density_over
from jaxmle.priors.strength import positive
from jaxmle.terms.prior import LogPrior


def student_t(where: str | Callable, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> LogPrior:
    r"""Independent Student priors: ``-(df + 1) / 2 log(1 + z^2 / df)``, z = (x - loc) / scale, and constants.

    The penalty is logarithmic, ``strength log(1 + (x - loc)^2 / (df scale^2))`` with strength ``(df + 1) / 2``: near
    ``loc`` it is L2 with strength ``(df + 1) / (2 df scale^2)``, far out it hardly grows, so that large coefficients
    are left as they are. It is not concave: with few data the log-posterior may have two modes (``jm.fit_best``).

    Arguments: ``where``, the leaf it is over, a sub-tree, or a function of params; ``df``, degrees of freedom, and
    ``scale``, in the leaf's units, positive; ``loc``, the median, in the leaf's units. Each is a number or an array
    shaped like the leaf, and a leaf of the term: a new value compiles nothing.

    Returns a term, to be added to a likelihood. Errors: ``ValueError`` for a scale or df that is not positive and
    finite; ``KeyError`` from ``jm.fit`` where no leaf has that name.

    >>> import jax.numpy as jnp
    >>> round(float(student_t("beta", df=3.0, scale=2.5)({"beta": jnp.array([0.0, 2.0])})), 4)
    -4.2211

    Source: Gelman, Jakulin, Pittau and Su (2008), "A weakly informative default prior distribution for logistic and
    other regression models", section 2.
    """
    df = positive(df, "the df of jm.priors.student_t")
    return density_over(density.logpdf, where, df, loc, positive(scale, "the scale of jm.priors.student_t"))


def half_student_t(where: str | Callable, df: Any, scale: Any = 1.0) -> LogPrior:
    r"""Half Student priors of positive parameters: ``log 2`` plus the Student log-density at x >= 0.

    The penalty is ``strength log(1 + x^2 / (df scale^2))`` with strength ``(df + 1) / 2``. It does not vanish at zero,
    so that a scale of zero is not kept away.

    Arguments: ``where``, a leaf (as a rule ``jm.positive``), a sub-tree, or a function of params; ``df`` and ``scale``,
    in the leaf's units, positive, numbers or arrays shaped like the leaf.

    Returns a term, to be added to a likelihood. Errors: those of ``jm.priors.student_t``.

    >>> round(float(half_student_t("tau", df=3.0, scale=2.5)({"tau": 2.0})), 4)
    -1.6108

    Source: Gelman (2006), "Prior distributions for variance parameters in hierarchical models", section 3.2.
    """
    df = positive(df, "the df of jm.priors.half_student_t")
    return density_over(_half, where, df, positive(scale, "the scale of jm.priors.half_student_t"))


def _half(x, df, scale):
    value = log(2.0) + density.logpdf(jnp.where(x < 0, 0.0, x), df, jnp.zeros_like(x), scale)
    return jnp.where(x < 0, -jnp.inf, value)
