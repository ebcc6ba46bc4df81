"""How often intervals cover the truth: ``python -m benchmarks.coverage [--small]``.

Thousands of simulated data sets of each model are fitted as one batch. An interval by profile covers the truth where
the likelihood ratio at it is not rejected, so one fit with the parameter held there tells. Where the distribution of
the estimate is known the rate of the Wald interval is too, by a formula or by enumeration, and the table says whether
what was counted agrees with it within three Monte Carlo errors.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats

import jaxmle as jm

Z, CHI_SQUARE = 1.959963984540054, 3.841458820694124
SIZES, LANES, RESAMPLED, DRAWS = (50, 500, 5000), 4000, 400, 400
SMALL = (20,), 60, 10, 30
MOST_RESAMPLED = 500  # rows: beyond, the kinds differ by less than the Monte Carlo error


class Model(NamedTuple):
    """A model with its true parameters, the one of interest first, and the exact coverage of its Wald interval."""

    name: str
    density: Any
    predictor: Callable
    truth: dict
    marks: dict
    exact: Callable | None = None


def _normal_mean(n, _):
    """The variance is that of maximum likelihood, so t is multiplied by sqrt((n - 1) / n)."""
    return 1.0 - 2.0 * scipy.stats.t.sf(Z * np.sqrt((n - 1) / n), n - 1)


def _normal_sigma(n, _):
    """The interval of the logarithm: n s^2 / sigma^2 is chi-square with n - 1 degrees of freedom."""
    reach = np.exp(2.0 * Z / np.sqrt(2.0 * n))
    return np.diff(scipy.stats.chi2.cdf([n / reach, n * reach], n - 1))[0]


def _exponential(n, _):
    """The interval of the logarithm: twice the sum over the scale is chi-square with 2 n degrees of freedom."""
    reach = np.exp(Z / np.sqrt(n))
    return np.diff(scipy.stats.chi2.cdf([2 * n / reach, 2 * n * reach], 2 * n))[0]


def _bernoulli(n, p):
    """By enumeration, in logits; of no head and of no tail the interval is one-sided, and its other end unknown."""
    k = np.arange(1, n)
    inside = np.abs(np.log(k / (n - k)) - np.log(p / (1 - p))) <= Z / np.sqrt(k * (n - k) / n)
    return scipy.stats.binom.pmf(k, n, p)[inside].sum()


def _poisson(n, rate):
    """By enumeration, in logarithms."""
    total = np.arange(1, int(n * rate + 20 * np.sqrt(n * rate) + 50))
    inside = np.abs(np.log(total / (n * rate))) <= Z / np.sqrt(total)
    return scipy.stats.poisson.pmf(total, n * rate)[inside].sum()


D = jm.densities
MODELS = (
    Model(
        "normal, mean",
        D.normal,
        lambda p, x: (p["mu"], p["sigma"]),
        {"mu": 1.0, "sigma": 2.0},
        {"sigma": jm.positive},
        _normal_mean,
    ),
    Model(
        "normal, sd",
        D.normal,
        lambda p, x: (p["mu"], p["sigma"]),
        {"sigma": 2.0, "mu": 1.0},
        {"sigma": jm.positive},
        _normal_sigma,
    ),
    Model(
        "exponential, scale",
        D.exponential,
        lambda p, x: (p["scale"],),
        {"scale": 3.0},
        {"scale": jm.positive},
        _exponential,
    ),
    Model(
        "bernoulli, probability",
        D.bernoulli,
        lambda p, x: (jnp.log(p["p"]) - jnp.log1p(-p["p"]),),
        {"p": 0.2},
        {"p": lambda x: jm.interval(x, lower=0.0, upper=1.0)},
        _bernoulli,
    ),
    Model(
        "poisson, rate", D.poisson, lambda p, x: (jnp.log(p["rate"]),), {"rate": 0.5}, {"rate": jm.positive}, _poisson
    ),
    Model(
        "linear, slope",
        D.normal,
        lambda p, x: (p["a"] + p["b"] * x, p["sigma"]),
        {"b": 0.5, "a": 1.0, "sigma": 1.0},
        {"sigma": jm.positive},
    ),
    Model("logistic, slope", D.bernoulli, lambda p, x: (p["a"] + p["b"] * x,), {"b": 1.5, "a": -0.5}, {}),
    Model("poisson regression, slope", D.poisson, lambda p, x: (p["a"] + p["b"] * x,), {"b": 0.5, "a": 0.5}, {}),
    Model(
        "gamma, shape",
        D.gamma,
        lambda p, x: (p["shape"], p["scale"]),
        {"shape": 1.5, "scale": 2.0},
        {"shape": jm.positive, "scale": jm.positive},
    ),
)


class Counted(NamedTuple):
    """How often the intervals of one kind covered, among how many, and the exact rate where there is one."""

    model: str
    n: int
    kind: str
    rate: float
    count: int
    exact: float | None

    @property
    def error(self) -> float:
        """The Monte Carlo error of the rate."""
        rate = self.rate if self.exact is None else self.exact
        return float(np.sqrt(rate * (1.0 - rate) / self.count))

    @property
    def agrees(self) -> bool:
        """Whether the rate is the exact one within three Monte Carlo errors; True where none is known."""
        return self.exact is None or bool(abs(self.rate - self.exact) <= 3.0 * self.error)


def study(model: Model, n: int, lanes: int, resampled: int, draws: int) -> list[Counted]:
    """The coverage of every kind of interval for one model and one number of rows."""
    key = jax.random.key(n)
    x = jax.random.normal(jax.random.fold_in(key, 1), (n,))
    eta = jax.vmap(lambda x: model.predictor(model.truth, x))(x)
    simulate = jax.jit(jax.vmap(lambda key: model.density.sample(key, *eta).astype(float)))
    y = simulate(jax.random.split(key, lanes))
    terms = jax.vmap(lambda y: jm.regression(model.density, model.predictor, x, y))(y)
    name = next(iter(model.truth))
    start = {leaf: model.marks.get(leaf, float)(value) for leaf, value in model.truth.items()}
    fits = jm.fit_batch(terms, start)
    axes, truth = (jm.lane_axes(terms), 0), model.truth[name]
    rows = []

    def count(kind, covered, exact=None):
        rows.append(Counted(model.name, n, kind, float(np.mean(covered)), len(covered), exact))

    for kind in ("observed", "expected", "hc0"):
        low, high = _ends(terms, fits, axes, kind)
        exact = model.exact(n, truth) if model.exact and kind == "expected" else None
        count(f"Wald, {kind}", (low[name] <= truth) & (truth <= high[name]), exact)
    held = _held(terms, start, name, truth)
    count("profile", 2.0 * (np.asarray(fits.log_likelihood) - held) <= CHI_SQUARE)
    if n > MOST_RESAMPLED:
        return rows
    some, few = jax.tree.map(lambda leaf: leaf[:resampled], (terms, fits))
    keys = jax.random.split(jax.random.fold_in(key, 2), resampled)
    drawn = jax.vmap(lambda term, fit, key: jm.bootstrap(term, fit, key, draws, studentise=True), in_axes=(*axes, 0))(
        some, few, keys
    )
    for kind in ("percentile", "bca", "studentised"):
        low, high = drawn.conf_int(0.05, kind)
        count(f"bootstrap, {kind}", np.asarray((low[name] <= truth) & (truth <= high[name])))
    return rows


def _ends(terms, fits, axes, kind):
    inference = jax.jit(jax.vmap(lambda term, fit: jm.infer(term, fit, kind), in_axes=axes))(terms, fits)
    return jax.tree.map(np.asarray, inference.conf_int())


def _held(terms, start, name, truth):
    """The log-likelihood where the parameter of interest has its true value and the others are fitted."""
    if len(start) == 1:
        return np.asarray(jax.vmap(lambda term: term({name: truth}), in_axes=(jm.lane_axes(terms),))(terms))
    return np.asarray(jm.fit_batch(terms, start | {name: jm.fixed(truth)}).log_likelihood)


def show(rows: list[Counted]) -> str:
    """The rates as a table in Markdown, in per cent."""
    lines = ["| model | rows | interval | covers | +- | exact |", "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        exact = "" if row.exact is None else f"{100 * row.exact:.2f}{'' if row.agrees else ' MISSED'}"
        numbers = f"{100 * row.rate:.2f} | {100 * row.error:.2f} | {exact}"
        lines.append(f"| {row.model} | {row.n} | {row.kind} | {numbers} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; the number of exact rates that were missed is the exit status."""
    jax.config.update("jax_enable_x64", True)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--models", nargs="*", help="names that begin so; by default all")
    options = parser.parse_args(arguments)
    sizes, *counts = SMALL if options.small else (SIZES, LANES, RESAMPLED, DRAWS)
    wanted = [m for m in MODELS if not options.models or m.name.startswith(tuple(options.models))]
    rows = []
    for model in wanted:
        for n in sizes:
            rows += study(model, n, *counts)
            print(f"{model.name}, {n} rows", file=sys.stderr, flush=True)
    print(show(rows))
    return sum(not row.agrees for row in rows)


if __name__ == "__main__":
    sys.exit(main())
