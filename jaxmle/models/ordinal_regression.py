"""Ordinal logistic regression: classes in order, by proportional odds."""

import functools
import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.compiled import compiled
from jaxmle.densities import ordinal
from jaxmle.models.classes import read_classes
from jaxmle.models.design import as_design, as_rows_of, coefficients, line
from jaxmle.models.model import Model
from jaxmle.parameters import ordered
from jaxmle.terms.objective import as_objective
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression
from jaxmle.terms.rows import check_labels, have_weight


def _predict(params, row):
    return line(params, row), params["cutpoints"]


@functools.partial(Model, constant=False)
def ordinal_regression(
    x, y, weights=None, *, offset=None, n_classes: int | None = None, labels: Sequence[str] | None = None
) -> Problem:
    r"""Ordinal logistic regression, the proportional odds model: ``logit P(y_i <= k) = cutpoints_k - x_i . beta -
    offset_i``.

    Arguments: ``x`` (n, p), without a constant, which the cutpoints are in the place of; ``y`` (n,), labels 0, 1, ...,
    K - 1 from the lowest, or ordered categories of pandas or an Enum of polars, which the table then names;
    ``n_classes``, K, by default one more than the largest label of a row that has weight; ``weights``, case weights
    (n,); ``offset`` (n,), a part of ``x . beta`` known beforehand; ``labels``, names of the columns (by default those
    of a data frame). A formula's constant is left out.

    Returns a problem in ``{"beta": (p,), "cutpoints": (K - 1,)}``. A unit of a column multiplies the odds of being
    above any class by ``exp(beta)``, as in R's ``polr`` and Stata's ``ologit``.

    Errors: ``ValueError`` for shapes that do not fit, pandas rows labelled differently, a missing class, names in no
    order that is known, a class without a row, or no ``n_classes`` inside a trace; ``TypeError`` for columns that are
    not numbers; from ``jm.fit`` ``ValueError`` for labels out of range.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = ordinal_regression(jnp.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]]), [0, 1, 2, 1, 2, 2])
    >>> fit = jm.fit(problem)
    >>> [round(float(number), 4) for number in (fit.params["beta"][0], *fit.params["cutpoints"])]
    [1.7238, -0.9303, 0.9303]
    >>> fit.space.scalar_labels()
    ['beta[0]', '0|1', '1|2']

    Source: McCullagh (1980), Regression models for ordinal data, equation 2.3.
    """
    check_labels(x=x, y=y, weights=weights, offset=offset)
    y, n_classes, classes = read_classes(y, weights, n_classes, "ordinal regression", ordered=True)
    if np.shape(x)[1:] == (0,):
        raise ValueError(
            "the design x has no columns, and cutpoints alone are the log odds of the shares of the classes: give it a "
            "column; to compare with that, hold the coefficients of one at zero, "
            "jm.fit(problem.objective, problem.start | {'beta': jm.fixed([0.0])})"
        )
    x, y, labels = as_design(x, y, labels, offset=offset)
    names = [str(k) for k in range(n_classes)] if classes is None else classes
    between = [f"{below}|{above}" for below, above in itertools.pairwise(names)]
    start = {
        "beta": coefficients(x, labels),
        "cutpoints": ordered(_cutpoints(y, have_weight(weights, len(y)), n_classes=n_classes, dtype=x.dtype), between),
    }
    term = regression(ordinal, _predict, as_rows_of(x, offset), y, weights)
    return Problem(as_objective(term), start, "Ordinal regression")


@compiled
def _cutpoints(y, rows, *, n_classes: int, dtype):
    """The cutpoints of the shares of the classes ``y`` among the ``rows`` that count, with half a row added to each."""
    y, labels = y.astype(dtype), jnp.arange(n_classes, dtype=dtype)
    below = jax.vmap(lambda label: jnp.sum(rows & (y <= label), dtype=dtype))(labels) + (labels + 1) / 2
    return jnp.log(below[:-1] / (below[-1] - below[:-1]))
