"""Groups of rows: labels of any kind as integers, and the sandwich of rows that depend within groups."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.tree import is_traced
from jaxmle.inference.asked import Asked
from jaxmle.inference.covariances.hat import count_coefficients
from jaxmle.inference.rows.scores import row_weights, scores_in_z
from jaxmle.terms.rows import weighted


def as_groups(groups) -> tuple:
    """``groups`` as a tuple of one or two integer arrays: labels of one way of clustering, or a tuple of two.

    Raises ``ValueError`` where a label is missing or the shape is wrong, ``TypeError`` for labels in a trace that
    are not integers.
    """
    several = isinstance(groups, tuple) and len(groups) > 0 and all(np.ndim(labels) > 0 for labels in groups)
    ways = groups if several else (groups,)
    if len(ways) > 2:
        raise ValueError(f"groups= is one array of labels, or a tuple of two for two ways; it has {len(ways)}")
    return tuple(_as_integers(labels) for labels in ways)


def one_way(ways: tuple[Any, ...]):
    """The one array of labels that :func:`as_groups` made. Raises ``ValueError`` where there are two."""
    first, *others = ways
    if others:
        raise ValueError(
            "rows are resampled by one way of grouping, and groups= has two: give one array of labels; two ways are "
            "for covariance='cluster'"
        )
    return first


def _as_integers(labels):
    if is_traced(labels):
        if not jnp.issubdtype(labels.dtype, jnp.integer):
            raise TypeError(
                f"inside jax.jit or jax.vmap groups are integers, any of them, and these are {labels.dtype}: number "
                "the labels first, by numpy.unique(labels, return_inverse=True)[1]"
            )
        return labels
    array = np.asarray(labels)
    if array.ndim != 1:
        raise ValueError(f"groups= has one label for each row, shape (n,); it has shape {array.shape}")
    if np.issubdtype(array.dtype, np.integer) and array.dtype.itemsize <= 4:
        return jnp.asarray(array)
    missing = [i for i, label in enumerate(array.tolist()) if label is None or label != label]
    if missing:
        raise ValueError(f"groups= is missing at row {missing[0]} ({len(missing)} such rows): give every row a group")
    numbers: dict[Any, int] = {}
    return jnp.asarray([numbers.setdefault(label, len(numbers)) for label in array.tolist()], dtype=int)


def codes_of(*labels):
    """A number below n for each row, the same for rows that have the same ``labels``."""
    order = jnp.lexsort(labels)
    new = jnp.zeros(order.size, bool)
    for label in labels:
        ordered = label[order]
        new = new | jnp.concatenate([jnp.zeros(1, bool), ordered[1:] != ordered[:-1]])
    return jnp.zeros(order.size, order.dtype).at[order].set(jnp.cumsum(new).astype(order.dtype))


def cluster(asked: Asked):
    """The middle of a sandwich whose rows depend within groups: the sum over groups of the outer product of the
    group's score. With two ways of grouping, that of the one plus that of the other less that of both together.

    Source: Liang and Zeger (1986), theorem 2; Cameron, Gelbach and Miller (2011), equation 2.5.
    """
    weights = row_weights(asked.likelihoods(), asked.space, asked.z)
    scores = weighted(scores_in_z(asked.likelihoods(), asked.space, asked.z), weights)
    for labels in asked.groups:
        if labels.shape != weights.shape:
            raise ValueError(
                f"groups= has {labels.shape[0]} labels and the likelihood {weights.size} rows: give one for each row, "
                "of several likelihoods one after the other"
            )
    ways = [(labels,) for labels in asked.groups] + ([asked.groups] if len(asked.groups) == 2 else [])
    pieces = [_one_way(asked, scores, weights, codes_of(*way)) for way in ways]
    signs = (1.0, 1.0, -1.0)
    middle = sum(sign * piece for sign, (piece, _, _) in zip(signs, pieces, strict=False))
    facts = {"groups": jnp.stack([count for _, count, _ in pieces][: len(asked.groups)])}
    if asked.correction:
        facts["factor"] = jnp.stack([factor for _, _, factor in pieces])
    return middle, facts


def _one_way(asked, scores, weights, codes):
    """The middle, the number of groups that have a row of positive weight, and the small-sample factor."""
    size, n, p = weights.size, asked.nobs(), count_coefficients(asked)
    sums = jax.ops.segment_sum(scores, codes, size)
    count = jnp.sum(jax.ops.segment_sum((weights > 0).astype(scores.dtype), codes, size) > 0).astype(scores.dtype)
    factor = count / (count - 1) * (n - 1) / (n - p)
    middle = (factor if asked.correction else 1.0) * (sums.T @ sums)
    return jnp.where(count > 1, middle, jnp.nan), count, factor
