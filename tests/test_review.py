"""What a careful reader found: each was wrong once."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm


def across_rows(params, data):
    centred = data["x"] - data["x"].mean(0, keepdims=True)
    return jm.densities.normal.logpdf(data["y"], centred @ params["beta"], 1.0)


def test_a_function_across_rows_is_refused_from_zeros_and_every_time():
    rng = np.random.default_rng(0)
    data = {"x": rng.standard_normal((200, 2)) + 1.0, "y": rng.standard_normal(200)}
    for _ in range(2):
        with pytest.raises(ValueError, match="not row-wise"):
            jm.fit(jm.likelihood(across_rows, data, block=50), {"beta": jnp.zeros(2)})


def test_the_mode_of_z_is_reported_as_such():
    problem = jm.models.bernoulli(np.array([1] * 7 + [0] * 3))
    fit = jm.fit(problem, jacobian=True)
    inference = jm.infer(problem, fit)
    np.testing.assert_allclose(fit.params["p"], 8 / 12, rtol=1e-8)
    np.testing.assert_allclose(inference.bse_z, 1 / np.sqrt(12 * 8 / 12 * 4 / 12), rtol=1e-8)
    assert np.isnan(inference.aic)
    assert "unconstrained scale" in str(inference)


def test_a_scaled_likelihood_has_no_criteria():
    problem = jm.models.poisson(np.array([1, 2, 6]))
    fit = jm.fit(problem)
    assert np.isfinite(jm.infer(1.0 * problem, fit).aic)
    scaled = jm.infer(2.0 * problem, fit)
    assert np.isnan(scaled.bic)
    assert "multiplied by a number" in str(scaled)


def test_upward_curvature_is_not_called_free():
    problem = jm.models.normal([1.0, 2.0, 4.0])
    table = str(jm.summary(problem, jm.Fit.at(problem, {"mu": 100.0, "sigma": jm.positive(1.0)})))
    assert "not a maximum" in table
    assert "leave this combination" not in table


@pytest.mark.parametrize(
    "options, words",
    [({"solver": "bfgs"}, "jm.solvers"), ({"tolerance": -1.0}, "positive"), ({"max_steps": 0}, "one or more")],
)
def test_options_of_fit_are_checked(options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        jm.fit(jm.models.poisson([1, 2, 6]), **options)


def test_a_fit_of_another_objective_is_refused():
    fit = jm.fit(jm.models.poisson([1, 2, 6]))
    with pytest.raises(ValueError, match="not one of this objective"):
        jm.infer(jm.models.bernoulli([1, 0, 1]), fit)


def test_a_data_frame_is_a_dict_of_its_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"y": [1.0, 2.0, 4.0]})
    term = jm.likelihood(lambda p, d: jm.densities.normal.logpdf(d["y"], p["mu"], 1.0), frame)
    np.testing.assert_allclose(jm.fit(term, {"mu": 0.0}).params["mu"], 7 / 3, rtol=1e-10)


def test_small_refusals():
    counts = jm.models.poisson([1])
    with pytest.raises(TypeError, match="takes a function of params"):
        jm.likelihood(3, jnp.ones(2))
    with pytest.raises(TypeError, match="cannot be shared"):
        jm.regression(jm.densities.normal, lambda p, x: (p["m"], 1.0), jnp.ones(2), jm.shared(jnp.ones(2)))
    with pytest.raises(ValueError, match="at row 1"):
        jm.models.softmax(jnp.ones((2, 1)), jnp.array([0, -1]))
    with pytest.raises(ValueError, match="with sampling weights covariance='observed' is wrong"):
        jm.infer(counts, jm.fit(counts), weights="sampling")
    with pytest.raises(ValueError, match="kind 'inverse'"):
        jm.infer(counts, jm.fit(counts), weights="inverse")
