"""Terms and their sum, the objective: what is maximised."""

import abc
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxmle.core.dependence import dependence
from jaxmle.core.evaluation import OBSERVED, Evaluation
from jaxmle.core.tree import as_number, is_hashable, is_traced


class Term(eqx.Module):
    """An additive piece of a log-posterior: ``term(params)`` is its log-density, a scalar.

    Terms add (``a + b``) and can be multiplied by a positive number; both give an :class:`Objective`.
    """

    is_likelihood: ClassVar[bool]
    is_smooth: ClassVar[bool] = True  # False: it has a prox instead of derivatives, and is not added into evaluations
    __array_ufunc__: ClassVar[None] = None  # so that a NumPy array times a term asks the term

    @abc.abstractmethod
    def evaluate(self, lift: Callable, point: tuple, order: int, curvature: str = OBSERVED) -> Evaluation:
        """The evaluation at ``params = lift(point)``, with derivatives to ``order`` in the flattened point.

        ``curvature`` says which one is wanted; a term that is no likelihood always gives the observed one.
        """

    @abc.abstractmethod
    def scores(self, lift: Callable, point: tuple) -> Any:
        """The gradient of each row's log-likelihood, unweighted, in the flattened ``point``, (n, d); None where there
        are no rows: a prior, or a likelihood that gives one number for all its data."""

    def takes_products(self, lift: Callable, point: tuple) -> bool:
        """Whether most of its work is products of columns of its data, with each other or with the flat ``point``."""
        return False

    def is_bent(self, lift: Callable, point: tuple) -> bool:
        """Whether it is of normal noise around a prediction whose slopes change with the ``point``."""
        return False

    def bend(self, lift: Callable, point: tuple, along: Callable) -> Any:
        """How the prediction bends on the way ``along(t)`` from the ``point`` (t = 0), pulled back to the flat point
        as a gradient is: the sum over rows of J' W eta'', with eta'' its second derivative in t and W what the
        Gauss-Newton curvature weighs it with; zero where there is no prediction."""
        return jnp.zeros_like(flatten_point(point)[0])

    def noise_scale(self, lift: Callable, point: tuple) -> tuple[int, Callable, Any] | None:
        """Which leaf of ``point`` the scale of the noise around a prediction is made of, how, and the best scale given
        all other leaves; None where there is no such leaf, or no closed form."""
        return None

    @abc.abstractmethod
    def nobs(self) -> Any:
        """How many observations it speaks for: the sum of the case weights; zero for a prior."""

    @abc.abstractmethod
    def check_structure(self) -> None:
        """Raise where the shapes in the term cannot be right."""

    @abc.abstractmethod
    def check_values(self, tries: Callable[[], list]) -> None:
        """Raise where the function of the term is not what it must be, tried at the concrete params that ``tries()``
        lists. Never traced."""

    @abc.abstractmethod
    def weights_of_rows(self) -> Any:
        """The case weights, None where there are none."""

    @abc.abstractmethod
    def explain_data(self) -> list[str]:
        """What in the concrete data is missing or infinite, in sentences. Never traced."""

    @abc.abstractmethod
    def explain(self, params) -> list[str]:
        """What may have made a fit fail at concrete ``params``, in sentences: the data first. Never traced."""

    def __call__(self, params):
        return value_at(self, params)

    def __add__(self, other):
        refuse_function(other)
        return NotImplemented if not isinstance(other, Term) else as_objective(self).joined(as_objective(other))

    def __radd__(self, other):
        refuse_function(other)
        return self if isinstance(other, int) and other == 0 else NotImplemented  # so that sum([...]) works

    def __mul__(self, factor):
        return as_objective(self).scaled(factor)

    def __rmul__(self, factor):
        return as_objective(self).scaled(factor)


class Objective(Term):
    """A sum of terms, each with a positive factor (None is one). ``Objective()`` is the flat prior."""

    terms: tuple[Term, ...] = ()
    factors: tuple[Any, ...] = ()
    is_likelihood: ClassVar[bool] = False

    def evaluate(self, lift, point, order, curvature=OBSERVED):
        total = nothing(point, order)
        for term, factor in zip(self.terms, self.factors, strict=True):
            piece = term.evaluate(lift, point, order, curvature)
            total = total + (piece if factor is None else jnp.asarray(factor, piece.value.dtype) * piece)
        return total

    def scores(self, lift, point):
        pieces = []
        for term, factor in zip(self.terms, self.factors, strict=True):
            piece = term.scores(lift, point)
            if piece is not None:
                pieces.append(piece if factor is None else jnp.asarray(factor, piece.dtype) * piece)
        return jnp.concatenate(pieces) if pieces else None

    def takes_products(self, lift, point):
        return any(term.takes_products(lift, point) for term in self.terms)

    def is_bent(self, lift, point):
        return any(term.is_bent(lift, point) for term in self.terms)

    def bend(self, lift, point, along):
        total = super().bend(lift, point, along)
        for term, factor in zip(self.terms, self.factors, strict=True):
            piece = term.bend(lift, point, along)
            total = total + (piece if factor is None else jnp.asarray(factor, piece.dtype) * piece)
        return total

    def noise_scale(self, lift, point):
        """That of the only likelihood, where no other term depends on it."""
        likelihoods = [term for term in self.terms if term.is_likelihood]
        found = likelihoods[0].noise_scale(lift, point) if len(likelihoods) == 1 else None
        shapes = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in point]
        priors: list[Any] = [term for term in self.terms if not term.is_likelihood]
        return None if found is None or any(_depends(prior, lift, shapes, found[0]) for prior in priors) else found

    @property
    def is_rough(self) -> bool:
        """Whether some term has a prox instead of derivatives."""
        return not all(term.is_smooth for term in self.terms)

    def part(self, smooth: bool) -> "Objective":
        """The sum of the terms that are smooth, or of those that are not."""
        pairs = [pair for pair in zip(self.terms, self.factors, strict=True) if pair[0].is_smooth == smooth]
        return Objective(tuple(term for term, _ in pairs), tuple(factor for _, factor in pairs))

    def rough_value(self, params):
        """The log-density at ``params`` of the terms that are not smooth; zero where there are none."""
        pairs: Any = zip(self.terms, self.factors, strict=True)
        values = [(term.log_density(params), factor) for term, factor in pairs if not term.is_smooth]
        return sum((value if factor is None else factor * value for value, factor in values), 0.0)

    def joined(self, other: "Objective") -> "Objective":
        """The sum of two objectives."""
        return Objective(self.terms + other.terms, self.factors + other.factors)

    def scaled(self, factor) -> "Objective":
        """The objective times a positive number. Raises ``ValueError`` where a concrete one is not, ``TypeError`` where
        it is no number."""
        if not eqx.is_array_like(factor):
            raise TypeError(f"an objective can be multiplied by a positive number, not by {factor!r}")
        if not is_traced(factor) and not (jnp.ndim(factor) == 0 and 0 < float(factor) < float("inf")):
            raise ValueError(
                f"an objective can be multiplied by a positive number, not by {factor!r}: a negative one would turn "
                "its maximum into a minimum, and zero would drop it (leave the term out instead)"
            )
        factor = as_number(factor)
        if isinstance(factor, float) and factor == 1.0:
            return self
        return Objective(self.terms, tuple(factor if f is None else f * factor for f in self.factors))

    def nobs(self):
        """The observations of all likelihood terms together."""
        return sum((term.nobs() for term in self.terms), jnp.zeros(()))

    def check_structure(self):
        for term in self.terms:
            term.check_structure()

    def check_values(self, tries):
        for term in self.terms:
            term.check_values(tries)

    def weights_of_rows(self):
        return None

    def explain_data(self):
        return [sentence for term in self.terms for sentence in term.explain_data()]

    def explain(self, params):
        return [sentence for term in self.terms for sentence in term.explain(params)]


def _depends(prior: Any, lift, shapes, place: int) -> bool:
    """Whether a ``prior`` may depend on the leaf of the point at ``place``."""
    (value,) = dependence(lambda *point: prior.log_density(lift(point)), *shapes)
    return place in value


def refuse_function(other) -> None:
    """Raise ``TypeError`` where a bare function is added to a term: what it is a function of must be said."""
    if callable(other) and not isinstance(other, Term) and not hasattr(other, "objective"):
        raise TypeError(
            "only terms can be added, not a function: wrap a log-density of params alone in jm.log_prior(function), "
            "one of params and data in jm.likelihood(function, data)"
        )


def as_objective(term: Term) -> Objective:
    """``term`` as a sum of terms."""
    if isinstance(term, Objective):
        return term
    return Objective((term,), (None,))


def nothing(point: tuple, order: int) -> Evaluation:
    """The evaluation of an empty sum: zeros."""
    dtype = jnp.result_type(*point) if point else jnp.result_type(float)
    size = sum(leaf.size for leaf in point)
    zero = jnp.zeros((), dtype)
    gradient = jnp.zeros(size, dtype) if order > 0 else None
    curvature = jnp.zeros((size, size), dtype) if order > 1 else None
    return Evaluation(zero, zero, zero, gradient, curvature)


def flatten_point(point: tuple):
    """The flat vector of ``point``, and the function that cuts such a vector into a point again."""
    leaves = [jnp.shape(leaf) for leaf in point]
    sizes = [leaf.size for leaf in point]

    def cut(flat):
        parts, at = [], 0
        for shape, size in zip(leaves, sizes, strict=True):
            parts.append(flat[at : at + size].reshape(shape))
            at += size
        return tuple(parts)

    dtype = jnp.result_type(*point) if point else jnp.result_type(float)
    flat = jnp.concatenate([leaf.ravel() for leaf in point]) if point else jnp.zeros(0, dtype)
    return flat, cut


def value_at(term: Term, params):
    """The log-density of ``term`` at ``params``, compiled as one program: operation by operation it takes hundreds of
    times as long."""
    lift, point = whole_tree(params)
    if not is_hashable(lift):  # a leaf that is no array and cannot be told from another
        return term.evaluate(lift, point, 0).value
    return _value(term, point, lift=lift)


@functools.partial(jax.jit, static_argnames="lift")
def _value(term, point, *, lift):
    return term.evaluate(lift, point, 0).value


@dataclasses.dataclass(frozen=True)
class Whole:
    """The lift of a tree in which nothing is held fixed: its structure, and the leaves that are not numbers."""

    treedef: Any
    others: tuple[tuple[int, Any], ...]

    def __call__(self, point: tuple):
        others, values = dict(self.others), iter(point)
        leaves = [others[i] if i in others else next(values) for i in range(self.treedef.num_leaves)]
        return jax.tree_util.tree_unflatten(self.treedef, leaves)


def whole_tree(params) -> tuple[Whole, tuple]:
    """``params`` as a lift and a point, for evaluating where nothing is held fixed."""
    leaves, treedef = jax.tree_util.tree_flatten(params)
    others = tuple((i, leaf) for i, leaf in enumerate(leaves) if not eqx.is_array_like(leaf))
    return Whole(treedef, others), tuple(jnp.asarray(leaf) for leaf in leaves if eqx.is_array_like(leaf))
