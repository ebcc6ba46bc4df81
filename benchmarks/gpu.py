"""On an accelerator, float32: one evaluation of many rows, and a million fits. ``python -m benchmarks.gpu``

Needs the package, JAX and NumPy; where statsmodels is there, its loop is timed on the machine's CPU.
"""

import argparse
import dataclasses
import functools
import importlib.util
import json
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np

import jaxmle as jm
from benchmarks.measure import Row, machine, save, show, timer, worst
from jaxmle.terms.objective import whole_tree

EVALUATION, SMALL_EVALUATION = (10_000_000, 32), (20_000, 4)
BATCH, SMALL_BATCH = (1_000_000, 100, 5), (64, 50, 2)
SAMPLE = 200  # of the fits that a loop is timed on, and that accuracy is taken of
LIMIT = 0.5  # seconds for the batch


def design(key, n: int, p: int):
    """A constant and standard normal columns, and zeros and ones, made on the device."""
    of_x, of_beta, of_y = jax.random.split(key, 3)
    x = jax.random.normal(of_x, (n, p), jnp.float32).at[:, 0].set(1.0)
    beta = jax.random.normal(of_beta, (p,), jnp.float32) / np.float32(np.sqrt(p))
    return x, (jax.random.uniform(of_y, (n,), jnp.float32) < jax.nn.sigmoid(x @ beta)).astype(jnp.float32)


@jax.jit
def _evaluate(objective, params):
    lift, point = whole_tree(params)
    evaluation = objective.evaluate(lift, point, 2)
    return evaluation.value, evaluation.gradient, evaluation.curvature


@jax.jit
def _by_xla(beta, x, y):
    """The same, all rows at once, as one would write it: what XLA makes of it alone."""
    logits = jnp.matmul(x, beta, precision="highest")
    mean = jax.nn.sigmoid(logits)
    weights = mean * (1 - mean)
    value = jnp.sum(y * logits - jax.nn.softplus(logits))
    gradient = jnp.matmul(y - mean, x, precision="highest")
    return value, gradient, jnp.matmul((x * weights[:, None]).T, x, precision="highest")


def exact(beta, x, y, chunk: int = 500_000):
    """Value, gradient and curvature in NumPy float64."""
    total = [0.0, np.zeros(x.shape[1]), np.zeros((x.shape[1], x.shape[1]))]
    for begin in range(0, len(y), chunk):
        rows, seen = (np.asarray(a[begin : begin + chunk], np.float64) for a in (x, y))
        margin = (2 * seen - 1) * (rows @ beta)
        decay = np.exp(-np.abs(margin))
        slope = (2 * seen - 1) * np.where(margin > 0, decay, 1.0) / (1 + decay)
        parts = np.sum(np.minimum(margin, 0) - np.log1p(decay)), slope @ rows
        total = [
            old + new for old, new in zip(total, (*parts, (rows.T * (decay / (1 + decay) ** 2)) @ rows), strict=True)
        ]
    return total


def evaluation(small: bool):
    """Bytes of the design a second, read once for value, gradient and curvature; first what the device copies."""
    n, p = SMALL_EVALUATION if small else EVALUATION
    x, y = jax.jit(functools.partial(design, n=n, p=p))(jax.random.key(0))
    beta = jnp.linspace(-0.2, 0.2, p, dtype=jnp.float32)
    problem, params = jm.models.logistic(x, y), {"beta": beta}
    question = f"one evaluation, logistic, {n:,} x {p}"
    copy = jax.jit(lambda x: x + np.float32(1))  # reads and writes every byte
    first, warm = timer(small)(lambda: copy(x))
    bandwidth = 2 * x.nbytes / warm
    yield Row(
        question,
        f"copy of the design ({bandwidth / 1e9:.4g} GB/s, read and written)",
        first,
        warm,
        np.nan,
        "",
        "float32",
    )
    wanted = exact(np.asarray(beta, np.float64), x, y)
    ways = {
        "XLA alone, all rows at once": lambda: _by_xla(beta, x, y),
        "jaxmle": lambda: _evaluate(problem.objective, params),
    }
    for who, run in ways.items():
        first, warm = timer(small)(run)
        error = max(worst(found, true) for found, true in zip(run(), wanted, strict=True))
        speed = x.nbytes / warm
        share = f"{speed / 1e9:.4g} GB/s of the design, {speed / bandwidth:.0%} of the copy's, at least 50%"
        verdict = "met: " if speed >= bandwidth / 2 else "missed: "
        target = f"{verdict}{share}" if who == "jaxmle" and not small else share
        of = "of the largest entry"
        yield Row(question, who, first, warm, error, of, "float32", figure=speed / bandwidth, target=target)


def newton(x, y, steps: int = 30):
    """Estimates and standard errors of one fit in NumPy float64."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    beta = np.zeros(x.shape[1])
    for _ in range(steps):
        _, gradient, curvature = exact(beta, x, y)
        move = np.linalg.solve(curvature, gradient)
        beta = beta + move
        if np.max(np.abs(move)) < 1e-9:
            break
    return beta, np.sqrt(np.diag(np.linalg.inv(exact(beta, x, y)[2])))


def batch(small: bool):
    """Many fits with standard errors, and the loop over statsmodels where it is installed."""
    lanes, n, p = SMALL_BATCH if small else BATCH
    keys = jax.random.split(jax.random.key(1), lanes)
    x, y = jax.jit(jax.vmap(functools.partial(design, n=n, p=p)))(keys)
    problems = jax.vmap(jm.models.logistic)(x, y)
    infer = jax.jit(jax.vmap(jm.infer, in_axes=(jm.lane_axes(problems), 0)))
    question = f"{lanes:,} logistic fits of {n} x {p}, estimates and standard errors"

    def run():
        fits = jm.fit_batch(problems)
        return fits.params["beta"], infer(problems, fits).bse["beta"], fits.ok

    sample = np.arange(0, lanes, max(1, lanes // SAMPLE))
    x_some, y_some = np.asarray(x[sample], np.float64), np.asarray(y[sample], np.float64)
    if importlib.util.find_spec("statsmodels"):
        seconds = _statsmodels(x_some, y_some) * lanes / len(sample)
        who = "loop over statsmodels Logit on the CPU (a sample, scaled)"
        yield Row(question, who, np.nan, seconds, np.nan, "", "float64")
    first, warm = timer(small)(run)
    beta, bse, ok = (np.asarray(part) for part in run())
    true = [newton(*lane) for lane, good in zip(zip(x_some, y_some, strict=True), ok[sample], strict=True) if good]
    error, of_errors = (
        worst(found[sample][ok[sample]], [pair[i] for pair in true]) for i, found in enumerate((beta, bse))
    )
    verdict = "met" if warm <= LIMIT else f"missed, by {warm / LIMIT - 1:.0%}"
    target = "" if small else f"{verdict}: {warm:.3g} s, at most {LIMIT} s"
    who = f"jaxmle fit_batch and infer ({ok.mean():.3%} of the fits ok)"
    yield Row(question, who, first, warm, error, "of the largest coefficient", "float32", of_errors, target=target)


def _statsmodels(x, y) -> float:
    """Seconds of a loop over the lanes; separated ones are left where they are."""
    import statsmodels.api as sm

    begin = time.perf_counter()
    for lane in range(len(y)):
        try:
            sm.Logit(y[lane], x[lane]).fit(disp=0, tol=1e-5, warn_convergence=False)
        except np.linalg.LinAlgError:
            continue
    return time.perf_counter() - begin


def main(arguments: list[str] | None = None) -> list[Row]:
    """Print the table, and write it to ``benchmarks/results`` where there is an accelerator."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that it runs; nothing is written")
    parser.add_argument("--to", type=pathlib.Path, default=pathlib.Path(__file__).parent / "results")
    options = parser.parse_args(arguments)
    where = machine()
    small = options.small or where["backend"] == "cpu"
    if small and not options.small:
        print("There is no accelerator here, so the sizes are tiny and the speeds mean nothing.\n")
    rows = []
    for question in (evaluation, batch):
        table = list(question(small))
        rows += [dataclasses.replace(row, ratio=table[0].warm / row.warm) for row in table]
        print(f"{show(rows[-len(table) :])}\n", flush=True)
    print(json.dumps(where))
    if not small:
        print(f"written to {save('gpu', where, rows, options.to)}")
    return rows


if __name__ == "__main__":
    main()
