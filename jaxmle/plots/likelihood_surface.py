"""The log-likelihood over two parameters."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxmle.fitting.result import Fit
from jaxmle.inference.profiles.section import PROFILED
from jaxmle.plots import style
from jaxmle.plots.along import drop_of
from jaxmle.plots.plane import plane
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem

_SHADES = 12


def likelihood_surface(
    objective: Term | Problem,
    fit: Fit,
    which: str | Sequence[str],
    *,
    others: str = PROFILED,
    level: float = 0.95,
    size: int = 61,
    names: Sequence[str | None] = (None, None),
    units: Sequence[str | None] = (None, None),
    ax: Any = None,
) -> Any:
    r"""The log-likelihood over two parameters, as shades, with the estimate, its quadratic approximation and a region.

    The region at confidence ``level`` is where the log-likelihood is less than half a chi-square quantile with two
    degrees of freedom (2.996 at 0.95) below its top; the dashed ellipse is the same of the quadratic approximation.
    With a prior all is of the log-posterior.

    Arguments:
        objective: what was fitted; ``fit``: its fit.
        which: two labels, or names of leaves that are two numbers together: the one across, then the one up.
        others: what becomes of the other parameters: "profiled", moved to where the log-likelihood is highest, or
            "held" at their estimates, which makes the region too small.
        level: the confidence of the region.
        size: how many values of each parameter are looked at.
        names: of the two parameters, for the axes, instead of their labels; ``units``: their units.
        ax: the Axes to draw on; by default those of a new figure.

    Returns the Axes; its figure also has a colour bar.

    Errors: those of :func:`jaxmle.profile`; ``ValueError`` for other than two numbers, numbers that a constraint ties
    together, a batch, or a fit that is no estimate; ``ImportError`` without matplotlib.

    >>> import jaxmle as jm
    >>> problem = jm.models.normal([1.0, 2.0, 4.0, 4.5, 7.0])
    >>> ax = jm.plots.likelihood_surface(problem, jm.fit(problem), ("mu", "sigma"), size=15)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('mu', 'sigma')

    Source: Pawitan (2001), "In All Likelihood", section 3.1.
    """
    seen = plane(objective, fit, which, others, level, size)
    ax = style.axes(ax, 6.4, 4.6)
    fall = drop_of(level, 2)
    depths = np.linspace(0.0, 4.0 * fall, _SHADES + 1)
    shades = ax.contourf(
        seen.x, seen.y, seen.top - seen.drop, levels=seen.top - depths[::-1], cmap="viridis", extend="min"
    )
    bar = ax.figure.colorbar(shades, ax=ax, ticks=seen.top - depths[::-3], format="%.1f")
    bar.set_label(seen.noun + (f", others {others}" if seen.has_others else ""))
    bar.ax.tick_params(labelsize=style.SMALL)
    ax.contour(seen.x, seen.y, seen.drop, levels=[fall], colors="white", linewidths=style.WIDTH)
    ax.plot([], [], color="white", lw=style.WIDTH, label=f"{style.percent(level)} region")
    ellipse = seen.ellipse(fall)
    ax.plot(*ellipse.T, color=style.BLACK, lw=style.THIN, ls="--", label="quadratic")
    ax.plot(*seen.estimate, "o", color=style.VERMILLION, mec="white", ms=7, ls="", label="estimate")
    ax.set(xlim=(seen.x[0], seen.x[-1]), ylim=(seen.y[0], seen.y[-1]))
    style.legend_above(ax, facecolor="#8A8A8A", labelcolor="white")
    return style.name_axes(ax, *style.named(seen.labels, names), *units)
