"""A log-likelihood along one parameter: what two plots draw."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri

from jaxmle.fitting.result import Fit
from jaxmle.inference.door import as_level
from jaxmle.inference.infer import has_prior
from jaxmle.inference.profiles.curve import profile_curve
from jaxmle.inference.profiles.profile import Profile, profile
from jaxmle.inference.profiles.section import PROFILED, section
from jaxmle.inference.profiles.targets import Targets
from jaxmle.plots.numbers import exactly, one_fit, scalar, the_scalars
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem

COUNT, _WIDER = 121, 2.0


@dataclasses.dataclass(frozen=True)
class Along:
    """The log-likelihood (``noun``) along the parameter ``label``: at ``points`` it is ``drop`` below its ``top`` at
    the ``estimate``, and ``parabola`` below in the quadratic approximation. ``ends`` are those of the profile
    likelihood and ``wald`` those that standard errors give."""

    label: str
    noun: str
    points: np.ndarray
    drop: np.ndarray
    parabola: np.ndarray
    top: float
    estimate: float
    ends: tuple[float, float]
    wald: tuple[float, float]
    has_others: bool

    def inside(self, ends: tuple[float, float]) -> tuple[float, float]:
        """``ends``, those that are infinite or missing at the edge of the picture."""
        edges = self.points.min(), self.points.max()
        low, high = (end if np.isfinite(end) else edge for end, edge in zip(ends, edges, strict=True))
        return low, high


def along(objective: Term | Problem, fit: Fit, which: str, others: str, level: float, points: Any) -> Along:
    """The log-likelihood along ``which``. Errors are those of :func:`jaxmle.plots.likelihood_curve`."""
    places, (label,) = exactly(one_fit(fit).space, which, 1)
    ends = profile(objective, fit, which, level=level)
    estimate = scalar(fit.space.scalars(fit.z)[places[0]])
    pairs = _pair(ends, "lower", "upper", places), _pair(ends, "wald_lower", "wald_upper", places)
    points = _around(estimate, *pairs) if points is None else np.unique(np.ravel(np.asarray(points, float)))
    drop, precision = _drops(objective, fit, which, places, others, points)
    points, drop = points[np.isfinite(drop)], drop[np.isfinite(drop)]
    if not points.size:
        raise ValueError(f"the {noun_of(objective)} is finite at none of the points; give others, near {estimate:.4g}")
    if precision is None:
        half = 0.5 * (pairs[1][1] - pairs[1][0])
        precision = (scalar(ndtri(jnp.asarray(0.5 + 0.5 * level))) / half) ** 2
    return Along(
        label=label,
        noun=noun_of(objective),
        points=points,
        drop=drop,
        parabola=0.5 * precision * (points - estimate) ** 2,
        top=scalar(fit.value + (fit.log_jacobian if fit.jacobian else 0.0)),
        estimate=estimate,
        ends=pairs[0],
        wald=pairs[1],
        has_others=fit.z.size > 1,
    )


def _drops(objective, fit, which, places, others, points):
    """How far the log-likelihood falls at points, and its curvature where that is known."""
    tied = min(Targets.of(fit.space, places).places) < 0
    if tied and others == PROFILED:
        return np.asarray(profile_curve(objective, fit, which, points).drop, float), None
    found = section(objective, fit, which, points[:, None], others)
    return np.asarray(found.drop, float), scalar(found.precision[0, 0])


def noun_of(objective: Term | Problem) -> str:
    """What the value of ``objective`` is called."""
    return noun_with(has_prior(as_problem(objective).objective))


def noun_with(prior: bool) -> str:
    """What a value is called that has a ``prior`` in it, or none."""
    return "log-posterior" if prior else "log-likelihood"


def drop_of(level: float, count: int) -> float:
    """Half the chi-square quantile at ``level`` with ``count`` degrees of freedom, one or two.

    >>> round(drop_of(0.95, 1), 4), round(drop_of(0.95, 2), 4)
    (1.9207, 2.9957)
    """
    level = as_level(level)
    return 0.5 * scalar(ndtri(jnp.asarray(0.5 + 0.5 * level))) ** 2 if count == 1 else -float(np.log1p(-level))


def _pair(ends: Profile, lower: str, upper: str, places) -> tuple[float, float]:
    low, high = (the_scalars(ends.space, getattr(ends, name))[places[0]] for name in (lower, upper))
    return float(low), float(high)


def _around(estimate, ends, wald) -> np.ndarray:
    """Points around the estimate, wider than the interval, the estimate among them."""
    sides = []
    for end, other in zip(ends, wald, strict=True):
        reach = next((abs(x - estimate) for x in (end, other) if np.isfinite(x) and x != estimate), None)
        sides.append(reach)
    known = [side for side in sides if side is not None]
    if not known:
        raise ValueError("neither end of the interval is known, so it is not clear where to look: give points=")
    left, right = (_WIDER * (known[0] if side is None else side) for side in sides)
    half = COUNT // 2
    return np.concatenate(
        [
            np.linspace(estimate - left, estimate, half, endpoint=False),
            np.linspace(estimate, estimate + right, half + 1),
        ]
    )
