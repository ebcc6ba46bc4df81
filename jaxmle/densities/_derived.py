"""What the densities that are made from densities share."""

import dataclasses
import inspect
from math import log
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxmle.core.special import log1mexp

Real = Float[Array, "..."]


@dataclasses.dataclass(frozen=True)
class Derived:
    """A density made from densities: it has what can be had from theirs, under the same names.

    Two of them made alike are equal, so that making one anew compiles nothing. It has a function `f` where it defines
    `_f` and each of its bases has what `NEEDS` says that `f` takes.
    """

    NEEDS: ClassVar[dict[str, tuple[str, ...]]] = {}

    @property
    def bases(self) -> tuple[Any, ...]:
        """The densities that it is made from."""
        raise NotImplementedError

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its parameters, in order."""
        raise NotImplementedError

    @property
    def discrete(self) -> bool:
        """Whether its log-density is a log-probability."""
        return all(is_discrete(base) for base in self.bases)

    def log_density(self, y, *parameters):
        """The log-density, or the log-probability where it is discrete."""
        raise NotImplementedError

    def __call__(self, y, *parameters):
        return self.log_density(y, *parameters)

    def __getattr__(self, name: str):
        if name.startswith("_") or name not in {"logpdf", "logpmf", *self.NEEDS}:
            raise AttributeError(name)
        if name in ("logpdf", "logpmf"):
            if (name == "logpmf") == self.discrete:
                return self.log_density
            raise AttributeError(f"it is {'discrete' if self.discrete else 'continuous'}: it has no {name}")
        missing = [name_of(base) for base in self.bases if not all(hasattr(base, f) for f in self.NEEDS[name])]
        if missing:
            raise AttributeError(f"no {name}, for want of {' and '.join(self.NEEDS[name])} of {', '.join(missing)}")
        return getattr(self, f"_{name}")

    def __post_init__(self):
        name = type(self).__name__
        object.__setattr__(self, "__name__", f"{name}({', '.join(map(name_of, self.bases))})")


def name_of(density) -> str:
    """The name of a density, without its path."""
    return getattr(density, "__name__", type(density).__name__).rsplit(".", 1)[-1]


def is_discrete(density) -> bool:
    """Whether the density is of counts or labels."""
    return hasattr(density, "logpmf")


def log_density_of(density):
    """The log-density function of a density."""
    return density.logpmf if is_discrete(density) else density.logpdf


def parameters_of(density) -> tuple[str, ...]:
    """The names of the parameters of a density, in order."""
    if isinstance(density, Derived):
        return density.parameters
    return tuple(inspect.signature(log_density_of(density)).parameters)[1:]


def check(density, *needed: str) -> None:
    """Raise where it is no density, or lacks a function that is needed."""
    if not any(hasattr(density, name) for name in ("logpdf", "logpmf")):
        raise TypeError(
            f"a density is made from a density such as jm.densities.normal, not from {name_of(density)}: a bare "
            "log-density has no distribution function; put both into a namespace with logpdf, support and SUPPORT"
        )
    for name in needed:
        if not hasattr(density, name):
            raise TypeError(
                f"{name_of(density)} has no {name}, which is needed here: use a density that has it, or write the "
                "log-density by hand"
            )


def log_interval(density, lower: Real, upper: Real, *parameters: Real) -> Real:
    """log P(lower <= Y <= upper), either of which may be infinite, by the tail that the interval lies in.

    `log(F(u) - F(l)) = log F(u) + log(1 - F(l)/F(u))` in the lower half, the same of the survival function in the
    upper half.
    """
    if is_discrete(density):
        lower = jnp.ceil(lower) - 1
    from_below, to_above = lower == -jnp.inf, upper == jnp.inf
    low = jnp.where(from_below, jnp.where(to_above, 0.0, upper), lower)
    high = jnp.where(to_above, low, upper)
    logs = jax.vmap(lambda y: (density.logcdf(y, *parameters), density.logsf(y, *parameters)))
    (at_low, at_high), (over_low, over_high) = logs(jnp.stack(jnp.broadcast_arrays(low, high)))
    upper_half = at_low > -log(2)
    whole, part = jnp.where(upper_half, over_low, at_high), jnp.where(upper_half, over_high, at_low)
    some = whole > part
    gap = jnp.where(some, whole, 1.0) - jnp.where(some, part, 0.0)
    between = jnp.where(some, whole + log1mexp(jnp.where(some, gap, 1.0)), -jnp.inf)
    between = jnp.where(jnp.isnan(whole + part), jnp.nan, between)
    return jnp.where(to_above, jnp.where(from_below, 0.0, over_low), jnp.where(from_below, at_high, between))


def log_sum(first: Real, second: Real) -> Real:
    """log(exp(first) + exp(second)), either of which may be minus infinity, with derivatives that are numbers."""
    high, low = jnp.maximum(first, second), jnp.minimum(first, second)
    both = low > -jnp.inf
    gap = jnp.where(both, low, 0.0) - jnp.where(both, high, 0.0)
    return jnp.where(both, high + jnp.log1p(jnp.exp(gap)), high)
