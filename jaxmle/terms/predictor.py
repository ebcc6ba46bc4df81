"""A predictor seen from the point: what it depends on, its slopes row by row, and the pull-back of a noise model.

``eta``, the parameters of a density for one row, is a tuple of parts, each flattened to k_j numbers.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.dependence import dependence
from jaxmle.core.evaluation import derivatives
from jaxmle.terms import rows as row_tools
from jaxmle.terms.objective import flatten_point


@dataclasses.dataclass(frozen=True)
class Part:
    """One part of eta: how many numbers it is, the leaves of the point it depends on, and their coordinates."""

    size: int
    leaves: tuple[int, ...]
    coordinates: np.ndarray


@dataclasses.dataclass(frozen=True)
class Predictor:
    """``function(point, row) -> eta`` at one ``point``. ``bent``: some slope of eta changes with the point, so that
    the Gauss-Newton curvature is not all there is."""

    function: Callable
    point: tuple
    x: Any
    parts: tuple[Part, ...]
    bent: bool

    @classmethod
    def of(cls, function: Callable, point: tuple, x) -> "Predictor":
        """Read off the jaxpr which part depends on which leaf, and whether linearly."""
        shapes = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in point)
        row = jax.tree.map(
            lambda leaf: leaf.value if row_tools.is_shared(leaf) else _shape_of_a_row(leaf),
            x,
            is_leaf=row_tools.is_shared,
        )
        count = len(shapes)

        def eta(*point_and_row):
            return _flat_parts(function(point_and_row[:count], point_and_row[count]))

        def slopes(*point_and_row):
            return jax.jacrev(eta, argnums=tuple(range(count)))(*point_and_row)

        sizes = [part.size for part in jax.eval_shape(eta, *shapes, row)]
        used = [{i for i in inputs if i < count} for inputs in dependence(eta, *shapes, row)]
        bent = any(min(inputs, default=count) < count for inputs in dependence(slopes, *shapes, row))
        starts = np.cumsum([0] + [math.prod(shape.shape) for shape in shapes])
        parts = tuple(
            Part(size, tuple(sorted(leaves)), _join([np.arange(starts[i], starts[i + 1]) for i in sorted(leaves)]))
            for size, leaves in zip(sizes, used, strict=True)
        )
        return cls(function, point, x, parts, bent)

    def __call__(self, rows) -> tuple:
        """eta for each of ``rows``, as the user's tuple, with a leading row axis."""
        return over_rows(lambda row: self.function(self.point, row), self.x)(rows)

    def pull_back(self, rows, slopes, bends, observed=True):
        """Gradient, Gauss-Newton curvature and the part of the curvature it lacks (None if nothing) in the flat point.

        ``slopes`` (n, k) and ``bends`` (n, k, k) are the weighted first and second derivatives of the log-density in
        the moving parts of eta, None where they are not asked for. Only the ``observed`` curvature lacks anything.
        """
        if slopes is None:
            return None, None, None
        jacobians = [self.jacobian(j, rows) for j in self.moving]
        gradient = self._gradient(slopes, jacobians)
        if bends is None:
            return gradient, None, None
        return (
            gradient,
            self._gauss_newton(-bends, jacobians),
            self._curved(rows, slopes) if self.bent and observed else None,
        )

    def row_gradients(self, rows, slopes):
        """The gradient of each row in the flat point, (n, d), from its ``slopes`` (n, k) in the moving parts of eta."""
        gradients = jnp.zeros((slopes.shape[0], self.size), slopes.dtype)
        for part, jacobian, at in self._with_offsets([self.jacobian(j, rows) for j in self.moving]):
            here = jnp.einsum("nk,nkd->nd", slopes[:, at : at + part.size], jacobian)
            gradients = gradients.at[:, part.coordinates].add(here)
        return gradients

    @property
    def moving(self) -> list[int]:
        """Which parts of eta depend on the point; the others are data, and nobody needs their derivatives."""
        return [j for j, part in enumerate(self.parts) if part.leaves]

    @property
    def size(self) -> int:
        return sum(leaf.size for leaf in self.point)

    def jacobian(self, j, rows):
        """The derivative of part j, (n, k_j, d_j), in the coordinates that it depends on."""
        leaves = self.parts[j].leaves

        def part(chosen, row):
            point = list(self.point)
            for i, leaf in zip(leaves, chosen, strict=True):
                point[i] = leaf
            return _flat_parts(self.function(tuple(point), row))[j]

        def jacobian(row):
            pieces = jax.jacrev(part)(tuple(self.point[i] for i in leaves), row)
            return jnp.concatenate([piece.reshape(piece.shape[0], -1) for piece in pieces], axis=1)

        return over_rows(jacobian, self.x)(rows)

    def _gradient(self, slopes, jacobians):
        gradient = jnp.zeros(self.size, slopes.dtype)
        for part, jacobian, at in self._with_offsets(jacobians):
            n, k, d = jacobian.shape
            here = slopes[:, at : at + k].reshape(n * k) @ jacobian.reshape(n * k, d)
            gradient = gradient + _spread(here, self.size, part.coordinates)
        return gradient

    def _gauss_newton(self, weights, jacobians):
        """The sum over rows of J' W J, block by block of the parts of eta."""
        total = jnp.zeros((self.size, self.size), weights.dtype)
        for part, jacobian, at in self._with_offsets(jacobians):
            for other, beside, there in self._with_offsets(jacobians):
                if there < at:
                    continue
                n, k, d = jacobian.shape
                block = weights[:, at : at + k, there : there + beside.shape[1]]
                right = block * beside if beside.shape[1] == 1 else block @ beside
                product = jacobian.reshape(n * k, d).T @ right.reshape(n * k, -1)
                product = _spread(product, self.size, part.coordinates, other.coordinates)
                total = total + (product if there == at else product + product.T)
        return total

    def _with_offsets(self, jacobians):
        """The moving parts, their Jacobians, and where each begins among the numbers of eta that move."""
        parts = [self.parts[j] for j in self.moving]
        starts = np.cumsum([0, *(part.size for part in parts)])[: len(parts)]
        return list(zip(parts, jacobians, map(int, starts), strict=True))

    def _curved(self, rows, slopes):
        """The sum over rows and parts of slope times the second derivative of eta."""
        flat, cut = flatten_point(self.point)

        def pulled(flat):
            eta = over_rows(lambda row: self.function(cut(flat), row), self.x)(rows)
            return jnp.sum(slopes * flat_moving(eta, self.moving))

        return derivatives(pulled, flat, 2)[2]


def over_rows(function: Callable, x) -> Callable:
    """``function`` of one row, mapped over rows shaped like those of ``x``; shared leaves are kept whole."""
    axes = jax.tree.map(lambda leaf: None if row_tools.is_shared(leaf) else 0, x, is_leaf=row_tools.is_shared)
    return jax.vmap(function, in_axes=(axes,))


def flat_moving(eta: tuple, moving: list[int]):
    """The numbers of the ``moving`` parts of eta, (n, k)."""
    parts = jax.tree_util.tree_leaves(eta)
    flat = [parts[j].reshape(parts[j].shape[0], -1) for j in moving]
    return jnp.concatenate(flat, axis=1) if flat else jnp.zeros((parts[0].shape[0], 0), parts[0].dtype)


def moving_numbers(eta: tuple, moving: list[int]) -> np.ndarray:
    """The places of the numbers of the ``moving`` parts among all numbers of one row's eta."""
    sizes = [math.prod(part.shape[1:]) for part in jax.tree_util.tree_leaves(eta)]
    ends = np.cumsum(sizes, dtype=int)
    return _join([np.arange(ends[j] - sizes[j], ends[j]) for j in moving])


def noise_derivatives(log_density: Callable, eta: tuple, moving: list[int], y, order: int):
    """Value (n,), first (n, k) and second (n, k, k) derivatives of a log-density in its moving parameters, by rows.

    ``eta`` is the tuple of parameters with a leading row axis, ``moving`` says which of them to differentiate in; what
    ``order`` does not ask for is None.
    """
    parts, treedef = jax.tree_util.tree_flatten(eta)
    shapes = [parts[j].shape[1:] for j in moving]
    ends = [int(end) for end in np.cumsum([math.prod(shape) for shape in shapes])]

    def one(flat, parts, y):
        for j, end, shape in zip(moving, ends, shapes, strict=True):
            parts[j] = flat[end - math.prod(shape) : end].reshape(shape)
        value = log_density(y, *jax.tree_util.tree_unflatten(treedef, parts))
        if jnp.ndim(value):
            raise ValueError(
                f"the log-density of one row must be a number; it has shape {jnp.shape(value)} for a response of "
                f"shape {jnp.shape(y)}: a column of shape (n, 1) is made flat with y[:, 0]"
            )
        return value

    def at(flat, parts, y):
        return derivatives(lambda flat: one(flat, list(parts), y), flat, order)

    return jax.vmap(at)(flat_moving(eta, moving), parts, y)


def rounding_of(eta: tuple, moving: list[int], slopes, weights):
    """How much the value moves, in units of eps, when eta is rounded: the sum of |slope * eta|."""
    if slopes is None:
        return 0.0
    return jnp.sum(row_tools.weighted(jnp.abs(slopes * flat_moving(eta, moving)), weights))


def _spread(block, size: int, *coordinates: np.ndarray):
    """``block`` in its place in an array of ``size`` along each axis, zeros elsewhere."""
    if all(np.array_equal(c, np.arange(c[0], c[0] + c.size)) for c in coordinates):
        return jnp.pad(block, [(int(c[0]), size - int(c[-1]) - 1) for c in coordinates])
    return jnp.zeros((size,) * len(coordinates), block.dtype).at[np.ix_(*coordinates)].set(block)


def _flat_parts(eta: tuple) -> list:
    return [jnp.ravel(part) for part in jax.tree_util.tree_leaves(eta)]


def _shape_of_a_row(leaf):
    return jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype)


def _join(pieces) -> np.ndarray:
    return np.concatenate(pieces) if pieces else np.zeros(0, int)
