"""The jackknife: the estimate without each row, or each group of rows, in turn."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmle.core import status as codes
from jaxmle.core.tree import is_traced, where_function
from jaxmle.fitting.result import Fit
from jaxmle.inference.covariances.groups import as_groups, one_way
from jaxmle.inference.covariances.replicated import jackknifed
from jaxmle.inference.door import as_alpha, check_one_fit
from jaxmle.inference.foreign import foreign_fit
from jaxmle.inference.printed import Printed, ends_of, refuse_batch
from jaxmle.inference.resampling import resample
from jaxmle.inference.resampling.bootstrap import Look, refuse_steps
from jaxmle.inference.resampling.drawn import as_note
from jaxmle.inference.resampling.replicates import Climb, replicates, usable
from jaxmle.inference.resampling.statistic import flat_of, labels_of, numbers_of, tree_of
from jaxmle.inference.top import refuse_contradicted
from jaxmle.parameters.space import Space
from jaxmle.tables import Row, Table
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem


class Jackknife(Printed):
    """Estimates without each row in turn. Made by :func:`jackknife`; ``print`` shows what they say.

    ``params`` is a tree like params whose leaves have a leading axis, one entry for each row (or group) left out;
    ``values`` (r, k) are the numbers asked about and ``estimate`` (k,) what they are at the fit; ``status`` how each
    fit ended. ``counts`` (r,) says of how many cases a row consists, each left out alone. ``bse`` (standard errors) and
    ``bias`` are trees like the statistic, or like params; ``cov`` (k, k) is the covariance.
    """

    params: Any
    status: Int[Array, " r"]
    values: Float[Array, "r k"]
    estimate: Float[Array, " k"]
    counts: Float[Array, " r"]
    cov: Float[Array, "k k"]
    bse: Any
    bias: Any
    statistic: Any
    fitted: Int[Array, ""]
    space: Space
    grouped: bool = eqx.field(static=True)

    @property
    def ok(self):
        """Without which rows there is an estimate, an array of True and False."""
        good = usable(self.status) | (self.counts == 0)
        return good if is_traced(good) else np.asarray(good)

    @property
    def message(self) -> str:
        """How the fits ended, in a sentence. Raises ``ValueError`` for a batch."""
        refuse_batch(self.fitted, 0, "jackknives")
        what = "groups" if self.grouped else "rows"
        if not usable(self.fitted):
            return f"there are no standard errors, since the fit is no estimate: {codes.sentence(int(self.fitted))}"
        bad = np.flatnonzero(~self.ok)
        if not bad.size:
            return f"there is an estimate without each of the {int((np.asarray(self.counts) > 0).sum())} {what}"
        some = ", ".join(map(str, bad[:8])) + ", ..." * (bad.size > 8)
        return (
            f"without {what} {some} (counted from zero, {bad.size} in all) there is no estimate, so there are no "
            f"jackknife standard errors: {codes.sentence(int(np.asarray(self.status)[bad[0]]))}"
        )

    def table(self, alpha: float = 0.05) -> Table:
        """The table that ``print`` shows, with normal intervals. Raises ``ValueError`` for a batch, and for an
        ``alpha`` that is not between 0 and 1."""
        refuse_batch(self.fitted, 0, "jackknives")
        reach = float(jax.scipy.special.ndtri(1.0 - as_alpha(alpha) / 2.0)) * np.sqrt(np.diagonal(np.asarray(self.cov)))
        middle, trees = np.asarray(self.estimate), (self.bias, self.bse)
        columns = [middle, *(flat_of(tree, self.statistic, self.space) for tree in trees)]
        columns += [middle - reach, middle + reach]
        labels = labels_of(self.statistic, self.space)
        left_out = "each group" if self.grouped else "each case"
        return Table(
            title="Jackknife",
            header=(("Left out", left_out), ("Fits", str(self.status.shape[0]))),
            columns=("estimate", "bias", "std err", *ends_of(alpha)),
            formats=("coefficient", *["statistic"] * 4),
            rows=tuple(Row(label, tuple(float(c[i]) for c in columns)) for i, label in enumerate(labels)),
            notes=() if np.all(self.ok) else (as_note(self.message),),
        )


def jackknife(
    objective: Term | Problem,
    fit: Fit,
    *,
    groups: Any = None,
    statistic: Callable | str | None = None,
    one_step: bool = False,
    progress: bool = False,
) -> Jackknife:
    r"""The estimate without each case in turn, and the standard errors and bias that follow.

    With ``t_i`` the number without case i and m their mean, the variance is ``(n - 1) / n sum (t_i - m)^2`` and the
    bias ``(n - 1) (m - t)``.

    Arguments:
        objective: what was fitted, with likelihoods that are sums over rows. Priors stay as they are.
        fit: its fit.
        groups: a label for each row: whole groups are left out, and n counts groups.
        statistic: what to look at, a function of params, or the path of a leaf; all parameters by default.
        one_step: whether each is one Newton step with the curvature at the estimate in place of a fit: the
            infinitesimal jackknife.
        progress: whether to show a bar, which needs tqdm.

    Returns a :class:`Jackknife`; ``print`` shows it. Weights are case weights: of a row of weight w one case is left
    out, which counts w times. Where there is no estimate without some row, there are no standard errors: NaN. Works
    under ``jax.jit`` and ``jax.vmap``.

    Errors: ``ValueError`` for groups that do not fit the rows, weights that are no whole numbers where single cases are
    left out (NaN in a trace), a batch of fits, and a fit that the objective contradicts (it was of another);
    ``TypeError`` for likelihoods that have no rows.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = jm.models.poisson(jnp.array([2.0, 3.0, 4.0, 7.0]))
    >>> round(float(jm.jackknife(problem, jm.fit(problem)).bse["rate"]), 4)  # that of a mean: s / sqrt(n)
    1.0801

    Source: Quenouille (1956); Tukey (1958); Efron and Tibshirani (1993), chapter 11.
    """
    check_one_fit(fit, "jm.jackknife")
    problem = as_problem(objective)
    labels = None if groups is None else one_way(as_groups(groups))
    scheme = resample.Scheme.of(resample.DELETE, problem.objective, fit.space.unlabelled, fit.z, labels)
    refuse_steps(problem.objective, one_step)
    refuse_contradicted(problem.objective, fit, "jm.jackknife")
    numbers = None if statistic is None else where_function(statistic)
    climb = Climb(bool(one_step), problem.limit, fit.jacobian, Look(numbers, fit.jacobian, False))
    with foreign_fit(fit):
        found = replicates(scheme, jnp.arange(how_many(scheme)), climb, progress)
    finished = _finish(found, scheme, numbers, fit.status)
    sample = None if statistic is None else where_function(statistic)(fit.params)
    space = fit.space
    return Jackknife(
        params=jax.vmap(space.unlabelled.params)(found.z),
        status=found.status,
        bse=tree_of(jnp.sqrt(jnp.diagonal(finished["cov"])), sample, space),
        bias=tree_of(finished.pop("bias"), sample, space),
        statistic=sample,
        fitted=fit.status,
        space=space,
        grouped=groups is not None,
        **finished,
    )


def how_many(scheme: resample.Scheme) -> int:
    """How many rows or groups there are to leave out, in turn; of groups in a trace, as many as there may be."""
    rows = sum(resample.counts_of(scheme.objective))
    return rows if scheme.codes is None or is_traced(scheme.codes) else int(jnp.max(scheme.codes)) + 1


@jax.jit
def _finish(found, scheme, statistic, fitted):
    good = codes.is_ok(fitted)
    estimate = numbers_of(statistic, scheme.space, scheme.z)
    values, _ = found.seen
    cov, bias, counts = jackknifed(scheme, values, estimate)
    found = {"values": values, "estimate": estimate, "cov": cov, "bias": bias}
    return {name: jnp.where(good, value, jnp.nan) for name, value in found.items()} | {"counts": counts}
