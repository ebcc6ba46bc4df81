"""Densities made from densities: against scipy, statsmodels and mpmath; derivatives that are numbers; fits."""

import doctest
import types

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

import jaxmle as jm
from jaxmle import densities as d
from jaxmle.densities import censoring, mixing, transformation, truncation, zeros

INF = np.inf


def _each(density, ys, *parameters, what=None):
    """Values and gradients in all scalar parameters, compiled."""
    function = what or density.log_density

    def one(y, *p):
        return jax.value_and_grad(lambda p: function(y, *p))(p)

    columns = [np.broadcast_to(np.asarray(x, float), (len(ys), *np.shape(np.asarray(x))[1:])) for x in parameters]
    value, slopes = jax.jit(jax.vmap(one))(np.asarray(ys, float), *columns)
    assert all(np.isfinite(slope).all() for slope in jax.tree.leaves(slopes)), slopes
    return np.asarray(value)


def test_truncated_equals_scipy():
    """In the middle and far in either tail, where scipy's truncnorm is exact to 1e-10."""
    y, lower, upper = (
        np.array([0.3, 1.0, 20.5, -20.1]),
        np.array([0.0, -INF, 20.0, -21.0]),
        np.array([2.0, 1.5, INF, -20]),
    )
    got = _each(d.truncated(d.normal), y, np.full(4, 0.2), np.full(4, 1.3), lower, upper)
    exact = stats.truncnorm.logpdf(y, (lower - 0.2) / 1.3, (upper - 0.2) / 1.3, 0.2, 1.3)
    np.testing.assert_allclose(got, exact, rtol=1e-10)


def test_moments_of_the_truncated_normal_and_their_slopes():
    """Against scipy, bounds absent, on both sides, on one and close; slopes against central differences, to 1e-7."""
    rows = np.array([[0.2, 1.3, -INF, INF], [0.2, 1.3, 0.0, 2.0], [0.2, 1.3, 4.0, INF], [0.2, 1.3, 1.0, 1.01]])
    for name, moment in (("mean", 0), ("variance", 1)):
        function = getattr(d.truncated_normal, name)
        value, slopes = jax.jit(jax.vmap(jax.value_and_grad(lambda p, f=function: f(*p))))(rows)
        exact = [stats.truncnorm((low - m) / s, (up - m) / s, m, s).stats("mv")[moment] for m, s, low, up in rows]
        exact[3] = (1.0049960305813224, 8.333307443036590e-06)[moment]  # by mpmath: scipy has lost digits
        np.testing.assert_allclose(value, exact, rtol=1e-9)
        for i in (0, 1):
            step = 1e-5 * np.eye(4)[i]
            ends = [jax.vmap(lambda p, f=function: f(*p))(rows + h) for h in (step, -step)]
            np.testing.assert_allclose(slopes[:, i], (ends[0] - ends[1]) / 2e-5, rtol=1e-7, atol=1e-9)


def test_truncated_counts():
    """Both bounds belong to what is left."""
    density, y = d.truncated(d.poisson), np.arange(-1.0, 8.0)
    base = stats.poisson(np.exp(0.4))
    mass = base.pmf(np.arange(2, 6)).sum()
    got = _each(density, y, np.full(9, 0.4), np.full(9, 2.0), np.full(9, 5.0))
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(got, np.where((y >= 2) & (y <= 5), base.logpmf(y) - np.log(mass), -INF), rtol=1e-12)
        share = np.log(np.cumsum(np.exp(got)))
    ones = np.full(9, 0.4), np.full(9, 2.0), np.full(9, 5.0)
    np.testing.assert_allclose(_each(density, y, *ones, what=density.logcdf), share, rtol=1e-12, atol=1e-15)
    over = np.exp(_each(density, y, *ones, what=density.logsf))
    np.testing.assert_allclose(over, 1 - np.exp(share), atol=1e-14)


def test_truncated_draws():
    draws = d.truncated(d.normal).sample(jax.random.key(1), 0.2, 1.3, 1.0, 2.0, shape=(20_000,))
    exact = stats.truncnorm((1.0 - 0.2) / 1.3, (2.0 - 0.2) / 1.3, 0.2, 1.3)
    assert stats.kstest(draws, exact.cdf).pvalue > 0.001


def test_censored_intervals():
    """Exact, left, right and interval; past the underflow of the probability."""
    y, upper = np.array([1.0, -INF, 0.5, 0.5, 30.0, -INF]), np.array([1.0, 0.4, INF, 2.0, 31.0, INF])
    got = _each(d.censored(d.normal), y, np.full(6, 0.2), np.full(6, 1.3), upper)
    z = stats.norm(0.2, 1.3)
    known = [z.logpdf(1.0), z.logcdf(0.4), z.logsf(0.5), np.log(z.cdf(2.0) - z.cdf(0.5))]
    with mp.workdps(300):
        far = float(mp.log(mp.ncdf(30.8 / mp.mpf(1.3)) - mp.ncdf(29.8 / mp.mpf(1.3))))
    np.testing.assert_allclose(got, [*known, far, 0.0], rtol=1e-12)


def test_censored_counts_include_both_ends():
    got = _each(d.censored(d.poisson), [2.0, 3.0, 0.0], np.full(3, 0.4), [4.0, INF, 0.0])
    base = stats.poisson(np.exp(0.4))
    np.testing.assert_allclose(got, np.log([base.pmf([2, 3, 4]).sum(), base.sf(2), base.pmf(0)]), rtol=1e-12)


def test_censored_says_what_it_cannot_be():
    density = d.censored(d.gamma)
    assert float(density.logpdf(2.0, 1.5, 1.0, 1.0)) == -INF
    assert not bool(density.support(2.0, 1.5, 1.0, 1.0))
    assert float(density.logpdf(-2.0, 1.5, 1.0, -1.0)) == -INF
    assert np.isnan(float(density.logpdf(np.nan, 1.5, 1.0, 1.0)))
    assert np.isnan(float(density.logpdf(1.0, 1.5, 1.0, np.nan)))


SIDES = [
    ("right", [0.7, 3.0, 2.0, -INF], [0.7, INF, INF, INF]),
    ("left", [0.7, -INF, -INF, -INF], [0.7, 3.0, 2.0, INF]),
]


@pytest.mark.parametrize("side,y,upper", SIDES)
@pytest.mark.parametrize(
    "base,parameters",
    [
        (d.normal, (0.4, 1.3)),
        pytest.param(d.weibull, (1.6, 1.2), marks=pytest.mark.always(1)),
        (d.poisson, (0.4,)),
    ],
)
def test_censored_to_one_side_is_censored(side, y, upper, base, parameters):
    """The value and its derivatives, to second order, are those of the density that knows no side."""
    ends = [np.ceil(end) if base is d.poisson else np.asarray(end) for end in (y, upper)]

    def both(y, upper):
        def values(parameters):
            pair = (
                density.log_density(y, *parameters, upper) for density in (d.censored(base), d.censored(base, side))
            )
            return jnp.stack([*pair])

        return values(parameters), jax.jacfwd(values)(parameters), jax.hessian(values)(parameters)

    for leaf in jax.tree.leaves(jax.jit(jax.vmap(both))(*ends)):
        assert np.isfinite(leaf).all()
        np.testing.assert_allclose(leaf[:, 0], leaf[:, 1], rtol=1e-11, atol=1e-15)


def test_censored_to_one_side_refuses_the_other():
    right, left = d.censored(d.weibull, "right"), d.censored(d.weibull, "left")
    assert float(right.logpdf(1.0, 1.5, 1.0, 2.0)) == float(right.logpdf(-INF, 1.5, 1.0, 2.0)) == -INF
    assert float(left.logpdf(1.0, 1.5, 1.0, INF)) == -INF
    assert not bool(right.support(1.0, 1.5, 1.0, 2.0))
    assert right != left
    assert np.isnan(float(right.logpdf(np.nan, 1.5, 1.0, INF)))
    upper = np.array([1.0, INF, 3.0])
    term = jm.regression(right, lambda p, u: (p["c"], p["scale"], u), upper, np.array([1.0, 2.0, 2.0]))
    with pytest.raises(ValueError, match=r"y is 2\.0 at row 2, .* or the lower end of an interval up to infinity"):
        jm.fit(term, {"c": jm.positive(1.0), "scale": jm.positive(1.0)})
    with pytest.raises(ValueError, match="side must be 'right', 'left' or None"):
        d.censored(d.weibull, "above")


def test_censored_to_one_side_needs_one_function():
    base = types.SimpleNamespace(logpdf=d.gamma.logpdf, logsf=d.gamma.logsf, support=d.gamma.support, SUPPORT="")
    known = 1.0, 1.5, 2.0, INF
    assert float(d.censored(base, "right").logpdf(*known)) == float(d.gamma.logsf(*known[:3]))
    with pytest.raises(TypeError, match="has no logcdf"):
        d.censored(base, "left")
    del base.SUPPORT
    assert d.censored(base, "right").SUPPORT.startswith("what the density can produce, where")


@pytest.mark.parametrize("name,scipy", [("weibull", stats.weibull_min), ("gamma", stats.gamma)])
def test_censored_fit_equals_scipy(name, scipy):
    """Times cut at 2: the estimates of scipy, and never a lower log-likelihood."""
    rng = np.random.default_rng(5)
    times = scipy.rvs(1.6, scale=1.5, size=80, random_state=rng)
    upper = np.where(times > 2.0, INF, times)
    y = np.minimum(times, 2.0)
    term = jm.regression(d.censored(getattr(d, name)), lambda p, u: (p["c"], p["scale"], u), upper, y)
    fit = jm.fit(term, {"c": jm.positive(1.0), "scale": jm.positive(1.0)})
    data = stats.CensoredData.right_censored(y, times > 2.0)
    shape, _, scale = scipy.fit(data, floc=0)
    assert fit.ok, fit.message
    np.testing.assert_allclose([fit.params["c"], fit.params["scale"]], [shape, scale], rtol=1e-4)
    theirs = scipy(shape, scale=scale)
    reached = np.where(times > 2.0, theirs.logsf(2.0), theirs.logpdf(y)).sum()
    assert float(fit.log_likelihood) >= reached - 1e-9
    assert np.isfinite(float(jm.infer(term, fit).bse["c"]))


def test_mixture_is_the_weighted_sum():
    y, logits = np.array([-40.0, 0.0, 3.0, 90.0]), np.array([[0.4, -1.0]] * 4)
    parameters = [np.full(4, x) for x in (0.0, 1.0, 3.0, 0.5, 1.0, 2.0)]
    density = d.mixture(d.normal, d.normal, d.laplace)
    w = np.exp([0.0, 0.4, -1.0]) / np.exp([0.0, 0.4, -1.0]).sum()
    bases = stats.norm(0, 1), stats.norm(3, 0.5), stats.laplace(1, 2)
    for what, scipy in (("log_density", "logpdf"), ("logcdf", "logcdf"), ("logsf", "logsf")):
        exact = np.logaddexp.reduce([np.log(p) + getattr(b, scipy)(y) for p, b in zip(w, bases, strict=True)])
        got = _each(density, y, logits, *parameters, what=getattr(density, what))
        np.testing.assert_allclose(got, exact, rtol=1e-11)
    mean = sum(p * b.mean() for p, b in zip(w, bases, strict=True))
    square = sum(p * (b.var() + b.mean() ** 2) for p, b in zip(w, bases, strict=True))
    numbers = jnp.array([0.4, -1.0]), 0.0, 1.0, 3.0, 0.5, 1.0, 2.0
    assert float(density.mean(*numbers)) == pytest.approx(mean, rel=1e-13)
    assert float(density.variance(*numbers)) == pytest.approx(square - mean**2, rel=1e-13)
    draws = np.asarray(density.sample(jax.random.key(2), *numbers, shape=(20_000,)))
    cdf = lambda y: sum(p * b.cdf(y) for p, b in zip(w, bases, strict=True))  # noqa: E731
    assert stats.kstest(draws, cdf).pvalue > 0.001


def test_mixture_outside_a_component():
    """Where one component, or each, has no density."""
    density = d.mixture(d.exponential, d.gamma)
    got = _each(density, [-1.0, 0.0, 2.0], np.full((3, 1), 0.3), np.full(3, 2.0), np.full(3, 1.5), np.full(3, 1.0))
    w = 1 / (1 + np.exp(0.3))
    both = np.log(w * stats.expon(scale=2).pdf(2.0) + (1 - w) * stats.gamma(1.5).pdf(2.0))
    np.testing.assert_allclose(got, [-INF, np.log(w / 2), both], rtol=1e-13)


def test_zero_inflated_equals_statsmodels():
    y, t, logits = np.array([0.0, 1.0, 7.0]), 0.4, -0.8
    model = sm.ZeroInflatedPoisson(y, np.ones((3, 1)), np.ones((3, 1)))
    density = d.zero_inflated(d.poisson)
    got = _each(density, y, np.full(3, logits), np.full(3, t))
    np.testing.assert_allclose(got, model.loglikeobs(np.array([logits, t])), rtol=1e-10)
    pi, rate = 1 / (1 + np.exp(-logits)), np.exp(t)
    assert float(density.mean(logits, t)) == pytest.approx((1 - pi) * rate)
    assert float(density.variance(logits, t)) == pytest.approx((1 - pi) * rate * (1 + pi * rate))
    mass = np.cumsum(np.exp(_each(density, np.arange(5.0), np.full(5, logits), np.full(5, t))))
    cdf = _each(density, np.arange(5.0), np.full(5, logits), np.full(5, t), what=density.logcdf)
    sf = _each(density, np.arange(5.0), np.full(5, logits), np.full(5, t), what=density.logsf)
    np.testing.assert_allclose(np.exp(cdf), mass, rtol=1e-12)
    np.testing.assert_allclose(np.exp(sf), 1 - mass, rtol=1e-10)
    draws = np.asarray(density.sample(jax.random.key(3), logits, t, shape=(20_000,)))
    assert abs((draws == 0).mean() - mass[0]) < 5 * 0.5 / np.sqrt(20_000)


def test_hurdle_of_counts_and_of_amounts():
    y, t, logits = np.array([0.0, 1.0, 7.0, -1.0]), 0.4, -0.8
    pi = 1 / (1 + np.exp(-logits))
    got = _each(d.hurdle(d.poisson), y, np.full(4, logits), np.full(4, t))
    base = stats.poisson(np.exp(t))
    with np.errstate(divide="ignore"):
        beyond = np.log1p(-pi) + base.logpmf(y) - base.logsf(0)
    np.testing.assert_allclose(got, np.where(y == 0, np.log(pi), beyond), rtol=1e-12)
    amounts = _each(d.hurdle(d.gamma), y, np.full(4, logits), np.full(4, 1.5), np.full(4, 2.0))
    np.testing.assert_allclose(amounts[:2], [np.log(pi), np.log1p(-pi) + stats.gamma(1.5, scale=2).logpdf(1.0)])
    assert amounts[3] == -INF
    total = float(d.hurdle(d.poisson).mean(logits, t))
    assert total == pytest.approx((1 - pi) * np.exp(t) / base.sf(0))


def test_transformed():
    y = np.array([0.2, 3.0, -1.0, 0.0])
    rising, falling = d.transformed(d.normal, jnp.log, jnp.exp), d.transformed(d.gamma, jnp.reciprocal)
    got = _each(rising, y, np.full(4, 0.3), np.full(4, 0.8))
    exact = stats.lognorm(0.8, scale=np.exp(0.3))
    np.testing.assert_allclose(got, exact.logpdf(y), rtol=1e-13)
    np.testing.assert_allclose(
        _each(rising, y[:2], np.full(2, 0.3), np.full(2, 0.8), what=rising.logcdf), exact.logcdf(y[:2])
    )
    inverse = stats.invgamma(2.5, scale=1 / 1.5)
    args = np.full(4, 2.5), np.full(4, 1.5)
    np.testing.assert_allclose(_each(falling, y, *args), inverse.logpdf(y), rtol=1e-12)
    two = [np.full(2, 2.5), np.full(2, 1.5)]
    np.testing.assert_allclose(_each(falling, y[:2], *two, what=falling.logcdf), inverse.logcdf(y[:2]), rtol=1e-11)
    assert rising.sample(jax.random.key(0), 0.0, 1.0, shape=(3,)).shape == (3,)
    with pytest.raises(TypeError, match="needs the way back"):
        falling.sample(jax.random.key(0), 1.0, 1.0)


def test_made_of_made():
    """A zero-inflated truncated count, and a censored mixture."""
    density = d.censored(d.mixture(d.normal, d.normal))
    assert density.parameters == ("logits", "loc_0", "scale_0", "loc_1", "scale_1", "upper")
    got = _each(density, [1.0], np.array([[0.0]]), [0.0], [1.0], [3.0], [1.0], [INF])
    assert got[0] == pytest.approx(np.log(0.5 * stats.norm.sf(1.0) + 0.5 * stats.norm.sf(-2.0)), rel=1e-13)
    assert hasattr(d.zero_inflated(d.truncated(d.poisson)), "logpmf")
    assert not hasattr(d.truncated(d.normal), "logpmf")
    assert not hasattr(d.truncated(d.gamma), "sample")


def test_made_anew_compiles_nothing():
    traces = []

    def predictor(params, row):
        traces.append(None)
        return params["loc"], params["scale"], -1.0, row

    def fit(upper):
        term = jm.regression(d.truncated(d.normal), predictor, np.full(4, upper), np.array([0.1, 0.5, -0.3, 0.2]))
        return jm.fit(term, {"loc": 0.0, "scale": jm.fixed(1.0)})

    fit(2.0)
    before = len(traces)
    assert fit(3.0).ok
    assert len(traces) == before


def test_float32():
    density = d.censored(d.gamma)
    got = density.logpdf(jnp.float32(1.0), jnp.float32(1.5), jnp.float32(2.0), jnp.float32(INF))
    assert got.dtype == jnp.float32
    assert float(got) == pytest.approx(stats.gamma(1.5, scale=2).logsf(1.0), rel=1e-6)


@pytest.mark.parametrize(
    "make,words",
    [
        (lambda: d.truncated(d.normal.logpdf), "a density is made from a density"),
        (lambda: d.censored(d.skew_normal), "skew_normal has no logcdf"),
        (lambda: d.mixture(d.normal), "two or more"),
        (lambda: d.mixture(d.normal, d.poisson), "has no density: use hurdle"),
        (lambda: d.zero_inflated(d.gamma), "a zero has no probability in it; use hurdle"),
        (lambda: d.transformed(d.poisson, jnp.exp), "is discrete"),
        (lambda: d.mixture(d.normal, d.normal).logpdf(0.0, jnp.zeros(1), 0.0, 1.0), "takes 5 parameters"),
    ],
)
def test_messages(make, words):
    with pytest.raises(TypeError, match=words):
        make()


@pytest.mark.parametrize("module", [censoring, mixing, transformation, truncation, zeros])
def test_docstrings_run(module):
    assert doctest.testmod(module).failed == 0
