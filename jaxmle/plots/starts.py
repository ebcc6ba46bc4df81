"""Starts, and where they ended."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.fitting.result import Fit
from jaxmle.parameters.space import Space
from jaxmle.parameters.starts import free_values
from jaxmle.plots import style
from jaxmle.plots.numbers import are_positive, chosen

_MOST_MAXIMA = 6
_MAGNITUDES = 50.0


def starts(
    starts: Any,
    fit: Fit,
    which: str | Sequence[str],
    *,
    names: Sequence[str | None] = (None, None),
    units: Sequence[str | None] = (None, None),
    ax: Any = None,
) -> Any:
    """Where :func:`jaxmle.fit_best` started and where each start ended, coloured by the maximum that it found.

    Of one parameter the picture has the start across and the end up, of two it has a line from each start to its end.
    Starts that found no maximum are grey crosses.

    Arguments:
        starts: what :func:`jaxmle.fit_best` was given.
        fit: the fit that it returned, with its ``history``.
        which: the label of one number, or of two.
        names: of the parameters, for the axes, instead of their labels; ``units``: their units.
        ax: the Axes to draw on; by default those of a new figure.

    Returns the Axes.

    Errors: ``ValueError`` for a fit without such a history, other starts than those, or more than two numbers;
    ``KeyError`` for a name that none has; ``ImportError`` without matplotlib.

    >>> import jax
    >>> import jaxmle as jm
    >>> two_hills = jm.log_prior(lambda p: -((p["x"] ** 2 - 4.0) ** 2) + p["x"])
    >>> scattered = jm.random_starts(jax.random.key(0), {"x": 0.0}, 16, spread=3.0)
    >>> ax = jm.plots.starts(scattered, jm.fit_best(two_hills, scattered)[0], "x")
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('x at the start', 'x at the end')

    Source: Rinnooy Kan and Timmer (1987), "Stochastic global optimization methods", part I, figure 1.
    """
    history = fit.history
    if not isinstance(history, dict) or "maximum" not in history:
        raise ValueError("this fit does not know where its starts ended: take the one that jm.fit_best returns")
    places, labels = chosen(fit.space, which)
    if len(places) > 2:
        raise ValueError(
            f"this plot is of one number or of two, and {which!r} names {len(places)}: {', '.join(labels)}"
        )
    begun, ended = _begun(fit.space, starts)[:, places], _ended(fit, history)[:, places]
    if begun.shape != ended.shape:
        raise ValueError(f"there are {begun.shape[0]} starts, and the fit is from {ended.shape[0]}: give the same ones")
    labels = style.named(labels, names[: len(labels)])
    ax = style.axes(ax)
    here = np.stack([begun, ended], axis=1) if len(places) == 2 else np.concatenate([begun, ended], axis=1)[:, None]
    for name, colour, marker, lanes in _groups(np.asarray(history["maximum"]), np.asarray(history["value"], float)):
        if len(places) == 2:
            ax.plot(*here[lanes].transpose(2, 1, 0), color=colour, lw=0.7, alpha=0.5)
            ax.plot(*here[lanes, 0].T, "o", color=colour, mfc="white", ms=4, ls="", alpha=0.8)
        ends = {"color": colour, "ms": 7, "ls": "", "label": name, "zorder": 4}
        ax.plot(*here[lanes, -1].T, marker, alpha=1.0 if len(places) == 2 else 0.7, **ends)
    _frame(ax, here, np.asarray(history["maximum"]) >= 0, are_positive(fit.space)[list(places)])
    style.legend_above(ax, 2)
    if len(places) == 2:
        return style.name_axes(ax, *labels, *units)
    return style.name_axes(ax, f"{labels[0]} at the start", f"{labels[0]} at the end", units[0], units[0])


def _begun(space: Space, starts) -> np.ndarray:
    point = tuple(jnp.asarray(value) for value in free_values(starts))
    return np.asarray(jax.vmap(space.unlabelled.flatten_point)(point), float)


def _ended(fit: Fit, history) -> np.ndarray:
    return np.asarray(jax.vmap(fit.space.unlabelled.scalars)(history["z"]), float)


def _groups(maximum, value):
    """Each maximum with its name, colour, marker and lanes, the best first; then the starts that found none."""
    count = int(maximum.max(initial=-1)) + 1
    for i in range(min(count, _MOST_MAXIMA)):
        lanes = maximum == i
        times = f"{lanes.sum()} start" + "s" * int(lanes.sum() != 1)
        rank = "highest" if i == 0 else f"{value[lanes].max() - value[maximum == 0].max():.3g}"
        yield f"{rank}: {times}", style.colour(i), style.marker(i), np.flatnonzero(lanes)
    rest = maximum >= _MOST_MAXIMA
    if rest.any():
        yield f"{count - _MOST_MAXIMA} lower ones: {rest.sum()} starts", style.GREY, "o", np.flatnonzero(rest)
    if (maximum < 0).any():
        yield f"no maximum: {(maximum < 0).sum()}", style.GREY, "x", np.flatnonzero(maximum < 0)


def _frame(ax, points, found, positive) -> None:
    """The limits of the axes: the middle of the starts, three times as wide, and every maximum ``found``, so that those
    that ran away are left outside. Numbers marked ``positive`` of several magnitudes are on a logarithmic axis."""
    points = np.where(np.isfinite(points), points, np.nan)
    if found.any():
        points[~found, -1, -points.shape[1] :] = np.nan
    flat = points.reshape(-1, 2)
    if np.isnan(flat).all(axis=0).any():
        return
    kept = np.zeros(points.shape[:2], bool)
    kept[found, -1] = True
    positive = positive & (np.nanmin(flat, axis=0) > 0)
    positive &= np.nanmax(flat, axis=0) > _MAGNITUDES * np.nanmin(abs(flat), axis=0)
    flat = np.where(positive, np.log(np.where(positive, flat, 1.0)), flat)
    low, high = np.nanquantile(flat, [0.02, 0.98], axis=0)
    wide = np.maximum(high - low, 1e-12)
    near = (flat >= low - wide) & (flat <= high + wide)
    inside = np.where(near | kept.reshape(-1, 1), flat, np.nan)
    low, high = np.nanmin(inside, axis=0), np.nanmax(inside, axis=0)
    margin = 0.06 * np.maximum(high - low, 1e-12)
    ends = np.stack([low - margin, high + margin])
    (left, bottom), (right, top) = np.where(positive, np.exp(np.where(positive, ends, 0.0)), ends)
    ax.set(xlim=(left, right), ylim=(bottom, top))
    ax.set(**{f"{name}scale": "log" for name, is_log in zip("xy", positive, strict=True) if is_log})
