"""The horseshoe prior, plain and regularised."""

from collections.abc import Callable
from math import log, pi
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxmle.densities import half_cauchy, normal
from jaxmle.priors.under import flat, flat_beside, leaves_at, part, spiked
from jaxmle.terms.prior import LogPrior
from jaxmle.terms.spike import Spike

_TERMS, _LEVELS = 20, 80


def horseshoe(where: str | Callable, scale: Any, local: Any = None, slab: Any = None) -> LogPrior:
    r"""The horseshoe: ``x_j ~ Normal(0, scale lambda_j)``, ``lambda_j ~ half Cauchy(0, 1)``, for sparse signals.

    With ``local=None`` the lambda_j are integrated out: with u = x^2 / (2 scale^2) the log-density of x is
    ``log(exp(u) E1(u)) - log(scale) - log(2 pi^3) / 2``. With a leaf of local scales it is the joint log-density of x
    and lambda. ``slab`` = c regularises it: ``1 / (1 / (scale lambda_j)^2 + 1 / c^2)`` is then the variance of x_j, so
    that a large coefficient is shrunk as by ``jm.priors.normal(scale=c)``.

    The penalty is close to ``-log log(1 + 2 scale^2 / x^2)``: minus infinity at zero, and far out ``strength log(x^2)``
    with strength 1.

    **It has no mode.** The density is infinite at x_j = 0; in its joint form as lambda_j and x_j go to zero together,
    with a slab too, since a slab only shortens tails. ``jm.fit`` says that it diverges, whatever the scale. The prior
    is there for samplers, and for evaluating. For a mode take ``jm.priors.laplace`` (exact zeros) or
    ``jm.priors.student_t``.

    Arguments:
        where: the coefficients: a leaf, a sub-tree, or a function of params.
        scale: the global scale, positive, in the units of x: a number, or a leaf or function of params, whose own prior
            is a term of its own (``jm.priors.half_cauchy("tau")``).
        local: the leaf of the local scales, shaped like the coefficients (as a rule ``jm.positive``), or None.
        slab: the scale of the slab, positive, in the units of x: a number, or a leaf or function of params, or None.

    Returns a term, to be added to a likelihood. Errors: ``ValueError`` for a slab without local scales, or a scale that
    is not positive and finite; from ``jm.fit`` ``KeyError`` where no leaf has a name, ``ValueError`` where shapes do
    not fit.

    >>> import jax.numpy as jnp
    >>> round(float(horseshoe("beta", scale=1.0)({"beta": jnp.array([0.5, 2.0])})), 4)
    -4.5358

    Source: Carvalho, Polson and Scott (2010), "The horseshoe estimator for sparse signals", theorem 1; Piironen and
    Vehtari (2017), "Sparsity information and regularization in the horseshoe and other shrinkage priors", equation 2.8.
    """
    scale = part(scale, "the scale of jm.priors.horseshoe")
    if local is None:
        if slab is not None:
            raise ValueError(
                "the regularised horseshoe has no closed form with its local scales integrated out: give them a leaf "
                "of their own, jm.priors.horseshoe(where, scale, local='lambda', slab=...)"
            )
        return spiked(_marginal, part(where), scale)
    slab = np.inf if slab is None else part(slab, "the slab of jm.priors.horseshoe")
    return spiked(_joint, part(where), scale, part(local), slab)


def _marginal(where, scale, params) -> Spike:
    leaves = leaves_at(where, params)
    x = flat(leaves)
    scales = flat_beside(scale, params, leaves)
    u = 0.5 * (x / scales) ** 2
    values = _log_scaled_e1(u) - jnp.log(scales) - 0.5 * log(2.0 * pi**3)
    return Spike(x, jnp.log(scales), values, jnp.full_like(x, jnp.inf))


def _joint(where, scale, local, slab, params) -> Spike:
    leaves = leaves_at(where, params)
    x = flat(leaves)
    scales, locals_, slabs = (flat_beside(value, params, leaves) for value in (scale, local, slab))
    widths = 1.0 / jnp.sqrt(1.0 / (scales * locals_) ** 2 + 1.0 / slabs**2)
    values, peaks = (normal.logpdf(at, jnp.zeros_like(x), widths) for at in (x, jnp.zeros_like(x)))
    of_locals = half_cauchy.logpdf(locals_, jnp.ones_like(x))
    return Spike(x, jnp.log(widths), values + of_locals, peaks + of_locals)


def _log_scaled_e1(u):
    """The log of ``exp(u) E1(u)``, with E1 the exponential integral (Abramowitz and Stegun 1964, 5.1.11 and 5.1.22)."""
    near = u < 1.0
    small, large = jnp.where(near, u, 0.5), jnp.where(near, 1.0, u)
    term, series = -jnp.ones_like(u), jnp.zeros_like(u)
    for k in range(1, _TERMS):
        term = -term * small / k
        series = series + term / k
    fraction = large + 2.0 * _LEVELS + 1.0
    for k in reversed(range(1, _LEVELS + 1)):
        fraction = large + 2.0 * k - 1.0 - k**2 / fraction
    return jnp.where(near, small + jnp.log(series - np.euler_gamma - jnp.log(small)), -jnp.log(fraction))
