"""Priors, sums of terms, and problems."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from term_cases import BETA, NOISE, T, X, close, evaluation, value

import jaxmle as jm

# Priors and sums


def _quadratic(params):
    return -0.5 * jnp.sum(params["beta"] ** 2) - params["beta"][0] * params["beta"][1]


PRIOR = jm.log_prior(_quadratic)
NORMAL = jm.priors.normal("beta", scale=2.0)
AT = {"beta": np.array([0.4, -1.2])}


def test_a_log_prior_and_its_derivatives():
    got = evaluation(PRIOR, AT)
    assert float(got.log_likelihood) == 0.0
    close(got.log_prior, _quadratic(AT))
    close(got.gradient, [0.8, 0.8])
    close(got.curvature, [[1.0, 1.0], [1.0, 1.0]])
    assert float(PRIOR.nobs()) == 0.0


def test_a_log_prior_returns_one_number():
    with pytest.raises(ValueError, match=r"sum it with jnp\.sum"):
        jm.log_prior(lambda p: -(p["beta"] ** 2))(AT)


def test_terms_and_their_evaluations_add():
    data = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, jnp.sum(p["beta"]), 1.0), NOISE)
    pieces = [data, PRIOR, NORMAL]
    alone = [evaluation(piece, AT) for piece in pieces]
    by_hand = alone[0] + alone[1] + alone[2]
    for total in (data + PRIOR + NORMAL, data + (PRIOR + NORMAL), sum(pieces)):
        assert isinstance(total, jm.Objective)
        got = evaluation(total, AT)
        for name in ("value", "log_likelihood", "log_prior", "magnitude", "gradient", "curvature"):
            close(getattr(got, name), getattr(by_hand, name), 1e-14)
    assert float(by_hand.log_likelihood) == float(alone[0].value)


def test_the_flat_prior_is_the_identity():
    for total in (NORMAL + jm.priors.flat(), jm.priors.flat() + NORMAL):
        assert jax.tree.structure(total) == jax.tree.structure(jm.priors.flat() + NORMAL)
        assert float(value(total, AT)) == float(value(NORMAL, AT))
    assert float(jm.priors.flat()(AT)) == 0.0


@pytest.mark.parametrize("factor", [2, 0.5, np.float64(3.0)])
def test_multiplication_by_a_positive_number(factor):
    one = evaluation(PRIOR, AT)
    for product in (factor * PRIOR, PRIOR * factor, 2.0 * (0.5 * factor * PRIOR)):
        got = evaluation(product, AT)
        for name in ("value", "magnitude", "gradient", "curvature"):
            close(getattr(got, name), factor * np.asarray(getattr(one, name)), 1e-14)
    mixed = PRIOR + factor * NORMAL
    close(value(mixed, AT), value(PRIOR, AT) + factor * value(NORMAL, AT), 1e-14)


@pytest.mark.parametrize("factor", [0, -1.0, np.inf, np.nan, np.ones(2)])
def test_no_other_number_multiplies(factor):
    with pytest.raises(ValueError, match=r"multiplied by a positive number.* turn its maximum into a minimum"):
        PRIOR * factor


def test_a_traced_factor_is_taken_as_it_is():
    doubled = jax.jit(lambda factor: (factor * PRIOR)(AT))(jnp.array(2.0))
    close(doubled, 2.0 * value(PRIOR, AT))


@pytest.mark.parametrize("other", [1, 0.0, lambda p: 0.0, None])
def test_nothing_else_adds(other):
    with pytest.raises(TypeError):
        PRIOR + other
    with pytest.raises(TypeError):
        jm.models.poisson([1.0, 2.0]) + other


def test_a_penalty_is_its_prior():
    for strength in (0.3, np.array([0.3, 2.0])):
        penalty = jm.penalties.l2("beta", strength)
        prior = jm.priors.normal("beta", scale=1.0 / np.sqrt(2.0 * np.asarray(strength)))
        close(value(penalty, AT), value(prior, AT), 1e-14)
        base = {"beta": np.zeros(2)}
        drop = -np.sum(strength * AT["beta"] ** 2)
        close(float(value(penalty, AT)) - float(value(penalty, base)), drop, 1e-14)


# Problems


def test_a_problem_with_a_prior_is_a_problem():
    problem = jm.models.logistic(X, T > 1)
    for posterior in (problem + NORMAL, NORMAL + problem):
        assert isinstance(posterior, jm.Problem)
        assert posterior.start is problem.start
        assert posterior.name == problem.name
        params = {"beta": BETA}
        expected = value(problem.objective, params) + stats.norm.logpdf(BETA, 0.0, 2.0).sum()
        close(value(posterior, params), expected, 1e-13)
    close(value(3.0 * problem, {"beta": BETA}), 3.0 * value(problem, {"beta": BETA}), 1e-13)


def test_two_problems_do_not_add():
    problem = jm.models.poisson([1.0, 2.0])
    with pytest.raises(TypeError, match="two starts"):
        problem + problem


@pytest.mark.parametrize("thing,message", [(lambda p: 0.0, "wrap a function"), (3.0, "make a term")])
def test_only_terms_and_problems_are_fitted(thing, message):
    with pytest.raises(TypeError, match=message):
        jm.fit(thing, {"mu": 0.0})
