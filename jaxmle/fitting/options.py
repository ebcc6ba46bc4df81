"""The options of a training run, checked at the door."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxmle.fitting.checkpoint import Checkpoint
from jaxmle.fitting.minibatch import Cut
from jaxmle.terms.objective import Term, as_objective
from jaxmle.terms.problem import Problem


@dataclasses.dataclass(frozen=True)
class Options:
    """What :func:`jaxmle.train` was asked for besides the objective, the start, the optimiser and the key."""

    batch_size: int | None
    epochs: int
    accumulate: int
    batches: Iterable | Callable[[int], Iterable] | None
    nobs: int | None
    held_out: Term | Problem | None
    patience: int | None
    average: bool | int
    state: Any
    progress: bool
    checkpoint: Any
    checkpoint_every: int | None
    resume: bool

    def __post_init__(self):
        for name in ("batch_size", "epochs", "accumulate", "nobs", "patience", "checkpoint_every"):
            number = getattr(self, name)
            if number is not None and not (_is_whole(number) and number >= 1):
                raise ValueError(f"{name} must be a whole number, one or more; it is {number!r}")
        if self.patience is not None and self.held_out is None:
            raise ValueError(
                "patience counts epochs without a better log-likelihood of held-out data, and there are none: give "
                "held_out, a term on data kept apart"
            )
        if self.checkpoint is None and (self.resume or self.checkpoint_every is not None):
            raise ValueError("resume and checkpoint_every are about a file: give its path as checkpoint")
        if (self.batches is None) != (self.nobs is None):
            raise ValueError(
                "batches and nobs go together: rows that come from the host cannot be counted beforehand, and the "
                "weight of the prior depends on their number; rows that the objective holds are counted"
            )
        if self.batches is not None and self.batch_size is None:
            raise ValueError("with batches say the batch_size too: they are cut to it, so that one program serves all")
        if not isinstance(self.average, bool) and not (_is_whole(self.average) and 0 <= self.average < self.epochs):
            raise ValueError(
                f"average is True, or the epoch from which iterates are averaged, 0 to {self.epochs - 1}; it is "
                f"{self.average!r}"
            )

    def rows(self, cut: Cut) -> int:
        """How many rows an epoch has; zero where no term has any."""
        return cut.count if self.nobs is None else self.nobs

    def size(self, rows: int) -> int:
        """How many rows a batch has. Raises ``ValueError`` where there are not as many."""
        size = max(rows, 1) if self.batch_size is None else self.batch_size
        if size > max(rows, 1):
            raise ValueError(
                f"batch_size is {size}, and there are {rows} rows to take it from; leave it out to take all at once"
                + (" (terms with rows=False are never cut)" if not rows else "")
            )
        if (self.accumulate - 1) * size >= max(rows, 1):
            raise ValueError(
                f"accumulate={self.accumulate} batches of {size} rows are more than the {rows} rows there are"
            )
        return size

    def held_out_term(self) -> Term | None:
        """The term on data kept apart, if any. Raises ``TypeError`` for what is no term, ``ValueError`` for a prior."""
        given = self.held_out.objective if isinstance(self.held_out, Problem) else self.held_out
        if isinstance(given, Term) and not any(term.is_likelihood for term in as_objective(given).terms):
            raise ValueError(
                "held_out holds no data, so it cannot say which epoch was best: give a likelihood on data kept apart, "
                "such as jm.likelihood(function, data)"
            )
        if given is None or isinstance(given, Term):
            return given
        raise TypeError(
            "held_out is a term on data kept apart, such as jm.likelihood(function, data), not a "
            f"{type(given).__name__}"
        )

    def kept(self, identity: dict[str, Any]) -> Checkpoint | None:
        """The file that the run is kept in, if any; ``identity`` is what tells it from other runs."""
        if self.checkpoint is None:
            return None
        arrays = {name: np.asarray(number) for name, number in identity.items()}
        return Checkpoint(pathlib.Path(self.checkpoint), self.checkpoint_every, arrays)


def _is_whole(number) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


class Made(eqx.Module):
    """An optax optimiser as it is: structure, so that another one is another program."""

    made: Any = eqx.field(static=True)

    def transformation(self):
        """The optax transformation itself."""
        return self.made


def as_optimiser(optimiser):
    """An optimiser that makes its transformation inside the trace. Raises ``TypeError`` for what is none."""
    if isinstance(optimiser, optax.GradientTransformation):
        return Made(optimiser)
    if hasattr(optimiser, "transformation"):
        return optimiser
    if isinstance(optimiser, optax.MultiSteps):
        raise TypeError(
            "jm.train accumulates gradients itself: give the optimiser inside optax.MultiSteps, and accumulate="
        )
    raise TypeError(
        f"jm.train takes an optax optimiser, such as optax.adam(1e-3), not {optimiser!r}; solvers that see the whole "
        "objective go to jm.fit"
    )


def as_key(key):
    """A random key of the typed kind. Raises ``TypeError`` for what is none."""
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == ():
        return key
    if isinstance(key, jax.Array) and key.dtype == jnp.uint32 and key.ndim == 1:
        return jax.random.wrap_key_data(key)
    raise TypeError(f"key must be one random key, such as jax.random.key(0), not {key!r}")
