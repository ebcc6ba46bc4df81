"""Factors by LAPACK: their derivatives, and no call on a stack of matrices, which can wait for ever on a CPU."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.core import lapack

rng = np.random.default_rng(0)
TALL = jnp.asarray(rng.normal(size=(3, 4, 7, 5)))
TALL_CHANGE = jnp.asarray(rng.normal(size=TALL.shape))
SQUARE = TALL.mT @ TALL
CHANGE = jnp.asarray(rng.normal(size=SQUARE.shape))


def _by_jax(lower, right, transpose=False):
    return jax.lax.linalg.triangular_solve(lower, right, left_side=True, lower=True, transpose_a=transpose)


def _solutions(solve):
    """Of a system for each lane, of one for all lanes, and of a system and right sides in lanes of their own."""

    def both(x):
        lower, right, one = jnp.linalg.cholesky(x), jnp.cos(x)[..., :2], jnp.linalg.cholesky(SQUARE[0, 0])
        return jnp.concatenate([solve(lower, right), solve(one, right), solve(lower, SQUARE[0, 0], True)], axis=-1)

    return jax.vmap(both)


def _halves(x):
    return 0.5 * (x + x.mT)


CASES = {
    "cholesky": (lapack.cholesky, jnp.linalg.cholesky, SQUARE, CHANGE),
    "eigenvalues": (lambda x: lapack.eigh(_halves(x))[0], lambda x: jnp.linalg.eigh(x)[0], SQUARE, CHANGE),
    "eigenvectors": (lambda x: lapack.eigh(_halves(x))[1], lambda x: jnp.linalg.eigh(x)[1], SQUARE, CHANGE),
    "solutions": (_solutions(lapack.solve_lower), _solutions(_by_jax), SQUARE, CHANGE),
    "triangle": (lapack.triangle, lambda x: jnp.linalg.qr(x, mode="r"), TALL, TALL_CHANGE),
}


def _sum_of_sines(function):
    return lambda x: jnp.sum(jnp.sin(function(x)))


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives_are_those_of_jax(name):
    """Values, tangents, gradients and the derivatives of gradients, in lanes of stacks."""
    mine, jax_s, x, change = CASES[name]

    def all_of(function):
        gradient = jax.grad(_sum_of_sines(jax.vmap(function)))
        return jax.jvp(jax.vmap(function), (x,), (change,)), jax.jvp(gradient, (x,), (change,))

    found = jax.jit(lambda: all_of(mine))()
    expected = jax.jit(lambda: all_of(jax_s))()
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


def _stacked_calls(function, *arguments):
    """The calls into LAPACK with more than one matrix in the compiled program."""
    text = jax.jit(function).lower(*arguments).compile().as_text()
    calls = [line for line in text.splitlines() if re.search(r'custom_call_target="lapack_', line)]
    shapes = [re.search(r"[fc]\d+\[([\d,]+)\]", line)[1].split(",") for line in calls]
    return [line for line, shape in zip(calls, shapes, strict=True) if np.prod([int(n) for n in shape[:-2]]) > 1]


def _lanes(columns, count=40, rows=30):
    x = jnp.asarray(rng.normal(size=(count, rows, columns)))
    return x, jnp.asarray(rng.integers(0, 2, (count, rows)), float)


def _infer(covariance):
    def many(x, y):
        problem = jax.vmap(jm.models.logistic)(x, y)
        fits = jm.fit_batch(problem)
        return jax.vmap(lambda p, f: jm.infer(p, f, covariance), in_axes=(jm.lane_axes(problem), 0))(problem, fits)

    return many


def _one(model):
    """A fit, its errors and a test, of one lane."""

    def lane(x, y):
        problem = model(x, y)
        fit = jm.fit(problem)
        return jm.infer(problem, fit).cov, jm.wald_test(problem, fit, lambda p: jax.tree.leaves(p)[0][:2])

    return jax.vmap(lane)


def _firth(x, y):
    problem = jm.models.logistic(x, y)
    return problem + jm.priors.firth(problem)


def _gradient(x, y):
    def estimate(x, y):
        return jnp.sum(jm.fit(jm.models.logistic(x, y)).params["beta"])

    return jax.vmap(jax.grad(estimate))(x, y)


def _normal_matrices(x, y):
    start = {"loc": jnp.zeros(3), "cov": jm.covariance_matrix(jnp.eye(3))}

    def row(p, x):
        return jm.densities.multivariate_normal_precision.logpdf(x, p["loc"], p["cov"])

    def lane(x):
        term = jm.likelihood(lambda p, x: jax.vmap(lambda x: row(p, x))(x), x)
        return jm.infer(term, jm.fit(term, start)).bse

    return jax.vmap(lane)(x)


PROGRAMS = {
    "infer": (_infer("observed"), 3),
    "infer of ten": (_infer("observed"), 10),
    "hc3": (_infer("hc3"), 3),
    "logistic": (_one(jm.models.logistic), 3),
    "linear": (_one(jm.models.linear), 10),
    "firth": (_one(_firth), 3),
    "gradient of a fit": (_gradient, 10),
    "matrices": (_normal_matrices, 3),
    "least squares": (jax.vmap(lambda x, y: jm.models.least_squares(p := jm.models.linear(x, y), jm.fit(p)).bse), 3),
}


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="LAPACK is what factors on a CPU")
@pytest.mark.parametrize("name", PROGRAMS)
def test_lanes_call_lapack_one_by_one(name):
    """Two calls with stacks of matrices at once, on two cores, wait for each other's threads and never end."""
    function, columns = PROGRAMS[name]
    assert _stacked_calls(function, *_lanes(columns)) == []
