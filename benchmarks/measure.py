"""How a speed is taken: warm, blocked until ready, the median of several runs, with the accuracy of the same run."""

import dataclasses
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
from collections.abc import Callable

import jax
import numpy as np


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a benchmark table. Seconds; ``error`` is the accuracy reached, and says of what in ``of``."""

    question: str
    who: str
    first: float
    warm: float
    error: float
    of: str
    dtype: str
    ratio: float | None = None  # the baseline's warm time over this one's: how many times as fast


def time_of(function: Callable, least: float = 0.5, runs: int = 7) -> tuple[float, float]:
    """Seconds of the first call of ``function`` and of a warm one: the median of ``runs`` long enough to trust."""
    first = _once(function, 1)
    each = max(_once(function, 1), 1e-7)
    count = max(1, int(least / runs / each))
    return first, float(np.median([_once(function, count) for _ in range(runs)]))


def _once(function, count):
    start = time.perf_counter()
    for _ in range(count):
        result = function()
    jax.block_until_ready(result)
    return (time.perf_counter() - start) / count


def worst(got, wanted) -> float:
    """The largest error of ``got``, relative to the largest number in ``wanted``."""
    got, wanted = np.asarray(got, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    return float(np.max(np.abs(got - wanted)) / max(np.max(np.abs(wanted)), np.finfo(float).tiny))


def against(baseline: Row, *rows: Row) -> list[Row]:
    """The rows with their ratio to ``baseline``, which comes first."""
    return [dataclasses.replace(row, ratio=baseline.warm / row.warm) for row in (baseline, *rows)]


def show(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| question | who | first call | warm | ratio | error | dtype |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        lines.append(
            f"| {row.question} | {row.who} | {_seconds(row.first)} | {_seconds(row.warm)} | {ratio} | "
            f"{row.error:.1e} {row.of} | {row.dtype} |"
        )
    return "\n".join(lines)


def _seconds(value: float) -> str:
    if not np.isfinite(value):
        return ""
    return f"{value * 1e6:.0f} us" if value < 1e-3 else f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.2f} s"


def machine() -> dict:
    """What the numbers were taken on."""
    return {
        "python": platform.python_version(),
        "jax": jax.__version__,
        "device": str(jax.devices()[0].device_kind),
        "backend": jax.default_backend(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": platform.machine(),
        "load": list(os.getloadavg()),
    }


def save(rows: list[Row], folder: pathlib.Path) -> pathlib.Path:
    """Write the rows with the machine's description as ``<date>-<backend>.json``; a later one of a day replaces it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{time.strftime('%Y-%m-%d')}-{jax.default_backend()}.json"
    content = {"machine": machine(), "rows": [dataclasses.asdict(row) for row in rows]}
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def in_new_process(code: str) -> str:
    """What ``code`` prints in a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
