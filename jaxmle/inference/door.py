"""What the public functions look at before they begin: that it is one fit, a level between 0 and 1, a random key."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.tree import is_traced
from jaxmle.fitting.result import Fit


def check_one_fit(fit: Fit, call: str) -> None:
    """Raise ``ValueError`` where ``fit`` is a batch, handed over whole to the function that users write as ``call``,
    and ``TypeError`` where it is no fit."""
    check_is_fit(fit, call)
    if np.ndim(fit.status):
        raise ValueError(
            f"this is a batch of fits, and {call} takes one: take each by jax.vmap(lambda objective, fit: {call}("
            "objective, fit, ...), in_axes=(jm.lane_axes(objective), 0))(objective, fits), or one lane, "
            "jax.tree.map(lambda x: x[0], fits)"
        )


def check_is_fit(fit: Any, call: str) -> None:
    """Raise ``TypeError`` where ``fit`` is none."""
    if not isinstance(fit, Fit):
        raise TypeError(
            f"{call} takes a fit, such as that of jm.fit(objective, start) or jm.Fit.at(objective, values), not a "
            f"{type(fit).__name__}"
        )


def as_level(level: Any) -> Any:
    """``level``, the confidence of an interval; in a trace NaN where it is none.

    Raises ``ValueError`` where it is not a number between 0 and 1.
    """
    return _share(level, "level", "the confidence of an interval, such as 0.95")


def as_alpha(alpha: Any) -> Any:
    """``alpha``, one less the confidence of an interval; in a trace NaN where it is none.

    Raises ``ValueError`` where it is not a number between 0 and 1.
    """
    return _share(alpha, "alpha", "one less the confidence of an interval, such as 0.05 for 95%")


def _share(value, name, what):
    if is_traced(value):
        return jnp.where((value > 0) & (value < 1), value, jnp.nan)
    if not _is_number(value) or not 0 < float(value) < 1:
        raise ValueError(f"{name} must be a number between 0 and 1, {what}; it is {value!r}")
    return value


def _is_number(value) -> bool:
    """Whether ``value`` is one number, of Python, NumPy or JAX, and not its text."""
    return np.ndim(value) == 0 and np.issubdtype(np.asarray(value).dtype, np.number)


def check_key(key: Any) -> None:
    """Raise ``TypeError`` where ``key`` is no random key of JAX, of the new kind or the old."""
    dtype = getattr(key, "dtype", None)
    new = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key) and np.ndim(key) == 0
    old = dtype == jnp.uint32 and np.shape(key) == jax.eval_shape(lambda: jax.random.PRNGKey(0)).shape
    if not (new or old):
        raise TypeError(
            f"key must be a random key, jax.random.key(0), and is {_described(key)}: the number goes into "
            "jax.random.key, and several keys are taken one by one"
        )


def _described(key) -> str:
    dtype = getattr(key, "dtype", None)
    return repr(key) if dtype is None else f"an array of {dtype} of shape {np.shape(key)}"
