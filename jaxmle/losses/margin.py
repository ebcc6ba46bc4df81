"""Losses of a decision: none of them is the log-likelihood of a noise model."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float

from jaxmle.losses._inputs import allowed, floats


def hinge(prediction: ArrayLike, target: ArrayLike) -> Float[Array, "..."]:
    """The hinge loss of the support vector machine, `max(0, 1 - target prediction)`.

    Noise model: none. `exp(-hinge)` of the two targets does not sum to the same number for every prediction, so it is
    no model's log-likelihood; what it predicts is a side, and no probability. It has a corner, and no curvature
    elsewhere, so that an estimate has no standard errors by it.

    Args:
        prediction: positive for a target of 1, any shape.
        target: -1 or 1.

    Returns:
        The loss, elementwise; infinite for a target that is neither -1 nor 1 (0 and 1 become `2 y - 1`).

    Example:
        >>> float(hinge(0.5, 1)), float(hinge(0.5, -1))
        (0.5, 1.5)

    Source: Cortes and Vapnik (1995), "Support-vector networks", section 3; Sollich (2002) on its probabilities.
    """
    prediction, target = floats(prediction, target)
    return allowed(_is_side(target), target, jnp.maximum(1 - target * prediction, 0.0))


def exponential(prediction: ArrayLike, target: ArrayLike) -> Float[Array, "..."]:
    """The exponential loss of AdaBoost, `exp(-target prediction)`.

    Noise model: none. `exp(-loss)` of the two targets does not sum to the same number for every prediction, so it is
    no model's log-likelihood. Its expectation is smallest at half the log-odds, where that of the binary
    cross-entropy of twice the prediction is; but a single row far on the wrong side outweighs all others.

    Args:
        prediction: positive for a target of 1, any shape.
        target: -1 or 1.

    Returns:
        The loss, elementwise; infinite for a target that is neither -1 nor 1 (0 and 1 become `2 y - 1`).

    Example:
        >>> round(float(exponential(1.0, 1)), 4)
        0.3679

    Source: Freund and Schapire (1997); Friedman, Hastie and Tibshirani (2000), "Additive logistic regression",
    section 4 and lemma 1.
    """
    prediction, target = floats(prediction, target)
    ok = _is_side(target)
    return allowed(ok, target, jnp.exp(-jnp.where(ok, target, 0.0) * prediction))


def zero_one(prediction: ArrayLike, target: ArrayLike) -> Float[Array, "..."]:
    """The zero-one loss, 0 where the prediction is the target and 1 where it is not.

    Noise model: none. It is a metric and no objective: it is flat wherever it does not jump, so that it has no
    gradient to follow, and :func:`jaxmle.risk` refuses it.

    Args:
        prediction: labels, any shape.
        target: labels, of the same shape.

    Returns:
        The loss, elementwise; NaN where a label is missing.

    Example:
        >>> zero_one(jnp.array([0, 1]), jnp.array([0, 0])).tolist()
        [0.0, 1.0]

    Source: Hastie, Tibshirani and Friedman (2009), "The Elements of Statistical Learning", equation 2.20.
    """
    prediction, target = floats(prediction, target)
    wrong = jnp.where(prediction == target, 0.0, 1.0)
    return jnp.where(jnp.isnan(prediction) | jnp.isnan(target), jnp.nan, wrong).astype(prediction.dtype)


def _is_side(target: Float[Array, "..."]) -> Bool[Array, "..."]:
    return (target == 1) | (target == -1)
