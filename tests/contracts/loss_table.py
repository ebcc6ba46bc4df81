"""The losses, one row each, with what is known of them from elsewhere: formula, noise model, other libraries."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
import optax
from scipy import special, stats
from sklearn import metrics

from jaxmle import losses

NUMBERS = np.array([-40.0, -3.0, -1.0, -0.3, -1e-4, 0.0, 1e-7, 0.2, 1.0, 2.5, 30.0])
POSITIVE = np.array([1e-4, 0.3, 1.0, 1.0 + 1e-7, 2.5, 30.0])


class Row(NamedTuple):
    """A loss on a grid of predictions and targets.

    ``exact``: its formula in mpmath. ``minus_log_density(prediction, target)`` of the noise model is ``scale * loss +
    constant(target)``; None where there is none. ``optax`` is the same function there, ``metric`` that of scikit-learn
    for one target, of ``seen(prediction)``. ``wrong``: targets that it does not take; ``bad``: numbers of its own that
    are none.
    """

    name: str
    loss: Callable
    predictions: np.ndarray
    targets: np.ndarray
    exact: Callable
    minus_log_density: Callable | None = None
    scale: float = 1.0
    constant: Callable = lambda t: 0.0
    optax: Callable | None = None
    metric: Callable | None = None
    seen: Callable = lambda p: p
    wrong: tuple = ()
    bad: tuple[dict[str, Any], ...] = ()


def _huber(p, t, delta=mp.mpf(1.345)):
    r = abs(t - p)
    return r**2 / 2 if r <= delta else delta * (r - delta / 2)


def _check(p, t, tau=mp.mpf(0.7)):
    return (t - p) * (tau if t > p else tau - 1)


def _smooth_check(p, t, tau=mp.mpf(0.7), h=mp.mpf(0.5)):
    r = t - p
    return r * (tau - mp.ncdf(-r / h)) + h * mp.npdf(r / h)


def _binary(p, t):
    return mp.log1p(mp.exp(p)) - t * p


def _poisson(p, t):
    return 2 * ((t * (mp.log(t) - p) if t > 0 else 0) - t + mp.exp(p))


def _focal(p, t):
    right = 1 / (1 + mp.exp(-p if t == 1 else p))
    return -mp.mpf(0.25 if t == 1 else 0.75) * (1 - right) ** 1.5 * mp.log(right)


def huber_constant(delta=1.345):
    """The logarithm of Huber's normalising constant, from its parts: the normal middle and the exponential tails."""
    return np.log(np.sqrt(2 * np.pi) * special.erf(delta / np.sqrt(2)) + 2 / delta * np.exp(-(delta**2) / 2))


def _asymmetric_laplace(p, t, tau=0.7, s=2.0):
    """scipy's, of shape kappa = sqrt(tau / (1 - tau)) and scale s / sqrt(tau (1 - tau))."""
    return -stats.laplace_asymmetric.logpdf(t, np.sqrt(tau / (1 - tau)), p, s / np.sqrt(tau * (1 - tau)))


def _gamma(p, t, a=3.0):
    return -stats.gamma.logpdf(t, a, scale=np.exp(p) / a)


def _hinge(target, prediction):
    """It must see both targets: the other is predicted without loss."""
    return 2 * metrics.hinge_loss([target, -target], [prediction, -10 * target])


def _log_loss(target, p):
    return metrics.log_loss([target], [[1 - p, p]], labels=[0, 1])


_quantile, _focal_loss = partial(losses.quantile, tau=0.7), partial(losses.focal, gamma=1.5, alpha=0.25)

TABLE = [
    Row(
        "squared_error",
        losses.squared_error,
        NUMBERS,
        NUMBERS,
        lambda p, t: (t - p) ** 2,
        lambda p, t: -stats.norm.logpdf(t, p, 2.0),
        1 / 8,
        lambda t: np.log(2.0 * np.sqrt(2 * np.pi)),
        optax.losses.squared_error,
        lambda t, p: metrics.mean_squared_error([t], [p]),
    ),
    Row(
        "absolute_error",
        losses.absolute_error,
        NUMBERS,
        NUMBERS,
        lambda p, t: abs(t - p),
        lambda p, t: -stats.laplace.logpdf(t, p, 2.0),
        1 / 2,
        lambda t: np.log(4.0),
        None,
        lambda t, p: metrics.mean_absolute_error([t], [p]),
    ),
    Row(
        "huber",
        partial(losses.huber, delta=1.345),
        NUMBERS,
        NUMBERS,
        _huber,
        optax=partial(optax.losses.huber_loss, delta=1.345),
        constant=lambda t: huber_constant(),
        bad=({"delta": 0.0}, {"delta": -1.0}),
    ),
    Row(
        "log_cosh",
        losses.log_cosh,
        NUMBERS,
        NUMBERS,
        lambda p, t: mp.log(mp.cosh(t - p)),
        lambda p, t: -stats.hypsecant.logpdf(t, p),
        constant=lambda t: np.log(np.pi),
        optax=optax.losses.log_cosh,
    ),
    Row(
        "quantile",
        _quantile,
        NUMBERS,
        NUMBERS,
        _check,
        _asymmetric_laplace,
        1 / 2,
        lambda t: -np.log(0.7 * 0.3 / 2.0),
        metric=lambda t, p: metrics.mean_pinball_loss([t], [p], alpha=0.7),
        bad=({"tau": 0.0}, {"tau": 1.0}, {"bandwidth": -1.0}),
    ),
    Row("smooth quantile", partial(_quantile, bandwidth=0.5), NUMBERS, NUMBERS, _smooth_check),
    Row(
        "binary_cross_entropy",
        losses.binary_cross_entropy,
        NUMBERS,
        np.array([0.0, 1.0]),
        _binary,
        lambda p, t: -stats.bernoulli.logpmf(t, special.expit(p)),
        optax=optax.losses.sigmoid_binary_cross_entropy,
        metric=_log_loss,
        seen=special.expit,
        wrong=(-1.0, 2.0),
    ),
    Row(
        "binary_cross_entropy of shares",
        losses.binary_cross_entropy,
        NUMBERS,
        np.array([0.25, 0.9]),
        _binary,
        optax=optax.losses.sigmoid_binary_cross_entropy,
    ),
    Row(
        "poisson_deviance",
        losses.poisson_deviance,
        np.array([-9.0, -1.0, 0.0, 1e-7, 0.8, 3.0]),
        np.array([0.0, 1.0, 2.0, 17.0]),
        _poisson,
        lambda p, t: -stats.poisson.logpmf(t, np.exp(p)),
        1 / 2,
        lambda t: special.gammaln(t + 1) - special.xlogy(t, t) + t,
        metric=lambda t, p: metrics.mean_poisson_deviance([t], [p]),
        seen=np.exp,
        wrong=(-1.0, np.inf),
    ),
    Row(
        "gamma_deviance",
        losses.gamma_deviance,
        np.array([-9.0, -1.0, 0.0, 1e-7, 0.8, 3.0]),
        POSITIVE,
        lambda p, t: 2 * (t * mp.exp(-p) - 1 - mp.log(t) + p),
        _gamma,
        3 / 2,
        lambda t: special.gammaln(3.0) - 3 * np.log(3.0) + 3 + np.log(t),
        metric=lambda t, p: metrics.mean_gamma_deviance([t], [p]),
        seen=np.exp,
        wrong=(0.0, -1.0, np.inf),
    ),
    Row(
        "focal",
        _focal_loss,
        NUMBERS,
        np.array([0.0, 1.0]),
        _focal,
        optax=partial(optax.losses.sigmoid_focal_loss, alpha=0.25, gamma=1.5),
        wrong=(-1.0, 0.5),
    ),
    Row(
        "hinge",
        losses.hinge,
        NUMBERS,
        np.array([-1.0, 1.0]),
        lambda p, t: max(mp.mpf(0), 1 - t * p),
        optax=optax.losses.hinge_loss,
        metric=_hinge,
        wrong=(0.0, 2.0),
    ),
    Row(
        "exponential",
        losses.exponential,
        NUMBERS,
        np.array([-1.0, 1.0]),
        lambda p, t: mp.exp(-t * p),
        wrong=(0.0, 2.0),
    ),
    Row(
        "zero_one",
        losses.zero_one,
        np.array([0.0, 1.0, 2.0]),
        np.array([0.0, 1.0, 2.0]),
        lambda p, t: mp.mpf(int(p != t)),
        metric=lambda t, p: metrics.zero_one_loss([t], [p]),
    ),
]
