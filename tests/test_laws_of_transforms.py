"""The laws of jit, vmap and derivatives, of invariance, and of lanes."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from law_cases import (
    AGAIN,
    BAD,
    COINS,
    COLUMNS,
    LANES,
    ONES,
    ROWS,
    X,
    few,
    in_blocks,
    linear,
    linear_sample,
    logistic,
    logistic_jit,
    same,
    seeds,
)

import jaxmle as jm

logistic_lanes = jax.jit(jax.vmap(logistic, (None, 0, 0)))


# Law 5: jit, vmap, gradients, blocks


def test_jit_equals_eager():
    same(logistic(X, COINS[0], ONES), logistic_jit(X, COINS[0], ONES), rtol=1e-11)


def test_vmap_equals_a_loop():
    weights = np.random.default_rng(4).integers(1, 4, (LANES, ROWS)).astype(float)
    together = logistic_lanes(X, COINS, weights)
    for i in range(LANES):
        lane = jax.tree.map(lambda leaf, i=i: leaf[i], together)
        same(lane, logistic_jit(X, COINS[i], weights[i]), rtol=1e-11)


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
    rng, x, y = linear_sample(seed)
    weights = rng.uniform(0.5, 2.0, ROWS)
    order = rng.permutation(ROWS + AGAIN)
    longer = [np.concatenate([part, np.zeros((AGAIN, *part.shape[1:]))])[order] for part in (x, y, weights)]
    same(linear(x, y, weights), in_blocks(*longer), rtol=1e-9)


# Law 6: invariance


@few
@hypothesis.given(seeds)
def test_invariant_to_a_linear_change_of_the_columns(seed):
    rng, x, y = linear_sample(seed)
    units = 10.0 ** rng.uniform(-3, 3, COLUMNS)
    change = (np.eye(COLUMNS) + 0.2 * rng.normal(size=(COLUMNS,) * 2)) * units
    before, after = linear(x, y, ONES), linear(x @ change, y, ONES)
    same(before, after, what=("llf", "aic", "bic"))
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
    rng, x, y = linear_sample(seed)
    order = rng.permutation(ROWS)
    same(linear(x, y, ONES), linear(x[order], y[order], ONES))


@few
@hypothesis.given(seeds, st.floats(-3, 3))
def test_invariant_to_the_scale_of_the_objective(seed, exponent):
    """But for the standard errors, which go with one over its root, as the weights of all rows do."""
    _, x, y = linear_sample(seed)
    factor = 10.0**exponent
    before, after = linear(x, y, ONES), linear(x, y, ONES, factor)
    same(before, after, what=("params",), rtol=1e-7)
    np.testing.assert_allclose(np.asarray(after[1].cov) * factor, before[1].cov, rtol=1e-6, atol=1e-9)
    assert float(after[1].llf) == pytest.approx(factor * float(before[1].llf), rel=1e-8)


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
