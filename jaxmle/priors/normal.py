"""The normal prior."""

from collections.abc import Callable
from typing import Any

from jaxmle.densities import normal as density
from jaxmle.priors.over import density_over
from jaxmle.terms.prior import LogPrior


def normal(where: str | Callable, loc: Any = 0.0, scale: Any = 1.0) -> LogPrior:
    r"""Independent normal priors: the sum of ``-(x - loc)^2 / (2 scale^2) - log(scale) - log(2 pi) / 2``.

    As a penalty it is ridge, L2, weight decay, with strength ``1 / (2 scale^2)``: see ``jm.penalties.l2``.

    Arguments:
        where: the leaf it is over (``"beta"``, ``"layers[0].weight"``; a sub-tree too), or a function of params.
        loc: its mean, a number or an array shaped like the leaf, in the leaf's units.
        scale: its standard deviation, positive, likewise. A leaf of the term: a new value compiles nothing.

    Returns a term, to be added to a likelihood. Errors: ``KeyError`` from ``jm.fit`` where no leaf has that name.

    >>> import jax.numpy as jnp
    >>> round(float(normal("beta", scale=2.0)({"beta": jnp.array([0.0, 2.0])})), 4)
    -3.7242

    Source: Hoerl and Kennard (1970), "Ridge regression", section 6.
    """
    return density_over(density.logpdf, where, loc, scale)
