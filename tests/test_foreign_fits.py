"""A fit handed over with another objective, and a slip of a user's function: what the fit has, and the error itself."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

Y = jnp.array([1.0, 2.0, 4.0])


def _normal(y, loc):
    return -0.5 * (y - loc) ** 2


class Pair(NamedTuple):
    a: float
    b: float


class Model(eqx.Module):
    a: jax.Array


TWO = {"a": jnp.asarray(2.0), "b": {"c": jnp.asarray(0.5)}}


@pytest.mark.parametrize(
    "loc, start, missing",
    [
        (lambda p: p["slope"], TWO, "a, b.c, with KeyError: 'slope'"),
        (lambda p: p["b"]["d"], TWO, "a, b.c, with KeyError: 'd'"),
        (lambda p: p[2], (2.0, 0.5), "IndexError: tuple index out of range"),
        (lambda p: p.c, Pair(2.0, 0.5), "has no attribute 'c'"),
        (lambda p: p.b, Model(jnp.asarray(2.0)), "has no attribute 'b'"),
    ],
    ids=["name", "inner name", "place", "field", "field of a module"],
)
def test_what_the_parameters_lack_is_named(loc, start, missing):
    own = jm.likelihood(lambda p, y: y * sum(jax.tree.leaves(p)) - sum(x**2 for x in jax.tree.leaves(p)), Y)
    fit = jm.Fit.at(own, start)
    foreign = jm.likelihood(lambda p, y: _normal(y, loc(p)), Y)
    with pytest.raises(ValueError, match=f"{missing}.*not one of this objective"):
        jm.infer(foreign, fit)


def test_a_prior_on_what_is_not_there_is_foreign_too():
    term = jm.likelihood(lambda p, y: _normal(y, p["m"]), Y)
    with pytest.raises(ValueError, match=r"no parameter is called 'beta'.*not one of this objective"):
        jm.infer(term + jm.priors.normal("beta"), jm.fit(term, {"m": 0.0}))


def test_a_slip_of_a_users_function_keeps_its_place():
    """The function is right while the fit is made, and wrong where the standard errors are taken."""
    now = {}

    def log_likelihood(p, y):
        return _normal(y, p["m"]) + (now["typo"] if now else 0.0)

    fit = jm.fit(jm.likelihood(log_likelihood, Y), {"m": 0.0})
    now["wrong"] = True

    def again(p, y):
        return log_likelihood(p, y)

    term = jm.likelihood(again, Y)
    for ask in (lambda: jm.infer(term, fit), lambda: jm.profile(term, fit)):
        with pytest.raises(ValueError, match=r"are m, with KeyError: 'typo'.*the fault is in the function") as raised:
            ask()
        assert isinstance(raised.value.__cause__, KeyError)
        assert any(
            entry.name == "log_likelihood"
            for entry in pytest.ExceptionInfo.from_exception(raised.value.__cause__).traceback
        )


def test_a_function_to_profile_is_one_of_the_parameters():
    term = jm.likelihood(lambda p, y: _normal(y, p["m"]), Y)
    fit = jm.fit(term, {"m": 0.0})
    with pytest.raises(ValueError, match=r"are m, with KeyError: 'mean'"):
        jm.profile(term, fit, lambda p: p["mean"])
    with pytest.raises(ValueError, match=r"are m, with KeyError: 'mean'"):
        jm.profile_curve(term, fit, lambda p: p["mean"], jnp.ones(1))


@pytest.mark.parametrize(
    "ask",
    [
        lambda problem, fit, g: jm.delta(problem, fit, g),
        lambda problem, fit, g: jm.wald_test(problem, fit, g),
        lambda problem, fit, g: jm.bootstrap(problem, fit, jax.random.key(0), 5, statistic=g),
        lambda problem, fit, g: jm.jackknife(problem, fit, statistic=g),
    ],
)
def test_a_function_of_the_parameters_is_one_that_jax_can_trace(ask):
    problem = jm.models.poisson(jnp.array([2.0, 3.0, 5.0]))
    fit = jm.fit(problem)
    with pytest.raises(ValueError, match=r"are rate, with KeyError: 'mean'"):
        ask(problem, fit, lambda p: p["mean"])
    indexed = lambda p: jnp.ones(2)[jnp.arange(2.0) > p["rate"]]  # noqa: E731
    for g in (lambda p: np.exp(p["rate"]), lambda p: float(p["rate"]), indexed):
        with pytest.raises(TypeError, match=r"use jnp\.exp instead of np\.exp or math\.exp"):
            ask(problem, fit, g)


@pytest.mark.parametrize(
    "ask",
    [
        jm.loo,
        jm.influence,
        jm.bias,
        jm.jackknife,
        lambda problem, fit: jm.bootstrap(problem, fit, jax.random.key(0), 5),
    ],
)
def test_what_begins_at_the_estimate_begins_at_that_of_this_objective(ask):
    other, problem = (jm.models.poisson(jnp.array(y)) for y in ([2.0, 3.0, 5.0], [9.0, 12.0, 11.0]))
    fit = jm.fit(other)
    with pytest.raises(ValueError, match=r"begins at the estimate, and .* of log-likelihood is missing: it was of ano"):
        ask(problem, fit)
    ask(other, fit)


def test_a_diagnosis_says_that_the_fit_was_of_another_objective():
    other, problem = (jm.models.poisson(jnp.array(y)) for y in ([2.0, 3.0, 5.0], [9.0, 12.0, 11.0]))
    (problem_found,) = jm.diagnose(problem, jm.fit(other)).problems
    assert "of log-likelihood is missing: it was of another one" in problem_found
    assert jm.diagnose(other, jm.fit(other)).ok
