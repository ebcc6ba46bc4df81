"""The prox of a penalty, and what else solvers ask of it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

from jaxmle.solvers.penalty import Penalty

RNG = np.random.default_rng(43)


def _penalty(seed, groups=True):
    rng = np.random.default_rng(seed)
    l1 = jnp.asarray(rng.uniform(0.1, 1.0, 7))
    if not groups:
        return Penalty(l1, jnp.asarray(rng.normal(size=7)))
    return Penalty(
        l1 * (rng.uniform(size=7) < 0.7).astype(float),
        jnp.asarray(rng.normal(size=7)) if seed % 2 else None,
        jnp.asarray(rng.uniform(0.2, 1.5, 3)),
        np.array([0, 1, 1, -1, 2, 2, 2]),
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("groups", [False, True])
def test_prox_is_the_minimiser(seed, groups):
    """A numerical minimiser finds nothing lower, and the conditions hold at its own point."""
    penalty, rng = _penalty(seed, groups), np.random.default_rng(100 + seed)
    z, step = rng.normal(size=7) * 1.5, rng.uniform(0.2, 2.0)
    x = np.asarray(penalty.prox(z, step))
    value = jax.jit(lambda x: penalty.value(x))

    def height(x):
        return np.sum((x - z) ** 2) / (2 * step) + float(value(x))

    found = scipy.optimize.minimize(
        height, x + 0.1 * rng.normal(size=7), method="Powell", options={"xtol": 1e-9, "ftol": 1e-14}
    )
    assert height(x) <= found.fun + 1e-12
    np.testing.assert_allclose(x, found.x, atol=1e-3)
    for _ in range(50):
        assert height(x) < height(x + 1e-4 * rng.normal(size=7))
    residual = penalty.smallest_subgradient(x, (z - x) / step)
    np.testing.assert_allclose(residual, 0.0, atol=1e-14)


def test_prox_has_exact_zeros_and_steps_of_their_own():
    penalty = Penalty(jnp.full(7, 0.4), None, jnp.array([1.0, 0.2]), np.array([0, 0, 0, 1, 1, -1, -1]))
    z = jnp.array([0.5, -0.6, 0.1, 3.0, 0.1, 0.3, -2.0])
    steps = jnp.array([1.0, 1.0, 1.0, 0.5, 0.5, 2.0, 0.1])
    x = np.asarray(penalty.prox(z, steps))
    assert (x == 0).tolist() == [True, True, True, False, True, True, False]
    assert not np.signbit(x[x == 0]).any()
    each = [np.asarray(penalty.prox(z, step)) for step in steps]
    np.testing.assert_allclose(x, [one[i] for i, one in enumerate(each)])


@pytest.mark.parametrize("seed", range(4))
def test_smallest_subgradient_is_the_smallest(seed):
    """Of minus the directional derivative over all unit directions, its length is the largest."""
    penalty, rng = _penalty(seed), np.random.default_rng(200 + seed)
    gradient = jnp.asarray(rng.normal(size=7) * 2.0)
    x = penalty.prox(jnp.asarray(rng.normal(size=7)), 1.0)
    assert jnp.any(x == (0.0 if penalty.centre is None else penalty.centre))
    smallest = np.asarray(penalty.smallest_subgradient(x, gradient))
    value = jax.jit(lambda x: penalty.value(x))

    def slope(direction):
        h = 1e-7
        return float(gradient @ direction - (value(x + h * direction) - value(x)) / h)

    length = np.linalg.norm(smallest)
    assert slope(smallest / length) == pytest.approx(length, abs=1e-6)
    for _ in range(200):
        direction = rng.normal(size=7)
        assert slope(direction / np.linalg.norm(direction)) <= length + 1e-6


def test_slope_and_bend_are_derivatives_on_the_face():
    penalty = _penalty(2)
    z = jnp.asarray(np.random.default_rng(5).normal(size=7))
    np.testing.assert_allclose(penalty.slope(z), jax.grad(penalty.value)(z), rtol=1e-12)
    np.testing.assert_allclose(penalty.bend(z), jax.hessian(penalty.value)(z), atol=1e-12)
    assert Penalty(jnp.ones(2)).bend(jnp.ones(2)) is None


def test_difference_keeps_its_digits():
    """Of two points a part in 1e12 apart, where values have lost theirs."""
    penalty = _penalty(2)
    z = jnp.asarray(np.random.default_rng(6).normal(size=7))
    step = 1e-12 * np.random.default_rng(7).normal(size=7)
    new = z + step
    expected = float(jnp.dot(penalty.slope(z), new - z))
    assert float(penalty.difference(new, z)) == pytest.approx(expected, rel=1e-9)


def test_vmap_over_strengths_equals_a_loop():
    z = jnp.asarray(RNG.normal(size=(3, 7)))
    penalties = [_penalty(seed) for seed in (0, 2, 4)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *penalties)
    functions = {
        "value": lambda p, z: p.value(z),
        "prox": lambda p, z: p.prox(z, 0.5),
        "subgradient": lambda p, z: p.smallest_subgradient(p.prox(z, 0.5), z),
        "bend": lambda p, z: p.bend(z),
        "largest": lambda p, z: p.largest_in_group(jnp.abs(z)),
    }
    for function in functions.values():
        lanes = jax.jit(jax.vmap(function))(stacked, z)
        for i, penalty in enumerate(penalties):
            np.testing.assert_allclose(lanes[i], function(penalty, z[i]), rtol=1e-12, atol=1e-15)


@functools.cache
def _none():
    return Penalty(jnp.zeros(2), None, jnp.zeros(1), np.array([0, 0]))


def test_strengths_of_zero_penalise_nothing():
    z = jnp.zeros(2)
    assert _none().face(z).all()
    assert _none().prox(jnp.array([1.0, 2.0]), 3.0).tolist() == [1.0, 2.0]
    assert _none().smallest_subgradient(z, jnp.array([1.0, -2.0])).tolist() == [1.0, -2.0]
