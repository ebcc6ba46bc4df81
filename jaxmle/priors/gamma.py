"""The gamma prior, the exponential, and the inverse gamma."""

from collections.abc import Callable
from typing import Any

from jaxmle.densities import exponential as exponential_density
from jaxmle.densities import gamma as density
from jaxmle.densities import inverse_gamma as inverse_density
from jaxmle.priors.over import density_over
from jaxmle.priors.strength import positive
from jaxmle.terms.prior import LogPrior


def exponential(where: str | Callable, scale: Any = 1.0) -> LogPrior:
    r"""Exponential priors of positive parameters: the sum of ``-x / scale - log(scale)`` at x >= 0.

    As a penalty it is L1 with strength ``1 / scale``, without the kink: on numbers that are not negative. A mode on
    the boundary, zero, is possible, and the status says so.

    Arguments: ``where``, a leaf (as a rule ``jm.positive``), a sub-tree, or a function of params; ``scale``, the mean
    (one over the rate), positive, in the leaf's units, a number or an array shaped like the leaf.

    Returns a term, to be added to a likelihood. Errors: ``ValueError`` for a scale that is not positive and finite;
    ``KeyError`` from ``jm.fit`` where no leaf has that name.

    >>> round(float(exponential("tau", scale=2.0)({"tau": 1.0})), 4)
    -1.1931

    Source: Simpson, Rue, Riebler, Martins and Sørbye (2017), "Penalising model component complexity", equation 3.3.
    """
    return density_over(exponential_density.logpdf, where, positive(scale, "the scale of jm.priors.exponential"))


def gamma(where: str | Callable, a: Any, scale: Any = 1.0) -> LogPrior:
    r"""Gamma priors of positive parameters: ``(a - 1) log x - x / scale - a log(scale) - log Gamma(a)`` at x > 0.

    As a penalty it is L1 with strength ``1 / scale`` and a logarithmic barrier at zero with strength ``a - 1``: for
    a > 1 it vanishes at zero and keeps the mode away from it; for a < 1 it is infinite there. For the rate of counts
    or of waiting times it is conjugate: ``a - 1`` events in ``1 / scale`` units of exposure, in the mode. With a = 2
    and a large scale it keeps a variance component off zero in a *marginal* likelihood; the joint mode of a
    hierarchical prior over m numbers exists only with a > m + 1.

    Arguments: ``where``, a leaf (as a rule ``jm.positive``), a sub-tree, or a function of params; ``a``, the shape,
    and ``scale``, one over the rate, in the leaf's units, positive, numbers or arrays shaped like the leaf.

    Returns a term, to be added to a likelihood. Errors: ``ValueError`` for an a or scale that is not positive and
    finite; ``KeyError`` from ``jm.fit`` where no leaf has that name.

    >>> round(float(gamma("rate", a=2.0, scale=3.0)({"rate": 1.0})), 4)
    -2.5306

    Source: Chung, Rabe-Hesketh, Dorie, Gelman and Liu (2013), "A nondegenerate penalized likelihood estimator for
    variance parameters in multilevel models", section 2.
    """
    a = positive(a, "the a of jm.priors.gamma")
    return density_over(density.logpdf, where, a, positive(scale, "the scale of jm.priors.gamma"))


def inverse_gamma(where: str | Callable, a: Any, scale: Any = 1.0) -> LogPrior:
    r"""Inverse gamma priors of positive parameters: ``-(a + 1) log x - scale / x + a log(scale) - log Gamma(a)``.

    As a penalty: ``scale / x``, a barrier at zero that nothing algebraic passes, with strength ``scale``, and ``log x``
    with strength ``a + 1``. For the variance of normal observations it is conjugate. Over the scale of
    ``jm.priors.hierarchical`` it makes the joint mode exist.

    Arguments: ``where``, a leaf (as a rule ``jm.positive``), a sub-tree, or a function of params; ``a``, the shape,
    and ``scale``, in the leaf's units, positive, numbers or arrays shaped like the leaf.

    Returns a term, to be added to a likelihood. Errors: those of ``jm.priors.gamma``.

    >>> round(float(inverse_gamma("variance", a=2.0, scale=3.0)({"variance": 1.0})), 4)
    -0.8028

    Source: Gelman and others (2013), "Bayesian Data Analysis", section 2.6.
    """
    a = positive(a, "the a of jm.priors.inverse_gamma")
    return density_over(inverse_density.logpdf, where, a, positive(scale, "the scale of jm.priors.inverse_gamma"))
