"""A fit and its file."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

import jaxmle as jm

X = np.column_stack([np.ones(12), np.linspace(-1.0, 1.0, 12)])
Y = np.array([0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1.0])
LOGISTIC = jm.models.logistic(X, Y, labels=["const", "dose"])


def same(a, b):
    """Whether two values are the same to the last bit, their types and structures too."""
    if type(a) is not type(b):
        return False
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        return all(same(getattr(a, field.name), getattr(b, field.name)) for field in dataclasses.fields(a))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, jax.Array) and jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
        return a.dtype == b.dtype and same(jax.random.key_data(a), jax.random.key_data(b))
    if isinstance(a, jax.Array | np.ndarray | np.generic):
        here, there = np.asarray(a), np.asarray(b)
        return (here.dtype, here.shape, here.tobytes()) == (there.dtype, there.shape, there.tobytes())
    return a.hex() == b.hex() if isinstance(a, float) else a == b
