"""The Laplace prior."""

from collections.abc import Callable
from math import log
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from jaxmle.core.tree import where_function
from jaxmle.priors.strength import as_numbers, over, positive
from jaxmle.solvers.penalty import Penalty
from jaxmle.terms.rough import RoughPrior


class Laplace(eqx.Module):
    """Independent Laplace densities by their strength, one over the scale. ``loc`` None is zero, known as such."""

    strength: Any
    loc: Any = None

    def penalty(self, leaves) -> Penalty:
        """``sum_j strength_j |x_j - loc_j|`` over the flat numbers of ``leaves``."""
        centre = None if self.loc is None else flat_over(self.loc, leaves)
        return Penalty(flat_over(self.strength, leaves), centre)

    def log_constant(self, leaves):
        """The sum of ``log(strength / 2)``."""
        return jnp.sum(jnp.log(flat_over(self.strength, leaves)) - log(2.0))


def laplace(where: str | Callable, loc: Any = 0.0, scale: Any = 1.0) -> RoughPrior:
    r"""Independent Laplace priors: the sum of ``-|x - loc| / scale - log(2 scale)``. Its mode has exact zeros.

    As a penalty it is L1, the lasso, with strength ``1 / scale``: see ``jm.penalties.l1``, which also translates the
    strengths of scikit-learn and glum.

    Arguments:
        where: the leaf it is over (``"beta"``; a sub-tree too), or a function of params that selects some of them as
            they are (``lambda p: p["beta"][1:]``). They must be free and unconstrained.
        loc: its median, a number or an array shaped like the leaf, in the leaf's units: what the mode has exactly.
        scale: its mean absolute deviation, positive, likewise. A leaf of the term: a new value compiles nothing.

    Returns a term, to be added to a likelihood; it has a prox and no derivatives. Errors: ``ValueError`` for a scale
    that is not positive and finite; from ``jm.fit`` ``KeyError`` where no leaf has that name, ``ValueError`` where it
    is fixed, constrained or computed, or where an array does not fit it.

    >>> import jax.numpy as jnp
    >>> round(float(laplace("beta", scale=2.0)({"beta": jnp.array([0.0, 2.0])})), 4)
    -3.7726

    Source: Tibshirani (1996), "Regression shrinkage and selection via the lasso", section 5.
    """
    return of_strength(where, 1.0 / positive(scale, "the scale of jm.priors.laplace"), loc)


def of_strength(where, strength: Any, loc: Any = 0.0) -> RoughPrior:
    """The Laplace prior by its strength, a positive number or an array of them."""
    centre = None if isinstance(loc, int | float) and loc == 0 else as_numbers(loc)
    return RoughPrior(where_function(where), Laplace(strength, centre))


def flat_over(numbers: Any, leaves):
    """One number for each entry of ``leaves``, flat, from a number or an array that fits each leaf.

    Raises ``ValueError`` where it does not fit.
    """
    parts = [over(numbers, leaf).ravel() for leaf in leaves]
    return jnp.concatenate(parts) if parts else jnp.zeros(0)
