"""One row per density: what it should equal, and where. `test_densities` puts every row through the laws."""

import jax.numpy as jnp
import mpmath as mp
import numpy as np
from density_row import Row, grid
from density_rows_positive import POSITIVE
from density_rows_real import REAL
from scipy import stats
from scipy.special import expit, softmax

from jaxmle import densities


def _normal(y, loc, scale):
    z = (y - loc) / scale
    return -z * z / 2 - mp.log(scale) - mp.log(2 * mp.pi) / 2


def _student_t(y, df, loc, scale):
    z = (y - loc) / scale
    gammas = mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2)
    return gammas - mp.log(df * mp.pi) / 2 - mp.log(scale) - (df + 1) / 2 * mp.log(1 + z * z / df)


def _gamma(y, a, scale):
    return (a - 1) * mp.log(y) - y / scale - a * mp.log(scale) - mp.loggamma(a)


def _log_p(logits):
    return -mp.log1p(mp.exp(-logits))


def _binomial(y, n, logits):
    choose = mp.loggamma(n + 1) - mp.loggamma(y + 1) - mp.loggamma(n - y + 1)
    return choose + y * _log_p(logits) + (n - y) * _log_p(-logits)


def _categorical(y, *logits):
    others = [l - logits[int(y)] for k, l in enumerate(logits) if k != int(y)]
    return -mp.log1p(mp.fsum(map(mp.exp, others)))


def _beta_binomial(y, n, a, b):
    def betaln(a, b):
        return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)

    return -mp.log(n + 1) - betaln(y + 1, n - y + 1) + betaln(y + a, n - y + b) - betaln(a, b)


def _ordinal(y, location, *cutpoints):
    ends = [-mp.inf, *cutpoints, mp.inf]
    with mp.workdps(700):
        upper, lower = (1 / (1 + mp.exp(location - end)) for end in (ends[int(y) + 1], ends[int(y)]))
        return mp.log(upper - lower)


def _ordinal_scipy(location, *cutpoints):
    masses = np.diff([0.0, *expit(np.array(cutpoints) - location), 1.0])
    return stats.rv_discrete(values=(range(len(masses)), masses))


def _poisson(y, log_rate):
    return y * log_rate - mp.exp(log_rate) - mp.loggamma(y + 1)


def _negative_binomial(y, log_mean, r):
    m = mp.exp(log_mean)
    return mp.loggamma(y + r) - mp.loggamma(r) - mp.loggamma(y + 1) - r * mp.log1p(m / r) - y * mp.log1p(r / m)


def _negative_binomial_linear(y, log_mean, alpha):
    return _negative_binomial(y, log_mean, mp.exp(log_mean) / alpha)


_LOGITS = (-700.0, -40.0, -3.0, 0.0, 0.5, 3.0, 40.0, 700.0)
_COUNTS = (0, 1, 2, 5, 15, 16, 17, 100, 10**4, 10**6)

TABLE = [
    Row(
        module=densities.normal,
        exact=_normal,
        frozen=stats.norm,
        grid=tuple(
            np.concatenate(c)
            for c in zip(
                grid((-1e4, -30.0, -1.0, 0.0, 0.3, 1e-8, 7.0, 1e150), (-2.0, 0.0, 1e3), (1e-3, 1.0, 50.0)),
                ([1e300, 3e300, 2e-300, -1e300], [2e300, -1e300, 1e-300, 0.0], [1e300, 1e300, 1e-300, 1e300]),
                strict=True,
            )
        ),
        points=[(1.0, 0.3, 2.0), (-30.0, 1.0, 0.5), (5.0, 5.0, 1e3)],
        free=(0, 1, 2),
        invalid=[(np.inf, 0.0, 1.0), (-np.inf, 0.0, 1.0)],
        typical=(0.5, 2.0),
    ),
    Row(
        module=densities.laplace,
        exact=lambda y, loc, scale: -abs(y - loc) / scale - mp.log(2 * scale),
        frozen=stats.laplace,
        grid=grid((-1e200, -30.0, 0.0, 0.3, 7.0, 1e6), (-2.0, 0.0, 1e3), (1e-3, 1.0, 1e300)),
        points=[(1.0, 0.3, 2.0), (-30.0, 1.0, 0.5), (5.0, 4.0, 1e3)],
        free=(0, 1, 2),
        invalid=[(np.inf, 0.0, 1.0), (-np.inf, 0.0, 1.0)],
        typical=(0.5, 2.0),
    ),
    Row(
        module=densities.student_t,
        exact=_student_t,
        frozen=stats.t,
        grid=grid(
            (-1e200, -50.0, 1.5, 3.0, 1e4),
            (1e-2, 1.0, 3.0, 15.9, 16.0, 1e3, 1e8, 1e12),
            (1.5,),
            (1e-3, 2.0),
        ),
        points=[
            (1.0, 3.0, 0.3, 2.0),
            (-50.0, 0.01, 0.0, 1.0),
            (3.0, 1e12, 1.0, 0.7),
            (1e3, 5.0, 0.0, 1.0),
            (0.5, 40.0, 0.2, 1.0),
            (40.0, 1e6, 0.2, 1.0),
        ],
        free=(0, 1, 2, 3),
        invalid=[(np.inf, 3.0, 0.0, 1.0), (-np.inf, 3.0, 0.0, 1.0)],
        typical=(7.0, 0.5, 2.0),
    ),
    Row(
        module=densities.gamma,
        exact=_gamma,
        frozen=lambda a, scale: stats.gamma(a, scale=scale),
        grid=grid(
            (1e-300, 1e-8, 0.3, 1.0, 20.0, 1e4, 1e8, 1.0001e8),
            (1e-3, 0.5, 1.0, 7.9, 8.0, 300.0, 1e8),
            (1e-3, 1.0, 30.0, 1e100),
        ),
        points=[
            (1.0, 2.0, 3.0),
            (30.0, 1e-3, 1e-3),
            (1.0001e8, 1e8, 1.0),
            (1e-8, 0.5, 2.0),
            (10.0, 12.0, 0.8),
        ],
        free=(0, 1, 2),
        invalid=[(0.0, 2.0, 1.0), (-1.0, 2.0, 1.0), (np.inf, 2.0, 1.0)],
        typical=(2.5, 2.0),
    ),
    Row(
        module=densities.exponential,
        exact=lambda y, scale: -y / scale - mp.log(scale),
        frozen=lambda scale: stats.expon(scale=scale),
        grid=grid((0.0, 1e-300, 1e-8, 0.3, 1.0, 20.0, 1e300), (1e-5, 1.0, 30.0, 1e300)),
        points=[(1.0, 2.0), (0.0, 3.0), (1e4, 0.01)],
        free=(0, 1),
        invalid=[(-1.0, 2.0), (-1e-300, 2.0), (np.inf, 2.0)],
        typical=(2.0,),
    ),
    Row(
        module=densities.bernoulli,
        exact=lambda y, logits: _log_p(logits if y == 1 else -logits),
        frozen=lambda logits: stats.bernoulli(expit(logits)),
        grid=grid((0, 1), _LOGITS),
        points=[(1, 0.0), (0, 2.0), (1, 700.0), (0, 700.0), (1, -40.0)],
        free=(1,),
        invalid=[(2, 0.3), (-1, 0.3), (0.5, 0.3), (np.inf, 0.3), (-np.inf, 0.3)],
        typical=(0.4,),
    ),
    Row(
        module=densities.binomial,
        exact=_binomial,
        frozen=lambda n, logits: stats.binom(n, expit(logits)),
        grid=grid(
            (0, 1, 2, 16, 30, 2 * 10**5, 10**6 - 1, 10**6),
            (0, 1, 2, 30, 10**6),
            (*_LOGITS, -1.38, -14.0),
            keep=lambda y, n, l: y <= n,
        ),
        points=[
            (2, 5, 0.3),
            (0, 30, 700.0),
            (30, 30, 40.0),
            (10**6 - 1, 10**6, 14.0),
            (2 * 10**5, 10**6, -1.38),
        ],
        free=(2,),
        invalid=[(4, 3, 0.0), (-1, 3, 0.0), (1.5, 3, 0.0), (1, 2.5, 0.0), (np.inf, 3, 0.0)],
        typical=(12, 0.4),
    ),
    Row(
        module=densities.beta_binomial,
        exact=_beta_binomial,
        frozen=stats.betabinom,
        grid=grid(
            (0, 1, 2, 30, 2 * 10**5, 10**6),
            (0, 1, 2, 30, 10**6),
            (1e-3, 0.5, 7.5, 1e3, 1e10),
            (1e-2, 3.0, 1e5),
            keep=lambda y, n, a, b: y <= n,
        ),
        points=[
            (2, 5, 0.3, 2.0),
            (0, 30, 1.5, 0.1),
            (30, 30, 3.0, 2.0),
            (10**5, 10**6, 20.0, 170.0),
            (3, 10, 3e5, 7e5),
        ],
        free=(2, 3),
        invalid=[(y, n, 2.0, 3.0) for y, n in ((4, 3), (-1, 3), (1.5, 3), (1, 2.5), (np.inf, 3))],
        typical=(12, 1.5, 2.5),
        absolute=64.0,
    ),
    Row(
        module=densities.geometric,
        exact=lambda y, logits: (y - 1) * _log_p(-logits) + _log_p(logits),
        frozen=lambda logits: stats.geom(expit(logits)),
        grid=grid((1, 2, 5, 100, 10**6), _LOGITS),
        points=[(3, 0.3), (1, 40.0), (10**6, -13.0), (2, 700.0)],
        free=(1,),
        invalid=[(0, 0.3), (-1, 0.3), (1.5, 0.3), (np.inf, 0.3), (-np.inf, 0.3)],
        typical=(-1.4,),
    ),
    Row(
        module=densities.categorical,
        exact=_categorical,
        frozen=lambda *logits: stats.rv_discrete(values=(range(len(logits)), softmax(logits))),
        grid=grid((0, 1, 2), (-700.0, 0.0, 700.0), (-30.0, 0.0, 1.0), (-700.0, -5.0, 0.3, 700.0)),
        points=[(0, 0.0, 0.3, 1.0), (1, 10.0, 0.0, -3.0), (2, 0.0, 1.0, 12.0)],
        free=(1, 2, 3),
        invalid=[(y, 0.0, 0.3, 1.0) for y in (3, -1, 0.5, np.inf, -np.inf)],
        typical=(0.4, -0.3, 1.0),
        pack=lambda *logits: (jnp.stack(logits),),
    ),
    Row(
        module=densities.ordinal,
        exact=_ordinal,
        frozen=_ordinal_scipy,
        grid=grid((0, 1, 2), (-700.0, -3.0, 0.0, 0.5, 700.0), (-30.0, 0.0), (1e-8, 1.0, 5.0)),
        points=[(0, 0.3, -1.0, 1.0), (1, 10.0, 0.0, 3.0), (2, 0.0, 1.0, 12.0), (1, -2.0, 0.5, 0.6)],
        free=(1, 2, 3),
        invalid=[(y, 0.3, -1.0, 1.0) for y in (3, -1, 0.5, np.inf, -np.inf)],
        typical=(0.4, -0.3, 1.0),
        positive=(),
        pack=lambda location, *cutpoints: (location, jnp.stack(cutpoints)),
        absolute=4.0,
    ),
    Row(
        module=densities.poisson,
        exact=_poisson,
        frozen=lambda log_rate: stats.poisson(np.exp(log_rate)),
        grid=grid((*_COUNTS, 4 * 10**8), (-700.0, -30.0, -1.0, 0.0, 0.5, 2.75, 9.2, 13.8, 13.9, 20.0)),
        points=[(2, 0.3), (0, -700.0), (0, 2.0), (10**6, 13.8), (16, 2.8), (3, -700.0)],
        free=(1,),
        invalid=[(-1, 0.3), (1.5, 0.3), (np.inf, 0.3), (-np.inf, 0.3)],
        typical=(1.4,),
    ),
    Row(
        module=densities.negative_binomial,
        exact=_negative_binomial,
        frozen=lambda log_mean, r: stats.nbinom(r, r / (r + np.exp(log_mean))),
        grid=grid(
            (0, 1, 5, 16, 100, 10**4, 10**6),
            (-700.0, -30.0, 0.0, 2.75, 9.2, 13.8, 400.0),
            (1e-3, 7.5, 1e3, 1e12),
        ),
        points=[
            (2, 0.3, 1.5),
            (0, -3.0, 0.5),
            (0, 2.0, 1e12),
            (16, 2.8, 1e12),
            (10**6, 13.8, 1e-3),
            (10**6, 13.8, 1e6),
            (100, 400.0, 2.0),
            (100, 0.0, 0.5),
            (5, -3.0, 0.5),
            (10**4, 2.75, 1e-3),
            (10**6, -30.0, 1e-3),
            (17, 2.8, 0.4),
            (3, 2.8, 40.0),
            (3, -700.0, 10.0),
        ],
        free=(1, 2),
        invalid=[(-1, 0.3, 2.0), (1.5, 0.3, 2.0), (np.inf, 0.3, 2.0), (-np.inf, 0.3, 2.0)],
        typical=(1.4, 3.0),
    ),
    Row(
        module=densities.negative_binomial_linear,
        exact=_negative_binomial_linear,
        frozen=lambda log_mean, alpha: stats.nbinom(np.exp(log_mean) / alpha, 1 / (1 + alpha)),
        grid=grid(
            (0, 1, 5, 16, 100, 10**4, 10**6),
            (-700.0, -30.0, 0.0, 2.75, 9.2, 13.8),
            (1e-6, 0.2, 7.5, 1e3),
        ),
        points=[(2, 0.3, 1.5), (0, -3.0, 0.5), (0, 2.0, 1e-6), (16, 2.8, 1e-3), (10**4, 9.0, 20.0), (100, 0.0, 7.0)],
        free=(1, 2),
        invalid=[(-1, 0.3, 2.0), (1.5, 0.3, 2.0), (np.inf, 0.3, 2.0), (-np.inf, 0.3, 2.0)],
        typical=(1.4, 0.7),
        positive=("dispersion",),
    ),
]

TABLE += POSITIVE + REAL
