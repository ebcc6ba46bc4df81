"""The hierarchical normal prior: a scale that is itself a parameter."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxmle.densities import normal as density
from jaxmle.priors.under import flat, flat_beside, leaves_at, part, spiked
from jaxmle.terms.prior import LogPrior
from jaxmle.terms.spike import Spike


def hierarchical(where: str | Callable, scale: str | Callable, loc: Any = 0.0) -> LogPrior:
    r"""Normal priors whose scale is a parameter: ``-(x - loc)^2 / (2 scale^2) - log(scale) - log(2 pi) / 2``.

    The penalty is L2 with strength ``1 / (2 scale^2)`` and the price of a large scale, ``log(scale)`` for each number.

    **Its joint mode does not exist.** With every x at ``loc`` the density of m numbers is ``scale^-m``, infinite as
    scale goes to zero, whatever finite likelihood is added. ``jm.fit`` then says that it diverges, also where it met a
    local maximum, which there may be. There is a joint mode where

    - the scale is held: ``jm.fixed``, or ``jm.priors.normal`` with a number;
    - the model is written non-centred, ``x = loc + scale * z`` with ``jm.priors.normal("z")``: another mode, in z;
    - a prior of the scale vanishes at zero faster than ``scale^m``: ``jm.priors.inverse_gamma`` always does,
      ``jm.priors.gamma`` with a > m + 1, the half distributions never.

    Best is the marginal likelihood, x integrated out: its mode exists, and ``jm.priors.gamma`` with a = 2 keeps it off
    zero. In closed form it is a normal likelihood: ``jm.densities.multivariate_normal``.

    Arguments:
        where: the numbers it is over: a leaf, a sub-tree, or a function of params (``lambda p: jnp.diff(p["f"])`` is a
            random walk of unknown scale).
        scale: the leaf that is their standard deviation (as a rule ``jm.positive``), or a function of params: one
            number, or an array that broadcasts against what it scales.
        loc: their mean: a number or an array, or a leaf or function of params.

    Returns a term, to be added to a likelihood. Errors: ``TypeError`` where the scale is a number; from ``jm.fit``
    ``KeyError`` where no leaf has a name, ``ValueError`` where shapes do not fit.

    >>> import jax.numpy as jnp
    >>> params = {"beta": jnp.array([0.0, 2.0]), "tau": 2.0}
    >>> round(float(hierarchical("beta", scale="tau")(params)), 4)
    -3.7242

    Source: Lindley and Smith (1972), "Bayes estimates for the linear model", section 3.3; Neal (2003), "Slice
    sampling", section 8, on the funnel; Chung and others (2013), section 2, on what to do.
    """
    if not (isinstance(scale, str) or callable(scale)):
        raise TypeError(
            f"the scale of jm.priors.hierarchical is a parameter: the name of a leaf or a function of params, not "
            f"{scale!r}; a prior with a scale that is known is jm.priors.normal(where, scale={scale!r})"
        )
    return spiked(_spike, part(where), part(scale), part(loc))


def _spike(where, scale, loc, params) -> Spike:
    leaves = leaves_at(where, params)
    gaps = flat(leaves) - flat_beside(loc, params, leaves)
    scales, none = flat_beside(scale, params, leaves), jnp.zeros_like(gaps)
    values, peaks = (density.logpdf(x, none, scales) for x in (gaps, none))
    return Spike(gaps, jnp.log(scales), values, peaks)
