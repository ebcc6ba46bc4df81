"""The names of the worst rows, written beside their points."""

from typing import Any

import numpy as np

from jaxmle.plots import style


def name_worst(ax: Any, x, y, size, labels: Any, count: int, left: Any = None) -> None:
    """Write the names of the ``count`` rows of largest ``size`` beside their points ``x``, ``y``: to the ``left`` where
    that says so, by default of points in the right half.

    Raises ``ValueError`` where there is not one label for each row.
    """
    if labels is not None and len(labels) != len(size):
        raise ValueError(f"labels are names of the {len(size)} rows, and there are {len(labels)} of them")
    usable = np.isfinite(size) & np.isfinite(x) & np.isfinite(y)
    order = [i for i in np.argsort(-np.where(usable, size, -np.inf), kind="stable").tolist() if usable[i]][:count]
    left = x > 0.5 * (np.nanmin(x) + np.nanmax(x)) if left is None else left
    for i in order:
        ax.annotate(
            str(i if labels is None else labels[i]),
            (x[i], y[i]),
            xytext=(-6 if left[i] else 6, 0),
            textcoords="offset points",
            ha="right" if left[i] else "left",
            va="center",
            fontsize=style.SMALL,
        )
