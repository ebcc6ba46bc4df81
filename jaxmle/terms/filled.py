"""Rows of weight zero replaced once and for all, where a likelihood is evaluated many times with the same rows.

An evaluation replaces them each time, which copies the data and costs as much as the rest of it. Where nobody
differentiates in the weights it may be done before: with the rows :func:`filled` and the term :func:`marked` as such.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax

from jaxmle.terms import rows as row_tools
from jaxmle.terms.likelihood import RowLikelihood
from jaxmle.terms.objective import Objective, Term
from jaxmle.terms.regression import Regression


def marked(objective: Term, whole: Term) -> Term:
    """``objective``, whose likelihoods that are weighted in ``whole`` take it that their rows are filled. It may have
    anything in the place of arrays."""
    weighted = [_has_weights(term) for term in _terms(whole)]
    return _each(objective, weighted, lambda term: dataclasses.replace(term, is_filled=True))


def filled(objective: Term) -> Term:
    """``objective`` with the first row that counts in the place of each of weight zero."""

    def fill(term):
        rows = {name: getattr(term, name) for name in _rows_of(term)}
        return dataclasses.replace(term, **row_tools.counted(rows, term.weights))

    return _each(objective, [_has_weights(term) for term in _terms(objective)], fill)


def owns_its_rows(own: Term, whole: Term) -> bool:
    """Whether there are weighted likelihoods in ``whole``, and all their rows and weights are in ``own`` too, which has
    None for what lanes share: what they share cannot be filled for each."""
    pairs = zip(_terms(own), _terms(whole), strict=True)
    pairs = [(mine, term) for mine, term in pairs if _has_weights(term)]
    return bool(pairs) and all(
        len(jax.tree.leaves(getattr(mine, name))) == len(jax.tree.leaves(getattr(term, name)))
        for mine, term in pairs
        for name in (*_rows_of(term), "weights")
    )


def _terms(objective: Term) -> tuple[Any, ...]:
    return objective.terms if isinstance(objective, Objective) else (objective,)


def _has_weights(term: Any) -> bool:
    return isinstance(term, Regression | RowLikelihood) and term.weights is not None


def _rows_of(term: Any) -> tuple[str, ...]:
    return ("x", "y") if isinstance(term, Regression) else ("data",)


def _each(objective: Any, which: list[bool], change: Callable) -> Any:
    """``objective`` with a ``change`` of the terms ``which`` are meant."""
    terms = tuple(change(term) if meant else term for meant, term in zip(which, _terms(objective), strict=True))
    return dataclasses.replace(objective, terms=terms) if isinstance(objective, Objective) else terms[0]
