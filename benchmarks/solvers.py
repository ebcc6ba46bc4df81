"""L-BFGS on a batch: is ours needed beside `optax.lbfgs`?"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxmle as jm
from benchmarks import numpy_reference
from benchmarks.measure import Row, timer, worst

LANES, SMALL, ROWS, COLUMNS = 1_000, 20, 200, 5


def _lanes(lanes: int, bad: int):
    """Logistic data sets, the first ``bad`` of them with a missing response."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(lanes, ROWS, COLUMNS))
    y = (rng.random((lanes, ROWS)) < 1 / (1 + np.exp(-x.sum(axis=2)))).astype(float)
    y[:bad, 0] = np.nan
    return jnp.asarray(x), jnp.asarray(y)


@jax.jit
def _fits(solver, x, y):
    def one(x, y):
        fit = jm.fit(jm.models.logistic(x, y), solver=solver, max_steps=200)
        return fit.params["beta"], fit.ok

    return jax.vmap(one)(x, y)


SOLVERS = {
    "optax.lbfgs": lambda: jm.solvers.Optax(optax.lbfgs),
    "jaxmle L-BFGS": jm.solvers.LBFGS,
    "jaxmle Newton": jm.solvers.Newton,
}
PEERS = tuple(SOLVERS)


def rows(who: str, small: bool):
    """Rows of one solver for a clean batch and one with a bad lane."""
    lanes = SMALL if small else LANES
    for bad in (0, 1):
        x, y = _lanes(lanes, bad)
        run = functools.partial(_fits, SOLVERS[who](), x, y)
        first, warm = timer(small)(run)
        fits = zip(np.asarray(x)[bad:], np.asarray(y)[bad:], strict=True)
        truth = [numpy_reference.newton(_of(*lane), np.zeros(COLUMNS), 1e-20).estimate for lane in fits]
        error = worst(np.asarray(run()[0])[bad:], truth)
        question = f"{lanes:,} logistic fits of {ROWS} x {COLUMNS} under vmap, {bad} bad"
        yield Row(question, who, first, warm, error, "of the largest coefficient", "float64")


def _of(x, y):
    return lambda beta: numpy_reference.bernoulli(beta, x, y)
