"""L-BFGS on a batch: is ours needed beside `optax.lbfgs`?"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxmle as jm
from benchmarks.measure import Row, against, time_of, worst

LANES, ROWS, COLUMNS = 1_000, 200, 5


def _lanes(bad: int):
    """Logistic data sets, the first ``bad`` of them with a missing response."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(LANES, ROWS, COLUMNS))
    y = (rng.random((LANES, ROWS)) < 1 / (1 + np.exp(-x.sum(axis=2)))).astype(float)
    y[:bad, 0] = np.nan
    return jnp.asarray(x), jnp.asarray(y)


@jax.jit
def _fits(solver, x, y):
    def one(x, y):
        fit = jm.fit(jm.models.logistic(x, y), solver=solver, max_steps=200)
        return fit.params["beta"], fit.ok

    return jax.vmap(one)(x, y)


def rows() -> list[Row]:
    """Rows for a clean batch and one with a bad lane in a thousand: Newton, L-BFGS, optax's."""
    solvers = {
        "optax.lbfgs": jm.solvers.Optax(optax.lbfgs),
        "jaxmle L-BFGS": jm.solvers.LBFGS(),
        "jaxmle Newton": jm.solvers.Newton(),
    }
    table = []
    for bad in (0, 1):
        x, y = _lanes(bad)
        truth, _ = _fits(jm.solvers.Newton(), x, y)
        question = f"{LANES:,} logistic fits of {ROWS} x {COLUMNS} under vmap, {bad} bad"
        measured = []
        for name, solver in solvers.items():
            run = functools.partial(_fits, solver, x, y)
            first, warm = time_of(run)
            error = worst(np.asarray(run()[0])[bad:], np.asarray(truth)[bad:])
            measured.append(Row(question, name, first, warm, error, "of the largest coefficient", "float64"))
        table += against(*measured)
    return table
