"""One row per ready-made model. `test_models` puts every row through the same laws."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy import special, stats

import jaxmle as jm

ROWS = 16
RNG = np.random.default_rng(41)
X = np.column_stack([np.ones(ROWS), RNG.normal(size=ROWS)])
LINE = X @ np.array([0.3, 0.6])
NOISE = RNG.normal(size=ROWS)


class Row(NamedTuple):
    """A model and its independent reference.

    make: the problem, from a response and case weights.
    y: an ordinary response.
    rows: the log-likelihood of each row at params, by scipy.
    """

    name: str
    make: Callable
    y: np.ndarray
    rows: Callable


def _decay(params, t):
    return params["a"] * jnp.exp(-params["b"] * t)


def _nonlinear(y, weights):
    return jm.models.nonlinear_least_squares(_decay, np.arange(ROWS) / 4.0, y, {"a": 1.0, "b": 0.5}, weights)


def _softmax_rows(p, y):
    logits = np.column_stack([np.zeros(ROWS), X @ p["beta"]])
    return (logits - special.logsumexp(logits, axis=1, keepdims=True))[np.arange(ROWS), y.astype(int)]


def _ordinal_rows(p, y):
    below = special.expit(np.concatenate([[-np.inf], p["cutpoints"], [np.inf]]) - (X[:, 1:] @ p["beta"])[:, None])
    return np.log(np.diff(below, axis=1)[np.arange(ROWS), y.astype(int)])


def _weibull_rows(p, y):
    times = stats.weibull_min(p["c"], scale=np.exp(X @ p["beta"]))
    return np.where(COINS == 1, times.logpdf(y), times.logsf(y))


COINS = np.array([0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1, 1, 0.0])
CLASSES = np.array([0, 1, 2, 0, 1, 1, 2, 0, 2, 1, 0, 0, 1, 2, 2, 1.0])
COUNTS = RNG.poisson(np.exp(LINE)).astype(float)
SPREAD = np.array([0, 5, 1, 2, 30, 3, 0, 9, 40, 2, 14, 70, 1, 22, 8, 55.0])  # more than Poisson's counts do
OFFSET = 0.4 * RNG.normal(size=ROWS)

TABLE = [
    Row("normal", jm.models.normal, NOISE, lambda p, y: stats.norm.logpdf(y, p["mu"], p["sigma"])),
    Row("bernoulli", jm.models.bernoulli, COINS, lambda p, y: stats.bernoulli.logpmf(y, p["p"])),
    Row(
        "binomial",
        lambda y, w: jm.models.binomial(y, 12, w),
        np.minimum(COUNTS, 12),
        lambda p, y: stats.binom.logpmf(y, 12, p["p"]),
    ),
    Row("poisson", jm.models.poisson, COUNTS, lambda p, y: stats.poisson.logpmf(y, p["rate"])),
    Row(
        "exponential",
        jm.models.exponential,
        np.abs(NOISE) + 0.1,
        lambda p, y: stats.expon.logpdf(y, scale=p["scale"]),
    ),
    Row(
        "linear",
        lambda y, w: jm.models.linear(X, y, w),
        LINE + NOISE,
        lambda p, y: stats.norm.logpdf(y, X @ p["beta"], p["sigma"]),
    ),
    Row(
        "logistic",
        lambda y, w: jm.models.logistic(X, y, w),
        COINS,
        lambda p, y: stats.bernoulli.logpmf(y, special.expit(X @ p["beta"])),
    ),
    Row(
        "logistic of trials",
        lambda y, w: jm.models.logistic(X, y, w, trials=np.full(ROWS, 12)),
        np.minimum(COUNTS, 12),
        lambda p, y: stats.binom.logpmf(y, 12, special.expit(X @ p["beta"])),
    ),
    Row(
        "softmax",
        lambda y, w: jm.models.softmax(X, y, w, n_classes=3),
        CLASSES,
        _softmax_rows,
    ),
    Row(
        "ordinal_regression",
        lambda y, w: jm.models.ordinal_regression(X[:, 1:], y, w, n_classes=3),
        CLASSES,
        _ordinal_rows,
    ),
    Row(
        "survival_regression",
        lambda y, w: jm.models.survival_regression(X, y, w, event=COINS),
        np.abs(NOISE) + 0.1,
        _weibull_rows,
    ),
    Row(
        "negative_binomial_regression",
        lambda y, w: jm.models.negative_binomial_regression(X, y, w, exposure=np.arange(1.0, ROWS + 1.0)),
        SPREAD,
        lambda p, y: stats.nbinom.logpmf(
            y, p["concentration"], 1 / (1 + np.arange(1.0, ROWS + 1.0) * np.exp(X @ p["beta"]) / p["concentration"])
        ),
    ),
    Row(
        "poisson_regression",
        lambda y, w: jm.models.poisson_regression(X, y, w),
        COUNTS,
        lambda p, y: stats.poisson.logpmf(y, np.exp(X @ p["beta"])),
    ),
    Row(
        "linear with an offset",
        lambda y, w: jm.models.linear(X, y, w, offset=OFFSET),
        LINE + NOISE,
        lambda p, y: stats.norm.logpdf(y, X @ p["beta"] + OFFSET, p["sigma"]),
    ),
    Row(
        "logistic of trials with an offset",
        lambda y, w: jm.models.logistic(X, y, w, trials=np.full(ROWS, 12), offset=OFFSET),
        np.minimum(COUNTS, 12),
        lambda p, y: stats.binom.logpmf(y, 12, special.expit(X @ p["beta"] + OFFSET)),
    ),
    Row(
        "poisson_regression with an exposure",
        lambda y, w: jm.models.poisson_regression(X, y, w, offset=OFFSET, exposure=np.arange(1.0, ROWS + 1.0)),
        COUNTS,
        lambda p, y: stats.poisson.logpmf(y, np.arange(1.0, ROWS + 1.0) * np.exp(X @ p["beta"] + OFFSET)),
    ),
    Row(
        "nonlinear_least_squares",
        _nonlinear,
        2.0 * np.exp(-0.7 * np.arange(ROWS) / 4.0) + 0.1 * NOISE,
        lambda p, y: stats.norm.logpdf(y, p["a"] * np.exp(-p["b"] * np.arange(ROWS) / 4.0), p["sigma"]),
    ),
    Row(
        "distribution of a Weibull",
        lambda y, w: jm.models.distribution("weibull", y, weights=w),
        np.abs(NOISE) + 0.1,
        lambda p, y: stats.weibull_min.logpdf(y, p["c"], scale=p["scale"]),
    ),
]
OTHERS = {"LeastSquares", "least_squares"}
