"""Batches of small fits that several tests share."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

import jaxmle as jm

LANES, ROWS = 41, 30


def logistic(seed=0, lanes=LANES):
    rng = np.random.default_rng(seed)
    x = np.concatenate([np.ones((lanes, ROWS, 1)), rng.normal(size=(lanes, ROWS, 2))], axis=2)
    y = (rng.random((lanes, ROWS)) < 1 / (1 + np.exp(-x @ np.array([0.3, -0.8, 0.5])))).astype(float)
    return x, y


def with_bad_lanes(x, y):
    """Lanes that end in every bad way, first, in the middle and last."""
    x, y = x.copy(), y.copy()
    bad = [0, 7, 20, 21, LANES - 1]
    y[bad[0]] = x[bad[0], :, 1] > 0
    x[bad[1], 3, 1] = np.nan
    y[bad[2]] = 1.0
    y[bad[3], 2] = 2.0
    x[bad[4], 0, 2] = np.inf
    return x, y, np.array(bad)


def models(x, y):
    return jax.vmap(jm.models.logistic)(jnp.asarray(x), jnp.asarray(y))


def noise(params, rows):
    return jm.densities.normal.logpdf(rows["y"], rows["x"] @ params["beta"], params["sigma"])


def curves(seed=1, lanes=LANES):
    """Lanes of data, weights and a prior scale of a linear model with a positive scale."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(lanes, ROWS, 2))
    y = x @ np.array([1.0, -2.0]) + rng.normal(size=(lanes, ROWS))
    return {"x": jnp.asarray(x), "y": jnp.asarray(y)}, jnp.asarray(rng.uniform(0.5, 2.0, (lanes, ROWS)))


START = {"beta": jm.free(np.zeros(2), labels=["a", "b"]), "sigma": jm.positive(1.0), "known": jm.fixed(2.0)}


def lane_of(tree, i):
    return jax.tree.map(lambda leaf: leaf[i], tree)


def same(fits, i, alone, rtol=1e-12):
    """Lane i is the fit alone, to rounding; what is itself rounding (what is left to gain) is small in both."""
    lane = lane_of(fits, i)
    small = {"newton_decrement", "gradient_norm", "direction"}
    for field in dataclasses.fields(lane):
        got, wanted = getattr(lane, field.name), getattr(alone, field.name)
        if field.name in small and alone.ok:
            np.testing.assert_allclose(got, 0.0, atol=1e-6)
        else:
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol), got, wanted)
