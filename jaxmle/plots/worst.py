"""The names of the worst rows, written beside their points."""

from typing import Any

import numpy as np

from jaxmle.plots import style

_AWAY, _LETTER, _LINE = (
    6.0,
    0.6,
    1.15,
)  # points from the point; the width of a letter and of a line, in sizes of the text
_TRIES = 12


def name_worst(ax: Any, x, y, size, labels: Any, count: int, left: Any = None) -> None:
    """Write the names of the ``count`` rows of largest ``size`` beside their points ``x``, ``y``: to the ``left`` where
    that says so, by default of points in the right half; and where another name is already, above or below it.

    Raises ``ValueError`` where there is not one label for each row.
    """
    if labels is not None and len(labels) != len(size):
        raise ValueError(f"labels are names of the {len(size)} rows, and there are {len(labels)} of them")
    usable = np.isfinite(size) & np.isfinite(x) & np.isfinite(y)
    order = [i for i in np.argsort(-np.where(usable, size, -np.inf), kind="stable").tolist() if usable[i]][:count]
    left = x > 0.5 * (np.nanmin(x) + np.nanmax(x)) if left is None else left
    ax.autoscale_view()  # else the places of points are not known yet
    taken: list[tuple[float, float, float, float]] = []
    for i in order:
        text = str(i if labels is None else labels[i])
        here = ax.transData.transform((x[i], y[i])) * 72.0 / ax.get_figure().dpi
        up = _room(taken, here, len(text), left[i])
        ax.annotate(
            text,
            (x[i], y[i]),
            xytext=(-_AWAY if left[i] else _AWAY, up),
            textcoords="offset points",
            ha="right" if left[i] else "left",
            va="center",
            fontsize=style.SMALL,
        )


def _room(taken, here, letters: int, left: bool) -> float:
    """How many points above or below its own point a name has room, and add its box to those ``taken``."""
    wide, high = _LETTER * style.SMALL * letters, _LINE * style.SMALL
    start = here[0] - _AWAY - wide if left else here[0] + _AWAY
    for step in range(2 * _TRIES):
        up = high * ((step + 1) // 2) * (1.0 if step % 2 else -1.0)
        middle = here[1] + up
        if not any(start < b and start + wide > a and abs(middle - m) < 0.99 * h for a, b, m, h in taken):
            break
    taken.append((start, start + wide, middle, high))
    return up
