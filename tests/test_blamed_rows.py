"""Which rows and values a failure is blamed on, where some look bad and are not."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

CENSORED = np.array([0.5, 1.0, 1.5, 2.5, 3.0, 4.0]), np.array([0.5, np.inf, 1.5, 2.5, np.inf, 4.0])


@pytest.mark.parametrize(
    "row, value, said",
    [
        (2, 1.4, r"y is 1\.5 at row 2, which Censored\(weibull\) cannot produce: it must be a positive number, where"),
        (3, np.nan, r"x leaf 'upper' is missing \(NaN\) at row 3 \(1 such row"),
    ],
)
def test_a_row_that_cannot_be_is_blamed_and_not_those_that_are_censored(row, value, said):
    lower, upper = CENSORED
    upper = np.where(np.arange(6) == row, value, upper)
    density = jm.densities.censored(jm.densities.weibull)
    term = jm.regression(
        density, lambda params, row: (params["shape"], params["scale"], row["upper"]), {"upper": upper}, lower
    )
    with pytest.raises(ValueError, match=said):
        jm.fit(term, {"shape": jm.positive(1.0), "scale": jm.positive(1.0)})


def test_an_upper_end_that_was_forgotten_is_named():
    density = jm.densities.censored(jm.densities.weibull)
    term = jm.regression(density, lambda params, _: (params["shape"], params["scale"]), CENSORED[1], CENSORED[0])
    with pytest.raises(TypeError, match="takes c, scale, upper after the response, and was given 2 of them"):
        jm.fit(term, {"shape": jm.positive(1.0), "scale": jm.positive(1.0)})


def test_weights_of_an_inference_are_words():
    problem = jm.models.poisson(jnp.array([2.0, 3.0]))
    with pytest.raises(TypeError, match="weights= says what the weights of the terms mean"):
        jm.infer(problem, jm.fit(problem), weights=np.ones(2))


def test_what_is_missing_is_named_where_no_value_but_a_derivative_is_lost():
    y = jnp.array([0.5, -1.0, np.nan, 0.3])
    term = jm.likelihood(lambda p, y: jnp.where(jnp.isnan(y), 0.0, -0.5 * (y - p["m"]) ** 2), y)
    with pytest.raises(ValueError, match=r"data is missing \(NaN\) at row 2 \(1 such row"):
        jm.fit(term, {"m": 0.0})


def test_an_infinite_value_is_excused_by_none_of_the_other_sign():
    x = np.column_stack([np.ones(6), [0.2, -0.4, 0.9, np.inf, -np.inf, 0.1]])
    data = {"x": x, "y": np.array([0.0, 1.0, 0.0, 1.0, 1.0, 1.0])}
    term = jm.likelihood(lambda p, rows: jm.densities.bernoulli.logpmf(rows["y"], rows["x"] @ p["b"]), data)
    with pytest.raises(ValueError, match="data leaf 'x' is infinite at row 4, column 1"):
        jm.fit(term, {"b": jnp.array([0.0, 1.0])})
