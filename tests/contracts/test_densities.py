"""Every density obeys the same laws. To add one, add a row to `density_table`."""

import doctest
import inspect
from functools import cache

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from density_table import TABLE

from jaxmle.densities import laplace

EPS = np.finfo(float).eps
per_density = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)


def _call(function, row, values):
    """Call with a vector of (y, parameters) or (parameters), which some densities take as a vector."""
    split = len(values) - len(row.typical)
    return function(*values[:split], *row.pack(*values[split:]))


def _scalar(row):
    return lambda *values: _call(row.logprob, row, values)


@cache
def _compiled(name):
    row = next(row for row in TABLE if row.name == name)
    f = _scalar(row)

    def everything(*v):
        along = tuple(jnp.full_like(x, i in row.free) for i, x in enumerate(v))
        value, forward = jax.jvp(f, v, along)
        return value, forward, jax.grad(f, row.free)(*v), jax.hessian(f, row.free)(*v)

    return jax.jit(jax.vmap(everything))


@cache
def _everywhere(name):
    """Value, slope along (1, ..., 1) in forward mode, gradient and Hessian on all rows, compiled once."""
    row = next(row for row in TABLE if row.name == name)
    parts = zip(row.grid, _columns(row.points), _columns(row.invalid), strict=True)
    columns = [np.concatenate(part) for part in parts]
    return jax.tree.map(np.asarray, _compiled(name)(*columns))


def _columns(rows):
    return [np.array(column, float) for column in zip(*rows, strict=True)]


def _on(part, row):
    """The results on one of "grid", "points" and "invalid"."""
    n, k = len(row.grid[0]), len(row.points)
    where = {"grid": slice(0, n), "points": slice(n, n + k), "invalid": slice(n + k, None)}[part]
    return jax.tree.map(lambda x: x[where], _everywhere(row.name))


def _exact(row, values):
    with mp.workdps(50):
        return row.exact(*map(mp.mpf, map(float, values)))


@per_density
def test_value_equals_the_exact_one(row):
    """To 1e-12, or four times the effect of rounding the arguments."""
    value, _, gradient, _ = _on("grid", row)
    with np.errstate(invalid="ignore"):
        rounding = sum(np.abs(np.asarray(g) * row.grid[i]) for g, i in zip(gradient, row.free, strict=True))
    for i, point in enumerate(zip(*row.grid, strict=True)):
        exact = _exact(row, point)
        if abs(exact) > np.finfo(float).max:
            assert value[i] == -np.inf, point
            continue
        error = abs(mp.mpf(float(value[i])) - exact)
        noise = rounding[i] if np.isfinite(rounding[i]) else 0.0
        assert error <= 1e-12 * abs(exact) + EPS * (4 * noise + row.absolute) + 1e-300, (
            point,
            float(value[i]),
            float(exact),
        )


@per_density
def test_derivatives_are_finite_where_the_density_is(row):
    value, _, gradient, hessian = _on("grid", row)
    squares = [np.abs(np.asarray(x)) for x in row.grid]
    # Derivatives that leave the range of the dtype, like y / scale^2 at a scale of 1e-300, are exempt.
    ordinary = np.isfinite(value) & np.all(
        [(s == 0) | ((s > 1e-100) & (s < 1e100)) | np.isinf(s) for s in squares], axis=0
    )
    assert ordinary.sum() > 5
    for leaf in jax.tree.leaves((gradient, hessian)):
        bad = ordinary & ~np.isfinite(leaf)
        assert not bad.any(), np.stack(row.grid)[:, bad].T


@per_density
def test_derivatives_equal_the_exact_ones(row):
    _, _, gradient, hessian = _on("points", row)
    for i, point in enumerate(row.points):
        k = len(row.free)
        for a in range(k):
            order = [int(j == a) for j in range(k)]
            _close(gradient[a][i], _derivative(row, point, order), (row.name, point, a))
            for b in range(a, k):
                second = [int(j == a) + int(j == b) for j in range(k)]
                exact = _derivative(row, point, second)
                _close(hessian[a][b][i], exact, (row.name, point, a, b))
                _close(hessian[b][a][i], exact, (row.name, point, b, a))


def _derivative(row, point, orders):
    """By mpmath's differences, in units of each argument; one-sided in a y of 0."""
    with mp.workdps(120):
        at = [mp.mpf(float(x)) for x in point]
        units = [abs(at[j]) if at[j] else mp.mpf(1) for j in row.free]

        def along(*steps):
            full = list(at)
            for j, unit, step in zip(row.free, units, steps, strict=True):
                full[j] += unit * step
            return row.exact(*full)

        one_sided = point[0] == 0 and row.free[0] == 0
        zero = (mp.mpf(0),) * len(orders)
        slope = mp.diff(along, zero, tuple(orders), h=mp.mpf(10) ** -40, direction=int(one_sided))
        return slope / mp.fprod(unit**n for unit, n in zip(units, orders, strict=True))


def _close(got, exact, where):
    """To 1e-8, relative; what is below 1e-38 is the differences' own error."""
    error = abs(mp.mpf(float(got)) - exact)
    assert error <= 1e-8 * abs(exact) + mp.mpf(10) ** -38, (where, float(got), float(exact))


@per_density
def test_forward_equals_reverse(row):
    _, forward, reverse, _ = _on("points", row)
    size = sum(np.abs(g) for g in reverse)
    assert np.all(np.abs(forward - sum(reverse)) <= 1e-12 * size), (forward, reverse)


@per_density
def test_value_equals_scipy(row):
    """At ordinary parameters, to scipy's accuracy: the exact formulas above mean what scipy means."""
    y = _ordinary(row)
    frozen = row.frozen(*row.typical)
    scipy = getattr(frozen, "logpdf", frozen.logpmf if _discrete(row) else None)(y)
    np.testing.assert_allclose(_at_typical("logprob", row, y), scipy, rtol=1e-12, atol=1e-14)


def _discrete(row):
    return hasattr(row.module, "logpmf")


def _ordinary(row):
    """Observations around the typical parameters, inside the support."""
    y = np.arange(0.0, 60.0) if _discrete(row) else np.linspace(-40.0, 40.0, 161) + 0.01
    return y[np.asarray(_at_typical("support", row, y))]


def _at_typical(function, row, y):
    """At a vector of y and the typical parameters; one program of one shape for all functions of a density."""
    y = np.asarray(y, float)
    padded = np.append(y, np.full(2048 - len(y), np.nan))
    return np.asarray(_together(row.name)(padded)[function])[: len(y)]


@cache
def _together(name):
    row = next(row for row in TABLE if row.name == name)
    functions = {f: getattr(row.module, f, None) for f in ("support", "logcdf", "logsf", "quantile")}
    functions = {"logprob": row.logprob} | {name: f for name, f in functions.items() if f}
    return jax.jit(jax.vmap(lambda y: {name: f(y, *_typical(row)) for name, f in functions.items()}))


def _typical(row):
    """The typical parameters, as the density takes them."""
    return row.pack(*(jnp.float64(x) for x in row.typical))


@per_density
def test_outside_the_support_is_minus_infinity(row):
    value, _, gradient, hessian = _on("invalid", row)
    assert np.all(np.asarray(value) == -np.inf), value
    if _discrete(row):
        assert all(np.all(np.asarray(leaf) == 0) for leaf in jax.tree.leaves((gradient, hessian)))
    assert not np.any([_call(row.module.support, row, tuple(map(jnp.asarray, v))) for v in row.invalid])


@per_density
def test_support_holds_on_the_grid(row):
    assert np.all(jax.vmap(lambda *v: _call(row.module.support, row, v))(*row.grid))
    assert isinstance(row.module.SUPPORT, str)


@per_density
def test_missing_is_nan(row):
    assert np.isnan(_at_typical("logprob", row, np.array([np.nan]))).all()
    assert not np.any(_at_typical("support", row, np.array([np.nan])))


@per_density
def test_a_parameter_that_is_not_one_gives_nan(row):
    positive = [i for i, name in enumerate(_arguments(row)) if name in row.positive]
    for i in positive:
        bad = [*row.points[0]]
        bad[i] = -1.0
        assert np.isnan(row.logprob(*bad)), bad


def _arguments(row):
    return list(inspect.signature(row.logprob).parameters)


@per_density
def test_jit_equals_eager_and_vmap_equals_a_loop(row):
    """To 1e-12: fused operations round differently."""
    value = _on("points", row)[0]
    loop = np.array([_scalar(row)(*map(jnp.asarray, map(float, point))) for point in row.points])
    np.testing.assert_allclose(value, loop, rtol=1e-12)


@per_density
def test_scalars_broadcast(row):
    y = _ordinary(row)[:3]
    each = [float(row.logprob(float(one), *row.pack(*row.typical))) for one in y]
    np.testing.assert_allclose(_at_typical("logprob", row, y), each, rtol=1e-12)


def test_derivatives_in_scalars_are_the_sums_over_the_rows():
    """A rule for derivatives in two arguments, one of them a scalar beside an array."""
    for name in ("inverse_gamma", "pareto", "weibull", "genextreme", "student_t", "poisson"):
        row = next(row for row in TABLE if row.name == name)
        y = jnp.asarray(_ordinary(row)[:3], float)
        at, places = [jnp.asarray(float(x)) for x in row.typical], tuple(range(len(row.typical)))
        whole = jax.grad(lambda *at, y=y, row=row: jnp.sum(row.logprob(y, *at)), places)(*at)
        each = [jax.grad(lambda *at, one=one, row=row: row.logprob(one, *at), places)(*at) for one in y]
        np.testing.assert_allclose(whole, np.sum(each, axis=0), rtol=1e-12)


@per_density
def test_any_dtype_of_observation(row):
    """Integers and booleans are cast to the dtype of the parameters, and so is a float32."""
    ys = [np.array([1, 1], dtype) for dtype in (np.int32, np.bool_, np.float32)]
    parameters = row.pack(*(jnp.full(2, np.float64(x)) for x in row.typical))
    parameters = [jnp.moveaxis(x, 0, -1) for x in parameters]
    every = jax.jit(lambda *ys: [row.logprob(y, *parameters) for y in ys])
    results = every(*ys)
    for got in results:
        assert got.dtype == jnp.float64
        np.testing.assert_allclose(got, results[0], rtol=1e-12)
    narrow = jax.eval_shape(row.logprob, ys[0], *(x.astype(np.float32) for x in parameters))
    assert narrow.dtype == jnp.float32


@per_density
def test_float32_to_its_limit(row):
    """Where the arguments are ordinary numbers of float32; the same allowance, in its units."""
    usual = np.all([(np.abs(c) < 1e4) & ((c == 0) | (np.abs(c) > 1e-4)) for c in row.grid], axis=0)
    columns = [c[usual].astype(np.float32) for c in row.grid]
    f = _scalar(row)
    both = jax.jit(jax.vmap(lambda *v: (f(*v), jax.grad(f, row.free)(*v))))
    value, gradient = jax.tree.map(np.asarray, both(*columns))
    exact = np.asarray(jax.jit(jax.vmap(f))(*(c.astype(float) for c in columns)))
    assert value.dtype == np.float32
    assert all(np.isfinite(g)[np.isfinite(value)].all() for g in gradient)
    gradient = [np.where(np.isfinite(value), g, 0.0) for g in gradient]
    noise = sum(np.abs(g * columns[i]) for g, i in zip(gradient, row.free, strict=True))
    eps, seen = np.finfo(np.float32).eps, (np.abs(exact) < 1e38) & (np.abs(exact) > 1e-37)
    allowed = eps * (64 * np.abs(exact) + 8 * noise + row.absolute)
    with np.errstate(invalid="ignore"):
        wrong = seen & ~(np.abs(value.astype(float) - exact) <= allowed)
    assert not wrong.any(), (np.stack(columns)[:, wrong].T, value[wrong], exact[wrong])


@per_density
def test_probabilities_sum_to_one(row):
    if _discrete(row):
        total = np.exp(_at_typical("logprob", row, np.arange(0.0, 400.0))).sum()
    else:
        frozen = row.frozen(*row.typical)
        t = np.linspace(0, 1, 401)[1:-1]
        y = frozen.ppf(t)
        # The mean over equal probabilities of density / reference density.
        total = np.mean(np.exp(_at_typical("logprob", row, y)) / frozen.pdf(y))
    assert total == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("row", [row for row in TABLE if hasattr(row.module, "logcdf")], ids=lambda row: row.name)
def test_distribution_functions_equal_scipy(row):
    y = np.concatenate([_ordinary(row), [-1.0, 1e3]])
    frozen = row.frozen(*row.typical)
    ours = [_at_typical(f, row, np.append(y, np.nan)) for f in ("logcdf", "logsf")]
    with np.errstate(divide="ignore"):
        lower, upper = frozen.logcdf(y), frozen.logsf(y)
        # scipy's log of a probability near 1 has lost its digits; that of the complement has them.
        pairs = ((lower, upper), (upper, lower))
        exact = [np.where(here > -0.1, np.log1p(-np.exp(there)), here) for here, there in pairs]
    for got, expected in zip(ours, exact, strict=True):
        known = expected > -600
        np.testing.assert_allclose(got[:-1][known], expected[known], rtol=1e-10, atol=1e-300)
        assert np.isnan(got[-1])


@pytest.mark.parametrize(
    "name,y,parameters,upper",
    [
        ("normal", 60.0, (0.0, 1.0), lambda y, m, s: mp.log(mp.erfc(y / mp.sqrt(2)) / 2)),
        ("normal", 12.0, (0.0, 1.0), lambda y, m, s: mp.log(mp.erfc(y / mp.sqrt(2)) / 2)),
        ("gamma", 2000.0, (3.0, 1.0), lambda y, a, s: mp.log(mp.gammainc(a, y, regularized=True))),
        ("gamma", 40.0, (3.0, 1.0), lambda y, a, s: mp.log(mp.gammainc(a, y, regularized=True))),
        ("poisson", 500.0, (0.0,), lambda y, t: mp.log(mp.gammainc(y + 1, 0, mp.exp(t), regularized=True))),
        ("laplace", 900.0, (0.0, 1.0), lambda y, m, s: -y - mp.log(2)),
    ],
)
def test_deep_tails(name, y, parameters, upper):
    """Past the underflow of the probability: the value, and its derivative in the argument of interest."""
    module = next(row.module for row in TABLE if row.name == name)
    at = 1 if name == "poisson" else 0
    got, slope = jax.jit(jax.value_and_grad(module.logsf, at))(y, *parameters)
    with mp.workdps(60):
        arguments = list(map(mp.mpf, (y, *parameters)))
        exact = mp.diff(lambda x: upper(*arguments[:at], x, *arguments[at + 1 :]), arguments[at], h=mp.mpf(10) ** -20)
        assert float(got) == pytest.approx(float(upper(*arguments)), rel=1e-11)
        assert float(slope) == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize("row", [row for row in TABLE if hasattr(row.module, "quantile")], ids=lambda row: row.name)
def test_quantile_inverts_the_distribution_function(row):
    q = np.array([1e-10, 0.01, 0.3, 0.5, 0.9, 0.999])
    np.testing.assert_allclose(_at_typical("quantile", row, q), row.frozen(*row.typical).ppf(q), rtol=1e-12, atol=1e-15)


@per_density
def test_samples_have_the_right_moments(row):
    """Within five standard errors, the fourth moment taken from the sample."""
    count = 20_000
    parameters = _typical(row)
    draws = jax.jit(lambda key: row.module.sample(key, *parameters, shape=(count,)))(jax.random.key(7))
    assert draws.shape == (count,)
    x, frozen = np.asarray(draws, float), row.frozen(*row.typical)
    assert _at_typical("support", row, x[:2000]).all()
    mean, variance = frozen.stats(moments="mv")
    if np.isfinite(variance) and row.name != "von_mises":
        _moments_are(x, mean, variance)
    else:
        _moments_are(frozen.cdf(x), 0.5, 1 / 12)
    for name, exact in (("mean", mean), ("variance", variance)):
        if hasattr(row.module, name):
            np.testing.assert_allclose(getattr(row.module, name)(*parameters), exact, rtol=1e-12)
    assert jax.eval_shape(row.module.sample, jax.random.key(0), *parameters).shape == ()


def _moments_are(x, mean, variance):
    assert abs(x.mean() - mean) < 5 * np.sqrt(variance / len(x))
    squares = (x - mean) ** 2
    assert abs(squares.mean() - variance) < 5 * squares.std() / np.sqrt(len(x))


@per_density
def test_docstrings_are_whole_and_their_examples_run(row):
    for section in ("Formula: ", "Args:", "Returns:", "Example:", ">>> ", "Source: "):
        assert section in row.logprob.__doc__
    functions = [f for n, f in vars(row.module).items() if inspect.isfunction(f) and n[0] != "_"]
    for f in (f for f in functions if f.__module__ == row.module.__name__):
        assert ">>> " in f.__doc__, f.__name__
    results = doctest.testmod(row.module)
    assert results.attempted > 3
    assert results.failed == 0


def test_the_room_is_whole():
    from jaxmle import densities

    made = {"censored", "hurdle", "mixture", "transformed", "truncated", "zero_inflated"}
    vectors = {"multinomial", "dirichlet", "dirichlet_multinomial", "lkj_cholesky"}
    vectors |= {"multivariate_normal", "multivariate_normal_precision", "multivariate_normal_low_rank"}
    vectors |= {"multivariate_student_t"}
    assert {row.name for row in TABLE} | made | vectors == set(densities.__all__)
    assert doctest.testmod(densities).failed == 0


def test_the_corner_of_the_laplace_density_has_the_middle_of_its_slopes():
    assert float(jax.grad(lambda loc: laplace.logpdf(1.0, loc, 2.0))(1.0)) == 0.0
