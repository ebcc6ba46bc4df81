"""A score test is of one model inside another: what the larger one holds, the restricted fit holds too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

X = jnp.array([0.5, -1.0, 2.0, 0.3, -0.7, 1.1])
Y = jnp.array([0.3, 1.4, -0.2, 1.9, 0.6, -0.9])
TERM = jm.regression(jm.densities.normal, lambda params, x: (params["a"] + params["b"] * x, params["s"]), X, Y)
BY_HAND = float((X - X.mean()) @ (Y - Y.mean())) ** 2 / float((X - X.mean()) @ (X - X.mean()))


@pytest.fixture(scope="module")
def restricted():
    """The slope held at zero and the scale at one: the score test of the slope is then Sxy^2 / Sxx."""
    return jm.fit(TERM, {"a": 0.0, "b": jm.fixed(0.0), "s": jm.fixed(1.0)})


def test_a_larger_model_that_holds_the_same_is_tested(restricted):
    found = jm.score_test(TERM, restricted, {"a": 0.0, "b": 0.0, "s": jm.fixed(1.0)})
    np.testing.assert_allclose(found.statistic, BY_HAND, rtol=1e-10)


def test_one_that_holds_another_value_is_refused(restricted):
    with pytest.raises(ValueError, match="s has another value in the restricted fit than the start fixes or ties"):
        jm.score_test(TERM, restricted, {"a": 0.0, "b": 0.0, "s": jm.fixed(9.0)})


def test_one_that_holds_what_was_free_is_refused_even_at_the_estimate():
    free = jm.fit(TERM, {"a": 0.0, "b": jm.fixed(0.0), "s": jm.fixed(1.0)})
    for value in (0.0, float(free.params["a"])):
        with pytest.raises(ValueError, match="a is fixed in the start and not in the restricted fit"):
            jm.score_test(TERM, free, {"a": jm.fixed(value), "b": 0.0, "s": jm.positive(1.0)})


def test_ties_of_the_larger_model_hold_in_the_restricted_fit():
    tied = {"a": 0.0, "b": jm.tied("a"), "s": jm.positive(1.0)}
    both = jm.fit(TERM, {**tied, "s": jm.fixed(1.0)})
    assert float(jm.score_test(TERM, both, tied).statistic) > 0
    apart = jm.fit(TERM, {"a": 0.0, "b": jm.fixed(0.5), "s": jm.fixed(1.0)})
    with pytest.raises(ValueError, match="b has another value in the restricted fit than the start fixes or ties"):
        jm.score_test(TERM, apart, tied)


def test_in_a_trace_models_that_are_not_nested_give_nan(restricted):
    def statistic(scale):
        return jm.score_test(TERM, restricted, {"a": 0.0, "b": 0.0, "s": jm.fixed(scale)}).statistic

    found = jax.jit(jax.vmap(statistic))(jnp.array([1.0, 9.0]))
    np.testing.assert_allclose(found[0], BY_HAND, rtol=1e-10)
    assert np.isnan(found[1])
