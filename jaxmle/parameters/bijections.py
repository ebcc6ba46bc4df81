"""Bijections between unconstrained numbers and the values a constraint allows.

Each has ``forward`` (z to value), ``inverse`` (value to z, not finite where the value is not allowed),
``log_det`` (log of the volume that ``forward`` stretches a unit of z into, summed over the leaf), and says in words
what it allows. ``forward`` and ``inverse`` take one leaf: the last axes are the vector or the matrix, any axes before
them are independent copies.

``log_det`` measures a simplex by all but its last coordinate, a covariance matrix by its lower triangle, a
correlation matrix by its strict lower triangle and a unit vector by area on the sphere.
"""

import abc
import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core import lapack
from jaxmle.core.tree import is_traced


class Bijection(eqx.Module):
    """A constraint, as a map from unconstrained numbers. ``elementwise``: each value depends on its own z only."""

    elementwise: ClassVar[bool]

    @abc.abstractmethod
    def forward(self, z) -> Any:
        """The value at the unconstrained ``z``."""

    @abc.abstractmethod
    def inverse(self, value) -> Any:
        """The unconstrained z of ``value``; not finite where ``value`` is not allowed."""

    @abc.abstractmethod
    def log_det(self, z) -> Any:
        """The log absolute determinant of the derivative of ``forward`` at ``z``, summed over the leaf."""

    @abc.abstractmethod
    def describe(self) -> str:
        """What it allows, as the end of the sentence "... must be"."""

    def free_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of z for a leaf of ``shape``. Raises ``ValueError`` where no leaf of it can be so constrained."""
        return shape

    def allows(self, value) -> bool:
        """Whether a concrete ``value`` is allowed."""
        with jax.ensure_compile_time_eval():
            return bool(jnp.all(jnp.isfinite(self.inverse(jnp.asarray(value)))))

    def limits(self) -> tuple[Any, Any]:
        """The values that z of minus and plus infinity stand for; None where they are no limit."""
        return None, None


class Identity(Bijection):
    """Any finite number."""

    elementwise: ClassVar[bool] = True

    def forward(self, z):
        return z

    def inverse(self, value):
        return value

    def log_det(self, z):
        return jnp.zeros((), z.dtype)

    def describe(self):
        return "a finite number"


class Exp(Bijection):
    """Positive numbers, as exp(z)."""

    elementwise: ClassVar[bool] = True

    def forward(self, z):
        return jnp.exp(z)

    def inverse(self, value):
        return jnp.log(value)

    def log_det(self, z):
        return jnp.sum(z)

    def describe(self):
        return "positive"

    def limits(self):
        return 0.0, None


class Above(Bijection):
    """Numbers above ``lower``, as lower + exp(z)."""

    lower: jax.typing.ArrayLike
    elementwise: ClassVar[bool] = True

    def forward(self, z):
        return jnp.asarray(self.lower, z.dtype) + jnp.exp(z)

    def inverse(self, value):
        return jnp.log(value - jnp.asarray(self.lower, value.dtype))

    def log_det(self, z):
        return jnp.sum(z)

    def free_shape(self, shape):
        return _with_bounds(shape, lower=self.lower)

    def describe(self):
        return f"above {_show(self.lower)}"

    def limits(self):
        return self.lower, None


class Below(Bijection):
    """Numbers below ``upper``, as upper - exp(z)."""

    upper: jax.typing.ArrayLike
    elementwise: ClassVar[bool] = True

    def forward(self, z):
        return jnp.asarray(self.upper, z.dtype) - jnp.exp(z)

    def inverse(self, value):
        return jnp.log(jnp.asarray(self.upper, value.dtype) - value)

    def log_det(self, z):
        return jnp.sum(z)

    def free_shape(self, shape):
        return _with_bounds(shape, upper=self.upper)

    def describe(self):
        return f"below {_show(self.upper)}"

    def limits(self):
        return self.upper, None  # exp(z) is what is left to the upper end


class Between(Bijection):
    """Numbers strictly between ``lower`` and ``upper``, as a logistic function of z."""

    lower: jax.typing.ArrayLike
    upper: jax.typing.ArrayLike
    elementwise: ClassVar[bool] = True

    def forward(self, z):
        lower, upper = jnp.asarray(self.lower, z.dtype), jnp.asarray(self.upper, z.dtype)
        return lower + (upper - lower) * jax.nn.sigmoid(z)

    def inverse(self, value):
        lower, upper = jnp.asarray(self.lower, value.dtype), jnp.asarray(self.upper, value.dtype)
        return jnp.log(value - lower) - jnp.log(upper - value)

    def log_det(self, z):
        width = jnp.asarray(self.upper, z.dtype) - jnp.asarray(self.lower, z.dtype)
        slope = jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z)
        return jnp.sum(jnp.broadcast_to(jnp.log(width), z.shape) + slope)

    def free_shape(self, shape):
        return _with_bounds(shape, lower=self.lower, upper=self.upper)

    def describe(self):
        return f"between {_show(self.lower)} and {_show(self.upper)}"

    def limits(self):
        return self.lower, self.upper


class Simplex(Bijection):
    """Positive numbers that sum to one along the last axis, as a softmax with the last logit zero."""

    elementwise: ClassVar[bool] = False

    def forward(self, z):
        return jax.nn.softmax(_append_zero(z), axis=-1)

    def inverse(self, value):
        total = jnp.sum(value, axis=-1, keepdims=True)
        good = jnp.abs(total - 1.0) < _tolerance(value.dtype, value.shape[-1])
        logs = jnp.log(value)
        return jnp.where(good, logs[..., :-1] - logs[..., -1:], jnp.nan)

    def log_det(self, z):
        return jnp.sum(jax.nn.log_softmax(_append_zero(z), axis=-1))

    def free_shape(self, shape):
        return _one_less(shape, "a simplex")

    def describe(self):
        return "positive and sum to one along the last axis"


class Ordered(Bijection):
    """Increasing numbers along the last axis: the first, then the logs of the gaps."""

    elementwise: ClassVar[bool] = False

    def forward(self, z):
        return jnp.cumsum(jnp.concatenate([z[..., :1], jnp.exp(z[..., 1:])], axis=-1), axis=-1)

    def inverse(self, value):
        return jnp.concatenate([value[..., :1], jnp.log(jnp.diff(value, axis=-1))], axis=-1)

    def log_det(self, z):
        return jnp.sum(z[..., 1:])

    def free_shape(self, shape):
        if not shape or shape[-1] < 1:
            raise ValueError(f"an ordered vector needs a last axis of one or more; the shape is {shape}")
        return shape

    def describe(self):
        return "strictly increasing along the last axis"


class UnitVector(Bijection):
    """Vectors of length one, by stereographic projection from the point opposite to ``pole`` (the start).

    With w = (z, 1) pointing from the far pole, the vector is a reflection of (2 z, 1 - |z|^2) / (1 + |z|^2).
    """

    pole: jax.typing.ArrayLike
    elementwise: ClassVar[bool] = False

    def _reflect(self, vector):
        """The Householder reflection that swaps the last axis and ``pole``."""
        pole = jnp.asarray(self.pole, vector.dtype)
        pole = pole / jnp.linalg.norm(pole, axis=-1, keepdims=True)
        last = jnp.zeros_like(pole).at[..., -1].set(1.0)
        normal = pole - last
        square = jnp.sum(normal**2, axis=-1, keepdims=True)
        safe = jnp.where(square > 0, square, 1.0)
        shift = 2.0 * jnp.sum(normal * vector, axis=-1, keepdims=True) / safe
        return vector - jnp.where(square > 0, shift, 0.0) * normal

    def forward(self, z):
        square = jnp.sum(z**2, axis=-1, keepdims=True)
        return self._reflect(jnp.concatenate([2.0 * z, 1.0 - square], axis=-1) / (1.0 + square))

    def inverse(self, value):
        length = jnp.linalg.norm(value, axis=-1, keepdims=True)
        good = jnp.abs(length - 1.0) < _tolerance(value.dtype, value.shape[-1])
        turned = self._reflect(value)
        return jnp.where(good, turned[..., :-1] / (1.0 + turned[..., -1:]), jnp.nan)

    def log_det(self, z):
        square = jnp.sum(z**2, axis=-1)
        return jnp.sum(z.shape[-1] * (math.log(2.0) - jnp.log1p(square)))

    def free_shape(self, shape):
        return _one_less(shape, "a unit vector")

    def describe(self):
        return "of length one along the last axis"


class Covariance(Bijection):
    """Symmetric positive definite matrices, by the Cholesky factor with the logs of its diagonal."""

    elementwise: ClassVar[bool] = False

    def forward(self, z):
        size = _matrix_size(z.shape[-1])
        rows, columns = np.tril_indices(size)
        values = jnp.where(jnp.asarray(rows == columns), jnp.exp(z), z)
        lower = jnp.zeros((*z.shape[:-1], size, size), z.dtype).at[..., rows, columns].set(values)
        return lower @ jnp.swapaxes(lower, -1, -2)

    def inverse(self, value):
        rows, columns = np.tril_indices(value.shape[-1])
        lower = lapack.cholesky(value)[..., rows, columns]
        diagonal = jnp.asarray(rows == columns)
        z = jnp.where(diagonal, jnp.log(jnp.where(diagonal, lower, 1.0)), lower)
        return jnp.where(_symmetric(value)[..., None], z, jnp.nan)

    def log_det(self, z):
        size = _matrix_size(z.shape[-1])
        rows, columns = np.tril_indices(size)
        power = np.where(rows == columns, size - rows + 1.0, 0.0)
        return jnp.sum(z @ jnp.asarray(power, z.dtype)) + size * math.log(2.0) * math.prod(z.shape[:-1])

    def free_shape(self, shape):
        size = _square(shape, "a covariance matrix")
        return (*shape[:-2], size * (size + 1) // 2)

    def describe(self):
        return "a symmetric positive definite matrix"


class Correlation(Bijection):
    """Correlation matrices, by canonical partial correlations tanh(z) (Lewandowski, Kurowicka and Joe 2009)."""

    elementwise: ClassVar[bool] = False

    def _cholesky(self, z):
        """The Cholesky factor, and the log of what is left of each row's unit length before each entry."""
        size = (1 + math.isqrt(1 + 8 * z.shape[-1])) // 2
        rows, columns = np.tril_indices(size, -1)
        blank = jnp.zeros((*z.shape[:-1], size, size), z.dtype)
        partial = blank.at[..., rows, columns].set(jnp.tanh(z))
        log_rest = blank.at[..., rows, columns].set(_log_sech_squared(z))
        before = 0.5 * (jnp.cumsum(log_rest, axis=-1) - log_rest)
        lower = partial * jnp.exp(before) + jnp.where(jnp.eye(size, dtype=bool), jnp.exp(before), 0.0)
        return lower, before[..., rows, columns]

    def forward(self, z):
        lower, _ = self._cholesky(z)
        product = lower @ jnp.swapaxes(lower, -1, -2)
        return jnp.where(jnp.eye(product.shape[-1], dtype=bool), jnp.ones((), z.dtype), product)

    def inverse(self, value):
        size = value.shape[-1]
        rows, columns = np.tril_indices(size, -1)
        lower = lapack.cholesky(value)
        square = lower**2
        left = 1.0 - (jnp.cumsum(square, axis=-1) - square)
        partial = lower / jnp.sqrt(jnp.maximum(left, jnp.finfo(value.dtype).tiny))
        diagonal = jnp.diagonal(value, axis1=-2, axis2=-1)
        unit = jnp.all(jnp.abs(diagonal - 1.0) < _tolerance(value.dtype, size), axis=-1)
        good = _symmetric(value) & unit
        return jnp.where(good[..., None], jnp.arctanh(partial[..., rows, columns]), jnp.nan)

    def log_det(self, z):
        # The correlations are the entries of L L' below the diagonal: L is triangular in them, with slopes the
        # diagonal of L by column; each entry of L has slope (1 - tanh^2) times what was left of its row.
        lower, before = self._cholesky(z)
        size = lower.shape[-1]
        _, columns = np.tril_indices(size, -1)
        slopes = _log_sech_squared(z) + before
        diagonal = jnp.log(jnp.diagonal(lower, axis1=-2, axis2=-1))
        return jnp.sum(slopes) + jnp.sum(diagonal[..., columns])

    def free_shape(self, shape):
        size = _square(shape, "a correlation matrix")
        return (*shape[:-2], size * (size - 1) // 2)

    def describe(self):
        return "a correlation matrix: symmetric, positive definite, with a unit diagonal"


def _append_zero(z):
    return jnp.concatenate([z, jnp.zeros((*z.shape[:-1], 1), z.dtype)], axis=-1)


def _log_sech_squared(z):
    """log(1 - tanh(z)^2), finite for any z."""
    return 2.0 * (math.log(2.0) - jnp.logaddexp(z, -z))


def _matrix_size(entries: int) -> int:
    """The size of the matrix whose lower triangle has this many entries."""
    return (math.isqrt(8 * entries + 1) - 1) // 2


def _tolerance(dtype, size: int) -> float:
    """How far rounding may have taken a sum of ``size`` numbers of order one from one."""
    return 100.0 * size * float(jnp.finfo(dtype).eps)


def _symmetric(matrix):
    gap = jnp.max(jnp.abs(matrix - jnp.swapaxes(matrix, -1, -2)), axis=(-1, -2))
    return gap <= _tolerance(matrix.dtype, matrix.shape[-1]) * jnp.max(jnp.abs(matrix), axis=(-1, -2))


def _one_less(shape, what):
    if not shape or shape[-1] < 2:
        raise ValueError(f"{what} needs a last axis of two or more; the shape is {shape}")
    return (*shape[:-1], shape[-1] - 1)


def _with_bounds(shape, **bounds):
    """``shape``, of a leaf whose bounds are single numbers or arrays of the same shape."""
    for name, bound in bounds.items():
        if np.shape(bound) not in ((), shape):
            raise ValueError(f"{name} has shape {np.shape(bound)} and the value {shape}; give one number or one each")
    return shape


def _square(shape, what):
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(f"{what} needs two equal last axes; the shape is {shape}")
    return shape[-1]


def _show(number) -> str:
    return "its bound" if is_traced(number) else str(number)
