"""The laws of the design, one test each; by hypothesis where a law is a property.

Shapes are fixed, so that each program is compiled once for all examples.
"""

import functools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import stats

import jaxmle as jm
from jaxmle.core import status as codes

ROWS, COLUMNS, LANES, AGAIN = 30, 4, 4, 5
ONES = np.ones(ROWS)
seeds = st.integers(0, 2**32 - 1)
few = hypothesis.settings(max_examples=8, deadline=None, derandomize=True, database=None)


def _design(rng, rows=ROWS):
    return np.column_stack([np.ones(rows), rng.normal(size=(rows, COLUMNS - 1))])


# A linear regression with its scale, its estimates and all that is inferred, in one compiled program.


def _mean_and_scale(params, row):
    return row @ params["beta"], params["sigma"]


@functools.partial(jax.jit, static_argnames="block")
def linear(x, y, weights, factor=1.0, block=None):
    term = factor * jm.regression(jm.densities.normal, _mean_and_scale, x, y, weights, block=block)
    fit = jm.fit(term, {"beta": jnp.zeros(COLUMNS), "sigma": jm.positive(1.0)})
    return fit, jm.infer(term, fit)


def _linear_sample(seed):
    rng = np.random.default_rng(seed)
    x = _design(rng)
    return rng, x, x @ rng.normal(size=COLUMNS) + np.exp(rng.normal()) * rng.normal(size=ROWS)


def _same(one, other, what=("params", "bse", "cov", "llf", "nobs", "aic", "bic"), rtol=1e-8):
    """Two pairs of fit and inference, to what the tolerance of a fit and rounding leave of the digits."""
    assert np.all(one[0].ok)
    assert np.all(other[0].ok)
    for name in what:
        pairs = zip(jax.tree.leaves(getattr(one[1], name)), jax.tree.leaves(getattr(other[1], name)), strict=True)
        for a, b in pairs:
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(1.0, np.abs(b).max()), err_msg=name)


# Law 1: what is maximised


@few
@hypothesis.given(seeds)
def test_map_with_a_flat_prior_is_mle(seed):
    x, coins = _coins(seed, 1)
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
    rng, x, y = _linear_sample(seed)
    weights = rng.integers(0, 4, ROWS) + 1.0
    fit, inference = linear(x, y, weights)
    at = {name: np.asarray(value) for name, value in fit.params.items()}
    rows = stats.norm.logpdf(y, x @ at["beta"], at["sigma"])
    assert float(fit.value) == pytest.approx(weights @ rows, rel=1e-10)
    assert float(inference.llf) == pytest.approx(weights @ rows, rel=1e-10)
    assert float(inference.nobs) == weights.sum()


# The longer samples are evaluated in blocks of 9, which do not divide their 35 rows.
in_blocks = functools.partial(linear, block=9)


@few
@hypothesis.given(seeds)
def test_weight_two_is_the_row_twice(seed):
    rng, x, y = _linear_sample(seed)
    twice = rng.permutation(ROWS)[:AGAIN]
    weights = ONES.copy()
    weights[twice] = 2.0
    repeated = in_blocks(np.vstack([x, x[twice]]), np.append(y, y[twice]), np.ones(ROWS + AGAIN))
    _same(linear(x, y, weights), repeated)


@few
@hypothesis.given(seeds)
def test_weight_zero_is_no_row(seed):
    """Even where the response is missing."""
    _, x, y = _linear_sample(seed)
    absent = np.append(y, np.full(AGAIN, np.nan))
    weights = np.append(ONES, np.zeros(AGAIN))
    _same(linear(x, y, ONES), in_blocks(np.vstack([x, x[:AGAIN]]), absent, weights))


# Law 3: fixed and tied


def test_fixed_is_absent_from_z_from_the_covariance_and_from_the_count():
    _, x, y = _linear_sample(1)
    term = jm.regression(jm.densities.normal, _mean_and_scale, x, y)
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


def logistic(x, y, weights):
    problem = jm.models.logistic(x, y, weights)
    fit = jm.fit(problem)
    return fit, jm.infer(problem, fit)


logistic_jit = jax.jit(logistic)
logistic_lanes = jax.jit(jax.vmap(logistic, (None, 0, 0)))


def _coins(seed=3, lanes=LANES):
    rng = np.random.default_rng(seed)
    x = _design(rng)
    chance = 1 / (1 + np.exp(-x @ np.array([0.2, 0.8, -0.6, 0.3])))
    return x, (rng.uniform(size=(lanes, ROWS)) < chance).astype(float)


X, COINS = _coins()
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


def test_a_rough_function_is_not_called_converged():
    """Its gradient never falls, and it has no curvature."""
    fit = jm.fit(jm.log_prior(lambda p: -(jnp.abs(p["a"] - 0.3) ** 1.0) - jnp.abs(p["a"])), {"a": 2.0})
    assert not fit.ok
    assert int(fit.status) in (codes.STALLED, codes.OUT_OF_STEPS)


BAD = {
    "missing": (np.where(np.arange(ROWS) == 4, np.nan, COINS[0]), ONES, "missing .* row 4"),
    "support": (np.where(np.arange(ROWS) == 4, 2.0, COINS[0]), ONES, "y is 2.0 at row 4"),
    "negative": (COINS[0], np.where(np.arange(ROWS) == 4, -1.0, 1.0), "weight of row 4 is -1"),
    "not a weight": (COINS[0], np.where(np.arange(ROWS) == 4, np.nan, 1.0), "weight of row 4 is nan"),
    "no weight": (COINS[0], 0.0 * ONES, "all weights are zero"),
}


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


# Law 5: jit, vmap, gradients, blocks


def test_jit_equals_eager():
    _same(logistic(X, COINS[0], ONES), logistic_jit(X, COINS[0], ONES), rtol=1e-11)


def test_vmap_equals_a_loop():
    weights = np.random.default_rng(4).integers(1, 4, (LANES, ROWS)).astype(float)
    together = logistic_lanes(X, COINS, weights)
    for i in range(LANES):
        lane = jax.tree.map(lambda leaf, i=i: leaf[i], together)
        _same(lane, logistic_jit(X, COINS[i], weights[i]), rtol=1e-11)


GRADIENT_ROWS = 10


def _linear_rows(params, rows):
    mean = rows["x"] @ params["beta"] + params["offset"]
    return jm.densities.normal.logpdf(rows["y"], mean, params["sigma"])


def _outputs(numbers):
    """Everything that a fit has to say, from everything that it depends on."""
    rows = {"x": numbers["x"], "y": numbers["y"]}
    posterior = jm.likelihood(_linear_rows, rows, numbers["weights"]) + jm.priors.normal(
        "beta", loc=numbers["loc"], scale=numbers["scale"]
    )
    fit = jm.fit(posterior, {"beta": jnp.zeros(2), "offset": jm.fixed(numbers["offset"]), "sigma": jm.positive(1.0)})
    scalars = jnp.stack([fit.params["sigma"], fit.value, fit.log_likelihood, fit.log_prior, fit.log_jacobian])
    return jnp.concatenate([fit.params["beta"], fit.z, scalars])


jacobian = jax.jit(jax.jacrev(_outputs))
pushed = jax.jit(lambda numbers, along: jax.jvp(_outputs, (numbers,), (along,)))


def _numbers(seed=5):
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(size=(GRADIENT_ROWS, 2)),
        "y": rng.normal(size=GRADIENT_ROWS),
        "weights": rng.uniform(0.5, 2.0, GRADIENT_ROWS),
        "loc": np.array(0.2),
        "scale": np.array(0.7),
        "offset": np.array(0.4),
    }


def _move(numbers, along, step):
    return jax.tree.map(lambda a, b: a + step * b, numbers, along)


@pytest.mark.parametrize("name", list(_numbers()))
def test_gradient_through_a_fit_equals_finite_differences(name):
    """Central differences of step h err by h^2 and by rounding / h: 1e-7 at h = 1e-5 leaves room for both."""
    numbers = _numbers()
    exact = jacobian(numbers)[name]
    rng = np.random.default_rng(6)
    along = jax.tree.map(np.zeros_like, numbers) | {name: rng.normal(size=np.shape(numbers[name]))}
    step = 1e-5
    ends = [pushed(_move(numbers, along, signed), along)[0] for signed in (step, -step)]
    differences = (ends[0] - ends[1]) / (2 * step)
    slope = np.asarray(exact).reshape(len(differences), -1) @ np.ravel(along[name])
    np.testing.assert_allclose(slope, differences, rtol=1e-7, atol=1e-7)
    assert np.abs(slope).max() > 1e-3


@few
@hypothesis.given(seeds)
def test_forward_derivative_equals_the_reverse_one(seed):
    rng = np.random.default_rng(seed)
    numbers = _numbers(seed)
    along = jax.tree.map(lambda leaf: rng.normal(size=np.shape(leaf)), numbers)
    value, forward = pushed(numbers, along)
    backward = sum(
        np.asarray(rows).reshape(len(value), -1) @ np.ravel(along[name]) for name, rows in jacobian(numbers).items()
    )
    np.testing.assert_allclose(forward, backward, rtol=1e-8, atol=1e-8)


def test_second_derivatives_equal_finite_differences_of_the_gradient():
    base = _numbers()

    def total(theta):
        numbers = base | {
            "y": base["y"] + theta[0] * jnp.linspace(0.0, 1.0, GRADIENT_ROWS),
            "weights": base["weights"] * jnp.exp(theta[1]),
            "scale": base["scale"] + theta[2],
            "offset": base["offset"] + theta[3],
        }
        numbers = {name: jnp.asarray(value) for name, value in numbers.items()}
        return jnp.dot(_outputs(numbers), jnp.linspace(0.5, 1.5, 10))

    both = jax.jit(lambda theta: (jax.grad(total)(theta), jax.hessian(total)(theta)))
    step = 1e-5
    hessian = both(jnp.zeros(4))[1]
    columns = [(both(step * e)[0] - both(-step * e)[0]) / (2 * step) for e in np.eye(4)]
    np.testing.assert_allclose(hessian, np.stack(columns, axis=1), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-8, atol=1e-8)


def test_gradient_of_a_failed_fit_is_nan():
    """A coin that fell heads only has no finite log odds, and so no derivative of them, in either mode."""

    def log_odds(weights):
        coin = jm.likelihood(lambda p, y: -jnp.log1p(jnp.exp(-p["a"])) * y, np.ones(3), weights)
        return jm.fit(coin, {"a": 0.0}).params["a"]

    both = jax.jit(lambda w: (jax.jvp(log_odds, (w,), (jnp.array([1.0, 0.0, 0.0]),))[1], jax.grad(log_odds)(w)))
    forward, reverse = both(jnp.ones(3))
    assert np.isnan(forward)
    assert np.isnan(reverse).all()


@few
@hypothesis.given(seeds)
def test_block_size_changes_results_by_rounding_only(seed):
    """Rows without weight make the sample as long as the program in blocks wants it."""
    rng, x, y = _linear_sample(seed)
    weights = rng.uniform(0.5, 2.0, ROWS)
    order = rng.permutation(ROWS + AGAIN)
    longer = [np.concatenate([part, np.zeros((AGAIN, *part.shape[1:]))])[order] for part in (x, y, weights)]
    _same(linear(x, y, weights), in_blocks(*longer), rtol=1e-9)


# Law 6: invariance


@few
@hypothesis.given(seeds)
def test_invariant_to_a_linear_change_of_the_columns(seed):
    rng, x, y = _linear_sample(seed)
    units = 10.0 ** rng.uniform(-3, 3, COLUMNS)
    change = (np.eye(COLUMNS) + 0.2 * rng.normal(size=(COLUMNS,) * 2)) * units
    before, after = linear(x, y, ONES), linear(x @ change, y, ONES)
    _same(before, after, what=("llf", "aic", "bic"))
    np.testing.assert_allclose(after[1].bse["sigma"], before[1].bse["sigma"], rtol=1e-7)
    np.testing.assert_allclose(after[0].params["sigma"], before[0].params["sigma"], rtol=1e-7)
    errors = np.asarray(before[1].bse["beta"])
    back = change @ np.asarray(after[0].params["beta"])
    assert np.all(np.abs(back - before[0].params["beta"]) < 1e-6 * errors)
    covariance = change @ np.asarray(after[1].cov)[:COLUMNS, :COLUMNS] @ change.T
    off = np.abs(covariance - before[1].cov[:COLUMNS, :COLUMNS])
    assert np.all(off < 1e-6 * np.outer(errors, errors))


@few
@hypothesis.given(seeds)
def test_invariant_to_the_order_of_rows(seed):
    rng, x, y = _linear_sample(seed)
    order = rng.permutation(ROWS)
    _same(linear(x, y, ONES), linear(x[order], y[order], ONES))


@few
@hypothesis.given(seeds, st.floats(-3, 3))
def test_invariant_to_the_scale_of_the_objective(seed, exponent):
    """But for the standard errors, which go with one over its root, as the weights of all rows do."""
    _, x, y = _linear_sample(seed)
    factor = 10.0**exponent
    before, after = linear(x, y, ONES), linear(x, y, ONES, factor)
    _same(before, after, what=("params",), rtol=1e-7)
    np.testing.assert_allclose(np.asarray(after[1].cov) * factor, before[1].cov, rtol=1e-6, atol=1e-9)
    assert float(after[1].llf) == pytest.approx(factor * float(before[1].llf), rel=1e-8)


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
    x, coins = _coins(seed, 1)
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


# Law 11: a bad lane is alone


@pytest.mark.parametrize("kind", ["missing", "support", "negative", "no weight", "separated"])
def test_a_bad_lane_leaves_the_others_as_they_are_without_it(kind):
    bad_y, bad_weights, _ = BAD.get(kind, ((X[:, 1] > 0).astype(float), ONES, None))
    weights = np.ones((LANES, ROWS))
    clean = logistic_lanes(X, COINS, weights)
    y, w = COINS.copy(), weights.copy()
    y[1], w[1] = bad_y, bad_weights
    spoilt = logistic_lanes(X, y, w)
    assert np.array_equal(spoilt[0].ok, [True, False, True, True])
    others = np.array([0, 2, 3])
    for a, b in zip(jax.tree.leaves(clean), jax.tree.leaves(spoilt), strict=True):
        assert np.array_equal(np.asarray(a)[others], np.asarray(b)[others], equal_nan=True)
