"""Influence against leverage."""

from typing import Any

import numpy as np

from jaxmle.fitting.result import Fit
from jaxmle.inference.rows.influence import influence as influence_of
from jaxmle.plots import style
from jaxmle.plots.numbers import one_fit
from jaxmle.plots.worst import name_worst
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem


def influence(objective: Term | Problem, fit: Fit, *, labels: Any = None, worst: int = 3, ax: Any = None) -> Any:
    """Cook's distance of each row against its leverage, the worst rows named.

    Leverage says how far out a row is in what is known of it, Cook's distance how far the estimate would move without
    it. The dashed line is twice the mean leverage, beyond which a row is usually looked at.

    Arguments: ``objective``, what was fitted, with likelihoods of rows; ``fit``, its fit; ``labels``, names of the
    rows, by default their numbers counted from zero; ``worst``, how many rows of largest distance are named; ``ax``,
    the Axes to draw on.

    Returns the Axes.

    Errors: those of :func:`jaxmle.influence`; ``ValueError`` where there is not a label for each row, for a batch, or
    a fit that is no estimate; ``ImportError`` without matplotlib.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> x = jnp.stack([jnp.ones(6), jnp.array([0.0, 1.0, 2.0, 3.0, 4.0, 12.0])], axis=1)
    >>> problem = jm.models.linear(x, jnp.array([0.1, 0.9, 2.2, 2.8, 4.1, 9.0]))
    >>> ax = jm.plots.influence(problem, jm.fit(problem), worst=1)
    >>> [text.get_text() for text in ax.texts]
    ['5']

    Source: Cook (1977), "Detection of influential observation in linear regression"; Hoaglin and Welsch (1978) on
    twice the mean leverage.
    """
    found = influence_of(objective, one_fit(fit))
    leverage, distance = np.asarray(found.leverage, float), np.asarray(found.cooks_distance, float)
    ax = style.axes(ax)
    ax.axvline(2.0 * np.nanmean(leverage), color=style.GREY, lw=style.THIN, ls="--", label="twice the mean leverage")
    ax.plot(leverage, distance, "o", color=style.BLUE, ms=5, alpha=0.7, ls="", mew=0)
    ax.margins(0.06)
    ax.set_ylim(bottom=0.0)
    name_worst(ax, leverage, distance, distance, labels, worst)
    style.legend(ax)
    return style.name_axes(ax, "leverage", "Cook's distance")
