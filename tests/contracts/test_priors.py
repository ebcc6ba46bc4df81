"""Every prior obeys the same laws. To add one, add a row to `prior_table`."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from prior_table import TABLE, WITHOUT_NUMBERS

import jaxmle as jm

RNG = np.random.default_rng(21)
PARAMS = {"beta": RNG.normal(size=3), "deep": {"a": RNG.normal(size=(2, 2)), "b": RNG.normal(size=())}}
Y = RNG.normal(size=(2, 3)) + 1.0


def _whole(params):
    return params["deep"]


def _inside(row):
    """The params, where the prior has its support."""
    return jax.tree.map(row.into, PARAMS)


def _rows(params, rows):
    return jax.vmap(lambda y: jnp.sum(jm.densities.normal.logpdf(y, params["beta"], 1.0)))(rows)


@pytest.fixture(scope="module", params=TABLE, ids=lambda row: row.name)
def row(request):
    """One prior after the other, so that each compiles its programs once."""
    return request.param


@functools.cache
def _programs(name):
    """The estimate under a prior; the same with its gradient over lanes, compiled; and calls of the prior."""
    row = next(row for row in TABLE if row.name == name)
    calls = []

    def beta(params):
        calls.append(None)
        return params["beta"]

    def estimate(y, number):
        start = {"beta": row.mark(jnp.asarray(row.into(np.zeros(3))))}
        return jm.fit(jm.likelihood(_rows, y) + row.make(beta, number), start).params["beta"]

    def first(y, number):
        found = estimate(y, number)
        return jnp.dot(found, jnp.arange(1.0, 4.0)), found

    lanes = jax.jit(jax.vmap(jax.value_and_grad(first, argnums=1, has_aux=True), (0, 0)))
    return estimate, lanes, calls


@pytest.mark.parametrize(
    "where,entries",
    [
        ("beta", PARAMS["beta"]),
        ("deep", [*PARAMS["deep"]["a"].ravel(), PARAMS["deep"]["b"]]),
        ("deep.a", PARAMS["deep"]["a"].ravel()),
        (_whole, [*PARAMS["deep"]["a"].ravel(), PARAMS["deep"]["b"]]),
    ],
    ids=["leaf", "sub-tree", "nested leaf", "function"],
)
def test_value_equals_the_reference(row, where, entries):
    got = jax.jit(lambda number: row.make(where, number)(_inside(row)))(row.number)
    assert float(got) == pytest.approx(row.log_density(row.into(np.asarray(entries)), row.number), rel=1e-12)


def test_an_array_of_numbers_is_one_for_each_entry(row):
    numbers = row.number * np.array([1.0, 2.0, 3.0])
    got = row.make("beta", numbers)(_inside(row))
    each = [row.log_density(row.into(PARAMS["beta"][i]), numbers[i]) for i in range(3)]
    assert float(got) == pytest.approx(sum(each), rel=1e-12)


def test_is_no_likelihood_and_observes_nothing(row):
    term = row.make("beta", row.number)
    assert not term.is_likelihood
    assert float(term.nobs()) == 0.0


def test_jit_of_vmap_equals_an_eager_loop_and_its_gradient_finite_differences(row):
    """Through a fit, in the number that sets the strength; central differences at 1e-5 err by 1e-9."""
    eager, lanes, _ = _programs(row.name)
    numbers, ys = row.number * np.array([1.0, 2.0]), row.into(np.stack([Y, -2.0 * Y]))
    (_, estimates), slopes = lanes(ys, numbers)
    for i in range(2):
        np.testing.assert_allclose(estimates[i], eager(ys[i], numbers[i]), rtol=1e-12)
        ends = [eager(ys[i], numbers[i] + step) @ np.arange(1.0, 4.0) for step in (1e-5, -1e-5)]
        assert float(slopes[i]) == pytest.approx(float(ends[0] - ends[1]) / 2e-5, rel=1e-7)


def test_the_mode_is_that_of_the_density(row):
    """No value nearby is higher, by the reference alone."""
    eager = _programs(row.name)[0]
    y = row.into(Y)
    mode = np.asarray(eager(y, row.number))

    def posterior(beta):
        return row.log_density(beta, row.number) - 0.5 * np.sum((y - beta) ** 2)

    for step in 1e-3 * np.vstack([np.eye(3), -np.eye(3)]):
        assert posterior(mode + step) < posterior(mode)


def test_a_new_number_traces_nothing(row):
    eager, *_, calls = _programs(row.name)
    eager(row.into(Y), row.number)
    before = len(calls)
    assert before > 0
    eager(row.into(Y + 1.0), 3.0 * row.number)
    eager(row.into(Y), 2)
    assert len(calls) == before


def test_the_table_is_whole():
    names = {*jm.priors.__all__, *(name for name, f in vars(jm.penalties).items() if _is_penalty(f))}
    assert names == {row.name for row in TABLE} | WITHOUT_NUMBERS


def _is_penalty(function):
    return inspect.isfunction(function) and function.__module__ == jm.penalties.__name__
