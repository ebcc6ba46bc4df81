"""Where a log-prior may rise without limit: a scale that is itself a parameter, with the numbers under it."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float


class Spike(eqx.Module):
    """What a prior says, at some params, of a place where its density may be infinite.

    There each of the ``gaps`` is zero and each of the scales too, of which ``log_scales`` are the logs. ``values`` are
    the log-densities of the single numbers, whose sum the prior is, and ``peaks`` what they would be with no gap.
    """

    gaps: Float[Array, " k"]
    log_scales: Float[Array, " k"]
    values: Float[Array, " k"]
    peaks: Float[Array, " k"]

    @property
    def total(self) -> Any:
        """The log-density of them all."""
        return self.values.sum()
