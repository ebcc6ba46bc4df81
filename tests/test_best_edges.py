"""Many starts in single precision, and what polish refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

KEY = jax.random.key(0)
ROWS = np.random.default_rng(0).normal(size=64)


def two(level):
    return jm.log_prior(lambda p: level - 1.25 * (p["x"] ** 2 - 4.0) ** 2 + 0.4 * p["x"])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("level", [0.0, -8000.0])
def test_two_maxima_half_a_percent_of_a_percent_apart_are_two(dtype, level):
    """The values are -7999.2 and -8000.8; those of float32 there are 5e-4 apart."""
    fit, reached = jm.fit_best(two(level), jm.random_starts(KEY, {"x": jnp.asarray(0.0, dtype)}, 16, spread=3.0))
    maximum, z = np.asarray(fit.history["maximum"]), np.asarray(fit.history["z"])[:, 0]
    assert set(maximum[maximum >= 0]) == {0, 1}
    assert np.array_equal(maximum == 0, (z > 0) & (maximum >= 0))
    assert int(reached) == np.sum(maximum == 0) < 16
    assert float(fit.params["x"]) == pytest.approx(2.01, abs=0.01)


def test_values_that_cancel_are_known_to_the_rounding_of_their_parts():
    """Parts of 17,000 each cancel to a value near 0.06, which differs by 0.01 from lane to lane."""
    shifts = jnp.asarray(np.where(np.arange(64) % 2, 1000.0, -1000.0) + 1e-3 * ROWS, jnp.float32)
    term = jm.likelihood(lambda p, c: c * jnp.cosh(3 * p["x"]) - 0.01 * (p["x"] - 1) ** 2, shifts)
    fit, reached = jm.fit_best(term, jm.random_starts(KEY, {"x": jnp.float32(0.0)}, 12, spread=2.0))
    maximum, value = np.asarray(fit.history["maximum"]), np.asarray(fit.history["value"])
    assert int(reached) == np.sum(maximum >= 0) > 3
    assert np.ptp(value[maximum == 0]) > 1e-3


def test_polish_refuses_what_it_cannot_carry_on():
    x = np.column_stack([np.ones(30), np.linspace(-1.0, 1.0, 30)])
    y = (np.arange(30) % 3 == 0).astype(float)
    problem = jm.models.logistic(x, y)
    fit = jm.fit(problem)
    with pytest.raises(TypeError, match="carries on a Fit, not a dict"):
        jm.polish(problem, {"beta": jnp.zeros(2)})
    with pytest.raises(TypeError, match="a batch of them"):
        jm.polish(problem, jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), fit))
    with pytest.raises(ValueError, match=r"cannot be evaluated at the parameters of this fit \(beta\)"):
        jm.polish(jm.models.logistic(x[:, :1], y), fit)
    rough = problem + jm.penalties.l1("beta", 1.0)
    with pytest.raises(TypeError, match=r"jm.polish takes Newton steps, and .* a prior with kinks"):
        jm.polish(rough, jm.fit(rough))


def test_a_fit_with_kinks_says_how_far_it_is_from_its_conditions():
    x = np.column_stack([np.ones(30), np.linspace(-1.0, 1.0, 30)])
    problem = jm.models.logistic(x, (np.arange(30) % 3 == 0).astype(float))
    fit = jm.fit(problem + jm.penalties.l1("beta", 1.0))
    assert f"; KKT residual {float(fit.gradient_norm):.1e})" in fit.message
    assert "KKT" not in jm.fit(problem).message
