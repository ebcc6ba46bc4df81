"""Every model, prior and solver in float32: answers stay float32, and are those of float64 to what float32 can give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_table import ROWS, TABLE
from prior_table import ROUGH_TABLE
from prior_table import TABLE as SMOOTH
from solver_table import TABLE as SOLVERS

import jaxmle as jm
from jaxmle.core import status as codes

RNG = np.random.default_rng(52)
WEIGHTS = RNG.integers(1, 4, ROWS).astype(float)
T = np.linspace(0.0, 4.0, 15)
Y = 2.0 * np.exp(-0.7 * T) + 0.1 * RNG.normal(size=15)
X = np.column_stack([np.ones(40), RNG.normal(size=(40, 2))])
EVENTS = (RNG.random(40) < 0.4).astype(float)


def _narrow(tree):
    """``tree`` with its float64 numbers in float32."""

    def convert(leaf):
        wide = isinstance(leaf, float) or (hasattr(leaf, "dtype") and leaf.dtype == np.float64)
        return jnp.asarray(leaf, jnp.float32) if wide else leaf

    return jax.tree.map(convert, tree)


def _flat(tree):
    return np.concatenate([np.ravel(np.asarray(leaf, float)) for leaf in jax.tree.leaves(tree)])


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_models(row):
    wide = row.make(row.y, WEIGHTS)
    truth, found = jm.fit(wide), jm.fit(_narrow(wide))
    errors, single = jm.infer(wide, truth), jm.infer(_narrow(wide), found)
    assert found.ok
    assert {leaf.dtype for leaf in jax.tree.leaves((found.params, single.bse, single.llf))} == {jnp.dtype(jnp.float32)}
    # 16 rows of condition below 10: a thousandth of a standard error is a hundred roundings.
    assert np.all(np.abs(_flat(found.params) - _flat(truth.params)) < 1e-3 * _flat(errors.bse))
    np.testing.assert_allclose(_flat(single.bse), _flat(errors.bse), rtol=1e-3)
    assert float(single.llf) == pytest.approx(float(errors.llf), rel=1e-5)


@pytest.mark.parametrize("row", [*SMOOTH, *ROUGH_TABLE], ids=lambda row: row.name)
def test_priors(row):
    """Where a prior has its support on part of the line, the leaf has the mark of it, and groups of events of which
    three in four happen have their maximum inside."""
    into, mark = getattr(row, "into", np.asarray), getattr(row, "mark", jm.free)
    groups = np.eye(3)[np.arange(40) % 3], (np.arange(40) // 3 % 4 > 0).astype(float)
    wide = jm.models.logistic(*((X, EVENTS) if mark is jm.free else groups)) + row.make("beta", row.number)
    begin = into(np.zeros(3))
    truth = jm.fit(wide, {"beta": mark(jnp.asarray(begin))})
    found = jm.fit(_narrow(wide), {"beta": mark(jnp.asarray(begin, jnp.float32))})
    assert found.ok
    assert found.params["beta"].dtype == jnp.float32
    assert found.value.dtype == jnp.float32
    np.testing.assert_allclose(found.params["beta"], truth.params["beta"], atol=1e-4)
    np.testing.assert_array_equal(found.params["beta"] == 0, truth.params["beta"] == 0)
    assert float(found.value) == pytest.approx(float(truth.value), rel=1e-5)


def _curve(params, t):
    return params["a"] * jnp.exp(-params["b"] * t), params["sigma"]


@pytest.mark.parametrize("row", SOLVERS, ids=lambda row: row.name)
def test_solvers(row):
    start = {"a": 1.0, "b": 0.5, "sigma": jm.positive(0.5)}
    wide = jm.regression(jm.densities.normal, _curve, T, Y)
    truth = jm.fit(wide, start)
    found = jm.fit(_narrow(wide), _narrow(start), solver=row.solver, max_steps=2000)
    assert {leaf.dtype for leaf in jax.tree.leaves((found.params, found.value))} == {jnp.dtype(jnp.float32)}
    off = np.abs(_flat(found.params) - _flat(truth.params)) / _flat(jm.infer(wide, truth).bse)
    if codes.is_maximum(int(found.status)):
        assert np.all(off < 1e-2), found.message  # never converged short of it
    else:
        honest = (codes.COMPLETED, codes.STOPPED_SHORT, codes.OUT_OF_STEPS, codes.STALLED)
        assert int(found.status) in honest, found.message
