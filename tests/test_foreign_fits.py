"""A fit handed over with another objective is told as that, and an error of a user's function as itself."""

import operator
import types
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
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
        (lambda p: p["slope"], TWO, "'slope'"),
        (lambda p: p["b"]["d"], TWO, "'d'"),
        (lambda p: p[2], (2.0, 0.5), "place 2 of 2"),
        (lambda p: p["list"][5], {"list": [2.0, 0.5]}, "place 5 of 2"),
        (lambda p: p.c, Pair(2.0, 0.5), "has no attribute 'c'"),
        (lambda p: p.b, Model(jnp.asarray(2.0)), "has no attribute 'b'"),
        (lambda p: p.a, TWO, "has no attribute 'a'"),
    ],
    ids=["name", "inner name", "place", "place in a list", "field", "field of a module", "field of a dict"],
)
def test_what_the_parameters_lack_is_named(loc, start, missing):
    own = jm.likelihood(lambda p, y: y * sum(jax.tree.leaves(p)) - sum(x**2 for x in jax.tree.leaves(p)), Y)
    fit = jm.Fit.at(own, start)
    foreign = jm.likelihood(lambda p, y: _normal(y, loc(p)), Y)
    with pytest.raises(ValueError, match=f"not one of this objective: the fit has the parameters .*{missing}"):
        jm.infer(foreign, fit)


def test_a_prior_on_what_is_not_there_is_foreign_too():
    term = jm.likelihood(lambda p, y: _normal(y, p["m"]), Y)
    with pytest.raises(ValueError, match=r"not one of this objective.*no parameter is called 'beta'"):
        jm.infer(term + jm.priors.normal("beta"), jm.fit(term, {"m": 0.0}))


def _information(loc, scale):
    return {"loc": 1.0}["scale"]  # a slip of the author of the density


@pytest.mark.parametrize(
    "slip, error, words",
    [
        (lambda: {"a": 1.0}["typo"], KeyError, "typo"),
        (lambda: [1.0, 2.0][7], IndexError, "list index out of range"),
        (lambda: operator.attrgetter("means")(jnp.ones(2)), AttributeError, "means"),
    ],
    ids=["key", "place", "attribute"],
)
def test_a_slip_of_a_users_function_comes_through_with_its_place(slip, error, words):
    """The function is right while the fit is made, and wrong where the standard errors are taken."""
    now = {"wrong": False}

    def log_likelihood(p, y):
        return _normal(y, p["m"]) + (slip() if now["wrong"] else 0.0)

    fit = jm.fit(jm.likelihood(log_likelihood, Y), {"m": 0.0})
    now["wrong"] = True

    def again(p, y):
        return log_likelihood(p, y)

    term = jm.likelihood(again, Y)
    for ask in (lambda: jm.infer(term, fit), lambda: jm.profile(term, fit)):
        with pytest.raises(error, match=words) as raised:
            ask()
        assert any(entry.name == "log_likelihood" for entry in raised.traceback)


def test_a_slip_in_what_only_standard_errors_ask_for_comes_through():
    density = types.ModuleType("mine")
    vars(density).update(logpdf=jm.densities.normal.logpdf, information=_information)
    term = jm.regression(density, lambda p, x: (p["m"], p["s"]), Y, Y)
    fit = jm.fit(term, {"m": 0.0, "s": jm.positive(1.0)})
    with pytest.raises(KeyError, match="scale") as raised:
        jm.infer(term, fit, "expected")
    assert any(entry.name == "_information" for entry in raised.traceback)


def test_a_function_to_profile_is_one_of_the_parameters():
    term = jm.likelihood(lambda p, y: _normal(y, p["m"]), Y)
    fit = jm.fit(term, {"m": 0.0})
    with pytest.raises(ValueError, match=r"asks them for what they do not have \('mean'"):
        jm.profile(term, fit, lambda p: p["mean"])
    with pytest.raises(KeyError, match="table"):
        jm.profile(term, fit, lambda p: p["m"] * {}["table"])
    with pytest.raises(ValueError, match=r"asks them for what they do not have \('mean'"):
        jm.profile_curve(term, fit, lambda p: p["mean"], jnp.ones(1))


def test_a_function_that_looks_first_has_no_fault():
    """``get`` and ``in`` ask for nothing in vain."""
    term = jm.likelihood(lambda p, y: _normal(y, p.get("m2", p["m"])) + (1 if "z" in p else {}["own"]), Y)
    fit = jm.fit(jm.likelihood(lambda p, y: _normal(y, p["m"]), Y), {"m": 0.0})
    with pytest.raises(KeyError, match="own"):
        jm.infer(term, fit)
