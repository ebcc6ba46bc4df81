"""Rows of weight zero: whatever is in them, a missing value or a number outside the support, it spoils no sum, and
the derivative in their weight is that of the row itself.

An evaluation is made with another row in the place of each that is idle, since zero times the derivative of something
that is not finite is not finite. What an idle row would add, were it given weight, is a sum of its own, which is zero
and costs nothing until somebody differentiates it.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from jaxmle.core.closure import explicit
from jaxmle.core.lanes import in_lanes_of


def counting(evaluate: Callable, rows, weights, stand_in, unsound: Callable | None) -> Any:
    """``evaluate(rows, weights)`` of opened ``rows`` as if those of weight zero were not there, with the derivative in
    their weights; see :func:`without_idle` for ``stand_in`` and ``unsound``.

    That derivative is zero for a row that is unsound or has a missing value. Each function is traced once.
    """
    if not jnp.issubdtype(weights.dtype, jnp.inexact):
        weights = weights.astype(float)
    evaluate, numbers = explicit(evaluate, rows, weights)
    unsound, others = explicit(_nowhere if unsound is None else unsound, rows)
    total = evaluate(numbers, *without_idle(rows, weights, stand_in, lambda rows: unsound(others, rows)))
    shape = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), total)
    return total + _nothing(_Debt(evaluate, unsound, shape), weights, (rows, stand_in, numbers, others))


def _nowhere(rows):
    return jnp.zeros((), bool)


def without_idle(rows, weights, stand_in, unsound: Callable | None):
    """Opened ``rows`` with ``stand_in`` in the place of those of weight zero; and the weights.

    ``stand_in`` is one row with its leading axis, None for leaves that all rows share. Lanes that share rows and differ
    in weights go on sharing them: a row is then replaced where it is idle in some lane and ``unsound(rows)`` in all
    lanes where it is not, by one that is sound; it gets the weight NaN in the lanes where it should have counted.
    Weights of zero have derivative zero, see :func:`counting` for the right one.
    """
    idle = ~weights.astype(bool)
    bad = jnp.zeros(idle.shape, bool) | (_nowhere if unsound is None else unsound)(jax.lax.stop_gradient(rows))
    lost = jnp.zeros(idle.shape, bool)
    leaves, treedef = jax.tree_util.tree_flatten(stand_in, is_leaf=_is_none)
    new = []
    for instead, leaf in zip(leaves, treedef.flatten_up_to(rows), strict=True):
        if instead is not None:
            instead, gone, here = _to_replace(idle, bad, *jax.lax.stop_gradient((instead, leaf)))
            leaf, lost = _swap(gone, instead, leaf), lost | here
        new.append(leaf)
    if not jnp.issubdtype(weights.dtype, jnp.inexact):
        weights = weights.astype(float)
    weights = jnp.where(lost, jnp.nan, jnp.where(idle, 0.0, weights))
    return jax.tree_util.tree_unflatten(treedef, new), weights


@jax.custom_batching.custom_vmap
def _to_replace(idle, bad, instead, leaf):
    """What is put into ``leaf``, in the place of which rows, and which of these should have counted: none, but where
    lanes share them."""
    return instead, idle, jnp.zeros(idle.shape, bool)


@_to_replace.def_vmap
def _for_lanes(size, batched, idle, bad, instead, leaf):
    own_idle, own_bad, own_instead, own_leaf = batched
    if not own_idle or own_leaf:
        return (instead, idle, jnp.zeros(idle.shape, bool)), (own_instead, own_idle, own_idle)
    bad = (bad if own_bad else bad[None]) | _missing(leaf)[None]
    gone = jnp.all(idle | bad, axis=0) & jnp.any(idle & bad, axis=0)
    instead = jax.lax.dynamic_slice_in_dim(leaf, jnp.argmin(jnp.any(bad, axis=0)), 1)
    return (instead, gone, gone[None] & ~idle), (False, False, True)


def replaced(rows, gone, stand_in):
    """Opened ``rows`` with ``stand_in`` in the place of those that are ``gone``."""

    def swap(instead, leaf):
        return leaf if instead is None else _swap(gone, instead, leaf)

    return jax.tree.map(swap, stand_in, rows, is_leaf=_is_none)


def not_finite(rows):
    """Which rows have a number that is not finite in any leaf."""
    leaves = [leaf for leaf in jax.tree.leaves(rows) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    flags = [jnp.any(~jnp.isfinite(leaf).reshape(leaf.shape[0], -1), axis=1) for leaf in leaves]
    return functools.reduce(jnp.logical_or, flags, jnp.zeros(jax.tree.leaves(rows)[0].shape[:1], bool))


def _missing(leaf):
    """Which rows have a missing value."""
    if not jnp.issubdtype(leaf.dtype, jnp.inexact):
        return jnp.zeros(leaf.shape[:1], bool)
    return jnp.any(jnp.isnan(leaf).reshape(leaf.shape[0], -1), axis=1)


def _swap(gone, instead, leaf):
    return jnp.where(gone.reshape(-1, *[1] * (leaf.ndim - 1)), instead, leaf)


@dataclasses.dataclass(frozen=True, eq=False)
class _Debt:
    """What rows would add, a function of numbers, rows and weights; which rows are unsound, one of others and rows; and
    the shape of what they add."""

    evaluate: Callable
    unsound: Callable
    shape: Any

    def nothing(self):
        """Zeros of its shape."""
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), self.shape)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _nothing(debt, weights, others):
    return in_lanes_of(debt.nothing(), weights)


def _nothing_jvp(debt, primals, tangents):
    weights, (rows, stand_in, numbers, others) = primals
    change = tangents[0]
    if isinstance(change, SymbolicZero):
        return _nothing(debt, *primals), debt.nothing()
    bad = debt.unsound(others, jax.lax.stop_gradient(rows)) | _any_missing(rows, stand_in, weights)
    rows = replaced(rows, bad, stand_in)
    owes = jnp.where((weights == 0) & ~bad, change, 0.0)
    weights = jnp.zeros_like(weights)
    return _nothing(debt, *primals), jax.jvp(lambda w: debt.evaluate(numbers, rows, w), (weights,), (owes,))[1]


_nothing.defjvp(_nothing_jvp, symbolic_zeros=True)


def _any_missing(rows, stand_in, weights):
    """Which rows have a missing value in a leaf that they do not share."""
    missing = jax.tree.map(lambda i, leaf: None if i is None else _missing(leaf), stand_in, rows, is_leaf=_is_none)
    return functools.reduce(jnp.logical_or, jax.tree.leaves(missing), jnp.zeros(weights.shape, bool))


def _is_none(leaf):
    return leaf is None
