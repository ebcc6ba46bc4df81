"""The space of a start tree: params to a flat vector z of free, unconstrained numbers, and back.

Between the two lies the *point*: the tuple of distinct free leaves, each in the user's own units. Terms take their
derivatives in the point; :meth:`Space.pull_back` carries them to z once, with the second derivative of the transform.
"""

import dataclasses
import functools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmle.core.evaluation import Evaluation
from jaxmle.core.tree import is_array, path_name
from jaxmle.parameters.bijections import Bijection, Identity
from jaxmle.parameters.marks import Mark, Tied

FREE, TIED, FIXED, STRUCTURE = "free", "tied", "fixed", "structure"


@dataclasses.dataclass(frozen=True)
class Leaf:
    """Where one leaf of params comes from: the ``index``-th free leaf, constant, or piece of structure."""

    name: str
    kind: str
    index: int


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """The structure of a start tree: everything about it but its numbers and labels. Hashable, so that it can be
    part of what is compiled; the hash is kept, since every call of a compiled program asks for it."""

    treedef: Any
    leaves: tuple[Leaf, ...]
    shapes: tuple[tuple[int, ...], ...]  # of each free leaf, in params
    free_shapes: tuple[tuple[int, ...], ...]  # of each free leaf, in z
    structure: tuple[Any, ...]  # leaves that are not numbers

    @functools.cached_property
    def _key(self):
        fields = self.treedef, self.leaves, self.shapes, self.free_shapes, self.structure
        return hash(fields), fields

    def __hash__(self):
        return self._key[0]

    def __eq__(self, other):
        return self is other or (isinstance(other, Layout) and self._key == other._key)


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
        start = jax.tree.map(_fix_each_leaf, start, is_leaf=_is_mark)
        paths, treedef = jax.tree_util.tree_flatten_with_path(start, _is_mark)
        builder = _Builder(start)
        for path, leaf in paths:
            builder.add(path, leaf)
        return builder.space(treedef)

    @property
    def size(self) -> int:
        """How many free numbers there are: the length of z."""
        return sum(math.prod(shape) for shape in self.layout.free_shapes)

    def unlabelled(self) -> "Space":
        """The same space without its labels: what is compiled, so that renaming compiles nothing."""
        return self if self.labels is None else Space(self.bijections, self.constants, self.layout)

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
            return None if curvature is None else curvature * first[:, None] * first[None, :] - bend

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
        """A label for each unfixed scalar of params, in tree order."""
        labels: list[str] = []
        for leaf in self.layout.leaves:
            if leaf.kind == FREE:
                own = None if self.labels is None else self.labels[leaf.index]
                labels += own or element_names(leaf.name, self.layout.shapes[leaf.index])
            elif leaf.kind == TIED:
                labels += element_names(leaf.name, self.layout.shapes[leaf.index])
        return labels

    def z_labels(self) -> list[str]:
        """A label for each number of z: that of the scalar it moves, where it moves one only."""
        labels: list[str] = []
        for leaf in self.layout.leaves:
            if leaf.kind != FREE:
                continue
            own = None if self.labels is None else self.labels[leaf.index]
            if self.bijections[leaf.index].elementwise:
                labels += own or element_names(leaf.name, self.layout.shapes[leaf.index])
            else:
                labels += element_names(f"{leaf.name}~", self.layout.free_shapes[leaf.index])
        return labels


def element_names(name: str, shape: tuple[int, ...]) -> list[str]:
    """``beta[0]``, ``beta[1]``, ... for a leaf of ``shape``; its bare name for a scalar."""
    if not shape:
        return [name]
    return [f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(*shape)]


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


def _is_mark(leaf) -> bool:
    return isinstance(leaf, Mark | Tied)


def _fix_each_leaf(leaf):
    """A fixed sub-tree as a sub-tree of fixed leaves, so that what is not a number in it is structure."""
    fixed = isinstance(leaf, Mark) and leaf.bijection is None
    return jax.tree.map(lambda value: Mark(value, None), leaf.value) if fixed else leaf


class _Builder:
    """Collects the leaves of one start tree into a space."""

    def __init__(self, start):
        self.start = start
        self.leaves, self.ties = [], []
        self.bijections, self.values, self.shapes, self.free_shapes, self.labels = [], [], [], [], []
        self.constants, self.structure = [], []

    def add(self, path, leaf):
        name = path_name(path) or "params"
        if isinstance(leaf, Tied):
            self.ties.append((len(self.leaves), leaf.path))
            self.leaves.append(Leaf(name, TIED, -1))
        elif isinstance(leaf, Mark) and leaf.bijection is None:
            self._add_constant(path, name, leaf.value)
        elif isinstance(leaf, Mark):
            self._add_free(name, leaf.value, leaf.bijection, leaf.labels)
        elif self._is_parameter(path, leaf):
            self._add_free(name, leaf, Identity(), None)
        elif is_array(leaf):
            self._add_constant(path, name, leaf)
        else:
            self._add_structure(name, leaf)

    def _is_parameter(self, path, leaf) -> bool:
        """In a module only floating arrays are parameters, as for ``equinox.filter_grad``; elsewhere all numbers."""
        if is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.inexact):
            return True
        number = is_array(leaf) or isinstance(leaf, bool | int | float | complex)
        return number and not _inside_module(self.start, path)

    def _add_constant(self, path, name, value):
        """Arrays are constants, and so are numbers; but flags, and all scalars of a module, steer Python code."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_array(value) or (number and not _inside_module(self.start, path)):
            self.leaves.append(Leaf(name, FIXED, len(self.constants)))
            self.constants.append(value)
        else:
            self._add_structure(name, value)

    def _add_structure(self, name, value):
        self.leaves.append(Leaf(name, STRUCTURE, len(self.structure)))
        self.structure.append(value)

    def _add_free(self, name, value, bijection, labels):
        dtype = value.dtype if is_array(value) else np.result_type(float if isinstance(value, float) else type(value))
        if not np.issubdtype(np.dtype(dtype), np.floating) and not jnp.issubdtype(dtype, jnp.floating):
            raise TypeError(
                f"parameter {name!r} is of type {dtype}, and parameters are real numbers that change: write "
                f"1.0 instead of 1, or jm.fixed(...) to hold it"
            )
        shape = np.shape(value)
        try:
            free_shape = bijection.free_shape(shape)
        except ValueError as error:
            raise ValueError(f"parameter {name!r}: {error}") from None
        if labels is not None and len(labels) != math.prod(shape):
            raise ValueError(
                f"parameter {name!r} has {math.prod(shape)} numbers (shape {shape}) and {len(labels)} labels; "
                "give one label for each number"
            )
        self.leaves.append(Leaf(name, FREE, len(self.values)))
        self.values.append(value)
        self.bijections.append(bijection)
        self.shapes.append(shape)
        self.free_shapes.append(free_shape)
        self.labels.append(labels)

    def space(self, treedef):
        by_name = {leaf.name: leaf for leaf in self.leaves}
        for position, path in self.ties:
            target, name = by_name.get(path), self.leaves[position].name
            if target is None or target.kind != FREE:
                names = ", ".join(leaf.name for leaf in self.leaves if leaf.kind == FREE) or "none"
                why = "there is no such leaf" if target is None else f"that leaf is {target.kind}"
                raise KeyError(f"parameter {name!r} is tied to {path!r}, but {why}; the free leaves are: {names}")
            self.leaves[position] = Leaf(name, TIED, target.index)
        layout = Layout(treedef, tuple(self.leaves), tuple(self.shapes), tuple(self.free_shapes), tuple(self.structure))
        labels = tuple(self.labels) if any(label is not None for label in self.labels) else None
        return Space(tuple(self.bijections), tuple(self.constants), layout, labels), tuple(self.values)


def _inside_module(start, path) -> bool:
    """Whether the leaf at ``path`` lies inside an Equinox module."""
    node = start
    for key in path:
        if isinstance(node, eqx.Module):
            return True
        if isinstance(key, jax.tree_util.GetAttrKey):
            node = getattr(node, key.name)
        elif isinstance(key, jax.tree_util.SequenceKey):
            node = node[key.idx]
        elif isinstance(key, jax.tree_util.DictKey):
            node = node[key.key]
        else:
            return False
    return False
