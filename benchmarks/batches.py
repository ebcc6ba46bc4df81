"""Batches: ten thousand small fits, one in a hundred of them bad; fifty thousand ragged groups. Peers are loops."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import statsmodels.api as sm

import jaxmle as jm
from benchmarks import numpy_reference
from benchmarks.measure import Row, against, time_of, worst

LANES, ROWS, COLUMNS = 10_000, 200, 5
SAMPLE = 200  # of the fits that a peer's loop is timed on; its time is scaled to all of them
GROUPS, SHORTEST, LONGEST, GROUP_COLUMNS = 50_000, 20, 2_000, 4


def rows() -> list[Row]:
    """Logistic fits with standard errors, clean and with bad lanes; then groups of a Poisson regression."""
    return _lanes() + _ragged()


def _scaled(function, of: int, sample: int):
    """Seconds of a peer's loop over all, from the best of three over a sample."""
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times) * of / sample


def _lanes():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((LANES, ROWS, COLUMNS))
    x[:, :, 0] = 1.0
    beta = rng.standard_normal((LANES, COLUMNS)) / 2
    y = (rng.random((LANES, ROWS)) < 1 / (1 + np.exp(-np.einsum("lnp,lp->ln", x, beta)))).astype(float)
    bad = rng.choice(LANES, LANES // 100, replace=False)
    spoilt_x, spoilt_y = x.copy(), y.copy()
    half = bad.size // 2
    spoilt_y[bad[:half]] = x[bad[:half], :, 1] > 0
    spoilt_x[bad[half:], 3, 1] = np.nan
    question = f"{LANES:,} logistic fits of {ROWS} x {COLUMNS}, with standard errors"
    sample = range(0, LANES, LANES // SAMPLE)

    def by_numpy():
        fits = [
            numpy_reference.newton(lambda b, i=i: numpy_reference.bernoulli(b, x[i], y[i]), np.zeros(COLUMNS), 1e-20)
            for i in sample
        ]
        return np.array([fit.estimate for fit in fits]), np.array([fit.standard_errors for fit in fits])

    def by_statsmodels():
        fits = [sm.Logit(y[i], x[i]).fit(disp=0, tol=1e-10) for i in sample]
        return np.array([fit.params for fit in fits]), np.array([fit.bse for fit in fits])

    clean, spoilt = (
        jax.vmap(jm.models.logistic)(jnp.asarray(a), jnp.asarray(b)) for a, b in ((x, y), (spoilt_x, spoilt_y))
    )
    infer = jax.jit(jax.vmap(jm.infer, in_axes=(jm.lane_axes(clean), 0)))

    def by_infer(problems):
        fits = jm.fit_batch(problems)
        return fits.params["beta"], infer(problems, fits).bse["beta"]

    truth, errors = by_numpy()
    others = np.setdiff1d(np.arange(LANES), bad)
    peers = {"statsmodels Logit": by_statsmodels, "NumPy Newton": by_numpy}
    table = []
    for who, peer in peers.items():
        found = peer()
        error = max(worst(found[0], truth), worst(found[1], errors))
        seconds = _scaled(peer, LANES, len(sample))
        table.append(
            Row(
                question,
                f"loop over {who} (a sample, scaled)",
                np.nan,
                seconds,
                error,
                "of the largest coefficient or standard error",
                "float64",
            )
        )

    def measured(who, function, accuracy):
        first, warm = time_of(function)
        return Row(question, who, first, warm, accuracy(function()), table[0].of, "float64")

    def of_sample(result):
        return max(worst(result[0][sample.start :: sample.step], truth), worst(result[1][:: sample.step], errors))

    def of_fits(fits):
        return worst(fits.params["beta"][:: sample.step], truth)

    batch = jm.fit_batch(clean)

    def of_others(fits):
        return worst(fits.params["beta"][others], batch.params["beta"][others])

    jax.clear_caches()
    table.append(measured("jaxmle fit_batch and infer", lambda: by_infer(clean), of_sample))
    table.append(measured("jaxmle fit_batch", lambda: jm.fit_batch(clean), of_fits))
    table.append(
        measured(
            "jaxmle fit_batch, 1 % bad lanes (the others beside the clean batch)",
            lambda: jm.fit_batch(spoilt),
            of_others,
        )
    )
    return against(*table)


def _ragged():
    rng = np.random.default_rng(1)
    sizes = rng.integers(SHORTEST, LONGEST + 1, GROUPS)
    labels = np.repeat(np.arange(GROUPS), sizes)
    x = rng.standard_normal((labels.size, GROUP_COLUMNS)) / 2
    x[:, 0] = 1.0
    beta = rng.standard_normal((GROUPS, GROUP_COLUMNS)) / 4
    y = rng.poisson(np.exp(np.einsum("np,np->n", x, np.repeat(beta, sizes, axis=0)))).astype(float)
    ends = np.cumsum(sizes)
    question = f"{GROUPS:,} Poisson fits of {SHORTEST} to {LONGEST:,} x {GROUP_COLUMNS}"
    sample = range(0, GROUPS, GROUPS // SAMPLE)

    def of_group(i):
        return slice(ends[i] - sizes[i], ends[i])

    def by_statsmodels():
        return np.array([sm.Poisson(y[of_group(i)], x[of_group(i)]).fit(disp=0, tol=1e-10).params for i in sample])

    truth = np.array(
        [
            numpy_reference.newton(
                lambda b, at=of_group(i): numpy_reference.poisson(b, x[at], y[at]), np.zeros(GROUP_COLUMNS), 1e-20
            ).estimate
            for i in sample
        ]
    )
    start = {"beta": jnp.zeros(GROUP_COLUMNS)}

    def fits(groups):
        terms = [jm.regression(jm.densities.poisson, _predict, p.data["x"], p.data["y"], p.weights) for p in groups]
        return groups.in_order([jm.fit_batch(term, start) for term in terms]).params["beta"]

    groups = jm.group_by({"x": x, "y": y}, labels)
    whose = f"jaxmle, {len(groups)} shapes"
    of = "of the largest coefficient"
    peer = Row(
        question,
        "loop over statsmodels Poisson (a sample, scaled)",
        np.nan,
        _scaled(by_statsmodels, GROUPS, len(sample)),
        worst(by_statsmodels(), truth),
        of,
        "float64",
    )
    jax.clear_caches()
    first, warm = time_of(lambda: fits(groups), runs=3)
    error = worst(fits(groups)[:: sample.step], truth)
    begin = time.perf_counter()
    jax.block_until_ready(jm.group_by({"x": x, "y": y}, labels)[0].weights)
    packing = time.perf_counter() - begin
    return against(
        peer,
        Row(question, whose, first, warm, error, of, "float64"),
        Row(question, f"{whose}, and group_by", first + packing, warm + packing, error, of, "float64"),
    )


def _predict(params, row):
    return (row @ params["beta"],)
