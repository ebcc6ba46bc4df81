"""Densities of vectors and matrices: against scipy, mpmath and closed forms."""

import doctest

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy import integrate, stats

import jaxmle as jm
from jaxmle import densities as d

FACTOR = np.array([[1.5, 0.0, 0.0], [-0.4, 0.8, 0.0], [0.7, 0.3, 2.0]])
COV = FACTOR @ FACTOR.T
LOC = np.array([0.3, -1.0, 2.0])
NAMES = ["multinomial", "dirichlet", "dirichlet_multinomial", "lkj_cholesky"]
NAMES += ["multivariate_normal", "multivariate_normal_precision", "multivariate_normal_low_rank"]
NAMES += ["multivariate_student_t"]
LOGITS = np.array([0.4, -0.3, 1.0])
ALPHA = np.array([0.5, 2.0, 7.5])


def _check(module, ys, parameters, scipy, rtol=1e-12):
    """Compiled over observations; in float32 too; a NaN stays one."""
    logprob = getattr(module, "logpdf", None) or module.logpmf
    parameters = [jnp.asarray(p, float) for p in parameters]
    lanes = jax.jit(jax.vmap(lambda y, *p: logprob(y, *p), (0, *[None] * len(parameters))))
    np.testing.assert_allclose(lanes(ys, *parameters), scipy, rtol=rtol)
    # Shares are summed to 4e-4 in float32; what is not rounded there is right to some tens of eps.
    single = lanes(ys.astype(np.float32), *(p.astype(jnp.float32) for p in parameters))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, scipy, rtol=1e-4, atol=1e-5)
    assert np.isnan(lanes(np.full_like(ys[:1], np.nan), *parameters)).all()
    assert bool(jax.vmap(lambda y: module.support(y, *parameters))(ys).all())


def test_multivariate_normal():
    ys = np.random.default_rng(1).normal(size=(5, 3)) * [1, 10, 100]
    exact = stats.multivariate_normal(LOC, COV).logpdf(ys)
    _check(d.multivariate_normal, ys, (LOC, FACTOR), exact)
    _check(d.multivariate_normal_precision, ys, (LOC, np.linalg.inv(COV)), exact)


def test_multivariate_normal_of_low_rank():
    """Also where the factors explain nearly all, and the residual is a ten thousandth of what is explained."""
    ys = np.random.default_rng(4).normal(size=(5, 3)) * [1, 10, 100]
    loadings = np.array([[1.0, 0.0], [-0.5, 2.0], [0.3, 0.7]])
    for variances in ([0.5, 1.0, 2.0], [1e-4, 1e-4, 1e-4]):
        exact = stats.multivariate_normal(LOC, loadings @ loadings.T + np.diag(variances)).logpdf(ys)
        rtol = 1e-12 if variances[0] > 0.1 else 1e-8  # scipy's eigenvalues lose four digits
        _check(d.multivariate_normal_low_rank, ys, (LOC, loadings, variances), exact, rtol)
    assert np.isnan(float(d.multivariate_normal_low_rank.logpdf(LOC, LOC, loadings, -np.ones(3))))


def test_what_is_above_the_diagonal_is_not_looked_at():
    filled = FACTOR + np.triu(np.full((3, 3), 9.0), 1)
    for density, first in ((d.multivariate_normal, ()), (d.multivariate_student_t, (3.0,))):
        same = [float(density.logpdf(np.ones(3), *first, LOC, factor)) for factor in (FACTOR, filled)]
        assert same[0] == same[1]
        np.testing.assert_allclose(*(density.variance(*first, LOC, factor) for factor in (FACTOR, filled)))


def test_no_factor_gives_nan():
    wrong = FACTOR * np.array([1.0, -1.0, 1.0])
    assert np.isnan(float(d.multivariate_normal.logpdf(LOC, LOC, wrong)))
    assert np.isnan(float(d.multivariate_normal_precision.logpdf(LOC, LOC, -np.eye(3))))


def test_multivariate_student_t():
    ys = np.random.default_rng(2).normal(size=(5, 3)) * [1, 10, 100]
    for df in (0.5, 4.0, 60.0):
        _check(d.multivariate_student_t, ys, (df, LOC, FACTOR), stats.multivariate_t(LOC, COV, df=df).logpdf(ys))
    far = d.multivariate_student_t.logpdf(ys[0], 1e12, LOC, FACTOR)
    assert float(far) == pytest.approx(stats.multivariate_normal(LOC, COV).logpdf(ys[0]), rel=1e-9)


@pytest.mark.parametrize("df", [3.0, 1e6])
def test_multivariate_student_t_derivatives_in_df(df):
    """To 1e-8, at a million degrees of freedom too, where both are the small differences of large terms."""
    y = np.array([1.0, 0.5, -2.0])
    square = float(np.sum(np.linalg.solve(FACTOR, y - LOC) ** 2))

    def exact(v):
        return (
            mp.loggamma((v + 3) / 2) - mp.loggamma(v / 2) - 1.5 * mp.log(v) - (v + 3) / 2 * mp.log1p(mp.mpf(square) / v)
        )

    def first(v):
        return d.multivariate_student_t.logpdf(y, v, LOC, FACTOR)

    with mp.workdps(60):
        slope, bend = (float(mp.diff(exact, mp.mpf(df), n, h=mp.mpf(10) ** -20)) for n in (1, 2))
    assert float(jax.grad(first)(df)) == pytest.approx(slope, rel=1e-8)
    assert float(jax.grad(jax.grad(first))(df)) == pytest.approx(bend, rel=1e-8)


def test_multinomial():
    p = np.exp(LOGITS) / np.exp(LOGITS).sum()
    ys = np.array([[1.0, 0.0, 6.0], [7.0, 0.0, 0.0], [2.0, 3.0, 2.0]])
    _check(d.multinomial, ys, (7.0, LOGITS), stats.multinomial(7, p).logpmf(ys))
    assert float(d.multinomial.logpmf(np.array([1, 1, 1]), 7, LOGITS)) == -np.inf
    assert float(d.multinomial.logpmf(np.array([8, -1, 0]), 7, LOGITS)) == -np.inf
    assert float(d.multinomial.logpmf(np.zeros(3), 0, LOGITS)) == 0.0
    slope = jax.grad(d.multinomial.logpmf, 2)(ys[0], 7.0, LOGITS)
    np.testing.assert_allclose(slope, ys[0] - 7 * p, rtol=1e-12)
    bend = jax.hessian(d.multinomial.logpmf, 2)(ys[0], 7.0, LOGITS)
    np.testing.assert_allclose(bend, -7 * (np.diag(p) - np.outer(p, p)), atol=1e-13)


def test_large_multinomial_is_exact():
    """Counts of a million, where the textbook formula has lost seven digits."""
    y, logits = [400_123, 1_099_877, 500_000], [-0.9, 0.1, -0.7]
    with mp.workdps(50):
        log_sum = mp.log(mp.fsum(map(mp.exp, map(mp.mpf, logits))))
        exact = mp.loggamma(2_000_001) + mp.fsum(
            k * (mp.mpf(l) - log_sum) - mp.loggamma(k + 1) for k, l in zip(y, logits, strict=True)
        )
    got = float(d.multinomial.logpmf(np.array(y), 2_000_000, np.array(logits)))
    assert got == pytest.approx(float(exact), rel=1e-11)


def test_dirichlet():
    ys = np.random.default_rng(3).dirichlet(ALPHA, size=4)
    _check(d.dirichlet, ys, (ALPHA,), stats.dirichlet(ALPHA).logpdf(ys.T))
    assert float(d.dirichlet.logpdf(np.array([0.5, 0.6, -0.1]), ALPHA)) == -np.inf
    assert float(d.dirichlet.logpdf(np.array([0.5, 0.6, 0.1]), ALPHA)) == -np.inf
    trigamma, y = jax.scipy.special.polygamma, ys[0] / ys[0].sum()
    bend = np.asarray(jax.hessian(d.dirichlet.logpdf, 1)(y, ALPHA))
    exact = trigamma(1, ALPHA.sum()) - np.diag(trigamma(1, ALPHA))
    np.testing.assert_allclose(bend, exact, rtol=1e-9)
    np.testing.assert_allclose(d.dirichlet.information(ALPHA), -exact, rtol=1e-12)


def test_dirichlet_multinomial():
    ys = np.array([[1.0, 0.0, 6.0], [7.0, 0.0, 0.0], [2.0, 3.0, 2.0]])
    _check(d.dirichlet_multinomial, ys, (ALPHA, 7.0), stats.dirichlet_multinomial(ALPHA, 7).logpmf(ys))
    assert float(d.dirichlet_multinomial.logpmf(np.array([1, 1, 1]), ALPHA, 7)) == -np.inf

    def exact(*alpha):
        total = mp.fsum(alpha)
        each = [mp.loggamma(k + a) - mp.loggamma(a) for k, a in zip(ys[0], alpha, strict=True)]
        return mp.loggamma(total) - mp.loggamma(total + 7) + mp.fsum(each)

    bend = jax.hessian(d.dirichlet_multinomial.logpmf, 1)(ys[0], ALPHA, 7.0)
    with mp.workdps(60):
        for i, orders in ((0, (2, 0, 0)), (1, (1, 1, 0)), (2, (1, 0, 1))):
            true = float(mp.diff(exact, tuple(map(mp.mpf, ALPHA)), orders, h=mp.mpf(10) ** -20))
            assert float(bend[0, i]) == pytest.approx(true, rel=1e-9)


def test_lkj_of_two_is_the_density_of_a_correlation():
    """(1 - r^2)^(eta - 1) over its integral."""
    for eta in (0.7, 1.0, 4.0):
        total = integrate.quad(lambda r, e=eta: (1 - r * r) ** (e - 1), -1, 1)[0]
        r = 0.37
        factor = np.array([[1.0, 0.0], [r, np.sqrt(1 - r * r)]])
        exact = (eta - 1) * np.log(1 - r * r) - np.log(total)
        assert float(d.lkj_cholesky.logpdf(factor, eta)) == pytest.approx(exact, rel=1e-7)


def test_lkj_of_three_integrates_to_one():
    """Over r and the two angles of the third row, entries below the diagonal being the coordinates."""
    r, s, t = np.meshgrid(*[np.linspace(-1, 1, 82)[1:-1]] * 3, indexing="ij")
    rest = 1 - s * s - t * t
    inside = rest > 0
    r, s, t, rest = r[inside], s[inside], t[inside], rest[inside]
    rows = np.zeros((r.size, 3, 3))
    rows[:, 0, 0], rows[:, 1, 0], rows[:, 1, 1] = 1, r, np.sqrt(1 - r * r)
    rows[:, 2, 0], rows[:, 2, 1], rows[:, 2, 2] = s, t, np.sqrt(rest)
    density = jnp.exp(jax.vmap(lambda y: d.lkj_cholesky.logpdf(y, 3.0))(rows))
    assert float(density.sum()) * (2 / 81) ** 3 == pytest.approx(1.0, rel=1e-3)


def test_lkj_refuses_what_is_no_factor():
    for wrong in (FACTOR, np.ones((3, 3)) / 3**0.5, np.diag([1.0, -1.0, 1.0])):
        assert float(d.lkj_cholesky.logpdf(wrong, 2.0)) == -np.inf
    assert np.isnan(float(d.lkj_cholesky.logpdf(np.full((3, 3), np.nan), 2.0)))


def test_lkj_draws():
    """Each correlation of a matrix of K rows is 2 B - 1 with B beta of eta - 1 + K/2 twice."""
    factors = d.lkj_cholesky.sample(jax.random.key(4), 1.5, 4, shape=(4000,))
    assert bool(d.lkj_cholesky.support(factors, 1.5).all())
    matrices = np.asarray(factors @ jnp.swapaxes(factors, -1, -2))
    beta = stats.beta(2.5, 2.5, loc=-1, scale=2)
    for i, j in ((1, 0), (3, 0), (3, 2)):
        assert stats.kstest(matrices[:, i, j], beta.cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    "name,parameters",
    [
        ("multivariate_normal", (LOC, FACTOR)),
        ("multivariate_normal_precision", (LOC, np.linalg.inv(COV))),
        ("multivariate_student_t", (9.0, LOC, FACTOR)),
        ("multinomial", (7.0, LOGITS)),
        ("dirichlet", (ALPHA,)),
        ("dirichlet_multinomial", (ALPHA, 7.0)),
    ],
)
def test_draws_have_the_moments(name, parameters):
    """Within five standard errors, the fourth moment from the sample."""
    module, count = getattr(d, name), 20_000
    draws = np.asarray(module.sample(jax.random.key(5), *parameters, shape=(count,)), float)
    mean, variance = np.asarray(module.mean(*parameters)), np.asarray(module.variance(*parameters))
    assert np.all(np.abs(draws.mean(axis=0) - mean) < 5 * np.sqrt(variance / count))
    squares = (draws - mean) ** 2
    assert np.all(np.abs(squares.mean(axis=0) - variance) < 5 * squares.std(axis=0) / np.sqrt(count))
    assert jax.eval_shape(module.sample, jax.random.key(0), *parameters).shape == mean.shape
    if name == "multivariate_normal_precision":
        np.testing.assert_allclose(np.cov(draws.T), COV, atol=0.15)


def test_a_fit_of_a_covariance():
    """The closed form: the mean and the covariance over n."""
    ys = np.random.default_rng(6).normal(size=(60, 3)) @ FACTOR.T + LOC

    def log_likelihood(params, y):
        factor = jnp.linalg.cholesky(params["cov"])
        return jax.vmap(lambda y: d.multivariate_normal.logpdf(y, params["loc"], factor))(y)

    fit = jm.fit(jm.likelihood(log_likelihood, ys), {"loc": jnp.zeros(3), "cov": jm.covariance_matrix(np.eye(3))})
    assert fit.ok, fit.message
    np.testing.assert_allclose(fit.params["loc"], ys.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(fit.params["cov"], np.cov(ys.T, bias=True), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_are_whole_and_their_examples_run(name):
    module = getattr(d, name)
    logprob = getattr(module, "logpdf", None) or module.logpmf
    for section in ("Formula: ", "Args:", "Returns:", "Example:", ">>> ", "Source: "):
        assert section in logprob.__doc__
    with jax.numpy_rank_promotion("raise"):
        assert doctest.testmod(module).failed == 0
