"""What bootstrap draws say: standard errors, intervals, and how many draws failed."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.core.tree import is_traced
from jaxmle.inference.door import as_alpha
from jaxmle.inference.printed import Printed, ends_of, refuse_batch
from jaxmle.inference.resampling import draw_interval
from jaxmle.inference.resampling.replicates import usable
from jaxmle.inference.resampling.statistic import flat_of, labels_of, tree_of
from jaxmle.parameters.space import Space
from jaxmle.tables import Row, Table


class Bootstrap(Printed):
    """Draws of an estimate. Made by :func:`jaxmle.bootstrap`; ``print`` shows what they say.

    ``params`` is a tree like params whose leaves have a leading axis of draws; ``z`` (r, m) are the free numbers.
    ``values`` (r, k) are the numbers that are asked about, those of the ``statistic`` or the unfixed scalars of
    params, and ``estimate`` (k,) what they are at the fit. All of a draw that has no estimate is NaN; ``status`` says
    why. ``errors`` (r, k) and ``error`` (k,) are standard errors from the curvature, None where they were not asked
    for; ``acceleration`` (k,) is that of the interval "bca". ``statistic`` is a tree with the statistic of the
    estimate, None where none was given. ``fitted`` is the status of the fit. In a batch every array has a leading axis.
    """

    params: Any
    z: Float[Array, "r m"]
    status: Int[Array, " r"]
    values: Float[Array, "r k"]
    estimate: Float[Array, " k"]
    acceleration: Float[Array, " k"]
    errors: Any
    error: Any
    statistic: Any
    fitted: Int[Array, ""]
    space: Space
    kind: str = eqx.field(static=True)
    one_step: bool = eqx.field(static=True)

    @property
    def ok(self):
        """Which draws have an estimate, an array of True and False."""
        good = usable(self.status)
        return good if is_traced(good) else np.asarray(good)

    @property
    def failed(self):
        """How many draws have none."""
        return (~self.ok).sum(axis=-1)

    @property
    def bse(self):
        """The standard deviations of the draws, a tree like the statistic, or like params; NaN for what is fixed.

        They are those of the draws that have an estimate: ``message`` says how many have none, and why.
        """
        return self._as_tree(_deviation(self.values))

    @property
    def bias(self):
        """The mean of the draws less the estimate, a tree likewise.

        Source: Efron and Tibshirani (1993), section 10.2.
        """
        return self._as_tree(jnp.nanmean(self.values, axis=-2) - self.estimate)

    def conf_int(self, alpha: float = 0.05, kind: str = "percentile") -> tuple[Any, Any]:
        """The lower and upper ends of intervals at confidence ``1 - alpha``, two trees like the statistic, or params.

        Arguments: ``kind``, "percentile"; "basic", reflected at the estimate; "bca", corrected for bias and
        acceleration; "studentised", which needs ``studentise=True`` when drawing.

        Errors: ``ValueError`` for another kind, "studentised" without standard errors of the draws, or an ``alpha``
        that is not between 0 and 1.

        Source: Efron and Tibshirani (1993), chapters 12 to 14; Davison and Hinkley (1997), chapter 5.
        """
        kind = {"studentized": draw_interval.STUDENTISED}.get(kind, kind)
        if kind not in draw_interval.KINDS:
            raise ValueError(
                f"there is no bootstrap interval {kind!r}; the kinds are: {', '.join(draw_interval.KINDS)}"
            )
        if kind == draw_interval.STUDENTISED and self.errors is None:
            raise ValueError(
                "a studentised interval needs the standard error of every draw: "
                "jm.bootstrap(objective, fit, key, studentise=True)"
            )
        alpha = as_alpha(alpha)
        ends = _ends if self.estimate.ndim == 1 else jax.vmap(_ends, in_axes=(0, None, None))
        low, high = ends(self, alpha, draw_interval.KINDS.index(kind))
        return self._as_tree(low), self._as_tree(high)

    @property
    def message(self) -> str:
        """How the draws ended, in a sentence. Raises ``ValueError`` for a batch."""
        refuse_batch(self.fitted, 0, "bootstraps")
        count, failed = self.status.shape[0], int(self.failed)
        if failed == count and not usable(self.fitted):
            return f"there are no draws, since the fit is no estimate: {codes.sentence(int(self.fitted))}"
        if not failed:
            return f"all {count} draws have an estimate"
        kinds, counts = np.unique(np.asarray(self.status)[~self.ok], return_counts=True)
        why = "; ".join(f"{n}: {codes.sentence(k)}" for k, n in zip(kinds, counts, strict=True))
        return (
            f"{failed} of {count} draws have no estimate and are NaN; standard errors and intervals are those of the "
            f"other {count - failed}, and too small where draws fail because they are extreme. {why}"
        )

    def table(self, alpha: float = 0.05, kind: str = "percentile") -> Table:
        """The table that ``print`` shows, with intervals of ``kind``. Raises ``ValueError`` for a batch."""
        refuse_batch(self.fitted, 0, "bootstraps")
        trees = (self._as_tree(self.estimate), self.bias, self.bse, *self.conf_int(alpha, kind))
        columns = [flat_of(tree, self.statistic, self.space) for tree in trees]
        labels = labels_of(self.statistic, self.space)
        how = f"{self.kind}, one Newton step each" if self.one_step else self.kind
        return Table(
            title="Bootstrap",
            header=(("Resampling", how), ("Draws", str(self.status.shape[0])), ("Interval", kind)),
            columns=("estimate", "bias", "std err", *ends_of(alpha)),
            formats=("coefficient", *["statistic"] * 4),
            rows=tuple(Row(label, tuple(float(c[i]) for c in columns)) for i, label in enumerate(labels)),
            notes=(as_note(self.message),) if int(self.failed) else (),
        )

    def _as_tree(self, flat):
        """Numbers (k,), or (lanes, k), as a tree like the statistic, or like params."""
        if flat.ndim > 1:
            return jax.vmap(lambda own, flat: own._as_tree(flat))(self, flat)
        return tree_of(flat, self.statistic, self.space)


def as_note(text: str) -> str:
    """A message as a sentence of its own."""
    return text[:1].upper() + text[1:] + "." * (not text.endswith("."))


def _deviation(values):
    """The standard deviation of draws along the last axis but one, NaN where there are fewer than two."""
    known = jnp.sum(jnp.isfinite(values), axis=-2)
    mean = jnp.nanmean(values, axis=-2, keepdims=True)
    squares = jnp.nansum(jnp.square(values - mean), axis=-2)
    return jnp.where(known > 1, jnp.sqrt(squares / jnp.maximum(known - 1, 1).astype(values.dtype)), jnp.nan)


def _ends(drawn: Bootstrap, alpha, kind: int):
    numbers = (drawn.values, drawn.estimate, drawn.acceleration, drawn.errors, drawn.error)
    return _ends_of_each(*numbers, alpha, kind=draw_interval.KINDS[kind])


@compiled
def _ends_of_each(values, estimate, acceleration, errors, error, alpha, *, kind):
    def one(values, estimate, acceleration, errors, error):
        if kind == draw_interval.PERCENTILE:
            return draw_interval.percentile(values, alpha)
        if kind == draw_interval.BASIC:
            return draw_interval.basic(values, estimate, alpha)
        if kind == draw_interval.BCA:
            return draw_interval.bca(values, estimate, acceleration, alpha)
        return draw_interval.studentised(values, errors, estimate, error, alpha)

    alpha = jnp.asarray(alpha, values.dtype)
    axes = (1, 0, 0, None if errors is None else 1, None if error is None else 0)
    return jax.vmap(one, in_axes=axes)(values, estimate, acceleration, errors, error)
