"""A predictor seen from the point: what it depends on, its slopes row by row, and the pull-back of a noise model.

``eta``, the parameters of a density for one row, is a tuple of parts, each flattened to k_j numbers.
"""

import dataclasses
import functools
import math
import types
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.affine import Affine, NotAffine, affine_parts
from jaxmle.core.dependence import dependence, goes_forward
from jaxmle.core.evaluation import derivatives
from jaxmle.terms import rows as row_tools
from jaxmle.terms import slopes as pull
from jaxmle.terms.objective import flatten_point


@dataclasses.dataclass(frozen=True)
class Part:
    """One part of eta: how many numbers it is, the leaves of the point it depends on, and their coordinates; where it
    is affine in them, the coordinates of each number beside its design, (size, q); whether it is the same for every
    row."""

    size: int
    leaves: tuple[int, ...]
    coordinates: np.ndarray
    affine: np.ndarray | None
    constant: bool


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

        sizes = [part.size for part in jax.eval_shape(eta, *shapes, row)]
        inputs_of = dependence(eta, *shapes, row)
        shared = _of_shared_data(count, x)
        starts = np.cumsum([0] + [math.prod(shape.shape) for shape in shapes])
        parts = tuple(
            Part(
                size,
                leaves := tuple(sorted(i for i in inputs if i < count)),
                _join([np.arange(starts[i], starts[i + 1]) for i in leaves]),
                _affine_coordinates(function, shapes, row, j) if leaves else None,
                inputs <= shared | set(leaves),
            )
            for j, (size, inputs) in enumerate(zip(sizes, inputs_of, strict=True))
        )
        curved = [j for j, part in enumerate(parts) if part.leaves and part.affine is None]

        def slopes(*point_and_row):
            return jax.jacrev(lambda *given: [eta(*given)[j] for j in curved], tuple(range(count)))(*point_and_row)

        bent = bool(curved) and any(min(i, default=count) < count for i in dependence(slopes, *shapes, row))
        return cls(function, point, x, parts, bent)

    def __call__(self, rows) -> tuple:
        """eta for each of ``rows``, as the user's tuple, with a leading row axis."""
        return jax.tree.map(_by_lanes, over_rows(lambda row: self.function(self.point, row), self.x)(rows))

    def pull_back(self, rows, slopes, bends, observed=True):
        """Gradient, Gauss-Newton curvature and the part of the curvature it lacks (None if nothing) in the flat point.

        ``slopes`` (n, k) and ``bends`` (n, k, k) are the weighted first and second derivatives of the log-density in
        the moving parts of eta, None where they are not asked for. Only the ``observed`` curvature lacks anything.
        """
        if slopes is None:
            return None, None, None
        pieces = self.slopes(rows)
        gradient = pull.gradient(pieces, self.size, slopes)
        if bends is None:
            return gradient, None, None
        curved = self._curved(rows, slopes) if self.bent and observed else None
        return gradient, pull.curvature(pieces, self.size, -bends), curved

    def row_gradients(self, rows, slopes):
        """The gradient of each row in the flat point, (n, d), from its ``slopes`` (n, k) in the moving parts of eta."""
        return pull.gradients(self.slopes(rows), self.size, slopes)

    @property
    def moving(self) -> list[int]:
        """Which parts of eta depend on the point; the others are data, and nobody needs their derivatives."""
        return [j for j, part in enumerate(self.parts) if part.leaves]

    @property
    def is_affine(self) -> bool:
        """Whether every part of eta that moves is seen to be affine in the point."""
        return all(self.parts[j].affine is not None for j in self.moving)

    @property
    def constant(self) -> list[int]:
        """Which parts of eta are the same for every row."""
        return [j for j, part in enumerate(self.parts) if part.constant]

    @property
    def size(self) -> int:
        """How many numbers the point has."""
        return sum(leaf.size for leaf in self.point)

    def slopes(self, rows) -> list[pull.Slope]:
        """How the moving numbers of eta change with the point, in each of ``rows``."""
        pieces, at = [], 0
        for j in self.moving:
            part = self.parts[j]
            numbers = np.arange(at, at + part.size)
            at += part.size
            if part.affine is not None:
                there = np.flatnonzero((part.affine >= 0).any(axis=1))
                pieces.append(pull.Narrow(self.design(j, rows), numbers[there], part.affine[there]))
            elif part.size == 1:
                pieces.append(pull.Narrow(self.jacobian(j, rows)[:, 0, :], numbers, part.coordinates[None]))
            else:
                pieces.append(pull.Wide(self.jacobian(j, rows), numbers, part.coordinates))
        return pieces

    def unsound(self, rows):
        """In which of ``rows`` eta has a slope whose square is not finite, so that zero times it is no number."""
        return over_rows(lambda row: ~jnp.all(jnp.isfinite(jnp.square(self._slopes_of_row(row)))), self.x)(rows)

    def _slopes_of_row(self, row):
        """The designs of the affine parts; of the others how they change with all numbers of the point at once."""
        affine = [j for j in self.moving if self.parts[j].affine is not None]
        others = [j for j in self.moving if j not in affine]
        slopes = [_affine(self.function, self.point, row, j).design for j in affine]
        if others:

            def eta(*point):
                parts = _flat_parts(self.function(point, row))
                return [parts[j] for j in others]

            slopes += jax.jvp(eta, self.point, tuple(map(jnp.ones_like, self.point)))[1]
        slopes = [jnp.ravel(slope) for slope in slopes if slope is not None]
        return jnp.concatenate(slopes) if slopes else jnp.zeros(0)

    def design(self, j, rows):
        """The design of the affine part j, (n, q); None where it is one."""

        def design(row):
            return _affine(self.function, self.point, row, j).design

        return over_rows(design, self.x)(rows)

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

    def _curved(self, rows, slopes):
        """The sum over rows and parts of slope times the second derivative of eta."""
        flat, cut = flatten_point(self.point)
        return derivatives(lambda flat: jnp.sum(slopes * self._moving_at(cut(flat), rows)), flat, 2)[2]

    def bend(self, rows, weights, along: Callable):
        """The sum over rows of J' W eta'' in the flat point, with ``weights`` (n, k, k) and eta'' the second derivative
        of the moving numbers of eta in t, at zero, of the points ``along(t)``; zero where eta can only be
        differentiated backward."""
        zero, one = jnp.zeros((), weights.dtype), jnp.ones((), weights.dtype)

        def eta(t):
            return self._moving_at(along(t), rows)

        if not goes_forward(eta, zero):
            return jnp.zeros(self.size, weights.dtype)
        second = jax.jvp(lambda t: jax.jvp(eta, (t,), (one,))[1], (zero,), (one,))[1]
        return pull.gradient(self.slopes(rows), self.size, jnp.sum(weights * second[:, None, :], axis=2))

    def _moving_at(self, point, rows):
        """The moving numbers of eta in each of ``rows``, (n, k), at a ``point``."""
        return flat_moving(over_rows(lambda row: self.function(point, row), self.x)(rows), self.moving)


@jax.custom_jvp
def _by_lanes(eta):
    """``eta`` itself; under ``jax.vmap`` an array in which each lane lies in one piece.

    Lanes that share a design have their predictions from one product, (n, lanes), and whatever is done with these
    beside weights or responses of (lanes, n) then steps through memory: 640,000 rows took 24 ms, and take 4.
    """
    return _as_it_is(eta)


@_by_lanes.defjvp
def _change_by_lanes(primals, tangents):
    return primals[0], tangents[0]


@jax.custom_batching.custom_vmap
def _as_it_is(eta):
    return eta


@_as_it_is.def_vmap
def _laid_out(_, batched, eta):
    return (jax.lax.optimization_barrier(eta) if batched[0] else eta), batched[0]


def _of_shared_data(count: int, x) -> set[int]:
    """The inputs, of which the first ``count`` are those of the point, that are data which all rows share."""
    leaves = [row_tools.is_shared(leaf) for leaf in jax.tree.leaves(x, is_leaf=row_tools.is_shared)]
    sizes = [len(jax.tree.leaves(leaf)) for leaf in jax.tree.leaves(x, is_leaf=row_tools.is_shared)]
    flags = [shared for shared, size in zip(leaves, sizes, strict=True) for _ in range(size)]
    return {count + i for i, shared in enumerate(flags) if shared}


def _affine(function: Callable, point: tuple, row, j: int) -> Affine:
    """Part j of eta as an affine function of the point. Raises :class:`NotAffine`."""
    return affine_parts(lambda point, row: [_flat_parts(function(point, row))[j]], point, row)[0]


def _affine_coordinates(function, shapes, row, j):
    """The coordinates of part j beside its design, (size, q), None where it is not seen to be affine."""
    seen = []

    def look(row):
        seen.append(_affine(function, shapes, row, j).coordinates)
        return 0.0

    try:
        jax.eval_shape(look, row)
    except NotAffine:
        return None
    return seen[0]


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


def noise_derivatives(log_density: Callable, eta: tuple, moving: list[int], y, order: int, constant: Sequence = ()):
    """Value (n,), first (n, k) and second (n, k, k) derivatives of a log-density in its moving parameters, by rows.

    ``eta`` is the tuple of parameters with a leading row axis, ``moving`` says which of them to differentiate in; what
    ``order`` does not ask for is None. The parts that are ``constant``, the same in every row, are looked at once: what
    a density makes of them alone (the log-gamma function of a concentration) is not done again for each row.
    """
    parts, treedef = jax.tree_util.tree_flatten(eta)
    of_one_row = _kept_of_one_row if _is_lasting(log_density) else _of_one_row
    asked = log_density, treedef, tuple(moving), order
    axes = [None if j in constant else 0 for j in range(len(parts))]
    each = jax.vmap(functools.partial(of_one_row, *asked), in_axes=(axes, 0))
    return each([x[0] if j in constant else x for j, x in enumerate(parts)], y)


def _is_lasting(density) -> bool:
    """Whether it is made of nothing but densities of this package: a user's function may read what changes."""
    if dataclasses.is_dataclass(density):
        return all(_is_lasting(getattr(density, field.name)) for field in dataclasses.fields(density))
    if isinstance(density, tuple):
        return all(map(_is_lasting, density))
    if isinstance(density, types.FunctionType | types.ModuleType):
        home = density.__name__ if isinstance(density, types.ModuleType) else density.__module__
        return (home or "").startswith("jaxmle.densities.")  # a function that was executed has none
    return density is None or isinstance(density, str)


def _of_one_row(log_density, treedef, moving, order, parts, y):
    """Value and derivatives of the log-density of one row."""
    ends = [int(end) for end in np.cumsum([parts[j].size for j in moving])]

    def value(change):
        moved = list(parts)
        for j, end in zip(moving, ends, strict=True):
            moved[j] = parts[j] + change[end - parts[j].size : end].reshape(parts[j].shape)
        value = log_density(y, *jax.tree_util.tree_unflatten(treedef, moved))
        if jnp.ndim(value):
            raise ValueError(
                f"the log-density of one row must be a number; it has shape {jnp.shape(value)} for a response of "
                f"shape {jnp.shape(y)}: "
                + (
                    "a column of shape (n, 1) is made flat with y[:, 0]"
                    if jnp.ndim(y)
                    else "the predictor must return single numbers for one row, not arrays"
                )
            )
        return value

    nothing = jnp.zeros(ends[-1] if ends else 0, jnp.result_type(*parts))
    return derivatives(value, nothing, order)


# The same, traced once for all data, however many rows they have and whatever is asked of them.
_kept_of_one_row = jax.jit(_of_one_row, static_argnums=(0, 1, 2, 3), inline=True)


def rounding_of(eta: tuple, moving: list[int], slopes, weights):
    """How much the value moves, in units of eps, when eta is rounded: the sum of |slope * eta|."""
    if slopes is None:
        return 0.0
    return jnp.sum(row_tools.weighted(jnp.abs(slopes * flat_moving(eta, moving)), weights))


def _flat_parts(eta: tuple) -> list:
    return [jnp.ravel(part) for part in jax.tree_util.tree_leaves(eta)]


def _shape_of_a_row(leaf):
    return jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype)


def _join(pieces) -> np.ndarray:
    return np.concatenate(pieces) if pieces else np.zeros(0, int)
