"""Densities with zeros of their own: zero-inflated and hurdle."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxmle.core.special import log1mexp, sigmoid, softplus
from jaxmle.densities import _derived
from jaxmle.densities._derived import Derived, log_density_of, log_sum
from jaxmle.densities._inputs import common, floats, inside


@dataclasses.dataclass(frozen=True)
class ZeroInflated(Derived):
    """Counts among zeros that are no counts. Made by :func:`zero_inflated`."""

    base: Any
    NEEDS: ClassVar = {
        "logcdf": ("logcdf",),
        "logsf": ("logsf",),
        "mean": ("mean",),
        "variance": ("mean", "variance"),
        "sample": ("sample",),
    }

    @property
    def bases(self):
        return (self.base,)

    @property
    def parameters(self):
        return ("logits", *_derived.parameters_of(self.base))

    @property
    def SUPPORT(self) -> str:
        """What y must be, in words."""
        return self.base.SUPPORT

    def support(self, y, logits, *parameters):
        """Is y zero, or can the base produce it?"""
        y, _, *parameters = floats(y, logits, *parameters)
        return (y == 0) | self.base.support(y, *parameters)

    def log_density(self, y, logits, *parameters):
        """`log(pi + (1 - pi) p(0))` at zero, `log((1 - pi) p(y))` elsewhere."""
        return self._among_zeros(self.base.logpmf, lambda y: y == 0, y, logits, *parameters)

    def _logcdf(self, y, logits, *parameters):
        return self._among_zeros(self.base.logcdf, lambda y: y >= 0, y, logits, *parameters)

    def _among_zeros(self, function, has_zero, y, logits, *parameters):
        y, logits, *parameters = floats(y, logits, *parameters)
        value = function(y, *parameters)
        return jnp.where(has_zero(y), log_sum(logits, value), value) - softplus(logits)

    def _logsf(self, y, logits, *parameters):
        y, logits, *parameters = floats(y, logits, *parameters)
        return jnp.where(y < 0, 0.0, self.base.logsf(y, *parameters) - softplus(logits))

    def _mean(self, logits, *parameters):
        logits, *parameters = common(logits, *parameters)
        return sigmoid(-logits) * self.base.mean(*parameters)

    def _variance(self, logits, *parameters):
        logits, *parameters = common(logits, *parameters)
        mean, variance = self.base.mean(*parameters), self.base.variance(*parameters)
        return sigmoid(-logits) * (variance + sigmoid(logits) * mean**2)

    def _sample(self, key, logits, *parameters, shape=None):
        zero_key, key = jax.random.split(key)
        (logits,) = common(logits)
        drawn = self.base.sample(key, *parameters, shape=shape)
        return jnp.where(jax.random.bernoulli(zero_key, sigmoid(logits), drawn.shape), 0, drawn)


@dataclasses.dataclass(frozen=True)
class Hurdle(Derived):
    """Zeros, and beyond the hurdle a density without them. Made by :func:`hurdle`."""

    base: Any
    NEEDS: ClassVar = {"mean": ("mean",)}

    @property
    def bases(self):
        return (self.base,)

    @property
    def parameters(self):
        return ("logits", *_derived.parameters_of(self.base))

    @property
    def SUPPORT(self) -> str:
        """What y must be, in words."""
        return f"0, or {self.base.SUPPORT}"

    def support(self, y, logits, *parameters):
        """Is y zero, or can the base produce it?"""
        y, _, *parameters = floats(y, logits, *parameters)
        return (y == 0) | self.base.support(y, *parameters)

    def log_density(self, y, logits, *parameters):
        """`log pi` at zero, `log((1 - pi) f(y)/(1 - p(0)))` elsewhere."""
        y, logits, *parameters = floats(y, logits, *parameters)
        zero = y == 0
        value = log_density_of(self.base)(jnp.where(zero, 1.0, y), *parameters) - self._log_others(*parameters)
        return inside(zero | self.base.support(y, *parameters), y, jnp.where(zero, logits, value) - softplus(logits))

    def _log_others(self, *parameters):
        """Log of the probability that the base gives to all but zero."""
        if not self.discrete:
            return jnp.zeros_like(parameters[0])
        return log1mexp(-self.base.logpmf(jnp.zeros_like(parameters[0]), *parameters))

    def _mean(self, logits, *parameters):
        logits, *parameters = common(logits, *parameters)
        return sigmoid(-logits) * self.base.mean(*parameters) * jnp.exp(-self._log_others(*parameters))


def zero_inflated(base) -> ZeroInflated:
    """The density of counts some zeros among which are structural, not counted.

    Formula: `log(pi + (1 - pi) p(0))` at y = 0, `log(1 - pi) + log p(y)` elsewhere, with
    `pi = 1/(1 + exp(-logits))`.

    Args:
        base: a discrete density, such as `jm.densities.poisson`.

    Returns:
        A density: `logpmf(y, logits, *parameters_of_base)`, and `logcdf`, `logsf`, `mean`, `variance` and
        `sample` where the base has them.

    Raises:
        TypeError: the base is continuous, where a zero has no density to be added to: use `hurdle`.

    Example:
        >>> import jaxmle.densities as densities
        >>> round(float(zero_inflated(densities.poisson).logpmf(0, 0.0, 1.0)), 4)
        -0.6292

    Source: Lambert (1992), Zero-inflated Poisson regression, section 2.
    """
    _derived.check(base)
    if not _derived.is_discrete(base):
        raise TypeError(f"{_derived.name_of(base)} is continuous: a zero has no probability in it; use hurdle")
    return ZeroInflated(base)


def hurdle(base) -> Hurdle:
    """The density of zeros and, beyond the hurdle, of what is not zero.

    Formula: `log pi` at y = 0, `log(1 - pi) + log f(y) - log(1 - p(0))` elsewhere, with
    `pi = 1/(1 + exp(-logits))`; p(0) is zero where the base is continuous.

    Args:
        base: a discrete density, or a continuous one, as a rule of positive numbers such as `jm.densities.gamma`; one
            of all numbers, such as `jm.densities.normal`, keeps its negative ones, and only y = 0 is the hurdle's.

    Returns:
        A density: `logpmf(y, logits, *parameters_of_base)`, `logpdf` where the base is continuous (its zeros have a
        probability, the rest a density), and `mean` where the base has one. The two parts share no parameter.

    Raises:
        TypeError: the base is no density.

    Example:
        >>> import jaxmle.densities as densities
        >>> round(float(hurdle(densities.poisson).logpmf(2, 0.0, 1.0)), 4)
        -2.0363

    Source: Mullahy (1986), Specification and testing of some modified count data models, section 2.
    """
    _derived.check(base)
    return Hurdle(base)
