"""A density over the entries of a part of params, as a log-prior."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxmle.core.tree import as_number, where_function
from jaxmle.priors.strength import over
from jaxmle.terms.prior import LogPrior


def density_over(log_density: Callable, where: str | Callable, *arguments: Any) -> LogPrior:
    """The sum of ``log_density(x, *arguments)`` over the entries x of a part of params, as a term.

    ``where`` is a leaf path or a function of params; each argument is a number, or an array shaped like the leaf, and
    a leaf of the term, so that a new value compiles nothing.
    """
    numbers = tuple(as_number(argument) for argument in arguments)
    return LogPrior(jax.tree_util.Partial(_Sum(log_density), where_function(where), numbers))


class _Sum:
    """The function that sums one log-density over a part of params; equal to another of the same density."""

    def __init__(self, log_density):
        self.log_density = log_density

    def __call__(self, where, arguments, params):
        total = 0.0
        for leaf in map(jnp.asarray, jax.tree.leaves(where(params))):
            shaped = [over(argument, leaf) for argument in arguments]
            total = total + jnp.sum(self.log_density(leaf, *shaped))
        return jnp.asarray(total)

    def __eq__(self, other):
        return isinstance(other, _Sum) and self.log_density is other.log_density

    def __hash__(self):
        return hash(self.log_density)
