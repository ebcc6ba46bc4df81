"""Shapes that do not fit in a function of the model: whose error it is, and what is said of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.densities import normal

Y = np.arange(6.0)
SAID = "shapes do not fit"


def message_of(term, start, kind):
    with pytest.raises(kind) as caught:
        jm.fit(term, start)
    assert type(caught.value) is kind
    return str(caught.value)


def test_an_error_of_the_user_is_left_alone():
    class TwoArguments(ValueError):
        def __init__(self, one, other):
            super().__init__(f"cannot reshape {one} {other}")

    def own(params, y):
        raise ValueError("my model: all inputs must have the same shape; pass q of length 3")

    def of_two(params, y):
        raise TwoArguments(1, 2)

    def in_lanes(params, y):
        return jax.vmap(lambda y: own(params, y))(y)

    for function in (own, in_lanes):
        text = message_of(jm.likelihood(function, Y), {"mu": 0.0}, ValueError)
        assert text == "my model: all inputs must have the same shape; pass q of length 3"
    assert message_of(jm.likelihood(of_two, Y), {"mu": 0.0}, TwoArguments) == "cannot reshape 1 2"


@pytest.mark.parametrize(
    "function, kind",
    [
        (lambda p, y: y - p["mu"], TypeError),
        (lambda p, y: jax.lax.sub(y, jnp.broadcast_to(p["mu"].sum(), 4)), TypeError),  # whose frames JAX hides
        (lambda p, y: normal.logpdf(y, p["mu"], 1.0), TypeError),
        (lambda p, y: jnp.stack([y, p["mu"]]).sum(0), ValueError),
        (lambda p, y: y @ jnp.outer(p["mu"], p["mu"]), TypeError),
        (lambda p, y: p["mu"].reshape(6), TypeError),
    ],
)
def test_one_of_jax_is_told_with_what_a_function_is_given(function, kind):
    text = message_of(jm.likelihood(function, Y), {"mu": jnp.zeros(2)}, kind)
    assert text.startswith(f"{SAID} in a function of the model: ")
    assert "y[:, None]" in text


def test_a_prior_is_told_the_shapes_of_params_and_nothing_of_rows():
    likelihood = jm.likelihood(lambda p, y: normal.logpdf(y, p["b"][0], 1.0), Y)
    prior = jm.log_prior(lambda p: -jnp.sum((p["b"] - jnp.zeros(4)) ** 2))
    text = message_of(likelihood + prior, {"b": jnp.zeros(3), "c": 0.0}, TypeError)
    assert text.startswith(f"{SAID} in a function of a prior: ")
    assert "(3,), (4,)" in text
    assert text.endswith("It is given params alone, of the shapes b (3,), c ()")
    assert "row" not in text
