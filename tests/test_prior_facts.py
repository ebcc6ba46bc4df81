"""What is known of modes under priors: conjugate closed forms, the rate at which a prior fades, parameterisation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, special, stats

import jaxmle as jm

RNG = np.random.default_rng(5)
COUNTS = RNG.poisson(3.0, 12).astype(float)
TOSSES = (RNG.random(15) < 0.3).astype(float)
WAITS = RNG.exponential(2.0, 10)
Y = RNG.normal(1.0, 2.0, 14)
START_P = {"p": jm.interval(0.5, lower=0.0, upper=1.0)}


def poisson(y, weights=None):
    return jm.likelihood(lambda p, y: jm.densities.poisson.logpmf(y, jnp.log(p["rate"])), y, weights=weights)


def tosses(y):
    return jm.likelihood(lambda p, y: y * jnp.log(p["p"]) + (1.0 - y) * jnp.log1p(-p["p"]), y)


def mode(objective, start, **how):
    fit = jm.fit(objective, start, **how)
    assert fit.ok, fit.message
    return fit.params


# With a flat prior MAP is maximum likelihood, and every other prior fades at the rate 1 / n


def test_with_a_flat_prior_the_mode_is_the_maximum_of_the_likelihood_to_the_last_bit():
    start = {"rate": jm.positive(1.0)}
    mle, same = jm.fit(poisson(COUNTS), start), jm.fit(poisson(COUNTS) + jm.priors.flat(), start)
    assert mle.params["rate"] == same.params["rate"]
    assert mle.value == same.value
    uniform = jm.fit(poisson(COUNTS) + jm.priors.uniform("rate", 0.0, 100.0), start)
    assert mle.params["rate"] == uniform.params["rate"]
    assert float(uniform.log_prior) == pytest.approx(-np.log(100.0), rel=1e-14)


@pytest.mark.parametrize(
    "prior",
    [
        jm.priors.gamma("rate", a=4.0, scale=2.0),
        jm.priors.half_cauchy("rate", scale=0.5),
        jm.priors.inverse_gamma("rate", a=2.0, scale=1.0),
    ],
    ids=["gamma", "half_cauchy", "inverse_gamma"],
)
def test_as_rows_grow_the_mode_goes_to_the_maximum_of_the_likelihood_at_the_rate_one_over_n(prior):
    """Every row n times. The next term of the expansion is 1 / n^2, so that log-log slopes are within 1 / n of -1."""
    times = np.array([1e2, 1e3, 1e4, 1e5])

    def estimate(n):
        return jm.fit(poisson(COUNTS, n * jnp.ones(COUNTS.size)) + prior, {"rate": jm.positive(1.0)}).params["rate"]

    gaps = np.abs(np.asarray(jax.jit(jax.vmap(estimate))(times)) - np.mean(COUNTS))
    np.testing.assert_allclose(np.diff(np.log(gaps)) / np.diff(np.log(times)), -1.0, atol=1e-2)
    assert np.all(gaps > 0)


# The mode depends on the parameterisation


def test_the_jacobian_moves_the_mode_of_a_rate():
    """Gamma prior, exponential waits: the mode of the rate has a - 1 + n events, that of its logarithm a + n."""
    a, scale, n, total = 3.0, 0.5, WAITS.size, WAITS.sum()
    term = jm.likelihood(lambda p, y: jm.densities.exponential.logpdf(y, 1.0 / p["rate"]), WAITS)
    posterior = term + jm.priors.gamma("rate", a, scale)
    start = {"rate": jm.positive(1.0)}
    natural, logarithmic = (mode(posterior, start, jacobian=how)["rate"] for how in (False, True))
    assert float(natural) == pytest.approx((a - 1 + n) / (1 / scale + total), rel=1e-9)
    assert float(logarithmic) == pytest.approx((a + n) / (1 / scale + total), rel=1e-9)

    def in_logs(p):  # the same posterior, its density in the logarithm written by hand
        return jm.densities.gamma.logpdf(jnp.exp(p["log_rate"]), a, scale) + p["log_rate"]

    rows = jm.likelihood(lambda p, y: jm.densities.exponential.logpdf(y, jnp.exp(-p["log_rate"])), WAITS)
    by_hand = mode(rows + jm.log_prior(in_logs), {"log_rate": 0.0})["log_rate"]
    assert float(jnp.exp(by_hand)) == pytest.approx(float(logarithmic), rel=1e-9)


def test_the_jacobian_moves_the_mode_of_a_probability():
    a, b, n, k = 2.0, 3.0, TOSSES.size, TOSSES.sum()
    posterior = tosses(TOSSES) + jm.priors.beta("p", a, b)
    natural, logit = (mode(posterior, START_P, jacobian=how)["p"] for how in (False, True))
    assert float(natural) == pytest.approx((a - 1 + k) / (a + b - 2 + n), rel=1e-9)
    assert float(logit) == pytest.approx((a + k) / (a + b + n), rel=1e-9)


# Conjugate modes (Gelman and others 2013, chapters 2 and 3)


def test_gamma_and_poisson():
    got = mode(poisson(COUNTS) + jm.priors.gamma("rate", 3.0, 0.25), {"rate": jm.positive(1.0)})["rate"]
    assert float(got) == pytest.approx((3.0 - 1 + COUNTS.sum()) / (1 / 0.25 + COUNTS.size), rel=1e-10)


def test_normal_and_normal():
    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], 2.0), Y)
    got = mode(term + jm.priors.normal("mu", loc=-1.0, scale=0.5), {"mu": 0.0})["mu"]
    precision = Y.size / 4.0 + 4.0
    assert float(got) == pytest.approx((Y.sum() / 4.0 - 4.0) / precision, rel=1e-10)


def test_inverse_gamma_and_the_variance_of_a_normal():
    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, 1.0, jnp.sqrt(p["v"])), Y)
    got = mode(term + jm.priors.inverse_gamma("v", a=3.0, scale=2.0), {"v": jm.positive(1.0)})["v"]
    squares = np.sum((Y - 1.0) ** 2)
    assert float(got) == pytest.approx((2.0 + 0.5 * squares) / (3.0 + 0.5 * Y.size + 1.0), rel=1e-9)


def test_dirichlet_and_categorical():
    labels, alpha = np.array([0, 2, 2, 1, 2, 0, 2]), np.array([2.0, 1.5, 3.0])
    term = jm.likelihood(lambda p, y: jnp.log(p["shares"][y]), labels)
    got = mode(term + jm.priors.dirichlet("shares", alpha), {"shares": jm.simplex(jnp.full(3, 1 / 3))})["shares"]
    counts = alpha - 1 + np.bincount(labels)
    np.testing.assert_allclose(got, counts / counts.sum(), rtol=1e-9)


# Vectors and matrices


def test_dirichlet_is_that_of_scipy_along_the_last_axis():
    shares = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
    want = sum(stats.dirichlet.logpdf(row, [1.0, 2.0, 3.0]) for row in shares)
    assert float(jm.priors.dirichlet("s", [1.0, 2.0, 3.0])({"s": shares})) == pytest.approx(want, rel=1e-13)
    want = stats.dirichlet.logpdf(shares[0], [2.0, 2.0, 2.0])
    assert float(jm.priors.dirichlet("s", 2.0)({"s": shares[0]})) == pytest.approx(want, rel=1e-13)
    assert float(jm.priors.dirichlet("s", 2.0)({"s": shares[0] + 0.1})) == -np.inf


@pytest.mark.parametrize("eta", [0.7, 1.0, 2.5])
def test_lkj_of_two_is_a_beta_and_of_three_integrates_to_one(eta):
    """The integral over three correlations, the third scaled to where the matrix is positive definite, by Gauss-Jacobi
    rules whose weights are what is then left of the density, but for a constant: so they are exact."""
    prior, r = jm.priors.lkj("R", eta), 0.4
    want = stats.beta.logpdf((1 + r) / 2, eta, eta) - np.log(2.0)
    assert float(prior({"R": np.array([[1.0, r], [r, 1.0]])})) == pytest.approx(want, rel=1e-12)
    (outer, weights), (inner, last) = (special.roots_jacobi(4, power, power) for power in (eta - 0.5, eta - 1.0))
    a, b, t = np.meshgrid(outer, outer, inner, indexing="ij")
    root = np.sqrt((1 - a**2) * (1 - b**2))
    c = a * b + t * root
    one = np.ones_like(a)
    matrices = np.stack([np.stack(row, -1) for row in [(one, a, b), (a, one, c), (b, c, one)]], -2)
    each = jax.vmap(lambda R: prior({"R": R}))(matrices.reshape(-1, 3, 3)).reshape(a.shape)
    factor = ((1 - a**2) * (1 - b**2)) ** (eta - 0.5) * (1 - t**2) ** (eta - 1.0)
    whole = np.einsum("ijk,i,j,k", np.exp(each) * root / factor, weights, weights, last)
    assert whole == pytest.approx(1.0, rel=1e-10)


def test_the_mode_of_a_correlation_under_lkj():
    """Two normal columns of known variance, against a search by scipy in r; the matrix has five numbers in place of one
    when it is seen as a leaf, so that this sees the chain rule."""
    y = RNG.multivariate_normal([0.0, 0.0], [[1.0, 0.6], [0.6, 1.0]], 20)

    def rows(p, y):
        factor = jnp.linalg.cholesky(p["R"])
        return jax.vmap(lambda y: jm.densities.multivariate_normal.logpdf(y, jnp.zeros(2), factor))(y)

    posterior = jm.likelihood(rows, y) + jm.priors.lkj("R", eta=3.0)
    fit = jm.fit(posterior, {"R": jm.correlation_matrix(jnp.eye(2))})
    assert fit.ok, fit.message

    def minus(r):
        likelihood = stats.multivariate_normal.logpdf(y, [0.0, 0.0], [[1.0, r], [r, 1.0]]).sum()
        return -likelihood - 2.0 * np.log(1 - r**2)

    best = optimize.minimize_scalar(minus, bounds=(-0.99, 0.99), method="bounded", options={"xatol": 1e-10}).x
    assert float(fit.params["R"][0, 1]) == pytest.approx(best, abs=1e-7)


def test_lkj_of_the_factor_differs_by_the_jacobian():
    factor = np.linalg.cholesky(np.array([[1.0, 0.3, -0.2], [0.3, 1.0, 0.5], [-0.2, 0.5, 1.0]]))
    below = np.tril_indices(3, -1)

    def correlations(entries):
        lower = jnp.zeros((3, 3)).at[below].set(entries)
        lower = lower.at[jnp.arange(3), jnp.arange(3)].set(jnp.sqrt(1.0 - jnp.sum(lower**2, axis=1)))
        return (lower @ lower.T)[below]

    log_det = np.linalg.slogdet(jax.jacfwd(correlations)(factor[below]))[1]
    of_factor = jm.priors.lkj("L", 1.7, cholesky=True)({"L": factor})
    of_matrix = jm.priors.lkj("R", 1.7)({"R": factor @ factor.T})
    assert float(of_factor) == pytest.approx(float(of_matrix) + log_det, rel=1e-12)


def test_lkj_outside_is_minus_infinity_and_says_what_it_is_over():
    prior = jm.priors.lkj("R", 2.0)
    assert float(prior({"R": np.array([[1.0, 1.2], [1.2, 1.0]])})) == -np.inf
    both = jax.vmap(lambda r: prior({"R": jnp.eye(2) + r * (1.0 - jnp.eye(2))}))(jnp.array([0.5, 1.2]))
    assert list(np.isfinite(both)) == [True, False]
    with pytest.raises(ValueError, match=r"correlation matrices.*\(3,\).*jm.correlation_matrix"):
        prior({"R": jnp.ones(3)})


# Support


@pytest.mark.parametrize(
    "prior,outside",
    [
        (jm.priors.half_normal("x", 2.0), [-0.1]),
        (jm.priors.half_cauchy("x", 2.0), [-0.1]),
        (jm.priors.half_student_t("x", 3.0, 2.0), [-0.1]),
        (jm.priors.exponential("x", 2.0), [-0.1]),
        (jm.priors.gamma("x", 2.0, 2.0), [-0.1, 0.0]),
        (jm.priors.inverse_gamma("x", 2.0, 2.0), [-0.1, 0.0]),
        (jm.priors.beta("x", 2.0, 2.0), [-0.1, 0.0, 1.0, 1.1]),
        (jm.priors.uniform("x", 0.1, 0.9), [-0.1, 0.05, 1.1]),
    ],
    ids=["half_normal", "half_cauchy", "half_student_t", "exponential", "gamma", "inverse_gamma", "beta", "uniform"],
)
def test_outside_its_support_a_prior_is_minus_infinity_with_no_slope(prior, outside):
    xs = jnp.array([*outside, 0.5])
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(lambda x: prior({"x": x}))))(xs)
    assert np.all(np.isneginf(values[:-1]))
    assert np.all(slopes[:-1] == 0.0)
    assert np.isfinite(values[-1])
    assert np.isfinite(slopes[-1])
    assert np.isnan(prior({"x": jnp.nan}))


def test_a_uniform_prior_with_an_end_at_infinity_is_zero_and_one_without_room_is_nowhere_possible():
    assert float(jm.priors.uniform("x", lower=1.0)({"x": 2.0})) == 0.0
    assert float(jm.priors.uniform("x", 2.0, 1.0)({"x": 1.5})) == -np.inf
    fit = jm.fit(poisson(COUNTS) + jm.priors.uniform("rate", 0.0, 1.0), {"rate": jm.positive(0.5)})
    assert not fit.ok


# Smoothing


@pytest.mark.parametrize("order", [1, 2])
def test_smoothing_is_a_linear_smoother(order):
    """With D the matrix of differences the mode is (I + D'D sigma^2 / scale^2)^-1 y (Whittaker 1923)."""
    y, sigma, scale = np.cumsum(RNG.normal(size=20)), 0.7, 0.4
    term = jm.regression(jm.densities.normal, lambda p, e: (e @ p["f"], sigma), np.eye(20), y)
    got = mode(term + jm.priors.smoothing("f", scale, order), {"f": jnp.zeros(20)})["f"]
    d = np.diff(np.eye(20), n=order, axis=0)
    np.testing.assert_allclose(got, np.linalg.solve(np.eye(20) + sigma**2 / scale**2 * d.T @ d, y), rtol=1e-9)
    if order == 2:
        np.testing.assert_allclose(got, sm.tsa.filters.hpfilter(y, lamb=sigma**2 / scale**2)[1], rtol=1e-8)


def test_smoothing_is_a_density_of_differences_in_every_column_and_leaf():
    tree = {"a": RNG.normal(size=(5, 2)), "b": RNG.normal(size=4)}
    want = sum(stats.norm.logpdf(np.diff(leaf, n=2, axis=0), 0.0, 0.3).sum() for leaf in tree.values())
    assert float(jm.priors.smoothing("t", 0.3, order=2)({"t": tree})) == pytest.approx(want, rel=1e-12)
    assert float(jm.penalties.smoothing("t", 1 / (2 * 0.3**2), 2)({"t": tree})) == pytest.approx(want, rel=1e-12)


# Messages


def test_what_cannot_be_says_so():
    with pytest.raises(ValueError, match=r"order of a smoothing prior is 1 .* or 2 .*, not 3"):
        jm.priors.smoothing("f", 1.0, order=3)
    with pytest.raises(ValueError, match=r"order 2 is over a vector of more than 2 numbers.*shape \(2,\)"):
        jm.priors.smoothing("f", 1.0, order=2)({"f": jnp.ones(2)})
    with pytest.raises(ValueError, match=r"the scale of jm.priors.half_cauchy must be positive.* -1.0"):
        jm.priors.half_cauchy("tau", -1.0)
    with pytest.raises(ValueError, match=r"the a of jm.priors.gamma must be positive.* 0.0"):
        jm.priors.gamma("tau", 0)
    with pytest.raises(ValueError, match=r"the alpha of jm.priors.dirichlet must be positive.* in entry 1"):
        jm.priors.dirichlet("s", [1.0, 0.0])
