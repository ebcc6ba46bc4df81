"""The bootstrap: how an estimate varies over resampled data."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxmle.core import status as codes
from jaxmle.core.tree import where_function
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.result import Fit
from jaxmle.inference.asked import Asked
from jaxmle.inference.carry import errors
from jaxmle.inference.covariances.covariance import covariance_of
from jaxmle.inference.covariances.groups import as_groups, one_way
from jaxmle.inference.covariances.replicated import as_draws
from jaxmle.inference.door import check_key, check_one_fit
from jaxmle.inference.foreign import foreign_fit
from jaxmle.inference.resampling import resample
from jaxmle.inference.resampling.drawn import Bootstrap
from jaxmle.inference.resampling.replicates import Climb, replicates
from jaxmle.inference.resampling.statistic import numbers_of, slopes_of
from jaxmle.inference.rows.scores import row_weights, scores_in_z
from jaxmle.inference.top import refuse_contradicted
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem


def bootstrap(
    objective: Term | Problem,
    fit: Fit,
    key: Any,
    draws: int = 1000,
    kind: str = "nonparametric",
    *,
    groups: Any = None,
    statistic: Callable | str | None = None,
    one_step: bool = False,
    studentise: bool = False,
    progress: bool = False,
) -> Bootstrap:
    r"""How the estimate varies over resampled data: standard errors and intervals without a formula.

    Every draw is a fit of its own to the same rows with other weights, by one compiled batch from the estimate on.

    Arguments:
        objective: what was fitted: a term, a sum of terms or a problem. Priors stay as they are.
        fit: its fit.
        key: a random key, ``jax.random.key(0)``. The same key gives the same draws.
        draws: how many.
        kind: what the weights are:

            - "nonparametric": as many cases as there are, drawn with replacement, within each likelihood;
            - "bayesian": shares drawn by the posterior under a flat prior, none of them zero;
            - "wild": ``w + sqrt(w) v`` with Mammen's multipliers v, which respects unequal variances. With ``one_step``
              it is, for a linear model, the wild bootstrap of its residuals;
            - "cluster": whole ``groups`` drawn with replacement;
            - "parametric": weights stay, and responses are simulated by the densities at the estimate.
        groups: a label for each row; "bayesian" and "wild" take them too, and have one share or multiplier (then
            ``w (1 + v)``) for each group.
        statistic: what to draw, a function of params that returns a number, an array or a tree of them, or the path of
            a leaf; all parameters by default.
        one_step: whether each draw is one Newton step with the curvature at the estimate, far quicker and right to the
            first order, in place of a fit.
        studentise: whether each draw has its standard error too, by its curvature, for studentised intervals.
        progress: whether to show a bar, which needs tqdm.

    Returns a :class:`Bootstrap`: ``bse``, ``conf_int(alpha, kind)``, ``params`` with a leading axis of draws, ``ok``;
    ``print`` shows it. A draw that has no unique maximum is NaN, is counted, and told of. Works under ``jax.jit`` and
    ``jax.vmap``.

    Weights of the terms are case weights; with weights that are not whole numbers the nonparametric bootstrap draws
    their sum, rounded.

    Errors: ``ValueError`` for an unknown kind, groups that do not go with it or do not fit the rows, fewer than two
    draws, a batch of fits, a fit that the objective contradicts (it was of another); ``TypeError`` for likelihoods that
    have no rows, responses that cannot be simulated, or a key that is none; ``ImportError`` without tqdm for a bar.

    >>> import jax
    >>> import jaxmle as jm
    >>> problem = jm.models.poisson(jnp.array([2.0, 3.0, 4.0, 7.0]))
    >>> drawn = jm.bootstrap(problem, jm.fit(problem), jax.random.key(0), draws=4000)
    >>> round(float(drawn.bse["rate"]), 1)  # sqrt(14 / 4) / 2, the spread of the four over the root of four
    0.9

    Source: Efron (1979), "Bootstrap methods: another look at the jackknife"; Rubin (1981); Mammen (1993); Davison and
    Hinkley (1997), chapters 2, 3 and 6.
    """
    check_one_fit(fit, "jm.bootstrap")
    _check(kind, draws, groups)
    check_key(key)
    problem = as_problem(objective)
    labels = None if groups is None else one_way(as_groups(groups))
    scheme = resample.Scheme.of(kind, problem.objective, fit.space.unlabelled, fit.z, labels)
    refuse_steps(problem.objective, one_step)
    refuse_contradicted(problem.objective, fit, "jm.bootstrap")
    numbers = None if statistic is None else where_function(statistic)
    look = Look(numbers, fit.jacobian, bool(studentise))
    climb = Climb(bool(one_step), problem.limit, fit.jacobian, look)
    with foreign_fit(fit):
        found = replicates(scheme, jax.random.split(key, draws), climb, progress)
    return _put_together(found, scheme, fit, numbers, kind, bool(one_step), bool(studentise))


def refuse_steps(objective, one_step: bool) -> None:
    """Raise ``TypeError`` where Newton steps are asked for and some prior has kinks."""
    if one_step and objective.is_rough:
        raise TypeError(
            "one_step=True takes Newton steps, and a prior with kinks (laplace, elastic_net, group_laplace) has none: "
            "leave it out, and each replicate is a fit"
        )


def _check(kind, draws, groups):
    if kind not in resample.KINDS:
        raise ValueError(f"there is no bootstrap {kind!r}; the kinds are: {', '.join(resample.KINDS)}")
    as_draws(draws)
    if kind == resample.CLUSTER and groups is None:
        raise ValueError("kind='cluster' needs groups=, a label for each row")
    if groups is not None and kind in (resample.NONPARAMETRIC, resample.PARAMETRIC):
        raise ValueError(
            f"groups= goes with kind='cluster' (or 'bayesian', 'wild'), where whole groups are drawn, not with {kind!r}"
        )


class Look(eqx.Module):
    """What is to be seen of each draw: the numbers asked about, and their standard errors where it ``studentises``."""

    statistic: Any
    jacobian: bool = eqx.field(static=True)
    studentises: bool = eqx.field(static=True)

    def __call__(self, objective, space, z):
        values = numbers_of(self.statistic, space, z)
        return values, _error(self.statistic, self.jacobian, objective, space, z) if self.studentises else None


def _error(statistic, jacobian, objective, space, z):
    """Standard errors of the numbers asked about, from the curvature at ``z``."""
    cov = covariance_of(evaluate_in_z(objective, space, z, 2, jacobian).curvature).matrix
    return errors(slopes_of(statistic, space, z), cov)


def _put_together(found, scheme, fit, statistic, kind, one_step, studentise) -> Bootstrap:
    values, drawn_errors = found.seen
    finished = _finish(found.z, found.status, values, scheme, statistic, fit.status, fit.jacobian, studentise)
    space = fit.space
    return Bootstrap(
        params=jax.vmap(space.unlabelled.params)(finished["z"]),
        errors=drawn_errors,
        statistic=None if statistic is None else statistic(fit.params),
        fitted=fit.status,
        space=space,
        kind=kind,
        one_step=one_step,
        **finished,
    )


def _at_the_end(z, status, values, scheme, statistic, fitted, jacobian, studentise):
    """What is said of the draws together; nothing where the fit is no estimate."""
    objective, space = scheme.objective, scheme.space
    good = codes.is_ok(fitted)
    none = jnp.full_like(values[0], jnp.nan)
    accelerated = none if objective.is_rough else acceleration(scheme, statistic, jacobian)
    return {
        "z": jnp.where(good, z, jnp.nan),
        "status": jnp.where(good, status, fitted.astype(status.dtype)),
        "values": jnp.where(good, values, jnp.nan),
        "estimate": jnp.where(good, numbers_of(statistic, space, scheme.z), jnp.nan),
        "acceleration": accelerated,
        "error": _error(statistic, jacobian, objective, space, scheme.z) if studentise else None,
    }


_finish = jax.jit(_at_the_end, static_argnames=("jacobian", "studentise"))


def acceleration(scheme: resample.Scheme, statistic, jacobian: bool):
    """A sixth of the skewness of the empirical influence of rows, or of groups of them, on each number asked about.

    Source: Efron (1987), equation 6.6.
    """
    objective, space, z = scheme.objective, scheme.space, scheme.z
    likelihoods = Asked(objective, space, z).likelihoods()
    inverse = covariance_of(evaluate_in_z(objective, space, z, 2, jacobian).curvature).matrix
    slopes = slopes_of(statistic, space, z)
    influence = scores_in_z(likelihoods, space, z) @ inverse @ slopes.T
    weights = row_weights(likelihoods, space, z)[:, None]
    if scheme.codes is not None:
        influence = jax.ops.segment_sum(jnp.where(weights > 0, weights * influence, 0.0), scheme.codes, weights.size)
        weights = jnp.ones_like(weights)
    counted = jnp.where(weights > 0, influence, 0.0)
    cubes, squares = (jnp.sum(weights * counted**power, axis=0) for power in (3, 2))
    return cubes / (6.0 * squares**1.5)
