"""Logistic regression."""

from collections.abc import Sequence

from jaxmle.densities import bernoulli, binomial
from jaxmle.models.design import as_column, as_design, as_rows_of, coefficients, line
from jaxmle.models.model import Model
from jaxmle.terms.objective import as_objective
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression


def _predict(params, row):
    return (line(params, row),)


def _predict_of_trials(params, row):
    return row["trials"], line(params, row["x"])


@Model
def logistic(x, y, weights=None, *, trials=None, offset=None, labels: Sequence[str] | None = None) -> Problem:
    r"""Logistic regression: ``y_i ~ Bernoulli(logits = x_i . beta + offset_i)``, or binomial of ``trials``.

    Arguments: ``x`` (n, p), taken as it is (no intercept is added); ``y`` (n,), zeros and ones (or booleans), or with
    ``trials`` (n,) the number of successes among them; ``weights``, case weights (n,); ``offset`` (n,), log odds known
    beforehand; ``labels``, names of the columns (by default those of a data frame).

    Returns a problem in ``{"beta": (p,)}``, log odds for each unit of a column. Separated data have no finite
    maximum: the fit says diverging.

    Errors: ``ValueError`` for shapes that do not fit, pandas rows labelled differently, ``TypeError`` for columns that
    are not numbers; from ``jm.fit`` ``ValueError`` for responses other than zero and one.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = logistic(jnp.ones((4, 1)), jnp.array([0, 1, 1, 1]))
    >>> round(float(jm.fit(problem).params["beta"][0]), 4)
    1.0986

    Source: Berkson (1944); McCullagh and Nelder (1989), chapter 4.
    """
    x, y, labels = as_design(x, y, labels, weights=weights, trials=trials, offset=offset)
    rows = as_rows_of(x, offset)
    if trials is None:
        term = regression(bernoulli, _predict, rows, y, weights)
    else:
        rows = {"x": rows, "trials": as_column(trials, "trials", "the trials").astype(x.dtype)}
        term = regression(binomial, _predict_of_trials, rows, y, weights)
    return Problem(as_objective(term), {"beta": coefficients(x, labels)}, "Logistic regression")
