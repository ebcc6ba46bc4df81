"""An objective cut for minibatches: the terms that have rows, which are sampled, and the rest, which counts whole."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxmle.core.signature import check_takes
from jaxmle.terms import rows as row_tools
from jaxmle.terms.likelihood import WITH_STATE, RowLikelihood
from jaxmle.terms.objective import Objective, Term, as_objective
from jaxmle.terms.sample import at_rows, count_rows, has_rows, row_fields


class Cut(eqx.Module):
    """The terms of an objective: ``sampled``, each with its factor (None is one), and ``whole``, the rest."""

    sampled: tuple[Term, ...]
    factors: tuple[Any, ...]
    whole: Objective

    @classmethod
    def of(cls, objective: Term) -> "Cut":
        """The terms of ``objective`` told apart.

        Raises ``ValueError`` where terms have different numbers of rows, ``TypeError`` where one is not smooth.
        """
        objective = as_objective(objective)
        objective.check_structure()
        pairs = list(zip(objective.terms, objective.factors, strict=True))
        for term, _ in pairs:
            if not getattr(term, "is_smooth", True):
                raise TypeError(
                    f"jm.train follows gradients, and {type(term).__name__} has none where its entries are zero: fit "
                    "it with jm.fit, or use a smooth prior such as jm.priors.normal"
                )
        sampled = [pair for pair in pairs if has_rows(pair[0])]
        rest = [pair for pair in pairs if not has_rows(pair[0])]
        counts = [count_rows(term) for term, _ in sampled]
        if len(set(counts)) > 1:
            raise ValueError(
                f"terms of the objective have {' and '.join(map(str, counts))} rows, and one shuffle cuts all of them "
                "into batches: give them the same rows, or make the smaller one whole with rows=False"
            )
        whole = Objective(tuple(term for term, _ in rest), tuple(factor for _, factor in rest))
        return cls(tuple(term for term, _ in sampled), tuple(factor for _, factor in sampled), whole)

    @property
    def count(self) -> int:
        """How many rows there are; zero where no term has any."""
        return count_rows(self.sampled[0]) if self.sampled else 0

    def sum_of_rows(self, params, places, counted, state, key):
        """The weighted log-likelihood of the rows at ``places`` that are ``counted``, and the state after them."""
        total = jnp.zeros(())
        for i, (term, factor) in enumerate(zip(self.sampled, self.factors, strict=True)):
            part = at_rows(term, lambda leaf: leaf.at[places].get(mode="promise_in_bounds"))
            part = _counted(part)
            own_key = None if key is None else jax.random.fold_in(key, i)
            values, state = _contributions(part, params, state, own_key)
            kept = row_tools.weighted(values, part.weights_of_rows())
            piece = jnp.sum(jnp.where(counted, kept, jnp.zeros((), kept.dtype)))
            total = total.astype(piece.dtype) + (piece if factor is None else jnp.asarray(factor, piece.dtype) * piece)
        return total, state


def settled(objective: Term, state) -> Term:
    """``objective`` with its functions of ``(params, rows, state, key)`` as functions of ``(params, rows)``: the state
    held, and no key, so that nothing is random and nothing learns from the rows."""
    objective = as_objective(objective)
    if state is None:
        return objective
    terms = tuple(
        dataclasses.replace(term, function=Settled(term.function, state)) if isinstance(term, RowLikelihood) else term
        for term in objective.terms
    )
    return Objective(terms, objective.factors)


class Settled(eqx.Module):
    """A function of ``(params, rows, state, key)`` at one state and no key."""

    function: Any
    state: Any

    def __call__(self, params, block):
        return _with_state(self.function, params, block, self.state, None)[0]


def _counted(part: Any) -> Any:
    """``part`` with the first row that counts in the place of each of weight zero; as it is where none counts."""
    weights = part.weights_of_rows()
    if weights is None:
        return part
    fields = {name: getattr(part, name) for name in row_fields(part) if name != "weights"}
    return dataclasses.replace(part, **row_tools.counted(fields, weights))


def _contributions(term, params, state, key):
    """The contributions of the rows of ``term``, and the state they leave behind."""
    if state is None or not isinstance(term, RowLikelihood):
        return term.contributions(params), state
    after = []

    def function(params, block):
        values, new = _with_state(term.function, params, block, state, key)
        after.append(new)
        return values

    values = dataclasses.replace(term, function=function).contributions(params)
    _check_state(state, after[0])
    return values, after[0]


def _with_state(function, params, block, state, key):
    """The contributions of a ``block`` of rows, and the state they leave behind."""
    called = "with state= the log-likelihood is called as function(params, rows, state, key)"
    check_takes(
        function, WITH_STATE, called, "take the state and return the pair of values and state, or leave out state="
    )
    result = function(params, block, state, key)
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            "with state= the log-likelihood is called as function(params, rows, state, key) and returns a pair: one "
            f"number for each row, and the new state; it returned {type(result).__name__}. A function that only needs "
            "the key returns its state as it came"
        )
    return result


def _check_state(before, after):
    def shapes(tree):
        leaves, treedef = jax.tree_util.tree_flatten(tree)
        return treedef, [(jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves]

    if shapes(before) != shapes(after):
        raise TypeError(
            "the state that the log-likelihood returned is not like the one it was given: "
            f"{jax.tree.map(jnp.shape, after)} after {jax.tree.map(jnp.shape, before)}; return the same tree with the "
            "same shapes and dtypes"
        )
