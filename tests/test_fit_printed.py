"""What ``print`` shows of a fit."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

Y = jnp.array([1.0, 2.0, 4.0])


def _log_density(params, y):
    return jm.densities.normal.logpdf(y, params["mu"].sum(), params["sigma"])


def test_one_fit():
    start = {"mu": jnp.zeros(1), "sigma": jm.positive(1.0), "known": jm.fixed(3.0)}
    fit = jm.fit(jm.likelihood(_log_density, Y), start)
    ended, likelihood, *numbers = str(fit).splitlines()
    assert ended == fit.message
    expected = -1.5 * (np.log(2 * np.pi * np.var(np.asarray(Y))) + 1)
    assert likelihood == f"log-likelihood {expected:.6g}"
    assert numbers == ["mu[0]  2.3333", "sigma  1.2472", "known  3.0000  fixed"]


def test_a_prior_is_told():
    problem = jm.models.poisson(Y) + jm.priors.gamma("rate", 2.0, 1.0)
    assert ", log-prior -" in str(jm.fit(problem))


def test_no_more_than_a_page():
    term = jm.likelihood(_log_density, Y) + jm.priors.normal("mu", scale=1.0)
    lines = str(jm.fit(term, {"mu": jnp.zeros(1234), "sigma": jm.fixed(1.0)}, max_steps=3)).splitlines()
    assert len(lines) == 2 + 30 + 1 + 1
    assert lines[-2] == "and 1,204 numbers more"
    assert lines[-1].split() == ["sigma", "1.0000", "fixed"]


def test_a_batch_is_counted():
    y = np.ones((12, 3)) + np.arange(3)
    y[4, 0] = np.nan
    text = str(jm.fit_batch(jax.vmap(jm.models.poisson)(y)))
    head, most, other = text.splitlines()
    assert head == "12 fits of 1 free number: 11 ok"
    assert most == "11  converged"
    assert other.startswith(" 1  ")
    assert "not finite" in other


def test_inside_a_trace_it_is_the_structure():
    seen = []
    jax.eval_shape(lambda y: (seen.append(str(jm.fit(jm.models.poisson(y)))), y)[1], Y)
    assert seen[0].startswith("Fit(")


def test_what_is_fixed_says_so():
    """By hand and by a constraint, and no more than a page of it."""
    start = {
        "mu": jnp.zeros(2),
        "r": jm.correlation_matrix(jnp.eye(2)),
        "known": jm.fixed({"a": 1.0, "b": jnp.ones(13)}),
    }
    term = jm.log_prior(lambda p: -jnp.sum((p["mu"] - 3.0) ** 2) - jnp.sum((p["r"] - 0.5) ** 2))
    numbers = [line.split() for line in str(jm.fit(term, start)).splitlines()[2:]]
    assert [words[0] for words in numbers if words[-1] == "fixed"] == ["r[0,0]", "r[1,1]", "known.a", "known.b"]
    assert numbers[-2:] == [["known.a", "1.0000", "fixed"], ["known.b", "(13,)", "fixed"]]
    many = {"mu": jnp.zeros(1), "sigma": jm.positive(1.0), **{f"k{i}": jm.fixed(jnp.ones(10)) for i in range(4)}}
    lines = str(jm.fit(jm.likelihood(_log_density, Y), many)).splitlines()
    assert len(lines) == 2 + 2 + 30 + 1
    assert lines[-1] == "and 10 more that are fixed"


def _of_shapes(fit):
    return jax.eval_shape(lambda y: jm.fit(jm.models.poisson(y)), Y)


def _tangent(fit):
    return jax.jvp(lambda y: jm.fit(jm.models.poisson(y)), (Y,), (jnp.ones(3),))[1]


@pytest.mark.parametrize(
    "change",
    [
        _of_shapes,
        _tangent,
        lambda fit: eqx.filter(fit, eqx.is_inexact_array),
        lambda fit: eqx.filter(fit, lambda leaf: not eqx.is_inexact_array(leaf)),
        *(lambda fit, as_=as_: jax.tree.map(lambda _: as_, fit) for as_ in (0, None, "s", True)),
        lambda fit: jax.tree.map(jnp.isnan, fit),
        lambda fit: jax.tree.map(jnp.size, fit),
        lambda fit: jax.tree.map(jnp.sum, fit),
        lambda fit: jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(jnp.shape(leaf), float), fit),
    ],
)
def test_of_what_is_no_result_it_is_the_structure(change):
    assert str(change(jm.fit(jm.models.poisson(Y)))).startswith("Fit(")


def test_results_on_the_host_and_from_a_program_are_shown():
    fit = jm.fit(jm.models.poisson(Y))
    assert str(jax.device_get(fit)) == str(fit) == str(jax.jit(lambda fit: fit)(fit))
