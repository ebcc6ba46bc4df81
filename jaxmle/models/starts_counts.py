"""Where densities of counts start."""

import jax.numpy as jnp

from jaxmle.models.sample import Sample


def bernoulli(s: Sample, known) -> dict:
    """The log-odds of the share of ones: the maximum."""
    return {"logits": _logit(s.mean)}


def binomial(s: Sample, known) -> dict:
    """The log-odds of all successes among all trials: the maximum."""
    return {"logits": _logit(s.mean / known["n"])}


def geometric(s: Sample, known) -> dict:
    """The log-odds of one success in as many trials as the mean: the maximum."""
    return {"logits": -jnp.log(s.mean - 1)}


def poisson(s: Sample, known) -> dict:
    """The log of the mean: the maximum."""
    return {"log_rate": jnp.log(s.mean)}


def negative_binomial(s: Sample, known) -> dict:
    """The log of the mean, and the concentration by moments; a large one where the variance is no larger than the mean.

    The mean is the maximum.
    """
    mean, variance = s.mean, s.deviation**2
    over = jnp.maximum(variance - mean, 0.01 * mean)
    return {"log_mean": jnp.log(mean), "concentration": mean**2 / over}


def negative_binomial_linear(s: Sample, known) -> dict:
    """The log of the mean, and by how much of it the variance exceeds it; a little where it does not."""
    return {"log_mean": jnp.log(s.mean), "dispersion": jnp.maximum(s.deviation**2 / s.mean - 1, 0.01)}


def beta_binomial(s: Sample, known) -> dict:
    """By moments; a small correlation of trials where there is none."""
    n = known["n"]
    p = s.mean / n
    p = jnp.where((p > 0) & (p < 1), p, jnp.where(p <= 0, 0.01, 0.99))
    excess = s.deviation**2 / (n * p * (1 - p)) - 1
    correlation = jnp.clip(excess / jnp.maximum(n - 1, 1.0), 0.005, 0.98)
    total = 1 / correlation - 1
    return {"a": total * p, "b": total * (1 - p)}


def _logit(p):
    """The log-odds of a share; of a small or a large one in the place of none and all."""
    return jnp.where((p > 0) & (p < 1), jnp.log(p) - jnp.log1p(-p), jnp.where(p <= 0, -2.0, 2.0))
