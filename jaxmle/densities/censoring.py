"""A density of which only an interval is known."""

import dataclasses
from typing import Any, ClassVar

import jax.numpy as jnp

from jaxmle.densities import _derived
from jaxmle.densities._derived import Derived, is_discrete, log_density_of, log_interval
from jaxmle.densities._inputs import floats, inside

_SIDES = {
    None: "the lower end of an interval, below its upper end",
    "right": "the lower end of an interval up to infinity (side='right'; without it, of any)",
    "left": "minus infinity, where only the upper end is known (side='left'; without it, any lower end)",
}


@dataclasses.dataclass(frozen=True)
class Censored(Derived):
    """The density of an observation known to an interval. Made by :func:`censored`."""

    base: Any
    side: str | None = None
    NEEDS: ClassVar = {"mean": ("mean",), "variance": ("variance",), "quantile": ("quantile",)}

    @property
    def SUPPORT(self) -> str:
        """What an observation must be."""
        base = getattr(self.base, "SUPPORT", "what the density can produce")
        return f"{base}, where it is equal to its upper end, or {_SIDES[self.side]}"

    @property
    def bases(self):
        return (self.base,)

    @property
    def parameters(self):
        return (*_derived.parameters_of(self.base), "upper")

    def support(self, y, *parameters):
        """Is y below upper, and the end infinite that lies to the ``side``, or equal to upper and something that the
        base can produce?"""
        y, *base, upper = floats(y, *parameters)
        return self._is_interval(y, upper) | ((y == upper) & self.base.support(y, *base))

    def _is_interval(self, y, upper):
        """Is an interval known, open to the ``side``?"""
        ends = {None: True, "right": upper == jnp.inf, "left": y == -jnp.inf}
        return (y < upper) & ends[self.side]

    def log_density(self, y, *parameters):
        """The log-density of the base where y is upper, the log-probability of the interval where it is below."""
        if len(parameters) != len(self.parameters):
            raise TypeError(
                f"{self.__name__} takes {', '.join(self.parameters)} after the response, and was given "
                f"{len(parameters)} of them: the upper end of what is known comes last, from the row, as in "
                "lambda params, row: (..., row['upper'])"
            )
        y, *base, upper = floats(y, *parameters)
        exact, interval = y == upper, self._is_interval(y, upper)
        density = log_density_of(self.base)(jnp.where(exact, y, 0.0), *base)
        ends = jnp.where(interval, y, -jnp.inf), jnp.where(interval, upper, jnp.inf)
        value = jnp.where(exact, density, self._log_probability(*ends, *base))
        return jnp.where(jnp.isnan(upper), jnp.nan, inside(exact | interval, y, value))

    def _log_probability(self, lower, upper, *base):
        """Log of P(lower <= Y <= upper), of which the side says which end counts."""
        if self.side is None:
            return log_interval(self.base, lower, upper, *base)
        end = upper if self.side == "left" else lower
        known = jnp.isfinite(end)
        end = jnp.where(known, end, 0.0)
        if self.side == "left":
            value = self.base.logcdf(end, *base)
        else:
            value = self.base.logsf(jnp.ceil(end) - 1 if is_discrete(self.base) else end, *base)
        return jnp.where(known, value, 0.0)

    def _mean(self, *parameters):
        """The mean of what would be observed without censoring."""
        return self.base.mean(*parameters[:-1])

    def _variance(self, *parameters):
        """The variance of what would be observed without censoring."""
        return self.base.variance(*parameters[:-1])

    def _quantile(self, probability, *parameters):
        """The quantile of what would be observed without censoring."""
        return self.base.quantile(probability, *parameters[:-1])


def censored(base, side: str | None = None) -> Censored:
    """The density of observations some of which are known to an interval only.

    Formula: `log f(y)` where `upper = y`, and else `log P(y <= Y <= upper)`. So y and upper are the ends of what
    is known: a right-censored time is `upper = inf`, a left-censored one `y = -inf`, and a count or a time in an
    interval has both ends.

    Args:
        base: a density with `logcdf` and `logsf`.
        side: "right" where every upper end is y or infinity, "left" where every y is upper or minus infinity. It
            needs one of `logsf` and `logcdf` only, and takes a part of the time; by default all may occur.

    Returns:
        A density: `logpdf(y, *parameters_of_base, upper)`, `logpmf` where the base is discrete. In a regression
        the predictor passes `upper` on from the row: `lambda params, row: (..., row["upper"])`. Its mean, variance
        and quantiles, where the base has them, are those of the base: of what would be observed without censoring.

    Raises:
        TypeError: the base is no density, or lacks the function needed.
        ValueError: an unknown side.

    Example:
        >>> import jaxmle.densities as densities
        >>> waiting = censored(densities.exponential)
        >>> float(waiting.logpdf(3.0, 2.0, float("inf")))
        -1.5
        >>> float(censored(densities.exponential, "right").logpdf(3.0, 2.0, float("inf")))
        -1.5

    Source: Kalbfleisch and Prentice (2002), The statistical analysis of failure time data, section 3.2.
    """
    if side not in _SIDES:
        raise ValueError(f"side must be 'right', 'left' or None (of either, or an interval), not {side!r}")
    needed = {None: ("logcdf", "logsf"), "right": ("logsf",), "left": ("logcdf",)}
    _derived.check(base, *needed[side])
    return Censored(base, side)
