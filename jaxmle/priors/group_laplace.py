"""The group Laplace prior: groups of parameters that are zero together."""

from collections.abc import Callable, Sequence
from math import lgamma, log, pi, sqrt
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxmle.core.tree import where_function
from jaxmle.priors.strength import positive
from jaxmle.solvers.penalty import Penalty
from jaxmle.terms.objective import flatten_point
from jaxmle.terms.rough import RoughPrior


class GroupLaplace(eqx.Module):
    """A spherical Laplace density for each group: ``exp(-strength ||x_g||)``. ``groups`` are tuples of indices into
    the flat selection, None for one group of all; ``labels`` is how many entries were labelled, None where they were
    named by indices; ``by_size`` multiplies each strength by the root of its size."""

    strength: Any
    groups: tuple[tuple[int, ...], ...] | None = eqx.field(static=True, default=None)
    labels: int | None = eqx.field(static=True, default=None)
    by_size: bool = eqx.field(static=True, default=False)

    def penalty(self, leaves) -> Penalty:
        """``sum_g strength_g ||x_g||`` over the flat numbers of ``leaves``."""
        flat, _ = flatten_point(tuple(leaves))
        labels = np.full(flat.size, -1)
        for g, group in enumerate(self._groups(flat.size)):
            labels[list(group)] = g
        return Penalty(jnp.zeros_like(flat), None, self._strengths(flat), labels, labels >= 0)

    def log_constant(self, leaves):
        """Minus the sum over groups of the log of ``2 pi^(d/2) Gamma(d) / (Gamma(d/2) strength^d)``, d its size."""
        flat, _ = flatten_point(tuple(leaves))
        sizes = [len(group) for group in self._groups(flat.size)]
        surfaces = sum(log(2.0) + 0.5 * d * log(pi) + lgamma(d) - lgamma(0.5 * d) for d in sizes)
        return jnp.sum(jnp.asarray(sizes, flat.dtype) * jnp.log(self._strengths(flat))) - surfaces

    def _groups(self, size):
        groups = (tuple(range(size)),) if self.groups is None else self.groups
        if self.labels not in (None, size):
            raise ValueError(
                f"groups has {self.labels} label{'s' * (self.labels != 1)}, and the prior is over {size} entries "
                "(flattened): give one label for each entry, negative for those in no group, or a list of index arrays"
            )
        largest = max((max(group) for group in groups), default=-1)
        if largest >= size:
            raise ValueError(
                f"groups name entry {largest}, but the prior is over {size} entries (counted from zero, flattened); "
                "check where it is over, or the indices"
            )
        return [group for group in groups if group]

    def _strengths(self, flat):
        sizes = [len(group) for group in self._groups(flat.size)]
        given = jnp.asarray(self.strength, flat.dtype)
        if given.shape not in ((), (len(sizes),)):
            raise ValueError(
                f"a group prior takes one scale (or strength), or one for each of its {len(sizes)} groups; it was "
                f"given an array of shape {given.shape}"
            )
        roots = jnp.asarray([sqrt(d) if self.by_size else 1.0 for d in sizes], flat.dtype)
        return jnp.broadcast_to(given, (len(sizes),)) * roots


def group_laplace(where: str | Callable, scale: Any, groups: Any = None, *, by_size: bool = False) -> RoughPrior:
    r"""Spherical Laplace priors of groups of parameters: the sum over groups of ``-||x_g|| / scale``, and constants.

    The constant of a group of d entries is ``-log(2 pi^(d/2) Gamma(d) / Gamma(d/2)) - d log(scale)``; for d = 1 it is
    the Laplace prior. In the mode a group is exactly zero as a whole, or not at all. As a penalty it is the group
    lasso with strength ``1 / scale``: see ``jm.penalties.group_lasso``.

    Arguments:
        where: the leaf it is over, or a function of params that selects some as they are, free and unconstrained.
        scale: positive, in the leaf's units, a number or one for each group. A leaf of the term.
        groups: which entries of the flattened selection belong together: a list of index arrays, or one integer label
            for each entry (negative for none); None is one group of all. Entries in no group are left alone.
        by_size: divide each scale by the root of the group's size, so that groups of all sizes are zero as easily.

    Returns a term, to be added to a likelihood; it has a prox and no derivatives. Errors: ``ValueError`` where groups
    overlap or a scale is not positive and finite; from ``jm.fit`` those of ``jm.priors.laplace``, and ``ValueError``
    where groups do not fit the selection.

    >>> import jax.numpy as jnp
    >>> params = {"beta": jnp.array([3.0, 4.0, 1.0])}
    >>> round(float(group_laplace("beta", scale=1.0, groups=[[0, 1], [2]])(params)), 4)
    -8.531

    Source: Yuan and Lin (2006), "Model selection and estimation in regression with grouped variables", equation 2.1;
    Raman and others (2009), "The Bayesian group-lasso", section 2.
    """
    return of_strength(where, 1.0 / positive(scale, "the scale of jm.priors.group_laplace"), groups, by_size)


def of_strength(where, strength: Any, groups: Any, by_size: bool) -> RoughPrior:
    """The group Laplace prior by its strength, a positive number or an array of them."""
    density = GroupLaplace(strength, as_groups(groups), _count_labels(groups), bool(by_size))
    return RoughPrior(where_function(where), density)


def as_groups(groups) -> tuple[tuple[int, ...], ...] | None:
    """Groups as tuples of indices, from a list of index arrays or one label for each entry.

    >>> as_groups([0, 0, 1, -1])
    ((0, 1), (2,))
    """
    if groups is None:
        return None
    if _are_lists(groups):
        named = [np.ravel(np.asarray(group)) for group in groups]
        _check_integers(*named)
        found = [tuple(int(i) for i in group) for group in named]
    else:
        labels = np.asarray(groups).ravel()
        _check_integers(labels)
        found = [tuple(map(int, np.flatnonzero(labels == label))) for label in np.unique(labels[labels >= 0])]
    _check_disjoint(found)
    return tuple(group for group in found if group)


def _are_lists(groups) -> bool:
    """Whether groups are named by lists of indices, not by labels."""
    return isinstance(groups, Sequence) and any(np.ndim(group) for group in groups)


def _count_labels(groups) -> int | None:
    return None if groups is None or _are_lists(groups) else int(np.size(groups))


def _check_integers(*arrays):
    for array in arrays:
        if array.size and array.dtype.kind not in "iu":
            raise TypeError(
                f"groups are lists of indices, or one integer label for each entry; they hold {array.dtype} values: "
                "encode names as integers (np.unique(names, return_inverse=True)[1] does it)"
            )


def _check_disjoint(groups):
    named = [i for group in groups for i in group]
    if min(named, default=0) < 0 or len(set(named)) != len(named):
        raise ValueError(
            "groups must be disjoint, with indices that count from zero: an entry is in two groups, or an index is "
            "negative; overlapping groups have no closed prox"
        )
