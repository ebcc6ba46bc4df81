"""The smoothing prior: a random walk."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxmle.core.tree import where_function
from jaxmle.densities import normal as density
from jaxmle.priors.over import density_over
from jaxmle.priors.strength import positive
from jaxmle.terms.prior import LogPrior


class Differences(eqx.Module):
    """The differences of ``order`` along the first axis of each leaf that ``where`` selects."""

    where: Callable
    order: int = eqx.field(static=True)

    def __call__(self, params):
        return jax.tree.map(self._of_leaf, self.where(params))

    def _of_leaf(self, leaf):
        leaf = jnp.asarray(leaf)
        if leaf.ndim == 0 or leaf.shape[0] <= self.order:
            raise ValueError(
                f"a smoothing prior of order {self.order} is over a vector of more than {self.order} "
                f"number{'s' * (self.order > 1)}; it was given an array of shape {leaf.shape}: check where it is over"
            )
        return jnp.diff(leaf, n=self.order, axis=0)


def smoothing(where: str | Callable, scale: Any, order: int = 1) -> LogPrior:
    r"""A random walk of ``order`` 1 or 2: its differences are independent normal numbers of mean zero.

    Order 1 has ``x_i - x_(i-1)``, order 2 ``x_i - 2 x_(i-1) + x_(i-2)``, along the first axis. It is improper:
    constants (for order 2 straight lines) are not penalised, and the likelihood must settle them. As a penalty it is
    ``strength * sum(differences^2)`` with strength ``1 / (2 scale^2)``, see ``jm.penalties.smoothing``; of order 2 it
    is the Hodrick-Prescott filter with lambda = sigma^2 / scale^2, sigma the scale of the noise.

    Arguments:
        where: the vector it is over, or an array whose columns are smoothed each, a sub-tree, or a function of params.
        scale: the standard deviation of a difference, positive, in the leaf's units, a number or an array shaped like
            the differences. To estimate it, see ``jm.priors.hierarchical`` over the differences, and its warning.
        order: 1 or 2.

    Returns a term, to be added to a likelihood. Errors: ``ValueError`` for another order or a scale that is not
    positive and finite; from ``jm.fit`` ``ValueError`` where there are too few numbers, ``KeyError`` where no leaf has
    that name.

    >>> import jax.numpy as jnp
    >>> round(float(smoothing("f", scale=2.0)({"f": jnp.array([1.0, 1.0, 3.0])})), 4)
    -3.7242

    Source: Whittaker (1923), "On a new method of graduation"; Rue and Held (2005), "Gaussian Markov Random Fields",
    equations 3.22 and 3.39.
    """
    if order not in (1, 2):
        raise ValueError(f"the order of a smoothing prior is 1 (steps are small) or 2 (bends are small), not {order!r}")
    scale = positive(scale, "the scale of jm.priors.smoothing")
    return density_over(density.logpdf, Differences(where_function(where), int(order)), 0.0, scale)
