"""The fitted distribution over the data."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.densities.censoring import Censored
from jaxmle.fitting.result import Fit
from jaxmle.inference.kaplan_meier import kaplan_meier
from jaxmle.inference.predictions.marginal import marginal
from jaxmle.inference.predictions.quantity import is_discrete, the_regression
from jaxmle.plots import style
from jaxmle.plots.numbers import one_fit
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem

_POINTS, _MOST_BARS, _FAR, _WIDE = 241, 400, 15.0, 1.959963984540054


def density(
    objective: Term | Problem,
    fit: Fit,
    *,
    bins: Any = None,
    name: str = "response",
    units: str | None = None,
    ax: Any = None,
) -> Any:
    r"""The fitted density over a histogram of the responses.

    Rows that lie fifteen times the distance of the quartiles beyond these are left outside and counted, unless ``bins``
    are given. Counts and labels: bars of the shares observed, and points of the fitted probabilities; where they span
    more than 400 values a histogram, in probability for each value. Censored responses
    (:func:`jaxmle.densities.censored`, right-censored): the empirical survival curve of Kaplan and Meier with its 95 %
    band, ticks where a time was censored, and the fitted survival function. Where the parameters differ from row to
    row the fitted curve is the mean over rows. Rows count by their weights.

    Arguments:
        objective: what was fitted, with one :func:`jaxmle.regression`; ``fit``: its fit.
        bins: of a histogram, as for ``numpy.histogram``; by default chosen from the data.
        name: of the response, for the axis; ``units``: its units.
        ax: the Axes to draw on; by default those of a new figure.

    Returns the Axes.

    Errors: ``TypeError`` where no term is a regression or a response is several numbers; ``ValueError`` for responses
    that are left- or interval-censored, a batch, or a fit that is no estimate; ``ImportError`` without matplotlib.

    >>> import jaxmle as jm
    >>> problem = jm.models.poisson([2, 3, 4, 3, 1, 0, 3])
    >>> ax = jm.plots.density(problem, jm.fit(problem), name="calls", units="per hour")
    >>> ax.get_xlabel(), [round(float(bar.get_height()), 3) for bar in ax.patches]
    ('calls (per hour)', [0.143, 0.143, 0.143, 0.429, 0.143])

    Source: Kaplan and Meier (1958); Kalbfleisch and Prentice (2002), equation 1.12, for the band, formed for
    log(-log S).
    """
    term = the_regression(objective)
    one_fit(fit)
    if any(jnp.ndim(leaf) != 1 for leaf in jax.tree.leaves(term.y)):
        raise TypeError("a histogram is of responses that are one number a row, and here a row has several")
    y = np.asarray(jax.tree.leaves(term.y)[0], float)
    weights = np.ones(y.size) if term.weights is None else np.asarray(term.weights, float)
    rows = np.flatnonzero(weights)  # the others may hold anything
    y, weights = y[rows], weights[rows]
    ax = style.axes(ax)
    if isinstance(term.density, Censored):
        _survival(ax, objective, fit, term, rows, y, weights)
        return style.name_axes(ax, name, "share that lasts longer", units)
    if is_discrete(term):
        return style.name_axes(ax, name, _counts(ax, objective, fit, y, weights, bins), units)
    _histogram(ax, objective, fit, y, weights, _edges(y, bins))
    return style.name_axes(ax, name, "density", units, None if units is None else f"per {units}")


def _edges(y, bins):
    """The edges of the bins, and where nothing else was asked for without the far tails."""
    if bins is not None:
        return np.histogram_bin_edges(y, bins)
    lower, upper = np.quantile(y, [0.25, 0.75])
    far = _FAR * (upper - lower) if upper > lower else np.inf
    middle = y[(y >= lower - far) & (y <= upper + far)]
    return np.histogram_bin_edges(middle, "auto")


def _histogram(ax, objective, fit, y, weights, edges, whole=False):
    """Bars of the share of all rows in each bin over its width, and the fit along them, at ``whole`` numbers only."""
    heights = np.histogram(y, edges, weights=weights)[0] / (weights.sum() * np.diff(edges))
    ax.bar(
        edges[:-1], heights, np.diff(edges), align="edge", color=style.SKY, alpha=0.6, ec="white", lw=0.5, label="data"
    )
    # A peak is where the responses are: so half of the points lie as these do, and the others fill the gaps.
    span = edges[-1] - edges[0]
    low, high = edges[0] - 0.05 * span, edges[-1] + 0.05 * span
    among = np.clip(np.quantile(y, np.linspace(0.0, 1.0, _POINTS)), low, high)
    points = np.sort(np.concatenate([np.linspace(low, high, _POINTS), among]))
    points = np.round(points) if whole else points
    ax.plot(points, _on_support(marginal(objective, fit, points)), color=style.VERMILLION, lw=style.WIDTH, label="fit")
    outside = int(np.sum((y < edges[0]) | (y > edges[-1])))
    if outside:
        ax.plot([], [], ls="", label=f"rows outside: {outside}")
    style.legend(ax)


def _counts(ax, objective, fit, y, weights, bins) -> str:
    """The bars and the fit, and what is up."""
    values = np.arange(np.floor(y.min()), np.floor(y.max()) + 1.0)
    if values.size > _MOST_BARS:
        edges = np.histogram_bin_edges(y, "sturges" if bins is None else bins)
        if bins is None:  # between whole numbers, so that each bin holds as many of them
            edges = values[0] - 0.5 + np.arange(edges.size) * np.ceil(values.size / (edges.size - 1))
        _histogram(ax, objective, fit, y, weights, edges, whole=True)
        return "probability of each value"
    shares = np.asarray([weights[y == value].sum() for value in values]) / weights.sum()
    ax.bar(values, shares, width=0.8, color=style.SKY, alpha=0.6, label="data")
    above = values[-1] + 1.0 + np.arange(max(1, values.size // 10))
    points = np.concatenate([values, above])
    fitted = np.asarray(marginal(objective, fit, points))
    ax.plot(points, fitted, "o", color=style.VERMILLION, ms=5, ls="", label="fit")
    ax.xaxis.get_major_locator().set_params(integer=True)
    style.legend(ax)
    return "probability"


def _survival(ax, objective, fit, term, rows, y, weights):
    upper = np.asarray(jax.vmap(lambda eta: eta[-1])(term.predictions(fit.params)), float)[rows]
    exact, beyond = upper == y, np.isposinf(upper)
    if not (exact | beyond).all():
        raise ValueError(
            f"row {int(rows[~(exact | beyond)][0])} is known to an interval or from above only, and the "
            "empirical curve here is that of right-censored times: compare quantile residuals instead "
            "(jm.plots.quantile_quantile)"
        )
    curve = kaplan_meier(jnp.asarray(y), jnp.asarray(exact), jnp.asarray(weights))
    time, lasts, bse = (np.asarray(part, float) for part in (curve.time, curve.survival, curve.bse))
    first = min(0.0, time[0])
    steps = np.concatenate([[first], time]), np.concatenate([[1.0], lasts])
    ax.step(*steps, where="post", color=style.BLUE, lw=style.WIDTH, label="data (Kaplan-Meier)")
    inner = (lasts > 0) & (lasts < 1)
    if inner.any():
        wide = np.exp(_WIDE * bse[inner] / (lasts[inner] * np.log(lasts[inner])))
        low, high = lasts[inner] ** (1.0 / wide), lasts[inner] ** wide
        ax.fill_between(
            time[inner], low, high, step="post", color=style.SKY, alpha=0.3, lw=0, label="95 % band, pointwise"
        )
    gone = np.sort(y[~exact])
    ax.plot(gone, lasts[np.searchsorted(time, gone, side="right") - 1], "|", color=style.BLUE, ms=8, label="censored")
    points = np.linspace(first, time[-1] * 1.02, _POINTS)
    fitted = np.asarray(marginal(objective, fit, points, survival=True))
    ax.plot(points, fitted, color=style.VERMILLION, lw=style.WIDTH, label="fit")
    ax.set_ylim(0.0, 1.03)
    style.legend(ax)


def _on_support(values) -> np.ndarray:
    """A density, with gaps where it is zero, or infinite at an end of its support."""
    values = np.asarray(values, float)
    return np.where((values > 0) & np.isfinite(values), values, np.nan)
