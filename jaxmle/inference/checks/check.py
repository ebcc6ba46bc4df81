"""A check before the fit."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core import linalg
from jaxmle.core.compiled import compiled
from jaxmle.core.tree import is_traced
from jaxmle.fitting.climb import Ascent, ascent, tries
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.inference.checks.findings import Finding, Findings
from jaxmle.inference.direction import describe_direction
from jaxmle.terms.likelihood import WholeLikelihood
from jaxmle.terms.objective import Term, as_objective
from jaxmle.terms.problem import Problem

WIDE = 1e4  # standard deviations whose ratio is larger are those of badly chosen units
_SLACK = 1e-4


def check(objective: Term | Problem, start: Any = None) -> Findings:
    """A look at an objective and its start before the fit, in words a person can act on.

    Arguments: ``objective`` and ``start`` as for :func:`jaxmle.fit`.

    Returns :class:`Findings`; ``print`` shows them, ``ok`` says whether all is in order. Looked at are: whether the
    log-density, its gradient and its curvature are ``finite`` at the start; whether the ``gradient`` equals finite
    differences; whether the ``rows`` are worth the same without the others; ``directions`` in which nothing changes,
    at the start and off it; whether the ``scales`` on which parameters act are wildly different. Never traced.

    Errors: ``TypeError`` and ``ValueError`` about structure, as from ``jm.fit``; ``TypeError`` inside a trace.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.logistic(jnp.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]), jnp.array([0, 1, 1]))
    >>> found = jm.check(problem)
    >>> found.ok, found["gradient"], found.problems[0][:65]
    (False, True, 'nothing changes along beta[0] - 0.5 * beta[1], at the start or of')

    Source: Dennis and Schnabel (1996), "Numerical Methods for Unconstrained Optimization", section 5.4 on finite
    differences.
    """
    what = ascent(objective, start)
    if is_traced((what.objective, what.values)):
        raise TypeError("jm.check looks at values, which are not known inside jax.jit or jax.vmap: call it outside")
    what.objective.check_structure()
    objective = as_objective(what.objective).part(smooth=True)
    here, off = (_look(objective, what.bare, what.bare.to_z(point)) for point in _points(what))
    findings = [_finite(what, here)]
    if findings[0].ok:
        findings += [_gradient(what, here), _rows(what), _directions(what, here, off), _scales(what, here)]
    return Findings("Check before the fit", tuple(findings))


def _points(what: Ascent):
    return tries(what.bare, what.values)


@compiled
def _look(objective, space, z):
    """The evaluation at ``z``, central differences of the value over two steps, and the rounding error of these."""
    evaluation: Any = evaluate_in_z(objective, space, z, 2)
    step = jnp.finfo(z.dtype).eps ** 0.3 * jnp.maximum(1.0, jnp.abs(z))

    def differences(step):
        def one(i):
            moved = jnp.zeros_like(z).at[i].set(step[i])
            up, down = (evaluate_in_z(objective, space, point, 0).value for point in (z + moved, z - moved))
            return (up - down) / (2.0 * step[i])

        return jax.lax.map(one, jnp.arange(z.size))

    noise = 20.0 * float(jnp.finfo(z.dtype).eps) * evaluation.magnitude / step
    return evaluation, differences(step), differences(0.5 * step), noise


def _finite(what, here) -> Finding:
    evaluation = here[0]
    if bool(evaluation.is_finite()):
        return Finding("finite", True, f"the log-density at the start is {float(evaluation.value):.6g}")
    reasons = what.objective.explain(what.space.lift(what.values))
    sentence = "the log-density, its gradient or its curvature is not finite at the start"
    return Finding("finite", False, "; ".join([sentence, *reasons]))


def _gradient(what, here) -> Finding:
    evaluation, wide, narrow, noise = here
    gradient, wide, narrow, noise = (np.asarray(a) for a in (evaluation.gradient, wide, narrow, noise))
    slack = 10.0 * np.abs(wide - narrow) + noise + _SLACK * np.maximum(np.abs(gradient), np.abs(narrow))
    bad = np.flatnonzero(~(np.abs(gradient - narrow) <= slack))
    if not bad.size:
        return Finding("gradient", True, "it equals finite differences")
    worst = bad[np.argmax(np.abs(gradient - narrow)[bad])]
    return Finding(
        "gradient",
        False,
        f"the derivative in {what.space.z_labels()[worst]} is {gradient[worst]:.6g}, and finite differences say "
        f"{narrow[worst]:.6g}: look for a jump, a jax.lax.stop_gradient, an integer or a custom rule on the way",
    )


def _rows(what) -> Finding:
    try:
        what.objective.check_values(lambda: [what.space.lift(point) for point in _points(what)])
    except ValueError as error:
        return Finding("rows", False, str(error))
    whole = [term for term in as_objective(what.objective).terms if isinstance(term, WholeLikelihood)]
    said = "not looked at where a likelihood has rows=False" if whole else "each is worth the same without the others"
    return Finding("rows", True, said)


def _directions(what, here, off) -> Finding:
    labels = what.space.z_labels()
    free = [d for d in null_directions(np.asarray(here[0].curvature)) if _is_flat(d, here[0]) and _is_flat(d, off[0])]
    if not free:
        return Finding("directions", True, "every direction changes something")
    return Finding(
        "directions",
        False,
        f"nothing changes along {'; '.join(describe_direction(d, labels) for d in free)}, at the start or off it: the "
        "columns are collinear, or the parameter does not enter; drop one, fix it, or give it a prior",
    )


def null_directions(curvature: np.ndarray) -> list[np.ndarray]:
    """The directions in z without curvature, as far as the type of the numbers can tell."""
    diagonal = np.abs(np.diagonal(curvature))
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(curvature / scale[:, None] / scale[None, :])
    threshold = linalg.null_threshold(scale.size, curvature.dtype) * max(np.abs(values).max(), 1e-300)
    return [vectors[:, i] / scale for i in np.flatnonzero(np.abs(values) <= threshold)]


def _is_flat(direction, evaluation) -> bool:
    """Whether neither gradient nor curvature has a part along the direction, but for rounding."""
    gradient, curvature = np.asarray(evaluation.gradient), np.asarray(evaluation.curvature)
    small = 1e3 * direction.size * np.finfo(gradient.dtype).eps
    slope, size = abs(direction @ gradient), np.abs(direction) @ np.abs(gradient)
    bend, most = abs(direction @ curvature @ direction), np.abs(direction) @ np.abs(curvature) @ np.abs(direction)
    return bool(slope <= small * (size + np.sqrt(most)) and bend <= small * most + 1e-300)


def _scales(what, here) -> Finding:
    return scales_finding(np.asarray(here[0].curvature), what.space.z_labels())


def scales_finding(curvature: np.ndarray, labels: list[str]) -> Finding:
    """Whether the curvatures of single numbers are of comparable size."""
    diagonal = np.diagonal(curvature)
    curved = np.flatnonzero(diagonal > 0)
    if curved.size < 2:
        return Finding("scales", True, "there is one scale only")
    sizes = 1.0 / np.sqrt(diagonal[curved])
    low, high = curved[np.argmin(sizes)], curved[np.argmax(sizes)]
    ratio = sizes.max() / sizes.min()
    if ratio <= WIDE:
        return Finding("scales", True, f"the steps that matter differ by a factor of {ratio:.2g} at most")
    return Finding(
        "scales",
        False,
        f"{labels[high]} matters in steps {ratio:.1e} times those of {labels[low]}: give the columns of the data "
        "comparable units (divide by their standard deviations); differences of large numbers lose digits",
    )
