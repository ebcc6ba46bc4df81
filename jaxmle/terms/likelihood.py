"""The likelihood of rows that are independent given params, from a function of params and a block of rows."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.closure import explicit
from jaxmle.core.dependence import goes_forward
from jaxmle.core.directions import along_each
from jaxmle.core.evaluation import EXPECTED, OBSERVED, OPG, Evaluation, derivatives
from jaxmle.core.signature import check_returned, check_takes, takes
from jaxmle.core.tree import as_array, as_leaf, as_number, is_traced
from jaxmle.terms import rows as row_tools
from jaxmle.terms.objective import Term, flatten_point


class RowLikelihood(Term):
    """The sum of a log-likelihood over rows. Made by :func:`likelihood`."""

    function: Callable
    data: Any
    weights: Any = None
    block: int | None = eqx.field(static=True, default=None)
    is_filled: bool = eqx.field(static=True, default=False)
    is_likelihood: ClassVar[bool] = True

    def evaluate(self, lift, point, order, curvature=OBSERVED):
        flat, cut = flatten_point(point)
        _refuse_expected(curvature)

        def by_scores(block, weights):
            def contributions(flat):
                return self._contributions(lift(cut(flat)), block)

            return scores_evaluation(contributions, flat, weights)

        def evaluate_block(block, weights):
            def contributions(point):
                return self._contributions(lift(point), block)

            if order == 1 and _few_numbers(point) and goes_forward(contributions, cut(flat)):
                return forward_evaluation(contributions, cut(flat), weights)

            def total(flat):
                values = self._contributions(lift(cut(flat)), block)
                kept = row_tools.weighted(values, weights)
                return jnp.sum(kept), jnp.sum(jnp.abs(kept))

            value, gradient, hessian = derivatives(lambda flat: total(flat)[0], flat, order)
            magnitude = total(flat)[1]
            observed = None if hessian is None else -hessian
            return Evaluation(value, jnp.zeros_like(value), magnitude, gradient, observed)

        of_block = by_scores if curvature == OPG and order == 2 else evaluate_block
        unsound = self._unsound(lift, point)
        return row_tools.sum_over_blocks(of_block, self.data, self.weights, self.block, unsound, self.is_filled)

    def scores(self, lift, point):
        flat, cut = flatten_point(point)
        rows, bad = row_tools.open_sound(self.data, self.weights, self._unsound(lift, point))
        scores = jax.jacfwd(lambda flat: self._contributions(lift(cut(flat)), rows))(flat)
        return jnp.where(bad[:, None], jnp.nan, scores)

    def _unsound(self, lift, point) -> Callable:
        """Which rows of a block have no finite log-likelihood at the ``point``, or no finite slope."""
        flat, cut = flatten_point(point)

        def unsound(block):
            given = jax.jvp(lambda flat: self._contributions(lift(cut(flat)), block), (flat,), (jnp.ones_like(flat),))
            return ~(jnp.isfinite(given[0]) & jnp.isfinite(given[1]))

        return unsound

    def contributions(self, params):
        """The log-likelihood of each row, unweighted, at ``params``."""
        return self._contributions(params, row_tools.open_shared(self.data))

    def _contributions(self, params, block):
        n = row_tools.row_leaves(block_shapes(self.data, block))[0][1].shape[0]
        check_takes(self.function, 2, _STATELESS, _HOLD_STATE)
        values = self.function(params, block)
        check_returned(values, "the log-likelihood", "an array of one number for each row")
        shape = jnp.shape(values)
        if shape != (n,):
            raise ValueError(_wrong_shape(shape, n))
        return values

    def nobs(self):
        if self.weights is None:
            return jnp.asarray(float(row_tools.count_rows(self.data)))
        return jnp.sum(self.weights.astype(float))

    def weights_of_rows(self):
        return self.weights

    def check_structure(self):
        row_tools.check_weights_shape(self.weights, row_tools.count_rows(self.data), "the likelihood")

    def check_values(self, tries):
        n = row_tools.count_rows(self.data)
        if n == 1 or is_traced((self.data, self.function)):
            return
        _check_row_wise(self, tries(), n)

    def explain_data(self):
        return row_tools.explain_rows({"data": self.data}, self.weights)

    def explain(self, params):
        if is_traced((self.data, params)):
            return []
        values = np.asarray(self.contributions(params))
        found = row_tools.explain_rows({"data": self.data}, self.weights, ~np.isfinite(values))
        return found or bad_rows(values, self.weights)


class WholeLikelihood(Term):
    """A log-likelihood that must see all its data at once. Made by ``likelihood(..., rows=False)``."""

    function: Callable
    data: Any
    observations: Any
    is_likelihood: ClassVar[bool] = True

    def evaluate(self, lift, point, order, curvature=OBSERVED):
        flat, cut = flatten_point(point)
        _refuse_expected(curvature)
        if curvature == OPG and order == 2:
            return scores_evaluation(lambda flat: self._steps(lift(cut(flat))), flat, None)
        value, gradient, hessian = derivatives(lambda flat: self._total(lift(cut(flat))), flat, order)
        observed = None if hessian is None else -hessian
        return Evaluation(value, jnp.zeros_like(value), jnp.abs(value), gradient, observed)

    def scores(self, lift, point):
        flat, cut = flatten_point(point)
        if jnp.ndim(jax.eval_shape(lambda flat: self.contributions(lift(cut(flat))), flat)) == 0:
            return None
        return jax.jacfwd(lambda flat: self._steps(lift(cut(flat))))(flat)

    def contributions(self, params):
        """The log-likelihood as the function gives it: a scalar, or its per-step contributions."""
        values = self.function(params, row_tools.open_shared(self.data))
        check_returned(values, "the log-likelihood", "a number, or an array of per-step contributions")
        return values

    def _steps(self, params):
        values = self.contributions(params)
        if jnp.ndim(values) != 1:
            raise TypeError(
                "the outer product of the gradient is a sum over contributions, and this log-likelihood returns one "
                "number: return a vector of per-step contributions, or use another solver or covariance"
            )
        return values

    def _total(self, params):
        values = self.contributions(params)
        if jnp.ndim(values) > 1:
            raise ValueError(
                f"with rows=False the log-likelihood returns a number or a vector of per-step contributions; it "
                f"returned an array of shape {jnp.shape(values)}: sum it"
            )
        return jnp.sum(values)

    def nobs(self):
        return jnp.asarray(self.observations, float)

    def weights_of_rows(self):
        return None

    def check_structure(self):
        for _, leaf in row_tools.row_leaves(self.data):
            if jnp.size(leaf) == 0:
                raise ValueError("data is empty, so nothing can be estimated; check how it was filtered")

    def check_values(self, tries):
        pass

    def explain_data(self):
        return row_tools.explain_rows({"data": self.data})

    def explain(self, params):
        if is_traced((self.data, params)):
            return []
        values = self.contributions(params)
        return self.explain_data() or (bad_rows(values) if jnp.ndim(values) == 1 else [])


def likelihood(
    function: Callable,
    data,
    weights=None,
    *,
    rows: bool = True,
    nobs=None,
    block: int | None = None,
) -> Term:
    r"""A likelihood: the sum over rows of ``weights * function(params, data)``.

    Arguments:
        function: ``function(params, block_of_rows)`` gives one number for each row, shape ``(n,)``: its
            log-likelihood, constants included. Rows are independent given params.
        data: a tree of arrays with the same leading length n; what all rows share is wrapped in :func:`shared`.
        weights: case weights, shape ``(n,)``: weight 2 equals the row twice. None is one each.
        rows: False where the function must see all data at once (time series, Gaussian processes): it then returns
            a scalar or per-step contributions, and no row weights exist.
        nobs: how many observations there are, with ``rows=False`` only, where it cannot be seen; by default the leading
            length of the data. Rows count themselves.
        block: how many rows are evaluated at once; by default what suits the backend.

    Returns a term: callable on params, to be added to others and given to ``jm.fit``.

    Errors: ``TypeError`` for a function that does not take params and data, data that are not numbers, ``rows=False``
    with weights or ``nobs`` without it; ``ValueError`` for ``nobs`` that is not positive, or pandas rows labelled
    differently. What else can be wrong (different lengths, no rows, a function that is not row-wise or returns another
    shape) is said by ``jm.fit``.

    Example: a coin that fell heads in 7 of 10 throws.

    >>> import jax.numpy as jnp
    >>> def coin(params, y):
    ...     return jnp.where(y == 1, jnp.log(params["p"]), jnp.log1p(-params["p"]))
    >>> term = likelihood(coin, jnp.array([1.0] * 7 + [0.0] * 3))
    >>> round(float(term({"p": 0.7})), 4)
    -6.1086

    Source: Fisher (1922), "On the mathematical foundations of theoretical statistics", section 6.
    """
    if not callable(function):
        raise TypeError(f"jm.likelihood takes a function of params and data first, not a {type(function).__name__}")
    if not (rows and takes(function, WITH_STATE)):
        check_takes(function, 2, "jm.likelihood calls its function as function(params, data)", _SEVERAL_ARRAYS)
    if rows:
        row_tools.check_labels(data=data, weights=weights)
    data = row_tools.as_rows(data)
    if rows:
        if nobs is not None:
            raise TypeError(
                "nobs goes with rows=False: rows count themselves, one each or by their weights; leave it out, or say "
                "rows=False if the function must see all its data at once"
            )
        weights = None if weights is None else as_array(weights, "weights")
        return RowLikelihood(as_leaf(function), data, weights, block)
    if weights is not None:
        raise TypeError(
            "rows=False takes no weights, since the function is not cut into rows: weight inside the function"
        )
    if nobs is None:
        leaves = [leaf for _, leaf in row_tools.row_leaves(data) if jnp.ndim(leaf) > 0]
        nobs = leaves[0].shape[0] if leaves else 1
    elif not is_traced(nobs) and not np.all((np.asarray(nobs) > 0) & np.isfinite(nobs)):
        raise ValueError(f"nobs is how many observations there are, a positive number; it is {nobs!r}")
    return WholeLikelihood(as_leaf(function), data, as_number(nobs))


def scores_evaluation(contributions: Callable, flat, weights) -> Evaluation:
    """An evaluation whose curvature is the sum of the outer products of the contributions' gradients.

    Source: Berndt, Hall, Hall and Hausman (1974), "Estimation and inference in nonlinear structural models".
    """

    def twice(flat):
        values = contributions(flat)
        return values, values

    scores, values = jax.jacfwd(twice, has_aux=True)(flat)
    weighted = row_tools.weighted(scores, weights)
    kept = row_tools.weighted(values, weights)
    value = jnp.sum(kept)
    gradient = jnp.sum(weighted, axis=0)
    return Evaluation(value, jnp.zeros_like(value), jnp.sum(jnp.abs(kept)), gradient, weighted.T @ scores)


WITH_STATE = 4  # arguments: params, rows, state and key
_STATELESS = (
    "only jm.train(..., state=...) calls a log-likelihood as function(params, rows, state, key); everything else, "
    "jm.train without state= too, calls function(params, rows)"
)
_HOLD_STATE = "hold state and key, with functools.partial or a lambda, and return the values alone"
_SEVERAL_ARRAYS = (
    "several arrays travel as one tuple or dict, def loglik(params, data): x, y = data; what is no data goes in by "
    "functools.partial"
)
_FEW = 6  # numbers, of which forward mode is the faster way to the slopes of many rows


def _few_numbers(point: tuple) -> bool:
    return 0 < len(point) <= _FEW and all(jnp.ndim(leaf) == 0 for leaf in point)


def forward_evaluation(contributions: Callable, point: tuple, weights) -> Evaluation:
    """The value and the gradient of ``contributions`` of rows in a ``point`` of a few numbers, by forward mode.

    Each slope is one pass over the rows. Reverse mode sums, for each number, over the rows wherever it is used in the
    formula, and keeps what it needs for that in memory.
    """
    values, slopes = along_each(contributions, point)
    kept = row_tools.weighted(values, weights)
    value = jnp.sum(kept)
    gradient = jnp.stack([jnp.sum(row_tools.weighted(slope, weights)) for slope in slopes])
    return Evaluation(value, jnp.zeros_like(value), jnp.sum(jnp.abs(kept)), gradient, None)


def _refuse_expected(curvature):
    if curvature == EXPECTED:
        raise TypeError(
            "the expected information needs a density that knows its own, and a jm.likelihood is any function: write "
            "it as jm.regression(jm.densities...., predictor, x, y), or use another solver or covariance"
        )


def block_shapes(data, block):
    """``block`` with shared leaves marked as in ``data``, so that its row leaves can be told."""
    return jax.tree.map(
        lambda leaf, part: row_tools.Shared(part) if row_tools.is_shared(leaf) else part,
        data,
        block,
        is_leaf=row_tools.is_shared,
    )


def bad_rows(values, weights=None) -> list[str]:
    """A sentence naming the rows whose log-likelihood is not finite, of those that have weight."""
    bad = np.flatnonzero(~np.isfinite(np.asarray(values)) & row_tools.have_weight(weights, len(values)))
    if not bad.size:
        return []
    some = ", ".join(map(str, bad[:8])) + (", ..." if bad.size > 8 else "")
    value = float(np.asarray(values)[bad[0]])
    return [
        f"the log-likelihood is not finite ({value}) in {bad.size} row{'s' * (bad.size > 1)}: {some} (counted from "
        "zero); the parameters put these rows outside the support of the model"
    ]


def _wrong_shape(shape, n) -> str:
    hint = ""
    if shape == ():
        hint = ": do not sum inside it, or say rows=False if it cannot be split into rows"
    elif shape and shape[0] == n:
        hint = ": a column of shape (n, 1) is made flat with [:, 0]; several numbers a row are summed over the row"
    return (
        f"the log-likelihood must return one number for each of its {n} rows, shape ({n},); it returned shape "
        f"{shape}{hint}"
    )


def _check_row_wise(term: RowLikelihood, tries: list, n: int) -> None:
    """The first and the last rows must be worth the same without the rest; sums up to a row leave the first alone.

    Nothing is looked at where the function closes over numbers that are traced, so that there are no values.
    """
    part = max(1, min(n // 2, 64))
    ends = {"first": slice(0, part), "last": slice(n - part, n)}
    alone = [
        dataclasses.replace(
            term,
            data=jax.tree.map(
                lambda leaf, end=end: leaf if row_tools.is_shared(leaf) else leaf[end],
                term.data,
                is_leaf=row_tools.is_shared,
            ),
        )
        for end in ends.values()
    ]

    points, others = eqx.partition(tries, eqx.is_array_like)  # what is no number is the same in all
    arrays, rest = eqx.partition((term, alone), eqx.is_array_like)

    def contributions(point, arrays):
        params, (whole, parts) = eqx.combine(point, others[0]), eqx.combine(arrays, rest)
        return whole.contributions(params), [part.contributions(params) for part in parts]

    contributions, numbers = explicit(contributions, points[0], arrays)
    if is_traced(numbers):
        return
    for whole, parts in (jax.jit(contributions)(numbers, point, arrays) for point in points):
        for (name, end), apart in zip(ends.items(), parts, strict=True):
            _compare(np.asarray(whole)[end], np.asarray(apart), n, name, end.start)


def _compare(together, apart, n: int, name: str, start: int) -> None:
    """Raise ``ValueError`` unless rows, the ``name`` ones of ``n``, are worth the same among all of them and alone."""
    slack = 1e3 * np.finfo(apart.dtype).eps * (1.0 + np.abs(apart))
    with np.errstate(invalid="ignore"):
        same = (np.abs(together - apart) <= slack) | (~np.isfinite(together) & ~np.isfinite(apart))
    if not same.all():
        row = int(np.flatnonzero(~same)[0])
        raise ValueError(
            f"the log-likelihood is not row-wise: row {start + row} is worth {together[row]:.6g} among all {n} "
            f"rows and {apart[row]:.6g} among the {name} {len(apart)}. A function that looks across rows (centres the "
            "data, sums, cumulates, looks at the row before) must be given rows=False, or its across-row numbers "
            "computed first and passed with jm.shared"
        )
