"""Mixtures of densities."""

import dataclasses
from functools import reduce
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxmle.densities import _derived
from jaxmle.densities._derived import Derived, log_density_of, log_sum
from jaxmle.densities._inputs import common, floats


@dataclasses.dataclass(frozen=True)
class Mixture(Derived):
    """The density of one of several populations. Made by :func:`mixture`."""

    components: tuple[Any, ...]
    NEEDS: ClassVar = {
        "logcdf": ("logcdf",),
        "logsf": ("logsf",),
        "mean": ("mean",),
        "variance": ("mean", "variance"),
        "sample": ("sample",),
    }

    @property
    def bases(self):
        return self.components

    @property
    def parameters(self):
        each = [_derived.parameters_of(base) for base in self.components]
        return ("logits", *(f"{name}_{k}" for k, names in enumerate(each) for name in names))

    @property
    def SUPPORT(self) -> str:
        """What y must be, in words."""
        return ", or ".join(dict.fromkeys(base.SUPPORT for base in self.components))

    def _split(self, parameters):
        """Those of each component."""
        if len(parameters) + 1 != len(self.parameters):
            raise TypeError(
                f"{self.__name__} takes {len(self.parameters)} parameters, {', '.join(self.parameters)}, and was given "
                f"{len(parameters) + 1}: the logits, one fewer than components, are one array"
            )
        parameters = iter(parameters)
        return [[next(parameters) for _ in _derived.parameters_of(base)] for base in self.components]

    def support(self, y, logits, *parameters):
        """Can a component produce y?"""
        y, _, *parameters = floats(y, logits, *parameters)
        each = [base.support(y, *own) for base, own in zip(self.components, self._split(parameters), strict=True)]
        return reduce(jnp.logical_or, each)

    def log_density(self, y, logits, *parameters):
        """The log of the weighted sum of the densities of the components."""
        return self._weighted(log_density_of, y, logits, *parameters)

    def _logcdf(self, y, logits, *parameters):
        return self._weighted(lambda base: base.logcdf, y, logits, *parameters)

    def _logsf(self, y, logits, *parameters):
        return self._weighted(lambda base: base.logsf, y, logits, *parameters)

    def _weighted(self, function, y, logits, *parameters):
        y, logits, *parameters = floats(y, logits, *parameters)
        own = zip(self.components, self._split(parameters), _log_weights(logits), strict=True)
        return reduce(log_sum, [log_weight + function(base)(y, *mine) for base, mine, log_weight in own])

    def _each(self, function, logits, parameters):
        own = zip(self.components, self._split(common(*parameters)), strict=True)
        weights = [jnp.exp(log_weight) for log_weight in _log_weights(*common(logits))]
        return weights, [getattr(base, function)(*mine) for base, mine in own]

    def _mean(self, logits, *parameters):
        weights, means = self._each("mean", logits, parameters)
        return sum(w * m for w, m in zip(weights, means, strict=True))

    def _variance(self, logits, *parameters):
        weights, means = self._each("mean", logits, parameters)
        _, variances = self._each("variance", logits, parameters)
        mean = self._mean(logits, *parameters)
        return sum(w * (v + (m - mean) ** 2) for w, m, v in zip(weights, means, variances, strict=True))

    def _sample(self, key, logits, *parameters, shape=None):
        choice_key, *keys = jax.random.split(key, len(self.components) + 1)
        own = zip(keys, self.components, self._split(parameters), strict=True)
        draws = [base.sample(key, *mine, shape=shape) for key, base, mine in own]
        log_weights = jnp.stack(_log_weights(*common(logits)), axis=-1)
        chosen = jax.random.categorical(choice_key, log_weights, shape=draws[0].shape)
        return reduce(lambda drawn, k: jnp.where(chosen == k, draws[k], drawn), range(1, len(draws)), draws[0])


def _log_weights(logits):
    """The log of the weight of each component, those of all but the first being relative to it."""
    whole = jnp.concatenate([jnp.zeros_like(logits[..., :1]), logits], axis=-1)
    log_weights = jax.nn.log_softmax(whole, axis=-1)
    return [log_weights[..., k] for k in range(whole.shape[-1])]


def mixture(*components) -> Mixture:
    """The density of what comes from one of several populations, which is not seen.

    Formula: `log sum_k w_k f_k(y)` with `w = softmax(0, logits)`: logits are the log-odds of the second and
    further components against the first, an array of one number fewer than there are components.

    Args:
        components: two or more densities, all continuous or all discrete.

    Returns:
        A density: `logpdf(y, logits, *parameters_of_first, *parameters_of_second, ...)` (`logpmf` where they are
        discrete), and `logcdf`, `logsf`, `mean`, `variance` and `sample` where all components have them. Its
        likelihood has several maxima (`jm.fit_best`), one for each order of alike components; with normal
        components it has no largest value, since a scale can go to zero on one observation.

    Raises:
        TypeError: fewer than two components, or some discrete and some continuous.

    Example:
        >>> import jax.numpy as jnp
        >>> import jaxmle.densities as densities
        >>> two = mixture(densities.normal, densities.normal)
        >>> round(float(two.logpdf(1.0, jnp.array([0.0]), 0.0, 1.0, 3.0, 1.0)), 4)
        -1.9107

    Source: McLachlan and Peel (2000), Finite mixture models, equation 1.1.
    """
    for base in components:
        _derived.check(base)
    if len(components) < 2:
        raise TypeError(f"a mixture is of two or more densities, not of {len(components)}")
    if len({_derived.is_discrete(base) for base in components}) > 1:
        raise TypeError("a mixture of a discrete and a continuous density has no density: use hurdle or zero_inflated")
    return Mixture(components)
