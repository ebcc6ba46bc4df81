"""What tells an edge, or a rise without limit, from a number that is only small. Laws 6 and 8."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.parameters import edges
from jaxmle.parameters.bijections import Correlation, Covariance, Ordered, Simplex

Z = jnp.array([1.0, -2.0, -3.0])
MATRIX = jnp.array([-1.0, 0.3, -6.0])  # a factor, its diagonal by logarithms


def constant_sample(params, y):
    return jm.densities.normal.logpdf(y, params["mu"], params["sigma"])


def test_a_rise_without_limit_is_one_whatever_the_objective_is_multiplied_by():
    y, start = np.full(5, 3.0), {"mu": 0.0, "sigma": jm.positive(1.0)}
    for factor in (1e-3, 1.0, 1e3):
        whole = jm.fit(factor * jm.likelihood(constant_sample, y), start)
        weighted = jm.fit(jm.likelihood(constant_sample, y, weights=np.full(5, factor)), start)
        for fit in (whole, weighted):
            assert int(fit.status) == codes.UNBOUNDED, fit.message
            assert "; sigma goes to 0 (" in fit.message


def category(params, row):
    count, k = row
    return jax.scipy.special.xlogy(count, params["pi"][k])


@pytest.mark.parametrize("counts", [[1e8, 9, 5e7], [1e7, 1, 1e6]])
def test_a_rare_category_in_single_precision_has_a_maximum_and_an_error(counts):
    """Shares k / n of 6e-8 and 9e-8, which are nothing beside one by rounding; errors root(p (1 - p) / n)."""
    share, start = np.array(counts) / sum(counts), jm.simplex(jnp.full(3, 1 / 3, jnp.float32))
    rows = np.asarray(counts, np.float32), np.arange(3)
    for weights, data in ((None, rows), (rows[0], (np.ones(3, np.float32), rows[1]))):
        term = jm.likelihood(jax.vmap(category, (None, 0)), data, weights=weights)
        fit = jm.fit(term, {"pi": start})
        assert int(fit.status) in (codes.CONVERGED, codes.STALLED_AT_ROUNDING), fit.message
        np.testing.assert_allclose(fit.params["pi"], share, rtol=1e-5)
        errors = np.sqrt(share * (1.0 - share) / sum(counts))
        np.testing.assert_allclose(jm.infer(term, fit).bse["pi"], errors, rtol=1e-3)


def test_an_edge_that_rounding_hides_in_lanes_is_as_alone():
    """Beside 1e5 others the gradient of what never occurred is rounding, in single precision."""
    counts = np.asarray([[1e5, 1e5, 0], [1e5, 0, 1e5], [1e5, 1e5, 7]], np.float32)
    start = {"pi": jm.simplex(jnp.full(3, 1 / 3, jnp.float32))}

    def term(counts):
        return jm.likelihood(jax.vmap(category, (None, 0)), (counts, jnp.arange(3)))

    fits = jax.jit(jax.vmap(lambda counts: jm.fit(term(counts), start)))(counts)
    assert fits.status.tolist()[:2] == [codes.BOUNDARY] * 2
    for lane, lost in enumerate((2, 1)):
        alone = jm.fit(term(counts[lane]), start)
        assert int(alone.status) == codes.BOUNDARY
        assert f"; pi[{lost}] goes to 0 (" in alone.message
        assert f"; pi[{lost}] goes to 0 (" in jax.tree.map(lambda leaf, lane=lane: leaf[lane], fits).message


def random_effects(params, y):
    within = params["S"] + jnp.eye(2)
    return jm.densities.multivariate_normal.logpdf(y, params["mu"], jnp.linalg.cholesky(within))


def test_variances_that_both_vanish_take_their_covariance_with_them():
    """Data whose second moments are all below those of the noise; the means keep their errors, root(1 / 60)."""
    y = 0.5 * np.random.default_rng(0).normal(size=(60, 2))
    term = jm.likelihood(jax.vmap(random_effects, (None, 0)), y)
    fit = jm.fit(term, {"mu": jnp.zeros(2), "S": jm.covariance_matrix(jnp.eye(2))})
    assert int(fit.status) == codes.BOUNDARY, fit.message
    assert "; S[0,0] goes to 0, S[1,1] goes to 0 (" in fit.message
    errors = jm.infer(term, fit).bse
    np.testing.assert_allclose(errors["mu"], 60**-0.5, rtol=1e-9)
    assert np.isnan(np.asarray(errors["S"])).all()


@pytest.mark.parametrize(
    "bijection, z, step, at",
    [
        (Simplex(), Z, [0.0, 0.0, -1.0], 1),
        (Ordered(), Z, [0.0, 0.0, -1.0], 2),
        (Covariance(), MATRIX, [0.0, 0.0, -0.5], 4),
        (Correlation(), jnp.array([0.1, 0.2, 8.0]), [0.0, 0.0, 0.5], 9),
    ],
    ids=["simplex", "ordered", "covariance", "correlation"],
)
def test_one_rule_tells_a_step_that_goes_on_to_an_edge(bijection, z, step, at):
    """What is left loses a factor of e with each step to an edge; a settled number still moves a little by rounding."""
    value, step = bijection.forward(z), jnp.asarray(step)
    for size, count in ((1.0, at), (0.05, 0), (-1.0, 0)):
        assert int(jnp.sum(edges.at_edge(bijection, z, value, size * step))) == count
