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

LONG = 5.0  # seconds; what takes longer is run three times only


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
    error_of_errors: float = float("nan")  # of the largest standard error, where there are any
    figure: float = float("nan")  # what is judged where it is not the warm time
    ratio: float | None = None  # the baseline's warm time over this one's: how many times as fast
    target: str = ""  # whether the target is met, and by how much


def time_of(function: Callable, least: float = 0.5, runs: int = 7) -> tuple[float, float]:
    """Seconds of the first call of ``function`` and of a warm one: the median of ``runs`` long enough to trust."""
    first = _once(function, 1)
    each = max(_once(function, 1), 1e-7)
    count = max(1, int(least / runs / each))
    runs = min(runs, 3) if each > LONG else runs
    return first, float(np.median([_once(function, count) for _ in range(runs)]))


def quickly(function: Callable) -> tuple[float, float]:
    """The same from two calls only, for small sizes whose speed is not the point."""
    return _once(function, 1), _once(function, 1)


def timer(small: bool) -> Callable:
    """:func:`quickly` for small sizes, else :func:`time_of`."""
    return quickly if small else time_of


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
        "| question | who | first call | warm | ratio | error | of standard errors | dtype | target |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        ratio = "" if row.ratio is None or not np.isfinite(row.ratio) else f"{row.ratio:.2f}"
        error, errors = (f"{e:.1e}" if np.isfinite(e) else "" for e in (row.error, row.error_of_errors))
        lines.append(
            f"| {row.question} | {row.who} | {_seconds(row.first)} | {_seconds(row.warm)} | {ratio} | "
            f"{error} {row.of if error else ''} | {errors} | {row.dtype} | {row.target} |"
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
        "devices": len(jax.devices()),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": _processor(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def _processor() -> str:
    info = pathlib.Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return f"{platform.machine()} {names[0].split(':')[1].strip()}" if names else platform.machine()


def name_of(where: dict) -> str:
    """A machine in a word: ``cpu-2``, ``gpu-nvidia-h200``."""
    what = where["cpus"] if where["backend"] == "cpu" else "-".join(where["device"].lower().split())
    return f"{where['backend']}-{what}"


def save(name: str, where: dict, rows: list[Row], folder: pathlib.Path) -> pathlib.Path:
    """Write the rows of a question into ``<date>-<machine>.json``, whose other questions stay as they are."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{time.strftime('%Y-%m-%d')}-{name_of(where)}.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    content[name] = {"machine": where, "rows": [_plain(dataclasses.asdict(row)) for row in rows]}
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    return path


def load(path: pathlib.Path) -> dict[str, tuple[dict, list[Row]]]:
    """What :func:`save` wrote: the machine and the rows of each question."""
    content = json.loads(path.read_text())
    return {name: (found["machine"], [_row(row) for row in found["rows"]]) for name, found in content.items()}


def show_targets(rows: list[Row]) -> str:
    """The rows that have a target, and whether each is met, as a Markdown table."""
    lines = ["| question | who | time | target |", "| --- | --- | --- | --- |"]
    for row in rows:
        seconds = row.warm if np.isfinite(row.warm) else row.first
        for target in filter(None, row.target.split("; ")):
            lines.append(f"| {row.question} | {row.who} | {_seconds(seconds)} | {target} |")
    return "\n".join(lines)


def _row(row: dict) -> Row:
    numbers = ("first", "warm", "error", "error_of_errors", "figure")
    return Row(**{k: float("nan") if v is None and k in numbers else v for k, v in row.items()})


def _plain(row: dict) -> dict:
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}


def in_new_process(code: str) -> str:
    """What ``code`` prints in a fresh interpreter, which keeps its bytecode as that of an installed package is kept."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=kept).stdout
