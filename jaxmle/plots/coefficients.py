"""Coefficients with their intervals, of one model or several side by side."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxmle.inference.inference import Inference
from jaxmle.plots import style
from jaxmle.plots.numbers import chosen, the_scalars

_APART, _ROW, _LONGEST = 0.7, 0.32, 32
_COLUMNS, _ACROSS = 4, 4.6  # of the legend, and the inches that it has


def coefficients(
    inferences: Inference | Sequence[Inference] | Mapping[str, Inference],
    which: str | Sequence[str] | None = None,
    *,
    level: float = 0.95,
    units: str | None = None,
    ax: Any = None,
) -> Any:
    """Estimates with their intervals, a row for each number, models side by side.

    Arguments:
        inferences: what :func:`jaxmle.infer` returned, a list of such, or a dict from the name of a model to its own.
            Numbers of one label share a row; a model without that number has none there.
        which: labels of numbers or names of leaves; by default all that are not fixed.
        level: the confidence of the intervals.
        units: those of the numbers, for the axis.
        ax: the Axes to draw on; by default those of a new figure, as high and as wide as the rows need.

    Returns the Axes. An estimate without an interval is an open marker.

    Errors: ``TypeError`` for what is no inference, ``ValueError`` for none or a batch, ``KeyError`` for a name that no
    model has, ``ImportError`` without matplotlib.

    >>> import jaxmle as jm
    >>> problem = jm.models.normal([1.0, 2.0, 4.0])
    >>> ax = jm.plots.coefficients(jm.infer(problem, jm.fit(problem)))
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['mu', 'sigma']

    Source: Gelman, Pasarica and Dodhia (2002), "Let's practice what we preach: turning tables into graphs".
    """
    models = _named(inferences)
    tables = {name: _numbers(model, which, level) for name, model in models.items()}
    rows = list(dict.fromkeys(label for table in tables.values() for label in table))
    if not rows:
        raise KeyError(f"none of the models has a parameter called {which!r}")
    names = [_wrapped(row) for row in rows]
    ax = style.axes(ax, *_size(names, [_wrapped(name) for name in models]))
    ax.axvline(0.0, color=style.GREY, lw=style.THIN, ls=":")
    for i, (name, table) in enumerate(tables.items()):
        shift = _APART * ((i + 0.5) / len(tables) - 0.5)
        here = [(rows.index(label) + shift, *numbers) for label, numbers in table.items()]
        place, value, lower, upper = np.asarray(here, float).reshape(-1, 4).T
        known = ~np.isnan(lower) & ~np.isnan(upper)
        colour, marker = style.colour(i), style.marker(i)
        ax.hlines(place[known], lower[known], upper[known], color=colour, lw=style.WIDTH)
        ax.plot(value[known], place[known], marker, color=colour, ms=6, ls="", label=_wrapped(name))
        ax.plot(value[~known], place[~known], marker, color=colour, mfc="none", ms=6, ls="")
    ax.set_yticks(range(len(rows)), names)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    if len(models) > 1:
        style.legend_above(ax, _COLUMNS)
    return style.name_axes(ax, f"estimate and {style.percent(level)} interval", "", units)


def _wrapped(name: str) -> str:
    """A long name on several lines, so that names do not take the room of the numbers."""
    return "\n".join(textwrap.wrap(name, _LONGEST)) or name


def _size(rows, models) -> tuple[float, float]:
    """The inches of a new figure: wider for long names of rows, high enough for all lines and the legend."""
    longest = max(len(line) for row in rows for line in row.splitlines())
    lines = max(row.count("\n") + 1 for row in rows)
    row = max(_ROW * (1.0 + 0.35 * (len(models) - 1)), 0.8 * style.LINE * lines)
    legend = style.columns_for(models, _ACROSS, _COLUMNS)[1] if len(models) > 1 else 0
    return 5.5 + style.LETTER * longest, 1.2 + row * len(rows) + style.LINE * legend


def _named(inferences) -> dict[str, Inference]:
    if isinstance(inferences, Inference):
        inferences = {"": inferences}
    elif not isinstance(inferences, Mapping):
        inferences = {_title(model, i): model for i, model in enumerate(inferences)}
    if not inferences:
        raise ValueError("there is no model to draw: give one inference or more")
    for model in inferences.values():
        if not isinstance(model, Inference):
            raise TypeError(f"coefficients are drawn of what jm.infer returns, not of a {type(model).__name__}")
        if np.ndim(model.status):
            raise ValueError("this is a batch of inferences: take lanes of it, or see jm.plots.batch")
    return {str(name): model for name, model in inferences.items()}


def _title(model, i: int) -> str:
    return f"{i + 1}: {getattr(model, 'name', '')}, {getattr(model, 'covariance', '')}"


def _numbers(model: Inference, which, level: float) -> dict[str, tuple[float, float, float]]:
    """The estimate and the ends of the interval of each number asked for that the model has, by label."""
    names = [which] if isinstance(which, str) else which
    found: dict[str, tuple[float, float, float]] = {}
    lower, upper = model.conf_int(1.0 - level)
    columns = [the_scalars(model.space, tree) for tree in (model.params, lower, upper)]
    for name in [None] if names is None else names:
        try:
            places, labels = chosen(model.space, name)
        except KeyError:
            continue
        for place, label in zip(places, labels, strict=True):
            found[label] = (float(columns[0][place]), float(columns[1][place]), float(columns[2][place]))
    return found
