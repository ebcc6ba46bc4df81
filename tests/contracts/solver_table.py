"""One row per solver and per choice that changes its path. `test_solvers` puts every row through the same laws."""

from typing import Any, NamedTuple

import numpy as np

import jaxmle as jm


class Row(NamedTuple):
    """A solver, and how close it comes in units of log-density when it says that it has converged."""

    name: str
    solver: Any
    accuracy: float


TABLE = [
    Row("Newton", jm.solvers.Newton(), 1e-12),
    Row("Newton from the start", jm.solvers.Newton(switch=np.inf), 1e-12),
    Row("Newton in a small region", jm.solvers.Newton(radius=1e-3), 1e-12),
    Row("Levenberg-Marquardt", jm.solvers.levenberg_marquardt(), 1e-12),
    Row("Newton in a large region", jm.solvers.Newton(switch=1.0, radius=1e3), 1e-12),
]
SOLVERS = {"Newton", "levenberg_marquardt"}
