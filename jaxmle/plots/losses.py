"""Losses against the margin, or against the residual."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxmle import losses as room
from jaxmle.plots import style

RESIDUAL, MARGIN = AGAINST = ("residual", "margin")


def zero_one_of_margin(margin, target):
    """The zero-one loss of the label that a margin stands for."""
    return room.zero_one((margin > 0).astype(target.dtype), target)


_USUAL = {
    RESIDUAL: (room.squared_error, room.absolute_error, room.huber, room.log_cosh),
    MARGIN: (zero_one_of_margin, room.hinge, room.exponential, room.binary_cross_entropy),
}


def losses(
    losses: Sequence[Callable] | Mapping[str, Callable] | None = None,
    *,
    against: str = RESIDUAL,
    points: Any = None,
    ax: Any = None,
) -> Any:
    """Losses of one row side by side.

    Arguments:
        losses: functions of a prediction and a target, as in :mod:`jaxmle.losses`, or a dict from names to such; by
            default the usual ones. The zero-one loss is of labels: of a margin it is ``zero_one(margin > 0, target)``.
        against: "residual", the prediction where the target is zero; or "margin", the prediction (log odds) where the
            target is one: positive is right.
        points: predictions, a vector; by default 401 from -3 to 3.
        ax: the Axes to draw on; by default those of a new figure.

    Returns the Axes.

    Errors: ``ValueError`` for another word than these two, or no loss; ``ImportError`` without matplotlib.

    >>> import jaxmle as jm
    >>> ax = jm.plots.losses(against="margin")
    >>> [line.get_label() for line in ax.lines][:3]
    ['zero one', 'hinge', 'exponential']

    Source: Hastie, Tibshirani and Friedman (2009), "The Elements of Statistical Learning", figures 10.4 and 10.5.
    """
    if against not in AGAINST:
        raise ValueError(f"losses are drawn against one of {AGAINST}, not {against!r}")
    chosen: Any = _USUAL[against] if losses is None else losses
    named = dict(chosen) if isinstance(chosen, Mapping) else {_name(loss): loss for loss in chosen}
    if not named:
        raise ValueError("there is no loss to draw: give one or more, such as [jm.losses.huber]")
    at = np.linspace(-3.0, 3.0, 401) if points is None else np.ravel(np.asarray(points, float))
    target = jnp.ones(at.size) if against == MARGIN else jnp.zeros(at.size)
    ax = style.axes(ax)
    for i, (name, loss) in enumerate(named.items()):
        values = np.asarray(loss(jnp.asarray(at), target), float)
        ax.plot(at, values, color=style.colour(i), ls=style.dashes(i), lw=style.WIDTH, label=str(name))
    ax.axvline(0.0, color=style.GREY, lw=style.THIN, ls=":")
    ax.set_ylim(-0.1, 5.0)
    style.legend(ax)
    return style.name_axes(ax, "margin" if against == MARGIN else "prediction less target", "loss of one row")


def _name(loss: Callable) -> str:
    """The name of a function, or of what a partial one was made from, without underscores."""
    name = getattr(getattr(loss, "func", loss), "__name__", type(loss).__name__)
    return name.removesuffix("_of_margin").replace("_", " ")
