"""The space of a start tree: params to a flat vector z of free, unconstrained numbers, and back.

Between the two lies the *point*: the tuple of distinct free leaves, each in the user's own units. Terms take their
derivatives in the point; :meth:`Space.pull_back` carries them to z once, with the second derivative of the transform.
"""

import copy
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxmle.core.evaluation import Evaluation
from jaxmle.core.status import still_moving
from jaxmle.parameters import edges
from jaxmle.parameters.bijections import Bijection, Identity
from jaxmle.parameters.builder import take_apart
from jaxmle.parameters.layout import FIXED, FREE, STRUCTURE, TIED, Layout, Leaf, distinct, element_names


class Space(eqx.Module):
    """What the marks of a start tree amount to. Make one with :meth:`Space.of`."""

    bijections: tuple[Bijection, ...]
    constants: tuple[Any, ...]
    layout: Layout = eqx.field(static=True)
    labels: tuple[tuple[str, ...] | None, ...] | None = eqx.field(static=True, default=None)

    @classmethod
    def of(cls, start) -> tuple["Space", tuple[Any, ...]]:
        """The space of a marked ``start`` tree, and the values its free leaves start at.

        Raises ``TypeError`` where a parameter is an integer or not a number, ``KeyError`` where a leaf is tied to a
        name that is none, ``ValueError`` where a shape cannot carry its mark or the labels do not fit.
        """
        bijections, constants, layout, labels, values = take_apart(start)
        return cls(bijections, constants, layout, labels), values

    @property
    def size(self) -> int:
        """How many free numbers there are: the length of z."""
        return self.layout.size

    @property
    def unlabelled(self) -> "Space":
        """The same space without its labels: what is compiled, so that renaming compiles nothing."""
        if self.labels is None:
            return self
        bare = copy.copy(self)  # a space made anew takes ten times as long
        object.__setattr__(bare, "labels", None)
        return bare

    def to_z(self, values: tuple[Any, ...]) -> Float[Array, " m"]:
        """The z of the free leaves' ``values``; not finite where one lies outside its constraint."""
        dtype = jnp.result_type(*values) if values else jnp.result_type(float)
        parts = [
            bijection.inverse(jnp.asarray(value, dtype)).ravel()
            for bijection, value in zip(self.bijections, values, strict=True)
        ]
        return jnp.concatenate(parts) if parts else jnp.zeros(0, dtype)

    def point(self, z: Float[Array, " m"]) -> tuple[Array, ...]:
        """The free leaves at ``z``, in the user's units."""
        return tuple(b.forward(part) for b, part in zip(self.bijections, self.split(z), strict=True))

    def split(self, z: Float[Array, " m"]) -> list[Array]:
        """``z`` cut into the parts of the free leaves."""
        return _cut(z, self.layout.free_shapes)

    def lift(self, point: tuple[Array, ...]):
        """The params tree whose free leaves are ``point``."""
        sources = {FREE: point, TIED: point, FIXED: self.constants, STRUCTURE: self.layout.structure}
        leaves = [sources[leaf.kind][leaf.index] for leaf in self.layout.leaves]
        return jax.tree_util.tree_unflatten(self.layout.treedef, leaves)

    def params(self, z: Float[Array, " m"]):
        """The params tree at ``z``, fixed and tied leaves in their places."""
        return self.lift(self.point(z))

    def log_det(self, z: Float[Array, " m"]) -> Float[Array, ""]:
        """The log absolute determinant of the derivative of the point with respect to ``z``."""
        total = jnp.zeros((), z.dtype)
        for bijection, part in zip(self.bijections, self.split(z), strict=True):
            total = total + bijection.log_det(part)
        return total

    @property
    def is_identity(self) -> bool:
        """Whether z is the point itself: no leaf is constrained."""
        return all(isinstance(bijection, Identity) for bijection in self.bijections)

    def places_in_z(self) -> np.ndarray:
        """For each number of the flat point the number of z that it is, -1 where a constraint lies between them."""
        places, at = [], 0
        for bijection, shape, free in zip(self.bijections, self.layout.shapes, self.layout.free_shapes, strict=True):
            size = math.prod(shape)
            places.append(np.arange(at, at + size) if isinstance(bijection, Identity) else np.full(size, -1))
            at += math.prod(free)
        return np.concatenate(places) if places else np.zeros(0, int)

    def flat_point(self, z: Float[Array, " m"]) -> Float[Array, " d"]:
        """The point at ``z``, flattened."""
        return jnp.concatenate([leaf.ravel() for leaf in self.point(z)]) if self.bijections else z

    def pull_back(self, evaluation: Evaluation, z: Float[Array, " m"], observed: bool = True) -> Evaluation:
        """An evaluation in the flat point as one in ``z``.

        With t(z) the point, the curvature becomes J' A J - sum_k g_k d2 t_k / dz2; without the sum where it is not
        the ``observed`` one (the outer product of the gradient, the expected information).
        """
        if evaluation.gradient is None or self.is_identity:
            return evaluation
        elementwise = all(bijection.elementwise for bijection in self.bijections)
        pull = self._pull_back_elementwise if elementwise else self._pull_back_dense
        gradient, curvature, gauss_newton = pull(evaluation, z, observed)
        return Evaluation(
            evaluation.log_likelihood,
            evaluation.log_prior,
            evaluation.magnitude,
            gradient,
            curvature,
            gauss_newton,
        )

    def _pull_back_elementwise(self, evaluation, z, observed):
        ones = jnp.ones_like(z)

        def slope(z):
            return jax.jvp(self.flat_point, (z,), (ones,))[1]

        first, second = jax.jvp(slope, (z,), (ones,))
        bend = jnp.diag(evaluation.gradient * second) if observed else 0.0

        def pull(curvature):
            if curvature is None:
                return None
            # Of a number beyond 1e154 (1e19 in float32) the curvature in its own units is too small for the dtype.
            tiny = jnp.finfo(z.dtype).tiny
            lost = (jnp.abs(jnp.diagonal(curvature)) < tiny) & (jnp.abs(first) * tiny**0.5 > 1.0)
            return jnp.where(jnp.diag(lost), jnp.nan, curvature * first[:, None] * first[None, :] - bend)

        return evaluation.gradient * first, pull(evaluation.curvature), pull(evaluation.gauss_newton)

    def _pull_back_dense(self, evaluation, z, observed):
        gradient = evaluation.gradient
        jacobian = jax.jacfwd(self.flat_point)(z)
        if evaluation.curvature is None:
            return gradient @ jacobian, None, None
        bend = jax.hessian(lambda z: jnp.dot(gradient, self.flat_point(z)))(z) if observed else 0.0

        def pull(curvature):
            return None if curvature is None else jacobian.T @ curvature @ jacobian - bend

        return gradient @ jacobian, pull(evaluation.curvature), pull(evaluation.gauss_newton)

    def sizes(self, z: Float[Array, " m"]) -> Float[Array, " m"]:
        """How large each number of ``z`` is; zero where a constraint makes the origin of z an arbitrary place."""
        free = [isinstance(b, Identity) for b in self.bijections]
        parts = [jnp.abs(part.ravel()) * float(f) for f, part in zip(free, self.split(z), strict=True)]
        return jnp.concatenate(parts) if parts else z

    def limits(self) -> list[tuple[Any, Any]]:
        """For each number of z the values that minus and plus infinity stand for, None where they are no limit."""
        pairs = []
        for bijection, shape in zip(self.bijections, self.layout.free_shapes, strict=True):
            low, high = bijection.limits()
            for index in np.ndindex(*shape):
                pairs.append((_at(low, shape, index), _at(high, shape, index)))
        return pairs

    def at_limit(self, z: Float[Array, " m"]) -> Bool[Array, ""]:
        """Whether a number has become, by rounding, a value that its constraint stops short of."""
        touches = jnp.zeros((), bool)
        for bijection, leaf in zip(self.bijections, self.point(z), strict=True):
            for limit in bijection.limits():
                touches = touches if limit is None else touches | jnp.any(leaf == jnp.asarray(limit, leaf.dtype))
        return touches

    def has_edges(self) -> tuple[np.ndarray, np.ndarray]:
        """For each number of z whether minus, and plus, infinity stands for an edge of what its leaf allows."""
        pairs = [edges.ends(b, shape) for b, shape in zip(self.bijections, self.layout.free_shapes, strict=True)]
        low, high = (np.concatenate([np.zeros(0, bool), *(pair[i].ravel() for pair in pairs)]) for i in (0, 1))
        return low, high

    def edge_powers(self) -> np.ndarray:
        """For each number of z how many orders of magnitude what is left to an edge loses with each of its own."""
        pairs = zip(self.bijections, self.layout.free_shapes, strict=True)
        return np.concatenate([np.zeros(0), *(np.full(math.prod(shape), edges.power(b)) for b, shape in pairs)])

    def eased(self) -> np.ndarray:
        """Which numbers of z belong to a leaf that keeps the standard errors of what is not at its edge."""
        pairs = zip(self.bijections, self.layout.free_shapes, strict=True)
        parts = [np.full(math.prod(shape), edges.eases(b)) for b, shape in pairs]
        return np.concatenate([np.zeros(0, bool), *parts])

    def scalars_at_edge(self, z: Float[Array, " m"], direction: Float[Array, " m"]) -> Bool[Array, " p"]:
        """Which unfixed scalars of params a climb that ended at ``z``, still moving along ``direction``, took to an
        edge that several numbers have together."""
        steps = self.split(_moved(z, direction))
        leaves = zip(self.bijections, self.split(z), self.point(z), steps, strict=True)
        found = [edges.at_edge(bijection, part, value, step).ravel() for bijection, part, value, step in leaves]
        return jnp.concatenate([jnp.zeros(0, bool), *(found[leaf.index] for leaf in self.unfixed())])

    def held_scalars(self) -> np.ndarray:
        """Which unfixed scalars of params their constraint holds where they are."""
        kept = [edges.held(self.bijections[leaf.index], self.layout.shapes[leaf.index]) for leaf in self.unfixed()]
        return np.concatenate([np.zeros(0, bool), *(part.ravel() for part in kept)])

    def edge_words(self, z: Float[Array, " m"], direction: Float[Array, " m"] | None) -> dict[str, list[str]]:
        """For each free leaf what happens at the edges that several of its numbers have together, and that a climb
        along ``direction`` took them to; where that is None, that they touch by rounding."""
        parts, values, labels = self.split(z), self.point(z), iter(self.scalar_labels())
        steps = [None] * len(parts) if direction is None else self.split(_moved(z, direction))
        found = {}
        for leaf in self.unfixed():
            shape = self.layout.shapes[leaf.index]
            own = np.array([next(labels) for _ in range(math.prod(shape))], object).reshape(shape)
            if leaf.kind == FREE:
                at = leaf.index
                found[leaf.name] = edges.words(self.bijections[at], leaf.name, own, parts[at], values[at], steps[at])
        return found

    def has_limits(self) -> tuple[list[bool], list[bool]]:
        """For each number of z, whether minus infinity stands for a finite value, and whether plus infinity does."""
        low, high = [], []
        for bijection, shape in zip(self.bijections, self.layout.free_shapes, strict=True):
            ends = [end is not None for end in bijection.limits()]
            low += [ends[0]] * math.prod(shape)
            high += [ends[1]] * math.prod(shape)
        return low, high

    def scalars(self, z: Float[Array, " m"]) -> Float[Array, " p"]:
        """The unfixed scalars of params at ``z`` in tree order, tied ones included."""
        return self.flatten_point(self.point(z))

    def flatten_point(self, point: tuple[Any, ...]) -> Float[Array, " p"]:
        """The unfixed scalars of the params tree whose free leaves are ``point``."""
        return _join([point[leaf.index] for leaf in self.unfixed()])

    def cut_point(self, flat: Float[Array, " d"]) -> tuple[Array, ...]:
        """A flat vector over the point, cut into its leaves."""
        return tuple(_cut(flat, self.layout.shapes))

    def scalars_of(self, tree) -> Float[Array, " p"]:
        """The unfixed scalars of a tree shaped like params, in tree order."""
        return _join(self.unfixed_leaves(tree))

    def unfixed_leaves(self, tree) -> list[Any]:
        """The leaves of a tree shaped like params that are not held fixed, in tree order."""
        pairs = zip(self.layout.leaves, self.layout.treedef.flatten_up_to(tree), strict=True)
        return [value for leaf, value in pairs if leaf.kind in (FREE, TIED)]

    def unfixed(self) -> list[Leaf]:
        """The leaves of params that are not held fixed, in tree order: free ones and those tied to them."""
        return [leaf for leaf in self.layout.leaves if leaf.kind in (FREE, TIED)]

    def leaves_of_scalars(self, scalars: Float[Array, " p"], constant: float) -> tuple[Any, ...]:
        """The leaves of a tree like params from one number for each unfixed scalar, ``constant`` where it is fixed.

        None stands for a leaf that is not numbers; :meth:`tree_of_leaves` puts it back.
        """
        leaves, at = [], 0
        for leaf in self.layout.leaves:
            if leaf.kind in (FREE, TIED):
                shape = self.layout.shapes[leaf.index]
                leaves.append(scalars[at : at + math.prod(shape)].reshape(shape))
                at += math.prod(shape)
            elif leaf.kind == FIXED:
                value = self.constants[leaf.index]
                leaves.append(jax.tree.map(lambda x: jnp.full(jnp.shape(x), constant, scalars.dtype), value))
            else:
                leaves.append(None)
        return tuple(leaves)

    def tree_of_leaves(self, leaves: tuple[Any, ...]):
        """The tree like params whose leaves are ``leaves``, in tree order; what is not numbers is put back."""
        pairs = zip(self.layout.leaves, leaves, strict=True)
        whole = [self.layout.structure[leaf.index] if leaf.kind == STRUCTURE else value for leaf, value in pairs]
        return jax.tree_util.tree_unflatten(self.layout.treedef, whole)

    @property
    def has_ties(self) -> bool:
        """Whether some leaf takes the value of another."""
        return any(leaf.kind == TIED for leaf in self.layout.leaves)

    def scalar_labels(self) -> list[str]:
        """A label for each unfixed scalar of params, in tree order; no two are the same."""
        labels: list[str] = []
        for leaf in self.unfixed():
            own = None if self.labels is None or leaf.kind == TIED else self.labels[leaf.index]
            labels += own or element_names(leaf.name, self.layout.shapes[leaf.index])
        return distinct(labels)

    def leaf_names(self) -> list[str]:
        """For each number of z the name of the free leaf it belongs to."""
        free = [leaf for leaf in self.layout.leaves if leaf.kind == FREE]
        return [leaf.name for leaf in free for _ in range(math.prod(self.layout.free_shapes[leaf.index]))]

    def z_labels(self) -> list[str]:
        """A label for each number of z: that of the scalar it moves, where it moves one only."""
        scalars = iter(self.scalar_labels())
        labels: list[str] = []
        for leaf in self.unfixed():
            own = [next(scalars) for _ in range(math.prod(self.layout.shapes[leaf.index]))]
            if leaf.kind == TIED:
                continue
            if self.bijections[leaf.index].elementwise:
                labels += own
            else:
                labels += element_names(f"{leaf.name}~", self.layout.free_shapes[leaf.index])
        return labels


def _moved(z, direction):
    """``direction`` where it still moved z, zero elsewhere."""
    return jnp.where(still_moving(direction, z), direction, 0.0)


def _cut(flat, shapes) -> list[Array]:
    """A flat vector as leaves of ``shapes``, one after the other."""
    sizes = [math.prod(shape) for shape in shapes]
    ends = np.cumsum(sizes, dtype=int)
    cuts = zip(ends, sizes, shapes, strict=True)
    return [flat[end - size : end].reshape(shape) for end, size, shape in cuts]


def _join(leaves):
    """Leaves as one flat vector, which is empty where there is none."""
    return jnp.concatenate([jnp.ravel(leaf) for leaf in leaves]) if leaves else jnp.zeros(0)


def _at(bound, shape, index):
    """The entry of a bound, which may be one number for the whole leaf."""
    return None if bound is None else np.broadcast_to(np.asarray(bound), shape)[index]
