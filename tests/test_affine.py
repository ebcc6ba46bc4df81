"""Affine functions are seen as such in their jaxpr, with the right design; others are not taken for one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.core.affine import NotAffine, affine_parts
from jaxmle.fitting.in_z import evaluate_in_z

ROW = np.array([0.5, -2.0, 3.0])
VECTOR, MATRIX, NUMBER = jnp.array([1.0, 2.0, 4.0]), jnp.arange(6.0).reshape(3, 2), jnp.array(0.7)

AFFINE = {
    "dot": (lambda p, x: x @ p[0], (VECTOR,)),
    "dot the other way, and a constant": (lambda p, x: p[0] @ x + 1.0, (VECTOR,)),
    "two columns behind a zero": (lambda p, x: jnp.concatenate([jnp.zeros(1), x @ p[0]]), (MATRIX,)),
    "transposed": (lambda p, x: p[0].T @ x, (MATRIX,)),
    "intercept and slope": (lambda p, x: p[0] + p[1] * x[0], (NUMBER, NUMBER)),
    "a difference": (lambda p, x: p[0] - p[1] * x[0], (NUMBER, NUMBER)),
    "minus": (lambda p, x: -(x @ p[0]) - p[1], (VECTOR, NUMBER)),
    "a constant less it": (lambda p, x: 2.0 - x @ p[0], (VECTOR,)),
    "entries": (lambda p, x: p[0][2] * x[0] + p[0][0], (VECTOR,)),
    "part of a vector": (lambda p, x: x[:2] @ p[0][1:], (VECTOR,)),
    "in a function of its own": (lambda p, x: jax.jit(lambda b: x @ b)(p[0]) + x[1], (VECTOR,)),
    "features": (lambda p, x: jnp.concatenate([x, x**2]) @ p[0].ravel(), (MATRIX,)),
    "the number itself": (lambda p, x: p[0], (NUMBER,)),
    "two vectors": (lambda p, x: x @ p[0] + jnp.exp(x) @ p[1], (VECTOR, VECTOR)),
}
NOT_AFFINE = {
    "exponential": (lambda p, x: jnp.exp(x @ p[0]), (VECTOR,)),
    "product": (lambda p, x: (x @ p[0]) * p[1], (VECTOR, NUMBER)),
    "square": (lambda p, x: p[0] * p[0], (NUMBER,)),
    "the same number twice": (lambda p, x: x @ p[0] + p[0][1], (VECTOR,)),
    "where": (lambda p, x: jnp.where(x[0] > 0, p[0], 2.0 * p[0]), (NUMBER,)),
}


def dense(affine, size):
    """The derivative that the design and the coordinates stand for."""
    design = np.ones(affine.coordinates.shape[-1]) if affine.design is None else np.asarray(affine.design)
    flat = affine.coordinates.reshape(-1, affine.coordinates.shape[-1])
    jacobian = np.zeros((flat.shape[0], size))
    for e, places in enumerate(flat):
        for q, place in enumerate(places):
            if place >= 0:
                jacobian[e, place] = design[q]
    return jacobian


@pytest.mark.parametrize("name", AFFINE)
def test_the_design_is_the_derivative(name):
    function, point = AFFINE[name]
    (affine,) = affine_parts(lambda p, x: [function(p, x)], point, jnp.asarray(ROW))
    pieces = jax.jacfwd(lambda p: function(p, jnp.asarray(ROW)).ravel())(point)
    expected = np.concatenate([np.asarray(piece).reshape(piece.shape[0], -1) for piece in pieces], axis=1)
    np.testing.assert_allclose(dense(affine, expected.shape[1]), expected, rtol=1e-15)


@pytest.mark.parametrize("name", NOT_AFFINE)
def test_what_is_not_affine_is_not_taken_for_it(name):
    function, point = NOT_AFFINE[name]
    with pytest.raises(NotAffine):
        affine_parts(lambda p, x: [function(p, x)], point, jnp.asarray(ROW))


MIXED = {
    "normal": (lambda p, x: (x @ p["beta"] + p["a"], jnp.exp(x[:2] @ p["gamma"])), jm.densities.normal),
    "normal, its scale a number": (lambda p, x: (x @ p["beta"] + p["a"], jnp.exp(p["gamma"][0])), jm.densities.normal),
    "softmax, bent": (lambda p, x: (jnp.stack([x @ p["beta"], p["a"] * x[1], jnp.sin(p["gamma"] @ x[:2])]),), None),
    "softmax in stripes": (
        lambda p, x: (jnp.concatenate([jnp.zeros(1), x[:2] @ p["gamma"].reshape(2, 1) * 1.0, x @ p["beta"][:, None]]),),
        None,
    ),
}


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("block", [None, 7])
def test_curvature_equals_automatic_differentiation(name, block):
    predictor, density = MIXED[name]
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.standard_normal((20, 3)))
    y = jnp.asarray(rng.standard_normal(20) if density else rng.integers(0, 3, 20).astype(float))
    weights = jnp.asarray(rng.random(20))
    density = density or jm.densities.categorical
    params = {"a": jnp.array(0.3), "beta": jnp.array([0.1, -0.4, 0.2]), "gamma": jnp.array([0.2, -0.1])}
    term = jm.regression(density, predictor, x, y, weights, block=block)
    log_density = density.logpdf if hasattr(density, "logpdf") else density.logpmf

    def whole(params):
        eta = jax.vmap(lambda row: predictor(params, row))(x)
        return jnp.sum(weights * jax.vmap(lambda y, eta: log_density(y, *eta))(y, eta))

    fit = jm.Fit.at(term, params)
    z = fit.z
    found = jax.jit(lambda z: evaluate_in_z(term, fit.space, z, 2))(z)

    @jax.jit
    def by_jax(z):
        def flat(z):
            return whole(fit.space.params(z))

        return flat(z), jax.grad(flat)(z), jax.hessian(flat)(z)

    value, gradient, hessian = by_jax(z)
    np.testing.assert_allclose(found.value, value, rtol=1e-13)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(-found.curvature, hessian, rtol=1e-10, atol=1e-11)
