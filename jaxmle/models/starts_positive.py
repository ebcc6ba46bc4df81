"""Where densities of positive numbers, and of numbers between 0 and 1, start."""

import math

import jax.numpy as jnp
from jax.scipy.special import digamma

from jaxmle.densities import f as _f
from jaxmle.densities import generalized_pareto as _generalized_pareto
from jaxmle.densities import kumaraswamy as _kumaraswamy
from jaxmle.models.sample import Sample, best_of, every_pair

_EULER = 0.5772156649015329


def exponential(s: Sample, known) -> dict:
    """The mean: the maximum."""
    return {"scale": s.mean}


def half_normal(s: Sample, known) -> dict:
    """The root mean square: the maximum."""
    return {"scale": jnp.sqrt(s.average(s.y**2))}


def half_cauchy(s: Sample, known) -> dict:
    """The median."""
    return {"scale": s.median}


def lognormal(s: Sample, known) -> dict:
    """The mean of log y, and the root of the mean square about it: the maximum."""
    logs = s.map(jnp.log)
    middle = known.get("log_scale", logs.mean)
    return {"log_scale": middle, "s": jnp.sqrt(logs.average((logs.y - middle) ** 2))}


def loglogistic(s: Sample, known) -> dict:
    """By the moments of log y, which is logistic."""
    logs = s.map(jnp.log)
    return {"c": math.pi / math.sqrt(3.0) / logs.deviation, "scale": jnp.exp(logs.mean)}


def weibull(s: Sample, known) -> dict:
    """By the moments of log y, minus which is Gumbel."""
    logs = s.map(jnp.log)
    c = known.get("c", math.pi / math.sqrt(6.0) / logs.deviation)
    return {"c": c, "scale": jnp.exp(logs.mean + _EULER / c)}


def gamma(s: Sample, known) -> dict:
    """The shape from the log of the mean less the mean of the log (Minka 2002), and the scale that has the mean."""
    a = known.get("a", _gamma_shape(jnp.log(s.mean) - s.average(jnp.log(s.y))))
    return {"a": a, "scale": s.mean / a}


def inverse_gamma(s: Sample, known) -> dict:
    """That of 1/y, which is gamma."""
    inverse = s.average(1 / s.y)
    a = known.get("a", _gamma_shape(jnp.log(inverse) + s.average(jnp.log(s.y))))
    return {"a": a, "scale": a / inverse}


def _gamma_shape(gap):
    return (3 - gap + jnp.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)


def inverse_gaussian(s: Sample, known) -> dict:
    """The log of the mean, and one over the mean of 1/y less 1/mean: the maximum."""
    mean = jnp.exp(known.get("log_mean", jnp.log(s.mean)))
    return {"log_mean": jnp.log(mean), "scale": 1 / s.average((s.y / mean - 1) ** 2 / s.y)}


def chi2(s: Sample, known) -> dict:
    """Three steps of Newton from a guess at the maximum, where log 2 + digamma(df/2) is the mean of log y."""
    target = s.average(jnp.log(s.y)) - math.log(2)
    return {"df": 2 * inverse_digamma(target)}


def inverse_digamma(value):
    """The x with digamma(x) = ``value``, roughly: from Minka's guess (2000), by steps that never overshoot zero."""
    x = jnp.where(value >= -2.22, jnp.exp(value) + 0.5, -1 / (value - digamma(jnp.ones_like(value))))
    for _ in range(3):
        slope = 1 / x + 0.5 / x**2  # the trigamma function, roughly
        x = jnp.maximum(x - (digamma(x) - value) / slope, 0.1 * x)
    return x


def f(s: Sample, known) -> dict:
    """The best of some pairs of degrees of freedom."""
    some = jnp.asarray([0.3, 0.7, 1.5, 3.0, 6.0, 12.0, 30.0, 100.0, 400.0], s.y.dtype)
    pairs = every_pair(jnp.atleast_1d(known.get("dfn", some)), jnp.atleast_1d(known.get("dfd", some)))
    return dict(zip(("dfn", "dfd"), best_of(_f.logpdf, s.few(), pairs), strict=True))


def pareto(s: Sample, known) -> dict:
    """The smallest observation, and one over the mean of log(y/scale): the maximum."""
    scale = known.get("scale", s.lowest)
    return {"b": 1 / s.average(jnp.log(s.y / scale)), "scale": scale}


def generalized_pareto(s: Sample, known) -> dict:
    """For some shapes each, the scale by the median and one wide enough for every row."""
    shapes = jnp.asarray([-0.8, -0.5, -0.3, -0.15, 0.02, 0.15, 0.4, 0.7, 1.0, 1.5, 2.5, 4.0], s.y.dtype)
    c = jnp.atleast_1d(known.get("c", shapes))
    some = jnp.where(jnp.abs(c) > 1e-6, c, 1e-6)
    scale = jnp.maximum(s.median * some / jnp.expm1(some * math.log(2)), -1.05 * c * s.highest)
    c, scale = jnp.concatenate([c, c]), jnp.concatenate([scale, 1.5 * scale])
    return dict(zip(("c", "scale"), best_of(_generalized_pareto.logpdf, s.few(), (c, scale)), strict=True))


def beta(s: Sample, known) -> dict:
    """By moments."""
    mean, variance = s.mean, s.deviation**2
    total = jnp.maximum(mean * (1 - mean) / variance - 1, 0.02)
    return {"a": total * mean, "b": total * (1 - mean)}


def kumaraswamy(s: Sample, known) -> dict:
    """For some a each, the b that is best with it."""
    few = s.few()
    a = jnp.atleast_1d(known.get("a", jnp.exp(jnp.linspace(-4.0, 5.0, 28, dtype=s.y.dtype))))
    logs = jnp.log(-jnp.expm1(a[:, None] * jnp.log(few.y)[None, :]))
    b = -1 / jnp.sum(few.weights[None, :] * logs, axis=1)
    return dict(zip(("a", "b"), best_of(_kumaraswamy.logpdf, few, (a, b)), strict=True))
