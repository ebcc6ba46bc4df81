"""Numbers under a scale that may itself be a parameter: what the hierarchical prior and the horseshoe share."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from jaxmle.core.tree import where_function
from jaxmle.priors.strength import as_numbers, over, positive
from jaxmle.terms.prior import LogPrior


def spiked(spike: Callable, *parts: Any) -> LogPrior:
    """The log-prior that is the total of ``spike(*parts, params)``, and knows its spike. ``spike`` is a function of a
    module, so that the same prior made twice is one program."""
    return LogPrior(Partial(_Total(spike), *parts), Partial(spike, *parts))


def part(value: Any, what: str | None = None) -> Any:
    """A leaf path or a function of params as a function; numbers as numbers, positive where ``what`` names them."""
    if isinstance(value, str) or callable(value):
        return where_function(value)
    return as_numbers(value) if what is None else positive(value, what)


def leaves_at(where: Callable, params) -> list:
    """What ``where`` selects, as a list of arrays."""
    return [jnp.asarray(leaf) for leaf in jax.tree.leaves(where(params))]


def flat_beside(value: Any, params, leaves: list):
    """One number for each entry of ``leaves``, flat, from a :func:`part`: one array for all of them, or one for each.

    Raises ``ValueError`` where it does not fit.
    """
    found = leaves_at(value, params) if callable(value) else jax.tree.leaves(value)
    if len(found) not in (1, len(leaves)):
        raise ValueError(
            f"a prior over {len(leaves)} leaves takes one scale (or centre) for all of them, or one for each; it was "
            f"given {len(found)}: check what its functions of params select"
        )
    pairs = zip(found * len(leaves) if len(found) == 1 else found, leaves, strict=True)
    return flat([over(numbers, leaf) for numbers, leaf in pairs])


def flat(leaves: list):
    """``leaves`` as one flat vector."""
    return jnp.concatenate([leaf.ravel() for leaf in leaves]) if leaves else jnp.zeros(0)


class _Total:
    """The total of a spike; equal to another of the same function."""

    def __init__(self, spike):
        self.spike = spike

    def __call__(self, *parts):
        return self.spike(*parts).total

    def __eq__(self, other):
        return isinstance(other, _Total) and self.spike is other.spike

    def __hash__(self):
        return hash(self.spike)
