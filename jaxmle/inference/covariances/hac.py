"""The sandwich of rows in the order of time that depend on those shortly before."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.tree import is_traced
from jaxmle.inference.asked import Asked
from jaxmle.inference.covariances.hat import count_coefficients
from jaxmle.inference.rows.scores import row_weights, scores_in_z
from jaxmle.terms.rows import weighted


def as_lags(lags):
    """``lags`` as an integer array. Raises ``ValueError`` unless it is a whole number, zero or more."""
    if is_traced(lags):
        return lags
    if np.ndim(lags) or lags != int(lags) or lags < 0:
        raise ValueError(f"lags= is a whole number, zero or more: how many rows back one depends; it is {lags!r}")
    return jnp.asarray(int(lags))


def automatic_lags(n: int) -> int:
    """floor(4 (n / 100)^(2/9)), the rule of thumb of Newey and West (1994).

    >>> automatic_lags(32), automatic_lags(100), automatic_lags(1000)
    (3, 4, 6)
    """
    return int(4.0 * (n / 100.0) ** (2.0 / 9.0))


def hac(asked: Asked):
    """The middle with Bartlett's weights: autocovariances of the scores at lag l times 1 - l / (lags + 1).

    Source: Newey and West (1987), equation 5.
    """
    likelihoods = asked.likelihoods()
    if len(likelihoods.terms) != 1:
        raise ValueError(
            f"hac takes the rows in the order of time, and there are {len(likelihoods.terms)} likelihoods, each with "
            "rows of its own: give one, or cluster by what depends"
        )
    weights = row_weights(likelihoods, asked.space, asked.z)
    scores = weighted(scores_in_z(likelihoods, asked.space, asked.z), weights)
    lags = jnp.asarray(automatic_lags(weights.size)) if asked.lags is None else asked.lags
    facts = {"lags": lags, "automatic": jnp.asarray(asked.lags is None)}
    middle = newey_west(scores, lags)
    if asked.correction:
        facts["factor"] = asked.nobs() / (asked.nobs() - count_coefficients(asked))
        middle = facts["factor"] * middle
    return middle, facts


def newey_west(scores, lags):
    """The sum of outer products of ``scores`` (n, m) and, with Bartlett's weights, of those up to ``lags`` apart."""
    rows = jnp.arange(scores.shape[0])[:, None]

    def add(lag, total):
        before = jnp.where(rows >= lag, jnp.roll(scores, lag, axis=0), 0.0)
        product = scores.T @ before
        return total + (1.0 - lag / (lags + 1)).astype(scores.dtype) * (product + product.T)

    return jax.lax.fori_loop(1, lags + 1, add, scores.T @ scores)
