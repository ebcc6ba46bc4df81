"""Rows of the densities on the positive numbers."""

import mpmath as mp
import numpy as np
from density_row import Row, grid
from scipy import stats

from jaxmle import densities


def _weibull(y, c, scale):
    u = c * mp.log(y / scale)
    return mp.log(c) - mp.log(y) + u - mp.exp(u)


def _inverse_gamma(y, a, scale):
    return a * mp.log(scale) - (a + 1) * mp.log(y) - scale / y - mp.loggamma(a)


def _inverse_gaussian(y, log_mean, scale):
    m = mp.exp(log_mean)
    return mp.log(scale / (2 * mp.pi * y**3)) / 2 - scale * (y - m) ** 2 / (2 * m**2 * y)


def _loglogistic(y, c, scale):
    u = c * mp.log(y / scale)
    return mp.log(c) - mp.log(y) + u - 2 * mp.log1p(mp.exp(u))


class _Fisk(type(stats.fisk)):
    """scipy's has lost the digits of its upper tail."""

    def _logsf(self, x, c):
        return -np.log1p(x**c)


def _f(y, m, n):
    betaln = mp.loggamma(m / 2) + mp.loggamma(n / 2) - mp.loggamma((m + n) / 2)
    return m / 2 * mp.log(m / n) + (m / 2 - 1) * mp.log(y) - (m + n) / 2 * mp.log1p(m * y / n) - betaln


def _generalized_pareto(y, c, scale):
    z = y / scale
    return -(1 + 1 / c) * mp.log1p(c * z) - mp.log(scale) if c else -z - mp.log(scale)


_SIZES = (1e-300, 1e-8, 0.3, 1.0, 20.0, 1e4, 1e8)
_SCALES = (1e-3, 1.0, 30.0, 1e100)
_OUTSIDE = [(0.0, 2.0, 1.0), (-1.0, 2.0, 1.0), (np.inf, 2.0, 1.0)]

POSITIVE = [
    Row(
        module=densities.lognormal,
        exact=lambda y, t, s: -(((mp.log(y) - t) / s) ** 2) / 2 - mp.log(y * s) - mp.log(2 * mp.pi) / 2,
        frozen=lambda log_scale, s: stats.lognorm(s, scale=np.exp(log_scale)),
        grid=grid(_SIZES, (-700.0, -3.0, 0.0, 18.0), (1e-3, 1.0, 50.0)),
        points=[(1.0, 0.3, 2.0), (30.0, 1.0, 0.5), (1e-8, 4.0, 10.0)],
        free=(0, 1, 2),
        invalid=_OUTSIDE,
        typical=(0.3, 0.8),
        positive=("s",),
    ),
    Row(
        module=densities.weibull,
        exact=_weibull,
        frozen=lambda c, scale: stats.weibull_min(c, scale=scale),
        grid=grid(_SIZES, (1e-3, 0.5, 1.0, 8.0, 30.0), _SCALES, keep=lambda y, c, s: c * (np.log(y) - np.log(s)) < 600),
        points=[(1.0, 2.0, 3.0), (30.0, 0.1, 1e-3), (1e-8, 0.5, 2.0), (10.0, 12.0, 9.8)],
        free=(0, 1, 2),
        invalid=_OUTSIDE,
        typical=(1.5, 2.0),
        positive=("c", "scale"),
    ),
    Row(
        module=densities.inverse_gamma,
        exact=_inverse_gamma,
        frozen=lambda a, scale: stats.invgamma(a, scale=scale),
        grid=grid((1e-200, *_SIZES[1:], 1e-8 / 1.0001), (1e-3, 0.5, 1.0, 7.9, 300.0, 1e8), (1e-3, 1.0, 30.0)),
        points=[(1.0, 2.0, 3.0), (30.0, 1e-3, 1e-3), (1e-8 / 1.0001, 1e8, 1.0), (0.1, 12.0, 0.8)],
        free=(0, 1, 2),
        invalid=_OUTSIDE,
        typical=(5.5, 2.0),
    ),
    Row(
        module=densities.inverse_gaussian,
        exact=_inverse_gaussian,
        frozen=lambda log_mean, scale: stats.invgauss(np.exp(log_mean) / scale, scale=scale),
        grid=grid((1e-100, 1e-8, 0.3, 1.0, 20.0, 1e8), (-100.0, -3.0, 0.0, 18.4, 300.0), (1e-3, 1.0, 50.0, 1e10)),
        points=[(1.0, 0.3, 2.0), (30.0, -1.0, 0.5), (1e-3, 4.0, 10.0), (1.001, 0.0, 1e6)],
        free=(0, 1, 2),
        invalid=_OUTSIDE,
        typical=(0.3, 2.5),
    ),
    Row(
        module=densities.chi2,
        exact=lambda y, k: (k / 2 - 1) * mp.log(y) - y / 2 - k / 2 * mp.log(2) - mp.loggamma(k / 2),
        frozen=stats.chi2,
        grid=grid(_SIZES, (1e-3, 1.0, 7.5, 300.0, 1e8)),
        points=[(1.0, 3.0), (30.0, 1e-3), (1.0001e8, 1e8), (1e-8, 0.5)],
        free=(0, 1),
        invalid=[(y, a) for y, a, _ in _OUTSIDE],
        typical=(4.5,),
    ),
    Row(
        module=densities.loglogistic,
        exact=_loglogistic,
        frozen=lambda c, scale: _Fisk(a=0.0, name="fisk")(c, scale=scale),
        grid=grid(_SIZES, (1e-3, 0.5, 1.0, 8.0, 30.0), _SCALES),
        points=[(1.0, 2.0, 3.0), (30.0, 0.1, 1e-3), (1e-8, 0.5, 2.0), (10.0, 12.0, 9.8)],
        free=(0, 1, 2),
        invalid=_OUTSIDE,
        typical=(5.5, 2.0),
        positive=("c", "scale"),
    ),
    Row(
        module=densities.f,
        exact=_f,
        frozen=stats.f,
        grid=grid((1e-200, *_SIZES[1:]), (1e-3, 0.5, 3.0, 300.0, 1e8), (1e-3, 0.5, 3.0, 300.0, 1e8)),
        points=[(1.3, 2.0, 3.0), (30.0, 0.1, 7.0), (1e-8, 0.5, 2.0), (1.2, 120.0, 98.0)],
        free=(0, 1, 2),
        invalid=_OUTSIDE,
        typical=(5.5, 12.5),
        positive=("dfn", "dfd"),
    ),
    Row(
        module=densities.half_normal,
        exact=lambda y, s: -((y / s) ** 2) / 2 - mp.log(s) + mp.log(2 / mp.pi) / 2,
        frozen=lambda scale: stats.halfnorm(scale=scale),
        grid=grid((0.0, *_SIZES, 1e150), _SCALES),
        points=[(1.0, 2.0), (0.0, 3.0), (1e4, 10.0)],
        free=(0, 1),
        invalid=[(-1.0, 2.0), (np.inf, 2.0)],
        typical=(2.0,),
    ),
    Row(
        module=densities.half_cauchy,
        exact=lambda y, s: -mp.log1p((y / s) ** 2) - mp.log(mp.pi * s / 2),
        frozen=lambda scale: stats.halfcauchy(scale=scale),
        grid=grid((0.0, *_SIZES, 1e150), _SCALES),
        points=[(1.0, 2.0), (0.0, 3.0), (1e4, 10.0)],
        free=(0, 1),
        invalid=[(-1.0, 2.0), (np.inf, 2.0)],
        typical=(2.0,),
    ),
    Row(
        module=densities.pareto,
        exact=lambda y, b, s: mp.log(b / y) - b * mp.log(y / s),
        frozen=lambda b, scale: stats.pareto(b, scale=scale),
        grid=grid((1e-3, 0.3, 1.0000001, 1e100), (1e-3, 1.0, 300.0), (1e-3, 0.3, 1.0), keep=lambda y, b, s: y >= s),
        points=[(1.0, 2.0, 0.3), (30.0, 0.1, 29.0), (1e8, 3.0, 1e-3)],
        free=(0, 1, 2),
        invalid=[(0.9, 2.0, 1.0), (-1.0, 2.0, 1.0), (np.inf, 2.0, 1.0)],
        typical=(5.5, 2.0),
    ),
    Row(
        module=densities.generalized_pareto,
        exact=_generalized_pareto,
        frozen=lambda c, scale: stats.genpareto(c, scale=scale),
        grid=grid(
            (0.0, 1e-8, 0.3, 1.0, 20.0, 1e8),
            (-2.0, -0.3, -1e-9, 0.0, 1e-9, 0.01, 0.3, 2.0),
            (1e-3, 1.0, 30.0),
            keep=lambda y, c, s: c * y / s > -1,
        ),
        points=[(1.0, 0.25, 2.0), (0.7, -0.5, 2.0), (5.0, 1e-9, 2.0), (1e5, 2.0, 1.0), (1.99, -1.0, 2.0)],
        free=(0, 1, 2),
        invalid=[(-1.0, 0.3, 2.0), (np.inf, 0.3, 2.0), (5.0, -0.5, 2.0), (4.0, -0.5, 2.0)],
        typical=(0.1, 2.0),
        positive=("scale",),
    ),
]
