"""Rows of the densities on the whole real line, on an interval of it, and on the circle."""

import mpmath as mp
import numpy as np
from density_row import Row, grid
from scipy import special, stats

from jaxmle import densities


def _asymmetric_laplace(y, kappa, loc, scale):
    z = (y - loc) / scale
    return (-kappa * z if z > 0 else z / kappa) - mp.log(kappa + 1 / kappa) - mp.log(scale)


def _skew_normal(y, a, loc, scale):
    z = (y - loc) / scale
    return mp.log(mp.erfc(-a * z / mp.sqrt(2))) - z * z / 2 - mp.log(2 * mp.pi) / 2 - mp.log(scale)


def _generalized_normal(y, beta, loc, scale):
    power = abs((y - loc) / scale) ** beta if y != loc else 0
    return -power + mp.log(beta) - mp.loggamma(1 / beta) - mp.log(2 * scale)


def _von_mises(y, kappa, loc):
    return kappa * mp.cos(y - loc) - mp.log(2 * mp.pi * mp.besseli(0, kappa))


def _truncated_normal(y, loc, scale, lower, upper):
    z, u, v = ((x - loc) / scale for x in (y, lower, upper))
    if u + v < 0:
        u, v = -v, -u
    mass = (mp.erfc(u / mp.sqrt(2)) - mp.erfc(v / mp.sqrt(2))) / 2
    return -z * z / 2 - mp.log(scale) - mp.log(2 * mp.pi) / 2 - mp.log(mass)


def _genextreme(y, c, loc, scale):
    z = (y - loc) / scale
    level = -mp.log1p(-c * z) / c if c else z
    return (c - 1) * level - mp.exp(-level) - mp.log(scale)


def _beta(y, a, b):
    betaln = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    return (a - 1) * mp.log(y) + (b - 1) * mp.log1p(-y) - betaln


def _kumaraswamy(y, a, b):
    return mp.log(a * b) + (a - 1) * mp.log(y) + (b - 1) * mp.log1p(-(y**a))


class _Kumaraswamy(stats.rv_continuous):
    """scipy has none."""

    def _pdf(self, x, a, b):
        return a * b * x ** (a - 1) * (1 - x**a) ** (b - 1)

    def _logpdf(self, x, a, b):
        return np.log(a * b) + (a - 1) * np.log(x) + (b - 1) * np.log1p(-(x**a))

    def _cdf(self, x, a, b):
        return 1 - (1 - x**a) ** b

    def _logcdf(self, x, a, b):
        return np.log1p(-((1 - x**a) ** b))

    def _logsf(self, x, a, b):
        return b * np.log1p(-(x**a))

    def _ppf(self, q, a, b):
        return (-np.expm1(np.log1p(-q) / b)) ** (1 / a)

    def _stats(self, a, b):
        first, second = (b * special.beta(1 + k / a, b) for k in (1, 2))
        return first, second - first**2, None, None


_PLACES = (-1e4, -30.0, -1.0, 0.3, 7.0, 1e150)
_NOWHERE = [(np.inf, 0.0, 1.0), (-np.inf, 0.0, 1.0)]
_SHAPED = [(y, 2.0, *rest) for y, *rest in _NOWHERE]

REAL = [
    Row(
        module=densities.cauchy,
        exact=lambda y, loc, scale: -mp.log1p(((y - loc) / scale) ** 2) - mp.log(mp.pi * scale),
        frozen=stats.cauchy,
        grid=grid((*_PLACES, 1e-8), (-2.0, 0.0, 1e3), (1e-3, 1.0, 50.0)),
        points=[(1.0, 0.3, 2.0), (-30.0, 1.0, 0.5), (5.0, 4.0, 1e3)],
        free=(0, 1, 2),
        invalid=_NOWHERE,
        typical=(0.5, 2.0),
    ),
    Row(
        module=densities.logistic,
        exact=lambda y, m, s: -(y - m) / s - 2 * mp.log1p(mp.exp((m - y) / s)) - mp.log(s),
        frozen=stats.logistic,
        grid=grid((*_PLACES, 1e-8), (-2.0, 0.0, 1e3), (1e-3, 1.0, 50.0)),
        points=[(1.0, 0.3, 2.0), (-30.0, 1.0, 0.5), (5.0, 4.0, 1e3)],
        free=(0, 1, 2),
        invalid=_NOWHERE,
        typical=(0.5, 2.0),
    ),
    Row(
        module=densities.gumbel,
        exact=lambda y, m, s: -(y - m) / s - mp.exp(-(y - m) / s) - mp.log(s),
        frozen=stats.gumbel_r,
        grid=grid(_PLACES, (-2.0, 0.0, 30.0), (0.1, 1.0, 50.0)),
        points=[(1.0, 0.3, 2.0), (-30.0, 1.0, 1.5), (50.0, 4.0, 1.0)],
        free=(0, 1, 2),
        invalid=_NOWHERE,
        typical=(0.5, 2.0),
    ),
    Row(
        module=densities.uniform,
        exact=lambda y, loc, scale: -mp.log(scale),
        frozen=stats.uniform,
        grid=grid((-1.0, 0.0, 3.0), (-2.0, -1.0), (5.0, 1e3, 1e300)),
        points=[(1.0, 0.3, 2.0), (0.0, 0.0, 3.0)],
        free=(0, 1, 2),
        invalid=[(-0.1, 0.0, 1.0), (1.1, 0.0, 1.0), (np.inf, 0.0, 1.0)],
        typical=(0.5, 2.0),
    ),
    Row(
        module=densities.asymmetric_laplace,
        exact=_asymmetric_laplace,
        frozen=stats.laplace_asymmetric,
        grid=grid(_PLACES, (1e-2, 1.0, 3.0), (-2.0, 1e3), (1e-3, 1.0, 50.0)),
        points=[(1.0, 2.0, 0.3, 2.0), (-30.0, 0.1, 1.0, 0.5), (5.0, 7.0, 4.0, 1e3)],
        free=(0, 1, 2, 3),
        invalid=_SHAPED,
        typical=(1.5, 0.5, 2.0),
        positive=("kappa", "scale"),
    ),
    Row(
        module=densities.skew_normal,
        exact=_skew_normal,
        frozen=stats.skewnorm,
        grid=grid((-40.0, -1.0, 0.3, 7.0), (-20.0, -1.0, 0.0, 0.5, 3.0), (-2.0, 0.0), (1.0, 5.0)),
        points=[(1.0, 2.0, 0.3, 2.0), (-3.0, 4.0, 1.0, 0.5), (5.0, -3.0, 4.0, 7.0), (1.0, 0.0, 0.3, 2.0)],
        free=(0, 1, 2, 3),
        invalid=_SHAPED,
        typical=(1.5, 0.5, 2.0),
        positive=("scale",),
    ),
    Row(
        module=densities.generalized_normal,
        exact=_generalized_normal,
        frozen=stats.gennorm,
        grid=grid((-40.0, -1.0, 0.0, 0.3, 1e4), (0.2, 1.0, 2.0, 9.0), (-2.0, 0.0), (0.5, 5.0)),
        points=[(1.0, 2.0, 0.3, 2.0), (-3.0, 0.7, 1.0, 0.5), (5.0, 6.0, 4.0, 7.0)],
        free=(0, 1, 2, 3),
        invalid=_SHAPED,
        typical=(1.5, 0.5, 2.0),
        positive=("beta", "scale"),
    ),
    Row(
        module=densities.von_mises,
        exact=_von_mises,
        frozen=lambda kappa, loc: stats.vonmises(kappa, loc),
        grid=grid((-3.0, 0.0, 0.3, 1.2, 3.1), (1e-8, 0.3, 7.0, 49.0, 51.0, 1e3, 1e8), (0.0, 0.25)),
        points=[(1.0, 2.0, 0.3), (1.0, 1e-3, 0.5), (0.3, 49.0, 0.25), (0.3, 51.0, 0.25), (-0.5, 1e6, -0.501)],
        free=(0, 1, 2),
        invalid=[(np.inf, 1.0, 0.0), (-np.inf, 1.0, 0.0)],
        typical=(1.5, 0.5),
        positive=("kappa",),
    ),
    Row(
        module=densities.genextreme,
        exact=_genextreme,
        frozen=stats.genextreme,
        grid=grid(
            (-20.0, -1.0, 0.3, 7.0, 1e6),
            (-1.5, -0.3, -1e-9, 0.0, 1e-9, 0.01, 0.3, 1.5),
            (-2.0, 0.0),
            (1.0, 30.0),
            keep=lambda y, c, m, s: c * (y - m) / s < 1 and -(y - m) / s < 500,
        ),
        points=[(1.0, 0.25, 0.3, 2.0), (0.7, -0.5, 0.3, 2.0), (5.0, 1e-9, 0.3, 2.0), (5.0, 0.2, 0.2, 1.0)],
        free=(0, 1, 2, 3),
        invalid=[(np.inf, 0.3, 0.0, 1.0), (-np.inf, 0.0, 0.0, 1.0), (5.0, 0.3, 0.0, 1.0), (-5.0, -0.3, 0.0, 1.0)],
        typical=(-0.1, 0.5, 2.0),
        positive=("scale",),
    ),
    Row(
        module=densities.beta,
        exact=_beta,
        frozen=stats.beta,
        grid=grid((1e-200, 1e-8, 0.3, 0.5, 0.99, 1 - 1e-12), (1e-3, 0.5, 7.9, 300.0, 1e8), (1e-3, 1.0, 30.0, 1e8)),
        points=[(0.3, 2.0, 3.0), (0.5001, 1e6, 1e6), (1e-8, 0.1, 12.0), (0.999, 40.0, 0.3), (0.2, 5.0, 5.0)],
        free=(0, 1, 2),
        invalid=[(0.0, 2.0, 3.0), (1.0, 2.0, 3.0), (-0.5, 2.0, 3.0), (1.5, 2.0, 3.0), (np.inf, 2.0, 3.0)],
        typical=(2.5, 3.5),
    ),
    Row(
        module=densities.kumaraswamy,
        exact=_kumaraswamy,
        frozen=_Kumaraswamy(a=0.0, b=1.0, name="kumaraswamy"),
        grid=grid((1e-200, 1e-8, 0.3, 0.5, 0.99, 1 - 1e-12), (1e-3, 0.5, 7.9, 300.0), (1e-3, 1.0, 30.0, 1e4)),
        points=[(0.3, 2.0, 3.0), (0.5001, 100.0, 0.2), (1e-8, 0.1, 12.0), (0.999, 40.0, 0.3)],
        free=(0, 1, 2),
        invalid=[(0.0, 2.0, 3.0), (1.0, 2.0, 3.0), (-0.5, 2.0, 3.0), (1.5, 2.0, 3.0), (np.inf, 2.0, 3.0)],
        typical=(2.5, 3.5),
    ),
    Row(
        module=densities.truncated_normal,
        exact=_truncated_normal,
        frozen=lambda loc, scale, lower, upper: stats.truncnorm(
            (lower - loc) / scale, (upper - loc) / scale, loc, scale
        ),
        grid=grid(
            (-40.0, 0.3, 50.0),
            (-3.0, 0.1),
            (0.5, 100.0),
            (-np.inf, -41.0, -1.0, 0.299999),
            (0.3, 0.300001, 60.0, np.inf),
            keep=lambda y, m, s, low, high: low <= y <= high,
        ),
        points=[
            (1.0, 0.3, 2.0, 0.5, 3.0),
            (1.0, 0.3, 2.0, -0.5, 40.0),
            (30.5, 0.3, 2.0, 30.0, 40.0),
            (-30.5, 0.3, 2.0, -45.0, -30.0),
            (1.0003, 0.3, 2.0, 1.0, 1.001),
            (4.3, 0.3, 2.0, 4.0, 5.5),
        ],
        free=(0, 1, 2),
        invalid=[(y, 0.0, 1.0, -1.0, 2.0) for y in (-1.1, 2.1, np.inf, -np.inf)] + [(-np.inf, 0.0, 1.0, -np.inf, 0.0)],
        typical=(0.5, 2.0, -1.0, 4.5),
        positive=("scale",),
    ),
]
