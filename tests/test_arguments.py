"""What users hand to models and terms: lists, designs without columns, things that are no terms, wrong shapes."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

Y, COUNTS, COINS = [1.0, 2.0, 4.0], [1, 0, 3], [1, 0, 1]
X, WEIGHTS = [[1.0, 0.0], [1.0, 1.0], [1.0, 3.0]], [2, 1, 3]
TIMES = {"right": [True, False, False]}


def decay(params, t):
    return params["a"] * jnp.exp(-params["b"] * t)


LISTS = {
    "normal": lambda take: jm.models.normal(take(Y), take(WEIGHTS)),
    "bernoulli": lambda take: jm.models.bernoulli(take(COINS), take(WEIGHTS)),
    "binomial": lambda take: jm.models.binomial(take(COUNTS), take([4, 5, 6]), take(WEIGHTS)),
    "poisson": lambda take: jm.models.poisson(take(COUNTS), take(WEIGHTS)),
    "exponential": lambda take: jm.models.exponential(take(Y), take(WEIGHTS)),
    "distribution": lambda take: jm.models.distribution(
        "exponential", take(Y), censored={"right": take(TIMES["right"])}, weights=take(WEIGHTS)
    ),
    "linear": lambda take: jm.models.linear(take(X), take(Y), take(WEIGHTS), offset=take(Y)),
    "logistic": lambda take: jm.models.logistic(take(X), take(COUNTS), take(WEIGHTS), trials=take([4, 5, 6])),
    "softmax": lambda take: jm.models.softmax(take(X), take(COINS), take(WEIGHTS)),
    "poisson_regression": lambda take: jm.models.poisson_regression(
        take(X), take(COUNTS), take(WEIGHTS), exposure=take(Y)
    ),
    "nonlinear_least_squares": lambda take: jm.models.nonlinear_least_squares(
        decay, take(Y), take(Y), {"a": 1.0, "b": 0.1}, take(WEIGHTS)
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_every_array_argument_of_a_model_may_be_a_list(name):
    from_lists, from_arrays = LISTS[name](lambda values: values), LISTS[name](np.asarray)
    params = jm.Fit.at(from_arrays).params
    assert float(from_lists.objective(params)) == float(from_arrays.objective(params))
    assert float(from_lists.objective.nobs()) == sum(WEIGHTS)


@pytest.mark.parametrize("name", ["normal", "poisson", "nonlinear_least_squares"])
def test_a_wrong_number_of_weights_is_refused_by_the_model(name):
    def take(values):
        return [*values, 1] if values is WEIGHTS else values

    with pytest.raises(ValueError, match=r"one weight for each of its 3 rows; the weights have shape \(4,\)"):
        LISTS[name](take)


def test_trials_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"n has shape \(2,\) and y has 3 rows"):
        jm.models.binomial(COUNTS, [4, 5])


@pytest.mark.parametrize("model", ["linear", "logistic", "softmax", "poisson_regression"])
def test_a_design_without_columns_is_refused(model):
    with pytest.raises(ValueError, match=r"no columns \(shape \(3, 0\)\).*jnp.ones"):
        getattr(jm.models, model)(np.zeros((3, 0)), COINS)
