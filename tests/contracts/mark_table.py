"""One row per mark: what it allows, and what it does not. `test_marks` puts every row through the same laws."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import jaxmle as jm


class Row(NamedTuple):
    """A mark and its independent references.

    mark: wraps a value of any batch shape.
    value: an ordinary start.
    sample: random allowed values of a batch shape, made without the mark.
    satisfied: whether each value of a batch meets the constraint, in NumPy.
    measured: the coordinates of a value in which its volume is measured.
    outside: values that are not allowed.
    words: how the constraint is described.
    """

    name: str
    mark: Callable
    value: np.ndarray
    sample: Callable
    satisfied: Callable
    measured: Callable
    outside: list
    words: str


def _whole(value):
    return value


def _all_but_last(value):
    return value[..., :-1]


def _lower_triangle(offset):
    return lambda value: value[(..., *np.tril_indices(value.shape[-1], offset))]


def _unit(vector):
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def _sample_simplex(rng, batch):
    return rng.dirichlet([1.0, 2.0, 3.0, 1.5], size=batch)


def _sample_covariance(rng, batch):
    factor = rng.normal(size=(*batch, 3, 5))
    return factor @ np.swapaxes(factor, -1, -2)


def _sample_correlation(rng, batch):
    factor = _unit(rng.normal(size=(*batch, 3, 5)))
    product = factor @ np.swapaxes(factor, -1, -2)
    return np.where(np.eye(3) == 1, 1.0, 0.5 * (product + np.swapaxes(product, -1, -2)))


def _positive_definite(value):
    """Symmetric to rounding and with a Cholesky factor, which the scale of the rows does not disturb."""
    rounding = 4 * np.finfo(value.dtype).eps * np.abs(value).max()
    try:
        np.linalg.cholesky(value)
    except np.linalg.LinAlgError:
        return False
    return bool(np.all(np.abs(value - np.swapaxes(value, -1, -2)) <= rounding))


def _is_correlation(value):
    unit = np.diagonal(value, axis1=-2, axis2=-1) == 1
    return _positive_definite(value) and bool(np.all(unit)) and bool(np.all(np.abs(value) <= 1))


def _array_bounds(value):
    zeros = np.zeros(np.shape(value))
    return jm.interval(value, lower=zeros + np.array([0.0, -3.0, 10.0]), upper=zeros + np.array([1.0, -2.0, 1000.0]))


def _between_array_bounds(value):
    return np.all((value > [0.0, -3.0, 10.0]) & (value < [1.0, -2.0, 1000.0]))


ROWS = [
    Row(
        "free",
        jm.free,
        np.array([0.5, -2.0]),
        lambda rng, batch: 3 * rng.normal(size=(*batch, 2)),
        lambda value: np.all(np.isfinite(value)),
        _whole,
        [],
        "a finite number",
    ),
    Row(
        "positive",
        jm.positive,
        np.array([0.5, 2.0]),
        lambda rng, batch: rng.gamma(2.0, size=(*batch, 2)),
        lambda value: np.all(value > 0),
        _whole,
        [[1.0, -1.0], [0.0, 1.0], [-0.0, 1.0]],
        "positive",
    ),
    Row(
        "interval",
        lambda value: jm.interval(value, lower=2, upper=7),
        np.array([2.5, 6.0]),
        lambda rng, batch: rng.uniform(2.0, 7.0, size=(*batch, 2)),
        lambda value: np.all((value > 2) & (value < 7)),
        _whole,
        [[2.0, 3.0], [3.0, 7.0], [1.0, 3.0], [3.0, 8.0], [-3.0, 0.0]],
        "between 2.0 and 7.0",
    ),
    Row(
        "interval, lower end",
        lambda value: jm.interval(value, lower=-3),
        np.array([-2.5, 6.0]),
        lambda rng, batch: rng.gamma(2.0, size=(*batch, 2)) - 3,
        lambda value: np.all(value > -3),
        _whole,
        [[-3.0, 0.0], [0.0, -4.0]],
        "above -3.0",
    ),
    Row(
        "interval, upper end",
        lambda value: jm.interval(value, upper=1.5),
        np.array([-2.5, 1.0]),
        lambda rng, batch: 1.5 - rng.gamma(2.0, size=(*batch, 2)),
        lambda value: np.all(value < 1.5),
        _whole,
        [[1.5, 0.0], [0.0, 4.0]],
        "below 1.5",
    ),
    Row(
        "interval, array bounds",
        _array_bounds,
        np.array([0.2, -2.5, 500.0]),
        lambda rng, batch: rng.uniform([0.0, -3.0, 10.0], [1.0, -2.0, 1000.0], size=(*batch, 3)),
        _between_array_bounds,
        _whole,
        [[0.2, 0.2, 500.0], [0.2, -2.5, 10.0], [1.0, -2.5, 500.0]],
        "between",
    ),
    Row(
        "simplex",
        jm.simplex,
        np.array([0.1, 0.2, 0.3, 0.4]),
        _sample_simplex,
        lambda value: np.all(value > 0) and np.allclose(value.sum(-1), 1, rtol=0, atol=1e-15),
        _all_but_last,
        [
            [0.1, 0.2, 0.3, 0.3],
            [0.5, 0.5, 0.5, -0.5],
            [-0.5, 0.5, 0.5, 0.5],
            [0.5, 0.5, 0.0, 0.0],
            [1, 2, 3, 4.0],
            [0.1, 0.2, 0.3, 0.400001],  # far beyond rounding
        ],
        "positive and sum to one along the last axis",
    ),
    Row(
        "ordered",
        jm.ordered,
        np.array([-1.0, 0.0, 3.0]),
        lambda rng, batch: np.sort(rng.normal(size=(*batch, 3)), axis=-1),
        lambda value: np.all(np.diff(value) > 0),
        _whole,
        [[3.0, 2.0, 1.0], [0.0, 0.0, 1.0], [0.0, 2.0, 1.0]],
        "strictly increasing along the last axis",
    ),
    Row(
        "unit vector",
        jm.unit_vector,
        np.array([0.36, -0.48, 0.8]),
        lambda rng, batch: _unit(rng.normal(size=(*batch, 3))),
        lambda value: np.allclose(np.linalg.norm(value, axis=-1), 1, rtol=0, atol=1e-15),
        _whole,
        [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.6, 0.7, 0.0], [-2.0, 0.0, 0.0], [0.600001, 0.8, 0.0]],
        "of length one along the last axis",
    ),
    Row(
        "unit vector, last axis",  # its own pole: no reflection
        jm.unit_vector,
        np.array([0.0, 1.0]),
        lambda rng, batch: _unit(rng.normal(size=(*batch, 2))),
        lambda value: np.allclose(np.linalg.norm(value, axis=-1), 1, rtol=0, atol=1e-15),
        _whole,
        [[0.0, 2.0], [0.0, 0.0]],
        "of length one along the last axis",
    ),
    Row(
        "covariance matrix",
        jm.covariance_matrix,
        np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.2], [0.0, -0.2, 3.0]]),
        _sample_covariance,
        _positive_definite,
        _lower_triangle(0),
        [
            [[2.0, 0.5, 0.0], [0.4, 1.0, 0.0], [0.0, 0.0, 1.0]],  # asymmetric
            [[2.0, 0.5, 0.0], [0.500001, 1.0, 0.0], [0.0, 0.0, 1.0]],
            [[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]],  # indefinite
            [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]],
            [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
        ],
        "a symmetric positive definite matrix",
    ),
    Row(
        "correlation matrix",
        jm.correlation_matrix,
        np.array([[1.0, 0.5, 0.0], [0.5, 1.0, -0.2], [0.0, -0.2, 1.0]]),
        _sample_correlation,
        _is_correlation,
        _lower_triangle(-1),
        [
            [[1.0, 0.5, 0.0], [0.4, 1.0, 0.0], [0.0, 0.0, 1.0]],  # asymmetric
            [[1.0, 0.5, 0.0], [0.500001, 1.0, 0.0], [0.0, 0.0, 1.0]],
            [[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]],  # indefinite
            [[1.0, 1.5, 0.0], [1.5, 1.0, 0.0], [0.0, 0.0, 1.0]],
            [[2.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]],  # a covariance matrix
            [[1.000001, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]],
        ],
        "a correlation matrix: symmetric, positive definite, with a unit diagonal",
    ),
]


def _in_batch(row, batch=(2, 1)):
    """The same row with batch axes in front of everything."""

    def stretch(value):
        return np.broadcast_to(value, (*batch, *np.shape(value))).copy()

    def with_a_bad_last(bad):
        value = stretch(row.value)
        value[-1, -1] = bad
        return value

    return row._replace(
        name=f"{row.name}, in a batch",
        value=stretch(row.value),
        sample=lambda rng, shape: row.sample(rng, (*shape, *batch)),
        outside=[with_a_bad_last(bad) for bad in row.outside],
    )


def _with_missing(row):
    """Every row refuses a NaN or an infinity in one place."""
    bad = [row.value.copy() for _ in range(3)]
    for value, wrong in zip(bad, (np.nan, np.inf, -np.inf), strict=True):
        value[(-1,) * value.ndim] = wrong
    return row._replace(outside=[np.asarray(value, float) for value in row.outside] + bad)


# The others are elementwise, or the same code.
IN_BATCH = (
    "interval, array bounds",
    "simplex",
    "ordered",
    "unit vector",
    "covariance matrix",
    "correlation matrix",
)
TABLE = [_with_missing(row) for row in ROWS] + [_with_missing(_in_batch(row)) for row in ROWS if row.name in IN_BATCH]
