"""What priors, penalties and random starts are given: numbers that cannot be are refused in words."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

START = {"b": jnp.zeros(3)}
BOWL = jm.log_prior(lambda p: -jnp.sum((p["b"] - 1.0) ** 2))
KEY = jax.random.key(0)


@pytest.mark.parametrize(
    "make,says",
    [
        (lambda: jm.penalties.l1("b", -3.0), r"strength of jm.penalties.l1 must be positive and finite; it is -3.0"),
        (lambda: jm.penalties.l1("b", 0), r"it is 0.0. For no penalty at all leave it out"),
        (lambda: jm.penalties.l1("b", [1.0, 0.0, 2.0]), r"it is 0.0 in entry 1. .* those entries out of where"),
        (lambda: jm.penalties.l1("b", np.nan), r"it is nan"),
        (lambda: jm.penalties.l2("b", -1.0), r"jm.penalties.l2 must be positive"),
        (lambda: jm.penalties.group_lasso("b", np.inf), r"jm.penalties.group_lasso .* it is inf"),
        (lambda: jm.priors.laplace("b", scale=-1.0), r"the scale of jm.priors.laplace must be positive"),
        (lambda: jm.priors.group_laplace("b", 0.0), r"the scale of jm.priors.group_laplace"),
        (lambda: jm.priors.elastic_net("b", 0.1, -1.0), r"l2 of jm.priors.elastic_net must be zero or more"),
        (lambda: jm.priors.elastic_net("b", -0.1, 1.0), r"l1 of jm.priors.elastic_net must be zero or more"),
        (lambda: jm.priors.elastic_net("b", 0.0, 0.0), r"both zero, which is no density; leave the prior out"),
    ],
)
def test_a_strength_or_scale_that_cannot_be_is_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_strengths_that_are_traced_are_not_looked_at():
    values = jax.vmap(lambda s: jm.penalties.l1("b", s)({"b": jnp.ones(3)}))(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(values, 3 * np.log([0.5, 1.0]) - 3 * np.array([1.0, 2.0]))


@pytest.mark.parametrize("groups,count", [([0], 1), ([0, 1], 2), ([0, 0, 1, 1], 4)])
def test_one_label_is_wanted_for_each_entry(groups, count):
    with pytest.raises(ValueError, match=f"groups has {count} label.* the prior is over 3 entries"):
        jm.fit(BOWL + jm.penalties.group_lasso("b", 1.0, groups), START)


def test_indices_may_leave_entries_out():
    fit = jm.fit(BOWL + jm.penalties.group_lasso("b", 1e4, [[0]]), START)
    np.testing.assert_allclose(fit.params["b"], [0.0, 1.0, 1.0], atol=1e-9)


@pytest.mark.parametrize("make", [jm.penalties.l1, jm.penalties.l2])
def test_a_strength_of_another_shape_is_refused(make):
    with pytest.raises(ValueError, match=r"array of shape \(2,\) .*what it is over has shape \(3,\)"):
        jm.fit(BOWL + make("b", jnp.ones(2)), START)


@pytest.mark.parametrize(
    "arguments,error,says",
    [
        ({"count": 3.0}, TypeError, "whole number of starts"),
        ({"count": True}, TypeError, "whole number of starts"),
        ({"key": 0}, TypeError, r"a random key, such as jax.random.key\(0\), not 0"),
        ({"spread": {"b": 2.0}}, TypeError, "one number for all parameters"),
        ({"spread": "wide"}, TypeError, "one number for all parameters"),
        ({"spread": np.nan}, ValueError, "zero or more, and finite; it is nan"),
        ({"spread": -1.0}, ValueError, "zero or more, and finite; it is -1"),
    ],
)
def test_random_starts_refuses_what_cannot_be(arguments, error, says):
    with pytest.raises(error, match=says):
        jm.random_starts(**{"key": KEY, "start": START, "count": 3, **arguments})
