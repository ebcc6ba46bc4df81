"""An evaluation: value, gradient and curvature of a log-density at one point. Evaluations add."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

OBSERVED, OPG, EXPECTED = "observed", "opg", "expected"
_ROUNDINGS = 8  # of a sum, in units of eps times its magnitude: blocks of rows keep them few


class Evaluation(eqx.Module):
    """What is known of an objective at one point.

    ``gradient`` and ``curvature`` are None where they were not asked for. The curvature is the one asked for:
    ``OBSERVED``, *minus* the matrix of second derivatives, so that it is positive definite at a maximum; ``OPG``, the
    sum over rows of the outer product of the gradient; ``EXPECTED``, the expected information. ``gauss_newton`` is
    the observed one without the second derivatives of a nonlinear predictor, None where the two are the same.
    ``magnitude`` is the sum of the absolute values of what was added, from which the rounding error of ``value``
    follows.
    """

    log_likelihood: Float[Array, ""]
    log_prior: Float[Array, ""]
    magnitude: Float[Array, ""]
    gradient: Any = None  # Float[Array, " m"]
    curvature: Any = None  # Float[Array, "m m"]
    gauss_newton: Any = None  # Float[Array, "m m"]

    @property
    def value(self) -> Float[Array, ""]:
        """The log-posterior: log-likelihood plus log-prior."""
        return self.log_likelihood + self.log_prior

    @property
    def rounding(self):
        """The rounding error of ``value``."""
        return rounding_of_sum(self.magnitude)

    @property
    def approximate_curvature(self):
        """The Gauss-Newton curvature where there is one, the exact one elsewhere."""
        return self.curvature if self.gauss_newton is None else self.gauss_newton

    def __add__(self, other: "Evaluation") -> "Evaluation":
        either = self.gauss_newton is not None or other.gauss_newton is not None
        return Evaluation(
            self.log_likelihood + other.log_likelihood,
            self.log_prior + other.log_prior,
            self.magnitude + other.magnitude,
            _add(self.gradient, other.gradient),
            _add(self.curvature, other.curvature),
            _add(self.approximate_curvature, other.approximate_curvature) if either else None,
        )

    def __rmul__(self, factor) -> "Evaluation":
        return jax.tree.map(lambda x: factor * x, self)

    def is_finite(self):
        """Whether everything in it is a finite number."""
        leaves = [jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(self)]
        return jnp.all(jnp.stack(leaves))


def _add(a, b):
    return None if a is None or b is None else a + b


def rounding_of_sum(magnitude):
    """The rounding error of a sum over rows of this ``magnitude``, in its floating type."""
    return _ROUNDINGS * float(jnp.finfo(magnitude.dtype).eps) * (1.0 + magnitude)


def shortfall(rounding, magnitude, decrement):
    """By how much a value may lie below that of its maximum: its ``rounding``, and twice what a Newton step would still
    gain. Where no curvature was taken that is a guess by the ``magnitude``, with more room."""
    guess = float(jnp.finfo(magnitude.dtype).eps) ** (2 / 3) * (1.0 + magnitude)
    return rounding + jnp.where(jnp.isfinite(decrement), decrement**2, guess)


def derivatives(function: Callable, point: Float[Array, " m"], order: int) -> tuple[Any, Any, Any]:
    """Value, gradient and second derivatives of a scalar ``function`` at ``point``, to ``order`` (0, 1 or 2).

    Forward over reverse: one linearisation of the gradient, pushed along every coordinate at once.
    """
    if order == 0:
        return function(point), None, None
    if order == 1:
        return *jax.value_and_grad(function)(point), None
    (value, gradient), push = jax.linearize(jax.value_and_grad(function), point)
    _, hessian = jax.vmap(push)(jnp.eye(point.size, dtype=point.dtype))
    return value, gradient, hessian
