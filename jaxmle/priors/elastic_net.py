"""The elastic net prior."""

from collections.abc import Callable
from math import log, pi
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxmle.core.normal_tails import log_ndtr
from jaxmle.core.tree import is_traced, where_function
from jaxmle.priors.laplace import flat_over
from jaxmle.priors.over import density_over
from jaxmle.priors.strength import not_negative
from jaxmle.solvers.penalty import Penalty
from jaxmle.terms.objective import Objective
from jaxmle.terms.rough import RoughPrior

_LEVELS = 24


class SharpPart(eqx.Module):
    """The absolute values of the elastic net, with the constant of the whole."""

    l1: Any
    l2: Any

    def penalty(self, leaves) -> Penalty:
        """``sum_j l1_j |x_j|`` over the flat numbers of ``leaves``."""
        return Penalty(flat_over(self.l1, leaves))

    def log_constant(self, leaves):
        """Minus the sum of the logs of ``integral of exp(-l1 |x| - l2 x^2)``."""
        return -jnp.sum(_log_integral(flat_over(self.l1, leaves), flat_over(self.l2, leaves)))


def elastic_net(where: str | Callable, l1: Any, l2: Any) -> Objective:
    r"""The elastic net: the sum of ``-l1 |x| - l2 x^2``, and of the constants that make it a density. Exact zeros.

    It is ``jm.penalties.l1(where, l1) + jm.penalties.l2(where, l2)`` but for the constant, which here is that of the
    product: ``-log(sqrt(pi / l2) erfcx(l1 / (2 sqrt(l2))))``. Either strength may be zero, not both.

    With y ~ Normal(x . beta, 1) or another ``jm.likelihood`` of n rows, summed and not averaged, these are the same:

    ====================================================  =======================  ===========================
    elsewhere                                             ``l1``                   ``l2``
    ====================================================  =======================  ===========================
    scikit-learn ``ElasticNet(alpha, l1_ratio)``          ``n alpha l1_ratio``     ``n alpha (1-l1_ratio) / 2``
    scikit-learn ``LogisticRegression(C, l1_ratio)``      ``l1_ratio / C``         ``(1-l1_ratio) / (2 C)``
    glum ``alpha, l1_ratio``, with weights of sum n       ``n alpha l1_ratio``     ``n alpha (1-l1_ratio) / 2``
    ====================================================  =======================  ===========================

    For a normal response these packages minimise squares without sigma: hold it at one.

    Arguments: ``where``, a leaf or a function of params that selects some as they are, free and unconstrained; ``l1``
    in one over its units, ``l2`` in one over their square: zero or more, numbers or arrays shaped like the leaf.

    Returns a sum of two terms, to be added to a likelihood. Errors: ``ValueError`` for a strength that is negative or
    not finite, or where both are zero; from ``jm.fit``, those of ``jm.priors.laplace``.

    >>> import jax.numpy as jnp
    >>> params = {"beta": jnp.array([0.5, -1.0])}
    >>> round(float(elastic_net("beta", l1=1.0, l2=0.5)(params)), 4)
    -2.6671

    Source: Zou and Hastie (2005), "Regularization and variable selection via the elastic net", equation 2.
    """
    l1, l2 = not_negative(l1, "l1 of jm.priors.elastic_net"), not_negative(l2, "l2 of jm.priors.elastic_net")
    if not is_traced((l1, l2)) and np.any((np.asarray(l1) == 0) & (np.asarray(l2) == 0)):
        raise ValueError(
            "l1 and l2 of jm.priors.elastic_net are both zero, which is no density; leave the prior out, or those "
            "entries out of where"
        )
    return RoughPrior(where_function(where), SharpPart(l1, l2)) + density_over(_minus_squares, where, l2)


def _minus_squares(x, l2):
    return -l2 * x**2


def _log_integral(l1, l2):
    """The log of ``integral of exp(-l1 |x| - l2 x^2)``, with t = l1 / sqrt(2 l2) by the Mills ratio of t.

    Well inside the tail by its continued fraction (Abramowitz and Stegun 1964, 26.2.14), which at l2 = 0 is 2 / l1.
    """
    tail = l1**2 > 50.0 * l2
    safe = jnp.where(tail, 1.0, l2)
    t = jnp.where(tail, 0.0, l1) / jnp.sqrt(2.0 * safe)
    near = 0.5 * jnp.log(4.0 * pi / safe) + 0.5 * t**2 + log_ndtr(-t)
    u = jnp.where(tail, 2.0 * l2, 0.0) / jnp.where(tail, l1, 1.0) ** 2
    fraction = jnp.ones_like(u)
    for level in reversed(range(1, _LEVELS)):
        fraction = 1.0 + level * u / fraction
    far = log(2.0) - jnp.log(jnp.where(tail, l1, 1.0)) - jnp.log(fraction)
    return jnp.where(tail, far, near)
