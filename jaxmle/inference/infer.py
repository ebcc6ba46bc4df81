"""Standard errors, tests and intervals of a fit."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.core.evaluation import EXPECTED, OBSERVED
from jaxmle.core.rarely import rarely
from jaxmle.core.tree import is_traced, module_of
from jaxmle.fitting.result import Fit
from jaxmle.inference.asked import CASE, SAMPLING, Asked, is_mle
from jaxmle.inference.covariances.covariance import covariance_of, sandwiched
from jaxmle.inference.covariances.groups import as_groups
from jaxmle.inference.covariances.hac import as_lags
from jaxmle.inference.covariances.in_params import in_params
from jaxmle.inference.covariances.information import DRAWS, check_can_be_simulated, information, is_simulated
from jaxmle.inference.covariances.kinds import KINDS, check_options, kind_named
from jaxmle.inference.covariances.replicated import REFITS, as_draws
from jaxmle.inference.door import check_is_fit, check_one_fit
from jaxmle.inference.foreign import foreign_fit
from jaxmle.inference.inference import Inference
from jaxmle.inference.interval import sides_at_limit
from jaxmle.inference.top import is_top, newton_decrement
from jaxmle.parameters.space import Space
from jaxmle.tables import Table
from jaxmle.terms.objective import Objective, Term
from jaxmle.terms.problem import Problem, as_problem
from jaxmle.terms.risk import losses_of

_WEIGHTS = {"case": CASE, "frequency": CASE, "sampling": SAMPLING}
_CHANGED = 0.1  # of a variance, one step further along a direction without end


def infer(
    objective: Term | Problem,
    fit: Fit,
    covariance: str | None = None,
    weights: str = CASE,
    *,
    groups: Any = None,
    correction: bool | None = None,
    lags: int | None = None,
    key: Any = None,
    draws: int | None = None,
) -> Inference:
    r"""Standard errors, z-values, p-values, intervals and criteria of ``fit``.

    Arguments:
        objective: what was fitted: a term, a sum of terms or a problem.
        fit: the fit, by whomever: ``jm.fit``, or ``jm.Fit.at(objective, values)``.
        covariance: how the estimate varies, in z, carried to params by the delta method. With ``A`` the curvature of
            the log-posterior and ``s_i`` the scores of the likelihood's rows ("observed" by default, "hc0" for a loss):

            - "observed": ``A^-1``; "expected": with the expected information of the densities, by ``key`` the mean
              over simulated responses where there is no closed form; "opg": with the sum of ``s_i s_i'``;
            - "hc0" (or "sandwich"): ``A^-1 (sum s_i s_i') A^-1``, right where the variance of the model is not;
              "hc1": times n / (n - p); "hc2", "hc3": the scores of a regression's coefficients over the root of
              ``1 - h_i``, or over ``1 - h_i``, with the leverages of :func:`jaxmle.leverage`, those of other parameters
              (a scale) as they are;
            - "cluster": scores are added within ``groups`` first;
            - "hac": rows in the order of time depend on those up to ``lags`` before, weighted by Bartlett's kernel;
            - "bootstrap": that of ``draws`` refits to cases drawn with replacement, or to whole ``groups`` of them;
            - "jackknife": from refits without each case in turn. Both in z, where an estimate at its limit is infinite
              and counts as none: :func:`jaxmle.bootstrap` and :func:`jaxmle.jackknife` look at the parameters.
        weights: what the weights of the terms mean. "case" or "frequency": weight 2 equals the row twice, in every
            kind but hac. "sampling": a row stands for w of the population, by how it was drawn; the scores are
            weighted, ``w_i^2 s_i s_i'``, ``nobs`` counts rows and only sandwiches are right.
        groups: a label for each row, any integers, texts or other labels; or a tuple of two such arrays for two ways
            of clustering. Inside a trace (``jax.vmap``) they are integers. Rows of several likelihoods come one after
            the other.
        correction: whether the small-sample factor is applied: G / (G - 1) (n - 1) / (n - p) for clusters, where it is
            by default; n / (n - p) for hac, where it is not. n is ``nobs``, p the number of coefficients of a
            regression's location, or of all free numbers.
        lags: by default floor(4 (n / 100)^(2/9)).
        key: a random key for "bootstrap"; for "expected", where a density has no expected information in closed form.
        draws: how many refits for "bootstrap", 1000 by default.

    Returns an :class:`Inference`; ``print`` shows it. Works under ``jax.jit`` and ``jax.vmap``.

    Where the information is singular or not positive definite the entries that the direction touches are NaN, and
    the table names the direction. A fit that is not ok has no standard errors, but for the parameters that a
    diverging fit had settled; a parameter that has run to its limit has none, and an interval that begins there; a
    fit with a prior that has kinks (laplace, elastic_net, group_laplace) has none, since the curvature does not say
    how the zeros vary. In a sandwich the prior is part of A only. A loss (:func:`jaxmle.risk`) has no AIC and BIC, and
    ``llf`` is minus its sum.

    Errors: ``ValueError`` for an unknown kind of covariance or of weights, options that do not go with it, labels
    that do not fit the rows, or a fit with other parameters (one of other data is told in the table, which then has no
    AIC and BIC); ``TypeError`` for a kind that the objective does not have (no scores by rows, no leverages, no
    expected information), and for numbers as ``weights``.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.poisson(jnp.array([2.0, 3.0, 4.0]))
    >>> inference = jm.infer(problem, jm.fit(problem))
    >>> round(float(inference.bse["rate"]), 4), round(float(inference.llf), 4)
    (1.0, -4.7754)
    >>> round(float(jm.infer(problem, jm.fit(problem), "hc0").bse["rate"]), 4)
    0.4714

    Source: Efron and Hinkley (1978), "Assessing the accuracy of the maximum likelihood estimator: observed versus
    expected Fisher information"; White (1982); MacKinnon and White (1985); Liang and Zeger (1986); Cameron, Gelbach
    and Miller (2011); Newey and West (1987); Pfeffermann (1993) on sampling weights; Akaike (1974); Schwarz (1978).
    """
    check_one_fit(fit, "jm.infer")
    problem = as_problem(objective)
    kind = _kind(covariance, losses_of(problem.objective))
    given = {"groups": groups, "correction": correction, "lags": lags, "key": key, "draws": draws}
    check_options(kind, given, problem.objective.is_rough)
    meaning = _meaning(weights, kind)
    asked = Asked(
        problem.objective,
        fit.space.unlabelled,
        fit.z,
        meaning,
        fit.jacobian,
        KINDS[kind].corrects if correction is None else bool(correction),
        () if groups is None else as_groups(groups),
        None if lags is None else as_lags(lags),
        key,
        REFITS if draws is None else as_draws(draws),
    )
    may_diverge = is_traced(fit.status) or (np.asarray(fit.status) == codes.DIVERGING).any()
    with foreign_fit(fit):
        found = _infer(asked, fit.direction, fit.status, kind=kind, may_diverge=bool(may_diverge))
    return _put_together(found, fit, problem, kind, meaning)


def _put_together(found, fit, problem, kind, meaning) -> Inference:
    objective = problem.objective
    return module_of(
        Inference,
        params=fit.params,
        status=fit.status,
        z=fit.z,
        direction=fit.direction,
        jacobian=fit.jacobian,
        space=fit.space,
        **{key: Space.tree_of_leaves(fit.space, leaves) for key, leaves in found["trees"].items()},
        **found["arrays"],
        covariance=kind,
        weights=meaning,
        has_prior=has_prior(objective),
        is_scaled=is_scaled(objective),
        is_rough=objective.is_rough,
        losses=losses_of(objective),
        name=problem.name,
        remarks=problem.remarks,
    )


def _kind(covariance: str | None, losses: tuple[str, ...]) -> str:
    """The kind of covariance asked for, or the default. Raises ``ValueError`` for one that a loss does not have."""
    if covariance is None:
        return "hc0" if losses else "observed"
    kind = kind_named(covariance)
    if losses and KINDS[kind].meat is None and KINDS[kind].whole is None:
        raise ValueError(
            f"with a loss ({', '.join(losses)}) covariance={kind!r} is wrong: the curvature of a loss is no "
            "information, since its units are anybody's; use a sandwich, such as covariance='hc0', or 'bootstrap'; a "
            "loss that is the whole of a noise model is written jm.regression(jm.densities...., predictor, x, y)"
        )
    return kind


def _meaning(weights: str, kind: str) -> str:
    """What weights mean. Raises ``TypeError`` for the weights themselves, ``ValueError`` where they mean nothing, or
    nothing to this ``kind``."""
    if not isinstance(weights, str):
        raise TypeError(
            f"weights= says what the weights of the terms mean, {' or '.join(map(repr, _WEIGHTS))}: the weights "
            "themselves are given to the likelihood or the model"
        )
    if weights not in _WEIGHTS:
        raise ValueError(f"there are no weights of the kind {weights!r}; the kinds are: {', '.join(_WEIGHTS)}")
    if _WEIGHTS[weights] == SAMPLING and KINDS[kind].meat is None:
        raise ValueError(
            f"with sampling weights covariance={kind!r} is wrong: the curvature counts each row as w of them, and only "
            "one was seen; use a sandwich, such as covariance='hc0' or 'cluster'"
        )
    return _WEIGHTS[weights]


def summary(objective: Term | Problem, fit: Fit, alpha: float = 0.05) -> Table:
    """The table of estimates, standard errors, tests and intervals of ``fit``: ``print(jm.summary(objective, fit))``.

    Arguments as for :func:`infer`; intervals are at confidence ``1 - alpha``. The table has ``to_frame()``,
    ``to_latex()`` and ``to_html()``.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.poisson(jnp.array([2.0, 3.0, 4.0]))
    >>> summary(problem, jm.fit(problem)).rows[0].label
    'rate'
    """
    check_is_fit(fit, "jm.summary")
    return infer(objective, fit).table(alpha)


def has_prior(objective: Objective) -> bool:
    """Whether any term of the objective is not a likelihood."""
    return any(not term.is_likelihood for term in objective.terms)


def is_scaled(objective: Objective) -> bool:
    """Whether some likelihood is multiplied by a number, or is a loss: the sum is then no model's log-likelihood."""
    pairs = zip(objective.terms, objective.factors, strict=True)
    return bool(losses_of(objective)) or any(term.is_likelihood and factor is not None for term, factor in pairs)


@compiled
def _infer(asked, direction, status, *, kind, may_diverge):
    objective, space, z = asked.objective, asked.space, asked.z
    rough, asked = objective.part(smooth=False), dataclasses.replace(asked, objective=objective.part(smooth=True))
    at_boundary = status == codes.BOUNDARY
    observed = information(asked, OBSERVED)
    sides = sides_at_limit(space, z, direction, status)
    evaluation, inverse, covariance, facts = _covariance(asked, kind, observed, at_boundary, sides != 0)
    lost = _without_errors(z, direction, status) | objective.is_rough | (sides != 0)
    if may_diverge:
        lost = lost | _fades(asked, direction, status, inverse.matrix, KINDS[kind].bread)
    carries = KINDS[kind].carries_to_edges and not objective.is_rough
    cov_z, cov, directions = in_params(space, z, direction, covariance, lost, at_boundary, carries)
    scalars = space.scalars(z)
    bse = jnp.where(jnp.asarray(space.held_scalars()), jnp.nan, jnp.sqrt(jnp.diagonal(cov)))
    zvalues = scalars / bse
    pvalues = jax.scipy.special.erfc(jnp.abs(zvalues) / jnp.sqrt(jnp.asarray(2.0, z.dtype)))
    trees = {"bse": bse, "zvalues": zvalues, "pvalues": pvalues}
    decrement = jnp.asarray(jnp.nan, z.dtype) if objective.is_rough else newton_decrement(observed)
    log_prior = evaluation.log_prior + rough.rough_value(space.params(z))
    arrays = {
        "cov": cov,
        "bse_z": jnp.sqrt(jnp.diagonal(cov_z)),
        "llf": evaluation.log_likelihood,
        "rounding": evaluation.rounding,
        "logprior": log_prior - (space.log_det(z) if asked.jacobian else 0.0),
        **_criteria(objective, asked, evaluation.log_likelihood, is_top(status, decrement)),
        "nobs": asked.nobs(),
        "newton_decrement": decrement,
        "eigenvalues": covariance.eigenvalues,
        "directions": directions,
        "indefinite": covariance.indefinite,
        "sides": sides,
        "facts": facts,
    }
    leaves = {key: space.leaves_of_scalars(scalars, jnp.nan) for key, scalars in trees.items()}
    return {"trees": leaves, "arrays": arrays}


def _criteria(objective, asked, llf, at_top):
    """AIC and BIC: NaN where ``llf`` is not the maximum of a model's log-likelihood."""
    count = asked.z.size
    sound = at_top & is_mle(has_prior(objective), is_scaled(objective), asked.jacobian, asked.weights)
    aic, bic = 2.0 * count - 2.0 * llf, count * jnp.log(asked.nobs()) - 2.0 * llf
    return {"aic": jnp.where(sound, aic, jnp.nan), "bic": jnp.where(sound, bic, jnp.nan)}


def _covariance(asked, kind, observed, at_boundary, at_limit):
    """The evaluation at the estimate, the inverse of its curvature, the covariance of z, and what else is to tell."""
    bread, meat, whole = KINDS[kind].bread, KINDS[kind].meat, KINDS[kind].whole
    facts: dict[str, Any] = {}
    evaluation = observed
    if bread == EXPECTED:
        check_can_be_simulated(asked)
        if any(is_simulated(term) for term in asked.objective.terms):
            facts["draws"] = jnp.asarray(DRAWS)
    if bread != OBSERVED:
        evaluation = information(asked, bread)
        at_limit = at_limit | _fades_at_edge(evaluation.curvature, observed.curvature, at_boundary)
    evaluation = dataclasses.replace(evaluation, curvature=_held(evaluation.curvature, at_limit))
    covariance = inverse = covariance_of(evaluation.curvature)
    if whole is not None:
        matrix, facts = whole(asked)
        covariance = dataclasses.replace(inverse, matrix=jnp.where(jnp.isnan(inverse.matrix), jnp.nan, matrix))
    if meat is not None:
        middle, facts = meat(asked)
        covariance = sandwiched(inverse, middle)
    return evaluation, inverse, covariance, facts


def _fades_at_edge(information, observed, at_boundary):
    """Which numbers an edge holds by a slope. Their ``observed`` curvature is that of the slope, beside which outer
    products and expectations fade: scaled to a unit diagonal they would count it as free on both sides."""
    slack = float(jnp.finfo(information.dtype).eps) ** 0.5
    return at_boundary & (jnp.diagonal(information) <= slack * jnp.abs(jnp.diagonal(observed)))


def _held(information, at_limit):
    """The ``information`` on the others with what is ``at_limit`` held there. One that had run on further would fade to
    nothing; what it has in common with others fades more slowly, and would leave them errors of any size."""
    pairs = (at_limit[:, None] | at_limit[None, :]) & ~jnp.eye(at_limit.size, dtype=bool)
    return jnp.where(pairs, 0.0, information)


def _without_errors(z, direction, status):
    """Which numbers have no standard error because of how the fit ended: all of them where one that diverges does not
    tell which it moved."""
    diverging = status == codes.DIVERGING
    moving = codes.still_moving(direction, z)
    moving = moving | (diverging & ~jnp.any(moving))
    return jnp.where(diverging | (status == codes.BOUNDARY), moving, ~codes.is_ok(status))


def _fades(asked, direction, status, matrix, bread):
    """Which numbers of a diverging fit have an error that is still growing: the information on them fades with that on
    the ones that move, whether they move themselves or not."""

    def changes(argument):
        asked, direction, variances = argument
        further = information(dataclasses.replace(asked, z=asked.z + direction), bread).curvature
        return ~(jnp.abs(jnp.diagonal(covariance_of(further).matrix) - variances) < _CHANGED * variances)

    here = jax.lax.stop_gradient((asked, direction, jnp.diagonal(matrix)))
    return rarely(changes, status != codes.DIVERGING, jnp.zeros(direction.shape, bool), here)
