"""A weighted sample, and what starts are made from: moments, quantiles, L-moments, a few rows that stand for all."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxmle.terms.rows import counted_column

_FEW = 256  # quantiles that stand for a longer sample where a start is searched for


class Sample(NamedTuple):
    """Observations in rising order, and weights that sum to one."""

    y: Float[Array, " n"]
    weights: Float[Array, " n"]

    @classmethod
    def of(cls, y, weights=None) -> "Sample":
        """The sample ``y`` with case weights."""
        y = counted_column(y, weights)
        order = jnp.argsort(y)
        shares = jnp.ones_like(y) if weights is None else weights[order].astype(y.dtype)
        return cls(y[order], shares / jnp.sum(shares))

    def average(self, values):
        """The weighted mean of ``values``, one for each observation; those of weight zero do not count."""
        return jnp.sum(jnp.where(self.weights == 0, 0.0, self.weights * values))

    @property
    def mean(self):
        """The mean, about the median so that no digits are lost to the level."""
        level = self.y[self.y.size // 2]
        return level + self.average(self.y - level)

    @property
    def deviation(self):
        """The standard deviation, dividing by n; tiny where it is zero."""
        size = jnp.max(jnp.abs(self.y - self.mean))
        safe = jnp.where(size > 0, size, 1.0)
        root = safe * jnp.sqrt(self.average(((self.y - self.mean) / safe) ** 2))
        return jnp.where(root > 0, root, jnp.finfo(self.y.dtype).eps * jnp.maximum(jnp.abs(self.mean), 1e-9))

    @property
    def skewness(self):
        """The third standardised moment."""
        return self.average(((self.y - self.mean) / self.deviation) ** 3)

    @property
    def lowest(self):
        """The smallest observation that has weight."""
        return jnp.min(jnp.where(self.weights > 0, self.y, jnp.inf))

    @property
    def highest(self):
        """The largest observation that has weight."""
        return jnp.max(jnp.where(self.weights > 0, self.y, -jnp.inf))

    @property
    def median(self):
        """The middle of the observations with half the weight on either side."""
        below = jnp.cumsum(self.weights)
        half = 0.5 * below[-1]
        slack = 8 * jnp.finfo(self.y.dtype).eps
        low = jnp.argmax(below >= half - slack)
        high = jnp.argmax(below > half + slack)
        return 0.5 * self.y[low] + 0.5 * self.y[high]

    def quantile(self, q):
        """Quantiles of order ``q``, between the middles of the weights."""
        return jnp.interp(q, jnp.cumsum(self.weights) - 0.5 * self.weights, self.y)

    def few(self) -> "Sample":
        """A few rows that stand for all: all of a short sample, quantiles of a long one."""
        if self.y.size <= _FEW:
            return self
        order = (jnp.arange(_FEW, dtype=self.y.dtype) + 0.5) / _FEW
        return Sample(self.quantile(order), jnp.full(_FEW, 1.0 / _FEW, self.y.dtype))

    def map(self, function) -> "Sample":
        """The sample of a rising function of the observations."""
        return Sample(function(self.y), self.weights)

    def l_moments(self):
        """The second L-moment, and the L-skewness (Hosking 1990): what expected gaps between a few draws tell."""
        middles = jnp.cumsum(self.weights) - 0.5 * self.weights
        level = self.mean
        first = self.average(middles * (self.y - level))
        second = self.average(middles**2 * (self.y - level))
        scale = 2 * first
        return scale, (6 * second - 6 * first) / scale


def best_of(log_density, sample: Sample, candidates: tuple) -> tuple:
    """That of the ``candidates`` (a tuple of parameters, each an array of as many) with the highest log-likelihood."""

    def value(*parameters):
        return sample.average(jax.vmap(lambda y: log_density(y, *parameters))(sample.y))

    values = jax.vmap(value)(*candidates)
    best = jnp.argmax(jnp.where(jnp.isnan(values), -jnp.inf, values))
    return tuple(candidate[best] for candidate in candidates)


def every_pair(first, second) -> tuple:
    """All pairs of two lists of numbers, as two arrays."""
    one, two = jnp.meshgrid(first, second)
    return one.ravel(), two.ravel()
