"""One row per solver and per choice that changes its path. `test_solvers` puts every row through the same laws."""

from typing import Any, NamedTuple

import numpy as np
import optax
import optimistix

import jaxmle as jm
from jaxmle.core import status as codes


class Row(NamedTuple):
    """A solver, and how close it comes in units of log-density when it says that it has converged."""

    name: str
    solver: Any
    accuracy: float
    cut: int = codes.OUT_OF_STEPS  # its status when it is given two steps
    repeats: float = 1e-9  # how closely two of its runs agree, relative, when rounding differs


TABLE = [
    Row("Newton", jm.solvers.Newton(), 1e-12),
    Row("Newton from the start", jm.solvers.Newton(switch=np.inf), 1e-12),
    Row("Newton in a small region", jm.solvers.Newton(radius=1e-3), 1e-12),
    Row("Levenberg-Marquardt", jm.solvers.levenberg_marquardt(), 1e-12),
    Row("Newton in a large region", jm.solvers.Newton(switch=1.0, radius=1e3), 1e-12),
    Row("BHHH", jm.solvers.BHHH(), 1e-12, repeats=1e-8),  # linear at the end: its last step is a part of what is left
    Row("Fisher scoring", jm.solvers.FisherScoring(), 1e-12),
    Row("L-BFGS", jm.solvers.LBFGS(), 1e-12),
    Row("L-BFGS that remembers three steps", jm.solvers.LBFGS(memory=3), 1e-12),
    Row("optax L-BFGS", jm.solvers.Optax(optax.lbfgs), 1e-10, repeats=1e-7),
    Row("optax Adam", jm.solvers.Optax(optax.adam, learning_rate=0.1), 1e-10, codes.COMPLETED, repeats=1e-7),
    Row("Optimistix BFGS", optimistix.BFGS(rtol=1e-10, atol=1e-10), 1e-10, repeats=1e-7),
]
WITH_KINKS = {"ProximalGradient", "ProximalNewton"}  # their laws are in test_proximal
SOLVERS = {"BHHH", "FisherScoring", "LBFGS", "Newton", "Optax", "Optimistix", "levenberg_marquardt"} | WITH_KINKS
