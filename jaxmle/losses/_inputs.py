"""What every loss does with its arguments before and after its formula."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float


def floats(prediction: ArrayLike, target: ArrayLike, *numbers: ArrayLike) -> list[Float[Array, "..."]]:
    """All of them as arrays of the floating dtype of the prediction, that of the target where it has none, or the
    default; Python floats have no say."""
    own = [jnp.result_type(x) for x in (prediction, target) if _decides(x)]
    dtype = own[0] if own else jnp.result_type(float)
    return [jnp.asarray(x, dtype) for x in (prediction, target, *numbers)]


def _decides(x: ArrayLike) -> bool:
    is_weak = type(x) is float or getattr(x, "weak_type", False)
    return bool(jnp.issubdtype(jnp.result_type(x), jnp.floating)) and not is_weak


def allowed(ok: Bool[Array, "..."], target: Float[Array, "..."], loss: Float[Array, "..."]) -> Float[Array, "..."]:
    """`loss` where the target is one the loss is made for, infinity where it is not, NaN where it is missing."""
    return jnp.where(ok, loss, jnp.where(jnp.isnan(target), jnp.nan, jnp.inf))


def valid(ok: Bool[Array, "..."], loss: Float[Array, "..."]) -> Float[Array, "..."]:
    """`loss` where its own number (a width, a level) is one, NaN where it is not."""
    return jnp.where(ok, loss, jnp.nan)
