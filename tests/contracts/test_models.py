"""Every ready-made model obeys the same laws. To add one, add a row to `model_table`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_table import OTHERS, ROWS, TABLE

import jaxmle as jm
from jaxmle.fitting import program

per_model = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
WEIGHTS = np.random.default_rng(42).integers(1, 4, ROWS).astype(float)


@functools.cache
def _programs(name):
    """The fit and its gradient in the weights, in one program; and the same over lanes of weights."""
    row = next(row for row in TABLE if row.name == name)

    def estimate(weights, y):
        fit = jm.fit(row.make(y, weights))
        leaves = jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(fit.params)])
        return jnp.dot(leaves, jnp.linspace(1.0, 2.0, leaves.size)), fit

    one = jax.value_and_grad(estimate, has_aux=True)
    return jax.jit(estimate), jax.jit(jax.vmap(one, (0, None)))


@functools.cache
def _eager(name):
    row = next(row for row in TABLE if row.name == name)
    return jm.fit(row.make(row.y, WEIGHTS))


@functools.cache
def _lanes(name):
    row = next(row for row in TABLE if row.name == name)
    weights = np.stack([WEIGHTS, np.ones(ROWS), WEIGHTS[::-1]])
    return weights, _programs(name)[1](weights, row.y)


def _numbers(tree):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


@per_model
def test_the_value_is_the_weighted_sum_of_the_reference(row):
    fit = _eager(row.name)
    assert fit.ok, fit.message
    params = jax.tree.map(np.asarray, fit.params)
    assert float(fit.value) == pytest.approx(WEIGHTS @ row.rows(params, row.y), rel=1e-9)


@per_model
def test_the_estimate_is_a_maximum_of_the_reference(row):
    """No value a hundredth of a unit away, along any parameter, is higher."""
    params = jax.tree.map(np.asarray, _eager(row.name).params)
    leaves, structure = jax.tree.flatten(params)
    best = WEIGHTS @ row.rows(params, row.y)
    for i, leaf in enumerate(leaves):
        for index in np.ndindex(leaf.shape):
            for step in (1e-2, -1e-2):
                moved = leaf.copy()
                moved[index] += step * max(1.0, abs(leaf[index])) if leaf.shape else step * leaf
                other = jax.tree.unflatten(structure, [*leaves[:i], moved, *leaves[i + 1 :]])
                assert WEIGHTS @ row.rows(other, row.y) < best


@per_model
def test_jit_equals_eager(row):
    _, fit = _programs(row.name)[0](WEIGHTS, row.y)
    np.testing.assert_allclose(_numbers(fit.params), _numbers(_eager(row.name).params), rtol=1e-10, atol=1e-12)


@per_model
def test_vmap_equals_a_loop(row):
    weights, ((_, fits), _) = _lanes(row.name)
    assert np.all(fits.ok)
    for i in range(3):
        alone = _programs(row.name)[0](weights[i], row.y)[1]
        lane = jax.tree.map(lambda leaf, i=i: leaf[i], fits)
        np.testing.assert_allclose(_numbers(lane.params), _numbers(alone.params), rtol=1e-9, atol=1e-11)
        assert float(lane.value) == pytest.approx(float(alone.value), rel=1e-11)


@per_model
def test_gradient_equals_finite_differences(row):
    """In the weights; central differences at 1e-5 err by 1e-9."""
    along = np.random.default_rng(43).normal(size=ROWS)
    slope = np.asarray(_lanes(row.name)[1][1][0]) @ along
    ends = [float(_programs(row.name)[0](WEIGHTS + step * along, row.y)[0]) for step in (1e-5, -1e-5)]
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-8)


@per_model
def test_new_data_trace_nothing(row):
    _eager(row.name)
    before = len(program.TRACED)
    fit = jm.fit(row.make(row.y[::-1].copy(), np.ones(ROWS)))
    assert isinstance(fit, jm.Fit)
    assert len(program.TRACED) == before


@per_model
def test_is_a_named_problem_that_takes_a_prior(row):
    problem = row.make(row.y, None)
    assert isinstance(problem, jm.Problem)
    assert problem.name != "Likelihood"
    leaf = next(iter(problem.start))
    posterior = problem + jm.priors.normal(leaf)
    assert isinstance(posterior, jm.Problem)
    assert float(posterior.objective.nobs()) == ROWS


def test_the_table_is_whole():
    names = {row.name.split(" ")[0] for row in TABLE}
    assert names | OTHERS == set(jm.models.__all__)
