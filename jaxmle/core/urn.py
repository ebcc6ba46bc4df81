"""Pólya's urn: the probability of counts whose category probabilities are beta or Dirichlet, in Loader's form."""

import jax
import jax.numpy as jnp

from jaxmle.core.elementary import ln, ln1p
from jaxmle.core.special import Real, binet, expm1mx, log_factorial_excess


def urn(y: Real, a: Real, n: Real, total: Real) -> Real:
    """What one category adds to the log-probability of a Dirichlet-multinomial count, whose rest is `urn_total`.

    Args:
        y: how often the category came, a whole number.
        a: its parameter, positive.
        n: the sum of the y of all categories.
        total: the sum of the a of all categories.
    """
    stirling = binet(a + y) - binet(a) - 0.5 * ln1p(y / a) - log_factorial_excess(y)
    # At y = 0 it is nothing, and so are its derivatives, which would drown those of the rest in their rounding.
    return jnp.where(y > 0, stirling, 0.0) - _deviance(y, a, n, total)


def urn_total(n: Real, total: Real) -> Real:
    """What does not depend on the category; see `urn`."""
    return binet(total) - binet(total + n) + 0.5 * ln1p(n / total) + log_factorial_excess(n)


@jax.custom_jvp
def _deviance(y: Real, a: Real, n: Real, total: Real) -> Real:
    """Half the deviances of y and a from their expectations, as two cells of a table with margins y + a, n and total.

    The sum over all categories does not change, to any order, with the margins, so a is differentiated alone.
    """
    size, share = n + total, n / (n + total)
    miss = a * share - y * (total / size)
    some = jnp.where(y > 0, y, 1.0)
    of_y = some * _shortfall(miss / some, (some + a) / some * share)
    return jnp.where(y > 0, of_y, a * share) + a * _shortfall(-miss / a, (y + a) / a * (total / size))


@_deviance.defjvp
def _(primals, tangents):
    y, a, n, total = primals
    return _deviance(*primals), (ln1p(n / total) - ln1p(y / a)) * tangents[1]


def _shortfall(q: Real, ratio: Real) -> Real:
    """q - log(1 + q), where 1 + q is also given, as `ratio`, with its own digits."""
    low = q < -0.5
    return expm1mx(jnp.where(low, ln(jnp.where(low, ratio, 1.0)), ln1p(jnp.where(low, 0.0, q))))
