"""Any Optimistix minimiser as a solver."""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core import status
from jaxmle.core.tree import Halves

_BETWEEN_BOUNDS = {"GoldenSearch"}  # of one number between a lower and an upper end


class Optimistix(eqx.Module):
    """An Optimistix minimiser: ``jm.fit(..., solver=optimistix.BFGS(rtol=1e-8, atol=1e-8))`` makes one of these.

    Its own test, with its own ``rtol`` and ``atol``, decides when it stops, whatever the ``tolerance`` of
    :func:`jaxmle.fit` is; the fit says how much was then still to be gained, and where that is more than the tolerance
    and the square root of eps, that it stopped short. Its numbers may change without compiling.

    Source: Rader, Lyons and Kidger (2024), "Optimistix: modular optimisation in JAX and Equinox".
    """

    minimiser: Halves
    order: ClassVar[int] = 1

    def __init__(self, minimiser: Any):
        self.minimiser = Halves(jax.tree.map(lambda x: np.asarray(x) if type(x) is float else x, minimiser))

    def search(self, loss: Callable, z, tolerance, max_steps):
        """The point at which the minimiser stops, a status, and the steps it took."""
        import optimistix

        minimiser = self.minimiser.whole()
        # Its simplex has one corner for each leaf, so a vector in one leaf would span a line only (Optimistix 0.1.0).
        split = isinstance(minimiser, optimistix.NelderMead)
        z = tuple(z) if split else z

        def whole(z):
            return jnp.stack(z) if split else z

        def function(z, _):
            return loss(whole(z)), None

        shape = jax.eval_shape(loss, whole(z))
        tags: frozenset = frozenset()
        state = minimiser.init(function, z, None, {}, shape, None, tags)
        dynamic, fixed = eqx.partition(state, eqx.is_array)

        def over(z, dynamic):
            return minimiser.terminate(function, z, None, {}, eqx.combine(dynamic, fixed), tags)

        def running(carry):
            z, dynamic, steps = carry
            return ~over(z, dynamic)[0] & (steps < max_steps)

        def step(carry):
            z, dynamic, steps = carry
            moved, state, _ = minimiser.step(function, z, None, {}, eqx.combine(dynamic, fixed), tags)
            after = moved, eqx.filter(state, eqx.is_array)
            return *jax.tree.map(lambda new, old: new.astype(old.dtype), after, (z, dynamic)), steps + 1

        z, dynamic, steps = jax.lax.while_loop(running, step, (z, dynamic, jnp.zeros((), int)))
        ended, result = over(z, dynamic)
        state = eqx.combine(dynamic, fixed)
        z, _, _ = minimiser.postprocess(function, z, None, None, {}, state, tags, result)
        how = jnp.where(result == optimistix.RESULTS.successful, status.CONVERGED, status.STALLED)
        how = jnp.where(result == optimistix.RESULTS.nonlinear_divergence, status.NON_FINITE, how)
        how = jnp.where(ended, how, status.OUT_OF_STEPS)
        return whole(z), jnp.where(jnp.isfinite(loss(whole(z))), how, status.NON_FINITE), steps


def is_minimiser(thing) -> bool:
    """Whether ``thing`` is an Optimistix minimiser of vectors, without importing Optimistix."""
    names = {c.__name__ for c in type(thing).__mro__ if c.__module__.startswith("optimistix")}
    return "AbstractMinimiser" in names and not names & _BETWEEN_BOUNDS
