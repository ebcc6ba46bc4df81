"""The laws of the design, one test each; by hypothesis where a law is a property.

Shapes are fixed, so that each program is compiled once for all examples.
"""

import functools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from law_cases import (
    AGAIN,
    BAD,
    COINS,
    COLUMNS,
    ONES,
    ROWS,
    X,
    coin_lanes,
    few,
    in_blocks,
    linear,
    linear_sample,
    logistic_jit,
    mean_and_scale,
    same,
    seeds,
)
from scipy import stats

import jaxmle as jm
from jaxmle.core import status as codes

# Law 1: what is maximised


@few
@hypothesis.given(seeds)
def test_map_with_a_flat_prior_is_mle(seed):
    x, coins = coin_lanes(seed, 1)
    problem = jm.models.logistic(x, coins[0], ONES)
    mle = jm.fit(problem)
    for flat in (problem + jm.priors.flat(), jm.priors.flat() + problem):
        map_ = jm.fit(flat)
        for a, b in zip(jax.tree.leaves(mle), jax.tree.leaves(map_), strict=True):
            assert np.array_equal(a, b, equal_nan=True)


def test_map_is_the_mode_in_the_parameters_as_they_were_written():
    """Deaths by horse kick, 122 in 200 corps-years (Bortkiewicz 1898), with a gamma(3, rate 2) prior: the mode of the
    rate is (122 + 3 - 1) / (200 + 2); that of its logarithm is at one more death."""
    deaths, years = np.arange(5), np.array([109.0, 65.0, 22.0, 3.0, 1.0])
    likelihood = jm.likelihood(lambda p, y: jm.densities.poisson.logpmf(y, jnp.log(p["rate"])), deaths, years)
    posterior = likelihood + jm.log_prior(lambda p: 2.0 * jnp.log(p["rate"]) - 2.0 * p["rate"] + jnp.log(4.0))
    start = {"rate": jm.positive(1.0)}
    mode = jm.fit(posterior, start)
    assert mode.ok
    assert float(mode.params["rate"]) == pytest.approx(124 / 202, rel=1e-9)
    unconstrained = jm.fit(posterior, start, jacobian=True)
    assert unconstrained.ok
    assert float(unconstrained.params["rate"]) == pytest.approx(125 / 202, rel=1e-9)
    # What is reported is the density of the parameters, with the log-determinant beside it.
    rate = 125 / 202
    value = years @ stats.poisson.logpmf(deaths, rate) + stats.gamma.logpdf(rate, 3.0, scale=0.5)
    assert float(unconstrained.value) == pytest.approx(value, rel=1e-9)
    assert float(unconstrained.log_jacobian) == pytest.approx(np.log(125 / 202), rel=1e-9)


@functools.cache
def _hierarchical():
    """A centred hierarchical prior: the density rises without limit as its scale shrinks with the effects."""
    likelihood = jm.likelihood(
        lambda p, rows: jm.densities.normal.logpdf(rows["y"], p["mu"][rows["group"]], jnp.ones_like(rows["y"])),
        {"y": jnp.array([0.3, -0.2, 0.1]), "group": jnp.arange(3)},
    )
    prior = jm.log_prior(lambda p: jnp.sum(jm.densities.normal.logpdf(p["mu"], jnp.zeros(3), jnp.tile(p["tau"], 3))))
    return jm.fit(likelihood + prior, {"mu": jnp.array([0.3, -0.2, 0.1]), "tau": jm.positive(0.2)})


def test_a_joint_mode_that_does_not_exist_is_not_returned():
    fit = _hierarchical()
    assert not fit.ok
    assert int(fit.status) in (codes.UNBOUNDED, codes.DIVERGING), fit.message


def test_an_unbounded_fit_names_the_parameter_that_ran_away():
    """The scale of a hierarchical prior."""
    assert float(_hierarchical().params["tau"]) < 1e-12
    assert "tau goes to 0" in _hierarchical().message


# Law 2: a sum, and case weights


@few
@hypothesis.given(seeds)
def test_value_is_a_sum_over_rows(seed):
    rng, x, y = linear_sample(seed)
    weights = rng.integers(0, 4, ROWS) + 1.0
    fit, inference = linear(x, y, weights)
    at = {name: np.asarray(value) for name, value in fit.params.items()}
    rows = stats.norm.logpdf(y, x @ at["beta"], at["sigma"])
    assert float(fit.value) == pytest.approx(weights @ rows, rel=1e-10)
    assert float(inference.llf) == pytest.approx(weights @ rows, rel=1e-10)
    assert float(inference.nobs) == weights.sum()


@pytest.mark.always
@few
@hypothesis.given(seeds)
def test_weight_two_is_the_row_twice(seed):
    rng, x, y = linear_sample(seed)
    twice = rng.permutation(ROWS)[:AGAIN]
    weights = ONES.copy()
    weights[twice] = 2.0
    repeated = in_blocks(np.vstack([x, x[twice]]), np.append(y, y[twice]), np.ones(ROWS + AGAIN))
    same(linear(x, y, weights), repeated)


@few
@hypothesis.given(seeds)
def test_weight_zero_is_no_row(seed):
    """Even where the response is missing."""
    _, x, y = linear_sample(seed)
    absent = np.append(y, np.full(AGAIN, np.nan))
    weights = np.append(ONES, np.zeros(AGAIN))
    same(linear(x, y, ONES), in_blocks(np.vstack([x, x[:AGAIN]]), absent, weights))


# Law 3: fixed and tied


def test_fixed_is_absent_from_z_from_the_covariance_and_from_the_count():
    _, x, y = linear_sample(1)
    term = jm.regression(jm.densities.normal, mean_and_scale, x, y)
    fit = jm.fit(term, {"beta": jnp.zeros(COLUMNS), "sigma": jm.fixed(2.0)})
    inference = jm.infer(term, fit)
    covariance = 4.0 * np.linalg.inv(x.T @ x)
    assert fit.z.shape == (COLUMNS,)
    assert inference.cov.shape == (COLUMNS, COLUMNS)
    np.testing.assert_allclose(inference.cov, covariance, rtol=1e-10, atol=1e-14)
    assert float(fit.params["sigma"]) == 2.0
    assert np.isnan(inference.bse["sigma"])
    assert all(np.isnan(end["sigma"]) for end in inference.conf_int())
    assert float(inference.aic) == pytest.approx(2 * COLUMNS - 2 * float(fit.value), rel=1e-12)


def test_tied_parameters_count_once_and_share_their_uncertainty():
    """Two samples with one mean are one sample."""
    y = np.random.default_rng(2).normal(size=(2, 10))

    def both(params, rows):
        means = jnp.stack([params["a"], params["b"]])
        return jm.densities.normal.logpdf(rows["y"], means[rows["sample"]], params["sigma"])

    term = jm.likelihood(both, {"y": y.ravel(), "sample": np.repeat([0, 1], 10)})
    fit = jm.fit(term, {"a": 0.0, "b": jm.tied("a"), "sigma": jm.positive(1.0)})
    inference = jm.infer(term, fit)
    assert fit.ok
    assert fit.z.shape == (2,)
    assert float(fit.params["a"]) == float(fit.params["b"]) == pytest.approx(y.mean(), rel=1e-9)
    variance = y.var() / 20
    np.testing.assert_allclose(inference.cov[:2, :2], np.full((2, 2), variance), rtol=1e-8)
    assert float(inference.bse["b"]) == pytest.approx(np.sqrt(variance), rel=1e-8)
    lower, upper = inference.conf_int()
    assert float(lower["a"]) == float(lower["b"])
    assert float(upper["a"]) == float(upper["b"])
    assert float(inference.aic) == pytest.approx(4 - 2 * float(inference.llf), rel=1e-12)


# Law 4: status is data; and law 8: it says how a fit ended
COLLINEAR = np.column_stack([X[:, :3], 2.0 * X[:, 1] + 1.0])


def _fit_coins(x=X, y=COINS[0], weights=ONES, **options):
    """Always the same program."""
    return jm.fit(jm.models.logistic(x, np.asarray(y, float), np.asarray(weights, float)), **options)


def test_converged_in_the_statisticians_units():
    fit = _fit_coins()
    assert int(fit.status) in (codes.CONVERGED, codes.STALLED_AT_ROUNDING)
    assert fit.ok
    assert fit.message.startswith("converged")
    assert "log-density still to be gained" in fit.message
    assert 0.5 * float(fit.newton_decrement) ** 2 < 1e-15


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_separation_is_not_convergence_whatever_the_units(unit):
    fit = _fit_coins(X * [1.0, unit, 1.0, 1.0], X[:, 1] > 0)
    assert int(fit.status) == codes.DIVERGING
    assert not fit.ok
    assert codes.sentence(codes.DIVERGING) in fit.message
    assert "beta[1] goes to +infinity" in fit.message


@pytest.mark.parametrize("ones", [1, 2])
def test_rare_events_converge(ones):
    y = np.zeros(ROWS)
    y[np.argsort(np.abs(X[:, 1:]).sum(axis=1))[:ones]] = 1.0
    design = np.column_stack([X[:, 0], np.zeros((ROWS, COLUMNS - 1))])
    fit = _fit_coins(design, y)
    assert int(fit.status) == codes.FLAT
    assert float(fit.params["beta"][0]) == pytest.approx(np.log(ones / (ROWS - ones)), rel=1e-9)


def test_a_maximum_that_is_not_unique_says_so():
    fit = _fit_coins(COLLINEAR)
    assert int(fit.status) == codes.FLAT
    assert fit.ok
    assert "not unique" in fit.message


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_run_cut_short_says_so(steps):
    fit = _fit_coins(max_steps=steps)
    assert int(fit.status) == codes.OUT_OF_STEPS
    assert not fit.ok
    assert int(fit.steps) == steps
    assert "ran out of steps before it converged; raise max_steps" in fit.message
    assert f"after {steps} evaluation" in fit.message


def test_a_run_cut_short_has_no_standard_errors():
    fit = _fit_coins(max_steps=2)
    inference = jm.infer(jm.models.logistic(X, COINS[0], ONES), fit)
    assert np.isnan(inference.bse["beta"]).all()


def test_a_maximum_on_the_boundary_is_named_with_its_limit():
    fit = jm.fit(jm.models.bernoulli(np.zeros(6)))
    assert int(fit.status) == codes.BOUNDARY
    assert not fit.ok
    assert "p goes to 0" in fit.message


def test_an_unbounded_likelihood_is_named():
    fit = jm.fit(jm.models.normal(np.full(6, 2.5)))
    assert int(fit.status) == codes.UNBOUNDED
    assert not fit.ok
    assert codes.sentence(codes.UNBOUNDED) in fit.message


@pytest.mark.parametrize("rough", [jnp.abs, lambda x: jnp.abs(x) + 0.5 * jnp.abs(x + 1.3), lambda x: jnp.abs(x) ** 0.5])
def test_a_rough_function_is_not_called_converged(rough):
    """Its gradient never falls, and it has no curvature that is one of a maximum."""
    fit = jm.fit(jm.log_prior(lambda p: -rough(p["a"] - 0.3)), {"a": 2.0})
    assert not fit.ok
    assert int(fit.status) in (codes.STALLED, codes.OUT_OF_STEPS)


@pytest.mark.parametrize("start", [2.0, -3.0])
def test_a_flat_top_beyond_a_slope_without_curvature_is_reached(start):
    """All numbers from 0 to 0.3 are maxima of this one."""
    fit = jm.fit(jm.log_prior(lambda p: -jnp.abs(p["a"] - 0.3) - jnp.abs(p["a"])), {"a": start})
    assert int(fit.status) == codes.FLAT
    assert float(fit.value) == pytest.approx(-0.3, rel=1e-12)


@pytest.mark.parametrize("name", list(BAD))
def test_outside_a_trace_it_raises_and_inside_the_status_says_it(name):
    y, weights, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        _fit_coins(X, y, weights)
    fit, inference = logistic_jit(X, y, weights)
    assert not fit.ok
    assert int(fit.status) in (codes.NON_FINITE_AT_START, codes.NEGATIVE_WEIGHT, codes.NO_WEIGHT)
    assert np.isnan(inference.bse["beta"]).all()


def test_a_start_outside_its_constraint():
    term = jm.log_prior(lambda p: -((jnp.log(p["a"]) - 0.5) ** 2))
    with pytest.raises(ValueError, match="start of 'a' is -1"):
        jm.fit(term, {"a": jm.positive(-1.0)})
    fit = jax.jit(lambda a: jm.fit(term, {"a": jm.positive(a)}))(jnp.array(-1.0))
    assert int(fit.status) == codes.START_OUTSIDE
    assert "move it inside" in fit.message


# Law 8: the Newton decrement


@pytest.mark.parametrize("steps,accuracy", [(2, 0.3), (3, 0.03), (4, 1e-3)])
def test_half_the_squared_decrement_is_the_gain_still_to_be_had(steps, accuracy):
    best, cut = _fit_coins(), _fit_coins(max_steps=steps)
    gain = float(best.value) - float(cut.value)
    assert gain > 1e-13
    assert 0.5 * float(cut.newton_decrement) ** 2 == pytest.approx(gain, rel=accuracy, abs=1e-13)


@pytest.mark.parametrize("tolerance", [1e-1, 1e-4, 1e-8])
def test_a_fit_ends_when_less_than_the_tolerance_is_left(tolerance):
    best, fit = _fit_coins(), _fit_coins(tolerance=tolerance)
    assert fit.ok
    assert int(fit.steps) <= int(best.steps)
    assert 0.5 * float(fit.newton_decrement) ** 2 < tolerance
    assert float(best.value) - float(fit.value) < 1.5 * tolerance


# Law 9: no standard error is fabricated


def test_nan_where_the_information_is_singular_and_only_there():
    problem = jm.models.logistic(COLLINEAR, COINS[0], ONES)
    inference = jm.infer(problem, jm.fit(problem))
    assert np.array_equal(np.isnan(inference.bse["beta"]), [True, True, False, True])
    assert np.array_equal(np.isnan(np.diagonal(inference.cov)), [True, True, False, True])
    assert len(inference.free_directions()) == 1
    assert "beta[2]" not in inference.free_directions()[0]
    free = np.asarray(inference.directions)
    free = free[:, np.abs(free).sum(axis=0) > 0][:, 0]
    assert np.abs(COLLINEAR @ free).max() < 1e-7 * np.abs(free).max()
    # What is estimable has the error it has without the redundant column.
    information = _logistic_information(COLLINEAR[:, :3], jm.fit(problem).params["beta"], COLLINEAR)
    assert float(inference.bse["beta"][2]) == pytest.approx(np.sqrt(np.linalg.inv(information)[2, 2]), rel=1e-6)


def _logistic_information(columns, beta, x):
    chance = 1 / (1 + np.exp(-x @ np.asarray(beta)))
    return columns.T @ (columns * (chance * (1 - chance))[:, None])


# Law 10: names mean what the textbook says


@few
@hypothesis.given(seeds)
def test_covariance_inverts_the_information_and_criteria_have_their_formulas(seed):
    x, coins = coin_lanes(seed, 1)
    fit, inference = logistic_jit(x, coins[0], ONES)
    hypothesis.assume(int(fit.status) == codes.CONVERGED)
    information = _logistic_information(x, fit.params["beta"], x)
    np.testing.assert_allclose(information @ np.asarray(inference.cov), np.eye(COLUMNS), atol=1e-8)
    np.testing.assert_allclose(inference.eigenvalues, np.linalg.eigvalsh(information)[[0, -1]], rtol=1e-9)
    llf = float(stats.bernoulli.logpmf(coins[0], 1 / (1 + np.exp(-x @ np.asarray(fit.params["beta"])))).sum())
    assert float(inference.llf) == pytest.approx(llf, rel=1e-9)
    assert float(inference.aic) == pytest.approx(2 * COLUMNS - 2 * llf, rel=1e-9)
    assert float(inference.bic) == pytest.approx(COLUMNS * np.log(ROWS) - 2 * llf, rel=1e-9)
    z = np.asarray(fit.params["beta"]) / np.asarray(inference.bse["beta"])
    np.testing.assert_allclose(inference.zvalues["beta"], z, rtol=1e-10)
    np.testing.assert_allclose(inference.pvalues["beta"], 2 * stats.norm.sf(np.abs(z)), rtol=1e-9)
