"""A density confined to an interval."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxmle.densities import _derived
from jaxmle.densities._derived import Derived, log_density_of, log_interval
from jaxmle.densities._inputs import floats, inside, spread


@dataclasses.dataclass(frozen=True)
class Truncated(Derived):
    """The density of Y given that it is in an interval. Made by :func:`truncated`."""

    base: Any
    NEEDS: ClassVar = {"logcdf": (), "logsf": (), "sample": ("quantile",)}

    @property
    def bases(self):
        return (self.base,)

    @property
    def parameters(self):
        return (*_derived.parameters_of(self.base), "lower", "upper")

    @property
    def SUPPORT(self) -> str:
        """What y must be, in words."""
        return f"{self.base.SUPPORT}, between lower and upper"

    def support(self, y, *parameters):
        """Can the base produce y, and is it between the bounds?"""
        y, *base, lower, upper = floats(y, *parameters)
        return self.base.support(y, *base) & (y >= lower) & (y <= upper)

    def log_density(self, y, *parameters):
        """The log-density of the base less the log of its probability between the bounds."""
        y, *base, lower, upper = floats(y, *parameters)
        value = log_density_of(self.base)(y, *base) - log_interval(self.base, lower, upper, *base)
        return inside((y >= lower) & (y <= upper), y, value)

    def _logcdf(self, y, *parameters):
        y, *base, lower, upper = floats(y, *parameters)
        value = log_interval(self.base, lower, jnp.clip(y, lower, upper), *base)
        return inside(y >= lower, y, value - log_interval(self.base, lower, upper, *base))

    def _logsf(self, y, *parameters):
        y, *base, lower, upper = floats(y, *parameters)
        above = jnp.floor(y) + 1 if self.discrete else y
        value = log_interval(self.base, jnp.clip(above, lower, upper), upper, *base)
        value = jnp.where(above > upper, -jnp.inf, value) - log_interval(self.base, lower, upper, *base)
        return jnp.where(y < lower, 0.0, inside(y < upper, y, value))

    def _sample(self, key, *parameters, shape=None):
        *base, lower, upper = spread(shape, *parameters)
        before = jnp.ceil(lower) - 1 if self.discrete else lower
        start = jnp.where(lower == -jnp.inf, 0.0, jnp.exp(self.base.logcdf(before, *base)))
        mass = jnp.exp(log_interval(self.base, lower, upper, *base))
        u = jax.random.uniform(key, mass.shape, mass.dtype)
        return jnp.clip(self.base.quantile(start + u * mass, *base), lower, upper)


def truncated(base) -> Truncated:
    """The density of what is only seen between two bounds.

    Formula: `log f(y) - log P(lower <= Y <= upper)` between the bounds, both included. The two are further
    parameters, after those of the base; they are known numbers, and may be infinite. Unlike a censored
    observation, one outside the bounds leaves no trace.

    Args:
        base: a density with `logcdf` and `logsf`.

    Returns:
        A density: `logpdf(y, *parameters_of_base, lower, upper)` (`logpmf` where the base is discrete),
        `logcdf`, `logsf`, and `sample` where the base has a `quantile`; its quantiles far in the upper tail, and
        so the draws there, have lost digits. For the normal see `truncated_normal`, which keeps them.

    Raises:
        TypeError: the base is no density, or has no distribution function.

    Example:
        >>> import jaxmle.densities as densities
        >>> positive = truncated(densities.poisson)
        >>> round(float(positive.logpmf(1, 0.0, 1.0, float("inf"))), 4)
        -0.5413

    Source: Cohen (1991), Truncated and censored samples, section 1.2.
    """
    _derived.check(base, "logcdf", "logsf")
    return Truncated(base)
