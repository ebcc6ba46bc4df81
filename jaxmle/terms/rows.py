"""Rows: data whose leaves share a leading axis, and sums over blocks of them.

Derivatives are taken *inside* a block and the evaluations added; nothing is ever differentiated through the sum. A
block is sized so that it stays in a core's cache on a CPU; on an accelerator blocks are large.
"""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.row_labels import check_row_labels
from jaxmle.core.tree import as_array, is_traced, named_leaves
from jaxmle.terms.idle import counting, replaced, without_idle

CPU_BLOCK_NUMBERS = 2**18
ACCELERATOR_BLOCK_NUMBERS = 2**26


class Shared(eqx.Module):
    """Data that all rows share."""

    value: Any


def shared(value) -> Shared:
    """Mark a leaf of the data as shared by all rows: it has no leading axis and is not cut into blocks.

    >>> data = {"y": [1.0, 2.0], "knots": shared([0.0, 0.5, 1.0])}
    """
    return Shared(value)


def is_shared(leaf) -> bool:
    """Whether ``leaf`` is data that all rows share, marked by :func:`shared`."""
    return isinstance(leaf, Shared)


def check_labels(**given) -> None:
    """Raise ``ValueError`` where pandas labels the rows of what is ``given`` differently; what is shared has none."""

    def of_rows(tree):
        return jax.tree.map(lambda leaf: None if is_shared(leaf) else leaf, tree, is_leaf=is_shared)

    check_row_labels(**{name: of_rows(tree) for name, tree in given.items()})


def as_rows(data, what: str = "data"):
    """``data`` with every leaf an array, lists of numbers included. Raises ``TypeError`` where one is not numbers."""

    if hasattr(data, "columns") and hasattr(data, "to_numpy"):  # a data frame: a dict of its columns
        data = {str(name): data[name].to_numpy() for name in data.columns}

    def convert(path_leaf):
        name, leaf = path_leaf
        label = f"{what} leaf {name!r}" if name else what
        if is_shared(leaf):
            return Shared(jax.tree.map(lambda x: as_array(x, label), leaf.value))
        return as_array(leaf, label)

    leaves, treedef = jax.tree_util.tree_flatten(data, _is_row_leaf)
    names = [name for name, _ in named_leaves(data, _is_row_leaf)]
    return jax.tree_util.tree_unflatten(treedef, [convert(pair) for pair in zip(names, leaves, strict=True)])


def _is_row_leaf(leaf) -> bool:
    """Shared data, and lists that hold numbers only (so that ``[0, 1, 1]`` is a column)."""
    flat = isinstance(leaf, list) and bool(leaf) and not any(_holds_arrays(item) for item in leaf)
    return is_shared(leaf) or flat


def _holds_arrays(item) -> bool:
    return isinstance(item, dict | tuple | jax.Array | np.ndarray | Shared) or (
        isinstance(item, list) and any(_holds_arrays(x) for x in item)
    )


def open_shared(data):
    """``data`` as the user's function sees it: shared leaves bare."""
    return jax.tree.map(lambda leaf: leaf.value if is_shared(leaf) else leaf, data, is_leaf=is_shared)


def row_leaves(data) -> list[tuple[str, Any]]:
    """The leaves that have rows, with their names."""
    return [(name, leaf) for name, leaf in named_leaves(data, is_shared) if not is_shared(leaf)]


def count_rows(data, what: str = "data") -> int:
    """The length of the leading axis that all row leaves have.

    Raises ``ValueError`` where there is no row leaf, one without an axis, no rows, or two lengths (naming both).
    """
    leaves = row_leaves(data)
    if not leaves:
        raise ValueError(f"{what} has no leaf with rows; give arrays with one row for each observation")
    for name, leaf in leaves:
        if jnp.ndim(leaf) == 0:
            raise ValueError(
                f"{what} leaf {_named(name)} is a single number, not a column of rows; if all rows share it, "
                "wrap it in jm.shared(...)"
            )
    (first, leaf), n = leaves[0], leaves[0][1].shape[0]
    for name, other in leaves[1:]:
        if other.shape[0] != n:
            raise ValueError(
                f"{what} leaves have different numbers of rows: {_named(first)} has shape {leaf.shape} and "
                f"{_named(name)} has shape {other.shape}; give every leaf one entry for each row, or wrap what all "
                "rows share in jm.shared(...)"
            )
    if n == 0:
        raise ValueError(f"{what} is empty: no rows, so nothing can be estimated; check how it was filtered")
    return n


def block_rows(n: int, data, block: int | None) -> int:
    """How many of ``n`` rows one block holds: at most ``block``, or what fits the backend's fast memory, and rather a
    divisor of n, so that no row has to be masked."""
    if block is None:
        width = sum(max(1, math.prod(leaf.shape[1:])) for _, leaf in row_leaves(data))
        cpu = jax.default_backend() == "cpu"
        numbers = CPU_BLOCK_NUMBERS if cpu else ACCELERATOR_BLOCK_NUMBERS
        block = max(256, numbers // max(width, 4))
    fewest = math.ceil(n / min(block, n))
    even = next((count for count in range(fewest, fewest + fewest // 4 + 1) if n % count == 0), fewest)
    return math.ceil(n / even)


def sum_over_blocks(
    evaluate: Callable, data, weights, block: int | None, unsound: Callable | None = None, is_filled: bool = False
) -> Any:
    """The sum of ``evaluate(rows, weights)``, an evaluation or an array, over blocks of the rows of ``data``.

    ``weights`` may be None; it stays so where there is one block only. Blocks are equal but for the last, which
    starts early enough to be full: the rows it shares with the block before it count nothing the second time. What is
    in a row of weight zero makes no difference but to the derivative in its weight: see :mod:`jaxmle.terms.idle`.
    ``unsound(rows)`` says which rows spoil an evaluation, (n,). Where rows are ``is_filled`` none does, and weights
    have no derivative: see :mod:`jaxmle.terms.filled`.
    """
    stand_in = None if is_filled else first_that_counts(data, weights)

    def evaluated(evaluate, rows, weights):
        return evaluate(rows, weights) if is_filled else counting(evaluate, rows, weights, stand_in, unsound)

    n = count_rows(data)
    size = block_rows(n, data, block)
    count = math.ceil(n / size)
    if count == 1:
        rows = open_shared(data)
        return evaluate(rows, None) if weights is None else evaluated(evaluate, rows, weights)

    def at(i):
        start = jnp.minimum(i * size, n - size)
        rows = jax.tree.map(
            lambda leaf: leaf.value if is_shared(leaf) else jax.lax.dynamic_slice_in_dim(leaf, start, size),
            data,
            is_leaf=is_shared,
        )
        if weights is None and count * size == n:
            return evaluate(rows, None)
        fresh = start + jnp.arange(size) >= i * size
        if weights is None:
            return evaluate(rows, jnp.where(fresh, 1.0, 0.0))
        w = jax.lax.dynamic_slice_in_dim(weights, start, size)
        return evaluated(lambda rows, w: evaluate(rows, jnp.where(fresh, w, 0.0)), rows, w)

    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(at, 0))
    return jax.lax.fori_loop(0, count, lambda i, total: total + at(i), zeros)


def first_that_counts(data, weights) -> Any:
    """The first row of ``data`` whose weight is not zero, with its leading axis, None for leaves that all rows share;
    None where there are no weights."""
    if weights is None:
        return None
    first = jnp.argmax(weights.astype(bool))
    return jax.tree.map(
        lambda leaf: None if is_shared(leaf) else jax.lax.dynamic_slice_in_dim(leaf, first, 1), data, is_leaf=is_shared
    )


def counted(data, weights, unsound: Callable | None = None):
    """``data`` with the first row that counts in the place of each of weight zero; see :func:`without_idle` for lanes
    that share rows."""
    if weights is None:
        return data
    rows = without_idle(open_shared(data), weights, first_that_counts(data, weights), unsound)[0]
    return jax.tree.map(lambda leaf, row: leaf if is_shared(leaf) else row, data, rows, is_leaf=is_shared)


def counted_column(values, weights):
    """``values``, one for each row, with the first that counts in the place of each of weight zero, in every lane those
    of its own: a column is no more to copy than the weights are."""
    if weights is None:
        return values
    return replaced(values, ~weights.astype(bool), first_that_counts(values, weights))


def open_sound(data, weights, unsound: Callable):
    """``data`` as the user's function sees it, with another row in the place of each that has weight zero and is
    ``unsound``; and which these are."""
    rows = open_shared(data)
    if weights is None:
        return rows, jnp.zeros(count_rows(data), bool)
    bad = ~weights.astype(bool) & unsound(jax.lax.stop_gradient(rows))
    return replaced(rows, bad, first_that_counts(data, weights)), bad


def open_counted(data, weights):
    """``data`` as the user's function sees it, with another row in the place of each that has weight zero."""
    return open_shared(counted(data, weights))


def weighted(values, weights) -> Any:
    """``weights * values``; of a row of weight zero, values that are not finite count as zero."""
    if weights is None or values is None:
        return values
    weights = weights.astype(values.dtype).reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
    return weights * jnp.where((weights == 0) & ~jnp.isfinite(values), 0.0, values)


def have_weight(weights, n: int):
    """Which of ``n`` rows have a weight other than zero, on the host; all where weights are absent or traced."""
    if weights is None or is_traced(weights) or np.shape(weights) != (n,):
        return np.ones(n, bool)
    return np.asarray(weights) != 0


def explain_rows(named: dict[str, Any], weights=None, failing=None) -> list[str]:
    """A sentence for each leaf of concrete data, by ``name``, with a value that is missing or, where none is, infinite:
    which leaf, which first row.

    Where it is known which rows are ``failing``, the others are not to blame; and neither is an infinite value of a
    leaf that has the same in others (the end of a censored time).
    """
    missing, infinite = [], []
    failing = None if failing is None or not failing.any() else failing
    for what, data in named.items():
        for name, leaf in row_leaves(data):
            if is_traced(leaf) or not jnp.issubdtype(leaf.dtype, jnp.inexact):
                continue
            values, name = np.asarray(leaf), f"{what}{' leaf ' + repr(name) if name else ''}"
            looked_at = have_weight(weights, len(values)) if values.ndim else np.ones((), bool)
            blamed = looked_at if failing is None else looked_at & failing
            missing += _explain_leaf(name, np.isnan(values), blamed, "missing (NaN)")
            endless = [values == end for end in (-np.inf, np.inf)]
            endless = [bad for bad in endless if not _cut(bad, looked_at & ~blamed).any()]
            infinite += _explain_leaf(name, np.any(endless, axis=0), blamed, "infinite") if endless else []
    return missing or infinite


def _cut(bad, rows):
    """Which values of some ``rows`` are ``bad``."""
    return bad & rows.reshape(-1, *[1] * (bad.ndim - 1)) if bad.ndim else bad & rows


def _explain_leaf(name, bad, rows, kind) -> list[str]:
    bad = _cut(bad, rows)
    if not bad.any():
        return []
    first = [int(i) for i in np.argwhere(bad)[0]]
    count = int(bad.reshape(bad.shape[0], -1).any(axis=1).sum())
    column = f", column {', '.join(map(str, first[1:]))}" if len(first) > 1 else ""
    return [
        f"{name} is {kind} at row {first[0]}{column} ({count} such row{'s' * (count > 1)}, counted from zero); drop or "
        "fill these rows first"
    ]


def check_weights_shape(weights, n: int, what: str) -> None:
    """Raise ``ValueError`` unless there is one weight for each row."""
    if weights is not None and weights.shape != (n,):
        raise ValueError(f"{what} needs one weight for each of its {n} rows; the weights have shape {weights.shape}")


def _named(name: str) -> str:
    return repr(name) if name else "(the array itself)"
