"""Does the default fit of one sample end at the maximum, wherever in its family the sample comes from?

``python -m benchmarks.families [name ...] [--draws 1000]``: for each family one batch of fits of samples of 200, each
from parameters of its own, drawn over a wide range; and a second batch that starts at those parameters. A fit is
*right* if it says that it converged (or is at a corner) and no fit from the truth is higher, or if it says that the
maximum is at infinity or on the boundary and the fit from the truth found none either, or no higher a one. Writes
``results/families.json``.
"""

import argparse
import functools
import json
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.models.families import FAMILIES

SIZE, DRAWS = 200, 1000
FILE = pathlib.Path(__file__).parent / "results" / "families.json"
LOG, EVEN = "log", "even"
_LOC, _SCALE, _SHAPE = (EVEN, -20.0, 20.0), (LOG, 1e-2, 1e2), (LOG, 0.2, 50.0)
_LOC_SCALE = {"loc": _LOC, "scale": _SCALE}
RANGES = {
    "asymmetric_laplace": {"kappa": (LOG, 0.2, 5.0), **_LOC_SCALE},
    "bernoulli": {"logits": (EVEN, -5.0, 5.0)},
    "beta": {"a": (LOG, 0.5, 100.0), "b": (LOG, 0.5, 100.0)},
    "beta_binomial": {"n": (LOG, 20.0, 20.0), "a": _SHAPE, "b": _SHAPE},
    "binomial": {"n": (LOG, 20.0, 20.0), "logits": (EVEN, -5.0, 5.0)},
    "cauchy": _LOC_SCALE,
    "chi2": {"df": (LOG, 0.1, 1e3)},
    "exponential": {"scale": _SCALE},
    "f": {"dfn": (LOG, 0.5, 100.0), "dfd": (LOG, 0.5, 100.0)},
    "gamma": {"a": (LOG, 0.05, 1e3), "scale": _SCALE},
    "generalized_normal": {"beta": (LOG, 0.5, 8.0), **_LOC_SCALE},
    "generalized_pareto": {"c": (EVEN, -0.4, 2.0), "scale": _SCALE},
    "genextreme": {"c": (EVEN, -1.5, 0.4), **_LOC_SCALE},
    "geometric": {"logits": (EVEN, -6.0, 4.0)},
    "gumbel": _LOC_SCALE,
    "half_cauchy": {"scale": _SCALE},
    "half_normal": {"scale": _SCALE},
    "inverse_gamma": {"a": (LOG, 0.05, 1e3), "scale": _SCALE},
    "inverse_gaussian": {"log_mean": (EVEN, -4.0, 4.0), "scale": _SCALE},
    "kumaraswamy": {"a": (LOG, 0.2, 20.0), "b": (LOG, 0.5, 20.0)},
    "laplace": _LOC_SCALE,
    "logistic": _LOC_SCALE,
    "loglogistic": {"c": _SHAPE, "scale": _SCALE},
    "lognormal": {"log_scale": (EVEN, -4.0, 4.0), "s": (LOG, 0.05, 5.0)},
    "negative_binomial": {"log_mean": (EVEN, -1.0, 6.0), "concentration": (LOG, 0.1, 100.0)},
    "negative_binomial_linear": {"log_mean": (EVEN, -1.0, 6.0), "dispersion": (LOG, 0.05, 30.0)},
    "normal": _LOC_SCALE,
    "pareto": {"b": (LOG, 0.1, 50.0), "scale": _SCALE},
    "poisson": {"log_rate": (EVEN, -4.0, 7.0)},
    "skew_normal": {"a": (EVEN, -10.0, 10.0), **_LOC_SCALE},
    "student_t": {"df": (LOG, 0.5, 50.0), **_LOC_SCALE},
    "truncated_normal": {"loc": (EVEN, -3.0, 6.0), "scale": (LOG, 0.3, 5.0), "lower": (LOG, 1.0, 1.0),
                         "upper": (LOG, 4.0, 4.0)},
    "uniform": _LOC_SCALE,
    "von_mises": {"kappa": (LOG, 0.05, 100.0), "loc": (EVEN, -3.0, 3.0)},
    "weibull": {"c": (LOG, 0.2, 50.0), "scale": _SCALE},
}  # fmt: skip


def draw(name: str, count: int, size: int = SIZE, seed: int = 0):
    """The parameters of ``count`` samples, each an array with one number for each, and the samples (count, size)."""
    rng = np.random.default_rng([seed, *name.encode()])
    truth = {}
    for key, (kind, low, high) in RANGES[name].items():
        start, end = np.log([low, high]) if kind == LOG else (low, high)
        values = rng.uniform(start, end, count)
        truth[key] = jnp.asarray(np.exp(values) if kind == LOG else values)
    keys = jax.random.split(jax.random.key(int(rng.integers(2**31))), count)
    sample = jax.jit(jax.vmap(lambda key, params: _sample(name, key, params, size)))
    return truth, sample(keys, truth)


def _sample(name, key, params, size):
    return getattr(jm.densities, name).sample(key, **params, shape=(size,))


@functools.cache
def problem_of(name: str):
    """The function that makes the problem of one sample, its known numbers those of the study."""
    known = {key: low for key, (_, low, high) in RANGES[name].items() if low == high}
    return lambda y: jm.models.distribution(name, y, fixed=known)


def study(name: str, count: int, size: int = SIZE, seed: int = 0) -> dict:
    """The fits of one family, counted."""
    truth, samples = draw(name, count, size, seed)
    begun = time.perf_counter()
    problems = jax.vmap(problem_of(name))(samples)
    fits = jax.block_until_ready(jm.fit_batch(problems))
    seconds = time.perf_counter() - begun
    first = problem_of(name)(samples[0]).start
    marks = {key: _like(first[key], truth[key], problems.start[key]) for key in first}
    others = jm.fit_batch(problems, marks, in_axes=(jm.lane_axes(problems), 0))
    return judged(name, fits, others, seconds)


def _like(mark, value, start):
    """The truth, marked as the start is; what is held stays where it is."""
    if getattr(mark, "bijection", 0) is None:
        return start
    return jm.positive(value) if hasattr(mark, "bijection") else value


def judged(name: str, fits, others, seconds: float = 0.0) -> dict:
    """What became of the ``fits``, beside ``others`` of the same samples from the truth."""
    status = np.asarray(fits.status)
    value, reference = np.asarray(fits.value), np.asarray(others.value)
    reference = np.where(np.isfinite(reference), reference, -np.inf)
    rounding = 1e-6 + 1e-10 * np.abs(value)
    ok, other_ok = np.asarray(fits.ok), np.asarray(others.ok)
    lower = ok & ~(value >= reference - rounding)
    limit = np.isin(status, [codes.DIVERGING, codes.BOUNDARY, codes.UNBOUNDED])
    missed = limit & other_ok & (reference > value - 1e-3) & (status != codes.UNBOUNDED)
    right = (ok & ~lower) | (limit & ~missed)
    bad = {int(code): int(np.sum(status[~right] == code)) for code in np.unique(status[~right])}
    decrement = np.asarray(fits.newton_decrement)[(status == codes.CONVERGED) | (status == codes.STALLED_AT_ROUNDING)]
    return {
        "name": name,
        "draws": int(status.size),
        "right": int(right.sum()),
        "converged": int(np.isin(status, [codes.CONVERGED, codes.STALLED_AT_ROUNDING]).sum()),
        "at a corner": int((status == codes.AT_CORNER).sum()),
        "flat": int((status == codes.FLAT).sum()),
        "at infinity": int((limit & ~missed).sum()),
        "claimed and lower": int(lower.sum()),
        "wrong": bad,
        "which": np.flatnonzero(~right)[:8].tolist(),
        "largest gain left": float(0.5 * np.nanmax(decrement) ** 2) if decrement.size else None,
        "evaluations": float(np.mean(np.asarray(fits.steps))),
        "most evaluations": int(np.max(np.asarray(fits.steps))),
        "seconds": round(seconds, 2),
    }


def main() -> None:
    """Study the families that are named, or all, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--draws", type=int, default=DRAWS)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    for name in options.names or FAMILIES:
        found = study(name, options.draws)
        print(json.dumps(found), flush=True)
        if options.draws == DRAWS:
            kept = json.loads(FILE.read_text()) if FILE.exists() else {}
            FILE.write_text(json.dumps({**kept, name: found}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
