"""Predictions of a regression with their uncertainty."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.compiled import compiled
from jaxmle.fitting.result import Fit
from jaxmle.inference.carry import covariance_for, errors, from_scalars, normal_quantile, where_finite
from jaxmle.inference.door import as_alpha, check_one_fit
from jaxmle.inference.predictions.new_rows import new_rows
from jaxmle.inference.predictions.quantity import (
    QUANTILE,
    check_kind,
    is_discrete,
    leaves_that_matter,
    parts_of,
    quantity_of,
    the_regression,
)
from jaxmle.inference.printed import Printed, ends_of, refuse_batch
from jaxmle.tables import Row, Table
from jaxmle.terms.objective import Term
from jaxmle.terms.predictor import over_rows
from jaxmle.terms.problem import Problem
from jaxmle.terms.rows import is_shared, open_shared

_MOST_ROWS = 30


class Prediction(Printed):
    """What is predicted of each row, with its uncertainty. Made by :func:`predict`; ``print`` shows the first rows.

    ``value``, ``bse`` (standard errors), ``lower`` and ``upper`` have a leading axis of rows, and one more where a row
    has several numbers (the probability of each class). ``alpha`` is that of the interval.
    """

    value: Any
    bse: Any
    lower: Any
    upper: Any
    alpha: Any

    def table(self, rows: int | None = _MOST_ROWS) -> Table:
        """The table that ``print`` shows, of the first ``rows`` rows; of all where that is None.

        Raises ``ValueError`` for a batch: take a lane first.
        """
        refuse_batch(self.alpha, 0, "predictions")
        columns = [np.asarray(column) for column in (self.value, self.bse, self.lower, self.upper)]
        n = columns[0].shape[0]
        shown = n if rows is None else min(n, rows)
        numbers = [
            Row(f"{i[0]}" + f"[{','.join(map(str, i[1:]))}]" * (len(i) > 1), tuple(float(c[i]) for c in columns))
            for i in np.ndindex(shown, *columns[0].shape[1:])
        ]
        rest = f"{n - shown} more rows are not shown; table(rows=None) and to_frame() have them all."
        return Table(
            title="Predictions",
            header=(),
            columns=("value", "std err", *ends_of(float(self.alpha))),
            formats=("coefficient", "statistic", "coefficient", "coefficient"),
            rows=tuple(numbers),
            notes=(rest,) if shown < n else (),
        )

    def to_frame(self):
        """All rows as a pandas data frame."""
        return self.table(rows=None).to_frame()


def predict(
    objective: Term | Problem,
    fit: Fit,
    new_data: Any = None,
    kind: str = "mean",
    *,
    q: float | None = None,
    covariance: Any = None,
    alpha: float = 0.05,
) -> Prediction:
    """What a fitted regression predicts for each row of ``new_data``, with standard errors and intervals.

    Arguments:
        objective: what was fitted, with one :func:`jaxmle.regression` among its terms.
        fit: the fit, by whomever.
        new_data: rows shaped like ``x`` of the regression, with another number of them; for a model of ``jm.models``
            its design (a data frame with the columns of the design will do), or a dict of ``x`` and of ``offset`` or
            ``exposure`` where it has them; for a model from a formula a data frame with the columns that the formula
            names. None is the data of the fit. What the prediction does not depend on, the end of a censored time,
            may be left out.
        kind: "mean" of the response; "linear", the first of the density's parameters that moves with the row (log
            odds, log rate, location); "probability" of a one, of a success, or of each class; "quantile" of the
            response at ``q``. Mean and quantile of a censored response are those it would have without censoring.
        q: the level of the quantile, between 0 and 1.
        covariance: as for :func:`jaxmle.delta`.
        alpha: intervals are at confidence ``1 - alpha``.

    Returns a :class:`Prediction`. Standard errors are by the delta method. Where the prediction depends on one number
    of the row that moves with the parameters (the log odds, the log rate) the interval is formed for that number and
    mapped, so that a probability stays between 0 and 1; elsewhere it is the value plus and minus. It is that of the
    mean, the probability or the quantile, not of a new observation. The quantile of a count or label jumps, so it has
    no standard error (NaN); its interval, mapped, exists.

    Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``TypeError`` where no term is a regression (use :func:`jaxmle.delta`), where its density has no such kind,
    or for data of another structure; ``ValueError`` for an unknown kind, a ``q`` without a quantile, an ``alpha`` that
    is not between 0 and 1, other shapes, several regressions, or a batch of fits.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.logistic(jnp.ones((4, 1)), jnp.array([0, 1, 1, 1]))
    >>> found = jm.predict(problem, jm.fit(problem), jnp.ones((1, 1)))
    >>> [round(float(number[0]), 3) for number in (found.value, found.bse, found.lower, found.upper)]
    [0.75, 0.217, 0.238, 0.966]

    Source: Oehlert (1992); McCullagh and Nelder (1989), section 4.4.
    """
    check_kind(kind, q)
    check_one_fit(fit, "jm.predict")
    alpha = as_alpha(alpha)
    term = the_regression(objective)
    design = objective.design if isinstance(objective, Problem) else None
    rows = term.x if new_data is None else new_rows(new_data, term.x, fit.space, design, lambda: _idle(term, fit, kind))
    cov = covariance_for(objective, fit, covariance)
    return _predict(term, fit.space.unlabelled, fit.z, cov, rows, q, alpha, kind=kind)


def _idle(term, fit, kind) -> set[str]:
    """The names of what a row holds and the prediction does not depend on: the end of a censored time."""
    matter = leaves_that_matter(term, fit.space, fit.z, kind)
    leaves = jax.tree_util.tree_leaves_with_path(term.x, is_leaf=is_shared)
    return set(term.x) - {path[0].key for place, (path, _) in enumerate(leaves) if place in matter}


@compiled
def _predict(term, space, z, cov, rows, q, alpha, *, kind):
    quantity = quantity_of(term, space, z, kind)
    params, scalars = from_scalars(space, z)

    def of(scalars, row):
        return jnp.asarray(quantity.of(parts_of(term, params(scalars), row), q), z.dtype)

    value = _each(lambda row: of(scalars, row), rows)
    bse = errors(where_finite(_each(lambda row: jax.jacrev(of)(scalars, row), rows), value), cov)
    if kind == QUANTILE and is_discrete(term):
        bse = jnp.full_like(bse, jnp.nan)
    wide = normal_quantile(alpha, z.dtype)
    if quantity.alone is None:
        ends = [value - wide * bse, value + wide * bse]
    else:
        ends = _mapped(term, quantity, (params, scalars, cov), rows, q, wide)
    return Prediction(value, bse, jnp.minimum(*ends), jnp.maximum(*ends), jnp.asarray(alpha, z.dtype))


def _mapped(term, quantity, estimate, rows, q, wide):
    """The quantity at both ends of the interval of the one number that it depends on."""
    params, scalars, cov = estimate

    def number(scalars, row):
        return jnp.asarray(parts_of(term, params(scalars), row)[quantity.alone]).reshape(())

    bse = errors(_each(lambda row: jax.jacrev(number)(scalars, row), rows), cov)

    def at(side, row):
        parts = parts_of(term, params(scalars), row["row"])
        part = jnp.asarray(parts[quantity.alone])
        parts[quantity.alone] = part + (side * wide * row["bse"]).astype(part.dtype).reshape(part.shape)
        return jnp.asarray(quantity.of(parts, q), bse.dtype)

    return [_each(functools.partial(at, side), {"row": rows, "bse": bse}) for side in (-1.0, 1.0)]


def _each(function, rows):
    """``function`` of each row."""
    return over_rows(function, rows)(open_shared(rows))
