"""Training: every step is the gradient it should be, and what comes back is what was found."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import LogisticRegression
from train_cases import BETA, KEY, ROWS, WEIGHTS, N, X, Y, log_likelihood, moved, score

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.fitting import epoch

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


def test_other_data_keys_epochs_and_priors_compile_nothing(compilations):
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
    count = compilations.count
    go(2, 3.0, epochs=5, patience=4)
    assert compilations.count == count


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
    assert fit.history["log_prior"].tolist() == [0.0] * 3


def test_history_has_the_log_prior_apart():
    prior = jm.priors.normal("beta", scale=0.5)
    term = jm.likelihood(log_likelihood, ROWS, WEIGHTS)
    fit = jm.train(term + prior, {"beta": BETA}, optax.sgd(0.0), key=KEY, batch_size=5, epochs=2)
    assert np.asarray(fit.history["log_likelihood"]) == pytest.approx([float(term({"beta": BETA}))] * 2, rel=1e-12)
    assert np.asarray(fit.history["log_prior"]) == pytest.approx([float(prior({"beta": BETA}))] * 2, rel=1e-12)


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
