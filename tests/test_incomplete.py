"""The incomplete gamma and beta functions, and their derivatives to second order, against mpmath's."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy import stats

from jaxmle.core.incomplete import log_betainc, log_gammainc, log_gammaincc

GAMMA = [
    (a, x)
    for a in (1e-3, 0.5, 1.0, 7.9, 300.0, 1e4)
    for x in (1e-6, 0.3, 0.99, 1.01, 8.0, 100.0, 320.0, 9.8e3, 1.02e4)
    if x < 40 * a + 200 and x > a / 40
]
BETA = [
    (a, b, logit)
    for a in (1e-3, 0.5, 1.0, 30.0, 300.0)
    for b in (0.5, 3.0, 300.0)
    for logit in (-30.0, -3.0, -0.5, 0.0, 2.0, 7.0)
    if abs(logit - np.log(a / b)) * min(a, b) < 60
] + [(0.00178, 2.6, -7.1), (0.00104, 0.75, -6.2)]  # one panel of nodes would leave 3e-10


def _log_probability(minor, major):
    """Log of the first of two complements, from whichever keeps its digits."""
    return mp.log(minor) if minor < 0.5 else mp.log1p(-major)


def _gamma(upper):
    def exact(a, x):
        below, above = mp.gammainc(a, 0, x, regularized=True), mp.gammainc(a, x, mp.inf, regularized=True)
        return _log_probability(*((above, below) if upper else (below, above)))

    return exact


def _beta(upper):
    def exact(a, b, logit):
        x, rest = 1 / (1 + mp.exp(-logit)), 1 / (1 + mp.exp(logit))
        below, above = mp.betainc(a, b, 0, x, regularized=True), mp.betainc(b, a, 0, rest, regularized=True)
        return _log_probability(*((above, below) if upper else (below, above)))

    return exact


def _all(function, points):
    """Values, gradients and Hessians at the points."""
    k = len(points[0])
    every = jax.jit(
        jax.vmap(lambda *v: (function(*v), jax.grad(function, range(k))(*v), jax.hessian(function, range(k))(*v)))
    )
    return jax.tree.map(np.asarray, every(*map(np.array, zip(*points, strict=True))))


CASES = {
    "lower gamma": (log_gammainc, _gamma(False), GAMMA),
    "upper gamma": (log_gammaincc, _gamma(True), GAMMA),
    "lower beta": (lambda a, b, t: log_betainc(a, b, t)[0], _beta(False), BETA),
    "upper beta": (lambda a, b, t: log_betainc(a, b, t)[1], _beta(True), BETA),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """Ours, evaluated, and the exact function."""
    function, exact, points = CASES[request.param]
    return _all(function, points), exact, points


def test_values(case):
    """To 1e-11, where the log is not so small that it is rounding of the larger probability, or rounded arguments."""
    (value, gradient, _), exact, points = case
    for i, point in enumerate(points):
        with mp.workdps(50):
            true = exact(*map(mp.mpf, point))
            noise = sum(abs(float(g[i]) * x) for g, x in zip(gradient, point, strict=True))
            assert abs(float(value[i]) - true) <= 1e-11 * abs(true) + 1e-15 * noise + 1e-30, (point, float(true))


def test_derivatives(case):
    """To 1e-8, first and second, in every argument; what is exactly 0, at a shape of 1, to 1e-14."""
    (_, gradient, hessian), exact, points = case
    k = len(points[0])
    for i in range(0, len(points), 8):
        if max(points[i]) > 400:
            continue
        with mp.workdps(80):
            at = tuple(map(mp.mpf, points[i]))
            for a in range(k):
                orders = [int(j == a) for j in range(k)]
                _close(gradient[a][i], mp.diff(exact, at, tuple(orders), h=mp.mpf(10) ** -25), points[i])
                for b in range(a, k):
                    second = [o + int(j == b) for j, o in enumerate(orders)]
                    _close(hessian[a][b][i], mp.diff(exact, at, tuple(second), h=mp.mpf(10) ** -20), points[i])


def _close(got, exact, where):
    assert abs(float(got) - exact) <= 1e-8 * abs(exact) + 1e-14, (where, float(got), float(exact))


@pytest.mark.parametrize("shape", [1e6, 1e8])
def test_large_shapes(shape):
    """To 1e-9, since a rounding of x at 1e8 moves the log by 1e-11."""
    z = np.array([-3.0, -0.1, 0.1, 3.0, 10.0])  # scipy is wrong at -10
    x = shape + z * np.sqrt(shape)
    lower, upper = stats.gamma.logcdf(x, shape), stats.gamma.logsf(x, shape)
    both = jax.jit(jax.vmap(lambda x: (log_gammainc(shape, x), log_gammaincc(shape, x))))
    got = both(x)
    np.testing.assert_allclose(np.where(z < 0, got[0], got[1]), np.where(z < 0, lower, upper), rtol=1e-9)


def test_float32():
    a, x = jnp.float32([0.5, 3.0, 300.0]), jnp.float32([0.1, 4.0, 280.0])
    got = jax.jit(jax.vmap(log_gammainc))(a, x)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, jax.vmap(log_gammainc)(a.astype(float), x.astype(float)), rtol=2e-5)
    at = jnp.float32([-2.0, 0.3, 0.1])
    both = jax.jit(jax.vmap(lambda a, t: log_betainc(a, a + 1, t)[0]))
    np.testing.assert_allclose(both(a, at), both(a.astype(float), at.astype(float)), rtol=2e-5)


def test_the_ends():
    assert float(log_gammaincc(jnp.array(2.0), jnp.array(jnp.inf))) == -np.inf
    assert float(log_gammainc(jnp.array(2.0), jnp.array(jnp.inf))) == 0.0
    assert float(log_gammaincc(jnp.array(2.0), jnp.array(1e300))) == pytest.approx(-1e300)


@pytest.mark.parametrize("a, dtype", [(1e20, "float32"), (3e24, "float32"), (1e155, "float64"), (1e200, "float64")])
@pytest.mark.parametrize("function", [log_gammainc, log_gammaincc])
def test_shapes_whose_squares_overflow(function, a, dtype):
    """Half of all is below the shape itself; half of it away nothing but the kernel counts; finite derivatives."""
    a = jnp.asarray(a, dtype)
    assert float(function(a, a)) == pytest.approx(np.log(0.5), abs=1e-3)
    for x in (0.5 * a, a, 2 * a):
        value, slope, bend = (f(a, x) for f in (function, jax.grad(function), jax.grad(jax.grad(function))))
        assert np.isfinite([float(value), float(slope), float(bend)]).all(), x
    minor = function(a, 0.5 * a if function is log_gammainc else 2 * a)
    exact = np.log(0.5) + 0.5 if function is log_gammainc else np.log(2.0) - 1.0
    assert float(minor / a) == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("a", [1e8, 1e12, 1e16])
def test_large_shapes_keep_their_digits(a):
    """Within a deviation of the shape, by two terms of Temme's expansion (DLMF 8.12.4 and 8.12.7)."""
    for x in (a - a**0.5, a, a + a**0.5):
        with mp.workdps(60):
            mu = mp.mpf(x) / mp.mpf(a) - 1
            eta = mp.sign(mu) * mp.sqrt(2 * (mu - mp.log1p(mu)))
            middle = -mp.mpf(1) / 3 if mu == 0 else 1 / mu - 1 / eta
            rest = mp.exp(-mp.mpf(a) * eta**2 / 2) / mp.sqrt(2 * mp.pi * mp.mpf(a))
            upper = mp.erfc(eta * mp.sqrt(mp.mpf(a) / 2)) / 2 + middle * rest
        assert float(log_gammaincc(a, x)) == pytest.approx(float(mp.log(upper)), rel=1e-11)


def test_beyond_all_numbers_nothing_moves():
    assert [float(jax.grad(f)(1e3, jnp.inf)) for f in (log_gammainc, log_gammaincc)] == [0.0, 0.0]
