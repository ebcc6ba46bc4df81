"""Penalties: priors in the other spelling, by their strength instead of their scale."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxmle.core.tree import as_number
from jaxmle.priors.normal import normal
from jaxmle.terms.prior import LogPrior


def l2(where: str | Callable, strength: Any) -> LogPrior:
    """Ridge, L2, weight decay: ``-strength * sum(x ** 2)``, up to the constant that makes it the normal prior.

    ``l2(where, 1 / (2 s ** 2))`` *is* ``jm.priors.normal(where, scale=s)``, constant included.

    Arguments: ``where``, the leaf it is over or a function of params; ``strength``, positive, a number or an array
    shaped like the leaf, in one over its units squared.

    >>> import jax.numpy as jnp
    >>> params = {"beta": jnp.array([0.0, 2.0])}
    >>> bool(jnp.allclose(l2("beta", 0.125)(params), normal("beta", scale=2.0)(params)))
    True

    Source: Hoerl and Kennard (1970), "Ridge regression", section 6.
    """
    return normal(where, scale=1.0 / jnp.sqrt(2.0 * jnp.asarray(as_number(strength))))
