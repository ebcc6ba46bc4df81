"""A training run on disk: everything that what comes after depends on."""

import dataclasses
import os
import pathlib
from typing import Any

import equinox as eqx
import jax
import numpy as np

from jaxmle.core.treefile import kind_of, read_tree, write_tree
from jaxmle.fitting.epoch import Carry

KIND = "checkpoint of a training run"
_BY_FINGERPRINT = {
    "objective": "objective: its data, its weights or the numbers of its priors",
    "space": "space: its marks, their bounds or what is fixed",
    "optimiser": "optimiser, or other settings of it",
    "held_out": "held_out",
}


class Best(eqx.Module):
    """The estimate that was best on held-out data, and how good it was."""

    free: Any
    state: Any
    held_out: Any


class Run(eqx.Module):
    """Where a run stands: after ``epoch`` epochs and ``carry.taken`` steps. The history has one entry an epoch."""

    carry: Carry
    best: Best | None
    epoch: Any
    log_likelihood: Any
    log_prior: Any
    held_out: Any
    steps: Any

    @classmethod
    def new(cls, carry: Carry, held_out: bool) -> "Run":
        """The run that has not begun; with ``held_out`` data its start is the best so far, if a bad one."""
        dtype = carry.log_likelihood.total.dtype
        best = Best(carry.free, carry.state, np.full((), -np.inf, dtype)) if held_out else None
        none = np.zeros(0, dtype)
        return cls(carry, best, np.asarray(0), none, none, none, np.zeros(0, carry.taken.dtype))


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A file that holds a run, replaced as a whole every ``every`` steps (None: every epoch).

    ``identity`` are the numbers that the rest of the run depends on and that the file must agree with, by name; some
    are fingerprints.
    """

    path: pathlib.Path
    every: int | None
    identity: dict[str, Any]

    def refuse_others(self) -> None:
        """Raise ``ValueError`` where the path is that of something else, which the first write would destroy."""
        is_file = os.path.isfile(self.path) and os.path.getsize(self.path) > 0
        if (is_file and kind_of(self.path) != KIND) or os.path.isdir(self.path):
            raise ValueError(
                f"{self.path} is there already and is no {KIND}, or a damaged one, and would be overwritten: give "
                "another path as checkpoint, or remove it"
            )

    def write(self, run: Run) -> None:
        """Put ``run`` into the file, in one stroke."""
        write_tree(self.path, {"identity": self.identity, "run": run}, KIND)

    def read(self, like: Run) -> Run:
        """The run in the file, in the structure of ``like``.

        Raises ``FileNotFoundError`` where there is no file, ``ValueError`` where it is damaged or of another run.
        """
        if not os.path.exists(self.path):
            raise FileNotFoundError(
                f"there is no checkpoint to resume from at {self.path}; check the path, or begin with resume=False"
            )
        found = read_tree(self.path, {"identity": self.identity}, KIND, part="identity")["identity"]
        for name, own in self.identity.items():
            its = np.asarray(found[name])
            if not np.array_equal(its, own):
                which = _BY_FINGERPRINT.get(name) or f"{name} ({_short(its)}, and now {_short(own)})"
                raise ValueError(
                    f"the checkpoint at {self.path} is of a run with another {which}: resume with the same call, or "
                    "begin anew with resume=False"
                )
        return read_tree(self.path, {"identity": self.identity, "run": _of_any_length(like)}, KIND)["run"]


def _of_any_length(run: Run) -> Run:
    """``run`` as a specimen whose history may have any length."""

    def any_length(array):
        return jax.ShapeDtypeStruct((-1,), array.dtype)

    return dataclasses.replace(
        run,
        log_likelihood=any_length(run.log_likelihood),
        log_prior=any_length(run.log_prior),
        held_out=any_length(run.held_out),
        steps=any_length(run.steps),
    )


def _short(value) -> str:
    return np.array2string(value, threshold=4)
