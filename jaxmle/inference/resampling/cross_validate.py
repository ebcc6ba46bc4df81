"""Cross-validation: how well rows are predicted by fits that have not seen them."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmle.core import status as codes
from jaxmle.core.tree import is_traced
from jaxmle.fitting.result import Fit
from jaxmle.inference.covariances.groups import as_groups, one_way
from jaxmle.inference.door import check_key, check_one_fit
from jaxmle.inference.printed import Printed, refuse_batch
from jaxmle.inference.resampling import resample
from jaxmle.inference.resampling.drawn import as_note
from jaxmle.inference.resampling.replicates import Climb, replicates, usable
from jaxmle.tables import Row, Table
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem


class CrossValidation(Printed):
    """Log-likelihoods of held-out rows. Made by :func:`cross_validate`; ``print`` shows them.

    ``log_likelihood`` (folds,) is that of the rows of each fold, weighted, by the fit to the others; ``nobs`` (folds,)
    how many cases they are; ``total`` the sum, with its standard error ``se``; ``params`` a tree like params with a
    leading axis of folds; ``status`` how each fit ended. NaN where a fold has no fit, and so is the total then. A fold
    without a case (all its rows have weight zero) is in neither the total nor its error.
    """

    log_likelihood: Float[Array, " k"]
    nobs: Float[Array, " k"]
    total: Float[Array, ""]
    se: Float[Array, ""]
    params: Any
    status: Int[Array, " k"]

    @property
    def ok(self):
        """Which folds have a fit, or need none since they have no case, an array of True and False."""
        good = usable(self.status) | (self.nobs == 0)
        return good if is_traced(good) else np.asarray(good)

    @property
    def message(self) -> str:
        """How the fits ended, in a sentence. Raises ``ValueError`` for a batch."""
        refuse_batch(self.total, 0, "cross-validations")
        bad = np.flatnonzero(~self.ok)
        if not bad.size:
            return f"all {self.status.shape[0]} folds have a fit"
        why = codes.sentence(int(np.asarray(self.status)[bad[0]]))
        return f"without fold {', '.join(map(str, bad))} (counted from zero) there is no fit, so no total: {why}"

    def table(self) -> Table:
        """The table that ``print`` shows. Raises ``ValueError`` for a batch."""
        refuse_batch(self.total, 0, "cross-validations")
        values, nobs = np.asarray(self.log_likelihood), np.asarray(self.nobs)
        pairs = enumerate(zip(values, nobs, strict=True))
        rows = tuple(Row(str(i), (float(v), float(n), float(v / n) if n else None)) for i, (v, n) in pairs)
        return Table(
            title="Cross-validation",
            header=(
                ("Held-out log-likelihood", f"{float(self.total):.6g}"),
                ("Standard error", f"{float(self.se):.4g}"),
            ),
            columns=("log-likelihood", "nobs", "per observation"),
            formats=("statistic", "count", "coefficient"),
            rows=rows,
            notes=() if np.all(self.ok) else (as_note(self.message),),
        )


def cross_validate(
    objective: Term | Problem, fit: Fit, key: Any = None, folds: Any = 10, *, groups: Any = None, progress: bool = False
) -> CrossValidation:
    """The log-likelihood of each part of the rows by the fit to all the others, the sum over the parts and its error.

    Arguments:
        objective: what was fitted, with likelihoods that are sums over rows; the held-out log-likelihood is without
            priors, which take part in every fit.
        fit: its fit, where each of the others begins.
        key: a random key, by which rows are dealt out to folds of equal size (within one). Not needed with labels.
        folds: how many, two or more; or a label for each row, as for ``groups``: the fold it is held out in. Folds are
            in the order of their labels where these are integers, else of their first rows.
        groups: a label for each row: whole groups are dealt out, so that no fit has seen the group of a row held out.
        progress: whether to show a bar, which needs tqdm.

    Returns a :class:`CrossValidation`. The standard error is ``sqrt(K)`` times the standard deviation over the K folds,
    which takes them for independent; they share most of their rows, so it is too small rather than too large. Works
    under ``jax.jit`` and ``jax.vmap`` with a number of folds.

    Errors: ``ValueError`` for too few folds or more folds than rows, labels that do not fit the rows, or neither key
    nor labels; ``TypeError`` for likelihoods that have no rows.

    >>> import jax
    >>> import jaxmle as jm
    >>> problem = jm.models.poisson(jnp.array([2.0, 3.0, 4.0, 7.0]))
    >>> found = jm.cross_validate(problem, jm.fit(problem), folds=jnp.array([0, 0, 1, 1]))
    >>> round(float(found.total), 4)
    -11.5852

    Source: Stone (1974), "Cross-validatory choice and assessment of statistical predictions"; Bengio and Grandvalet
    (2004) on the standard error.
    """
    check_one_fit(fit, "jm.cross_validate")
    problem = as_problem(objective)
    labels = None if groups is None else one_way(as_groups(groups))
    whole = resample.Scheme.of(resample.HOLD_OUT, problem.objective, fit.space.unlabelled, fit.z, labels)
    count, dealt = _dealt(whole, key, folds)
    scheme = eqx.tree_at(lambda scheme: scheme.codes, whole, dealt, is_leaf=lambda leaf: leaf is None)
    found = replicates(scheme, jnp.arange(count), Climb(False, problem.limit, fit.jacobian), progress)
    values = _finish(found, scheme)
    return CrossValidation(**values, params=jax.vmap(fit.space.unlabelled.params)(found.z), status=found.status)


def _dealt(scheme, key, folds) -> tuple[int, Any]:
    """How many folds there are, and the fold of each row."""
    rows = sum(resample.counts_of(scheme.objective))
    if is_traced(folds):
        raise ValueError("inside jax.jit or jax.vmap the number of folds must be known: folds=10 and a key")
    if np.ndim(folds) == 0:
        number = np.asarray(folds)
        if number.dtype.kind not in "iuf" or number != np.round(number) or not 2 <= number <= rows:
            raise ValueError(f"folds must be a whole number from two to the {rows} rows there are; it is {folds!r}")
        if key is None:
            raise ValueError("rows are dealt out at random, which needs key=, such as jax.random.key(0)")
        check_key(key)
        return int(folds), _deal(scheme, key, jnp.asarray(int(folds)))
    if scheme.codes is not None:
        raise ValueError("folds= are labels already, so groups= cannot be kept together; give one of them")
    labels = (
        np.asarray(folds)
        if np.issubdtype(np.asarray(folds).dtype, np.integer)
        else np.asarray(one_way(as_groups(folds)))
    )
    if labels.ndim != 1:
        raise ValueError(f"folds= has one label for each row, shape ({rows},); it has shape {labels.shape}")
    different, ranks = np.unique(labels, return_inverse=True)  # the same for labels of any type
    count = len(different)
    if labels.shape != (rows,) or count < 2:
        raise ValueError(
            f"folds= has {labels.shape[0]} labels for {rows} rows, {count} of them different: give one for each row, "
            "two or more of them different"
        )
    return count, jnp.asarray(ranks, dtype=int)


@jax.jit
def _deal(scheme, key, folds):
    """A fold for each row, or the same for all rows of a group."""
    rows = sum(resample.counts_of(scheme.objective))
    codes = jnp.arange(rows) if scheme.codes is None else scheme.codes
    there = jnp.zeros(rows, bool).at[codes].set(True)
    order = jnp.argsort(jnp.where(there, jax.random.uniform(key, (rows,)), 2.0))
    return (jnp.argsort(order) % folds)[codes]


@jax.jit
def _finish(found, scheme):
    """The held-out log-likelihoods, how many cases they are, their sum and its standard error."""

    def one(seed, z):
        held_out = eqx.combine(scheme.held_out(seed), scheme.objective)
        params = scheme.space.point(z)
        value = held_out.evaluate(scheme.space.lift, params, 0).log_likelihood
        return value, held_out.nobs().astype(z.dtype)

    count = found.status.shape[0]
    values, nobs = jax.lax.map(lambda pair: one(*pair), (jnp.arange(count), found.z))
    held = nobs > 0
    folds, total = jnp.sum(held).astype(values.dtype), jnp.sum(jnp.where(held, values, 0.0))
    squares = jnp.sum(jnp.where(held, jnp.square(values - total / folds), 0.0))
    return {"log_likelihood": values, "nobs": nobs, "total": total, "se": jnp.sqrt(folds * squares / (folds - 1.0))}
