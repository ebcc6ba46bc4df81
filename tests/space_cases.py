"""Trees of parameters that tests of spaces share."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


class Pair(NamedTuple):
    left: object
    right: object


class Net(eqx.Module):
    """A module with everything in it: arrays, Python scalars, flags, functions, integers, static fields."""

    linear: eqx.nn.Linear
    drop: eqx.nn.Dropout
    scale: object
    knots: jax.Array
    activation: object = jax.nn.relu
    rate: float = 0.5
    slope: float = eqx.field(static=True, default=0.25)


def net(scale=None):
    linear = eqx.nn.Linear(2, 1, key=jax.random.key(0))
    return Net(linear, eqx.nn.Dropout(0.3), jnp.array(2.0) if scale is None else scale, jnp.arange(3))


def mlp():
    return eqx.nn.MLP(2, 1, 3, 1, key=jax.random.key(1))


def assert_same(got, wanted):
    assert jax.tree.structure(got) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        if callable(b) or isinstance(b, str):
            assert a is b
        else:
            np.testing.assert_allclose(a, b, rtol=1e-15)


def tree_of_scalars(s, scalars, constant):
    return s.tree_of_leaves(s.leaves_of_scalars(scalars, constant))
