"""What ``print`` shows of a fit."""

import jax
import jax.numpy as jnp
import numpy as np

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
    assert numbers == ["mu[0]  2.3333", "sigma  1.2472"]


def test_a_prior_is_told():
    problem = jm.models.poisson(Y) + jm.priors.gamma("rate", 2.0, 1.0)
    assert ", log-prior -" in str(jm.fit(problem))


def test_no_more_than_a_page():
    term = jm.likelihood(_log_density, Y) + jm.priors.normal("mu", scale=1.0)
    lines = str(jm.fit(term, {"mu": jnp.zeros(1234), "sigma": jm.fixed(1.0)}, max_steps=3)).splitlines()
    assert len(lines) == 2 + 30 + 1
    assert lines[-1] == "and 1,204 numbers more"


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
