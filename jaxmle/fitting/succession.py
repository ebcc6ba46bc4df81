"""Two solvers, one after the other: the second goes on where the first ended undecided."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxmle.core import status as codes

UNDECIDED = (codes.STALLED, codes.OUT_OF_STEPS, codes.STOPPED_SHORT)
_KEPT = 60  # evaluations for the second


def one_after_the_other(climbed: Callable, start, solvers: tuple, tolerance, max_steps) -> Any:
    """What ``climbed(start, solver, tolerance, max_steps)`` finds with the first of ``solvers``; where that is
    undecided with the second, from where the first ended. Both together take at most ``max_steps``."""
    kept = jnp.minimum(_KEPT, max_steps // 2)
    found = climbed(start, solvers[0], tolerance, max_steps - kept)

    def go_on():
        last = climbed(found.z, solvers[1], tolerance, max_steps - found.steps)
        return dataclasses.replace(last, steps=found.steps + last.steps)

    return jax.lax.cond(jnp.isin(found.status, jnp.asarray(UNDECIDED)), go_on, lambda: found)
