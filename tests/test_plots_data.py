"""Pictures of the model against the data: the numbers on the Axes are those of scipy, statsmodels and the toolkit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st
import statsmodels.api as sm
from matplotlib import pyplot
from plot_cases import _closed, entries, line, names  # noqa: F401

import jaxmle as jm
from jaxmle.plots.worst import name_worst

RNG = np.random.default_rng(4)
N = 50
X = np.column_stack([np.ones(N), RNG.normal(size=N)])
COUNTS = RNG.poisson(np.exp(X @ [0.7, 0.5]))
COUNTS[7] += 9
TIMES = np.minimum(RNG.weibull(1.5, N) * 8.0, RNG.uniform(2.0, 16.0, N))
SEEN = RNG.uniform(size=N) < 0.7


@pytest.fixture(scope="module")
def poisson():
    problem = jm.models.poisson_regression(jnp.asarray(X), jnp.asarray(COUNTS))
    return problem, jm.fit(problem)


@pytest.fixture(scope="module")
def censored():
    density = jm.densities.censored(jm.densities.exponential)
    upper = jnp.asarray(np.where(SEEN, TIMES, np.inf))
    term = jm.regression(density, lambda p, row: (p["scale"], row), upper, jnp.asarray(TIMES))
    return term, jm.fit(term, {"scale": jm.positive(5.0)})


def points(ax):
    """The points without a line, and their number."""
    (found,) = [one for one in ax.lines if one.get_linestyle() == "None" and one.get_marker() == "o"]
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def test_residuals_against_the_mean(poisson):
    problem, fit = poisson
    ax = jm.plots.residuals(problem, fit, kind="pearson", units="per day", worst=1)
    other = sm.GLM(COUNTS, X, family=sm.families.Poisson()).fit(tol=1e-12)
    mean, value = points(ax)
    np.testing.assert_allclose(mean, other.fittedvalues, rtol=1e-6)
    np.testing.assert_allclose(value, other.resid_pearson, rtol=1e-6, atol=1e-7)
    assert names(ax) == ("predicted mean (per day)", "Pearson residual")
    assert [text.get_text() for text in ax.texts] == [str(np.abs(other.resid_pearson).argmax())]
    order = np.argsort(mean)
    middle = np.convolve(other.resid_pearson[order], np.ones(10) / 10, "valid")
    np.testing.assert_allclose(line(ax, "running mean")[1], middle, atol=1e-6)
    dashed = sorted(one.get_ydata()[0] for one in ax.lines if one.get_linestyle() == "--")
    np.testing.assert_allclose(dashed, st.norm.ppf([0.025, 0.975]))


def test_residuals_against_a_column_and_by_name(poisson):
    labels = [f"day {i}" for i in range(N)]
    ax = jm.plots.residuals(*poisson, X[:, 1], name="heat", labels=labels, worst=1)
    np.testing.assert_array_equal(points(ax)[0], X[:, 1])
    np.testing.assert_array_equal(points(ax)[1], jm.residuals(*poisson, key=jax.random.key(0)))
    assert names(ax) == ("heat", "quantile residual")
    assert ax.texts[0].get_text() == "day 7"
    with pytest.raises(ValueError, match="against has a number for each of 50 rows"):
        jm.plots.residuals(*poisson, X[:3, 1])
    with pytest.raises(ValueError, match="labels are names of the 50 rows, and there are 2 of them"):
        jm.plots.residuals(*poisson, labels=["a", "b"])


def test_quantiles_against_quantiles(poisson):
    ax = jm.plots.quantile_quantile(*poisson, level=0.9)
    expected, value = points(ax)
    np.testing.assert_allclose(expected, st.norm.ppf((np.arange(N) + 0.5) / N), rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(value, np.sort(jm.residuals(*poisson, key=jax.random.key(0))))
    band = ax.collections[0].get_paths()[0].vertices
    i = np.arange(1, N + 1)
    lower = st.norm.ppf(st.beta.ppf(0.05, i, N + 1 - i))
    inside = np.isin(np.round(lower, 6), np.round(band[:, 1], 6))
    assert inside.all()
    assert "7" in [text.get_text() for text in ax.texts]
    assert entries(ax) == ["90 % band, pointwise", "the model is right", "rows"]


def test_impossible_rows_are_counted_and_not_drawn():
    term = jm.regression(
        jm.densities.exponential, lambda p, x: (p["scale"],), jnp.ones(4), jnp.asarray([1.0, 2, 3, -1])
    )
    fit = jm.Fit.at(jm.regression(jm.densities.exponential, *_kept(term)), {"scale": jm.positive(2.0)})
    ax = jm.plots.quantile_quantile(term, fit)
    assert points(ax)[0].size == 3
    assert "1 rows are impossible under the model" in entries(ax)


def _kept(term):
    return term.predictor, term.x[:3], term.y[:3]


def test_influence_against_leverage(poisson):
    ax = jm.plots.influence(*poisson, labels=[f"row {i}" for i in range(N)], worst=2)
    other = sm.GLM(COUNTS, X, family=sm.families.Poisson()).fit(tol=1e-12).get_influence()
    leverage, distance = points(ax)
    np.testing.assert_allclose(leverage, other.hat_matrix_diag, rtol=1e-6)
    worst = np.argsort(-distance)[:2]
    assert [text.get_text() for text in ax.texts] == [f"row {i}" for i in worst]
    np.testing.assert_allclose(line(ax, "twice the mean")[0], 2 * 2 / N, rtol=1e-6)
    assert names(ax) == ("leverage", "Cook's distance")


def test_counts_have_bars_and_probabilities(poisson):
    problem, fit = poisson
    ax = jm.plots.density(problem, fit, name="calls")
    heights = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(heights, np.bincount(COUNTS) / N)
    at, fitted = points(ax)
    rate = np.exp(X @ np.asarray(fit.params["beta"]))
    np.testing.assert_allclose(fitted, st.poisson.pmf(at[:, None], rate).mean(axis=1), rtol=1e-10)
    assert names(ax) == ("calls", "probability")


def test_counts_of_many_values_have_a_histogram_and_the_fit_at_whole_numbers():
    y = np.array([0, 0, 0, 1, 0, 900])
    problem = jm.models.poisson(jnp.asarray(y))
    ax = jm.plots.density(problem, jm.fit(problem))
    at, fitted = line(ax, "fit")
    seen = np.isfinite(fitted)
    np.testing.assert_allclose(fitted[seen], st.poisson.pmf(at[seen], y.mean()), rtol=1e-9)
    assert np.nanmax(fitted) == pytest.approx(st.poisson.pmf(np.arange(901), y.mean()).max(), rel=0.05)
    areas = [bar.get_height() * bar.get_width() for bar in ax.patches]
    assert sum(areas) == pytest.approx(1.0)
    assert areas[0] == pytest.approx(5 / 6)
    assert all(bar.get_x() % 1 == 0.5 for bar in ax.patches)
    assert ax.get_ylabel() == "probability of each value"


def test_a_peak_among_far_tails_is_drawn():
    y = st.cauchy.rvs(size=300, random_state=5)
    problem = jm.models.distribution(jm.densities.cauchy, jnp.asarray(y))
    fit = jm.fit(problem)
    ax = jm.plots.density(problem, fit)
    fitted = line(ax, "fit")[1]
    assert fitted.max() == pytest.approx(1 / (np.pi * float(fit.params["scale"])), rel=1e-3)
    quartiles = np.quantile(y, [0.25, 0.75])
    far = (y < quartiles[0] - 15 * np.ptp(quartiles)) | (y > quartiles[1] + 15 * np.ptp(quartiles))
    assert f"rows outside: {far.sum()}" in entries(ax)
    areas = [bar.get_height() * bar.get_width() for bar in ax.patches]
    assert sum(areas) == pytest.approx(1 - far.mean())
    assert all(not text.startswith("rows") for text in entries(jm.plots.density(problem, fit, bins=5)))


def test_names_of_rows_at_one_place_are_written_below_each_other():
    ax = pyplot.subplots()[1]
    ax.plot([0.0, 5.0, 5.0, 5.0], [0.0, 1.0, 1.001, 1.002], "o")
    x, y = (np.asarray(part) for part in (ax.lines[0].get_xdata(), ax.lines[0].get_ydata()))
    name_worst(ax, x, y, y, [f"household {i}" for i in range(4)], 4)
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 4
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


def test_a_histogram_has_the_density_over_it():
    y = RNG.normal(3.0, 2.0, 80)
    weights = RNG.integers(0, 3, 80)
    problem = jm.models.normal(jnp.asarray(y), weights=jnp.asarray(weights, float))
    ax = jm.plots.density(problem, jm.fit(problem), bins=7, units="mm")
    x, fitted = line(ax, "fit")
    mean = np.average(y, weights=weights)
    np.testing.assert_allclose(
        fitted, st.norm(mean, np.sqrt(np.average((y - mean) ** 2, weights=weights))).pdf(x), rtol=1e-9
    )
    expected = np.histogram(y, 7, weights=weights, density=True)[0]
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], expected)
    assert names(ax) == ("response (mm)", "density (per mm)")


@pytest.mark.parametrize("value", [np.nan, 1e6])
@pytest.mark.parametrize("model", ["normal", "poisson", "censored"])
def test_rows_of_weight_zero_are_not_drawn(model, value):
    """The picture is that without them, whatever they hold."""
    y = {"normal": RNG.normal(size=30), "poisson": RNG.poisson(3.0, 30), "censored": TIMES[:30]}[model]
    weights = np.where(np.arange(30) % 7 == 0, 0.0, 1.0)
    density = jm.densities.censored(jm.densities.exponential)

    def drawn(y, weights, seen):
        if model == "censored":
            upper = jnp.asarray(np.where(seen, y, np.inf))
            problem = jm.regression(density, lambda p, row: (p["scale"], row), upper, jnp.asarray(y), weights)
            fit = jm.fit(problem, {"scale": jm.positive(1.0)})
        else:
            problem = getattr(jm.models, model)(y, weights=weights)
            fit = jm.fit(problem)
        assert fit.ok, fit.message
        ax = jm.plots.density(problem, fit)
        return ax.get_xlim(), [bar.get_height() for bar in ax.patches], *(one.get_ydata() for one in ax.lines)

    kept, seen = weights > 0, np.arange(30) % 3 > 0
    whole = drawn(np.where(kept, y, value), weights, seen)
    for one, other in zip(whole, drawn(y[kept], weights[kept], seen[kept]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_censored_times_have_survival_curves(censored):
    ax = jm.plots.density(*censored, name="time", units="months")
    other = sm.SurvfuncRight(TIMES, SEEN)
    time, lasts = line(ax, "data (Kaplan-Meier)")
    assert (time[0], lasts[0]) == (0.0, 1.0)
    last = np.searchsorted(time, other.surv_times, side="right") - 1
    np.testing.assert_allclose(lasts[last], other.surv_prob, rtol=1e-12)
    x, fitted = line(ax, "fit")
    np.testing.assert_allclose(fitted, np.exp(-x * SEEN.sum() / TIMES.sum()), rtol=1e-8)
    assert line(ax, "censored")[0].tolist() == sorted(TIMES[~SEEN])
    assert names(ax) == ("time (months)", "share that lasts longer")
    assert "95 % band, pointwise" in entries(ax)
    inner = (other.surv_prob > 0) & (other.surv_prob < 1)
    prob, bse = other.surv_prob[inner], other.surv_prob_se[inner]
    half = 1.959964 * bse / (prob * np.abs(np.log(prob)))  # of log(-log S)
    ends = np.exp(np.log(prob) * np.exp([half, -half]))
    band = next(one for one in ax.collections if one.get_label().startswith("95 % band"))
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(ends.min(), rel=1e-5)
    assert heights.max() == pytest.approx(ends.max(), rel=1e-5)
    assert np.isin(np.round(ends, 6), np.round(heights, 6)).all()


def test_what_has_no_empirical_curve_says_so(poisson):
    density = jm.densities.censored(jm.densities.exponential)
    upper = jnp.asarray([2.0, 3.0, jnp.inf])
    term = jm.regression(density, lambda p, row: (p["scale"], row), upper, jnp.asarray([1.0, 3.0, 2.0]))
    with pytest.raises(ValueError, match="row 0 is known to an interval or from above only"):
        jm.plots.density(term, jm.fit(term, {"scale": jm.positive(1.0)}))
    function = jm.likelihood(lambda p, y: -((y - p["m"]) ** 2), jnp.arange(3.0))
    with pytest.raises(TypeError, match=r"only a jm\.regression"):
        jm.plots.density(function, jm.fit(function, {"m": 0.0}))
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), poisson[1])
    with pytest.raises(ValueError, match=r"this plot is of one fit, and this is a batch"):
        jm.plots.influence(poisson[0], batch)
