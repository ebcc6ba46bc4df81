"""Rows spread over devices: each evaluates its own, and the evaluations are added."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxmle.core.evaluation import OBSERVED
from jaxmle.core.tree import is_traced
from jaxmle.terms.objective import Objective, Term
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import Regression
from jaxmle.terms.sample import at_rows, count_rows, has_rows

_AXIS = "rows"


class Sharded(Term):
    """A term whose rows lie on several devices. Made by :func:`shard`."""

    term: Any
    observations: int = eqx.field(static=True)
    mesh: Mesh = eqx.field(static=True)
    stride: int = eqx.field(static=True, default=1)
    is_likelihood: ClassVar[bool] = True

    def evaluate(self, lift, point, order, curvature=OBSERVED):
        def own(term, point):
            term = at_rows(term, lambda leaf: leaf[:: self.stride])
            return jax.lax.psum(term.evaluate(lift, point, order, curvature), _AXIS)

        return self._on_each(own)(self.term, point)

    def _on_each(self, function):
        """``function(term, point)`` on each device with its own rows; what it returns is the same on all."""
        everywhere = jax.tree.map(lambda _: PartitionSpec(), self.term)
        by_rows = at_rows(everywhere, lambda _: PartitionSpec(_AXIS))
        specs = (by_rows, PartitionSpec())
        return jax.shard_map(function, mesh=self.mesh, in_specs=specs, out_specs=PartitionSpec(), check_vma=False)

    @property
    def count(self) -> int:
        """How many rows there are on all devices together."""
        return count_rows(self.term)

    def is_concave(self, lift, point) -> bool:
        """Whether it is known to be log-concave in the flat ``point``."""
        return isinstance(self.term, Regression) and self.term.is_concave(lift, point)

    def every(self, stride: int) -> "Sharded":
        """The term with every ``stride``-th row of each device."""
        return dataclasses.replace(self, stride=self.stride * stride)

    def scores(self, lift, point):
        return self.term.scores(lift, point)[: self.observations]

    def contributions(self, params):
        """The log-likelihood of each row, unweighted, at ``params``."""
        return self.term.contributions(params)[: self.observations]

    def nobs(self):
        return self.term.nobs()

    def weights_of_rows(self):
        return self.term.weights_of_rows()

    def check_structure(self):
        self.term.check_structure()

    def check_values(self, tries):
        self._here().check_values(tries)

    def explain_data(self):
        return self._here().explain_data()

    def explain(self, params):
        return self._here().explain(params)

    def _here(self):
        """The term on one device again, without the rows that only fill up, for the host to look at."""
        return at_rows(
            self.term, lambda leaf: leaf if is_traced(leaf) else jnp.asarray(np.asarray(leaf)[: self.observations])
        )


def shard(term: Term | Problem, devices: Sequence[Any] | None = None) -> Any:
    """``term`` with its rows spread over ``devices``: each evaluates its own, and the evaluations are added.

    Arguments:
        term: a likelihood with rows (``jm.likelihood``, ``jm.regression``), a sum of terms or a problem; terms
            without rows stay as they are.
        devices: the devices, all of ``jax.devices()`` by default. The cores of a CPU are several devices where
            ``jax.config.update("jax_num_cpu_devices", 2)`` is said before JAX is first used.

    Returns what it was given, its arrays moved, which takes as long as several evaluations: so it is asked for once,
    where the term is made. Everything that takes a term takes it, and answers are the same but for rounding. Where the
    rows do not divide evenly, the last device has copies of the first row with weight zero.

    Errors: ``TypeError`` for a term without rows to spread, or arrays that are being traced; ``ValueError`` for no
    devices.

    >>> import jax
    >>> import jaxmle as jm
    >>> problem = jm.models.poisson_regression(jnp.ones((4, 1)), jnp.array([1.0, 2.0, 3.0, 4.0]))
    >>> round(float(jm.fit(jm.shard(problem, jax.devices()[:1])).params["beta"][0]), 4)
    0.9163

    Source: the sums of DeGroot and Schervish (2012), section 7.5: the log-likelihood of independent rows adds.
    """
    devices = list(jax.devices() if devices is None else devices)
    if not devices:
        raise ValueError("jm.shard needs one device or more; the list of devices is empty")
    mesh = Mesh(np.asarray(devices), (_AXIS,))
    if isinstance(term, Problem):
        return dataclasses.replace(term, objective=_spread(term.objective, mesh))
    return _spread(term, mesh)


def _spread(term: Term, mesh: Mesh):
    if not isinstance(term, Objective):
        if not has_rows(term):
            raise TypeError(f"jm.shard spreads rows over devices, and a {type(term).__name__} has none")
        return _shard(term, mesh)
    if not any(has_rows(piece) for piece in term.terms):
        raise TypeError("jm.shard spreads rows over devices, and no term of this objective has rows")
    pieces = tuple(_shard(piece, mesh) if has_rows(piece) else piece for piece in term.terms)
    return Objective(pieces, term.factors)


def _shard(term: Any, mesh: Mesh) -> Sharded:
    if is_traced(term):
        raise TypeError("jm.shard moves data between devices, which is done outside jax.jit: shard the term first")
    rows = count_rows(term)
    size = math.ceil(rows / mesh.size) * mesh.size
    sharding = NamedSharding(mesh, PartitionSpec(_AXIS))
    if size > rows and term.weights is None:
        term = dataclasses.replace(term, weights=np.ones(rows))

    def move(leaf):
        leaf = np.asarray(leaf)
        filled = leaf if size == rows else np.concatenate([leaf, np.repeat(leaf[:1], size - rows, axis=0)])
        return jax.device_put(filled, sharding)

    moved = at_rows(term, move)
    if size > rows:
        real = np.arange(size) < rows
        weights = np.where(real, np.asarray(moved.weights), 0)
        moved = dataclasses.replace(moved, weights=jax.device_put(weights, sharding))
    return Sharded(moved, rows, mesh)
