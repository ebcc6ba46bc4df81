"""Densities where a quotient, its square or an exponential leaves the range of the dtype, at ties, and at infinity."""

from functools import cache

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from density_table import TABLE

from jaxmle import densities

MODULES = {row.name: row.module for row in TABLE}
EXACT = {row.name: row.exact for row in TABLE}
F32, F64 = np.float32, np.float64


def _upper_cauchy(y, loc, scale):
    z = (y - loc) / scale
    angle = mp.atan(1 / z) if z > 0 else mp.pi / 2 - mp.atan(z)
    return mp.log(angle / mp.pi)


def _lower_student_t(y, df, loc, scale):
    """Of the lower tail, by the hypergeometric series of the incomplete beta function."""
    x = df / (df + ((y - loc) / scale) ** 2)
    return mp.log(mp.betainc(df / 2, mp.mpf(1) / 2, 0, x, regularized=True) / 2)


def _log1mexp(x):
    return mp.log(-mp.expm1(-x))


def _lower_gamma(a, x):
    return mp.log(mp.gammainc(a, 0, x, regularized=True))


TAILS = {
    ("cauchy", "logsf"): _upper_cauchy,
    ("cauchy", "logcdf"): lambda y, loc, scale: _upper_cauchy(-y, -loc, scale),
    ("half_cauchy", "logcdf"): lambda y, scale: mp.log(2 / mp.pi * mp.atan(y / scale)),
    ("half_cauchy", "logsf"): lambda y, scale: mp.log(2 / mp.pi * mp.atan(scale / y)),
    ("half_normal", "logcdf"): lambda y, scale: mp.log(mp.erf(y / scale / mp.sqrt(2))),
    ("exponential", "logcdf"): lambda y, scale: _log1mexp(y / scale),
    ("generalized_pareto", "logcdf"): lambda y, c, scale: _log1mexp(mp.log1p(c * y / scale) / c),
    ("uniform", "logcdf"): lambda y, loc, scale: mp.log((y - loc) / scale),
    ("kumaraswamy", "logcdf"): lambda y, a, b: _log1mexp(-b * mp.log1p(-(y**a))),
    ("geometric", "logcdf"): lambda y, t: _log1mexp(y * mp.log1p(mp.exp(t))),
    ("poisson", "logsf"): lambda y, t: _lower_gamma(y + 1, mp.exp(t)),
    ("gamma", "logcdf"): lambda y, a, scale: _lower_gamma(a, y / scale),
    ("inverse_gamma", "logsf"): lambda y, a, scale: _lower_gamma(a, scale / y),
    ("student_t", "logcdf"): _lower_student_t,
}


def _exact(name, function):
    return EXACT[name] if function in ("logpdf", "logpmf") else TAILS[name, function]


def _short(*case, why):
    """A case that is known to be wrong, and why."""
    return pytest.param(*case, marks=pytest.mark.xfail(strict=True, reason=why))


# Density, function, y and parameters, dtype, decimals of the reference. Derivatives are in the parameters.
CASES = [
    ("kumaraswamy", "logcdf", (1e-8, 50.0, 2.0), F64, 450),
    ("kumaraswamy", "logcdf", (0.01, 24.0, 2.0), F32, 130),
    ("kumaraswamy", "logcdf", (0.3, 2.0, 3.0), F64, 130),
    ("student_t", "logpdf", (1e10, 3.0, 0.0, 1.0), F32, 130),
    ("student_t", "logpdf", (1e8, 1e-3, 0.0, 1.0), F32, 130),
    ("student_t", "logpdf", (1e10, 1.0, 0.0, 1.0), F64, 200),
    ("student_t", "logpdf", (8192.0, 1.0, 0.0, 1.0), F64, 130),
    ("student_t", "logpdf", (1e300, 1e-3, 0.0, 1.0), F64, 700),
    ("student_t", "logcdf", (-1e100, 3.0, 1.0, 1.0), F64, 500),
    ("cauchy", "logpdf", (1e10, 0.0, 1.0), F32, 130),
    ("cauchy", "logpdf", (1e10, 0.0, 1.0), F64, 130),
    ("cauchy", "logpdf", (1.0, 0.0, 1.0), F64, 130),
    ("cauchy", "logpdf", (1e200, 0.0, 1.0), F64, 1300),
    ("cauchy", "logpdf", (0.3, 1e5, 1e-5), F32, 130),
    ("cauchy", "logpdf", (-1e300, -2.0, 1e-100), F64, 2500),
    ("cauchy", "logsf", (1e300, -2.0, 1.0), F64, 2500),
    ("cauchy", "logcdf", (-0.3, 0.0, 1.0), F64, 130),
    ("cauchy", "logcdf", (3.0, 0.0, 1.0), F64, 130),
    ("half_cauchy", "logcdf", (1e-200, 1e200), F64, 130),
    ("half_cauchy", "logcdf", (30.0, 1.0), F64, 130),
    ("half_cauchy", "logsf", (1e20, 1e-10), F32, 130),
    ("half_normal", "logcdf", (1e-200, 1e150), F64, 130),
    ("exponential", "logcdf", (1e-30, 1e15), F32, 130),
    ("exponential", "logcdf", (1e-200, 1e150), F64, 130),
    ("generalized_pareto", "logcdf", (1e-200, 0.3, 1e150), F64, 130),
    _short(
        "generalized_pareto", "logpdf", (1e25, 0.3, 1.0), F32, 130, why="z^2 overflows in the derivative of 1/(1 + c z)"
    ),
    ("uniform", "logcdf", (1e-200, 0.0, 1e150), F64, 1300),
    ("inverse_gaussian", "logpdf", (1e300, 18.0, 1e-100), F64, 1300),
    ("inverse_gaussian", "logpdf", (1e300, 18.0, 50.0), F64, 1300),
    ("geometric", "logcdf", (1.0, -700.0), F32, 450),
    ("poisson", "logsf", (0.0, -700.0), F32, 450),
    ("poisson", "logsf", (0.0, -700.0), F64, 450),
    ("gamma", "logcdf", (1e-200, 2.5, 1e150), F64, 500),
    ("inverse_gamma", "logsf", (1e150, 2.5, 1e-200), F64, 500),
    _short(
        "inverse_gamma", "logpdf", (1e-300, 300.0, 1e-3), F64, 900, why="the Hessian is a rounding of the value, -1e297"
    ),
    ("gamma", "logpdf", (1e-300, 1e5, 50.0), F64, 130),
    ("chi2", "logpdf", (1e-300, 1e5), F64, 130),
    ("normal", "logpdf", (3e25, 1e25, 1e25), F32, 130),
    ("exponential", "logpdf", (3e-25, 1e-25), F32, 130),
]


@cache
def _everything(name, function, count):
    places = tuple(range(1, count))
    f = getattr(MODULES[name], function)
    return jax.jit(lambda *v: (f(*v), jax.grad(f, places)(*v), jax.hessian(f, places)(*v)))


def _references(exact, at, decimals):
    """Value, gradient and Hessian in the parameters, all in units of them, by central differences."""
    with mp.workdps(decimals):
        at, step = [mp.mpf(float(x)) for x in at], mp.mpf(10) ** -(decimals // 5)
        units, count = [abs(x) or mp.mpf(1) for x in at], len(at)

        @cache
        def f(*moves):
            return exact(*(x + u * m * step for x, u, m in zip(at, units, moves, strict=True)))

        def along(a, b, i, j):
            return f(*(i * (k == a) + j * (k == b) for k in range(count)))

        places = range(1, count)
        gradient = [(along(a, a, 1, 0) - along(a, a, -1, 0)) / (2 * step) for a in places]
        hessian = [
            [sum(i * j * along(a, b, i, j) for i in (-1, 1) for j in (-1, 1)) / (4 * step**2) for b in places]
            for a in places
        ]
        return f(*[0] * count), gradient, hessian, units[1:]


@pytest.mark.parametrize(
    "name,function,at,dtype,decimals", CASES, ids=lambda x: getattr(x, "__name__", str(x)).replace(" ", "")
)
def test_extremes_equal_the_exact_ones(name, function, at, dtype, decimals):
    """Derivatives to 1e-8, in float32 to 1e-4; those beyond the range of the dtype are exempt."""
    at = [dtype(x) for x in at]
    value, gradient, hessian = _everything(name, function, len(at))(*at)
    exact, slopes, bends, units = _references(_exact(name, function), at, decimals)
    relative, largest = (1e-8, 1e307) if dtype is F64 else (1e-4, 1e38)
    assert float(value) == pytest.approx(float(exact), rel=1e-11 if dtype is F64 else 1e-5)

    def close(got, scaled, unit):
        true = scaled / unit
        if abs(true) > largest:
            return
        # Nor to less than a rounding of one in units of the parameters.
        error, rounding = abs(mp.mpf(float(got)) - true), float(np.finfo(dtype).eps)
        assert error <= relative * abs(true) + float(np.finfo(dtype).tiny) + rounding / unit, (got, true)

    with mp.workdps(50):
        for a, unit in enumerate(units):
            close(gradient[a], slopes[a], unit)
            for b, other in enumerate(units):
                close(hessian[a][b], bends[a][b], unit * other)


LINE = ["normal", "laplace", "asymmetric_laplace", "student_t", "cauchy", "logistic", "gumbel", "generalized_normal"]
HALF = [
    "half_normal",
    "half_cauchy",
    "exponential",
    "gamma",
    "inverse_gamma",
    "inverse_gaussian",
    "poisson",
    "geometric",
]
MORE = [
    "skew_normal",
    "genextreme",
    "generalized_pareto",
    "uniform",
    "lognormal",
    "weibull",
    "loglogistic",
    "pareto",
    "f",
]
TYPICAL = {row.name: row.typical for row in TABLE}


@pytest.mark.parametrize("name", [*LINE, *HALF, *MORE])
def test_at_infinity_nothing_has_a_derivative(name):
    module, parameters = MODULES[name], [jnp.float64(x) for x in TYPICAL[name]]
    ends = {"logpdf": (-np.inf, -np.inf), "logcdf": (-np.inf, 0.0), "logsf": (0.0, -np.inf)}
    places, y = tuple(range(1 + len(parameters))), jnp.array([-np.inf, np.inf, np.nan])
    for function, expected in ends.items():
        f = getattr(module, function, None)
        if f is None:
            continue
        both = jax.jit(jax.vmap(jax.value_and_grad(f, places), in_axes=(0, *(None for _ in parameters))))
        value, gradient = both(y, *parameters)
        np.testing.assert_array_equal(value, [*expected, np.nan], err_msg=function)
        assert all(np.all(np.asarray(g)[:2] == 0) for g in gradient), (function, gradient)


def test_a_mixture_with_zeros_at_infinity():
    """NaN of a Poisson's distribution function would reach it."""
    inflated = densities.zero_inflated(densities.poisson)
    assert float(inflated.logcdf(np.inf, 0.0, 0.0)) == pytest.approx(0.0, abs=1e-15)
    assert float(inflated.logsf(np.inf, 0.0, 0.0)) == -np.inf


def test_the_distribution_function_of_a_generalized_normal_has_its_slope_in_the_middle():
    """The density over 1/2; the slope of the logarithm was zero there."""
    slope = jax.grad(densities.generalized_normal.logcdf)(0.3, 1.5, 0.3, 2.0)
    assert float(slope) == pytest.approx(2 * np.exp(densities.generalized_normal.logpdf(0.3, 1.5, 0.3, 2.0)), rel=1e-12)


def test_a_count_of_zero_keeps_small_derivatives_of_the_beta_binomial():
    """log(b/(a + b)), whose slope in a is -1/(a + b)."""
    slope = jax.grad(densities.beta_binomial.logpmf, 2)(0.0, 1.0, 1e-3, 1e15)
    assert float(slope) == pytest.approx(-1e-15, rel=1e-8)


def test_a_transformed_density_has_no_slope_where_the_function_has_no_value():
    lognormal = densities.transformed(densities.normal, jnp.log)
    for y in (0.0, -1.0):
        assert float(lognormal.logpdf(y, 0.0, 1.0)) == -np.inf
        assert float(jax.grad(lognormal.logpdf)(y, 0.0, 1.0)) == 0.0
        assert float(jax.jacfwd(lognormal.logpdf)(y, 0.0, 1.0)) == 0.0


def test_a_hurdle_of_all_numbers_keeps_the_negative_ones():
    value = densities.hurdle(densities.normal).logpdf(-1.0, 0.0, 0.0, 1.0)
    assert float(value) == pytest.approx(float(densities.normal.logpdf(-1.0, 0.0, 1.0)) - np.log(2), rel=1e-12)
