"""A log-likelihood over two parameters: what two plots draw."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxmle.fitting.result import Fit
from jaxmle.inference.profiles.section import section
from jaxmle.plots.along import drop_of, noun_of
from jaxmle.plots.numbers import exactly, one_fit, scalar
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem

_WIDER, _FIRST = 1.25, 17


@dataclasses.dataclass(frozen=True)
class Plane:
    """How far the log-likelihood falls over a grid of two parameters: ``drop[i, j]`` at ``x[j], y[i]``, from ``top`` at
    the ``estimate``; ``precision`` is the matrix of its quadratic approximation."""

    labels: tuple[str, str]
    noun: str
    x: np.ndarray
    y: np.ndarray
    drop: np.ndarray
    top: float
    estimate: np.ndarray
    precision: np.ndarray
    has_others: bool

    def ellipse(self, drop: float, count: int = 181) -> np.ndarray:
        """Points (count, 2) at which the quadratic approximation is ``drop`` below its top."""
        angle = np.linspace(0.0, 2.0 * np.pi, count)
        circle = np.stack([np.cos(angle), np.sin(angle)]) * np.sqrt(2.0 * drop)
        factor = np.linalg.cholesky(self.precision)
        return self.estimate + np.linalg.solve(factor.T, circle).T


def plane(
    objective: Term | Problem, fit: Fit, which: str | Sequence[str], others: str, level: float, size: int
) -> Plane:
    """The log-likelihood over ``which``, wide enough for its region at ``level``.

    A coarse grid around the ellipse of the quadratic approximation is widened where the region reaches its edge, and
    narrowed to where the region is. Errors are those of :func:`jaxmle.plots.contours`.
    """
    if size < 5:
        raise ValueError(f"size is how many values of each parameter are looked at, five or more; it is {size}")
    places, labels = exactly(one_fit(fit).space, which, 2)
    estimate = np.asarray(fit.space.scalars(fit.z), float)[list(places)]
    fall = drop_of(level, 2)
    first = section(objective, fit, which, estimate[None], others)
    precision = np.asarray(first.precision, float)
    if not (np.linalg.eigvalsh(precision) > 0).all():
        raise ValueError(
            f"{labels[0]} and {labels[1]} are not determined together: a direction has no curvature, so there is no "
            "region to draw; jm.summary names it"
        )
    reach = _WIDER * np.sqrt(2.0 * fall * np.diag(np.linalg.inv(precision)))
    box = np.stack([estimate - reach, estimate + reach])

    def look(box, size):
        (low_x, low_y), (high_x, high_y) = box
        x, y = np.linspace(low_x, high_x, size), np.linspace(low_y, high_y, size)
        points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        drop = np.asarray(section(objective, fit, which, points, others).drop, float)
        return x, y, drop.reshape(size, size)

    for _ in range(4):
        x, y, drop = look(box, _FIRST)
        wider = _fitted(x, y, drop < fall, estimate)
        settled, box = np.allclose(wider, box, rtol=0.0, atol=0.2 * np.ptp(box, axis=0)), wider
        if settled:
            break
    x, y, drop = look(box, size)
    count = fit.z.size > 2
    top = scalar(fit.value + (fit.log_jacobian if fit.jacobian else 0.0))
    return Plane((labels[0], labels[1]), noun_of(objective), x, y, drop, top, estimate, precision, count)


def _fitted(x, y, inside, estimate) -> np.ndarray:
    """The box around the grid points that are ``inside``, with a margin; where they reach the edge, wider."""
    sides = []
    for axis, (values, centre) in enumerate(zip((x, y), estimate, strict=True)):
        hits = np.flatnonzero(inside.any(axis=axis))
        step = values[1] - values[0]
        low, high = (values[hits[0]], values[hits[-1]]) if hits.size else (centre, centre)
        wide = max(high - low, step)
        low = low - wide if hits.size and hits[0] == 0 else low - max(0.2 * wide, 1.2 * step)
        high = high + wide if hits.size and hits[-1] == values.size - 1 else high + max(0.2 * wide, 1.2 * step)
        sides.append((low, high))
    return np.asarray(sides).T
