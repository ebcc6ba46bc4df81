"""The covariances of infer that come from refits, against those of jm.bootstrap and jm.jackknife and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

COUNTS = np.array([2.0, 3.0, 4.0, 7.0, 1.0, 0.0, 5.0, 3.0, 9.0, 2.0, 2.0, 4.0])
KEY = jax.random.key(6)
FREE = {"mu": 3.0}


@pytest.fixture(scope="module")
def mean():
    """A mean in z itself, so that nothing is carried over."""
    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], 2.0), COUNTS)
    return term, jm.fit(term, FREE)


def test_the_jackknife_is_that_of_the_textbook(mean):
    found = jm.infer(*mean, "jackknife")
    np.testing.assert_allclose(found.bse["mu"], COUNTS.std(ddof=1) / np.sqrt(12), rtol=1e-8)
    assert "jackknife, 12 refits" in str(found)


def test_the_bootstrap_is_that_of_the_same_draws(mean):
    found = jm.infer(*mean, "bootstrap", key=KEY, draws=200)
    np.testing.assert_allclose(found.bse["mu"], jm.bootstrap(*mean, KEY, 200).bse["mu"], rtol=1e-8)
    assert "bootstrap, 200 refits" in str(found)


def test_whole_groups_are_drawn(mean):
    groups = np.arange(12) // 3
    found = jm.infer(*mean, "bootstrap", key=KEY, draws=200, groups=groups)
    drawn = jm.bootstrap(*mean, KEY, 200, "cluster", groups=groups)
    np.testing.assert_allclose(found.bse["mu"], drawn.bse["mu"], rtol=1e-8)


def test_of_a_positive_parameter_it_is_that_of_its_logarithm():
    problem = jm.models.poisson(COUNTS)
    fit = jm.fit(problem)
    found = jm.infer(problem, fit, "jackknife")
    logs = np.log((COUNTS.sum() - COUNTS) / 11)
    error = np.sqrt(11 / 12 * np.sum((logs - logs.mean()) ** 2))
    np.testing.assert_allclose(found.bse["rate"], error * COUNTS.mean(), rtol=1e-8)
    lower, _ = found.conf_int()
    np.testing.assert_allclose(lower["rate"], COUNTS.mean() * np.exp(-1.959963984540054 * error), rtol=1e-8)


def test_refits_that_fail_are_told_of():
    problem = jm.models.logistic(np.ones((3, 1)), np.array([0.0, 1.0, 1.0]))
    fit = jm.fit(problem)
    found = jm.infer(problem, fit, "bootstrap", key=KEY, draws=100)
    assert "of 100 refits have no finite estimate: standard errors are those of the others" in _text(found)
    assert np.isfinite(found.bse["beta"]).all()
    lost = jm.infer(problem, fit, "jackknife")
    assert np.isnan(lost.bse["beta"]).all()
    assert "1 of 3 refits have no finite estimate: so there are no jackknife standard errors." in _text(lost)


def test_lanes_and_jit(mean):
    term, fit = mean
    lanes = jm.likelihood(term.function, np.stack([COUNTS, 2.0 * COUNTS]))
    fits = jm.fit_batch(lanes, FREE)
    found = jax.vmap(
        lambda term, fit: jm.infer(term, fit, "bootstrap", key=KEY, draws=50).bse["mu"],
        in_axes=(jm.lane_axes(lanes), 0),
    )(lanes, fits)
    alone = jm.infer(term, fit, "bootstrap", key=KEY, draws=50).bse["mu"]
    np.testing.assert_allclose(found, [alone, 2.0 * alone], rtol=1e-8)


def test_a_prior_takes_part_in_the_refits(mean):
    """A normal mean of n with a prior worth as much as k rows moves n / (n + k) as far."""
    term, fit = mean
    penalised = term + jm.priors.normal("mu", 0.0, 1.0)  # precision 1, as 4 rows of variance 4 have
    found = jm.infer(penalised, jm.fit(penalised, FREE), "bootstrap", key=KEY, draws=200)
    plain = jm.infer(term, fit, "bootstrap", key=KEY, draws=200)
    np.testing.assert_allclose(found.bse["mu"], 12 / 16 * plain.bse["mu"], rtol=1e-8)
    assert "Standard errors are from refits with the same prior" in _text(found)


MISTAKES = [
    ({"covariance": "bootstrap"}, "which needs key="),
    ({"covariance": "bootstrap", "key": KEY, "draws": 1}, "draws must be a whole number"),
    ({"covariance": "jackknife", "draws": 10}, "draws= goes with covariance='bootstrap', not with 'jackknife'"),
    ({"covariance": "jackknife", "groups": jnp.arange(12)}, "groups= goes with covariance='cluster' or 'bootstrap'"),
    ({"covariance": "bootstrap", "key": KEY, "weights": "sampling"}, "with sampling weights covariance='bootstrap'"),
]


@pytest.mark.parametrize("options, words", MISTAKES, ids=[words for _, words in MISTAKES])
def test_mistakes_are_answered(mean, options, words):
    with pytest.raises(ValueError, match=words):
        jm.infer(*mean, **options)


def _text(inference):
    return " ".join(str(inference).split())
