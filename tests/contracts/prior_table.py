"""One row per prior and penalty. `test_priors` and `test_rough_priors` put every row through the same laws."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special, stats

import jaxmle as jm


def _anything(x):
    return np.asarray(x)


def _positive(x):
    return 0.5 + np.abs(x)


class Row(NamedTuple):
    """A prior over a vector, and its independent reference.

    make: the term, from where it is over and one number that sets its strength.
    number: an ordinary value of that number.
    log_density: the log-density of a vector at that number, by scipy.
    into: takes any numbers to where the prior has its support.
    mark: the constraint of such a leaf.
    """

    name: str
    make: Callable
    number: float
    log_density: Callable
    into: Callable = _anything
    mark: Callable = jm.free


def _normal(x, scale):
    return stats.norm.logpdf(x, 0.3, scale).sum()


def _ridge(x, strength):
    """With the constant that makes it a density."""
    return np.sum(-strength * x**2 + 0.5 * np.log(strength / np.pi))


def _half_student_t(x, scale):
    return np.sum(np.log(2.0) + stats.t.logpdf(x, 3.5, 0.0, scale))


def _probability(value):
    return jm.interval(value, lower=0.0, upper=1.0)


TABLE = [
    Row("normal", lambda where, scale: jm.priors.normal(where, loc=0.3, scale=scale), 0.8, _normal),
    Row("l2", jm.penalties.l2, 0.9, _ridge),
    Row(
        "student_t",
        lambda where, scale: jm.priors.student_t(where, df=3.5, loc=0.3, scale=scale),
        0.8,
        lambda x, scale: stats.t.logpdf(x, 3.5, 0.3, scale).sum(),
    ),
    Row(
        "cauchy",
        lambda where, scale: jm.priors.cauchy(where, loc=0.3, scale=scale),
        1.8,
        lambda x, scale: stats.cauchy.logpdf(x, 0.3, scale).sum(),
    ),
    Row(
        "uniform",
        lambda where, width: jm.priors.uniform(where, -9.0, 9.0 * width),
        1.5,
        lambda x, width: stats.uniform.logpdf(x, -9.0, 9.0 + 9.0 * width).sum(),
    ),
    Row(
        "half_normal",
        jm.priors.half_normal,
        0.8,
        lambda x, scale: stats.halfnorm.logpdf(x, 0.0, scale).sum(),
        _positive,
        jm.positive,
    ),
    Row(
        "half_cauchy",
        jm.priors.half_cauchy,
        1.8,
        lambda x, scale: stats.halfcauchy.logpdf(x, 0.0, scale).sum(),
        _positive,
        jm.positive,
    ),
    Row(
        "half_student_t",
        lambda where, scale: jm.priors.half_student_t(where, df=3.5, scale=scale),
        1.2,
        _half_student_t,
        _positive,
        jm.positive,
    ),
    Row(
        "exponential",
        jm.priors.exponential,
        3.0,
        lambda x, scale: stats.expon.logpdf(x, 0.0, scale).sum(),
        _positive,
        jm.positive,
    ),
    Row(
        "gamma",
        lambda where, scale: jm.priors.gamma(where, a=2.5, scale=scale),
        0.9,
        lambda x, scale: stats.gamma.logpdf(x, 2.5, 0.0, scale).sum(),
        _positive,
        jm.positive,
    ),
    Row(
        "inverse_gamma",
        lambda where, scale: jm.priors.inverse_gamma(where, a=2.5, scale=scale),
        0.9,
        lambda x, scale: stats.invgamma.logpdf(x, 2.5, 0.0, scale).sum(),
        _positive,
        jm.positive,
    ),
    Row(
        "beta",
        lambda where, a: jm.priors.beta(where, a, 2.5),
        1.5,
        lambda x, a: stats.beta.logpdf(x, a, 2.5).sum(),
        special.expit,
        _probability,
    ),
]


def _laplace(x, scale):
    return stats.laplace.logpdf(x, 0.3, scale).sum()


def _lasso(x, strength):
    return stats.laplace.logpdf(x, 0.0, 1.0 / strength).sum()


def _elastic_net(x, strength):
    """By the scaled complementary error function."""
    l1, l2 = strength, 0.4 * strength
    constants = np.log(np.sqrt(np.pi / l2) * special.erfcx(l1 / (2.0 * np.sqrt(l2))))
    return np.sum(-l1 * np.abs(x) - l2 * x**2 - constants)


def _group_laplace(x, scale):
    """One group: the length r of d numbers has density r^(d-1) exp(-r / scale), and its direction is uniform."""
    x = np.ravel(x)
    d, r = x.size, np.linalg.norm(x)
    surface = np.log(2.0) + 0.5 * d * np.log(np.pi) - special.gammaln(0.5 * d)
    return stats.gamma.logpdf(r, d, scale=scale) - (d - 1) * np.log(r) - surface


def _soft(x, strength):
    """Each number nearer to zero by ``strength``, or there (Tibshirani 1996, section 2.2)."""
    return np.sign(x) * np.maximum(np.abs(x) - strength, 0.0)


def _net(mean, n, strength):
    """Zou and Hastie (2005), equation 6."""
    return _soft(n * mean, strength) / (n + 0.8 * strength)


def _block(mean, n, strength):
    """All of them nearer to zero, or there (Yuan and Lin 2006, equation 2.4)."""
    return mean * max(1.0 - strength / (n * np.linalg.norm(mean)), 0.0)


class RoughRow(NamedTuple):
    """A prior with a kink, and its independent reference.

    shrunk: the mode of the mean of n rows of unit variance, from the mean of the rows, n and the number, in closed
        form.
    centre: where the kink is.
    """

    name: str
    make: Callable
    number: float
    log_density: Callable
    shrunk: Callable
    centre: float = 0.0


# `test_rough` puts them through the laws of their densities, `test_rough_priors` through those of fits.
ROUGH_TABLE = [
    RoughRow(
        "laplace",
        lambda where, scale: jm.priors.laplace(where, loc=0.3, scale=scale),
        0.8,
        _laplace,
        lambda mean, n, scale: 0.3 + _soft(mean - 0.3, 1.0 / (n * scale)),
        0.3,
    ),
    RoughRow("l1", jm.penalties.l1, 0.9, _lasso, lambda mean, n, strength: _soft(mean, strength / n)),
    RoughRow("elastic_net", lambda where, s: jm.priors.elastic_net(where, l1=s, l2=0.4 * s), 0.9, _elastic_net, _net),
    RoughRow(
        "group_laplace",
        jm.priors.group_laplace,
        0.8,
        _group_laplace,
        lambda mean, n, scale: _block(mean, n, 1.0 / scale),
    ),
    RoughRow(
        "group_lasso",
        jm.penalties.group_lasso,
        1.1,
        lambda x, strength: _group_laplace(x, 1.0 / strength),
        _block,
    ),
]
# Not over any vector with a number that sets the strength: in `test_prior_facts` and `test_hierarchical`.
OTHERS = {"dirichlet", "firth", "flat", "hierarchical", "horseshoe", "lkj", "penalties", "smoothing"}
WITHOUT_NUMBERS = OTHERS | {row.name for row in ROUGH_TABLE}
