"""New data from old: the same rows with other weights, or with simulated responses."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmle.core.tree import is_traced
from jaxmle.inference.covariances.groups import codes_of
from jaxmle.parameters.space import Space
from jaxmle.priors.firth import Firth
from jaxmle.terms.objective import Objective, Term
from jaxmle.terms.regression import Regression
from jaxmle.terms.sample import count_rows, has_rows

NONPARAMETRIC, BAYESIAN, WILD, CLUSTER, PARAMETRIC = KINDS = (
    "nonparametric",
    "bayesian",
    "wild",
    "cluster",
    "parametric",
)
DELETE, HOLD_OUT = "delete", "hold out"
_GOLDEN = 5.0**0.5


class Scheme(eqx.Module):
    """How the objective of one replicate is made of the one that was fitted, from a seed.

    ``kind`` is one of ``KINDS``, whose seeds are random keys; ``DELETE`` or ``HOLD_OUT``, whose seed is the number of
    a row (or of the group of rows in ``codes``) that is left out. ``codes`` are numbers below n, None where there are
    no groups. ``z`` is the estimate, from which responses are simulated.
    """

    objective: Objective
    space: Space
    z: Float[Array, " m"]
    codes: Any = None
    kind: str = eqx.field(static=True, default=NONPARAMETRIC)

    @classmethod
    def of(cls, kind: str, objective: Objective, space: Space, z, labels: Any = None) -> "Scheme":
        """The scheme of ``kind``, with groups by integer ``labels`` of the rows.

        Raises ``TypeError`` for an objective that has no rows, or no responses that can be simulated; ``ValueError``
        for labels that do not fit the rows.
        """
        counts = counts_of(objective)
        if kind == PARAMETRIC:
            _check_can_be_simulated(objective)
        if labels is not None and labels.shape != (sum(counts),):
            raise ValueError(
                f"groups= has {labels.shape[0]} labels and the likelihood {sum(counts)} rows: give one for each row, "
                "of several likelihoods one after the other"
            )
        if kind == DELETE and labels is None:
            _check_are_counts(objective)
        return cls(objective, space, z, None if labels is None else codes_of(labels), kind)

    def own(self, seed) -> Objective:
        """What is new in the objective of the replicate ``seed``; None in all other places."""
        if self.kind == PARAMETRIC:
            return self._simulated(seed)
        return reweighted(self.objective, self.weights(seed), blank=True)

    def weights(self, seed) -> tuple:
        """The weights of the replicate, an array for each likelihood."""
        old = self._old()
        if self.codes is None and self.kind in _BY_ROWS:
            draw = _BY_ROWS[self.kind]
            pairs = zip(old, weights_of(self.objective), strict=True)
            return tuple(draw(jax.random.fold_in(seed, i), *pair) for i, pair in enumerate(pairs))
        flat = jnp.concatenate(old)
        if self.kind in (DELETE, HOLD_OUT):
            new = self._without(seed, flat)
        else:
            new = flat * self._of_groups(seed, flat)[self.codes]
        ends = [sum(counts_of(self.objective)[: i + 1]) for i in range(len(old))]
        return tuple(jnp.split(new, ends[:-1]))

    def cases(self, count: int):
        """How often each of the first ``count`` numbers that a seed may be counts when it is left out: a row as often
        as it is a case, a group once if any of it is there."""
        flat = jnp.concatenate(self._old())
        if self.codes is None:
            return flat
        return (jax.ops.segment_sum(flat, self.codes, count) > 0).astype(flat.dtype)

    def held_out(self, seed) -> Objective:
        """As :meth:`own`, with the weights of the rows that the replicate left out."""
        flat = jnp.concatenate(self._old())
        kept = jnp.where(self._numbers(flat) == seed, flat, jnp.zeros((), flat.dtype))
        ends = [sum(counts_of(self.objective)[: i + 1]) for i in range(len(self._old()))]
        return reweighted(self.objective, tuple(jnp.split(kept, ends[:-1])), blank=True)

    def _old(self) -> list:
        """The weights as they were, ones where there are none."""
        pairs = zip(weights_of(self.objective), counts_of(self.objective), strict=True)
        return [jnp.ones(n, self.z.dtype) if w is None else w.astype(self.z.dtype) for w, n in pairs]

    def _numbers(self, flat):
        """What a seed that is a number counts: groups, or rows."""
        return jnp.arange(flat.size) if self.codes is None else self.codes

    def _without(self, seed, flat):
        """The weights without one case of the row ``seed``, or without the whole group, or the fold."""
        here = self._numbers(flat) == seed
        whole = self.kind == HOLD_OUT or self.codes is not None
        less = jnp.zeros_like(flat) if whole else jnp.where(flat > 0, flat - 1.0, flat)
        less = less if whole else jnp.where(flat == jnp.round(flat), less, jnp.nan)  # as below, of weights in a trace
        return jnp.where(here, less, flat)

    def _of_groups(self, key, flat):
        """A random factor for each group, by its code."""
        size = flat.size
        if self.kind == WILD:
            return 1.0 + mammen(key, size, flat.dtype)
        present = jax.ops.segment_sum((flat > 0).astype(flat.dtype), self.codes, size) > 0
        count, rank = jnp.sum(present), jnp.cumsum(present) - 1
        if self.kind == BAYESIAN:
            shares = jnp.where(present, jax.random.exponential(key, (size,), flat.dtype), 0.0)
            return count.astype(flat.dtype) * shares / jnp.sum(shares)
        drawn = jnp.floor(jax.random.uniform(key, (size,), flat.dtype) * count.astype(flat.dtype)).astype(rank.dtype)
        counted = (jnp.arange(size) < count).astype(flat.dtype)
        return jnp.zeros(size, flat.dtype).at[jnp.minimum(drawn, count - 1)].add(counted)[rank]

    def _simulated(self, key) -> Objective:
        params, blank = self.space.params(self.z), _blank(self.objective)
        terms = []
        for i, (term, empty) in enumerate(zip(self.objective.terms, blank.terms, strict=True)):
            if isinstance(term, Regression):
                y = simulated_responses(term, jax.random.fold_in(key, i), params)
                empty = dataclasses.replace(empty, y=y)
            terms.append(empty)
        return Objective(tuple(terms), blank.factors)


def simulated_responses(term: Any, key, params):
    """Responses of a regression drawn at ``params``, in the type of the old ones."""
    return term.density.sample(key, *term.predictions(params)).astype(jax.tree.leaves(term.y)[0].dtype)


def _cases(key, old, weights):
    """As many cases drawn with replacement as there are, counted (Efron 1979)."""
    if weights is None:
        return jnp.zeros_like(old).at[_places(key, old.size, old.dtype)].add(1.0)
    total = jnp.sum(old)
    return jax.random.multinomial(key, jnp.round(total), old / total, dtype=old.dtype)


def _places(key, size: int, dtype):
    """As many numbers below ``size``, each as likely. From floats of 52 bits, which is three times as fast as from
    integers, where these are at hand; 23 bits would not do."""
    if dtype != jnp.float64:
        return jax.random.randint(key, (size,), 0, size)
    return jnp.floor(jax.random.uniform(key, (size,), dtype) * size).astype(jnp.int32)


def _dirichlet(key, old, weights):
    """As many as there were cases, shared out by the posterior under a flat prior (Rubin 1981)."""
    if weights is None:
        shares = jax.random.exponential(key, old.shape, old.dtype)
    else:
        shares = jnp.where(old > 0, jax.random.gamma(key, jnp.where(old > 0, old, 1.0), dtype=old.dtype), 0.0)
    return jnp.sum(old) * shares / jnp.sum(shares)


def _multipliers(key, old, weights):
    """The weight plus an independent multiplier for each case, whose variances add."""
    return old + jnp.sqrt(old) * mammen(key, old.size, old.dtype)


_BY_ROWS = {NONPARAMETRIC: _cases, BAYESIAN: _dirichlet, WILD: _multipliers}


def mammen(key, size: int, dtype) -> Float[Array, " n"]:
    """Mammen's multipliers: two values with mean zero and second and third moment one.

    Source: Mammen (1993), "Bootstrap and wild bootstrap for high dimensional linear models", section 2.
    """
    low = jax.random.uniform(key, (size,), dtype) < (_GOLDEN + 1.0) / (2.0 * _GOLDEN)
    return jnp.where(low, (1.0 - _GOLDEN) / 2.0, (1.0 + _GOLDEN) / 2.0).astype(dtype)


def likelihood_terms(objective: Objective) -> list[Term]:
    """The likelihoods of ``objective``. Raises ``TypeError`` unless there are some, and each is a sum over rows."""
    terms = [term for term in objective.terms if term.is_likelihood]
    if not terms:
        raise TypeError("there is nothing to resample: the objective has no likelihood, only priors; add one to it")
    for term in terms:
        if not has_rows(term):
            raise TypeError(
                "rows are weighted anew or left out here, and this likelihood has none to be had: one with rows=False "
                "cannot be cut into rows (jm.infer has its errors, by covariance='hac' too where it gives a number a "
                "step), and rows spread by jm.shard are resampled before they are spread"
            )
    return terms


def weights_of(objective: Objective) -> list[Any]:
    """The weights of each likelihood, None where it has none."""
    return [term.weights_of_rows() for term in likelihood_terms(objective)]


def counts_of(objective: Objective) -> list[int]:
    """How many rows each likelihood has."""
    return [count_rows(term) for term in likelihood_terms(objective)]


def reweighted(objective: Objective, weights: tuple, blank: bool = False) -> Objective:
    """``objective`` with new ``weights`` in its likelihoods, and in Firth's penalty of them; with ``blank``, None in
    all other places."""
    kept, counts = (_blank(objective) if blank else objective), counts_of(objective)
    waiting, terms = list(weights), []
    for term, new in zip(objective.terms, kept.terms, strict=True):
        if term.is_likelihood:
            new = dataclasses.replace(new, weights=waiting.pop(0))
        elif isinstance(term, Firth):
            if counts_of(term.likelihood) != counts:
                raise TypeError(
                    "Firth's penalty is of other rows than the likelihood, so it is not clear how to resample it: give "
                    "jm.priors.firth what it is added to"
                )
            penalty: Any = new
            pairs = zip(penalty.likelihood.terms, weights, strict=True)
            new = penalty.at(tuple(dataclasses.replace(piece, weights=w) for piece, w in pairs))
        terms.append(new)
    return Objective(tuple(terms), kept.factors)


def _blank(objective: Objective) -> Any:
    """The structure of ``objective`` without any of its arrays."""
    return jax.tree.map(lambda _: None, objective)


def _check_are_counts(objective):
    """Raise ``ValueError`` where a case is to be left out of rows whose weights are not whole numbers of cases."""
    found = fractional_row(objective)
    if found is not None:
        raise ValueError(
            f"the jackknife leaves one case out, and {found}: its weights are case weights, whole numbers; leave whole "
            "rows out with jm.jackknife(..., groups=numpy.arange(rows)), or take a sandwich, such as jm.infer(..., "
            "'hc0')"
        )


def fractional_row(objective) -> str | None:
    """Which row has a weight that is no whole number of cases, in words; None where none has, or in a trace."""
    for weights in weights_of(objective):
        if weights is None or is_traced(weights):
            continue
        weights = np.asarray(weights)
        parts = np.flatnonzero(weights != np.round(weights))
        if parts.size:
            return f"row {parts[0]} has weight {weights[parts[0]]:g}"
    return None


def _check_can_be_simulated(objective):
    for term in likelihood_terms(objective):
        if not isinstance(term, Regression) or not hasattr(term.density, "sample"):
            raise TypeError(
                "responses are simulated by the sample function of a density, and this likelihood has none: write it "
                "as jm.regression with a module of jm.densities, or resample rows (kind='nonparametric')"
            )
        if term.weights is not None:
            raise TypeError(
                "responses cannot be simulated for rows with weights, since a row of weight 2 stands for two responses "
                "that would differ: give each case a row of its own, or resample cases (kind='nonparametric')"
            )
