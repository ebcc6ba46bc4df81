"""Whether an estimate is at a maximum whose parameters can be counted, as tests and criteria need it to be."""

import jax.numpy as jnp
import numpy as np

from jaxmle.core import status as codes
from jaxmle.core.evaluation import Evaluation
from jaxmle.inference.covariances.covariance import covariance_of

SHORT = 0.01  # log-likelihood: a statistic, and an AIC, is then right to 0.02


def newton_decrement(observed: Evaluation):
    """The root of twice what a Newton step would still bring, by the ``observed`` curvature; NaN where there is no such
    step. No other information will do: the outer product of the gradient is largest where the gradient is."""
    return jnp.sqrt(observed.gradient @ covariance_of(observed.curvature).matrix @ observed.gradient)


def is_top(status, decrement):
    """Whether a fit is at a maximum whose parameters can be counted: ok, not flat, and where no solver vouches for it,
    as of optax after some steps, at most ``SHORT`` below it by its Newton ``decrement``."""
    left = 0.5 * decrement**2
    return codes.is_ok(status) & (status != codes.FLAT) & (codes.is_maximum(status) | (left < SHORT))


def why_not_top(status, decrement) -> str:
    """What to say of one fit that is not."""
    status = int(status)
    if not codes.is_ok(status) or status == codes.FLAT:
        return codes.sentence(status)
    how = f"{what_is_missing(decrement)}; go on from there, by jm.polish or jm.fit"
    return f"{codes.sentence(status)}, and is not at its maximum: {how}"


def what_is_missing(decrement) -> str:
    """How far from its maximum a fit is, in words."""
    left = 0.5 * float(decrement) ** 2
    return "its curvature shows no maximum" if np.isnan(left) else f"about {left:.3g} of log-likelihood is missing"
