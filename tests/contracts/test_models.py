"""Every ready-made model obeys the same laws. To add one, add a row to `model_table`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_table import OTHERS, ROWS, TABLE

import jaxmle as jm
from jaxmle.fitting import program

WEIGHTS = np.random.default_rng(42).integers(1, 4, ROWS).astype(float)


LANES = np.stack([WEIGHTS, np.ones(ROWS), WEIGHTS[::-1]])


def _eager(row, weights=WEIGHTS):
    return jm.fit(row.make(row.y, weights))


def _combined(params, module=np):
    """One number that every parameter enters."""
    leaves = module.concatenate([module.ravel(leaf) for leaf in jax.tree.leaves(params)])
    return leaves, module.dot(leaves, module.linspace(1.0, 2.0, leaves.size))


@pytest.fixture(scope="module", params=TABLE, ids=lambda row: row.name)
def row(request):
    """One model after the other, so that each compiles its programs once."""
    return request.param


@functools.cache
def _lanes(name):
    """Fits and their gradients in the weights, over lanes of weights, in one compiled program."""
    row = next(row for row in TABLE if row.name == name)

    def estimate(weights, y):
        fit = jm.fit(row.make(y, weights))
        return _combined(fit.params, jnp)[1], fit

    one = jax.value_and_grad(estimate, has_aux=True)
    (_, fits), slopes = jax.jit(jax.vmap(one, (0, None)))(LANES, row.y)
    return fits, slopes


def test_the_value_is_the_weighted_sum_of_the_reference(row):
    fit = _eager(row)
    assert fit.ok, fit.message
    params = jax.tree.map(np.asarray, fit.params)
    assert float(fit.value) == pytest.approx(WEIGHTS @ row.rows(params, row.y), rel=1e-9)


def test_the_estimate_is_a_maximum_of_the_reference(row):
    """No value a hundredth of a unit away, along any parameter, is higher."""
    params = jax.tree.map(np.asarray, _eager(row).params)
    leaves, structure = jax.tree.flatten(params)
    best = WEIGHTS @ row.rows(params, row.y)
    for i, leaf in enumerate(leaves):
        for index in np.ndindex(leaf.shape):
            for step in (1e-2, -1e-2):
                moved = leaf.copy()
                moved[index] += step * max(1.0, abs(leaf[index])) if leaf.shape else step * leaf
                other = jax.tree.unflatten(structure, [*leaves[:i], moved, *leaves[i + 1 :]])
                assert WEIGHTS @ row.rows(other, row.y) < best


def test_jit_of_vmap_equals_an_eager_loop(row):
    fits, _ = _lanes(row.name)
    assert np.all(fits.ok)
    for i in range(len(LANES)):
        alone = _eager(row, LANES[i])
        lane = jax.tree.map(lambda leaf, i=i: leaf[i], fits)
        np.testing.assert_allclose(_combined(lane.params)[0], _combined(alone.params)[0], rtol=1e-9, atol=1e-11)
        assert float(lane.value) == pytest.approx(float(alone.value), rel=1e-11)


def test_gradient_equals_finite_differences(row):
    """In the weights; central differences at 1e-5 err by 1e-9."""
    along = np.random.default_rng(43).normal(size=ROWS)
    slope = np.asarray(_lanes(row.name)[1][0]) @ along
    ends = [float(_combined(_eager(row, WEIGHTS + step * along).params)[1]) for step in (1e-5, -1e-5)]
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-8)


def test_new_data_trace_nothing(row):
    _eager(row)
    before = len(program.TRACED)
    fit = jm.fit(row.make(row.y[::-1].copy(), np.ones(ROWS)))
    assert isinstance(fit, jm.Fit)
    assert len(program.TRACED) == before


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
