"""Cross-entropies: of two classes, of several, and of probabilities that are given."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxmle.core.special import softplus
from jaxmle.losses._inputs import allowed, floats, valid


def binary_cross_entropy(logits: ArrayLike, target: ArrayLike) -> Float[Array, "..."]:
    """The cross-entropy of two classes from logits, `log(1 + exp(logits)) - target logits`.

    Noise model: Bernoulli with these log-odds, nothing held fixed: `-log probability = binary_cross_entropy`, without
    a constant. A target between 0 and 1 is the probability of a one: the loss is then its entropy and the
    Kullback-Leibler divergence of the prediction from it.

    Args:
        logits: the log-odds of a one, any shape.
        target: 0, 1, or a probability between.

    Returns:
        The loss, elementwise, in nats; infinite for a target outside 0 to 1.

    Example:
        >>> round(float(binary_cross_entropy(2.0, 1)), 4)
        0.1269

    Source: Cox (1958), "The regression analysis of binary sequences", section 2.
    """
    logits, target = floats(logits, target)
    ok = (target >= 0) & (target <= 1)
    share = jnp.where(ok, target, 0.0)
    return allowed(ok, target, share * softplus(-logits) + (1 - share) * softplus(logits))


def softmax_cross_entropy(
    logits: ArrayLike, target: ArrayLike, label_smoothing: ArrayLike = 0.0
) -> Float[Array, "..."]:
    """The cross-entropy of K classes from logits, `log sum_k exp(logits_k) - sum_k t_k logits_k`.

    Noise model: categorical with these logits, nothing held fixed: for a label
    `-log probability = softmax_cross_entropy`, without a constant. For probabilities t it is their entropy and the
    Kullback-Leibler divergence of softmax(logits) from them. Label smoothing by a puts `(1 - a) t_k + a/K` in the
    place of t_k: the log-likelihood of labels of which a share a was drawn anew, evenly, in expectation.

    Args:
        logits: log-probabilities up to a constant, of shape `(..., K)`.
        target: labels 0, 1, ..., K - 1, of shape `(...)`; or probabilities that sum to one, of shape `(..., K)`.
        label_smoothing: a, from 0 to 1.

    Returns:
        The loss, of shape `(...)`, in nats; infinite for what is not a label, or a negative probability; NaN where
        label_smoothing is outside 0 to 1.

    Example:
        >>> round(float(softmax_cross_entropy(jnp.array([0.0, 0.0, 2.0]), 2)), 4)
        0.2395

    Source: McFadden (1974), equation 12; Szegedy et al. (2016), "Rethinking the Inception architecture", section 7.
    """
    logits, target, smoothing = floats(logits, target, label_smoothing)
    shares, ok, known = _shares(logits, target)
    shares = (1 - smoothing) * shares + smoothing / logits.shape[-1]
    loss = allowed(ok, known, _expected(shares, _minus_log_softmax(logits)))
    return valid((smoothing >= 0) & (smoothing <= 1), loss)


def nll(log_probabilities: ArrayLike, target: ArrayLike) -> Float[Array, "..."]:
    """Minus the given log-probability of the label, `-log_probabilities[target]`.

    Noise model: categorical with these probabilities, nothing held fixed: `-log probability = nll`, without a
    constant. The softmax cross-entropy is `nll(jax.nn.log_softmax(logits), target)`. That the probabilities sum to
    one is for the caller to see to: nothing is normalised.

    Args:
        log_probabilities: of each class, of shape `(..., K)`.
        target: labels 0, 1, ..., K - 1, of shape `(...)`; or probabilities that sum to one, of shape `(..., K)`.

    Returns:
        The loss, of shape `(...)`, in nats; infinite for what is not a label, or a negative probability.

    Example:
        >>> round(float(nll(jnp.log(jnp.array([0.25, 0.75])), 1)), 4)
        0.2877

    Source: Bishop (2006), "Pattern Recognition and Machine Learning", equation 4.108.
    """
    log_probabilities, target = floats(log_probabilities, target)
    shares, ok, known = _shares(log_probabilities, target)
    return allowed(ok, known, _expected(shares, -log_probabilities))


def _shares(scores: Float[Array, "... k"], target: Float[Array, "..."]):
    """The share of each class in the target, whether it is one, and a number that is NaN where it is missing."""
    if target.ndim == scores.ndim:
        return jnp.where(target >= 0, target, 0.0), jnp.all(target >= 0, axis=-1), jnp.sum(target, axis=-1)
    classes = jnp.arange(scores.shape[-1], dtype=scores.dtype)
    shares = jnp.expand_dims(target, -1) == jnp.expand_dims(classes, tuple(range(target.ndim)))
    return shares.astype(scores.dtype), jnp.any(shares, axis=-1), target


def _expected(shares: Float[Array, "... k"], losses: Float[Array, "... k"]) -> Float[Array, "..."]:
    """The sum of losses by shares, where an infinite loss of which there is no share counts nothing."""
    none = shares == 0
    return jnp.sum(jnp.where(none, 0.0, shares * jnp.where(none, 0.0, losses)), axis=-1)


def _minus_log_softmax(logits: Float[Array, "... k"]) -> Float[Array, "... k"]:
    """`log sum_j exp(logits_j) - logits_k`, that of the first class by all others, so that it keeps its digits."""
    first = jnp.argmax(logits, axis=-1, keepdims=True)
    is_first = jnp.arange(logits.shape[-1]).reshape((1,) * (logits.ndim - 1) + (-1,)) == first
    # Not minus infinity: with a single class there is no other, and 0/0 would be its derivative.
    others = jnp.where(is_first, 0.25 * jnp.finfo(logits.dtype).min, logits)
    largest = jnp.sum(jnp.where(is_first, logits, 0.0), axis=-1, keepdims=True)
    lost = softplus(jax.nn.logsumexp(others, axis=-1, keepdims=True) - largest)
    return lost + jnp.where(is_first, 0.0, largest - logits)
