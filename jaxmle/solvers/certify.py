"""What Newton's method thinks of a point that another solver found."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxmle.core import status as codes
from jaxmle.solvers.newton import Newton

LONGEST = 300  # numbers; beyond it no matrix is formed


class Certificate(eqx.Module):
    """The log-density ``left`` to gain (NaN where the curvature is not positive definite), the Newton step that would
    gain it, and whether this is a ``flat`` top, or no top at all because the density only flattens out."""

    left: Float[Array, ""]
    direction: Float[Array, " m"]
    flat: Bool[Array, ""]
    diverging: Bool[Array, ""]


def certify(evaluate: Callable, z: Float[Array, " m"], size: Float[Array, " m"]) -> Certificate:
    """Look at ``z`` and one Newton step on, with ``evaluate(z)`` of order 2."""
    newton = Newton(switch=jnp.inf)
    here = newton.update(newton.init(z, jnp.finfo(z.dtype).tiny, size), evaluate(z))
    there = newton.update(here, evaluate(here.z))
    left = jnp.where(jnp.isfinite(here.left), jnp.maximum(here.left, 0.0), jnp.nan)
    return Certificate(left, here.z - z, here.flat, there.status == codes.DIVERGING)


def certified(status, certificate: Certificate, tolerance):
    """The ``status`` that a solver claims, in the light of the curvature.

    What it calls converged is so where no more is left than ``tolerance``, or the square root of eps.
    """
    enough = certificate.left <= jnp.maximum(tolerance, jnp.finfo(certificate.left.dtype).eps ** 0.5)
    claims = (status == codes.CONVERGED) | (status == codes.STALLED_AT_ROUNDING)
    beaten = jnp.where(jnp.isnan(certificate.left), codes.SADDLE, codes.STOPPED_SHORT)
    status = jnp.where(claims & ~enough, beaten, status)
    status = jnp.where((status == codes.COMPLETED) & enough, codes.CONVERGED, status)
    status = jnp.where((status == codes.STALLED) & enough, codes.STALLED_AT_ROUNDING, status)
    status = jnp.where((status == codes.OUT_OF_STEPS) & (certificate.left < tolerance), codes.CONVERGED, status)
    status = jnp.where(certificate.flat & enough & codes.is_ok(status), codes.FLAT, status)
    return jnp.where(certificate.diverging & codes.is_ok(status), codes.DIVERGING, status)
