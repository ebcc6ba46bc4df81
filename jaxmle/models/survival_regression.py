"""Survival regression: times that end with an event or are censored before, longer or shorter by the covariates."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxmle import densities
from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.models.design import END, as_column, as_design, as_rows_of, as_weights, line, log_line
from jaxmle.models.limits import all_censored, on_a_line
from jaxmle.models.line_start import least_squares_line
from jaxmle.models.model import Model
from jaxmle.parameters import free, positive
from jaxmle.terms.objective import as_objective
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression


class _Family(NamedTuple):
    """``parameters(log_scale, shape)`` of the density, what its shape is called, the shape of log times that have the
    standard deviation ``s``, roughly, and the standard deviation of that shape."""

    parameters: Callable
    shape: str | None = None
    shape_of: Callable = lambda s: s
    spread_of: Callable = lambda shape: shape


FAMILIES = {
    "exponential": _Family(lambda log_scale, _: (jnp.exp(log_scale),)),
    "gamma": _Family(lambda log_scale, a: (a, jnp.exp(log_scale)), "a", lambda s: s**-2, lambda a: a**-0.5),
    "loglogistic": _Family(lambda log_scale, c: (c, jnp.exp(log_scale)), "c", lambda s: 1.8 / s, lambda c: 1.8 / c),
    "lognormal": _Family(lambda log_scale, s: (log_scale, s), "s"),
    "weibull": _Family(lambda log_scale, c: (c, jnp.exp(log_scale)), "c", lambda s: 1.3 / s, lambda c: 1.3 / c),
}
_SPREADS = 0.01, 10.0  # of log times, between which a fit begins


class _Predictor(NamedTuple):
    """The parameters of one row's density: those of the family, and the end of what is known where times are
    censored."""

    family: str

    def __call__(self, params, row):
        family = FAMILIES[self.family]
        found = family.parameters(line(params, row), params[family.shape] if family.shape else None)
        return (*found, row[END]) if isinstance(row, dict) and END in row else found


class _Limit(NamedTuple):
    """What objects to an estimate: times that were all censored, or that are what the covariates say without noise."""

    family: str

    def __call__(self, objective, params, log_likelihood):
        censored, family = all_censored(objective, params, log_likelihood), FAMILIES[self.family]
        if family.shape is None or len(objective.terms) > 1:
            return censored
        small = family.spread_of(params[family.shape]) <= 1.001 * _SPREADS[0]
        exact = jax.lax.cond(small, lambda: on_a_line(objective.terms[0]), lambda: jnp.zeros((), bool))
        return jnp.where(exact, codes.UNBOUNDED, censored)


@Model
def survival_regression(
    x,
    y,
    weights=None,
    *,
    event=None,
    family: str = "weibull",
    offset=None,
    labels: Sequence[str] | None = None,
) -> Problem:
    r"""Survival regression, the accelerated failure time model: ``log(y_i) = x_i . beta + offset_i + e_i``, the
    noise of the ``family``.

    Arguments: ``x`` (n, p), taken as it is (no intercept is added); ``y`` (n,), positive times, in any unit; ``event``
    (n,), 1 (or True) where a time ended with the event, 0 where it was censored, so that all that is known is that the
    event came later; by default all ended with it; ``family`` of the times: "weibull", "exponential", "lognormal",
    "loglogistic" or "gamma"; ``weights``, case weights (n,); ``offset`` (n,), a log time known beforehand; ``labels``,
    names of the columns (by default those of a data frame).

    Returns a problem in ``{"beta": (p,)}`` and the shape of the family, by its name in ``jm.densities``: "c" (Weibull,
    log-logistic), "s" (lognormal), "a" (gamma), none (exponential). A unit of a column multiplies all times by
    ``exp(beta)``. Of a Weibull or exponential family the log hazard ratio is ``-c beta`` (c is 1 in the latter); R's
    ``survreg`` calls 1 / c, or s, the scale.

    Other censoring, on the left or to an interval: ``jm.regression(jm.densities.censored(jm.densities.weibull), ...)``.

    Errors: ``ValueError`` for an unknown family, shapes that do not fit, pandas rows labelled differently,
    ``TypeError`` for columns that are not numbers; from ``jm.fit`` ``ValueError`` for times that are not positive, or
    events that are neither 0 nor 1 (a censored time may be 0).

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> problem = survival_regression(jnp.ones((3, 1)), [2.0, 3.0, 7.0], event=[1, 0, 1], family="exponential")
    >>> round(float(jnp.exp(jm.fit(problem).params["beta"][0])), 4)
    6.0

    Source: Kalbfleisch and Prentice (2002), The statistical analysis of failure time data, section 2.3.3.
    """
    if not isinstance(family, str) or family not in FAMILIES:
        raise ValueError(f"there is no family {family!r} of times; the families are: {', '.join(FAMILIES)}")
    x, y, labels = as_design(x, y, labels, weights=weights, event=event, offset=offset)
    y = y.astype(x.dtype)
    rows, density = as_rows_of(x, offset), getattr(densities, family)
    if event is not None:
        event = as_column(event, "event", "the event")
        if event.shape != y.shape:
            raise ValueError(f"event has shape {event.shape} and y has shape {y.shape}; give one event for each time")
        rows = (rows if isinstance(rows, dict) else {"x": rows}) | {END: _ends(y, event)}
        density = densities.censored(density, "right")
    term: Any = regression(density, _Predictor(family), rows, y, weights)
    term.check_structure()
    beta, shape = _start(rows, y, as_weights(weights, y), family=family)
    shapes = {FAMILIES[family].shape: positive(shape)} if FAMILIES[family].shape else {}
    start = {"beta": free(beta, labels)} | shapes
    return Problem(as_objective(term), start, f"{family.capitalize()} survival regression", _Limit(family))


@compiled
def _start(rows, y, weights, *, family: str):
    """Least squares of the logs of the times, censored or not: the line, and the shape that has the spread about it."""
    beta, spread = least_squares_line(*log_line(rows, y), weights)
    return beta, FAMILIES[family].shape_of(jnp.clip(spread, *_SPREADS))


@compiled
def _ends(y, event):
    """The upper end of what is known of each time; none where it is neither an event nor censored after the start."""
    event = event.astype(y.dtype)
    return jnp.where(event == 1, y, jnp.where((event == 0) & (y >= 0), jnp.inf, jnp.nan))
