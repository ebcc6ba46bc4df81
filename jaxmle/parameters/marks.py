"""Marks: what a user wraps around a leaf of the start to say what values it may take.

``{"beta": jnp.zeros(3), "sigma": jm.positive(1.0), "df": jm.fixed(4.0)}`` is a start: its values, and the
constraint of each leaf beside its value. A leaf without a mark is free. Every mark takes ``labels=`` to name the
numbers in it, one string each, in the order of ``numpy.ravel``.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.tree import as_number
from jaxmle.parameters import bijections


class Mark(eqx.Module):
    """A value and its constraint. ``bijection`` is None for a fixed leaf."""

    value: Any
    bijection: bijections.Bijection | None
    labels: tuple[str, ...] | None = eqx.field(static=True, default=None)


class Tied(eqx.Module):
    """A leaf that takes the value of another leaf."""

    path: str = eqx.field(static=True)


def _is_mark(leaf) -> bool:
    return isinstance(leaf, Mark | Tied)


def _mark(value, bijection, labels):
    if any(_is_mark(leaf) for leaf in jax.tree.leaves(value, is_leaf=_is_mark)):
        raise TypeError("a leaf carries one mark; this value, or a leaf of it, is marked already: mark the bare value")
    if isinstance(labels, str):
        raise TypeError(f"labels must be a list of names, one for each number, not the text {labels!r}")
    if bijection is not None and isinstance(value, list | tuple):
        value = jnp.asarray(value)
    return Mark(value, bijection, None if labels is None else tuple(str(label) for label in labels))


def free(value, labels: Sequence[str] | None = None) -> Mark:
    """Any finite number, as an unmarked leaf is; the mark is for naming coefficients.

    Arguments: ``value``, a start of any shape; ``labels``, one name for each number.

    >>> free([0.0, 0.0], labels=["const", "gpa"]).labels
    ('const', 'gpa')
    """
    return _mark(value, bijections.Identity(), labels)


def positive(value, labels: Sequence[str] | None = None) -> Mark:
    """Numbers above zero: scales, rates, shapes. Fitted as exp(z).

    Arguments: ``value``, a positive start of any shape; ``labels``, one name for each number.

    >>> positive(1.0).value
    1.0
    """
    return _mark(value, bijections.Exp(), labels)


def interval(value, lower: Any = None, upper: Any = None, labels: Sequence[str] | None = None) -> Mark:
    """Numbers strictly between ``lower`` and ``upper``; either end may be left out.

    Arguments: ``value``, a start of any shape; ``lower`` and ``upper``, numbers or arrays of that shape; ``labels``,
    one name for each number. Raises ``ValueError`` where both ends are missing.

    >>> interval(0.3, lower=0, upper=1).bijection.describe()
    'between 0.0 and 1.0'
    """
    lower, upper = as_number(lower), as_number(upper)
    if lower is None and upper is None:
        raise ValueError("jm.interval needs lower, upper or both; for a free number use jm.free")
    if lower is None:
        return _mark(value, bijections.Below(upper), labels)
    if upper is None:
        return _mark(value, bijections.Above(lower), labels)
    return _mark(value, bijections.Between(lower, upper), labels)


def simplex(value, labels: Sequence[str] | None = None) -> Mark:
    """Positive numbers that sum to one along the last axis (shape ``(..., K)``, K - 1 of them free).

    >>> simplex([0.2, 0.3, 0.5]).bijection.describe()
    'positive and sum to one along the last axis'
    """
    return _mark(value, bijections.Simplex(), labels)


def ordered(value, labels: Sequence[str] | None = None) -> Mark:
    """Strictly increasing numbers along the last axis: cutpoints.

    >>> ordered([-1.0, 0.0, 2.0]).bijection.describe()
    'strictly increasing along the last axis'
    """
    return _mark(value, bijections.Ordered(), labels)


def unit_vector(value, labels: Sequence[str] | None = None) -> Mark:
    """Vectors of length one along the last axis (shape ``(..., K)``, K - 1 numbers free).

    The free numbers are the stereographic projection around ``value``; only the point opposite to the start
    is out of reach.

    >>> unit_vector([0.6, 0.8]).bijection.describe()
    'of length one along the last axis'
    """
    marked = _mark(value, bijections.Identity(), labels)
    return Mark(marked.value, bijections.UnitVector(marked.value), marked.labels)


def covariance_matrix(value, labels: Sequence[str] | None = None) -> Mark:
    """Symmetric positive definite matrices (shape ``(..., K, K)``, K (K + 1) / 2 numbers free).

    >>> covariance_matrix([[2.0, 0.5], [0.5, 1.0]]).bijection.describe()
    'a symmetric positive definite matrix'
    """
    return _mark(value, bijections.Covariance(), labels)


def correlation_matrix(value, labels: Sequence[str] | None = None) -> Mark:
    """Correlation matrices (shape ``(..., K, K)``, K (K - 1) / 2 numbers free; Lewandowski and others 2009).

    >>> correlation_matrix([[1.0, 0.5], [0.5, 1.0]]).bijection.describe()
    'a correlation matrix: symmetric, positive definite, with a unit diagonal'
    """
    return _mark(value, bijections.Correlation(), labels)


def fixed(value, labels: Sequence[str] | None = None) -> Mark:
    """A value that is not fitted: absent from z, from the covariance and from the count of parameters.

    Anything may be fixed, a whole sub-tree too; a list of nothing but floats is an array, as under the other
    marks.

    >>> fixed(4.0).bijection is None
    True
    """
    is_vector = (
        isinstance(value, list) and bool(value) and all(isinstance(number, float | np.floating) for number in value)
    )
    return _mark(jnp.asarray(value) if is_vector else value, None, labels)


def tied(path: str) -> Tied:
    """A leaf that always takes the value of the leaf called ``path`` ("beta", "groups[1].scale").

    >>> tied("sigma").path
    'sigma'
    """
    return Tied(path)
