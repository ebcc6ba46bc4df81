"""The half normal prior."""

from collections.abc import Callable
from typing import Any

from jaxmle.densities import half_normal as density
from jaxmle.priors.over import density_over
from jaxmle.priors.strength import positive
from jaxmle.terms.prior import LogPrior


def half_normal(where: str | Callable, scale: Any = 1.0) -> LogPrior:
    r"""Half normal priors of positive parameters: ``-x^2 / (2 scale^2) - log(scale) + log(2 / pi) / 2`` at x >= 0.

    As a penalty it is L2 with strength ``1 / (2 scale^2)``, on numbers that are not negative. It does not vanish at
    zero: it keeps scales from being large, not from being zero.

    Arguments: ``where``, a leaf (as a rule ``jm.positive``), a sub-tree, or a function of params; ``scale``, the root
    mean square, positive, in the leaf's units, a number or an array shaped like the leaf.

    Returns a term, to be added to a likelihood. Errors: ``ValueError`` for a scale that is not positive and finite;
    ``KeyError`` from ``jm.fit`` where no leaf has that name.

    >>> round(float(half_normal("tau", scale=2.0)({"tau": 1.0})), 4)
    -1.0439

    Source: Gelman (2006), "Prior distributions for variance parameters in hierarchical models", section 3.2.
    """
    return density_over(density.logpdf, where, positive(scale, "the scale of jm.priors.half_normal"))
