"""Fits: compiled once, over any tree of parameters, small, and honest about how they ended."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.core import status as codes

ROWS = 20


def _data(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, 2))
    y = x @ np.array([0.5, -1.0]) + 0.3 * rng.normal(size=ROWS)
    return {"x": x, "y": y}, rng.uniform(0.5, 2.0, ROWS)


CALLS = []


def log_likelihood(params, rows):
    CALLS.append(rows["y"].shape[0])
    return jm.densities.normal.logpdf(rows["y"], rows["x"] @ params["beta"], params["sigma"])


def fit(seed=0, *, scale=1.0, start=0.0, labels=("a", "b"), **options):
    data, weights = _data(seed)
    objective = jm.likelihood(log_likelihood, data, weights) + jm.priors.normal("beta", scale=scale)
    begin = {"beta": jm.free(np.full(2, start), labels=labels), "sigma": jm.positive(np.exp(start))}
    found = jm.fit(objective, begin, **options)
    assert isinstance(found.message, str)
    return found


# Compiled once


def test_the_counter_counts(compilations):
    before = compilations.count
    jax.jit(lambda x: 3.0 * x + 1.0)(jnp.arange(3.0))
    assert compilations.count > before


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"scale": 2.5},
        {"scale": 3},
        {"start": 0.1},
        {"labels": ("u", "v")},
        {"tolerance": 1e-6},
        {"tolerance": 1},
        {"max_steps": 50},
        {"max_steps": 2},
    ],
    ids=str,
)
def test_a_second_call_compiles_nothing(compilations, change):
    fit()
    fit(tolerance=1e-3, max_steps=100)
    before, calls = compilations.count, len(CALLS)
    fit(**change)
    assert compilations.count == before
    assert len(CALLS) == calls


def test_inference_of_a_second_fit_compiles_nothing(compilations):
    def study(seed, labels):
        y = _data(seed)[0]["y"]
        problem = jm.models.normal(y)
        found = jm.fit(problem, {"mu": jm.free(0.0, labels=labels), "sigma": jm.positive(1.0)})
        return str(jm.infer(problem, found)), jm.infer(problem, found).conf_int()

    study(0, ["mu"])
    before = compilations.count
    study(1, ["nu"])
    assert compilations.count == before


def test_the_function_is_traced_a_few_times_whatever_the_steps():
    """A first fit traces the value and its derivatives in the loop, once, and tries the function on its rows; the
    rows are one block, so that it sees all of them or the part that is compared."""

    def fresh(params, rows):
        return log_likelihood(params, rows)

    data, weights = _data(2)
    CALLS.clear()
    found = jm.fit(jm.likelihood(fresh, data, weights), {"beta": jnp.zeros(2), "sigma": jm.positive(20.0)})
    assert int(found.steps) > 8
    # Twice inside the loop (the derivatives; the sum of absolute values), twice to compare the rows.
    assert len(CALLS) <= 6, CALLS
    assert set(CALLS) <= {ROWS, ROWS // 2}


# Any tree of parameters


class Line(eqx.Module):
    """A module with structure beside its parameters."""

    slope: jax.Array
    level: jax.Array
    power: int = eqx.field(static=True, default=1)
    activation: object = jnp.tanh

    def __call__(self, x):
        return x**self.power @ self.slope + self.level


class Normal(NamedTuple):
    """Parameters as a named tuple."""

    line: Line
    sigma: jax.Array


def _least_squares(seed=0):
    data, _ = _data(seed)
    x = np.column_stack([data["x"], np.ones(ROWS)])
    beta, rss, *_ = np.linalg.lstsq(x, data["y"])
    return data, beta, float(np.sqrt(rss[0] / ROWS))


def test_a_module_inside_a_named_tuple_as_params():
    data, beta, sigma = _least_squares()
    term = jm.regression(jm.densities.normal, lambda p, x: (p.line(x), p.sigma), data["x"], data["y"])
    start = Normal(Line(jnp.zeros(2), jnp.zeros(())), jm.positive(1.0))
    found = jm.fit(term, start)
    assert found.ok
    assert isinstance(found.params, Normal)
    assert isinstance(found.params.line, Line)
    assert found.params.line.activation is jnp.tanh
    np.testing.assert_allclose(found.params.line.slope, beta[:2], rtol=1e-9)
    np.testing.assert_allclose(found.params.line.level, beta[2], rtol=1e-9)
    assert float(found.params.sigma) == pytest.approx(sigma, rel=1e-9)
    assert found.space.scalar_labels() == ["line.slope[0]", "line.slope[1]", "line.level", "sigma"]


# What a fit is


def test_a_fit_is_a_small_tree_without_data():
    found = fit()
    sizes = [np.size(leaf) for leaf in jax.tree.leaves(found)]
    assert sum(sizes) < ROWS
    copy = jax.tree.unflatten(*jax.tree.flatten(found)[::-1])
    assert isinstance(copy, jm.Fit)
    assert copy.message == found.message


def test_the_parts_of_a_fit_fit_together():
    found = fit()
    assert found.ok
    assert float(found.value) == float(found.log_likelihood) + float(found.log_prior)
    params = found.space.params(found.z)
    for a, b in zip(jax.tree.leaves(params), jax.tree.leaves(found.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-15)
    np.testing.assert_allclose(found.z, [*found.params["beta"], np.log(found.params["sigma"])], rtol=1e-14)
    assert float(found.log_jacobian) == pytest.approx(float(found.z[2]))
    assert float(found.gradient_norm) < 1e-6


def test_raise_if_failed():
    found = fit()
    assert found.raise_if_failed() is found
    with pytest.raises(RuntimeError, match="ran out of steps"):
        fit(max_steps=1).raise_if_failed()


# A batch, and a fit of values from anywhere: one small problem


def _coin(params, y):
    return jnp.where(y == 1, params["logit"], 0.0) - jnp.logaddexp(params["logit"], 0.0)


def coin(y, start=0.0):
    return jm.fit(jm.likelihood(_coin, y), {"logit": start})


HEADS = np.array([[1, 0, 0, 1, 0], [1, 1, 1, 1, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]])


@pytest.fixture(scope="module")
def batch():
    return jax.jit(jax.vmap(coin))(HEADS)


def test_a_batch_has_arrays_of_everything(batch):
    assert isinstance(batch.ok, np.ndarray)
    assert np.array_equal(batch.ok, [True, False, True, False])
    assert batch.status.shape == batch.value.shape == (4,)
    shares = HEADS[[0, 2]].mean(axis=1)
    np.testing.assert_allclose(batch.params["logit"][np.array([0, 2])], np.log(shares / (1 - shares)), rtol=1e-9)


def test_the_messages_of_a_batch(batch):
    assert len(batch.message) == 4
    assert batch.message[0].startswith("converged (")
    assert batch.message[1].startswith("diverging: ")
    assert "logit goes to +infinity (after " in batch.message[1]
    assert "logit goes to -infinity (after " in batch.message[3]
    lane = jax.tree.map(lambda leaf: leaf[1], batch)
    assert lane.message == batch.message[1]
    assert lane.ok is False


def test_a_batch_that_failed_names_its_lanes(batch):
    with pytest.raises(RuntimeError, match=r"2 of 4 fits failed \(lanes 1, 3\); lane 1: diverging"):
        batch.raise_if_failed()
    good = jax.tree.map(lambda leaf: leaf[np.array([0, 2])], batch)
    assert good.raise_if_failed() is good


def test_ok_inside_a_trace_is_an_array():
    assert jax.eval_shape(lambda y: coin(y).ok, HEADS[0]).shape == ()


def test_a_fit_of_values_from_anywhere():
    term = jm.likelihood(_coin, HEADS[0])
    given = jm.Fit.at(term, {"logit": 0.3})
    assert int(given.status) == codes.GIVEN
    assert given.ok
    assert given.message.startswith("evaluated at the values given; nothing was maximised (log-density still")
    assert float(given.params["logit"]) == float(given.z[0]) == 0.3
    chance = 1 / (1 + np.exp(-0.3))
    assert float(given.value) == pytest.approx(2 * np.log(chance) + 3 * np.log(1 - chance), rel=1e-12)
    score, information = 2 - 5 * chance, 5 * chance * (1 - chance)
    assert float(given.newton_decrement) == pytest.approx(np.sqrt(score**2 / information), rel=1e-10)
    assert float(given.gradient_norm) == pytest.approx(abs(score), rel=1e-10)
    inference = jm.infer(term, given)
    assert float(inference.bse["logit"]) == pytest.approx(information**-0.5, rel=1e-10)


def test_values_from_anywhere_must_be_allowed_too():
    term = jm.log_prior(lambda p: -p["s"])
    with pytest.raises(ValueError, match="start of 's' is -2"):
        jm.Fit.at(term, {"s": jm.positive(-2.0)})


@pytest.mark.parametrize(
    "start,error,message",
    [
        (None, TypeError, "no start"),
        ({"logit": 1}, TypeError, "write 1.0 instead of 1"),
        ({"logit": np.nan}, ValueError, "not a finite number"),
        ({"logit": jm.fixed(0.0)}, ValueError, "every parameter is fixed"),
        ({"slope": 0.0}, KeyError, "asked for 'logit'.* the start has: slope"),
        ({"logit": 0.0, "b": jm.tied("c")}, KeyError, "no such leaf"),
    ],
)
def test_a_start_that_cannot_be(start, error, message):
    with pytest.raises(error, match=message):
        jm.fit(jm.likelihood(_coin, HEADS[0]), start)


def test_python_on_a_parameter_is_explained():
    with pytest.raises(TypeError, match=r"Use jnp\.where instead of `if`"):
        jm.fit(jm.log_prior(lambda p: -p["a"] if p["a"] > 0 else p["a"]), {"a": 1.0})


def test_a_prior_over_a_name_that_is_none():
    with pytest.raises(KeyError) as raised:
        jm.fit(jm.likelihood(_coin, HEADS[0]) + jm.priors.normal("gamma"), {"logit": 0.0})
    assert raised.value.args[0].startswith("no parameter is called 'gamma'; the parameters are: logit")
