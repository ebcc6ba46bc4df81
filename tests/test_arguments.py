"""What users hand to models and terms: lists, designs without columns, things that are no terms, wrong shapes."""

import jax
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


def test_a_mean_function_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"f must return one number.*array of shape \(2,\)"):
        jm.models.nonlinear_least_squares(lambda p, t: jnp.stack([p["a"] * t] * 2), Y, Y, {"a": 1.0})


def around(mu, sigma):
    def logpdf(params, y):
        return jm.densities.normal.logpdf(y, params["mu"], sigma)

    return jm.fit(jm.likelihood(logpdf, np.array(Y)), {"mu": mu}).value


def test_a_differentiated_number_closed_over_is_to_be_passed_as_data():
    for derivative in (jax.grad(lambda sigma: around(0.0, sigma)), jax.jacfwd(lambda sigma: around(0.0, sigma))):
        with pytest.raises(TypeError, match=r"closes over a number that JAX traces around.*jm.shared\(number\)"):
            derivative(2.0)


@pytest.mark.parametrize("transform", [lambda f: jax.jit(jax.grad(f)), lambda f: jax.grad(jax.jit(f))])
def test_a_traced_number_closed_over_is_to_be_passed_as_data(transform):
    """Its derivative would be zero, silently; without derivatives it is a number like any other."""
    y = jnp.array(Y)

    def value(sigma):
        return jm.fit(jm.likelihood(lambda p, y: -(((y - p["mu"]) / sigma) ** 2), y), {"mu": 0.0}).value

    assert float(jax.jit(value)(2.0)) == pytest.approx(float(value(2.0)))
    with pytest.raises(TypeError, match=r"closes over a number that JAX traces around the fit.*jm.shared\(number\)"):
        transform(value)(2.0)


def test_a_predictor_of_another_shape_is_refused():
    term = jm.regression(jm.densities.normal, lambda p, x: (p["a"] * x[None], 1.0), np.array(Y), np.array(Y))
    with pytest.raises(
        ValueError, match=r"one row must be a number; it has shape \(1,\).*predictor must return single"
    ):
        jm.fit(term, {"a": 1.0})


def test_a_bare_function_is_no_term():
    term, problem = jm.likelihood(lambda p, y: -((y - p["mu"]) ** 2), np.array(Y)), jm.models.normal(Y)
    for add in (
        lambda: term + (lambda p: 0.0),
        lambda: (lambda p: 0.0) + term,
        lambda: problem + (lambda p: 0.0),
        lambda: (lambda p: 0.0) + problem,
    ):
        with pytest.raises(TypeError, match=r"only terms can be added, not a function: .*jm.log_prior\(function\)"):
            add()
    with pytest.raises(TypeError, match="unsupported operand"):
        _ = term + 1.0


@pytest.mark.parametrize("factor", ["a", None, {}])
def test_what_is_no_number_multiplies_nothing(factor):
    term = jm.likelihood(lambda p, y: -((y - p["mu"]) ** 2), np.array(Y))
    for multiply in (lambda: factor * term, lambda: term * factor, lambda: jm.models.normal(Y) * factor):
        with pytest.raises(TypeError, match="multiplied by a positive number, not by"):
            multiply()


@pytest.mark.parametrize("model", [jm.models.normal, lambda y: jm.models.distribution("weibull", y)])
def test_a_model_of_one_sample_has_no_x_to_be_missing(model):
    with pytest.raises(ValueError, match=r"^y is missing \(NaN\) at row 1 "):
        jm.fit(model([1.0, np.nan, 2.0]))


def test_rows_of_different_lengths_are_named():
    with pytest.raises(ValueError, match="y is no array: its rows differ in length"):
        jm.models.normal([[1.0, 2.0], [3.0]])
