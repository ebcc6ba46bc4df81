"""Residuals of a regression: what each row leaves unexplained."""

from math import log, pi
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jaxtyping import Array, Float, PRNGKeyArray

from jaxmle.core.compiled import compiled
from jaxmle.core.normal_tails import log_ndtr
from jaxmle.densities.censoring import Censored
from jaxmle.fitting.result import Fit
from jaxmle.inference.door import check_key, check_one_fit
from jaxmle.inference.predictions.quantity import the_regression
from jaxmle.inference.rows.deviance import SATURATED, deviance_residual
from jaxmle.terms import rows as row_tools
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem

QUANTILE, PEARSON, DEVIANCE, RESPONSE = KINDS = ("quantile", "pearson", "deviance", "response")

_FAR = -5.0  # a log-probability below which quantiles are found from it, not from the probability
_STEPS = 4


def residuals(
    objective: Term | Problem, fit: Fit, kind: str = QUANTILE, *, key: PRNGKeyArray | None = None
) -> Float[Array, " n"]:
    r"""What each row of a regression leaves unexplained.

    - "quantile": ``Phi^-1(F(y))`` with F the fitted distribution function of the row, standard normal where the model
      is right, for any density. Of counts and labels, and of censored observations, F jumps or is known to an interval
      only: there u is drawn uniformly from it, between ``P(Y < y)`` and ``P(Y <= y)``, which needs a ``key``.
    - "pearson": ``(y - mean) / sqrt(variance)``, the whole fitted variance of the row, its dispersion included.
    - "deviance": ``sign * sqrt(2 (l* - l))``, with l* the highest log-density that the row could have by moving its
      location (mean, log odds, scale) alone. Dispersion is included: of a normal row it is the Pearson residual.
    - "response": ``y - mean``, in the units of y.

    Arguments:
        objective: what was fitted, with one :func:`jaxmle.regression` among its terms (so are the models).
        fit: its fit.
        kind: one of those above.
        key: a key of ``jax.random``, for quantile residuals that are drawn.

    Returns an array (n,). Rows are not multiplied by their weights. A quantile residual is infinite only where the
    model calls the row impossible. Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``ValueError`` for an unknown kind, several regressions, a key that is missing; ``TypeError`` where no term
    is a regression, its responses are vectors, or its density has not what the kind takes: a distribution function, a
    mean and a variance, a location.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.normal(jnp.array([1.0, 2.0, 6.0]))
    >>> fit = jm.fit(problem)
    >>> [round(float(residual), 4) for residual in residuals(problem, fit)]  # (y - 3) / sqrt(14 / 3)
    [-0.9258, -0.4629, 1.3887]
    >>> residuals(problem, fit, "response").round(4).tolist()
    [-2.0, -1.0, 3.0]

    Source: Dunn and Smyth (1996), "Randomized quantile residuals", equations 1 and 2; McCullagh and Nelder (1989),
    section 2.4.
    """
    check_one_fit(fit, "jm.residuals")
    if kind not in KINDS:
        raise ValueError(f"there are no residuals of the kind {kind!r}; the kinds are: {', '.join(KINDS)}")
    term = the_regression(objective)
    _check(term, kind, key)
    return _residuals(term, fit.space.unlabelled, fit.z, key, kind=kind)


def is_drawn(term) -> bool:
    """Whether the quantile residuals of a regression are drawn at random, so that they need a key."""
    return isinstance(term.density, Censored) or hasattr(term.density, "logpmf")


def _check(term, kind, key):
    needed = {QUANTILE: ("logcdf", "logsf"), PEARSON: ("mean", "variance"), DEVIANCE: (), RESPONSE: ("mean",)}[kind]
    density = term.density.base if kind == QUANTILE and isinstance(term.density, Censored) else term.density
    if isinstance(term.density, Censored) and kind != QUANTILE:
        raise TypeError(
            f"a censored response is known to an interval, so it has no {kind} residual: take kind='quantile', with "
            "key=jax.random.key(0)"
        )
    missing = [name for name in needed if not hasattr(density, name)]
    if missing or (kind == DEVIANCE and density not in SATURATED):
        name = getattr(density, "__name__", type(density).__name__).rsplit(".", 1)[-1]
        what = f"no {' and no '.join(missing)}" if missing else "no location that a perfect prediction moves"
        raise TypeError(
            f"{name} has {what}, which {kind} residuals are made of; take another kind ({', '.join(KINDS)}), or a "
            "density of jm.densities that has it"
        )
    if any(jnp.ndim(leaf) != 1 for leaf in jax.tree.leaves(term.y)):
        raise TypeError("residuals are of responses that are one number a row, and here a row has several")
    if key is not None:
        check_key(key)
    if kind == QUANTILE and key is None and is_drawn(term):
        raise ValueError(
            "the distribution function of counts and labels jumps, and that of a censored observation is known to an "
            "interval: their quantile residuals are drawn at random, so give key=jax.random.key(0)"
        )


@compiled
def _residuals(term, space, z, key, *, kind):
    params, y = space.params(z), row_tools.open_shared(term.y)
    eta, density = term.predictions(params), term.density
    if kind == QUANTILE:
        ends = jax.vmap(lambda y, eta: _ends(density, y, eta))(y.astype(z.dtype), eta)
        share = None if key is None else jax.random.uniform(key, y.shape, ends[0].dtype)
        return _normal_score(ends, share)
    if kind == DEVIANCE:
        return jax.vmap(lambda y, eta: deviance_residual(density, term.log_density, y, eta))(y, eta)
    mean = jax.vmap(lambda eta: density.mean(*eta))(eta)
    off = y.astype(mean.dtype) - mean
    return off if kind == RESPONSE else off / jnp.sqrt(jax.vmap(lambda eta: density.variance(*eta))(eta))


def _ends(density, y, eta) -> tuple[Any, ...]:
    """The logs of the distribution function at the lower and the upper end of what is known of one row, and of its
    complement."""
    if isinstance(density, Censored):
        density, eta, upper = density.base, eta[:-1], eta[-1]
    else:
        upper = y
    below = jnp.ceil(y) - 1 if hasattr(density, "logpmf") else y
    return tuple(f(at, *eta) for f in (density.logcdf, density.logsf) for at in (below, upper))


def _normal_score(ends, share):
    """The standard normal quantile of a probability between two ends, ``share`` of the way, from the logs of the ends
    and of their complements: by the smaller of the two tails, so that no digits are lost in either."""
    below, above, over_below, over_above = ends
    if share is None:
        low, high = above, over_above
    else:
        nearer, farther = jnp.log1p(-share), jnp.log(share)
        low = jnp.logaddexp(below + nearer, above + farther)
        high = jnp.logaddexp(over_below + nearer, over_above + farther)
    score = _quantile_of_log(jnp.minimum(low, high))
    return jnp.where(jnp.isnan(low) | jnp.isnan(high), jnp.nan, jnp.where(low < high, score, -score))


def _quantile_of_log(logp):
    """The standard normal quantile of the probability exp(logp), at most a half, however small it is.

    Far out by Newton's method on log Phi from the first terms of its expansion.
    """
    far = logp < _FAR
    target = jnp.where(far & (logp > -jnp.inf), logp, 2.0 * _FAR)
    square = -2.0 * target - log(2.0 * pi)
    z = -jnp.sqrt(square - jnp.log(square))
    for _ in range(_STEPS):
        value = log_ndtr(z)
        z = z - (value - target) * jnp.exp(value + 0.5 * z * z + 0.5 * log(2.0 * pi))
    near = ndtri(jnp.exp(jnp.where(far, _FAR, logp)))
    return jnp.where(logp == -jnp.inf, -jnp.inf, jnp.where(far, z, near))
