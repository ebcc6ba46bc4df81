"""The NumPy reference against SciPy's densities, 50-digit derivatives, and statsmodels' fits."""

import doctest
import importlib
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm

# The benchmarks are not installed, and a bare `pytest` leaves the repository root off the path.
sys.path.insert(0, str(Path(__file__).parents[1]))
reference = importlib.import_module("benchmarks.numpy_reference")

ROWS, CLASSES = 7, 4
RNG = np.random.default_rng(20240607)
X = np.column_stack([np.ones(ROWS), RNG.normal(size=ROWS)])
COUNTS = np.array([2, 0, 1, 3, 1, 2, 5])
RESPONSE = {
    "normal": RNG.normal(size=ROWS),
    "bernoulli": np.array([0, 1, 1, 0, 1, 0, 1]),
    "categorical": np.array([0, 1, 2, 3, 1, 0, 2]),
    "poisson": np.array([0, 3, 1, 7, 2, 0, 4]),
}
POINT = {
    "normal": np.array([0.3, -0.7, 1.4]),
    "bernoulli": np.array([0.3, -0.7]),
    "categorical": RNG.normal(size=2 * (CLASSES - 1)),
    "poisson": np.array([0.3, -0.7]),
}
SHAPED = {
    "normal": lambda theta: (theta[:-1], theta[-1]),
    "categorical": lambda theta: theta.reshape(-1, CLASSES - 1),
}
every_model = pytest.mark.parametrize("name", list(POINT))
every_weighting = pytest.mark.parametrize("weights", [None, COUNTS], ids=["unweighted", "weighted"])


def evaluate(name, theta, x, y, weights=None):
    """The named reference at a flat vector of parameters."""
    return getattr(reference, name)(SHAPED.get(name, np.asarray)(theta), x, y, weights)


def scipy_terms(name, theta, x, y):
    """Log-likelihood of each row from scipy.stats."""
    if name == "normal":
        return scipy.stats.norm.logpdf(y, x @ theta[:-1], theta[-1])
    if name == "bernoulli":
        return scipy.stats.bernoulli.logpmf(y, 1 / (1 + np.exp(-x @ theta)))
    if name == "poisson":
        return scipy.stats.poisson.logpmf(y, np.exp(x @ theta))
    odds = np.exp(np.column_stack([np.zeros(len(x)), x @ theta.reshape(x.shape[1], -1)]))
    return scipy.stats.multinomial.logpmf(np.eye(CLASSES, dtype=int)[y], 1, odds / odds.sum(1, keepdims=True))


def exact_term(name, theta, x, y):
    """Log-likelihood of one row in mpmath, from the density as it is printed."""
    if name == "normal":
        mean, sigma = mpmath.fdot(x, theta[:-1]), theta[-1]
        return -mpmath.log(sigma * mpmath.sqrt(2 * mpmath.pi)) - ((y - mean) / sigma) ** 2 / 2
    if name == "poisson":
        eta = mpmath.fdot(x, theta)
        return y * eta - mpmath.exp(eta) - mpmath.loggamma(y + 1)
    free = len(theta) // len(x)
    eta = [mpmath.mpf(0), *(mpmath.fdot(x, theta[j::free]) for j in range(free))]
    return mpmath.log(mpmath.exp(eta[y]) / mpmath.fsum(map(mpmath.exp, eta)))


def exact_derivatives(name, theta, x, y, weights=None):
    """Value, gradient and Hessian, differenced in arithmetic so long that its error is below float64's."""
    weights = np.ones(len(y)) if weights is None else weights

    def total(*point):
        terms = (exact_term(name, point, row, label) for row, label in zip(x.tolist(), y.tolist(), strict=True))
        return mpmath.fdot(weights.tolist(), terms)

    point, unit = tuple(map(mpmath.mpf, theta.tolist())), np.eye(len(theta), dtype=int)
    gradient = [mpmath.diff(total, point, tuple(map(int, i))) for i in unit]
    hessian = [[mpmath.diff(total, point, tuple(map(int, i + j))) for j in unit] for i in unit]
    return float(total(*point)), np.array(gradient, dtype=float), np.array(hessian, dtype=float)


@every_model
@every_weighting
def test_value_is_the_sum_of_scipys_log_densities(name, weights):
    terms = scipy_terms(name, POINT[name], X, RESPONSE[name])
    value, _, _ = evaluate(name, POINT[name], X, RESPONSE[name], weights)
    assert value == pytest.approx(np.sum(terms if weights is None else weights * terms), rel=1e-12)


@every_model
@every_weighting
def test_derivatives_are_those_of_the_exact_log_likelihood(name, weights):
    with mpmath.workdps(50):
        expected = exact_derivatives(name, POINT[name], X, RESPONSE[name], weights)
    actual = evaluate(name, POINT[name], X, RESPONSE[name], weights)
    # Some twenty roundings of terms below 100 make 100 * 20 * 1.1e-16; sums that cancel need it as absolute.
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=2e-13)


@every_model
def test_weights_repeat_rows(name):
    weighted = evaluate(name, POINT[name], X, RESPONSE[name], COUNTS)
    repeated = evaluate(name, POINT[name], np.repeat(X, COUNTS, axis=0), np.repeat(RESPONSE[name], COUNTS))
    for ours, theirs in zip(weighted, repeated, strict=True):
        # The same sums in another order: see the test of derivatives for the bound.
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=2e-13)


@every_model
def test_fortran_order_changes_nothing(name):
    for ours, theirs in zip(
        evaluate(name, POINT[name], np.asfortranarray(X), RESPONSE[name]),
        evaluate(name, POINT[name], X, RESPONSE[name]),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=2e-13)


@pytest.mark.parametrize("logit", [-700.0, -40.0, 40.0, 700.0])
@pytest.mark.parametrize(
    "name, label",
    [("bernoulli", 0), ("bernoulli", 1), ("categorical", 0), ("categorical", 1), ("categorical", 2)],
)
def test_one_row_keeps_its_digits_at_extreme_logits(name, label, logit):
    theta = np.array([logit]) if name == "bernoulli" else np.array([logit, -0.5 * logit, 3.0])
    # The smallest normal float, 2e-308, to sixteen digits takes 324 behind the point.
    with mpmath.workdps(340):
        expected = exact_derivatives(name, theta, np.ones((1, 1)), np.array([label]))
    actual = evaluate(name, theta, np.ones((1, 1)), np.array([label]))
    for ours, theirs in zip(actual, expected, strict=True):
        # Ten roundings, and numbers below the smallest normal float are as good as zero.
        np.testing.assert_allclose(ours, theirs, rtol=3e-15, atol=np.finfo(float).tiny)


def check_fit(fit, estimate, standard_errors, log_likelihood):
    """Agreement to 1e-8: statsmodels' own Newton stops at steps of 1e-10 and inverts without scaling."""
    np.testing.assert_allclose(fit.estimate, estimate, rtol=1e-8)
    np.testing.assert_allclose(fit.standard_errors, standard_errors, rtol=1e-8)
    assert fit.log_likelihood == pytest.approx(log_likelihood, rel=1e-8)


def load(name):
    """Response and design, with a constant in front, of one of statsmodels' bundled data sets."""
    data = getattr(sm.datasets, name).load_pandas()
    return data.endog.to_numpy(), sm.add_constant(data.exog.to_numpy(dtype=float), prepend=True)


def statsmodels_fit(model):
    return model.fit(method="newton", tol=1e-10, maxiter=100, disp=False)


def test_newton_agrees_with_logit_on_spector():
    y, x = load("spector")
    fit = reference.newton(lambda beta: reference.bernoulli(beta, x, y), np.zeros(x.shape[1]))
    theirs = statsmodels_fit(sm.Logit(y, x))
    check_fit(fit, theirs.params, theirs.bse, theirs.llf)


def test_newton_agrees_with_poisson_on_randhie():
    y, x = (part[::10] for part in load("randhie"))
    fit = reference.newton(lambda beta: reference.poisson(beta, x, y), np.zeros(x.shape[1]))
    theirs = statsmodels_fit(sm.Poisson(y, x))
    check_fit(fit, theirs.params, theirs.bse, theirs.llf)


def test_newton_agrees_with_mnlogit_on_anes96():
    y, x = load("anes96")
    labels = y.astype(int)
    shape = (x.shape[1], labels.max())
    fit = reference.newton(
        lambda theta: reference.categorical(theta.reshape(shape), x, labels), np.zeros(np.prod(shape))
    )
    theirs = statsmodels_fit(sm.MNLogit(labels, x))
    check_fit(fit, theirs.params.ravel(), theirs.bse.ravel(), theirs.llf)


def test_newton_agrees_with_ols_on_stackloss():
    y, x = load("stackloss")
    theirs = sm.OLS(y, x).fit()
    sigma = np.sqrt(theirs.ssr / len(y))
    # In sigma the likelihood is concave only below √3 times the maximum, hence a start from below.
    start = np.append(1.01 * theirs.params, 0.9 * sigma)
    fit = reference.newton(lambda theta: reference.normal((theta[:-1], theta[-1]), x, y), start)
    # Maximum likelihood divides by n where OLS divides by n - p.
    errors = theirs.bse * np.sqrt(theirs.df_resid / len(y))
    check_fit(fit, np.append(theirs.params, sigma), np.append(errors, sigma / np.sqrt(2 * len(y))), theirs.llf)


def test_newton_does_not_mind_the_units_of_a_column():
    y, x = load("spector")
    units = np.array([1.0, 1e9, 1e-9, 1e5])
    fit = reference.newton(lambda beta: reference.bernoulli(beta, x, y), np.zeros(4))
    scaled = reference.newton(lambda beta: reference.bernoulli(beta, x * units, y), np.zeros(4))
    # A condition number near 1e3 after scaling, times 1e-16, with room for ten.
    np.testing.assert_allclose(scaled.estimate * units, fit.estimate, rtol=1e-11)
    np.testing.assert_allclose(scaled.standard_errors * units, fit.standard_errors, rtol=1e-11)


def test_newton_halves_a_step_that_overflows():
    y = np.array([8, 12, 10])
    fit = reference.newton(lambda beta: reference.poisson(beta, np.ones((3, 1)), y), np.array([-5.0]))
    # The first full step is (10 - e^-5) / e^-5 = 1483, where the mean is infinite.
    assert fit.estimate == pytest.approx(np.log(10), rel=1e-14)
    assert fit.standard_errors == pytest.approx(30**-0.5, rel=1e-14)


def test_newton_says_when_it_cannot_go_on():
    y, x = load("spector")
    twice = np.column_stack([x[:, 1], x[:, 1]])
    with pytest.raises(np.linalg.LinAlgError, match="columns of x may be collinear"):
        reference.newton(lambda beta: reference.bernoulli(beta, twice, y), np.zeros(2))
    with pytest.raises(np.linalg.LinAlgError, match="start too far from the maximum"):
        reference.newton(lambda theta: reference.normal((theta[:-1], theta[-1]), x, y), np.append(np.zeros(4), 9.0))
    with pytest.raises(RuntimeError, match="did not converge in 2 steps"):
        reference.newton(lambda beta: reference.bernoulli(beta, x, y), np.zeros(4), max_steps=2)
    with pytest.raises(ValueError, match="log-likelihood at the start is nan"):
        reference.newton(lambda beta: reference.bernoulli(beta, x, y), np.full(4, np.nan))


def test_examples_run():
    failed, attempted = doctest.testmod(reference)
    assert failed == 0
    assert attempted > 0
