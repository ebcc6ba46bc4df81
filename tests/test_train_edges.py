"""Training at its edges: what is refused before it begins, and what it says when it ends badly or early."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.core.summation import Sum

KEY = jax.random.key(0)
N = 30
RNG = np.random.default_rng(1)
X = RNG.normal(size=(N, 3)) + 1.0
ROWS = {"x": X, "y": X @ np.array([1.0, 2.0, 3.0]) + RNG.normal(size=N)}
START = {"beta": jnp.zeros(3)}


def normal(params, rows):
    return jm.densities.normal.logpdf(rows["y"], rows["x"] @ params["beta"], 1.0)


def centred(params, rows):
    return normal(params, {"x": rows["x"] - rows["x"].mean(axis=0, keepdims=True), "y": rows["y"]})


LIKELIHOOD = jm.likelihood(normal, ROWS)
FAR = jm.likelihood(normal, {**ROWS, "y": -ROWS["y"]})  # worse with every step


def train(objective=LIKELIHOOD, optimiser=None, start=START, **options):
    optimiser = optax.sgd(0.05) if optimiser is None else optimiser
    return jm.train(objective, start, optimiser, key=KEY, **{"batch_size": 10, "epochs": 4, **options})


def spoilt(value, row=4):
    return {**ROWS, "y": np.where(np.arange(N) == row, value, ROWS["y"])}


@pytest.mark.parametrize(
    "options,says",
    [
        (
            {"held_out": jm.likelihood(normal, spoilt(np.nan))},
            r"in held_out: data leaf 'y' is missing \(NaN\) at row 4",
        ),
        ({"held_out": jm.likelihood(normal, ROWS, -np.ones(N))}, r"the weight of row 0 is -1"),
        ({"held_out": jm.priors.normal("beta")}, "held_out holds no data"),
        ({"objective": jm.likelihood(centred, ROWS)}, "not row-wise"),
        ({"batch_size": 10.0}, "batch_size must be a whole number, one or more; it is 10.0"),
        ({"batch_size": "x"}, "batch_size must be a whole number, one or more; it is 'x'"),
        ({"epochs": np.nan}, "epochs must be a whole number"),
        ({"epochs": True}, "epochs must be a whole number"),
        ({"average": 0.5}, "average is True, or the epoch .* it is 0.5"),
    ],
)
def test_what_cannot_be_is_refused_before_it_begins(options, says):
    with pytest.raises(ValueError, match=says):
        train(**options)


def test_held_out_data_that_are_never_possible_leave_the_last_parameters_and_say_so():
    fit = train(held_out=jm.likelihood(normal, spoilt(1e200)), patience=2)
    assert not fit.ok
    assert fit.message.startswith("the log-likelihood of the held-out data was not finite after any epoch")
    assert np.abs(fit.params["beta"]).min() > 0.1


def test_negative_weights_in_a_batch_are_named():
    term = jm.likelihood(normal, ROWS, np.ones(N))
    weights = np.where(np.arange(N) == 12, -2.0, 1.0)
    batches = [({name: leaf[i : i + 10] for name, leaf in ROWS.items()}, weights[i : i + 10]) for i in (0, 10, 20)]
    with pytest.raises(ValueError, match=r"the weight of row 2 of batch 1 is -2.0 .1 such row in it"):
        train(term, batches=batches, nobs=N)


def test_an_impossible_row_is_named_wherever_its_batch_comes():
    y = np.where(np.arange(N) == 17, -1.0, 2.0)
    problem = jm.models.poisson_regression(X, y)
    for size in (1, 10, N):
        with pytest.raises(ValueError, match=r"y is -1.0 at row 17, which poisson cannot produce"):
            train(problem, start=None, batch_size=size)


def test_an_impossible_row_among_many_is_named(monkeypatch):
    monkeypatch.setattr("jaxmle.fitting.vetting._ROWS_AT_ONCE", 8)
    with pytest.raises(ValueError, match=r"not finite \(-inf\) in 1 row: 17 "):
        train(jm.models.poisson_regression(X, np.where(np.arange(N) == 17, -1.0, 2.0)), start=None)


def test_a_missing_value_in_a_streamed_batch_is_named():
    rows = spoilt(np.nan, row=14)
    batches = [{name: leaf[i : i + 6] for name, leaf in rows.items()} for i in range(0, N, 6)]
    says = r"in 10 rows of the batches, the first of them row 10 of a pass: data leaf 'y' is missing .NaN. at row 4"
    with pytest.raises(ValueError, match=says):
        train(batches=batches, nobs=N)


def test_steps_that_are_too_large_are_told_from_bad_data():
    fit = train(optimiser=optax.sgd(1e30), epochs=40)
    assert int(fit.status) == codes.NON_FINITE
    assert f"not finite in step {int(fit.steps)} (epoch " in fit.message
    assert "lower the learning rate" in fit.message
    assert "lower its learning rate" in jm.fit(LIKELIHOOD, START, solver=optax.sgd(1e30)).message


def test_it_says_whether_it_stopped_early_and_whose_parameters_it_returns():
    fit = train(held_out=FAR, patience=2, epochs=9)
    assert int(fit.status) == codes.STOPPED_EARLY
    assert fit.ok
    assert fit.message == (
        "stopped early, because the log-likelihood of the held-out data rose no more (9 steps in 3 epochs by an optax "
        "optimiser); none of the 2 epochs since has a higher one; the parameters are those after epoch 0, counted from "
        "zero, the best there"
    )
    whole = train(held_out=LIKELIHOOD)
    assert int(whole.status) == codes.COMPLETED
    assert "those after epoch 3" in whole.message
    assert train().message.endswith("was not asked for (12 steps in 4 epochs by an optax optimiser)")
    assert not codes.is_maximum(codes.STOPPED_EARLY)


def test_a_long_sum_in_single_precision_is_that_of_a_short_one():
    """10,000 numbers added one by one: a plain sum errs by 9e-7, the rounding of one number is 6e-8."""
    numbers = RNG.normal(1000.0, 1.0, size=10_000).astype(np.float32)
    total, _ = jax.jit(lambda xs: jax.lax.scan(lambda sum, x: (sum.plus(x), None), Sum.of(jnp.float32(0)), xs))(numbers)
    exact = numbers.astype(float).sum()
    assert abs(float(total.value) / exact - 1) < 1e-7
    assert abs(float(total.total) / exact - 1) > 5e-7
    assert float(Sum.of(jnp.float32(1)).plus(-jnp.float32(np.inf)).value) == -np.inf


def test_the_log_likelihood_of_many_batches_in_single_precision():
    """The row sums are exact to 1e-7; without keeping what is lost both numbers err by 1e-6 and more."""
    y = RNG.normal(2.0, 1.0, size=200_000).astype(np.float32)
    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["m"], jnp.float32(1.0)), y)
    fit = jm.train(term, {"m": np.float32(2.0)}, optax.sgd(np.float32(0.0)), key=KEY, batch_size=4)
    exact = -0.5 * ((y.astype(float) - 2.0) ** 2).sum() - 0.5 * y.size * np.log(2 * np.pi)
    assert float(fit.log_likelihood) == pytest.approx(exact, rel=2e-7)
    assert float(fit.history["log_likelihood"][0]) == pytest.approx(exact, rel=2e-7)


def test_what_optax_cannot_do_here_is_told():
    """Optimisers that keep parameters of their own, want more arguments, or a loop of their own."""
    sam = optax.contrib.sam(optax.sgd(0.1), optax.sgd(0.05))
    for optimiser in (sam, optax.contrib.sophia(0.1)):
        with pytest.raises(TypeError, match=r"cannot be used here; take another\. optax says"):
            jm.train(LIKELIHOOD, START, optimiser, key=KEY, batch_size=10, epochs=1)
    with pytest.raises(TypeError, match="cannot be used here"):
        jm.fit(LIKELIHOOD, START, solver=sam)
    with pytest.raises(TypeError, match="accumulates gradients itself"):
        jm.train(LIKELIHOOD, START, optax.MultiSteps(optax.sgd(0.1), 2), key=KEY, batch_size=10, epochs=1)

    def lane(rate):
        optimiser = jm.solvers.Optax(optax.adam, learning_rate=rate)
        return jm.train(LIKELIHOOD, START, optimiser, key=KEY, batch_size=10, epochs=1).params["beta"]

    with pytest.raises(TypeError, match=r"cannot run under jax.jit or jax.vmap"):
        jax.vmap(lane)(jnp.array([0.1, 0.2]))
