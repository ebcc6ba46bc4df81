"""A look at a fit: what went wrong with it, or nearly did."""

import numpy as np

from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.core.tree import is_traced
from jaxmle.densities import bernoulli
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.checks.check import scales_finding
from jaxmle.inference.checks.findings import Finding, Findings
from jaxmle.inference.covariances.facts import at_limits
from jaxmle.inference.direction import describe_direction
from jaxmle.inference.door import check_is_fit
from jaxmle.inference.infer import infer
from jaxmle.inference.report import in_short
from jaxmle.inference.resampling.resample import fractional_row
from jaxmle.inference.rows.loo import loo
from jaxmle.inference.top import contradicts, what_contradicts
from jaxmle.terms.objective import Objective, Term
from jaxmle.terms.problem import Problem, as_problem
from jaxmle.terms.regression import Regression
from jaxmle.terms.sample import has_rows

_NEARLY = 1e-8
_MOST_ROWS = 100_000


def diagnose(objective: Term | Problem, fit: Fit) -> Findings:
    """What is wrong with a fit, or nearly is, in words a person can act on.

    Arguments: ``objective``, what was fitted; ``fit``, its fit, one that failed too.

    Returns :class:`Findings`; ``print`` shows them, ``ok`` says whether all is in order. Looked at are: how the fit
    ``ended``; which parameters are not ``identified``, or nearly not, from the eigenvectors of the information;
    ``separation``, and by which covariates; parameters at a ``limit``; wildly different ``scales``; and ``rows``
    without which the estimate would be another. Never traced.

    Errors: ``TypeError`` for what is no fit, for a batch or inside a trace: take a lane first.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.logistic(jnp.array([[1.0, -1.0], [1.0, -2.0], [1.0, 1.0], [1.0, 2.0]]), [0, 0, 1, 1])
    >>> print(jm.diagnose(problem, jm.fit(problem)).problems[1][:59])
    the responses are separated by beta[1]: along it the linear

    Source: Albert and Anderson (1984) on separation; Belsley, Kuh and Welsch (1980), "Regression Diagnostics", section
    3.2 on near collinearity.
    """
    check_is_fit(fit, "jm.diagnose")
    if is_traced((fit.z, fit.status)) or np.ndim(fit.status):
        raise TypeError(
            "jm.diagnose looks at one fit, outside jax.jit: of a batch take a lane, jax.tree.map(lambda x: x[0], fit)"
        )
    objective = as_problem(objective).objective
    findings = [Finding("ended", bool(fit.ok), str(fit.message))]
    if int(fit.status) == codes.DIVERGING:
        findings += list(_separations(objective, fit))
    if np.isfinite(np.asarray(fit.z)).all():
        inference = infer(objective, fit)
        if contradicts(inference):
            said = what_contradicts(inference.newton_decrement)
            return Findings("Diagnosis of the fit", (Finding("ended", False, said),))
        findings += _curved(objective, fit, inference)
    return Findings("Diagnosis of the fit", tuple(findings))


@compiled
def _curvature(objective, space, z, *, jacobian):
    return evaluate_in_z(objective, space, z, 2, jacobian).curvature


def _curved(objective: Objective, fit: Fit, inference):
    labels, smooth = fit.space.z_labels(), objective.part(smooth=True)
    curvature = np.asarray(_curvature(smooth, fit.space.unlabelled, fit.z, jacobian=fit.jacobian))
    yielded = [_identified(inference, curvature, labels), *_limits(inference)]
    if fit.ok:
        yielded.append(scales_finding(curvature, labels))
        yielded += _rows(objective, fit)
    return yielded


def _identified(inference, curvature, labels) -> Finding:
    free = inference.free_directions()
    if free and bool(inference.indefinite):
        return Finding("identified", False, f"this is no maximum: the log-density rises along {'; '.join(free)}")
    if free:
        return Finding(
            "identified",
            False,
            f"the data say nothing about {'; '.join(free)}: drop one of the parameters, fix it, or give it a prior."
            f"{in_short(curvature.dtype)}".rstrip("."),
        )
    diagonal = np.diagonal(curvature)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(curvature / scale[:, None] / scale[None, :])
    if values[0] < max(_NEARLY, 1e3 * np.finfo(curvature.dtype).eps) * values[-1]:
        text = describe_direction(vectors[:, 0] / scale, labels)
        return Finding(
            "identified",
            False,
            f"the data say next to nothing about {text} (eigenvalue {values[0] / values[-1]:.0e} of the largest): the "
            "columns are nearly collinear; estimates and standard errors there have lost digits",
        )
    return Finding(
        "identified", True, f"the condition number is {values[-1] / values[0]:.2g}, in units of the diagonal"
    )


def _limits(inference):
    sentences = list(at_limits(inference))
    return [Finding("limit", False, sentence) for sentence in sentences] or [
        Finding("limit", True, "no parameter is at a limit")
    ]


def _separations(objective, fit):
    """What separates the responses: directions in which every row is worth more, or none is worth less."""
    labels, moving = fit.space.z_labels(), np.asarray(fit.moving())
    direction = np.where(moving, np.asarray(fit.direction), 0.0)
    if not direction.any():
        return
    text = describe_direction(direction * np.sign(direction[np.argmax(np.abs(direction))]), labels)
    if any(_separates(term, fit, direction) for term in objective.terms):
        yield Finding(
            "separation",
            False,
            f"the responses are separated by {text}: along it the linear predictor rises, or stays, in every row whose "
            "response is 1, and falls, or stays, in every other (or the other way round), so the likelihood rises for "
            "ever; jm.priors.firth or jm.priors.normal gives a finite estimate, jm.profile the end of an interval",
        )
    else:
        yield Finding("separation", False, f"the likelihood rises for ever along {text}: no estimate is finite there")


def _separates(term, fit, direction) -> bool:
    """Whether no row of a logistic regression is worth less further along the direction."""
    if not isinstance(term, Regression) or term.density is not bernoulli:
        return False
    (far,), (here,) = (term.predictions(fit.space.params(z)) for z in (fit.z + direction, fit.z))
    change = np.asarray(far - here) * (2.0 * np.asarray(term.y) - 1.0)
    return bool((change >= -1e-2 * np.abs(change).max()).all())


def _rows(objective, fit):
    likelihoods = [term for term in objective.terms if term.is_likelihood]
    if objective.is_rough or not likelihoods or not all(has_rows(term) for term in likelihoods):
        return []
    if float(objective.nobs()) > _MOST_ROWS or fractional_row(objective) is not None:
        return []
    distance = np.square(np.asarray(loo(objective, fit).shift)) / fit.z.size
    rows = np.flatnonzero(~(distance <= 1.0))
    return [Finding("rows", not rows.size, _of_rows(rows))]


def _of_rows(rows) -> str:
    if not rows.size:
        return "no single row decides"
    some = ", ".join(map(str, rows[:10])) + ", ..." * (rows.size > 10)
    return (
        f"row{'s' * (rows.size > 1)} {some} (counted from zero) decide{'s' * (rows.size == 1)}: without it the "
        "estimate moves by more than a standard error for each parameter, or there is none; look at jm.influence"
    )
