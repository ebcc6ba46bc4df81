"""Terms that are sums over rows, with some of their rows."""

import dataclasses
from typing import Any

import jax

from jaxmle.terms import rows as row_tools
from jaxmle.terms.likelihood import RowLikelihood
from jaxmle.terms.objective import Term
from jaxmle.terms.regression import Regression


def has_rows(term: Term) -> bool:
    """Whether ``term`` is a sum over rows that can be told apart."""
    return isinstance(term, RowLikelihood | Regression)


def row_fields(term: Term) -> tuple[str, ...]:
    """The fields of a term that have rows, the weights last where there are any."""
    fields = ("x", "y") if isinstance(term, Regression) else ("data",)
    return fields if term.weights_of_rows() is None else (*fields, "weights")


def at_rows(term: Term, take) -> Any:
    """``term`` with ``take`` applied to every array that has rows."""

    def apply(leaf):
        return leaf if row_tools.is_shared(leaf) else take(leaf)

    fields = {name: getattr(term, name) for name in row_fields(term)}
    return dataclasses.replace(term, **jax.tree.map(apply, fields, is_leaf=row_tools.is_shared))


def count_rows(term: Term) -> int:
    """How many rows a term with rows has."""
    return row_tools.count_rows({name: getattr(term, name) for name in row_fields(term)})
