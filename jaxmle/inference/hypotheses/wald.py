"""The Wald test: how far the estimate is from a hypothesis, in its own standard errors."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core import lapack, linalg
from jaxmle.core.compiled import compiled
from jaxmle.core.tree import as_array, as_leaf, is_traced
from jaxmle.fitting.result import Fit
from jaxmle.inference.carry import carried, count_scalars, covariance_for, from_scalars
from jaxmle.inference.direction import describe_direction
from jaxmle.inference.door import check_one_fit
from jaxmle.inference.foreign import foreign_fit
from jaxmle.inference.hypotheses.hypothesis import Test
from jaxmle.inference.hypotheses.restriction import check_matrix, linear_restrictions, scalar_names
from jaxmle.inference.infer import infer
from jaxmle.inference.inference import Inference
from jaxmle.inference.top import contradicts, standard_errors_away, what_contradicts, why_away
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem

_NEAR = 0.14  # standard errors: no z-value is then further off


def wald_test(
    objective: Term | Problem,
    fit: Fit,
    restriction: str | Callable | Any,
    value: Any = None,
    *,
    covariance: Any = None,
    distribution: str = "chi2",
) -> Test:
    r"""The Wald test of restrictions on the parameters, linear (text, or a matrix) or not (a function).

    With h the restrictions at the estimate, zero under the hypothesis, H their derivative and V the covariance of the
    parameters, the statistic is ``h' (H V H')^-1 h``, chi-square with as many degrees of freedom as restrictions.

    Arguments:
        objective, fit: what was fitted, and the fit.
        restriction: text such as "gpa = 0, a - b = 1", in the labels of the tables or places ("beta[0]"), or a list of
            such texts; a matrix (k, p) over the unfixed scalars of params in tree order, or one row of it (p,); or a
            function of params that returns a number, or an array or a tree of them, zero under the hypothesis.
        value: what the matrix times the scalars is under the hypothesis, a number or (k,); zero if left out.
        covariance: as for :func:`jaxmle.delta`.
        distribution: "chi2", or "F": the statistic over the number of restrictions, F with nobs less the number of
            free parameters in the denominator.

    Returns a :class:`Test`. The statistic is NaN where what is tested has no covariance, restrictions given as a
    function are not independent at the estimate, or one holds whatever the estimate (the sum of a simplex); in a trace
    also where the fit is short of its maximum. The test of a hypothesis written in two ways, b = 0 and exp(b) = 1, is
    not the same: the likelihood ratio test is.

    Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``ValueError`` for a name that no parameter has, text that cannot be read or is not linear, a matrix of
    another shape, restrictions that follow from or contradict one another, an unknown distribution, a fit that stopped
    short of its maximum, was given elsewhere or is of another objective, and those of ``jm.infer``; ``TypeError`` for a
    ``value`` without a matrix.

    >>> import jaxmle as jm
    >>> problem = jm.models.poisson([2.0, 3.0, 4.0])
    >>> test = jm.wald_test(problem, jm.fit(problem), "rate = 1")
    >>> round(float(test.statistic), 4), test.df, round(float(test.pvalue), 4)
    (4.0, 1, 0.0455)

    Source: Wald (1943), "Tests of statistical hypotheses concerning several parameters when the number of
    observations is large"; Greene (2012), "Econometric Analysis", equation 14-28.
    """
    check_one_fit(fit, "jm.wald_test")
    if distribution not in ("chi2", "F"):
        raise ValueError(f'distribution must be "chi2" or "F", not {distribution!r}')
    if value is not None and (callable(restriction) or _as_text(restriction) is not None):
        raise TypeError("value= goes with a matrix; write it into the text, or subtract it in the function")
    if covariance is None or isinstance(covariance, str):
        covariance = infer(objective, fit, covariance)
    cov = covariance_for(objective, fit, covariance)
    if isinstance(covariance, Inference):
        cov = jnp.where(_is_its_own(covariance), cov, jnp.nan)
    cov = jnp.where(_is_top(as_problem(objective).objective, fit, cov), cov, jnp.nan)
    space = fit.space.unlabelled
    if callable(restriction):
        null = f"{getattr(restriction, '__name__', 'restriction')}(params) = 0"
        with foreign_fit(fit):
            statistic, sizes = _of_function(as_leaf(restriction), space, fit.z, cov)
        df = sizes.shape[0]
    else:
        matrix, value, null = _as_matrix(restriction, value, fit.space, fit.z.dtype)
        statistic, df = _of_matrix(matrix, value, space, fit.z, cov), matrix.shape[0]
    if distribution == "chi2":
        return Test.chi_square(statistic, df, "Wald test", null)
    df_resid = as_problem(objective).objective.nobs().astype(fit.z.dtype) - fit.z.size
    return Test.f(statistic / df, df, df_resid, "Wald test", null)


def _is_its_own(inference):
    """Whether a fit that says that it converged did so on the objective at hand.

    Raises ``ValueError`` where it did not; of values in a trace it can only be said, by an array.
    """
    contradicted = contradicts(inference)
    if not is_traced(contradicted) and contradicted:
        raise ValueError(f"the fit gives no Wald test: {what_contradicts(inference.newton_decrement)}")
    return ~contradicted


def _is_top(objective, fit, cov):
    """Whether a fit is not short of its maximum: elsewhere its distance from a hypothesis is that of nothing.

    Raises ``ValueError`` where it is short; of values in a trace it can only be said, by an array.
    """
    away = standard_errors_away(objective, fit, cov)
    short = ~(away <= _NEAR) & (not objective.is_rough)
    if not is_traced(short) and short:
        raise ValueError(f"the fit gives no Wald test: {why_away(fit.status, away)}")
    return ~short


def _as_matrix(restriction, value, space, dtype):
    """R, r and the hypothesis in words."""
    count = count_scalars(space)
    text = _as_text(restriction)
    if text is not None:
        matrix, value = linear_restrictions(text, scalar_names(space), count)
        check_matrix(matrix, f"{text!r}")
        return jnp.asarray(matrix, dtype), jnp.asarray(value, dtype), text
    matrix = jnp.atleast_2d(as_array(restriction, "the restriction").astype(dtype))
    if matrix.ndim != 2 or matrix.shape[1] != count:
        raise ValueError(
            f"the restriction has shape {jnp.shape(restriction)} and the fit {count} numbers that are not fixed: give "
            f"a matrix of shape (restrictions, {count}), its columns in the order {', '.join(space.scalar_labels())}"
        )
    value = as_array(0.0 if value is None else value, "value").astype(dtype)
    if value.shape not in ((), (matrix.shape[0],)):
        raise ValueError(f"value has shape {value.shape} and there are {matrix.shape[0]} restrictions: give one each")
    if not is_traced(value) and not np.isfinite(np.asarray(value)).all():
        raise ValueError(
            "value has a number that is not finite: what the restrictions are under the hypothesis is finite"
        )
    value = jnp.broadcast_to(value, matrix.shape[:1])
    if is_traced((matrix, value)):
        return matrix, value, f"{matrix.shape[0]} linear restrictions"
    check_matrix(np.asarray(matrix), "in the rows of the matrix")
    return matrix, value, _in_words(np.asarray(matrix), np.asarray(value), space)


def _as_text(restriction: Any) -> str | None:
    """The restrictions where they are a text, or a list of some."""
    if isinstance(restriction, list | tuple) and restriction and all(isinstance(one, str) for one in restriction):
        return ", ".join(restriction)
    return restriction if isinstance(restriction, str) else None


def _in_words(matrix, value, space) -> str:
    """The restrictions as equations, each divided by its largest coefficient."""
    largest = matrix[np.arange(len(matrix)), np.argmax(np.abs(matrix), axis=1)]
    labels = space.scalar_labels()
    pairs = zip(matrix, value / largest, strict=True)
    return ", ".join(f"{describe_direction(row, labels)} = {right:.6g}" for row, right in pairs)


@compiled
def _of_matrix(matrix, value, space, z, cov):
    return wald_statistic(matrix @ space.scalars(z) - value, matrix, cov)


@compiled
def _of_function(function, space, z, cov):
    params, scalars = from_scalars(space, z)

    def numbers(scalars):
        leaves = jax.tree.leaves(function(params(scalars)))
        return jnp.concatenate([jnp.ravel(leaf).astype(z.dtype) for leaf in leaves])

    found = numbers(scalars)
    return wald_statistic(found, jax.jacfwd(numbers)(scalars), cov), found


def wald_statistic(found, jacobian, cov):
    """``h' (H V H')^-1 h``, NaN where that inverse does not exist: where a restriction holds whatever the estimate (the
    sum of a simplex is one), its variance is the rounding error of a sum that is zero."""
    matrix = carried(jacobian, cov)
    errors = jnp.sqrt(jnp.nan_to_num(jnp.diagonal(cov)))
    most = (jnp.abs(jacobian) @ errors) ** 2
    varies = jnp.diagonal(matrix) > linalg.null_threshold(errors.size, errors.dtype) * most
    return jnp.where(jnp.all(varies), quadratic_form(matrix, found), jnp.nan)


def quadratic_form(matrix, vector):
    """``v' M^-1 v`` of a positive definite matrix, in units in which its diagonal is one; NaN where it is not."""
    diagonal = jnp.diagonal(matrix)
    scale = jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    values, vectors = lapack.eigh(linalg.unit_diagonal(matrix, scale))
    sound = values > linalg.null_threshold(scale.size, scale.dtype) * jnp.max(jnp.abs(values))
    along = vectors.T @ (vector / scale)
    return jnp.where(jnp.all(sound), jnp.sum(along**2 / jnp.where(sound, values, 1.0)), jnp.nan)
