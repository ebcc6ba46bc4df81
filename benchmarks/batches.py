"""Batches: ten thousand small logistic fits with standard errors, and one in a hundred of them bad, beside loops."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import statsmodels.api as sm
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jaxmle as jm
from benchmarks import numpy_reference
from benchmarks.measure import Row, timer, worst
from benchmarks.question import Answer, Target, on_devices

SIZE, SMALL = (10_000, 200, 5), (40, 60, 2)
SAMPLE = 200  # of the fits that a peer's loop is timed on; its time is scaled to all of them


def _text(lanes, n, p):
    return f"{lanes:,} logistic fits of {n} x {p}"


LOOPS = ("loop over statsmodels Logit", "loop over NumPy Newton")
BATCH, BAD = "jaxmle fit_batch", "jaxmle fit_batch with 1 % bad lanes"
PEERS = (*LOOPS, f"{BATCH} and infer", BATCH, BAD)
SHARDED = (f"{BATCH} and infer", BATCH)
TARGETS = (
    Target(_text(*SIZE), f"{BATCH} and infer", LOOPS[0], least=40),
    Target(_text(*SIZE), f"{BATCH} and infer", LOOPS[1], least=7),
    Target(_text(*SIZE), BAD, BATCH, most=1.3),
)


def data(lanes: int, n: int, p: int):
    """A design and zeros and ones for each lane."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((lanes, n, p))
    x[:, :, 0] = 1.0
    beta = rng.standard_normal((lanes, p)) / 2
    return x, (rng.random((lanes, n)) < 1 / (1 + np.exp(-np.einsum("lnp,lp->ln", x, beta)))).astype(float)


def spoilt(x, y, sample):
    """One lane in a hundred bad, none of them in the sample: half are separated, half have a missing number."""
    x, y = x.copy(), y.copy()
    others = np.setdiff1d(np.arange(len(y)), sample)
    bad = np.random.default_rng(1).choice(others, max(2, len(y) // 100), replace=False)
    separated, missing = np.array_split(bad, 2)
    y[separated] = x[separated, :, 1] > 0
    x[missing, 3, 1] = np.nan
    return x, y


def _newton(x, y, tolerance):
    def evaluate(beta):
        return numpy_reference.bernoulli(beta, x, y)

    return numpy_reference.newton(evaluate, np.zeros(x.shape[1]), tolerance)


def _by_numpy(x, y, tolerance=1e-7):
    fits = [_newton(*lane, tolerance) for lane in zip(x, y, strict=True)]
    return Answer(np.array([fit.estimate for fit in fits]), np.array([fit.standard_errors for fit in fits]))


def _by_statsmodels(x, y):
    fits = [sm.Logit(*lane).fit(disp=0, tol=1e-5) for lane in zip(y, x, strict=True)]
    return Answer(np.array([fit.params for fit in fits]), np.array([fit.bse for fit in fits]))


def _by_jaxmle(x, y, sample, inferred):
    devices = jax.devices()
    lanes = NamedSharding(Mesh(np.asarray(devices), ("lanes",)), PartitionSpec("lanes"))
    problems = jax.device_put(jax.vmap(jm.models.logistic)(jnp.asarray(x), jnp.asarray(y)), lanes)
    infer = jax.jit(jax.vmap(jm.infer, in_axes=(jm.lane_axes(problems), 0)))

    def run():
        fits = jm.fit_batch(problems, devices=devices if len(devices) > 1 else None)
        return fits.params["beta"], infer(problems, fits).bse["beta"] if inferred else None

    def seen(answer):
        return Answer(*(None if part is None else np.asarray(part)[sample] for part in answer))

    return run, seen


def rows(who: str, small: bool):
    """The row of one program; that of a loop is its time over a sample, scaled to all."""
    size = SMALL if small else SIZE
    x, y = data(*size)
    sample = np.arange(0, size[0], max(1, size[0] // (10 if small else SAMPLE)))
    if who in LOOPS:
        loop = _by_statsmodels if who == LOOPS[0] else _by_numpy
        run, seen, share = functools.partial(loop, x[sample], y[sample]), lambda answer: answer, size[0] / len(sample)
    else:
        given = spoilt(x, y, sample) if who == BAD else (x, y)
        run, seen = _by_jaxmle(*given, sample, inferred=who.endswith("infer"))
        share = 1.0
    first, warm = timer(small)(run)
    answer, truth = seen(run()), _by_numpy(x[sample], y[sample], 1e-20)
    of_errors = np.nan if answer.errors is None else worst(answer.errors, truth.errors)
    error = worst(answer.estimate, truth.estimate)
    of = "of the largest coefficient"
    yield Row(_text(*size), on_devices(who), first * share, warm * share, error, of, "float64", of_errors)
