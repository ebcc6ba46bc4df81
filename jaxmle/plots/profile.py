"""The profile likelihood of one parameter beside what standard errors say."""

from typing import Any

import numpy as np

from jaxmle.fitting.result import Fit
from jaxmle.inference.profiles.section import PROFILED
from jaxmle.plots import style
from jaxmle.plots.along import along, drop_of
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem


def profile(
    objective: Term | Problem,
    fit: Fit,
    which: str,
    *,
    level: float = 0.95,
    points: Any = None,
    name: str | None = None,
    units: str | None = None,
    ax: Any = None,
) -> Any:
    r"""How far the log-likelihood, maximised over everything else, falls along one parameter, with two intervals.

    The curve is the profile; the dashed parabola what the standard error makes of it. Where each is half a chi-square
    quantile (the dotted line) below the top are the ends of the profile and of the Wald interval, drawn below each
    other. The Wald interval is that of :func:`jaxmle.infer`, formed on the unconstrained scale, so that for a
    constrained parameter it need not be where the parabola meets the line.

    Arguments: ``objective``, what was fitted; ``fit``, its fit; ``which``, the label of a number, or the name of a leaf
    that is one; ``level``, the confidence; ``points``, where to evaluate, by default 121 points; ``name`` of the
    parameter, for the axis, instead of its label, and its ``units``; ``ax``, the Axes to draw on.

    Returns the Axes.

    Errors: as for :func:`jaxmle.plots.likelihood_curve`.

    >>> import jaxmle as jm
    >>> problem = jm.models.poisson([2.0, 3.0, 4.0])
    >>> ax = jm.plots.profile(problem, jm.fit(problem), "rate", name="calls", units="per day")
    >>> ax.get_xlabel()
    'calls (per day)'

    Source: Venzon and Moolgavkar (1988), figure 1; Pawitan (2001), section 2.9.
    """
    seen = along(objective, fit, which, PROFILED, level, points)
    ax = style.axes(ax)
    fall = drop_of(level, 1)
    ax.plot(seen.points, -seen.drop, color=style.BLUE, lw=style.WIDTH, label="profile")
    ax.plot(seen.points, -seen.parabola, color=style.VERMILLION, lw=style.THIN, ls="--", label="quadratic")
    ax.axhline(-fall, color=style.GREY, lw=style.THIN, ls=":")
    named = style.percent(level)
    for ends, depth, colour, kind in (
        (seen.ends, -fall, style.BLUE, "profile"),
        (seen.wald, -1.18 * fall, style.VERMILLION, "Wald"),
    ):
        if not np.isnan(ends).all():
            text = " to ".join(f"{end:.4g}" for end in ends)
            ax.plot(seen.inside(ends), [depth, depth], "|-", color=colour, ms=12, lw=3, label=f"{kind} {named}: {text}")
    ax.plot([seen.estimate], [0.0], "o", color=style.ink(ax), ms=6, label=f"estimate {seen.estimate:.4g}", zorder=4)
    deepest = float(np.nanmax(np.minimum(seen.drop, 3.0 * fall), initial=1.5 * fall))
    ax.set_ylim(-1.05 * deepest, 0.06 * deepest)
    style.legend(ax)
    return style.name_axes(ax, name or seen.label, f"{seen.noun} below its maximum", units)
