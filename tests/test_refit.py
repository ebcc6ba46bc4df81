"""Failed lanes tried again."""

import jax
import numpy as np
import pytest
from batch_cases import LANES, START, curves, lane_of, logistic, models, noise

import jaxmle as jm


def test_refit_tries_only_the_failed_lanes():
    x, y = logistic()
    problems = models(x, y)
    fits = jm.fit_batch(problems, max_steps=6)
    assert 0 < fits.ok.sum() < LANES
    again = jm.refit(problems, fits, solver=jm.solvers.LBFGS())
    assert again.ok.all()
    np.testing.assert_allclose(again.z, jm.fit_batch(problems).z, rtol=1e-6, atol=1e-8)
    for old, new in zip(jax.tree.leaves(fits), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(old[fits.ok], new[fits.ok])
    assert "by L-BFGS" in lane_of(again, int(np.argmin(fits.ok))).message
    assert "by Newton's method, chosen" in lane_of(again, int(np.argmax(fits.ok))).message
    assert jm.refit(problems, again) is again


def test_refit_starts_where_a_lane_ended_or_where_it_is_told():
    data, weights = curves()
    term = jm.likelihood(noise, data, weights)
    fits = jm.fit_batch(term, START)
    here = jm.refit(term, fits, where=np.arange(LANES) == 5)
    assert here.steps[5] <= 2
    there = jm.refit(term, fits, where=np.arange(LANES) == 5, start=START)
    np.testing.assert_array_equal(there.steps, fits.steps)
    np.testing.assert_allclose(there.z, fits.z, rtol=1e-12)


def test_refit_says_what_does_not_fit():
    data, weights = curves()
    term = jm.likelihood(noise, data, weights)
    fits = jm.fit_batch(term, START)
    with pytest.raises(ValueError, match=r"one entry for each lane; it has the type bool and the shape \(3,\)"):
        jm.refit(term, fits, where=np.ones(3, bool))
    with pytest.raises(ValueError, match="type int64"):
        jm.refit(term, fits, where=np.arange(LANES))
    with pytest.raises(ValueError, match="other marks"):
        jm.refit(term, fits, where=np.ones(LANES, bool), start=START | {"sigma": jm.interval(1.0, lower=0.0)})
    with pytest.raises(TypeError, match=r"not known inside jax\.jit"):
        jax.jit(lambda fits: jm.refit(term, fits))(fits)
