"""What an inference is asked about: an objective at an estimate, and what was said about its rows."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxmle.parameters.space import Space
from jaxmle.terms.objective import Objective

CASE, SAMPLING = "case", "sampling"


@jax.tree_util.register_dataclass  # an Equinox module takes as long to make as a small inference to compute
@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """The smooth part of an objective at ``z``, what its ``weights`` mean, and the options of a covariance.

    ``groups`` are label arrays, one for each way of clustering; ``lags`` a whole number, ``key`` a random key, None
    where not given; ``correction``: whether a small-sample factor is applied; ``draws``: how many replicates.
    """

    objective: Objective
    space: Space
    z: Float[Array, " m"]
    weights: str = eqx.field(static=True, default=CASE)
    jacobian: bool = eqx.field(static=True, default=False)
    correction: bool = eqx.field(static=True, default=False)
    groups: tuple = ()
    lags: Any = None
    key: Any = None
    draws: int = eqx.field(static=True, default=0)

    def likelihoods(self) -> Objective:
        """The terms that are likelihoods, with their factors."""
        return _chosen(self.objective, lambda term: term.is_likelihood)

    def priors(self) -> Objective:
        """The terms that are not."""
        return _chosen(self.objective, lambda term: not term.is_likelihood)

    def nobs(self):
        """How many observations there are: the sum of case weights, or of rows that sampling weights do not drop."""
        if self.weights == CASE:
            return self.objective.nobs().astype(self.z.dtype)
        counts = [self._drawn(term) for term in self.objective.terms if term.is_likelihood]
        return sum(counts, jnp.zeros((), self.z.dtype))

    def _drawn(self, term):
        weights = term.weights_of_rows()
        count = term.nobs() if weights is None else jnp.sum(weights > 0)
        return count.astype(self.z.dtype)


def is_mle(has_prior: bool, is_scaled: bool, jacobian: bool, weights: str) -> bool:
    """Whether a maximum of what was asked about is one of a model's log-likelihood, so that it has an AIC: there is no
    prior, loss or number in front, no log-jacobian, and ``weights`` do not make rows of what was not seen."""
    return not (has_prior or is_scaled or jacobian or weights == SAMPLING)


def with_weights(term, change: Callable):
    """``term`` with its weights changed; itself where it has none."""
    weights = term.weights_of_rows()
    return term if weights is None else dataclasses.replace(term, weights=change(weights))


def _chosen(objective, is_wanted) -> Objective:
    pairs = [pair for pair in zip(objective.terms, objective.factors, strict=True) if is_wanted(pair[0])]
    return Objective(tuple(term for term, _ in pairs), tuple(factor for _, factor in pairs))
