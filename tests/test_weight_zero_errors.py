"""Errors do not know what is in a row of weight zero: by leverages, and by simulated responses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.inference.rows.scores import own_scores_in_z, row_weights, scores_in_z
from jaxmle.parameters.space import Space
from jaxmle.terms.objective import as_objective

RNG = np.random.default_rng(4)
X = np.column_stack([np.ones(25), RNG.normal(size=25)])
Y = X @ np.array([1.0, 0.5]) + RNG.normal(size=25)
WEIGHTS = np.where(np.arange(25) % 6 == 0, 0.0, 1.0 + np.arange(25) % 2)
SPOILT = np.where(WEIGHTS[:, None] == 0, np.nan, X), np.where(WEIGHTS == 0, np.nan, Y)
KEPT = WEIGHTS > 0


@pytest.mark.parametrize("kind", ["hc0", "hc1", "hc2", "hc3"])
def test_sandwiches_are_those_without_the_rows(kind):
    bad = jm.models.linear(*SPOILT, WEIGHTS)
    good = jm.models.linear(X[KEPT], Y[KEPT], WEIGHTS[KEPT])
    one, other = (jm.infer(problem, jm.fit(problem), kind).cov for problem in (bad, good))
    np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-12)


def test_leverages_are_those_without_the_rows():
    bad = jm.models.linear(*SPOILT, WEIGHTS)
    good = jm.models.linear(X[KEPT], Y[KEPT], WEIGHTS[KEPT])
    one, other = (jm.leverage(problem, jm.fit(problem)) for problem in (bad, good))
    np.testing.assert_allclose(one[KEPT], other, rtol=1e-8)


def _line(params, x):
    return x @ params["beta"], params["scale"]


def test_simulated_information_is_that_of_the_other_rows():
    """The skew-normal has no expected information in closed form. To the Monte Carlo error of 200 draws a row, since
    rows left out draw other numbers; and with finite numbers in these rows, by the same draws, to rounding."""
    start = {"beta": jnp.zeros(2), "scale": jm.positive(1.0)}

    def errors(x, y):
        term = jm.regression(_student, _line, jnp.asarray(x), jnp.asarray(y), jnp.asarray(WEIGHTS))
        return jm.infer(term, jm.fit(term, start), "expected", key=jax.random.key(0)).bse_z

    np.testing.assert_allclose(errors(*SPOILT), errors(X, Y), rtol=1e-8)


class _student:
    """Student's t with four degrees of freedom, without its expected information."""

    @staticmethod
    def logpdf(y, loc, scale):
        return jm.densities.student_t.logpdf(y, 4.0, loc, scale)

    @staticmethod
    def sample(key, loc, scale):
        return loc + scale * jax.random.t(key, 4.0, jnp.shape(loc))


@pytest.mark.parametrize("part", ["weights", "y"])
def test_errors_of_lanes_have_the_derivatives_of_each(part):
    """Values that are the same in all lanes, such as the log-prior of none, do not confuse JAX."""
    rng = np.random.default_rng(0)
    x, y = jnp.asarray(rng.normal(size=(30, 2))), jnp.asarray(rng.poisson(2.0, 30).astype(float))
    weights = jnp.ones((3, 30)).at[0, 1].set(0.0).at[1, 2].set(2.0)

    def bse(own):
        given = {"y": y, "weights": None, part: own}
        problem = jm.models.poisson_regression(x, given["y"], given["weights"])
        return jm.infer(problem, jm.fit(problem)).bse["beta"]

    lanes = weights if part == "weights" else jnp.stack([y, y + 1.0, 2.0 * y])
    each = np.stack([jax.jacfwd(bse)(lane) for lane in lanes])
    together = jax.jacfwd(jax.vmap(bse))(lanes)
    np.testing.assert_allclose(together[np.arange(3), :, np.arange(3)], each, rtol=1e-9, atol=1e-14)


def _normal(params, rows):
    return jm.densities.normal.logpdf(rows["y"], rows["x"] @ params["beta"], params["scale"])


def _likelihood(x, y, weights):
    return jm.likelihood(_normal, {"x": jnp.asarray(x), "y": jnp.asarray(y)}, jnp.asarray(weights))


START = {"beta": jnp.zeros(2), "scale": jm.positive(1.0)}


def test_sums_of_scores_are_numbers_and_a_row_that_counts_hides_nothing():
    """A row of weight zero without a finite score counts as zero, one with a finite score keeps it, a row that counts
    stays NaN; a prior between two likelihoods has no rows, and the weights are those of the rows."""
    mixed = np.where((WEIGHTS[:, None] == 0) & (np.arange(25)[:, None] < 12), np.nan, X)
    mixed[1] = np.nan
    spoilt, sound = _likelihood(mixed, Y, WEIGHTS), _likelihood(X, Y, WEIGHTS)
    data = {"x": jnp.asarray(X), "y": jnp.asarray(Y)}
    objective = spoilt + jm.priors.normal("beta", scale=2.0) + 2.0 * jm.likelihood(_normal, data)
    space, values = Space.of(START)
    z = space.to_z(values) + 0.1
    found, own = (np.asarray(f(objective, space, z)) for f in (scores_in_z, own_scores_in_z))
    alone = np.asarray(own_scores_in_z(as_objective(sound), space, z))
    lost = np.isnan(mixed[:, 0]) & (WEIGHTS == 0)
    assert lost.any()
    assert (found[:25][lost] == 0.0).all()
    assert np.isnan(own[:25][lost]).all()
    assert np.isnan(found[1]).all()
    kept = ~np.isnan(mixed[:, 0])
    assert (kept & (WEIGHTS == 0)).any()
    np.testing.assert_allclose(found[:25][kept], alone[kept], rtol=1e-12)
    np.testing.assert_allclose(found[25:], 2.0 * alone, rtol=1e-12)
    weights = row_weights(objective, space, z)
    np.testing.assert_array_equal(weights, np.concatenate([WEIGHTS, np.ones(25)]))


def test_what_adds_scores_up_is_what_it_is_without_the_rows():
    """A bias, clusters, lags, and the acceleration of a bootstrap."""
    groups = np.arange(25) // 3

    def all_of_them(x, y, weights, rows):
        term = _likelihood(x, y, weights)
        fit = jm.fit(term, START)
        bias = jax.tree.leaves(jm.bias(term, fit))
        cluster = jm.infer(term, fit, "cluster", groups=groups[rows]).bse_z
        draws = jm.bootstrap(term, fit, jax.random.key(1), draws=2)
        return [*bias, cluster, draws.acceleration]

    bad = all_of_them(*SPOILT, WEIGHTS, np.ones(25, bool))
    good = all_of_them(X[KEPT], Y[KEPT], WEIGHTS[KEPT], KEPT)
    for one, other in zip(bad, good, strict=True):
        assert np.isfinite(other).all()
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)
