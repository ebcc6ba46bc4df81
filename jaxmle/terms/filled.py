"""Rows of weight zero replaced once and for all, where a likelihood is evaluated many times with the same rows.

An evaluation replaces them each time, which copies the data and costs as much as the rest of it. Where nobody
differentiates in the weights it may be done before: with the rows :func:`filled` and the term :func:`marked` as such.
"""

import dataclasses
from collections.abc import Callable

import jax

from jaxmle.terms import rows as row_tools
from jaxmle.terms.objective import Objective, Term, as_objective
from jaxmle.terms.sample import has_rows, row_fields


def marked(objective: Term, whole: Term) -> Objective:
    """``objective``, whose likelihoods that are weighted in ``whole`` take it that their rows are filled. It may have
    anything in the place of arrays."""
    return _each(objective, whole, lambda term: dataclasses.replace(term, is_filled=True))


def filled(objective: Term) -> Objective:
    """``objective`` with the first row that counts in the place of each of weight zero."""

    def fill(term):
        *names, weights = row_fields(term)
        rows = {name: getattr(term, name) for name in names}
        return dataclasses.replace(term, **row_tools.counted(rows, getattr(term, weights)))

    return _each(objective, objective, fill)


def owns_its_rows(own: Term, whole: Term) -> bool:
    """Whether there are weighted likelihoods in ``whole``, and all their rows and weights are in ``own`` too, which has
    None for what lanes share: what they share cannot be filled for each."""
    pairs = zip(as_objective(own).terms, as_objective(whole).terms, strict=True)
    weighted = [(mine, term) for mine, term in pairs if _is_weighted(term)]
    return bool(weighted) and all(
        len(jax.tree.leaves(getattr(mine, name))) == len(jax.tree.leaves(getattr(term, name)))
        for mine, term in weighted
        for name in row_fields(term)
    )


def _is_weighted(term: Term) -> bool:
    return has_rows(term) and term.weights_of_rows() is not None


def _each(objective: Term, whole: Term, change: Callable) -> Objective:
    """``objective`` with a ``change`` of each likelihood that is weighted in ``whole``."""
    objective = as_objective(objective)
    pairs = zip(objective.terms, as_objective(whole).terms, strict=True)
    terms = tuple(change(mine) if _is_weighted(term) else mine for mine, term in pairs)
    return dataclasses.replace(objective, terms=terms)
