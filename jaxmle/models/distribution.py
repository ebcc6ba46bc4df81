"""One sample of any univariate density: the problem of its parameters."""

import functools
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import jax.numpy as jnp

from jaxmle import densities
from jaxmle.core.compiled import compiled
from jaxmle.densities import catalogue
from jaxmle.densities.catalogue import KNOWN, POSITIVE, Entry
from jaxmle.models import censoring
from jaxmle.models.design import as_column, as_floats, as_response, as_weights
from jaxmle.models.families import FAMILIES, Family
from jaxmle.models.sample import Sample
from jaxmle.parameters import fixed as hold
from jaxmle.parameters import positive
from jaxmle.terms.objective import as_objective
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression


def distribution(
    density: str | ModuleType,
    y,
    *,
    censored: Any = None,
    truncated: Any = None,
    weights=None,
    fixed: Mapping[str, Any] | None = None,
) -> Problem:
    """One sample of a univariate density, in the density's own parameters: ``jm.fit(distribution("weibull", y))``.

    It starts at the maximum where that has a closed form (normal, laplace, asymmetric_laplace, lognormal, exponential,
    half_normal, inverse_gaussian, pareto, uniform, bernoulli, binomial, geometric, poisson), and elsewhere near it,
    from moments, quantiles or a search. The parameters bear the names of the density's signature, so that
    ``jm.densities.weibull.mean(**fit.params)`` is the mean; ``jaxmle densities`` prints them all.

    Arguments:
        density: its name in :mod:`jaxmle.densities`, or the module.
        y: observations (n,).
        censored: which of them are known to an interval only. Booleans (n,): True where the observation is *more* than
            y (counts: y or more), right-censored; ``{"left": booleans}`` where it is less (counts: or equal), also
            together with ``{"right": booleans}``. Or the upper ends (n,) as floats, y being the lower ends: equal to y
            where the observation is exact, ``inf`` where right-censored; and y is ``-inf`` where left-censored.
        truncated: a pair of numbers or arrays (n,) outside of which an observation leaves no trace, either of them
            infinite.
        weights: case weights (n,): weight 2 equals the row twice.
        fixed: parameters that are known, ``{"df": 4.0}``; a fit has none for ``n`` of the binomial and the
            beta-binomial, ``lower`` and ``upper`` of the truncated normal, which may be arrays (n,).

    Returns a problem. Under ``jax.vmap`` it is a batch for :func:`jaxmle.fit_batch`. Some maxima are no smooth ones:
    the location of a Laplace and the ends of a uniform are at observations, and the fit says that it is at a corner;
    the scale of a Pareto is its smallest observation, where it is held. Some are at infinity (the concentration of
    counts no more variable than Poisson's, the degrees of freedom of light tails): the fit says diverging.

    Errors: ``ValueError`` for an unknown name, for pandas rows labelled differently, for a parameter that must be known
    and is not or that the density does not have, for shapes that do not fit; ``TypeError`` for a density of vectors,
    for censoring where the density has no distribution function; from ``jm.fit`` ``ValueError`` for observations
    outside the support.

    >>> import jaxmle as jm
    >>> fit = jm.fit(distribution("inverse_gaussian", [1.0, 2.0, 6.0]))
    >>> round(float(fit.params["log_mean"]), 4), round(float(fit.params["scale"]), 4)
    (1.0986, 4.5)
    >>> hours, running = [35.0, 52.0, 60.0, 60.0], [False, False, True, True]
    >>> lifetimes = jm.fit(distribution("exponential", hours, censored=running))
    >>> round(float(lifetimes.params["scale"]), 4)
    103.5

    Source: Johnson, Kotz and Balakrishnan (1994, 1995); Kalbfleisch and Prentice (2002), section 3.2, on censoring.
    """
    entry, family = _family(density)
    fixed = _known(entry, family, fixed, censored is not None or truncated is not None)
    y = as_response(y, censored=censored, truncated=truncated, weights=weights, fixed=fixed)
    lower, upper, side = (y, None, None) if censored is None else censoring.ends(y, censored)
    values = {name: as_floats(value, name) for name, value in fixed.items()}
    rows = {name: _over_rows(values[name], lower, name) for name in values if entry.kinds[name] == KNOWN}
    start = _begin(as_floats(lower, "y"), upper, as_weights(weights, y), values, name=entry.name)
    base = getattr(densities, entry.name)
    passed = []
    if truncated is not None:
        base = densities.truncated(base)
        for name, bound in zip(("truncated below", "truncated above"), _pair(truncated), strict=True):
            rows[name] = _over_rows(as_floats(bound, name), lower, name)
            passed.append(name)
    if upper is not None:
        base = densities.censored(base, side)
        rows[censoring.UPPER] = upper
        passed.append(censoring.UPPER)
    predictor = _predictor(tuple(entry.parameters), (*rows,), tuple(passed))
    term = regression(base, predictor, rows or lower, lower, weights)
    held = [name for name in family.held if name not in fixed]
    return Problem(
        as_objective(term),
        {name: _marked(entry, name, start[name], name in fixed or name in held) for name in start},
        f"{entry.name.replace('_', ' ').capitalize()} sample",
        family.limit if _has_location(entry, fixed) else None,
        _at_the_edge if held else None,
    )


def names() -> tuple[str, ...]:
    """The names of the densities that have a one-sample model.

    >>> "weibull" in names()
    True
    """
    return tuple(name for name in catalogue.univariate() if name in FAMILIES)


def _family(density) -> tuple[Entry, Family]:
    name = density.__name__.rsplit(".", 1)[-1] if isinstance(density, ModuleType) else density
    if not isinstance(name, str):
        raise TypeError(
            f"a density is given by its name or its module, such as 'weibull' or jm.densities.weibull, not by a "
            f"{type(density).__name__}; the log-likelihood of another density is written jm.regression(density, ...)"
        )
    if name in names():
        return _entry(name), FAMILIES[name]
    several = f"; the univariate ones are: {', '.join(names())}"
    if isinstance(getattr(densities, name, None), ModuleType):
        raise TypeError(
            f"{name} is no density of single numbers with single numbers for parameters, which a sample needs: write "
            f"its log-likelihood with jm.regression or jm.likelihood (labels: jm.models.softmax with a constant)"
            f"{several}"
        )
    raise ValueError(f"there is no density {name!r}{several}")


@functools.cache
def _entry(name: str) -> Entry:
    return catalogue.entry(getattr(densities, name))


def _known(entry: Entry, family: Family, fixed, is_partial: bool) -> dict[str, Any]:
    """The parameters that are known. Raises where one is none, or where one must be known and is not."""
    fixed = dict(fixed or {})
    unknown = [name for name in fixed if name not in entry.parameters]
    if unknown:
        raise ValueError(
            f"{entry.name} has no parameter {', '.join(unknown)} that could be fixed; its parameters are: "
            f"{', '.join(entry.parameters)}"
        )
    missing = [name for name, kind in entry.kinds.items() if kind == KNOWN and name not in fixed]
    if missing:
        raise ValueError(
            f"{entry.name} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} known and not "
            f"estimated: fixed={{{', '.join(f'{name!r}: ...' for name in missing)}}}"
        )
    ends = [name for name in family.edges if name not in fixed]
    if is_partial and ends:
        raise ValueError(
            f"the support of {entry.name} ends where {' and '.join(ends)} put it, and with censored or truncated "
            f"observations no sample tells where: say so, fixed={{{', '.join(f'{name!r}: ...' for name in ends)}}}"
        )
    return fixed


def _over_rows(value, y, name: str):
    """A known number for each row."""
    if value.ndim == 0:
        return jnp.broadcast_to(value, y.shape)
    value = as_column(value, name, name)
    if value.shape != y.shape:
        raise ValueError(
            f"{name} has {value.shape[0]} rows and y has {y.shape[0]}; give one number, or one for each row"
        )
    return value


def _pair(truncated):
    if not isinstance(truncated, tuple | list) or len(truncated) != 2:
        raise ValueError("truncated is a pair (lower, upper), such as (0.0, jnp.inf)")
    return truncated


def _marked(entry: Entry, name: str, value, is_held: bool):
    if is_held:
        return hold(value)
    return positive(value) if entry.kinds[name] == POSITIVE else value


def _has_location(entry: Entry, fixed) -> bool:
    """Whether nothing but what the density wants known is fixed, so that its own limit applies."""
    return all(entry.kinds[name] == KNOWN for name in fixed)


@compiled
def _begin(y, upper, weights, known, *, name: str):
    """Where the parameters start: what is fixed as it is, what cannot be had (the sample is no sample of this density)
    at one where it is positive, at zero elsewhere."""
    known = {key: value.astype(y.dtype) for key, value in known.items()}
    entry = _entry(name)
    y, weights, exact = censoring.points(y, upper, weights, "a positive number" in entry.support)
    averages = {key: jnp.sum(weights * value) / jnp.sum(weights) for key, value in known.items() if value.ndim}
    found = FAMILIES[name].start(Sample.of(y, weights), known | averages)
    if "scale" in found and "scale" not in known and "loc" not in found:
        found["scale"] = found["scale"] / exact
    begin = {}
    for key, kind in entry.kinds.items():
        if key in known:
            if kind != KNOWN:
                begin[key] = known[key]
            continue
        value = found[key].astype(y.dtype)
        if key in ("scale", "s"):  # of a constant sample: its rounding error, so that the limit of the family sees it
            value = jnp.where(value == 0, jnp.finfo(y.dtype).eps * jnp.max(jnp.abs(y)), value)
        good = jnp.isfinite(value) & ((value > 0) | (kind != POSITIVE))
        begin[key] = jnp.where(good, value, 1.0 if kind == POSITIVE else 0.0)
    return begin


@functools.cache
def _predictor(parameters: tuple[str, ...], rows: tuple[str, ...], passed: tuple[str, ...]) -> Callable:
    """The function that takes parameters from params, or from the row where they are known."""

    def predict(params, row):
        return (*(row[name] if name in rows else params[name] for name in parameters), *(row[name] for name in passed))

    return predict


def _at_the_edge(params, nobs, maximised):
    yield (
        "scale is the smallest observation: the likelihood rises up to it, whatever b is, and ends there. It is not "
        "counted among the parameters and has no standard error; its own error is of the order of scale / (n b)."
    )
