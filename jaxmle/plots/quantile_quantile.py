"""Residual quantiles against those of the normal distribution."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import PRNGKeyArray

from jaxmle.fitting.result import Fit
from jaxmle.inference.predictions.quantity import the_regression
from jaxmle.inference.rows.residuals import is_drawn
from jaxmle.inference.rows.residuals import residuals as residuals_of
from jaxmle.plots import style
from jaxmle.plots.along import drop_of
from jaxmle.plots.numbers import one_fit
from jaxmle.plots.worst import name_worst
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem

_HALVINGS = 60


def quantile_quantile(
    objective: Term | Problem,
    fit: Fit,
    *,
    key: PRNGKeyArray | None = None,
    level: float = 0.95,
    labels: Any = None,
    worst: int = 3,
    ax: Any = None,
) -> Any:
    r"""Sorted quantile residuals against the quantiles that n standard normal numbers have, for any density.

    Where the model is right the points follow the line. The band holds each point by itself at confidence ``level``:
    the i-th of n uniform numbers has the beta distribution (i, n + 1 - i). That parameters were estimated is left out,
    so that the band is a little wide; and one point in twenty leaves it by chance.

    Arguments: ``objective``, what was fitted, with one :func:`jaxmle.regression`; ``fit``, its fit; ``key``, for
    residuals that are drawn (:func:`jaxmle.residuals`), by default ``jax.random.key(0)``; ``level`` of the band;
    ``labels``, names of the rows, by default their numbers; ``worst``, how many are named of those outside
    the band, the largest; ``ax``, the Axes to draw on.

    Returns the Axes. Infinite residuals (rows that the model calls impossible) are not drawn but counted.

    Errors: those of :func:`jaxmle.residuals`; ``ValueError`` for a batch, or a fit that is no estimate;
    ``ImportError`` without matplotlib.

    >>> import jaxmle as jm
    >>> problem = jm.models.normal([1.0, 2.0, 4.0, 4.5, 7.0])
    >>> ax = jm.plots.quantile_quantile(problem, jm.fit(problem))
    >>> ax.get_xlabel()
    'standard normal quantile'

    Source: Dunn and Smyth (1996); Wilk and Gnanadesikan (1968), "Probability plotting methods", section 2.
    """
    drop_of(level, 1)
    drawn = key is None and is_drawn(the_regression(objective))
    values = np.asarray(residuals_of(objective, one_fit(fit), key=jax.random.key(0) if drawn else key), float)
    rows = np.argsort(values, kind="stable")
    n = values.size
    i = np.arange(1, n + 1)
    expected = _normal(i - 0.5, n)
    lower, upper = _normal_band(i, n, level)
    ax = style.axes(ax, 5.0, 4.6)
    ax.fill_between(
        expected, lower, upper, color=style.PALE, alpha=0.6, lw=0, label=f"{style.percent(level)} band, pointwise"
    )
    ends = expected[[0, -1]]
    ax.plot(ends, ends, color=style.GREY, lw=style.THIN, label="the model is right")
    finite = np.isfinite(values[rows])
    ax.plot(expected[finite], values[rows][finite], "o", color=style.BLUE, ms=4, ls="", mew=0, label="rows")
    if not finite.all():
        ax.plot([], [], ls="", label=f"{int((~finite).sum())} rows are impossible under the model")
    names = rows if labels is None else np.asarray(labels)[rows] if len(labels) == n else labels
    off = values[rows] - expected
    outside = (values[rows] < lower) | (values[rows] > upper)
    name_worst(ax, expected, values[rows], np.where(outside, np.abs(values[rows]), np.nan), names, worst, off > 0)
    style.legend(ax)
    return style.name_axes(ax, "standard normal quantile", "quantile residual")


def _normal(i, n: int) -> np.ndarray:
    return np.asarray(ndtri(jnp.asarray(i / n)), float)


def _normal_band(i: np.ndarray, n: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The normal quantiles of the ends of the interval that holds the i-th of n sorted uniform numbers."""
    tail = 0.5 * (1.0 - level)
    lower = np.asarray(_beta_quantile(jnp.asarray(i, float), jnp.asarray(n + 1.0 - i), tail), float)
    return _normal(lower, 1), -_normal(lower, 1)[::-1]


@jax.jit
def _beta_quantile(a, b, q):
    """The quantile of the beta distribution, by halving."""

    def halve(_, ends):
        middle = 0.5 * (ends[0] + ends[1])
        above = jax.scipy.special.betainc(a, b, middle) > q
        return jnp.where(above, ends[0], middle), jnp.where(above, middle, ends[1])

    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, (jnp.zeros_like(a), jnp.ones_like(a)))
    return 0.5 * (low + high)
