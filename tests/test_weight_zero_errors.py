"""Errors do not know what is in a row of weight zero: by leverages, and by simulated responses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

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
