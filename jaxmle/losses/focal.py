"""The focal loss."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxmle.core.special import softplus
from jaxmle.losses._inputs import allowed, floats


def focal(
    logits: ArrayLike, target: ArrayLike, gamma: ArrayLike = 2.0, alpha: ArrayLike | None = None
) -> Float[Array, "..."]:
    """The focal loss from logits, `-(1 - p_t)^gamma log p_t` with p_t the predicted probability of the target.

    Noise model: none, since exp(-loss) does not sum to one over the targets, whatever the constant. With gamma = 0 it
    is the binary cross-entropy, that of the Bernoulli model. What it predicts are no probabilities: classes that are
    seen well are pulled to the middle.

    Args:
        logits: the log-odds of a one, any shape.
        target: 0 or 1.
        gamma: how little rows count that are predicted well, zero or more.
        alpha: the weight of ones, from 0 to 1, zeros having `1 - alpha`; None is weight one for both.

    Returns:
        The loss, elementwise; infinite for a target that is neither 0 nor 1.

    Example:
        >>> round(float(focal(2.0, 1)), 6)
        0.001804

    Source: Lin et al. (2017), "Focal loss for dense object detection", equations 4 and 5.
    """
    logits, target, gamma, alpha_ = floats(logits, target, gamma, 0.5 if alpha is None else alpha)
    margin = jnp.where(target == 1, logits, -logits)
    loss = jnp.exp(-gamma * softplus(margin)) * softplus(-margin)
    if alpha is not None:
        loss = jnp.where(target == 1, alpha_, 1 - alpha_) * loss
    return allowed((target == 0) | (target == 1), target, loss)
