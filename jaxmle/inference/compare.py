"""Models beside one another, by information criteria."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmle.core.compiled import compiled
from jaxmle.core.tree import is_traced
from jaxmle.inference.criteria import aicc
from jaxmle.inference.inference import Inference
from jaxmle.inference.printed import Printed, refuse_batch
from jaxmle.inference.top import is_top, why_not_top
from jaxmle.tables import Row, Table

CRITERIA = ("aic", "aicc", "bic")


class Comparison(Printed):
    """Models beside one another. Made by :func:`compare`; ``print`` shows them.

    Arrays with one number for each model, in the order given: ``llf``, ``df`` (free parameters), ``aic``, ``aicc``,
    ``bic``; ``delta``, the criterion ``by`` less the smallest; ``weights``, which sum to one. NaN for a model that has
    no such criterion (it has a prior).
    """

    llf: Float[Array, " k"]
    df: Float[Array, " k"]
    aic: Float[Array, " k"]
    aicc: Float[Array, " k"]
    bic: Float[Array, " k"]
    delta: Float[Array, " k"]
    weights: Float[Array, " k"]
    nobs: Float[Array, ""]
    names: tuple[str, ...] = eqx.field(static=True)
    by: str = eqx.field(static=True)

    def table(self) -> Table:
        """The table that ``print`` shows. Raises ``ValueError`` for a batch: take a lane first."""
        refuse_batch(self.nobs, 0, "comparisons")
        parts = self.llf, self.df, self.aic, self.aicc, self.bic, self.delta, self.weights
        numbers = [np.asarray(part) for part in parts]
        short = {"aic": "AIC", "aicc": "AICc", "bic": "BIC"}[self.by]
        missing = [name for name, value in zip(self.names, numbers[-1], strict=True) if np.isnan(value)]
        note = (
            f"{', '.join(missing)}: no {short}: there is a prior, a loss, a factor, sampling weights, or too few "
            "observations."
        )
        return Table(
            title="Comparison of models",
            header=(("Observations", f"{float(self.nobs):g}"), ("By", short)),
            columns=("llf", "df", "AIC", "AICc", "BIC", "delta", "weight"),
            formats=("statistic", "count", "statistic", "statistic", "statistic", "statistic", "coefficient"),
            rows=tuple(Row(name, tuple(float(column[i]) for column in numbers)) for i, name in enumerate(self.names)),
            notes=(note,) if missing else (),
        )


def compare(
    *inferences: Inference | Mapping[str, Inference], names: Sequence[str] | None = None, by: str = "aic"
) -> Comparison:
    r"""Models beside one another: log-likelihood, AIC, AICc, BIC, and Akaike weights.

    With ``delta_i`` the criterion of model i less the smallest, its weight is ``exp(-delta_i / 2)`` over their sum.

    Arguments:
        inferences: results of :func:`jaxmle.infer` for the same observations, or one dict of them by name. The models
            need not be nested; but their densities must be of the same response (not of its logarithm) and complete.
        names: one for each; by default those of the models, numbered where they are the same.
        by: the criterion of ``delta`` and ``weights``: "aic", "aicc" or "bic".

    Returns a :class:`Comparison`; ``print`` shows it. Works under ``jax.jit`` and ``jax.vmap``, where a model that
    cannot be compared has NaN.

    Errors: ``TypeError`` for what is no inference; ``ValueError`` for different numbers of observations, a fit that
    failed, stopped short of its maximum or is flat (its parameters cannot be counted), names that are too few or not
    distinct, an unknown criterion.

    >>> import jaxmle as jm
    >>> y = [2.0, 3.0, 4.0, 7.0]
    >>> fits = {name: jm.fit(getattr(jm.models, name)(y)) for name in ("exponential", "normal")}
    >>> found = jm.compare({name: jm.infer(getattr(jm.models, name)(y), fit) for name, fit in fits.items()})
    >>> [round(float(weight), 4) for weight in found.weights]
    [0.41, 0.59]

    Source: Akaike (1974); Burnham and Anderson (2002), sections 2.4 and 2.9.
    """
    if by not in CRITERIA:
        raise ValueError(f"there is no criterion {by!r}; the criteria are: {', '.join(CRITERIA)}")
    models: Any = inferences
    if len(inferences) == 1 and isinstance(inferences[0], Mapping):
        names = list(inferences[0]) if names is None else names
        models = tuple(inferences[0].values())
    _check(models)
    names = tuple(_numbered([inference.name for inference in models]) if names is None else map(str, names))
    if len(names) != len(models) or len(set(names)) != len(names):
        raise ValueError(f"there are {len(models)} models and the names {', '.join(names)}: one each, all different")
    _refuse_values(models, names)
    facts = [(i.llf, i.aic, aicc(i), i.bic, i.nobs, is_top(i.status, i.newton_decrement)) for i in models]
    counts = tuple(inference.z.shape[-1] for inference in models)
    return Comparison(**_compare(facts, counts, CRITERIA.index(by)), names=names, by=by)


def _check(inferences):
    if not inferences:
        raise ValueError("there is nothing to compare: give results of jm.infer(objective, fit)")
    for inference in inferences:
        if not isinstance(inference, Inference):
            raise TypeError(
                f"models are compared by their inferences, jm.infer(..), not by a {type(inference).__name__}"
            )
        refuse_batch(inference.llf, 0, "inferences")


def _numbered(names: list[str]) -> list[str]:
    """The names, with a number behind each that occurs more than once."""
    return [f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name for i, name in enumerate(names)]


def _refuse_values(inferences, names):
    if is_traced([(inference.status, inference.nobs) for inference in inferences]):
        return
    for inference, name in zip(inferences, names, strict=True):
        if not is_top(inference.status, inference.newton_decrement):
            why = why_not_top(inference.status, inference.newton_decrement)
            raise ValueError(f"{name} cannot be compared: {why}")
    if len({float(inference.nobs) for inference in inferences}) > 1:
        each = ", ".join(f"{name} {float(i.nobs):g}" for name, i in zip(names, inferences, strict=True))
        raise ValueError(
            f"the models were fitted to different numbers of observations ({each}), so their likelihoods cannot be "
            "compared: fit all to the same rows (a missing value in a further column drops rows)"
        )


@compiled
def _compare(facts, counts: Any, by) -> dict[str, Any]:
    llf, aic, corrected, bic, nobs, at_top = (jnp.stack(column) for column in zip(*facts, strict=True))
    sound = at_top & (nobs == nobs[0])
    aic, corrected, bic = (jnp.where(sound, column, jnp.nan) for column in (aic, corrected, bic))
    criterion = jnp.stack([aic, corrected, bic])[by]
    delta = criterion - jnp.nanmin(criterion)
    shares = jnp.exp(-0.5 * delta)
    weights = shares / jnp.nansum(shares)
    columns = {"llf": llf, "aic": aic, "aicc": corrected, "bic": bic, "delta": delta, "weights": weights}
    return {**columns, "df": jnp.stack([jnp.asarray(count, llf.dtype) for count in counts]), "nobs": nobs[0]}
