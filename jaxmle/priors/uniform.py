"""The uniform prior."""

from collections.abc import Callable
from math import inf
from typing import Any

import jax.numpy as jnp

from jaxmle.priors.over import density_over
from jaxmle.terms.prior import LogPrior


def uniform(where: str | Callable, lower: Any = -inf, upper: Any = inf) -> LogPrior:
    r"""Uniform priors: constant from ``lower`` to ``upper``, minus infinity outside.

    With two finite ends it is proper, ``-log(upper - lower)`` for each number; with an infinite one it is improper, and
    zero. As a penalty it is none. It only refuses what is outside: a mode at an end is not found as one, and the fit
    is not ok. Where the ends matter, give the leaf ``jm.interval(start, lower, upper)`` instead, which knows
    a maximum on the boundary.

    Arguments: ``where``, the leaf it is over, a sub-tree, or a function of params; ``lower`` and ``upper``, in the
    leaf's units, numbers or arrays shaped like the leaf.

    Returns a term, to be added to a likelihood. Errors: ``KeyError`` from ``jm.fit`` where no leaf has that name. Ends
    in the wrong order leave no room: the log-density is minus infinity everywhere, and the fit says so.

    >>> [round(float(uniform("x", 0.0, 2.0)({"x": x})), 4) for x in (0.5, 2.5)]
    [-0.6931, -inf]
    >>> float(uniform("x", lower=0.0)({"x": 1.5}))
    0.0

    Source: Jaynes (1968), "Prior probabilities", section 7.
    """
    return density_over(_log_density, where, lower, upper)


def _log_density(x, lower, upper):
    width = upper - lower
    proper = (width > 0) & (width < jnp.inf)
    constant = jnp.where(proper, -jnp.log(jnp.where(proper, width, 1.0)), 0.0)
    return jnp.where(jnp.isnan(x), jnp.nan, jnp.where((x >= lower) & (x <= upper), constant, -jnp.inf))
