"""The log-likelihood along one parameter."""

from typing import Any

import numpy as np

from jaxmle.fitting.result import Fit
from jaxmle.inference.profiles.section import PROFILED
from jaxmle.plots import style
from jaxmle.plots.along import along, drop_of
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem


def likelihood_curve(
    objective: Term | Problem,
    fit: Fit,
    which: str,
    *,
    others: str = PROFILED,
    level: float = 0.95,
    points: Any = None,
    name: str | None = None,
    units: str | None = None,
    ax: Any = None,
) -> Any:
    r"""The log-likelihood along one parameter, with the estimate, its quadratic approximation and an interval.

    The parabola has the value and the curvature of the curve at the estimate. The interval is that of
    :func:`jaxmle.profile` at confidence ``level``: where the curve, others profiled, is less than half a chi-square
    quantile (one degree of freedom; 1.92 at 0.95) below its top. With a prior all is of the log-posterior.

    Arguments:
        objective: what was fitted; ``fit``: its fit.
        which: the label of a number, or the name of a leaf that is one number.
        others: what becomes of the other parameters along the curve: "profiled", moved to where the log-likelihood is
            highest, or "held" at their estimates, which makes the curve narrower than the interval.
        level: the confidence of the interval.
        points: where to evaluate, a vector; by default 121 points about twice as wide as the interval.
        name: of the parameter, for the axis, instead of its label; ``units``: its units.
        ax: the Axes to draw on; by default those of a new figure.

    Returns the Axes.

    Errors: those of :func:`jaxmle.profile`; ``ValueError`` for a batch, a fit that is no estimate, or another word for
    ``others``; ``ImportError`` without matplotlib.

    >>> import jaxmle as jm
    >>> problem = jm.models.bernoulli([1, 0, 1, 1, 0, 1, 1, 0, 1, 1])
    >>> ax = jm.plots.likelihood_curve(problem, jm.fit(problem), "p")
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('p', 'log-likelihood')

    Source: Pawitan (2001), "In All Likelihood", sections 2.5 and 2.6.
    """
    seen = along(objective, fit, which, others, level, points)
    ax = style.axes(ax)
    top, fall = seen.top, drop_of(level, 1)
    ax.axvspan(*seen.inside(seen.ends), color=style.PALE, alpha=0.5, lw=0, label=f"{style.percent(level)} interval")
    ax.axhline(top - fall, color=style.GREY, lw=style.THIN, ls=":")
    named = {"profiled": ", others profiled", "held": ", others held"}[others] if seen.has_others else ""
    ax.plot(seen.points, top - seen.drop, color=style.BLUE, lw=style.WIDTH, label=seen.noun + named)
    ax.plot(seen.points, top - seen.parabola, color=style.VERMILLION, lw=style.THIN, ls="--", label="quadratic")
    ax.plot([seen.estimate], [top], "o", color=style.ink(ax), ms=6, label=f"estimate {seen.estimate:.4g}", zorder=4)
    deepest = np.nanmax(np.minimum(seen.drop, 4.0 * fall), initial=1.5 * fall)
    ax.set_ylim(top - 1.05 * deepest, top + 0.06 * deepest)
    style.legend(ax)
    return style.name_axes(ax, name or seen.label, seen.noun, units)
