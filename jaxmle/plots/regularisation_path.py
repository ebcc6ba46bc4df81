"""Coefficients against the strength of a penalty."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxmle.fitting.result import Fit
from jaxmle.plots import style
from jaxmle.plots.numbers import as_batch, chosen, scalars_of_lanes

_NAMED = 12


def regularisation_path(
    strengths: Any,
    fits: Fit | Sequence[Fit],
    which: str | Sequence[str] | None = None,
    *,
    name: str = "strength of the penalty",
    mark: float | None = None,
    units: str | None = None,
    ax: Any = None,
) -> Any:
    """Coefficients against the strength of a penalty, or the scale of a prior, on a logarithmic axis.

    Arguments:
        strengths: a vector of positive numbers.
        fits: the fit at each of them: a batch (``jax.vmap`` of ``jm.fit`` over the strengths), or a list of fits.
        which: labels of numbers or names of leaves; by default all that are not fixed.
        name: of the axis of strengths.
        mark: a strength to mark, one chosen by :func:`jaxmle.cross_validate` say.
        units: those of the coefficients, for the axis.
        ax: the Axes to draw on; by default those of a new figure.

    Returns the Axes. A fit that is no estimate is a gap in the lines.

    Errors: ``ValueError`` where there is not one fit for each strength, or strengths are not positive; ``KeyError``
    for a name that none has; ``ImportError`` without matplotlib.

    >>> import jax, jax.numpy as jnp
    >>> import jaxmle as jm
    >>> x, y = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), jnp.array([1.0, 2.0, 2.5])
    >>> line = jm.regression(jm.densities.normal, lambda p, x: (x @ p["beta"], 1.0), x, y)
    >>> path = lambda strength: jm.fit(line + jm.penalties.l2("beta", strength), {"beta": jnp.zeros(2)})
    >>> strengths = jnp.array([0.01, 0.1, 1.0, 10.0])
    >>> ax = jm.plots.regularisation_path(strengths, jax.vmap(path)(strengths))
    >>> len(ax.lines), ax.get_xscale()
    (3, 'log')

    Source: Hastie, Tibshirani and Friedman (2009), "The Elements of Statistical Learning", figures 3.8 and 3.10.
    """
    fits = as_batch(fits)
    values, strengths = scalars_of_lanes(fits, "a path"), np.asarray(strengths, float)
    if strengths.shape != values.shape[:1]:
        raise ValueError(
            f"there are {values.shape[0]} fits and strengths of shape {strengths.shape}: give one for each"
        )
    if not (strengths > 0).all():
        raise ValueError(f"strengths are positive numbers on a logarithmic axis; the smallest is {strengths.min():g}")
    places, labels = chosen(fits.space, which)
    order = np.argsort(strengths)
    values = np.where(np.asarray(fits.ok)[:, None], values, np.nan)[order]
    ax = style.axes(ax)
    ax.axhline(0.0, color=style.GREY, lw=style.THIN, ls=":")
    for i, (place, label) in enumerate(zip(places, labels, strict=True)):
        ax.plot(
            strengths[order], values[:, place], color=style.colour(i), ls=style.dashes(i), lw=style.WIDTH, label=label
        )
    if mark is not None:
        ax.axvline(mark, color=style.ink(ax), lw=style.THIN, ls="--", label=f"chosen: {mark:.3g}")
    ax.set_xscale("log")
    if len(labels) <= _NAMED:
        style.legend(ax, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return style.name_axes(ax, name, "coefficient", None, units)
