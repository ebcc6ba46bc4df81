"""Multimodal published likelihoods: from 64 scattered starts the published maximum is found."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

cases.require()
normal, poisson = jm.densities.normal, jm.densities.poisson


def cauchy(params, x):
    return -jnp.log(np.pi) - jnp.log1p((x - params["theta"]) ** 2)


def mixture(p, first, second):
    return jnp.logaddexp(jnp.log(p) + first, jnp.log1p(-p) + second)


def two_normals(p, y):
    return mixture(p["lambda1"], normal.logpdf(y, p["mu1"], p["sigma1"]), normal.logpdf(y, p["mu2"], p["sigma2"]))


def two_normals_of_one_scale(p, y):
    return mixture(p["lambda1"], normal.logpdf(y, p["mu1"], p["sigma"]), normal.logpdf(y, p["mu2"], p["sigma"]))


def two_poissons(p, y):
    return mixture(p["p"], poisson.logpmf(y, jnp.log(p["lambda1"])), poisson.logpmf(y, jnp.log(p["lambda2"])))


def share(value):
    return jm.interval(value, lower=0, upper=1)


# The case, its likelihood, a start that knows no more than the range of the data, and how far starts are scattered.
TABLE = [
    ("cauchy-location-multimodal", cauchy, "x", None, {"theta": 20.0}, 1.0),
    (
        "faithful-mixture-equal",
        two_normals_of_one_scale,
        "waiting",
        None,
        {"lambda1": share(0.5), "mu1": 70.0, "mu2": 70.0, "sigma": jm.positive(10.0)},
        0.3,
    ),
    (
        "faithful-mixture-unequal",
        two_normals,
        "waiting",
        None,
        {"lambda1": share(0.5), "mu1": 70.0, "mu2": 70.0, "sigma1": jm.positive(10.0), "sigma2": jm.positive(10.0)},
        0.3,
    ),
    (
        "deaths-poisson-mixture",
        two_poissons,
        "deaths",
        "freq",
        {"p": share(0.5), "lambda1": jm.positive(2.0), "lambda2": jm.positive(2.0)},
        1.0,
    ),
]


@pytest.mark.always(2)
@pytest.mark.parametrize(("name, function, column, weights, start, spread"), TABLE, ids=[row[0] for row in TABLE])
def test_finds_the_published_maximum(name, function, column, weights, start, spread):
    case = cases.CASES[name]
    data = cases.columns(case)
    term = jm.likelihood(function, data[column], None if weights is None else data[weights])
    fit, reached = jm.fit_best(term, jm.random_starts(jax.random.key(1), start, 64, spread=spread))
    highest = float(case["computed"]["loglik"])
    assert fit.ok, fit.message
    assert float(fit.value) == pytest.approx(highest, rel=cases.LOGLIK)
    assert 2 <= int(reached) <= 64
    ends = np.asarray(fit.history["value"])[np.asarray(fit.history["maximum"]) == 0]
    assert ends.size == int(reached)
    assert np.ptp(ends) < 1e-6
