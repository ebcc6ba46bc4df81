"""Training: every step is the gradient it should be, and every option does what it says."""

import importlib
import math
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import LogisticRegression

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.fitting import epoch

# The benchmarks are not installed, and a bare `pytest` leaves the repository root off the path.
sys.path.insert(0, str(Path(__file__).parents[1]))
networks = importlib.import_module("benchmarks.training")

KEY = jax.random.key(0)
N = 23
RNG = np.random.default_rng(7)
X = np.column_stack([np.ones(N), RNG.normal(size=(N, 2))])
Y = (RNG.uniform(size=N) < 0.5).astype(float)
WEIGHTS = RNG.integers(0, 4, N).astype(float)
ROWS = {"x": X, "y": Y}
BETA = np.array([0.3, -0.2, 0.5])


def log_likelihood(params, rows):
    return jm.densities.bernoulli.logpmf(rows["y"], rows["x"] @ params["beta"])


def score(beta, rows=slice(None), weights=None):
    """The gradient of the log-likelihood of some rows, by hand."""
    residuals = (Y - 1 / (1 + np.exp(-X @ beta)))[rows]
    return X[rows].T @ (residuals if weights is None else residuals * weights[rows])


def at_epochs_end(steps):
    """Leaves params alone until the last step of an epoch, and then moves them by minus the mean gradient."""
    return optax.MultiSteps(
        optax.sgd(1.0), every_k_schedule=steps, accumulator_dtype=jnp.float64
    ).gradient_transformation()


def moved(objective, start, **options):
    """How far one epoch moves beta with such an optimiser."""
    batch, rows = options["batch_size"], options.pop("rows", N)
    steps = math.ceil(rows / (batch * options.get("accumulate", 1)))
    fit = jm.train(objective, start, at_epochs_end(steps), key=KEY, **options)
    return np.asarray(fit.params["beta"])


# The gradient


@pytest.mark.parametrize("batch_size", [1, 4, 5, 22, 23])
def test_mean_gradient_of_an_epoch_is_that_of_the_whole_objective(batch_size):
    objective = jm.likelihood(log_likelihood, ROWS) + jm.priors.normal("beta", loc=1.0, scale=0.5)
    wanted = BETA + (score(BETA) - (BETA - 1.0) / 0.25) / N
    assert moved(objective, {"beta": BETA}, batch_size=batch_size) == pytest.approx(wanted, rel=1e-12)


def test_case_weights_factors_and_regressions_count_as_they_should():
    likelihood = jm.likelihood(log_likelihood, ROWS, WEIGHTS)
    regression = jm.regression(jm.densities.bernoulli, lambda p, x: (x @ p["beta"],), X, Y, WEIGHTS)
    wanted = BETA + (3.5 * score(BETA, weights=WEIGHTS) - 0.5 * BETA) / (2 * WEIGHTS.sum())
    objective = 2.0 * likelihood + 1.5 * regression + 0.5 * jm.priors.normal("beta")
    assert moved(objective, {"beta": BETA}, batch_size=4) == pytest.approx(wanted, rel=1e-12)


def test_terms_without_rows_count_whole():
    whole = jm.likelihood(lambda p, y: -0.5 * jnp.sum((y - p["beta"]) ** 2), jnp.array([1.0, 2.0, 4.0]), rows=False)
    objective = jm.likelihood(log_likelihood, ROWS) + whole
    wanted = BETA + (score(BETA) + np.array([1.0, 2.0, 4.0]) - BETA) / (N + 3)
    assert moved(objective, {"beta": BETA}, batch_size=6) == pytest.approx(wanted, rel=1e-12)
    alone = jm.train(whole, {"beta": BETA}, optax.sgd(3.0), key=KEY)
    assert np.asarray(alone.params["beta"]) == pytest.approx([1.0, 2.0, 4.0], rel=1e-12)
    assert int(alone.steps) == 1


@pytest.mark.parametrize("batch_size, steps", [(7, 4), (10, 3), (22, 2), (23, 1)])
def test_every_row_has_the_same_say_and_the_prior_its_own_in_every_step(batch_size, steps):
    term = jm.likelihood(lambda p, row: p["w"][row], np.arange(N))
    fit = jm.train(
        term + jm.log_prior(lambda p: p["c"]),
        {"w": jnp.zeros(N), "c": 0.0},
        optax.sgd(1.0),
        key=KEY,
        batch_size=batch_size,
    )
    assert np.asarray(fit.params["w"]) == pytest.approx(np.full(N, steps / N), rel=1e-12)
    assert float(fit.params["c"]) == pytest.approx(steps / N, rel=1e-12)


def test_accumulated_batches_are_one_large_batch():
    objective = jm.likelihood(log_likelihood, ROWS, WEIGHTS) + jm.priors.normal("beta")
    options = {"key": KEY, "epochs": 3}
    parts = jm.train(objective, {"beta": BETA}, optax.adam(0.1), batch_size=3, accumulate=3, **options)
    one = jm.train(objective, {"beta": BETA}, optax.adam(0.1), batch_size=9, **options)
    assert int(parts.steps) == int(one.steps) == 9
    assert np.asarray(parts.z) == pytest.approx(np.asarray(one.z), rel=1e-11)


def test_a_step_sees_rows_once_an_epoch_in_an_order_of_the_key():
    term = jm.likelihood(lambda p, row: p["w"][row], np.arange(N))
    seen = []
    for key in (0, 0, 1):
        fit = jm.train(term, {"w": jnp.zeros(N)}, optax.sgd(lambda t: 10.0**-t), key=jax.random.key(key), batch_size=8)
        seen.append(np.round(np.log10(np.asarray(fit.params["w"]) * N / 3)).astype(int))
    assert sorted(seen[0]) == [-2] * 7 + [-1] * 8 + [0] * 8
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    assert not np.array_equal(seen[0], np.sort(seen[0])[::-1])


def test_the_order_changes_from_epoch_to_epoch():
    term = jm.likelihood(lambda p, row: p["w"][row], np.arange(N))
    fit = jm.train(term, {"w": jnp.zeros(N)}, optax.sgd(lambda t: 10.0**-t), key=KEY, batch_size=12, epochs=2)
    steps = np.asarray(fit.params["w"]) * N / 2
    assert len(np.unique(np.round(steps, 9))) == 4  # (first or second) and then (third or fourth)


# The optimiser


def test_full_batches_follow_gradient_ascent_by_hand():
    rates = [1.0, 0.5, 0.5, 0.25]
    beta = BETA
    for rate in rates:
        beta = beta + rate * (score(beta) - beta) / N
    objective = jm.likelihood(log_likelihood, ROWS) + jm.priors.normal("beta")
    schedule = optax.piecewise_constant_schedule(1.0, {1: 0.5, 3: 0.5})
    fit = jm.train(objective, {"beta": BETA}, optax.sgd(schedule), key=KEY, epochs=4)
    assert np.asarray(fit.params["beta"]) == pytest.approx(beta, rel=1e-12)


def test_the_optimiser_sees_a_tree_like_the_start_of_free_unconstrained_leaves():
    seen = []

    def init(tree):
        seen.append(tree)
        return ()

    quiet = optax.GradientTransformation(init, lambda g, s, p: (jax.tree.map(jnp.zeros_like, g), s))
    start = {
        "beta": jnp.zeros(2),
        "held": jm.fixed(3.0),
        "same": jm.tied("beta"),
        "shares": jm.simplex(jnp.array([0.2, 0.3, 0.5])),
        "sigma": jm.positive(2.0),
    }
    fit = jm.train(jm.log_prior(lambda p: -p["sigma"] - jnp.sum(p["same"])), start, quiet, key=KEY)
    (tree,) = seen
    assert {name: None if leaf is None else leaf.shape for name, leaf in tree.items()} == {
        "beta": (2,),
        "held": None,
        "same": None,
        "shares": (2,),
        "sigma": (),
    }
    assert float(fit.params["sigma"]) == pytest.approx(2.0)
    assert float(fit.value) == pytest.approx(-2.0)
    assert np.asarray(fit.params["shares"]) == pytest.approx([0.2, 0.3, 0.5])


def test_fixed_leaves_stay_tied_ones_follow_and_masks_go_by_leaf():
    def contribution(p, rows):
        return rows["x"][:, 0] * (p["a"] + p["b"] + p["c"] + p["d"])

    start = {"a": 1.0, "b": jm.fixed(5.0), "c": jm.tied("a"), "d": 1.0}
    decay = optax.add_decayed_weights(1.0, mask={"a": True, "b": None, "c": None, "d": False})
    fit = jm.train(jm.likelihood(contribution, ROWS), start, optax.chain(decay, optax.sgd(0.1)), key=KEY)
    # The mean slope is 1, twice in a, of which 1 is decayed.
    assert {name: float(value) for name, value in fit.params.items()} == pytest.approx(
        {"a": 1.1, "b": 5.0, "c": 1.1, "d": 1.1}
    )


def test_decay_is_an_l2_prior_for_gradient_descent_but_not_for_adam():
    scale, n = 0.7, N
    likelihood = jm.likelihood(log_likelihood, ROWS)
    options = {"key": KEY, "batch_size": 5, "epochs": 40}

    def difference(optimiser, decayed):
        by_prior = jm.train(likelihood + jm.priors.normal("beta", scale=scale), {"beta": BETA}, optimiser, **options)
        by_decay = jm.train(likelihood, {"beta": BETA}, decayed, **options)
        return float(jnp.max(jnp.abs(by_prior.z - by_decay.z)))

    strength = 1 / (scale**2 * n)
    descent = optax.chain(optax.add_decayed_weights(strength), optax.sgd(0.1))
    assert difference(optax.sgd(0.1), descent) < 1e-12
    assert difference(optax.adam(0.01), optax.adamw(0.01, weight_decay=strength)) > 0.01
    # What Adam needs to be MAP is the decay in the gradient, before its scaling.
    inside = optax.chain(optax.add_decayed_weights(strength), optax.adam(0.01))
    assert difference(optax.adam(0.01), inside) < 1e-12


def test_an_optimiser_that_searches_along_a_line_reaches_scikit_learns_estimate():
    objective = jm.likelihood(log_likelihood, ROWS) + jm.priors.normal("beta", scale=1.0)
    fit = jm.train(objective, {"beta": np.zeros(3)}, optax.lbfgs(), key=KEY, batch_size=23, epochs=25)
    reference = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-12, max_iter=1000).fit(X, Y)
    assert np.asarray(fit.params["beta"]) == pytest.approx(reference.coef_[0], abs=1e-6)
    assert float(fit.gradient_norm) < 1e-6
    parts = jm.train(objective, {"beta": np.zeros(3)}, optax.lbfgs(), key=KEY, batch_size=8, accumulate=3, epochs=25)
    assert np.asarray(parts.z) == pytest.approx(np.asarray(fit.z), abs=1e-6)


def test_infer_applies_to_what_was_trained():
    problem = jm.models.logistic(X, Y)
    fit = jm.train(problem, None, optax.lbfgs(), key=KEY, epochs=30)
    trained, fitted = jm.infer(problem, fit), jm.infer(problem, jm.fit(problem))
    assert np.asarray(trained.bse["beta"]) == pytest.approx(np.asarray(fitted.bse["beta"]), rel=1e-6)
    assert float(trained.llf) == pytest.approx(float(fitted.llf), rel=1e-9)


def test_a_learning_rate_given_apart_compiles_nothing():
    term = jm.likelihood(log_likelihood, ROWS)

    def go(rate):
        return jm.train(term, {"beta": BETA}, jm.solvers.Optax(optax.sgd, learning_rate=rate), key=KEY)

    go(0.5)
    before = len(epoch.TRACED)
    assert np.asarray(go(2.0).params["beta"]) == pytest.approx(BETA + 2.0 * score(BETA) / N, rel=1e-12)
    assert len(epoch.TRACED) == before


# Compiled once


def test_other_data_keys_epochs_and_priors_compile_nothing():
    optimiser = optax.adam(0.1)

    def go(seed, scale, **options):
        data = {"x": X + seed, "y": Y}
        objective = jm.likelihood(log_likelihood, data, WEIGHTS + seed) + jm.priors.normal("beta", scale=scale)
        held_out = jm.likelihood(log_likelihood, data)
        options = {"key": jax.random.key(seed), "batch_size": 5, "held_out": held_out, "average": True, **options}
        return jm.train(objective, {"beta": BETA + seed}, optimiser, **options)

    go(0, 1.0, epochs=2)
    before = len(epoch.TRACED), compiled_programs()
    go(1, 2.0, epochs=5, patience=3)
    assert (len(epoch.TRACED), compiled_programs()) == before


def test_all_epochs_are_one_program_whatever_python_numbers_it_began_with():
    def counting(params, rows, state, key):
        return log_likelihood(params, rows), state + jnp.ones((), int)

    before = len(epoch.TRACED)
    fit = jm.train(
        jm.likelihood(counting, ROWS), {"beta": BETA}, optax.sgd(0.1), key=KEY, batch_size=5, epochs=3, state=0
    )
    assert int(fit.state) == 15
    assert len(epoch.TRACED) == before + 1


def compiled_programs():
    measure = importlib.import_module("jaxmle.fitting.measure")
    return epoch.begin._cache_size(), epoch.advance._cache_size(), measure.measure._cache_size()


# What comes back


def test_values_are_of_the_parameters_returned_over_all_rows():
    objective = jm.likelihood(log_likelihood, ROWS, WEIGHTS) + jm.priors.normal("beta")
    fit = jm.train(objective, {"beta": BETA}, optax.adam(0.1), key=KEY, batch_size=5, epochs=4)
    beta = np.asarray(fit.params["beta"])
    assert float(fit.value) == pytest.approx(float(objective(fit.params)), rel=1e-12)
    assert float(fit.log_likelihood) == pytest.approx(float(objective.terms[0](fit.params)), rel=1e-12)
    assert float(fit.gradient_norm) == pytest.approx(np.linalg.norm(score(beta, weights=WEIGHTS) - beta), rel=1e-10)
    assert fit.ok
    assert int(fit.status) == codes.COMPLETED
    assert "completed the steps" in fit.message
    assert np.isnan(fit.newton_decrement)
    assert int(fit.steps) == 20
    assert fit.history["steps"].tolist() == [5, 10, 15, 20]


def test_a_constrained_parameter_is_moved_on_its_unconstrained_scale():
    y = np.array([1.0, 2.0, 4.0])
    term = jm.regression(jm.densities.exponential, lambda p, x: (p["scale"],), y, y)
    fit = jm.train(term, {"scale": jm.positive(2.0)}, optax.sgd(0.3), key=KEY)
    slope = np.sum(-1 / 2.0 + y / 4.0) * 2.0  # in z = log(scale)
    assert float(fit.z[0]) == pytest.approx(np.log(2.0) + 0.3 * slope / 3, rel=1e-12)
    scale = float(fit.params["scale"])
    assert float(fit.gradient_norm) == pytest.approx(abs(np.sum(y) / scale - 3), rel=1e-9)
    assert float(fit.log_jacobian) == pytest.approx(np.log(scale), rel=1e-12)


def test_history_is_the_log_likelihood_of_all_rows():
    term = jm.likelihood(log_likelihood, ROWS, WEIGHTS)
    fit = jm.train(term, {"beta": BETA}, optax.sgd(0.0), key=KEY, batch_size=6, accumulate=2, epochs=3)
    assert np.asarray(fit.history["log_likelihood"]) == pytest.approx([float(term({"beta": BETA}))] * 3, rel=1e-12)


def test_the_best_on_held_out_data_is_kept_and_patience_ends_it():
    held_out = jm.likelihood(log_likelihood, {"x": -X[:9], "y": Y[:9]}) * 0.5
    start = {"beta": -2.0 * BETA}
    fit = jm.train(
        jm.likelihood(log_likelihood, ROWS),
        start,
        optax.sgd(0.3),
        key=KEY,
        batch_size=4,
        epochs=60,
        held_out=held_out,
        patience=4,
    )
    scores = np.asarray(fit.history["held_out"])
    assert len(scores) == int(np.argmax(scores)) + 5 < 60
    assert float(held_out(fit.params)) == pytest.approx(scores.max(), rel=1e-12)
    assert float(fit.value) == pytest.approx(float(jm.likelihood(log_likelihood, ROWS)(fit.params)), rel=1e-12)
    assert int(fit.steps) == 6 * len(scores)


@pytest.mark.parametrize("average, first", [(True, 1), (0, 1), (2, 7)])
def test_average_is_the_mean_of_the_iterates(average, first):
    # The slope is one everywhere, so that after t steps beta is t / n.
    term = jm.likelihood(lambda p, y: p["beta"] * jnp.ones_like(y), Y)
    fit = jm.train(term, {"beta": 0.0}, optax.sgd(1.0), key=KEY, batch_size=8, epochs=4, average=average)
    sums = np.cumsum([8 * 3 / N, 8 * 3 / N, 7 * 3 / N] * 4)
    assert float(fit.params["beta"]) == pytest.approx(sums[first - 1 :].mean(), rel=1e-12)


def test_averages_lie_nearer_the_maximum():
    objective = jm.likelihood(log_likelihood, ROWS) + jm.priors.normal("beta")
    maximum = jm.fit(objective, {"beta": np.zeros(3)})
    options = {"key": KEY, "batch_size": 2, "epochs": 200}
    last = jm.train(objective, maximum.params, optax.sgd(0.5), **options)
    mean = jm.train(objective, maximum.params, optax.sgd(0.5), average=True, **options)
    assert jnp.linalg.norm(mean.z - maximum.z) < 0.2 * jnp.linalg.norm(last.z - maximum.z)


# Rows from the host


def by_hand(order, batch_size, rate, epochs):
    beta, steps = BETA, math.ceil(N / batch_size)
    for _ in range(epochs):
        for first in range(0, N, batch_size):
            rows = order[first : first + batch_size]
            beta = beta + rate * (steps * score(beta, rows, WEIGHTS) - beta) / N
    return beta


@pytest.mark.parametrize("sizes", [[6, 6, 6, 5], [1, 2, 20], [23], [3, 0, 20]])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_batches_of_any_size_from_the_host_follow_gradient_ascent_by_hand(sizes, accumulate):
    ends = np.cumsum(sizes)
    batches = [
        ({"x": X[end - size : end], "y": Y[end - size : end]}, WEIGHTS[end - size : end])
        for end, size in zip(ends, sizes, strict=True)
    ]
    objective = jm.likelihood(log_likelihood, {"x": X[:2], "y": Y[:2]}, WEIGHTS[:2]) + jm.priors.normal("beta")
    fit = jm.train(
        objective,
        {"beta": BETA},
        optax.sgd(0.1),
        key=KEY,
        batch_size=6 // accumulate,
        accumulate=accumulate,
        epochs=2,
        batches=batches,
        nobs=N,
    )
    assert np.asarray(fit.params["beta"]) == pytest.approx(by_hand(np.arange(N), 6, 0.1, 2), rel=1e-11)
    whole = jm.likelihood(log_likelihood, ROWS, WEIGHTS) + jm.priors.normal("beta")
    assert float(fit.value) == pytest.approx(float(whole(fit.params)), rel=1e-12)


def test_batches_may_be_a_function_of_the_epoch_and_feed_a_regression():
    asked = []

    def batches(number):
        asked.append(number)
        return ((X[i : i + 5], Y[i : i + 5]) for i in range(0, N, 5))

    term = jm.regression(jm.densities.bernoulli, lambda p, x: (x @ p["beta"],), X[:3], Y[:3])
    fit = jm.train(term, {"beta": BETA}, optax.sgd(0.1), key=KEY, batch_size=5, epochs=3, batches=batches, nobs=N)
    assert asked == [0, 1, 2, 0]  # the last time for the values at the end
    assert fit.ok
    again = jm.train(
        term, {"beta": BETA}, optax.sgd(0.1), key=KEY, batch_size=5, epochs=3, batches=list(batches(0)), nobs=N
    )
    assert np.array_equal(fit.z, again.z)


def test_shared_data_are_not_cut():
    def function(params, rows):
        return log_likelihood(params, rows) * rows["factor"][0] * rows["factor"][1]

    data = {**ROWS, "factor": jm.shared(np.array([2.0, 0.5]))}
    assert moved(jm.likelihood(function, data), {"beta": BETA}, batch_size=4) == pytest.approx(
        BETA + score(BETA) / N, rel=1e-12
    )
    batches = [{"x": X[i : i + 4], "y": Y[i : i + 4], "factor": jm.shared(0)} for i in range(0, N, 4)]
    assert moved(jm.likelihood(function, data), {"beta": BETA}, batch_size=4, batches=batches, nobs=N) == pytest.approx(
        BETA + score(BETA) / N, rel=1e-12
    )


# Functions with a state


def test_state_goes_from_batch_to_batch_and_the_key_is_none_at_the_end():
    keys = []

    def counting(params, rows, state, key):
        keys.append(key is None)
        state = {"batches": state["batches"] + 1, "rows": state["rows"] + rows["y"].shape[0]}
        return log_likelihood(params, rows), state

    fit = jm.train(
        jm.likelihood(counting, ROWS),
        {"beta": BETA},
        optax.sgd(0.1),
        key=KEY,
        batch_size=6,
        accumulate=2,
        epochs=3,
        state={"batches": 0, "rows": 0},
        held_out=jm.likelihood(counting, ROWS),
    )
    best = int(np.argmax(fit.history["held_out"])) + 1
    assert {name: int(value) for name, value in fit.state.items()} == {"batches": 4 * best, "rows": 24 * best}
    assert True in keys
    assert False in keys
    assert float(fit.value) == pytest.approx(float(jm.likelihood(log_likelihood, ROWS)(fit.params)), rel=1e-12)


def test_keys_differ_from_step_to_step_and_part_to_part():
    def noisy(params, rows, state, key):
        count, drawn = state
        if key is not None:
            drawn = jax.lax.dynamic_update_slice(drawn, jax.random.uniform(key, (1,)), (count,))
        return log_likelihood(params, rows), (count + 1, drawn)

    fit = jm.train(
        jm.likelihood(noisy, ROWS),
        {"beta": BETA},
        optax.sgd(0.1),
        key=KEY,
        batch_size=6,
        accumulate=2,
        epochs=2,
        state=(0, jnp.zeros(8)),
    )
    assert len(np.unique(fit.state[1])) == 8


# Networks


def test_mlp_reads_digits():
    fit, right = networks.train_mlp()
    assert right >= 0.96
    assert fit.ok
    assert isinstance(fit.params, eqx.nn.MLP)
    assert fit.z.dtype == jnp.float32


def test_residual_network_with_batch_statistics_reads_digits():
    fit, right = networks.train_residual(epochs=10)
    assert right >= 0.95
    assert fit.ok


def test_transformer_learns_text():
    fit, bits, _, bigram = networks.train_transformer(10, characters=60_000, width=32, depth=1, rate=1e-2)
    assert fit.ok
    assert bits < bigram


def test_trigram_is_a_distribution_that_knows_more_than_a_bigram():
    train, held_out, symbols = networks.text_in_two(60_000)
    bits = [networks.ngram_bits(train, held_out, symbols, order) for order in (1, 2, 3)]
    assert bits[2] < bits[1] < bits[0] < np.log2(symbols)
    every_next = np.concatenate([np.array([*held_out[:2], c], np.uint8) for c in range(symbols)])
    chances = 2 ** networks._ngram(train, every_next, symbols, [1.0, 2.0, 4.0])[2::3]
    assert chances.sum() == pytest.approx(1.0)


def test_steps_with_convolutions_are_calls_of_their_own_and_the_same():
    def images(model, rows):
        return jnp.sum(jax.vmap(model)(rows["x"]), axis=(1, 2, 3)) * rows["y"]

    model = eqx.nn.Conv2d(1, 2, 3, key=KEY, dtype=jnp.float64)
    data = {"x": RNG.normal(size=(10, 1, 4, 4)), "y": RNG.normal(size=10)}
    term = jm.likelihood(images, data) + jm.priors.normal(networks.weights_of)
    options = {"key": KEY, "batch_size": 2, "accumulate": 2, "epochs": 2, "held_out": jm.likelihood(images, data)}
    program = epoch.advance
    fits = []
    for looped in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            training = importlib.import_module("jaxmle.fitting.train")
            if looped:
                patch.setattr(training, "is_slow_in_loops", lambda *_: False)
            before = program._cache_size()
            fits.append(jm.train(term, model, optax.adam(0.1), **options))
            assert program._cache_size() == before + 1
    assert np.asarray(fits[0].z) == pytest.approx(np.asarray(fits[1].z), rel=1e-10)
    assert float(fits[0].value) == pytest.approx(float(fits[1].value), rel=1e-10)


def test_float32_stays_float32():
    data = {"x": X.astype(np.float32), "y": Y.astype(np.float32)}
    fit = jm.train(
        jm.likelihood(log_likelihood, data, WEIGHTS.astype(np.float32)) + jm.priors.normal("beta", scale=2.0),
        {"beta": BETA.astype(np.float32)},
        optax.adam(0.1),
        key=KEY,
        batch_size=5,
        epochs=2,
        average=True,
        held_out=jm.likelihood(log_likelihood, data),
    )
    for number in (fit.z, fit.value, fit.log_prior, fit.gradient_norm, fit.history["held_out"]):
        assert number.dtype == jnp.float32


# What goes wrong


def train(objective=None, start=None, optimiser=None, **options):
    objective = jm.likelihood(log_likelihood, ROWS) if objective is None else objective
    start = {"beta": BETA} if start is None else start
    return jm.train(objective, start, optax.sgd(0.1) if optimiser is None else optimiser, **{"key": KEY, **options})


def test_a_loss_that_is_not_finite_ends_it_with_the_last_parameters_before():
    def cliff(params, y):
        return jnp.where(params["b"] < 0.95, 1.0, jnp.nan) * params["b"] * jnp.ones_like(y)

    fit = train(jm.likelihood(cliff, Y), {"b": 0.0}, batch_size=23, epochs=50)
    assert int(fit.status) == codes.NON_FINITE
    assert not fit.ok
    assert float(fit.params["b"]) == pytest.approx(1.0)
    assert int(fit.steps) == 10
    assert fit.history["steps"].tolist() == [*range(1, 11), 10]
    kept = train(jm.likelihood(cliff, Y), {"b": 0.0}, epochs=50, held_out=jm.likelihood(lambda p, y: y * p["b"], Y))
    assert int(kept.status) == codes.NON_FINITE
    assert np.isnan(kept.history["held_out"][-1])


def test_missing_data_and_impossible_starts_are_named():
    bad = {"x": X, "y": np.where(np.arange(N) == 4, np.nan, Y)}
    with pytest.raises(ValueError, match=r"data leaf 'y' is missing .NaN. at row 4"):
        train(jm.likelihood(log_likelihood, bad), batch_size=5)
    with pytest.raises(ValueError, match=r"the log-likelihood is not finite .* in 23 rows"):
        train(jm.likelihood(lambda p, y: jnp.log(p["a"]) + y, Y), {"a": -1.0})
    with pytest.raises(ValueError, match="start strictly inside"):
        train(jm.likelihood(lambda p, y: y * p["a"], Y), {"a": jm.positive(-1.0)})
    with pytest.raises(ValueError, match="the weight of row 2 is -1"):
        train(jm.likelihood(log_likelihood, ROWS, np.where(np.arange(N) == 2, -1.0, WEIGHTS)))
    with pytest.raises(ValueError, match="all weights are zero"):
        train(jm.likelihood(log_likelihood, ROWS, np.zeros(N)))
    with pytest.raises(ValueError, match="not row-wise"):
        train(jm.likelihood(lambda p, y: p["a"] * (y - jnp.mean(y)), Y), {"a": 1.0})


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"optimiser": "adam"}, TypeError, "takes an optax optimiser, such as optax.adam"),
        ({"optimiser": jm.solvers.Newton()}, TypeError, "go to jm.fit"),
        ({"key": 0}, TypeError, r"such as jax.random.key\(0\)"),
        ({"key": jax.random.split(KEY)}, TypeError, "one random key"),
        ({"objective": log_likelihood}, TypeError, "jaxmle fits terms"),
        ({"objective": jm.models.logistic(X, Y).objective, "start": {"beta": jm.fixed(BETA)}}, ValueError, "fixed"),
        ({"batch_size": 0}, ValueError, "batch_size must be a whole number, one or more; it is 0"),
        ({"batch_size": 24}, ValueError, "batch_size is 24, and there are 23 rows"),
        ({"epochs": 1.5}, ValueError, "epochs must be a whole number"),
        ({"batch_size": 8, "accumulate": 4}, ValueError, "are more than the 23 rows there are"),
        ({"patience": 2}, ValueError, "give held_out"),
        ({"held_out": ROWS}, TypeError, "held_out is a term"),
        ({"average": 3, "epochs": 3}, ValueError, "average is True, or the epoch"),
        ({"resume": True}, ValueError, "give its path as checkpoint"),
        ({"checkpoint_every": 2}, ValueError, "give its path as checkpoint"),
        ({"batches": [ROWS], "batch_size": 5}, ValueError, "batches and nobs go together"),
        ({"nobs": 5}, ValueError, "batches and nobs go together"),
        ({"batches": [ROWS], "nobs": N}, ValueError, "say the batch_size too"),
        ({"batches": iter([ROWS]), "nobs": N, "batch_size": 5}, TypeError, "once an epoch, and a list_iterator"),
        ({"batches": [], "nobs": N, "batch_size": 5}, ValueError, "gave 0 rows, and nobs says 23"),
        ({"batches": [ROWS], "nobs": 22, "batch_size": 5}, ValueError, "more than 22 rows"),
        ({"batches": [ROWS], "nobs": 20, "batch_size": 5}, ValueError, "more than 20 rows"),
        ({"batches": [ROWS], "nobs": 30, "batch_size": 5}, ValueError, "gave 23 rows, and nobs says 30"),
        ({"batches": [X], "nobs": N, "batch_size": 5}, ValueError, "a batch is built as"),
        ({"batches": [{"x": X[:, :2], "y": Y}], "nobs": N, "batch_size": 5}, ValueError, r"rows of shape \(3,\)"),
        ({"batches": [{"x": X, "y": Y[:3]}], "nobs": N, "batch_size": 5}, ValueError, "they need the same"),
        ({"state": ()}, TypeError, "positional argument"),
    ],
)
def test_errors_say_what_to_do(options, error, message):
    with pytest.raises(error, match=message):
        train(**options)


def test_terms_with_other_rows_and_terms_without_gradients_are_refused():
    with pytest.raises(ValueError, match="23 and 3 rows"):
        train(jm.likelihood(log_likelihood, ROWS) + jm.likelihood(log_likelihood, {"x": X[:3], "y": Y[:3]}))
    both = jm.likelihood(log_likelihood, ROWS) + jm.likelihood(log_likelihood, ROWS)
    with pytest.raises(ValueError, match="the objective has 2 terms with rows"):
        train(both, batches=[ROWS], nobs=N, batch_size=5)
    regression = jm.regression(jm.densities.bernoulli, lambda p, x: (x @ p["beta"],), X, Y)
    with pytest.raises(ValueError, match="a batch for this term is a tuple of x, y; one is a dict"):
        train(regression, batches=[ROWS], nobs=N, batch_size=5)


def test_states_that_do_not_fit_are_refused():
    with pytest.raises(TypeError, match="returns a pair"):
        train(jm.likelihood(lambda p, rows, state, key: log_likelihood(p, rows), ROWS), state=())
    with pytest.raises(TypeError, match="not like the one it was given"):
        train(jm.likelihood(lambda p, rows, state, key: (log_likelihood(p, rows), (state, state)), ROWS), state=0)


def test_it_cannot_be_traced():
    with pytest.raises(TypeError, match=r"cannot run under jax.jit"):
        jax.jit(lambda y: train(jm.likelihood(log_likelihood, {"x": X, "y": y})).z)(Y)


def test_a_bar_counts_steps_and_needs_tqdm(monkeypatch, capsys):
    train(batch_size=5, epochs=3, progress=True)
    assert "15/15" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match="pip install tqdm"):
        train(progress=True)
