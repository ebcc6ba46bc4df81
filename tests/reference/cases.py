"""Published and certified cases, read in place: data stay where they are, outside the project.

The folder is that of the environment variable JAXMLE_REFERENCE, by default ``shared/reference`` beside the
project's root. It holds index files, ``*/index.json``, and the data they name. Where it is absent tests skip.
"""

import csv
import gzip
import json
import os
from pathlib import Path

import jax
import numpy as np
import pytest

_DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "reference"
FOLDER = Path(os.environ.get("JAXMLE_REFERENCE") or _DEFAULT)

PARAMS_IN_SE = 1e-5
LOGLIK = 1e-8
SE = 1e-4


def require() -> None:
    """Skip the module that calls this where there are no cases, saying where they were looked for."""
    if not list(FOLDER.glob("*/index.json")):
        pytest.skip(
            f"no reference cases in {FOLDER} (*/index.json): say where they are with JAXMLE_REFERENCE",
            allow_module_level=True,
        )


def _read_index() -> dict:
    indices = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*/index.json"))]
    return {case["id"]: case for index in indices for case in index["cases"]}


CASES = _read_index()


def ids(prefix: str) -> list[str]:
    """The names of all cases that begin with ``prefix``."""
    return [name for name in CASES if name.startswith(prefix)]


def columns(case: dict) -> dict[str, np.ndarray]:
    """The columns of a case's data: float64, or text where they are not numbers. An empty cell is NaN."""
    path = FOLDER / case["data"]["file"]
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as stream:
        names, *rows = list(csv.reader(stream))
    return {name: _column(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}


def _column(cells) -> np.ndarray:
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        return np.array(cells)


def numbers(published: dict) -> dict[str, float]:
    """Numbers from the strings in which a source printed them."""
    return {name: float(text) for name, text in published.items()}


def relative_error(value, reference) -> float:
    """The largest relative error of ``value`` in the numbers of ``reference``; absolute where one is zero."""
    value = np.array([float(value[name]) for name in reference])
    reference = np.array(list(reference.values()))
    return float(np.max(np.abs(value - reference) / np.where(reference == 0, 1.0, np.abs(reference))))


class Compilations:
    """How many programs XLA compiles inside a ``with``."""

    def __init__(self):
        self.count = 0

    def __enter__(self) -> "Compilations":
        jax.monitoring.register_event_duration_secs_listener(self._hear)
        return self

    def __exit__(self, *_):
        jax.monitoring.unregister_event_duration_listener(self._hear)

    def _hear(self, event, duration, **_):
        self.count += event == "/jax/core/compile/backend_compile_duration"
