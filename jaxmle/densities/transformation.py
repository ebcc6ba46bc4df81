"""The density of a function of a random variable."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxmle.densities import _derived
from jaxmle.densities._derived import Derived
from jaxmle.densities._inputs import floats, inside


@dataclasses.dataclass(frozen=True)
class Transformed(Derived):
    """The density of y where a function of y has the base's. Made by :func:`transformed`."""

    base: Any
    to_base: Callable
    from_base: Callable | None = None
    NEEDS: ClassVar = {"logcdf": ("logcdf", "logsf"), "logsf": ("logcdf", "logsf"), "sample": ("sample",)}

    @property
    def bases(self):
        return (self.base,)

    @property
    def parameters(self):
        return _derived.parameters_of(self.base)

    @property
    def SUPPORT(self) -> str:
        """What y must be, in words."""
        return f"what the function takes to {self.base.SUPPORT}"

    def support(self, y, *parameters):
        """Can the base produce the function of y?"""
        y, *parameters = floats(y, *parameters)
        return self.base.support(self.to_base(y), *parameters)

    def _at(self, y, *parameters):
        """Whether y is possible, its image and the slope there; a possible one where it is not."""
        y, *parameters = floats(y, *parameters)
        constant = jax.lax.stop_gradient(y)
        x, slope = jax.jvp(self.to_base, (constant,), (jnp.ones_like(y),))
        ok = jnp.isfinite(x) & self.base.support(x, *parameters) & (slope != 0)
        # An impossible y is not differentiated, for its image may be infinite; the compiler sees that this is the same.
        x, slope = jax.jvp(self.to_base, (jnp.where(ok, y, constant),), (jnp.ones_like(y),))
        return y, parameters, ok, jnp.where(ok, x, 0.5), jnp.where(ok, slope, 1.0)

    def log_density(self, y, *parameters):
        """The log-density of the base at the function of y, and the log of the size of the function's slope."""
        y, parameters, ok, x, slope = self._at(y, *parameters)
        return inside(ok, y, self.base.logpdf(x, *parameters) + jnp.log(jnp.abs(slope)))

    def _logcdf(self, y, *parameters):
        y, parameters, ok, x, slope = self._at(y, *parameters)
        value = jnp.where(slope > 0, self.base.logcdf(x, *parameters), self.base.logsf(x, *parameters))
        return jnp.where(ok, value, jnp.nan)

    def _logsf(self, y, *parameters):
        y, parameters, ok, x, slope = self._at(y, *parameters)
        value = jnp.where(slope > 0, self.base.logsf(x, *parameters), self.base.logcdf(x, *parameters))
        return jnp.where(ok, value, jnp.nan)

    def _sample(self, key, *parameters, shape=None):
        if self.from_base is None:
            raise TypeError("to sample, transformed needs the way back: transformed(base, to_base, from_base)")
        return self.from_base(self.base.sample(key, *parameters, shape=shape))


def transformed(base, to_base: Callable, from_base: Callable | None = None) -> Transformed:
    """The density of y, where `to_base(y)` has the density of the base.

    Formula: `log f(g(y)) + log |g'(y)|` with `g = to_base`, whose derivative is automatic.

    Args:
        base: a continuous density of single numbers.
        to_base: a function of one number, rising or falling throughout, written with `jax.numpy`; a named
            function and not a fresh lambda at every call, which would compile anew.
        from_base: its inverse, needed by `sample` only.

    Returns:
        A density: `logpdf(y, *parameters_of_base)`, `logcdf` and `logsf` where the base has both (NaN where
        `to_base` is not defined), and `sample`.

    Raises:
        TypeError: the base is no density, or discrete.

    Example:
        >>> import jax.numpy as jnp
        >>> import jaxmle.densities as densities
        >>> lognormal = transformed(densities.normal, jnp.log, jnp.exp)
        >>> round(float(lognormal.logpdf(2.0, 0.0, 1.0)), 4)
        -1.8523

    Source: Casella and Berger (2002), Statistical inference, theorem 2.1.5.
    """
    _derived.check(base)
    if _derived.is_discrete(base):
        raise TypeError(f"{_derived.name_of(base)} is discrete: transform y itself, there is no Jacobian")
    return Transformed(base, to_base, from_base)
