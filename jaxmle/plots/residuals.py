"""Residuals against what the model predicts, or against anything else."""

from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from jaxmle.fitting.result import Fit
from jaxmle.inference.predictions.predict import predict
from jaxmle.inference.predictions.quantity import the_regression
from jaxmle.inference.rows.residuals import PEARSON, QUANTILE, RESPONSE, is_drawn
from jaxmle.inference.rows.residuals import residuals as residuals_of
from jaxmle.plots import style
from jaxmle.plots.numbers import one_fit
from jaxmle.plots.worst import name_worst
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem

_WIDE = 1.959963984540054
_NAMES = {PEARSON: "Pearson"}


def residuals(
    objective: Term | Problem,
    fit: Fit,
    against: Any = None,
    *,
    kind: str = QUANTILE,
    key: PRNGKeyArray | None = None,
    name: str | None = None,
    units: str | None = None,
    labels: Any = None,
    worst: int = 3,
    ax: Any = None,
) -> Any:
    """Residuals of a regression against what it predicts, or against a column of the data.

    Where the model is right quantile residuals are standard normal, whatever is across: the dashed lines have 95 % of
    them between each other, and the running mean (over a fifth of the rows) stays near zero.

    Arguments:
        objective: what was fitted, with one :func:`jaxmle.regression`; ``fit``: its fit.
        against: a vector with a number for each row; by default the predicted mean, or the first parameter of the
            density where that has no mean.
        kind: "quantile", "pearson", "deviance" or "response", as for :func:`jaxmle.residuals`.
        key: a key of ``jax.random`` for quantile residuals that are drawn; by default ``jax.random.key(0)``.
        name: of what is across; ``units``: its units.
        labels: names of the rows; by default their numbers, counted from zero.
        worst: how many of the largest residuals are named.
        ax: the Axes to draw on; by default those of a new figure.

    Returns the Axes.

    Errors: those of :func:`jaxmle.residuals`; ``ValueError`` where ``against`` or ``labels`` have another length, for a
    batch, or a fit that is no estimate; ``ImportError`` without matplotlib.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> x = jnp.stack([jnp.ones(6), jnp.arange(6.0)], axis=1)
    >>> problem = jm.models.linear(x, jnp.array([0.1, 0.9, 2.2, 2.8, 4.1, 5.2]))
    >>> ax = jm.plots.residuals(problem, jm.fit(problem))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('predicted mean', 'quantile residual')

    Source: Dunn and Smyth (1996), "Randomized quantile residuals"; Cook and Weisberg (1982), section 2.3.
    """
    values = np.asarray(residuals_of(objective, one_fit(fit), kind, key=_key(objective, kind, key)), float)
    across, default = _across(objective, fit, against, values.size)
    ax = style.axes(ax)
    ax.axhline(0.0, color=style.GREY, lw=style.THIN)
    if kind != RESPONSE:
        for side in (-_WIDE, _WIDE):
            ax.axhline(side, color=style.GREY, lw=style.THIN, ls="--")
    ax.plot(across, values, "o", color=style.BLUE, ms=4, alpha=0.35 if values.size > 300 else 0.7, ls="", mew=0)
    middle = _running_mean(across, values)
    if middle is not None:
        ax.plot(*middle, color=style.VERMILLION, lw=style.WIDTH, label="running mean")
        style.legend(ax)
    name_worst(ax, across, values, np.abs(values), labels, worst)
    return style.name_axes(ax, default if name is None else name, f"{_NAMES.get(kind, kind)} residual", units)


def _key(objective, kind, key):
    drawn = kind == QUANTILE and key is None and is_drawn(the_regression(objective))
    return jax.random.key(0) if drawn else key


def _across(objective, fit, against, count: int) -> tuple[np.ndarray, str]:
    if against is not None:
        across = np.asarray(against, float)
        if across.shape != (count,):
            raise ValueError(f"against has a number for each of {count} rows; its shape is {across.shape}")
        return across, "given"
    kind = "mean" if hasattr(the_regression(objective).density, "mean") else "linear"
    predicted = np.asarray(predict(objective, fit, kind=kind).value, float)
    return predicted, "predicted mean" if kind == "mean" else "linear predictor"


def _running_mean(across, values):
    """The mean of the residuals over a moving fifth of the rows; None where rows are few, or all at few places."""
    order = np.argsort(across, kind="stable")
    across, values = across[order], values[order]
    count = max(9, across.size // 5)
    if across.size < 2 * count or np.unique(across).size < 10 or not np.isfinite(values).all():
        return None
    window = np.ones(count) / count
    return np.convolve(across, window, "valid"), np.convolve(values, window, "valid")
