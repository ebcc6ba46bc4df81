"""Rows from the host, functions with a state, and what goes wrong in training."""

import math
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from train_cases import BETA, KEY, ROWS, WEIGHTS, N, X, Y, log_likelihood, moved, score, train

import jaxmle as jm
from jaxmle.core import status as codes

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


def in_pairs(function, state, **options):
    """A fit whose steps add up two batches of six rows, handing the state on."""
    term = jm.likelihood(function, ROWS)
    options = {"key": KEY, "batch_size": 6, "accumulate": 2, "state": state, **options}
    return jm.train(term, {"beta": BETA}, optax.sgd(0.1), **options)


def test_state_goes_from_batch_to_batch_and_the_key_is_none_at_the_end():
    keys = []

    def counting(params, rows, state, key):
        keys.append(key is None)
        state = {"batches": state["batches"] + 1, "rows": state["rows"] + rows["y"].shape[0]}
        return log_likelihood(params, rows), state

    fit = in_pairs(counting, {"batches": 0, "rows": 0}, epochs=3, held_out=jm.likelihood(counting, ROWS))
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

    fit = in_pairs(noisy, (0, jnp.zeros(8)), epochs=2)
    assert len(np.unique(fit.state[1])) == 8


# What goes wrong


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
        ({"state": ()}, TypeError, "leave out state="),
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
