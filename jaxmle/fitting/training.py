"""The host's side of training: epochs, held-out data, checkpoints and a progress bar around the compiled steps."""

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxmle.core.evaluation import Evaluation
from jaxmle.fitting.checkpoint import Best, Checkpoint, Run
from jaxmle.fitting.epoch import Carry, Task, advance, advance_on, params_of, shuffle
from jaxmle.fitting.explain import explained
from jaxmle.fitting.fingerprint import fingerprint
from jaxmle.fitting.measure import measure, measure_rows, measure_whole
from jaxmle.fitting.minibatch import Cut
from jaxmle.fitting.options import Options
from jaxmle.fitting.stream import Stream
from jaxmle.parameters.space import Space
from jaxmle.terms.objective import Term
from jaxmle.terms.sample import at_rows

_NEVER = np.iinfo(np.int32).max
_CALLS_FOR_A_BAR = 20  # an epoch under a progress bar is cut into


@dataclasses.dataclass(frozen=True)
class Training:
    """A task and what surrounds it. ``stream`` is where rows come from if they are not in the task."""

    task: Task
    key: Any
    epochs: int
    stream: Stream | None = None
    held_out: Cut | None = None
    patience: int | None = None
    checkpoint: Checkpoint | None = None
    bar: Any = None

    @classmethod
    def of(cls, objective: Term, space: Space, optimiser, key, options: Options) -> "Training":
        """The training that the options describe. Raises ``ValueError`` where the rows cannot be cut as they say."""
        cut = Cut.of(objective)
        rows = options.rows(cut)
        size = options.size(rows)
        steps = max(1, math.ceil(rows / (size * options.accumulate)))
        average = 0 if options.average is True else _NEVER if options.average is False else steps * options.average
        observations = float(objective.nobs()) if options.nobs is None else options.nobs
        task = Task(
            cut=cut,
            space=space,
            optimiser=optimiser,
            steps=steps,
            total=float(max(observations, 1)),
            average_from=average,
            size=size,
            accumulate=options.accumulate,
        )
        held_out = options.held_out_term()
        kept = None
        if options.checkpoint is not None:
            identity = {"rows": rows, "batch_size": size, "accumulate": options.accumulate, "average": average}
            identity |= {"key": jax.random.key_data(key), **_fingerprints(task, held_out, options.batches is not None)}
            kept = options.kept(identity)
        return cls(
            task=task,
            key=key,
            epochs=options.epochs,
            stream=None if options.batches is None else Stream(options.batches, cut, task.rows_of_step, rows),
            held_out=None if held_out is None else Cut.of(held_out),
            patience=options.patience,
            checkpoint=kept,
        )

    def finish(self, run: Run) -> Run:
        """Take the steps that are left, and write the last checkpoint."""
        if self.checkpoint is not None and int(run.carry.taken) == 0:
            self.checkpoint.refuse_others()
            self._save(run)
        while not self._is_over(run):
            run = self._close(self._epoch(run))
            if self._is_due(run) or self._is_over(run):
                self._save(run)
        return run

    def estimate(self, run: Run) -> tuple[Any, Any]:
        """The free numbers that the run ends with, and the state that goes with them."""
        if run.best is not None and np.isfinite(run.best.held_out):
            return run.best.free, run.best.state
        return _current(run.carry), run.carry.state

    def measured(self, free, state) -> Evaluation:
        """The whole objective at ``free``, with its gradient in z: one more pass over the rows."""
        if self.stream is None:
            return self._measured(self.task.cut, free, state, 1)
        total = measure_whole(self.task.cut, self.task.space, free, 1)
        for cut, real in self.stream.steps(0):
            for first in range(0, real, self.task.size):
                total = measure_rows(total, cut, self.task.space, free, state, first, real, self.task.size, 1)
        return total.value

    def _measured(self, cut: Cut, free, state, order: int) -> Evaluation:
        """The evaluation of ``cut``, whose rows are at hand."""
        space, size = self.task.space, min(self.task.size, max(cut.count, 1))
        if self.task.looped:
            return measure(cut, space, free, state, size, order)
        total = measure_whole(cut, space, free, order)
        for first in range(0, cut.count, size):
            total = measure_rows(total, cut, space, free, state, first, cut.count, size, order)
        return total.value

    def _is_over(self, run: Run) -> bool:
        if bool(run.carry.halted) or int(run.epoch) >= self.epochs:
            return True
        if self.patience is None or not len(run.held_out):
            return False
        scores = np.where(np.isnan(run.held_out), -np.inf, run.held_out)
        return len(scores) - 1 - int(np.argmax(scores)) >= self.patience

    def _epoch(self, run: Run) -> Run:
        """The steps of one epoch that are left, with the checkpoints between them."""
        epoch, steps = int(run.epoch), int(self.task.steps)
        first = int(run.carry.taken) - epoch * steps
        order, key = shuffle(self.key, epoch, self.task.cut.count if self.stream is None else 1)
        source = None if self.stream is None else self.stream.steps(epoch, first)
        while first < steps and not run.carry.halted:
            stop = self._next_stop(epoch * steps + first, (epoch + 1) * steps) - epoch * steps
            run = dataclasses.replace(run, carry=self._advance(run.carry, order, key, range(first, stop), source))
            if self.bar is not None:
                self.bar.update(stop - first)
            if stop < steps and not run.carry.halted and self._is_due(run):
                self._save(run)
            first = stop
        if source is not None and not run.carry.halted:
            next(source, None)  # lets the stream see that the pass had no more rows than it should
        return run

    def _advance(self, carry: Carry, order, key, steps: range, source: Iterator | None) -> Carry:
        """The carry after some steps of an epoch."""
        if source is None:
            calls = [steps] if self.task.looped else [range(i, i + 1) for i in steps]
            for call in calls:
                with self._explaining(carry):
                    carry = advance(self.task, carry, order, key, call.start, call.stop)
            return carry
        for i in steps:
            cut, real = next(source)
            with self._explaining(carry):
                carry = advance_on(dataclasses.replace(self.task, cut=cut), carry, key, i, real)
        return carry

    @contextlib.contextmanager
    def _explaining(self, carry: Carry):
        try:
            yield
        except Exception as error:
            raise explained(error, params_of(self.task.space, carry.free)) from error

    def _next_stop(self, taken: int, end: int) -> int:
        """The step after which the host wants to look, counted from the start of the run."""
        every = [self.checkpoint.every] if self.checkpoint is not None and self.checkpoint.every else []
        if self.bar is not None:
            every.append(max(1, int(self.task.steps) // _CALLS_FOR_A_BAR))
        return min([end, *(taken + each - taken % each for each in every)])

    def _close(self, run: Run) -> Run:
        """The run after an epoch, with its line in the history; NaN where the epoch broke off."""
        dtype = run.log_likelihood.dtype
        sums, steps = (run.carry.log_likelihood, run.carry.log_prior), np.asarray(self.task.steps, dtype)
        means = [np.asarray(np.nan, dtype) if run.carry.halted else np.asarray(each.value) / steps for each in sums]
        run = dataclasses.replace(
            run,
            epoch=np.asarray(int(run.epoch) + 1),
            log_likelihood=np.append(run.log_likelihood, means[0]),
            log_prior=np.append(run.log_prior, means[1]),
            steps=np.append(run.steps, np.asarray(run.carry.taken)),
        )
        return run if self.held_out is None or run.best is None else self._scored(run, self.held_out, run.best)

    def _scored(self, run: Run, held_out: Cut, best: Best) -> Run:
        """The run with the log-likelihood of the held-out data, and the best so far."""
        carry, estimate = run.carry, _current(run.carry)
        score = np.nan if carry.halted else self._measured(held_out, estimate, carry.state, 0).log_likelihood
        score = np.asarray(score, run.log_likelihood.dtype)
        best = Best(estimate, carry.state, score) if score > np.asarray(best.held_out) else best
        return dataclasses.replace(run, held_out=np.append(run.held_out, score), best=best)

    def _is_due(self, run: Run) -> bool:
        every = self.checkpoint and self.checkpoint.every
        return not every or int(run.carry.taken) % every == 0

    def _save(self, run: Run) -> None:
        if self.checkpoint is not None:
            self.checkpoint.write(run)


def _fingerprints(task: Task, held_out: Term | None, streamed: bool) -> dict[str, np.ndarray]:
    """What tells the numbers of a run from those of another; rows that come from the host are not among them."""
    cut = task.cut
    if streamed:
        cut = dataclasses.replace(cut, sampled=tuple(at_rows(term, lambda leaf: leaf[:0]) for term in cut.sampled))
    return {
        "objective": fingerprint(cut),
        "space": fingerprint(task.space),
        "optimiser": fingerprint(task.optimiser, code=True),
        "held_out": fingerprint(held_out),
    }


def _current(carry: Carry):
    """The estimate so far: the mean of the iterates where it is taken."""
    return carry.free if carry.average is None else carry.average
