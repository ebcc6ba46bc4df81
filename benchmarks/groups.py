"""Ragged groups: fifty thousand Poisson fits, each with its own number of rows, beside a loop."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import statsmodels.api as sm

import jaxmle as jm
from benchmarks import numpy_reference
from benchmarks.measure import Row, timer, worst
from benchmarks.question import Target, on_devices

SIZE, SMALL = (50_000, 20, 2_000, 4), (30, 20, 60, 2)  # groups, fewest rows, most rows, columns
SAMPLE = 200  # of the groups that a peer's loop is timed on; its time is scaled to all of them


def _text(count, shortest, longest, p):
    return f"{count:,} Poisson fits of {shortest} to {longest:,} x {p}"


PEERS = ("loop over statsmodels Poisson", "loop over NumPy Newton", "jaxmle")
SHARDED = ("jaxmle",)
FITS, PACKED = "jaxmle fit_batch of groups", "jaxmle group_by and fit_batch"
TARGETS = tuple(Target(_text(*SIZE), who, PEERS[0], least=30) for who in (FITS, PACKED))


def data(count: int, shortest: int, longest: int, p: int):
    """Designs and counts of all groups, one after the other, and where each group ends."""
    rng = np.random.default_rng(1)
    sizes = rng.integers(shortest, longest + 1, count)
    x = rng.standard_normal((sizes.sum(), p)) / 2
    x[:, 0] = 1.0
    beta = rng.standard_normal((count, p)) / 4
    y = rng.poisson(np.exp(np.einsum("np,np->n", x, np.repeat(beta, sizes, axis=0)))).astype(float)
    return x, y, sizes


def _by_statsmodels(x, y):
    return sm.Poisson(y, x).fit(disp=0, tol=1e-5).params


def _by_numpy(x, y, tolerance=1e-7):
    def evaluate(beta):
        return numpy_reference.poisson(beta, x, y)

    return numpy_reference.newton(evaluate, np.zeros(x.shape[1]), tolerance).estimate


def _predict(params, row):
    return (row @ params["beta"],)


def _fits(groups, p):
    start, devices = {"beta": jnp.zeros(p)}, jax.devices() if len(jax.devices()) > 1 else None
    terms = [
        jm.regression(jm.densities.poisson, _predict, part.data["x"], part.data["y"], part.weights) for part in groups
    ]
    return groups.in_order([jm.fit_batch(term, start, devices=devices) for term in terms]).params["beta"]


def rows(who: str, small: bool):
    """The rows of one program; that of a loop is its time over a sample, scaled to all."""
    size = SMALL if small else SIZE
    x, y, sizes = data(*size)
    sample, ends = range(0, size[0], max(1, size[0] // SAMPLE)), np.cumsum(sizes)
    pieces = [(x[ends[i] - sizes[i] : ends[i]], y[ends[i] - sizes[i] : ends[i]]) for i in sample]
    truth = np.array([_by_numpy(*piece, 1e-20) for piece in pieces])

    def row(who, first, warm, estimates):
        error = worst(estimates, truth)
        return Row(_text(*size), who, first, warm, error, "of the largest coefficient", "float64")

    if who != "jaxmle":
        one = _by_statsmodels if who == PEERS[0] else _by_numpy
        first, warm = timer(small)(lambda: [one(*piece) for piece in pieces])
        share = size[0] / len(sample)
        yield row(who, first * share, warm * share, [one(*piece) for piece in pieces])
        return
    labels = np.repeat(np.arange(size[0]), sizes)
    begin = time.perf_counter()
    groups = jm.group_by({"x": x, "y": y}, labels)
    jax.block_until_ready([part.weights for part in groups])
    packing = time.perf_counter() - begin
    first, warm = timer(small)(lambda: _fits(groups, size[3]))
    estimates = np.asarray(_fits(groups, size[3]))[:: sample.step]
    yield row(on_devices(f"{FITS}, {len(groups)} shapes"), first, warm, estimates)
    yield row(on_devices(f"{PACKED}, {len(groups)} shapes"), first + packing, warm + packing, estimates)
