"""Cost against size: how do time and memory grow with the rows of a logistic regression?"""

import resource

import jax
import numpy as np

import jaxmle as jm
from benchmarks import numpy_reference
from benchmarks.measure import Row, in_new_process, timer, worst
from benchmarks.question import Target

SIZES, SMALL = (10_000, 100_000, 1_000_000, 10_000_000), (2_000, 4_000, 8_000)
COLUMNS = 20
MEMORY, SMALL_MEMORY = (500_000, 5_000_000), (20_000, 40_000)
PEERS = ("time", "memory")
SLOPE, PEAK = f"time of a fit with standard errors against rows, x {COLUMNS}", "memory of a fit with standard errors"
TARGETS = (
    Target(SLOPE, "jaxmle, log-log slope", most=1.1),
    Target(PEAK, "jaxmle, peak over the data", most=1.2),
)
_CHUNK = 100_000

_PEAK = """
import jax
jax.config.update("jax_enable_x64", True)
from benchmarks import size
print(*size.peak({rows}))
"""


def data(n: int, p: int = COLUMNS):
    """A design and zeros and ones, made in pieces and laid out so that JAX takes the arrays without a copy."""
    rng = np.random.default_rng(0)
    beta = rng.standard_normal(p) / np.sqrt(p)
    x, y = _aligned(n, p), _aligned(n)
    for begin in range(0, n, _CHUNK):
        rows = slice(begin, min(begin + _CHUNK, n))
        rng.standard_normal(out=x[rows])
        x[rows, 0] = 1.0
        y[rows] = rng.random(len(x[rows])) < 1 / (1 + np.exp(-x[rows] @ beta))
    return x, y


def _aligned(*shape):
    """An array on a boundary of 64 bytes."""
    count = int(np.prod(shape))
    raw = np.empty(count + 8)
    skip = -raw.ctypes.data % 64 // 8
    return raw[skip : skip + count].reshape(shape)


def _fit(x, y):
    problem = jm.models.logistic(jax.device_put(x), jax.device_put(y))

    def run():
        fit = jm.fit(problem)
        return fit.params["beta"], jm.infer(problem, fit).bse["beta"]

    return run


def peak(n: int) -> tuple[int, int, float]:
    """The most memory this process has held once ``n`` rows are fitted, that of the data, in bytes, and the error."""
    x, y = data(n)
    beta = np.asarray(_fit(x, y)()[0])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return most, x.nbytes + y.nbytes, worst(beta, _truth(x, y))


def _truth(x, y):
    """The estimate by Newton's method, the rows taken in pieces."""
    pieces = [slice(i, i + _CHUNK) for i in range(0, len(y), _CHUNK)]

    def evaluate(beta):
        parts = [numpy_reference.bernoulli(beta, x[rows], y[rows]) for rows in pieces]
        return tuple(sum(part) for part in zip(*parts, strict=True))

    return numpy_reference.newton(evaluate, np.zeros(x.shape[1]), 1e-20).estimate


def _time(small):
    sizes, taken = SMALL if small else SIZES, []
    error = 0.0
    for n in sizes:
        x, y = data(n)
        run = _fit(x, y)
        first, warm = timer(small)(run)
        taken.append(warm)
        error = max(error, worst(run()[0], _truth(x, y)))
        of = "of the largest coefficient"
        yield Row(SLOPE, f"jaxmle, {n:,} rows", first, warm, error, of, "float64")
    slope = float(np.polyfit(np.log(sizes), np.log(taken), 1)[0])
    yield Row(SLOPE, "jaxmle, log-log slope", np.nan, np.nan, error, of, "float64", figure=slope)


def _memory(small):
    """What a process has more at its peak with many rows than with few, over what the data have more.

    The few rows have been compiled and fitted too, so that Python, JAX and the compiler are in neither.
    """
    few, many = ([float(word) for word in in_new_process(_PEAK.format(rows=n)).split()] for n in _memory_sizes(small))
    ratio, error = (many[0] - few[0]) / (many[1] - few[1]), max(few[2], many[2])
    of = "of the largest coefficient"
    yield Row(PEAK, "jaxmle, peak over the data", np.nan, np.nan, error, of, "float64", figure=ratio)


def _memory_sizes(small):
    return SMALL_MEMORY if small else MEMORY


def rows(who: str, small: bool):
    """Rows for each size and the slope, or the memory."""
    return _time(small) if who == "time" else _memory(small)
