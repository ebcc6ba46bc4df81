"""Tests and criteria are those of a maximum: elsewhere they are refused, or NaN with the reason."""

import functools
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.inference.report import _SHORT

Y = jnp.asarray(np.random.default_rng(0).normal(1.0, 2.0, 40))
PROBLEM = jm.models.normal(Y)


def _held(sigma):
    return {"mu": jm.fixed(0.0), "sigma": jm.positive(sigma)}


# The score test of mu = 0 at the restricted maximum, by hand: S = sum y / s^2, and A with s^2 = mean y^2.
S2 = float(jnp.mean(Y**2))


def _by_hand():
    """S' A^-1 S in (mu, log sigma), where the score of log sigma is zero."""
    n, slope = Y.size, float(Y.sum()) / S2
    information = np.array([[n / S2, 2 * slope], [2 * slope, 2 * n]])
    return slope**2 * np.linalg.inv(information)[0, 0]


def test_a_score_test_is_of_a_restricted_maximum():
    top = jm.fit(PROBLEM, _held(1.0))
    np.testing.assert_allclose(jm.score_test(PROBLEM, top).statistic, _by_hand(), rtol=1e-8)
    given = jm.Fit.at(PROBLEM, _held(S2**0.5))
    np.testing.assert_allclose(jm.score_test(PROBLEM, given).statistic, _by_hand(), rtol=1e-8)
    short = jm.fit(PROBLEM, _held(5.0), solver=optax.adam(0.01), max_steps=5)
    for fit, how in [
        (jm.Fit.at(PROBLEM, _held(5.0)), "evaluated at the values given.*about 58"),
        (short, "completed the steps.*about 51"),
        (jm.Fit.at(PROBLEM, _held(0.05)), "about"),
    ]:
        for information in ("observed", "expected", "opg"):
            with pytest.raises(ValueError, match=f"the restricted fit gives no score test: .*{how}"):
                jm.score_test(PROBLEM, fit, information=information)


def test_in_a_trace_the_score_test_of_no_maximum_is_nan():
    def statistic(sigma):
        return jm.score_test(PROBLEM, jm.Fit.at(PROBLEM, _held(sigma))).statistic

    found = jax.jit(jax.vmap(statistic))(jnp.array([5.0, S2**0.5]))
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1], _by_hand(), rtol=1e-8)


X = jnp.asarray(np.random.default_rng(1).normal(size=40))
NARROW = jm.regression(jm.densities.normal, lambda p, x: (p["m"] + p["d"] * x, 0.01), X, Y)


@pytest.mark.parametrize("kind", ["observed", "expected", "opg", "hc0"])
def test_what_is_missing_is_measured_by_the_observed_curvature(kind):
    """The outer product of the gradient is large where the gradient is, and would say that nothing is missing. Of a
    quadratic log-likelihood the decrement is exact: n (0.03 / 0.01)^2 / 2 = 180."""
    top = jm.fit(NARROW, {"m": 0.0, "d": 0.0})
    far = jm.Fit.at(NARROW, {"m": top.params["m"] + 0.03, "d": top.params["d"]})
    smaller = jm.infer(NARROW, jm.fit(NARROW, {"m": 0.0, "d": jm.fixed(0.0)}))
    given = jm.infer(NARROW, far, kind)
    np.testing.assert_allclose(0.5 * given.newton_decrement**2, 180.0, rtol=1e-8)
    for refused in (jm.likelihood_ratio_test, jm.compare):
        with pytest.raises(ValueError, match="about 180 of log-likelihood is missing"):
            refused(given, smaller)


@pytest.mark.parametrize("missing, is_near", [(0.009, True), (0.011, False)])
def test_a_hundredth_of_log_likelihood_may_be_missing(missing, is_near):
    """The ratio is then right to 0.02, by construction: of a quadratic n (d / 0.01)^2 / 2 is missing d off the top."""
    top = jm.fit(NARROW, {"m": 0.0, "d": 0.0})
    off = 0.01 * np.sqrt(2.0 * missing / Y.size)
    near = jm.infer(NARROW, jm.Fit.at(NARROW, {"m": top.params["m"] + off, "d": top.params["d"]}))
    smaller = jm.infer(NARROW, jm.fit(NARROW, {"m": 0.0, "d": jm.fixed(0.0)}))
    assert np.isfinite(near.aic) == is_near
    if is_near:
        exact = jm.likelihood_ratio_test(jm.infer(NARROW, top), smaller).statistic
        found = jm.likelihood_ratio_test(near, smaller).statistic
        np.testing.assert_allclose(exact - found, 2.0 * missing, rtol=1e-5)
    else:
        with pytest.raises(ValueError, match=r"about 0\.011 of log-likelihood is missing"):
            jm.likelihood_ratio_test(near, smaller)


@functools.cache
def _given():
    return jm.Fit.at(PROBLEM, {"mu": 0.5, "sigma": jm.positive(5.0)})


@functools.cache
def _short():
    return jm.fit(PROBLEM, {"mu": 0.0, "sigma": jm.positive(5.0)}, solver=optax.adam(0.01), max_steps=5)


@pytest.mark.parametrize("make", [_given, _short])
def test_criteria_are_those_of_a_maximum(make):
    fit = make()
    inference = jm.infer(PROBLEM, fit)
    for value in (inference.aic, inference.bic, jm.aicc(inference), jm.tic(PROBLEM, fit)):
        assert np.isnan(value)
    assert np.isnan(jm.effective_parameters(PROBLEM, fit))
    words = " ".join(str(inference).split())
    assert "AIC and BIC are those of a maximum, and this is none: about" in words
    assert "maximum likelihood estimate" not in words
    with pytest.raises(ValueError, match="cannot be compared"):
        jm.compare(inference)


def test_values_given_at_the_maximum_have_all_of_them():
    top = jm.fit(PROBLEM)
    given = jm.Fit.at(PROBLEM, {"mu": top.params["mu"], "sigma": jm.positive(top.params["sigma"])})
    one, other = jm.infer(PROBLEM, top), jm.infer(PROBLEM, given)
    np.testing.assert_allclose([other.aic, other.bic], [one.aic, one.bic], rtol=1e-12)
    np.testing.assert_allclose(jm.tic(PROBLEM, given), jm.tic(PROBLEM, top), rtol=1e-9)
    assert "sigma is the maximum likelihood estimate" in " ".join(str(other).split())
    np.testing.assert_allclose(jm.compare(one, other).weights, [0.5, 0.5], rtol=1e-9)


def _log_share(params, y):
    return jnp.log(params["p"])[y]


def _where_parameters_do_not_count():
    """A class that never occurred; and a column twice."""
    never = jm.likelihood(_log_share, jnp.array([0, 0, 1, 2, 1, 0, 2, 2])), {"p": jm.simplex(jnp.ones(4) / 4)}
    twice = jm.models.linear(jnp.stack([X, X], axis=1), Y)
    return [
        (*never, codes.BOUNDARY, "one on the boundary of its space does not count as one"),
        (twice, None, codes.FLAT, "those that the data leave free do not count"),
    ]


@pytest.mark.parametrize("objective, start, status, why", _where_parameters_do_not_count(), ids=["boundary", "flat"])
def test_where_parameters_cannot_be_counted_nothing_counts_them(objective, start, status, why):
    fit = jm.fit(objective, start)
    assert int(fit.status) == status, fit.message
    inference = jm.infer(objective, fit)
    assert np.isnan(inference.aic) & np.isnan(inference.bic)
    assert f"AIC and BIC count parameters, and {why}." in " ".join(str(inference).split())
    with pytest.raises(ValueError, match="cannot be compared"):
        jm.compare(inference)


@pytest.mark.parametrize(
    "objective, start",
    [
        (PROBLEM, {"mu": 0.0, "sigma": jm.fixed(2.0)}),
        (PROBLEM + jm.priors.normal("mu", scale=0.1), {"mu": 0.0, "sigma": jm.positive(1.0)}),
    ],
    ids=["held", "with a prior"],
)
def test_a_scale_that_is_no_maximum_likelihood_estimate_is_called_none(objective, start):
    assert "maximum likelihood estimate" not in " ".join(str(jm.infer(objective, jm.fit(objective, start))).split())


def test_every_status_that_is_ok_has_its_words_in_the_header():
    ok = [status for status in codes.SENTENCES if codes.is_ok(status)]
    assert codes.STOPPED_EARLY in ok
    assert set(ok) <= set(_SHORT)
    stopped = eqx.tree_at(lambda fit: fit.status, jm.fit(PROBLEM), jnp.asarray(codes.STOPPED_EARLY))
    assert "stopped early" in str(jm.infer(PROBLEM, stopped))


LONG = jnp.asarray(np.random.default_rng(2).normal(size=100_000), jnp.float32)


@pytest.fixture(scope="module")
def long():
    """Two nested models of a hundred thousand numbers, in float32: log-likelihoods of -1.4e5."""
    problem = jm.models.normal(LONG)
    held = {"mu": jm.fixed(jnp.float32(0.0)), "sigma": jm.positive(jnp.float32(1.0))}
    return [jm.infer(problem, jm.fit(problem, start)) for start in (None, held)]


def test_a_larger_model_that_is_worse_is_refused_in_float32_too(long):
    larger, smaller = long
    assert larger.llf.dtype == jnp.float32
    assert float(larger.llf) < -1.4e5
    worse = eqx.tree_at(lambda inference: inference.llf, larger, smaller.llf - 5.0)
    with pytest.raises(ValueError, match="the larger model has the smaller log-likelihood"):
        jm.likelihood_ratio_test(worse, smaller)
    assert np.isnan(jax.jit(lambda a, b: jm.likelihood_ratio_test(a, b).statistic)(worse, smaller))


def test_what_rounding_leaves_below_zero_is_none(long):
    """The same maximum with more parameters: a log-likelihood that is less by its own rounding error is the same."""
    larger, smaller = long
    same = eqx.tree_at(lambda inference: inference.llf, larger, smaller.llf - smaller.rounding)
    found = jm.likelihood_ratio_test(same, smaller)
    assert float(found.statistic) == 0.0
    assert float(found.pvalue) == 1.0


@pytest.mark.parametrize("shift", [0.0, 30.0])
def test_the_rounding_error_is_that_of_sums_in_blocks(long, shift):
    """Against the sum in float64 of the same numbers: less than is said, and not by orders of magnitude."""
    larger, _ = long
    y = LONG + jnp.float32(shift)
    problem = jm.models.normal(y)
    mu, sigma = larger.params["mu"], larger.params["sigma"]
    inference = jm.infer(problem, jm.Fit.at(problem, {"mu": mu, "sigma": jm.positive(sigma)}))
    mu, sigma = np.float64(mu), np.float64(sigma)
    exact = np.sum(-0.5 * ((np.asarray(y, np.float64) - mu) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi))
    assert abs(float(inference.llf) - exact) < float(inference.rounding) < 1e-5 * abs(exact)


def _by_hand_of_wald():
    """(mean / s)^2 n at the maximum: the square of the z-value of a mean."""
    return Y.size * float(jnp.mean(Y)) ** 2 / float(jnp.var(Y))


@pytest.mark.parametrize("covariance", [None, "opg", "hc0", np.eye(2)], ids=["observed", "opg", "hc0", "matrix"])
@pytest.mark.parametrize("restriction", ["mu = 0", lambda p: p["mu"]], ids=["text", "function"])
def test_a_wald_test_is_of_a_maximum(covariance, restriction):
    for fit, how in zip(
        [_given(), _short()], ["evaluated at the values given.*about", "completed the steps.*about"], strict=True
    ):
        with pytest.raises(ValueError, match=f"the fit gives no Wald test: .*{how}"):
            jm.wald_test(PROBLEM, fit, restriction, covariance=covariance)
    top = jm.fit(PROBLEM)
    found = jm.wald_test(PROBLEM, top, restriction, covariance=covariance)
    assert np.isfinite(found.statistic)
    if covariance is None:
        given = jm.Fit.at(PROBLEM, {"mu": top.params["mu"], "sigma": jm.positive(top.params["sigma"])})
        for fit in (top, given):
            statistic = jm.wald_test(PROBLEM, fit, restriction).statistic
            np.testing.assert_allclose(statistic, _by_hand_of_wald(), rtol=1e-8)


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e3])
def test_how_far_a_loss_is_from_its_minimum_is_told_in_standard_errors(unit):
    """In any unit of the response."""
    x = jnp.linspace(0.0, 1.0, 40)
    y = unit * (1.0 + 2.0 * x + 0.3 * jnp.sin(37.0 * x))
    risk = jm.risk(jm.losses.squared_error, lambda p, row: p["a"] + p["b"] * row, x, y)
    top = jm.fit(risk, {"a": unit, "b": unit})
    near, far = ({name: share * value for name, value in top.params.items()} for share in (1.0001, 1.5))
    assert np.isfinite(jm.wald_test(risk, jm.Fit.at(risk, near), "b = 0", covariance="hc0").statistic)
    with pytest.raises(ValueError, match=r"is not at its maximum: it is about .* standard errors away; go on"):
        jm.wald_test(risk, jm.Fit.at(risk, far), "b = 0", covariance="hc0")


def test_a_prior_with_kinks_gives_no_wald_test_wherever_it_is():
    objective = jm.likelihood(lambda p, y: -0.5 * (y - p["mu"]) ** 2, Y) + jm.priors.laplace("mu")
    for fit in (jm.fit(objective, {"mu": 0.0}), jm.Fit.at(objective, {"mu": 0.3})):
        assert np.isnan(jm.wald_test(objective, fit, "mu = 0").statistic)


def test_in_a_trace_the_wald_test_and_the_bias_of_no_maximum_are_nan():
    top = jm.fit(PROBLEM)

    def both(sigma):
        fit = jm.Fit.at(PROBLEM, {"mu": top.params["mu"], "sigma": jm.positive(sigma)})
        return jm.wald_test(PROBLEM, fit, "mu = 0").statistic, jm.bias(PROBLEM, fit)["sigma"]

    statistic, bias = jax.jit(jax.vmap(both))(jnp.array([5.0, top.params["sigma"]]))
    assert np.isnan(statistic[0])
    assert np.isnan(bias[0])
    np.testing.assert_allclose(statistic[1], _by_hand_of_wald(), rtol=1e-8)
    np.testing.assert_allclose(bias[1], -0.75 / Y.size * top.params["sigma"], rtol=1e-8)


@pytest.mark.parametrize("make", [_given, _short])
def test_a_bias_is_that_of_a_maximum(make):
    fit = make()
    assert np.isnan(jax.tree.leaves(jm.bias(PROBLEM, fit))).all()
    any_function = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"]), Y)
    assert np.isnan(jax.tree.leaves(jm.bias(any_function, fit))).all()


def test_what_a_flat_or_diverging_fit_had_settled_can_be_tested():
    """Only what stopped short is refused: the errors of the rest are there, as ``jm.infer`` has them."""
    twice = jm.models.linear(jnp.stack([jnp.ones(40), X, X], axis=1), Y)
    flat = jm.fit(twice)
    assert int(flat.status) == codes.FLAT
    statistic = jm.wald_test(twice, flat, "beta[0] = 0").statistic
    one = jm.models.linear(jnp.stack([jnp.ones(40), X], axis=1), Y)
    np.testing.assert_allclose(statistic, jm.wald_test(one, jm.fit(one), "beta[0] = 0").statistic, rtol=1e-6)


# A fit that converged, and not on the objective at hand


@pytest.mark.parametrize(
    "other, missing",
    [
        (jm.models.normal(Y + 0.2), r"about 0\.\d+ of log-likelihood is missing"),
        (jm.models.normal(Y, jnp.where(Y > 1.0, 2.0, 1.0)), r"about \d+\.\d+ of log-likelihood is missing"),
        (jm.models.normal(Y + 50.0), "its curvature shows no maximum"),
    ],
    ids=["data", "weights", "no maximum"],
)
def test_a_fit_of_another_objective_says_so_and_has_no_criteria(other, missing):
    top = jm.fit(PROBLEM)
    inference = jm.infer(other, top)
    words = " ".join(str(inference).split())
    assert "NOT A MAXIMUM" in words
    assert re.search(f"The fit says that it converged, but on this objective {missing}", words)
    assert np.isnan([inference.aic, inference.bic, jm.aicc(inference), jm.tic(other, top)]).all()
    smaller = jm.infer(other, jm.fit(other, _held(1.0)))
    for refused in (jm.compare, jm.likelihood_ratio_test):
        with pytest.raises(ValueError, match="the objective that was fitted, or fit this one"):
            refused(inference, smaller)
    with pytest.raises(ValueError, match="the objective that was fitted, or fit this one"):
        jm.wald_test(other, top, "mu = 1")
    assert np.isnan(jax.jit(lambda fit: jm.wald_test(other, fit, "mu = 1").statistic)(top))
    assert "NOT A MAXIMUM" not in str(jm.infer(PROBLEM, top))


def test_in_single_precision_too():
    """There most fits end converged to rounding, which is no miss of a standard error."""
    x, noise = np.random.default_rng(1).normal(size=(2, 100)).astype(np.float32)
    design = np.stack([np.ones_like(x), x], axis=1)
    own, other = (jm.models.linear(design, x + noise + up) for up in np.float32([0.0, 3.0]))
    fit = jm.fit(own)
    assert "NOT A MAXIMUM" in str(jm.infer(other, fit))
    assert np.isnan(jm.infer(other, fit).aic) & np.isfinite(jm.infer(own, fit).aic)


def test_a_problem_of_one_term_is_one_of_a_sum():
    problem = jm.Problem(PROBLEM.objective.terms[0], PROBLEM.start)
    np.testing.assert_array_equal(jm.infer(problem, jm.fit(problem)).cov, jm.infer(PROBLEM, jm.fit(PROBLEM)).cov)


def test_a_loose_tolerance_is_told_too():
    loose = jm.fit(PROBLEM, {"mu": 0.0, "sigma": jm.positive(2.5)}, tolerance=1e3)
    assert loose.ok
    assert "its tolerance was loose" in " ".join(str(jm.infer(PROBLEM, loose)).split())


@pytest.mark.parametrize(
    "objective",
    [
        PROBLEM + jm.priors.normal("mu", scale=0.1),
        PROBLEM + jm.priors.laplace("mu", scale=0.1),
        jm.risk(jm.losses.log_cosh, lambda params, row: params["mu"], Y, Y),
    ],
    ids=["prior", "kinks", "loss"],
)
def test_a_mode_of_any_kind_is_one(objective):
    start = None if isinstance(objective, jm.Problem) else {"mu": 0.0}
    assert "NOT A MAXIMUM" not in str(jm.infer(objective, jm.fit(objective, start)))


def test_a_loss_is_in_units_that_are_anybodys():
    loss = jm.risk(jm.losses.squared_error, lambda params, row: params["mu"], Y, 1e6 * Y)
    rough = jm.fit(loss, {"mu": 0.9e6 * jnp.mean(Y)}, tolerance=1e13)
    assert rough.ok
    assert 0.5 * rough.newton_decrement**2 > 1.0
    assert "NOT A MAXIMUM" not in str(jm.infer(loss, rough))
