"""A batch of fits: its estimates with their intervals, and how each ended."""

from typing import Any

import jax
import numpy as np

from jaxmle.core import status as codes
from jaxmle.fitting.result import Fit
from jaxmle.inference.inference import Inference
from jaxmle.plots import style
from jaxmle.plots.numbers import exactly, scalars_of_lanes

_MANY = 150
_NAMES = {value: name for name, value in vars(codes).items() if name.isupper() and isinstance(value, int)}


def batch(
    fits: Fit,
    which: str,
    inference: Inference | None = None,
    *,
    level: float = 0.95,
    sort: bool = True,
    reference: float | None = None,
    name: str = "lane",
    units: str | None = None,
    ax: Any = None,
) -> Any:
    """One parameter of a batch of fits: an estimate with its interval for each lane, and how the failed ones ended.

    Arguments:
        fits: a batch, that of :func:`jaxmle.fit_batch` or of ``jax.vmap`` over ``jm.fit``.
        which: the label of a number, or the name of a leaf that is one number.
        inference: its inference, ``jax.vmap(jm.infer, in_axes=(jm.lane_axes(objective), 0))(objective, fits)``; without
            it there are no intervals.
        level: the confidence of the intervals.
        sort: whether lanes are ordered by their estimates.
        reference: a value to draw a line at, such as the truth of a simulation.
        name: what a lane is; ``units``: those of the parameter.
        ax: the Axes to draw on; by default those of a new figure.

    Returns the Axes. Lanes that are no estimate are crosses at the foot, after the others, with their status.

    Errors: ``ValueError`` for a fit that is no batch, an inference of other lanes, or other than one number;
    ``KeyError`` for a name that none has; ``ImportError`` without matplotlib.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> y = jnp.array([[1.0, 2.0, 4.0], [2.0, 2.0, 5.0]])
    >>> normal = lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"])
    >>> fits = jm.fit_batch(jm.likelihood(normal, y), {"mu": 0.0, "sigma": jm.positive(1.0)})
    >>> ax = jm.plots.batch(fits, "mu", name="sample")
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('sample, by estimate', 'mu')

    Source: Goldstein and Healy (1995), "The graphical presentation of a collection of means".
    """
    values = scalars_of_lanes(fits)
    (place,), (label,) = exactly(fits.space, which, 1)
    value, ok = values[:, place], np.asarray(fits.ok)
    ends = None if inference is None else _ends(inference, place, level, value.size)
    order = np.flatnonzero(ok)
    order = order[np.argsort(value[order], kind="stable")] if sort else order
    across = np.arange(order.size) if sort else order
    ax = style.axes(ax)
    many = order.size > _MANY
    if ends is not None:
        lines = {"color": style.BLUE, "lw": 0.5 if many else style.THIN, "alpha": 0.35 if many else 0.8}
        ax.vlines(across, ends[0][order], ends[1][order], label=f"{style.percent(level)} interval", **lines)
    ax.plot(across, value[order], "o", color=style.BLUE, ms=1.5 if many else 4, ls="", mew=0, label="estimate")
    if reference is not None:
        ax.axhline(reference, color=style.ink(ax), lw=style.THIN, ls="--", label=f"{reference:.4g}", zorder=3)
    _failed(ax, np.asarray(fits.status), ok, order.size if sort else None)
    style.legend_above(ax)
    return style.name_axes(ax, f"{name}, by estimate" if sort else name, label, None, units)


def _failed(ax, status, ok, first) -> None:
    """A cross at the foot for each lane that is no estimate, with a colour for each status."""
    for i, code in enumerate(np.unique(status[~ok])):
        lanes = np.flatnonzero(status == code)
        across = lanes if first is None else first + np.arange(lanes.size)
        first = None if first is None else first + lanes.size
        name = f"{_NAMES.get(int(code), 'status ' + str(code)).lower().replace('_', ' ')} ({lanes.size})"
        ax.plot(
            across,
            np.full(lanes.size, 0.015),
            "x",
            color=style.colour(i + 1),
            ms=5,
            ls="",
            label=name,
            transform=ax.get_xaxis_transform(),
        )


def _ends(inference: Inference, place: int, level: float, count: int):
    if np.shape(inference.status) != (count,):
        raise ValueError(
            f"the fits have {count} lanes and the inference {np.shape(inference.status)}: take "
            "jax.vmap(jm.infer, in_axes=(jm.lane_axes(objective), 0))(objective, fits)"
        )
    space = inference.space
    trees = inference.conf_int(1.0 - level)
    return [np.asarray(jax.vmap(space.unlabelled.scalars_of)(tree), float)[:, place] for tree in trees]
