"""Confidence regions of two parameters."""

from collections.abc import Sequence
from typing import Any

from jaxmle.fitting.result import Fit
from jaxmle.inference.profiles.section import PROFILED
from jaxmle.plots import style
from jaxmle.plots.along import drop_of
from jaxmle.plots.plane import plane
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem


def contours(
    objective: Term | Problem,
    fit: Fit,
    which: str | Sequence[str],
    *,
    levels: Sequence[float] = (0.5, 0.95),
    others: str = PROFILED,
    size: int = 61,
    names: Sequence[str | None] = (None, None),
    units: Sequence[str | None] = (None, None),
    ax: Any = None,
) -> Any:
    r"""The regions of two parameters at confidence ``levels``, by likelihood, and the Wald ellipses beside them.

    A region is where twice the fall of the log-likelihood is below the chi-square quantile with two degrees of freedom,
    ``-2 log(1 - level)``; others profiled, it is the likelihood-ratio region. An ellipse is the same of the quadratic
    approximation, which has the covariance matrix of :func:`jaxmle.infer`.

    Arguments: as for :func:`jaxmle.plots.likelihood_surface`; ``levels``, between 0 and 1.

    Returns the Axes.

    Errors: as for :func:`jaxmle.plots.likelihood_surface`; ``ValueError`` for levels that are none.

    >>> import jaxmle as jm
    >>> problem = jm.models.normal([1.0, 2.0, 4.0, 4.5, 7.0])
    >>> ax = jm.plots.contours(problem, jm.fit(problem), ("mu", "sigma"), levels=(0.9,), size=15)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['90 % by likelihood', '90 % Wald', 'estimate']

    Source: Meeker and Escobar (1995), "Teaching about approximate confidence regions based on maximum likelihood
    estimation", section 3; Pawitan (2001), section 3.5.
    """
    if len(levels) == 0:
        raise ValueError("levels is empty: give one confidence or more, such as (0.5, 0.95)")
    ordered = sorted(levels)
    falls = [drop_of(level, 2) for level in ordered]
    seen = plane(objective, fit, which, others, ordered[-1], size)
    ax = style.axes(ax, 6.0, 4.6)
    added = f", others {others}" if seen.has_others and others != PROFILED else ""
    for i, (level, fall) in enumerate(zip(ordered, falls, strict=True)):
        strength = 0.45 + 0.55 * (i + 1) / len(falls)
        ax.contour(seen.x, seen.y, seen.drop, levels=[fall], colors=style.BLUE, linewidths=style.WIDTH, alpha=strength)
        ellipse = seen.ellipse(fall)
        ax.plot([], [], color=style.BLUE, lw=style.WIDTH, alpha=strength, label=_name(level, f"by likelihood{added}"))
        ax.plot(*ellipse.T, color=style.VERMILLION, lw=style.THIN, ls="--", alpha=strength, label=_name(level, "Wald"))
    ax.plot(*seen.estimate, "o", color=style.ink(ax), ms=6, ls="", label="estimate")
    ax.margins(0.06)
    style.legend_above(ax, len(ordered) + 1)
    return style.name_axes(ax, *style.named(seen.labels, names), *units)


def _name(level, kind) -> str:
    return f"{style.percent(level)} {kind}"
