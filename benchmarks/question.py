"""A question asked of several programs: the same data, the same truth, each program in its own best way."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxmle as jm
from benchmarks.measure import Row, timer, worst

ACCURACY = 1e-8  # of the largest coefficient; a speed that does not come with it counts for nothing
FASTEST = "the fastest peer"


class Answer(NamedTuple):
    """Estimates, and standard errors where the program gives them."""

    estimate: Any
    errors: Any = None


class Skip(Exception):
    """A program that cannot be asked here; the message says why."""


@dataclasses.dataclass(frozen=True)
class Target:
    """What is wanted of ``who``: ``least`` times as fast as ``over``, at most ``most`` times its time, or, without
    ``over``, a figure of at most ``most``."""

    question: str
    who: str
    over: str = ""
    least: float = float("nan")
    most: float = float("nan")


@dataclasses.dataclass(frozen=True)
class Tuned:
    """A way with a tolerance, ``way(data, tol)``: the loosest of a few with which it reaches the accuracy is taken."""

    way: Callable[..., Callable[[], Answer]]
    tolerances: tuple[float, ...]

    def ready(self, data, truth: Answer) -> Callable[[], Answer]:
        """What is timed."""
        for tolerance in self.tolerances:
            if worst(self.way(data, tolerance)().estimate, truth.estimate) <= ACCURACY:
                break
        return self.way(data, tolerance)


def tuned(way: Callable[..., Callable[[], Answer]], *tolerances: float) -> Tuned:
    """:class:`Tuned`, from the loosest tolerance to the tightest."""
    return Tuned(way, tolerances)


@dataclasses.dataclass(frozen=True)
class Question:
    """Data, the truth about them, and ``ways``: for each program a function of the data that makes everything ready
    and returns what is timed."""

    text: str
    data: Callable[[], Any]
    truth: Callable[[Any], Answer]
    ways: dict[str, Callable[[Any], Callable[[], Answer]] | Tuned]

    def ask(self, who: str, small: bool) -> Row:
        """A row for ``who``."""
        data = self.data()
        truth, way = self.truth(data), self.ways[who]
        run = way.ready(data, truth) if isinstance(way, Tuned) else way(data)
        seconds = getattr(run, "seconds", None)  # of a program in another language, which times itself
        first, warm = (np.nan, seconds) if seconds is not None else timer(small)(run)
        answer = run()
        error = worst(answer.estimate, truth.estimate)
        of_errors = np.nan if answer.errors is None else worst(answer.errors, truth.errors)
        return Row(self.text, on_devices(who), first, warm, error, "of the largest coefficient", "float64", of_errors)


def ask_all(questions: list[Question], who: str, small: bool) -> Iterator[Row]:
    """The rows of ``who``, for all the questions that it answers."""
    return (question.ask(who, small) for question in questions if who in question.ways)


def spread(problem):
    """``problem`` on all the devices there are."""
    return jm.shard(problem) if len(jax.devices()) > 1 else problem


def on_devices(who: str) -> str:
    """``who``, with the number of devices where there are several."""
    count = len(jax.devices())
    return f"{who}, {count} devices" if count > 1 else who


def judged(rows: list[Row], targets: tuple[Target, ...]) -> list[Row]:
    """The rows, each with its ratio to the first of its question and with what came of its targets."""
    return [_judged(row, [r for r in rows if r.question == row.question], targets) for row in rows]


def _judged(row, table, targets):
    mine = [t for t in targets if t.question == row.question and (row.who == t.who or row.who.startswith(t.who + ","))]
    verdicts = [verdict for verdict in (_verdict(row, table, target) for target in mine) if verdict]
    return dataclasses.replace(row, ratio=table[0].warm / row.warm, target="; ".join(verdicts))


def _verdict(row, table, target):
    if row.error > ACCURACY:
        return f"void: the error is over {ACCURACY:.0e}"
    if not target.over:
        return _compared(row.figure, target, "")
    other = _over(table, target.over)
    if other is None:
        return ""
    poorer = f" (which reached {other.error:.0e})" if other.error > ACCURACY else ""
    if np.isfinite(target.least):
        return _compared(other.warm / row.warm, target, f" times as fast as {other.who}{poorer}")
    return _compared(row.warm / other.warm, target, f" times the time of {other.who}{poorer}")


def _over(table, who):
    if who == FASTEST:
        able = [row for row in table if not row.who.startswith("jaxmle") and row.error <= ACCURACY]
        return min(able, key=lambda row: row.warm, default=None)
    return next((row for row in table if row.who == who), None)


def _compared(figure, target, what):
    at_least = np.isfinite(target.least)
    wanted = target.least if at_least else target.most
    met = figure >= wanted if at_least else figure <= wanted
    by = "" if met else f", by {abs(figure / wanted - 1):.0%}"
    return f"{'met' if met else 'missed'}{by}: {figure:.3g}{what}, {'at least' if at_least else 'at most'} {wanted:g}"
