"""Ragged groups, each with its own number of rows, as lanes of a few shapes."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.terms import rows as row_tools

_SPARE = 0.25  # of the rows of all lanes are padding at most
_CANDIDATES = 256


class Pack(NamedTuple):
    """Groups of about one size as lanes of one shape.

    ``labels`` (g,) are theirs; the leaves of ``data`` are (g, rows, ...), ``weights`` (g, rows). A group shorter than
    the longest of its pack is filled up with copies of its first row, of weight zero.
    """

    labels: np.ndarray
    data: Any
    weights: Any


class Groups(Sequence):
    """The packs of a data set, in order of size; ``labels`` are those of all groups, sorted."""

    def __init__(self, packs: list[Pack]):
        self._packs = packs
        everything = np.concatenate([pack.labels for pack in packs])
        self._order = np.argsort(everything, kind="stable")
        self.labels = everything[self._order]

    def __repr__(self) -> str:
        packs = ", ".join(f"{pack.labels.size} of up to {np.shape(pack.weights)[1]} rows" for pack in self._packs)
        return f"Groups({self.labels.size} groups in {len(self)} packs: {packs})"

    def __len__(self) -> int:
        return len(self._packs)

    def __getitem__(self, index):
        return self._packs[index]

    def __iter__(self) -> Iterator[Pack]:
        return iter(self._packs)

    def in_order(self, results: Sequence[Any]) -> Any:
        """One tree, lanes in the order of ``labels``, from one tree for each pack whose leaves have a lane axis.

        Raises ``ValueError`` where there is not one for each pack, or one has not as many lanes as its pack groups.
        """
        if len(results) != len(self._packs):
            raise ValueError(f"there are {len(self._packs)} packs and {len(results)} results; give one for each pack")
        for number, (pack, result) in enumerate(zip(self._packs, results, strict=True)):
            lanes = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(result)}
            if lanes != {pack.labels.shape}:
                raise ValueError(
                    f"pack {number} has {pack.labels.size} groups, and leaves of its result have the leading lengths "
                    f"{sorted(lanes)}: give the results in the order of the packs"
                )
        return jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[self._order], *results)


def group_by(data: Any, labels: Any, weights: Any = None) -> Groups:
    """The rows of ``data`` by their labels, packed by size into few shapes, for a batch of each.

    Arguments: ``data``, a tree of arrays with one row for each observation, or a data frame of numbers; ``labels``
    (n,), which group a row belongs to: numbers or texts; ``weights`` (n,), case weights, one each by default.

    Returns a sequence of packs, each with ``labels``, ``data`` and ``weights`` for lanes of one shape; groups are
    filled up with rows of weight zero, which change no estimate, no standard error and no ``nobs``. Shapes are as few
    as there can be with at most a quarter of the rows filled up. ``in_order(results)`` puts what was found of each
    pack into one tree in the order of ``groups.labels``. Runs on the host, and copies the data.

    Errors: ``ValueError`` for labels that are missing or not one for each row, or pandas rows labelled differently;
    those of terms about data and weights.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> groups = group_by({"y": [1.0, 3.0, 5.0, 8.0]}, ["b", "a", "b", "a"])
    >>> def fit(pack):
    ...     normal = lambda p, rows: jm.densities.normal.logpdf(rows["y"], p["mu"], 1.0)
    ...     return jm.fit_batch(jm.likelihood(normal, pack.data, pack.weights), {"mu": 0.0})
    >>> fits = groups.in_order([fit(pack) for pack in groups])
    >>> groups.labels.tolist(), fits.params["mu"].round(4).tolist()
    (['a', 'b'], [5.5, 3.0])

    Source: dynamic programming for one-dimensional classes: Fisher (1958), "On grouping for maximum homogeneity".
    """
    row_tools.check_labels(data=data, labels=labels, weights=weights)
    data = jax.tree.map(np.asarray, row_tools.as_rows(data))
    n = row_tools.count_rows(data)
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"there must be one label for each of the {n} rows; the labels have shape {labels.shape}")
    _check_labels(labels)
    weights = np.ones(n) if weights is None else np.asarray(weights)
    row_tools.check_weights_shape(weights, n, "group_by")
    names, group, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    packs, below = [], 0
    for size in _shapes(sizes):
        members = np.flatnonzero((sizes > below) & (sizes <= size))
        packs.append(_pack(data, weights, names[members], order, firsts[members], sizes[members], int(size)))
        below = size
    return Groups(packs)


def _check_labels(labels) -> None:
    missing = [label is None or label != label for label in labels] if labels.dtype.kind in "OfmM" else []
    if any(missing):
        raise ValueError(
            f"the label of row {missing.index(True)} is missing ({sum(missing)} such rows, counted from zero); drop "
            "these rows, or give them a label of their own"
        )


def _pack(data, weights, names, order, firsts, sizes, size) -> Pack:
    """The groups ``names``, whose rows are ``order[first : first + size of the group]``, as lanes of ``size`` rows."""
    place = np.arange(size)
    real = place < sizes[:, None]
    rows = order[firsts[:, None] + np.where(real, place, 0)]

    def cut(leaf):
        return leaf if row_tools.is_shared(leaf) else jnp.asarray(leaf[rows])

    lanes = jax.tree.map(cut, data, is_leaf=row_tools.is_shared)
    return Pack(names, lanes, jnp.asarray(np.where(real, weights[rows], 0)))


def _shapes(sizes) -> np.ndarray:
    """As few lengths of lanes as leave at most a quarter of all their rows unused, the best of that number."""
    ends = np.unique(sizes)
    if ends.size > _CANDIDATES:
        ends = np.unique(np.quantile(ends, np.linspace(0.0, 1.0, _CANDIDATES), method="higher"))
    counts = np.bincount(np.searchsorted(ends, sizes), minlength=ends.size)
    upto = np.concatenate([[0], np.cumsum(counts)])
    # rows[i, j]: of the lanes that hold the groups of the i-th to the j-th size; best[j]: of all up to the j-th.
    rows = np.where(np.tri(ends.size).T > 0, (upto[None, 1:] - upto[:-1, None]) * ends[None, :], np.inf)
    best, cuts = rows[0], []
    while best[-1] * (1.0 - _SPARE) > sizes.sum() and len(cuts) < ends.size - 1:
        tried = best[:-1, None] + rows[1:]
        cuts.append(np.argmin(tried, axis=0))
        best = np.min(tried, axis=0)
    chosen = [ends.size - 1]
    for cut in reversed(cuts):
        chosen.append(cut[chosen[-1]])
    return ends[chosen[::-1]]
