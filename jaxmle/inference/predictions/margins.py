"""Marginal effects: how the predicted mean moves with the columns of the data."""

from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc
from jaxtyping import Array, Float

from jaxmle.core.compiled import compiled
from jaxmle.fitting.result import Fit
from jaxmle.inference.carry import carried, covariance_for, errors, from_scalars, normal_quantile, where_finite
from jaxmle.inference.door import as_alpha, check_one_fit
from jaxmle.inference.predictions.columns import columns_of, made_of_one, multiplied, products_of, put
from jaxmle.inference.predictions.quantity import (
    MEAN,
    PROBABILITY,
    leaves_that_matter,
    parts_of,
    quantity_of,
    the_regression,
)
from jaxmle.inference.printed import Printed, ends_of, refuse_batch
from jaxmle.tables import Row, Table
from jaxmle.terms import rows as row_tools
from jaxmle.terms.likelihood import block_shapes
from jaxmle.terms.objective import Term
from jaxmle.terms.predictor import over_rows
from jaxmle.terms.problem import Problem

WHATS, PLACES = ("dydx", "contrast"), ("overall", "mean")


class Margins(Printed):
    """Marginal effects of ``columns``, in their order. Made by :func:`margins`; ``print`` shows them.

    ``value``, ``bse``, ``zvalues``, ``pvalues`` (two-sided, of zero), ``lower`` and ``upper`` have one number for each
    column, and an axis of classes where the response is a label. ``cov`` is the covariance over all of them.
    """

    value: Float[Array, "m ..."]
    bse: Float[Array, "m ..."]
    zvalues: Float[Array, "m ..."]
    pvalues: Float[Array, "m ..."]
    lower: Float[Array, "m ..."]
    upper: Float[Array, "m ..."]
    cov: Float[Array, "k k"]
    alpha: Any
    columns: tuple[str, ...] = eqx.field(static=True)
    what: str = eqx.field(static=True)
    at: str = eqx.field(static=True)
    notes: tuple[str, ...] = eqx.field(static=True, default=())

    def table(self) -> Table:
        """The table that ``print`` shows. Raises ``ValueError`` for a batch: take a lane first."""
        refuse_batch(self.alpha, 0, "marginal effects")
        trees = self.value, self.bse, self.zvalues, self.pvalues, self.lower, self.upper
        numbers = [np.asarray(tree) for tree in trees]
        places = np.ndindex(numbers[0].shape)
        return Table(
            title="Marginal effects",
            header=(("Effect", "contrast of 1 to 0" if self.what == "contrast" else "dy/dx"), ("At", self.at)),
            columns=("effect", "std err", "z", "P>|z|", *ends_of(float(self.alpha))),
            formats=("coefficient", "statistic", "statistic", "pvalue", "statistic", "statistic"),
            rows=tuple(Row(self._label(place), tuple(float(column[place]) for column in numbers)) for place in places),
            notes=self.notes,
        )

    def _label(self, place) -> str:
        return self.columns[place[0]] + "".join(f" on P({k})" for k in place[1:])


def margins(
    objective: Term | Problem,
    fit: Fit,
    what: str = "dydx",
    at: str = "overall",
    columns: Iterable[str | int] | str | int | None = None,
    *,
    covariance: Any = None,
    alpha: float = 0.05,
) -> Margins:
    r"""Marginal effects: the derivative of the predicted mean in columns of the data, or its change from 0 to 1.

    With m(x) the mean the effect of column j is the average over rows of ``dm/dx_j``, or of ``m(x_j = 1) - m(x_j =
    0)``; standard errors are by the delta method. For labels (categorical) m is the probability of each class.

    Arguments:
        objective: what was fitted, with one :func:`jaxmle.regression` among its terms.
        fit: the fit, by whomever.
        what: "dydx", or "contrast", which suits columns of zeros and ones.
        at: "overall", the average over the rows of the fit by their case weights, or "mean", at the weighted mean row,
            in which interactions are the products of their columns.
        columns: names of columns (the labels of the coefficients, or places such as "x[1]") or their numbers. By
            default all of the design for "dydx", but for one that is labelled const; for "contrast" say which.
        covariance: as for :func:`jaxmle.delta`.
        alpha: intervals are at confidence ``1 - alpha``.

    Returns :class:`Margins`; ``print`` shows them. The contrast of a level of a category, by the label that a formula
    gives it (``C(c)[T.v]``), is with the base: all rows have that level, then the base level, whatever their own. Its
    interactions move with a column; they are known by their labels (``treated:age``) and are no columns to ask for. A
    column that is another function of it (a square) does not: for the effect of both write the predictor with the
    square in it.

    Works under ``jax.jit`` and ``jax.vmap``.

    Errors: ``ValueError`` for an unknown ``what``, ``at`` or column, no columns for a contrast, a level of a category
    that is not coded against a base, an interaction, one of its parts that is no column itself (``y ~ a:b``) or that
    interacts with what is none of the design, a mean row of data that are not floating numbers, and a prediction that
    no column moves; ``TypeError`` for a column that is neither a name nor a number; those of :func:`jaxmle.predict`.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> x = jnp.stack([jnp.ones(6), jnp.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])], axis=1)
    >>> problem = jm.models.logistic(x, jnp.array([0, 0, 1, 0, 1, 1]), labels=["const", "treated"])
    >>> found = jm.margins(problem, jm.fit(problem), "contrast", columns=["treated"])
    >>> round(float(found.value[0]), 4), round(float(found.bse[0]), 4)
    (0.3333, 0.3849)

    Source: Bartus (2005), "Estimation of marginal effects using margeff"; Greene (2012), section 17.3.2.
    """
    if what not in WHATS or at not in PLACES:
        raise ValueError(f"what must be one of {', '.join(WHATS)} and at one of {', '.join(PLACES)}, not {what}, {at}")
    check_one_fit(fit, "jm.margins")
    alpha, term = as_alpha(alpha), the_regression(objective)
    design = objective.design if isinstance(objective, Problem) else None
    frame = getattr(design, "columns", ())
    chosen = columns_of(term, fit.space, columns, what == "dydx", frame)
    if columns is None:
        matter = leaves_that_matter(term, fit.space, fit.z, _kind(term))
        chosen = [column for column in chosen if column.leaf in matter]
        if not chosen:
            raise ValueError(
                "the prediction depends on no column of the data, so that none has an effect: ask jm.predict for the "
                "prediction itself, or jm.delta for a function of the parameters"
            )
    products = products_of(term, fit.space, frame) if at == "mean" else None
    cov = covariance_for(objective, fit, covariance)
    places = tuple(column._replace(name="", floating=True) for column in chosen)  # renaming compiles nothing
    found = _margins(term, fit.space.unlabelled, fit.z, cov, alpha, places=places, what=what, products=products)
    names = tuple(column.name for column in chosen)
    return Margins(**found, columns=names, what=what, at=at, notes=tuple(made_of_one(term, fit.space, names, frame)))


def _kind(term) -> str:
    return MEAN if hasattr(term.density, MEAN) else PROBABILITY


@compiled
def _margins(term, space, z, cov, alpha, *, places, what, products):
    quantity = quantity_of(term, space, z, _kind(term))
    params, scalars = from_scalars(space, z)

    def effects(scalars, row):
        def of(row):
            return jnp.asarray(quantity.of(parts_of(term, params(scalars), row), None), z.dtype)

        return jnp.stack([_effect(of, row, place, what) for place in places])

    value = _averaged(effects, term, scalars) if products is None else _at_mean(effects, term, scalars, products)
    flat = value.value.ravel()
    jacobian = where_finite(value.jacobian.reshape(-1, scalars.size), flat)
    bse = errors(jacobian, cov)
    wide = normal_quantile(alpha, z.dtype) * bse
    zvalues = flat / bse
    pvalues = erfc(jnp.abs(zvalues) / jnp.sqrt(jnp.asarray(2.0, z.dtype)))
    columns = {"value": flat, "bse": bse, "zvalues": zvalues, "pvalues": pvalues}
    columns |= {"lower": flat - wide, "upper": flat + wide}
    shaped = {name: column.reshape(value.value.shape) for name, column in columns.items()}
    return {**shaped, "cov": carried(jacobian, cov), "alpha": jnp.asarray(alpha, z.dtype)}


def _effect(of, row, place, what):
    """The effect on one row's quantity of the number in ``place``."""
    if what == "contrast":
        return of(put(row, place, 1.0)) - of(put(row, place, 0.0))
    number = jax.tree.leaves(row)[place.leaf][place.index]
    return jax.jvp(lambda number: of(put(row, place, number)), (number,), (jnp.ones_like(number),))[1]


class _Sum(eqx.Module):
    """Something with its derivative in the scalars, and the weight it counts for; sums add."""

    value: Any
    jacobian: Any
    weight: Any

    def __add__(self, other):
        return jax.tree.map(jnp.add, self, other)


def _averaged(effects, term, scalars) -> _Sum:
    """The average over rows; derivatives are taken inside a block and added."""

    def block_sum(block, weights):
        def total(scalars):
            each = over_rows(lambda row: effects(scalars, row), term.x)(block)
            return jnp.sum(row_tools.weighted(each, weights), axis=0)

        n = row_tools.row_leaves(block_shapes(term.x, block))[0][1].shape[0]
        weight = jnp.asarray(float(n)) if weights is None else jnp.sum(weights)
        return _Sum(total(scalars), jax.jacfwd(total)(scalars), weight.astype(scalars.dtype))

    summed: Any = row_tools.sum_over_blocks  # of anything that adds
    total = summed(block_sum, term.x, term.weights, term.block)
    return _Sum(total.value / total.weight, total.jacobian / total.weight, total.weight)


def _at_mean(effects, term, scalars, products) -> _Sum:
    """The effects on the weighted mean row, whose ``products`` are those of its other numbers."""
    weights = term.weights

    def mean(leaf):
        if row_tools.is_shared(leaf):
            return leaf.value
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise ValueError(
                f"the data hold {leaf.dtype} values, which have no mean row: use at='overall', or make them floating"
            )
        if weights is None:
            return jnp.mean(leaf, axis=0)
        return jnp.sum(row_tools.weighted(leaf, weights), axis=0) / jnp.sum(weights).astype(leaf.dtype)

    row = multiplied(jax.tree.map(mean, term.x, is_leaf=row_tools.is_shared), *products)
    value = effects(scalars, row)
    return _Sum(value, jax.jacfwd(lambda scalars: effects(scalars, row))(scalars), jnp.ones((), scalars.dtype))
