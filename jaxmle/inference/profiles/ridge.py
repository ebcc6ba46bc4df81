"""The ridge: where the log-density is highest for each value of one quantity, as seen from a point near it.

With g and A the gradient and curvature of the log-density and h and B those of the quantity c, all in z scaled to a
unit diagonal of A, the Lagrangian of "highest at a given c" has curvature A + mu B with mu = g.h / h.h. One reflection
turns h into the first axis. Over the other axes the model is highest ``gain`` above the value at the point; along
the ridge its slope is that of the log-density (the envelope theorem) and its curvature the Schur complement.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxmle.core import linalg
from jaxmle.solvers import trust_region


class Ridge(eqx.Module):
    """The profile as the quadratic model at a point tells it.

    ``gain``: how much higher the ridge is than the point, infinite where the model has no maximum across.
    ``slope`` and ``bend``: first derivative of the profile, and minus the second, per unit of the first axis;
    ``length`` is how much c changes over that unit. ``across`` is the step to the ridge, in the trust region,
    ``whole`` where that does not cut it; ``drift`` is how the ridge leaves the first axis, per unit of it.
    """

    gain: Float[Array, ""]
    slope: Float[Array, ""]
    bend: Float[Array, ""]
    length: Float[Array, ""]
    across: Float[Array, " k"]
    drift: Float[Array, " k"]
    whole: Bool[Array, ""]
    predicted: Float[Array, ""]
    mirror: Float[Array, " m"]
    turn: Float[Array, ""]
    scale: Float[Array, " m"]

    @classmethod
    def seen(cls, gradient, curvature, normal, warp, scale, radius, noise) -> "Ridge":
        """The ridge from a point with ``gradient`` and ``curvature``, where the quantity has gradient ``normal`` and
        second derivatives ``warp`` (None where it is linear)."""
        slope, h = gradient / scale, normal / scale
        matrix = linalg.unit_diagonal(curvature, scale)
        length = jnp.linalg.norm(h)
        h = h / jnp.where(length > 0, length, 1.0)
        if warp is not None:
            multiplier = jnp.dot(slope, h) / jnp.where(length > 0, length, 1.0)
            matrix = matrix + multiplier * linalg.unit_diagonal(warp, scale)
        turn = jnp.where(h[0] >= 0, -1.0, 1.0).astype(h.dtype)  # the reflection takes h to turn * (first axis)
        mirror = h.at[0].add(-turn)
        mirror = mirror / jnp.linalg.norm(mirror)
        slope = _reflected(mirror, slope) * turn
        matrix = _reflected_matrix(mirror, matrix)
        rest, coupling, inner = slope[1:], matrix[1:, 0], matrix[1:, 1:]
        if rest.size == 0:
            nothing, zero, true = rest, jnp.zeros((), h.dtype), jnp.ones((), bool)
            return cls(zero, slope[0], matrix[0, 0], length, nothing, nothing, true, zero, mirror, turn, scale)
        across = trust_region.best_step(rest, inner, jnp.ones_like(rest), radius, noise)
        lifted = inner + jnp.finfo(h.dtype).eps ** 0.75 * jnp.eye(rest.size, dtype=h.dtype)  # where some are free
        drift = linalg.solve_factored(linalg.factor(lifted)[0], coupling)
        known = jnp.all(jnp.isfinite(drift))
        drift = jnp.where(known, drift, 0.0)
        return cls(
            gain=across.left,
            slope=slope[0] - jnp.dot(coupling, across.step),
            bend=matrix[0, 0] - jnp.dot(coupling, drift),
            length=length,
            across=across.step,
            drift=-drift,
            whole=jnp.isfinite(across.left) & known & (jnp.linalg.norm(across.step) < radius),
            predicted=across.predicted,
            mirror=mirror,
            turn=turn,
            scale=scale,
        )

    def step(self, along) -> Any:
        """The step in z to the ridge and ``along`` it, in units of its first axis."""
        return (
            _reflected(self.mirror, jnp.concatenate([along[None], self.across + along * self.drift]) * self.turn)
            / self.scale
        )

    def change(self, along) -> Any:
        """How much the model changes over :meth:`step`."""
        return self.predicted + along * self.slope - 0.5 * along**2 * self.bend


def _reflected(mirror, vector):
    return vector - 2.0 * jnp.dot(mirror, vector) * mirror


def _reflected_matrix(mirror, matrix):
    image = matrix @ mirror
    twist = 2.0 * (image - jnp.dot(mirror, image) * mirror)
    return matrix - mirror[:, None] * twist[None, :] - twist[:, None] * mirror[None, :]
