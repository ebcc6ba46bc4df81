"""Rows that come from the host, batch by batch, because they do not fit on the device."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np

from jaxmle.fitting.minibatch import Cut
from jaxmle.terms import rows as row_tools
from jaxmle.terms.sample import row_fields


class Stream:
    """The rows of an iterable of batches, cut anew into steps of ``size`` rows whatever sizes they come in.

    ``cut`` has one term with rows, whose own data say what a batch looks like; ``rows`` is how many one pass gives.
    """

    def __init__(self, batches: Iterable | Callable[[int], Iterable], cut: Cut, size: int, rows: int):
        if not callable(batches) and (not isinstance(batches, Iterable) or iter(batches) is batches):
            raise TypeError(
                f"batches is gone through once an epoch, and a {type(batches).__name__} cannot be: give a list, a "
                "loader that starts anew each time, or a function batches(epoch) that returns an iterator"
            )
        if len(cut.sampled) != 1:
            raise ValueError(
                f"batches replace the data of one term, and the objective has {len(cut.sampled)} terms with rows: add "
                "up their log-likelihoods in one function"
            )
        self.batches, self.cut, self.size, self.total = batches, cut, size, rows
        self.fields = row_fields(cut.sampled[0])
        template = {name: getattr(cut.sampled[0], name) for name in self.fields}
        self.template, self.structure = jax.tree_util.tree_flatten(template, row_tools.is_shared)

    def steps(self, epoch: int, skip: int = 0) -> Iterator[tuple[Cut, int]]:
        """For each step of an epoch, but for the first ``skip``, its rows in the place of the term's and how many
        of them count: a short last step is filled up with its own rows once more.

        Raises ``ValueError`` where the pass did not have as many rows as it should, or a weight is negative.
        """
        seen = 0
        for i, leaves in enumerate(self._pieces(self.batches(epoch) if callable(self.batches) else self.batches)):
            real = len(leaves[0])
            seen += real
            if seen > self.total:
                break
            if i >= skip:
                again = np.arange(self.size) % real
                yield self._cut([leaf if real == self.size else leaf[again] for leaf in leaves]), real
        if seen != self.total:
            raise ValueError(
                f"a pass over the batches gave {'more than ' * (seen > self.total)}{min(seen, self.total)} rows, and "
                f"nobs says {self.total}: nobs is how many rows one epoch has, on which the weight of the prior depends"
            )

    def _pieces(self, batches) -> Iterator[list[np.ndarray]]:
        held = None
        for number, batch in enumerate(batches):
            leaves = self._leaves(batch)
            if self.fields[-1] == "weights":
                _check_weights(leaves[-1], number)
            held = leaves if held is None else [np.concatenate(pair) for pair in zip(held, leaves, strict=True)]
            for _ in range(len(held[0]) // self.size):
                yield [leaf[: self.size] for leaf in held]
                held = [leaf[self.size :] for leaf in held]
        if held is not None and len(held[0]):
            yield held

    def _leaves(self, batch) -> list[np.ndarray]:
        """The arrays with rows of one batch, checked against the term's own."""
        parts = (batch,) if len(self.fields) == 1 else batch
        wanted = "the data alone" if len(self.fields) == 1 else f"a tuple of {', '.join(self.fields)}"
        if not isinstance(parts, tuple) or len(parts) != len(self.fields):
            entries = f" of {len(batch)}" if isinstance(batch, tuple) else ""
            raise ValueError(f"a batch for this term is {wanted}; one is a {type(batch).__name__}{entries}")
        tree = dict(zip(self.fields, parts, strict=True))
        leaves, structure = jax.tree_util.tree_flatten(tree, row_tools.is_shared)
        if structure != self.structure:
            raise ValueError(f"a batch is built as {structure}, and the data of the term as {self.structure}")
        pairs = zip(leaves, self.template, strict=True)
        arrays = [_like(leaf, own) for leaf, own in pairs if not row_tools.is_shared(own)]
        if len({len(array) for array in arrays}) > 1:
            raise ValueError(f"the arrays of a batch have {[len(array) for array in arrays]} rows; they need the same")
        return arrays

    def _cut(self, arrays: list[np.ndarray]) -> Cut:
        """The cut with ``arrays`` in the place of the term's rows."""
        rows = iter(arrays)
        leaves = [own if row_tools.is_shared(own) else next(rows) for own in self.template]
        fields = jax.tree_util.tree_unflatten(self.structure, leaves)
        term = dataclasses.replace(self.cut.sampled[0], **fields)
        return Cut((term,), self.cut.factors, self.cut.whole)


def _check_weights(weights: np.ndarray, number: int) -> None:
    bad = np.flatnonzero(~((weights >= 0) & np.isfinite(weights)))
    if bad.size:
        raise ValueError(
            f"the weight of row {bad[0]} of batch {number} is {weights[bad[0]]} ({bad.size} such row"
            f"{'s' * (bad.size > 1)} in it, all counted from zero); weights count cases, so they are finite and zero "
            "or more"
        )


def _like(leaf: Any, own) -> np.ndarray:
    """A leaf of a batch in the dtype of the term's own."""
    array = np.asarray(leaf)
    if array.ndim == 0 or array.shape[1:] != own.shape[1:] or not np.can_cast(array.dtype, own.dtype, "same_kind"):
        raise ValueError(
            f"a batch has an array of shape {array.shape} and type {array.dtype} where the term has rows of shape "
            f"{own.shape[1:]} and type {own.dtype}; make the batches like the data that the term was made with"
        )
    return array.astype(own.dtype, copy=False)
