"""Long sums whose rounding errors are kept and added at the end."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp


class Sum(eqx.Module):
    """A sum of trees, piece by piece, and apart from it what was lost to rounding.

    >>> total = Sum.of(jnp.float32(1e8))
    >>> for _ in range(4):
    ...     total = total.plus(jnp.float32(1.0))
    >>> float(total.value)
    100000000.0
    >>> float(total.lost)
    4.0

    Source: Ogita, Rump and Oishi (2005), "Accurate sum and dot product", algorithms 3.1 and 4.1.
    """

    total: Any
    lost: Any

    @classmethod
    def of(cls, first: Any) -> "Sum":
        """The sum that begins with ``first``."""
        return cls(first, jax.tree.map(jnp.zeros_like, first))

    def plus(self, piece: Any) -> "Sum":
        """The sum with one more ``piece``."""
        lost = jax.tree.map(lambda lost, a, b: lost + _error(a, b), self.lost, self.total, piece)
        return Sum(jax.tree.map(jnp.add, self.total, piece), lost)

    @property
    def value(self) -> Any:
        """What it comes to."""
        return jax.tree.map(jnp.add, self.total, self.lost)


def _error(a, b):
    """The rounding error of ``a + b``; zero where it is not finite."""
    total = a + b
    back = total - a
    error = (a - (total - back)) + (b - back)
    return jnp.where(jnp.isfinite(error), error, jnp.zeros_like(error))
