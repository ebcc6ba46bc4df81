"""Pictures of estimates and of climbs: the numbers on the Axes are those of the fits."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from matplotlib import pyplot
from plot_cases import _closed, entries, line, names  # noqa: F401

import jaxmle as jm

RNG = np.random.default_rng(6)
N = 40
X = np.column_stack([np.ones(N), RNG.normal(size=(N, 2))])
Y = X @ [1.0, 0.5, -0.3] + RNG.normal(size=N)
LABELS = ["const", "age", "dose"]


@pytest.fixture(scope="module")
def linear():
    problem = jm.models.linear(jnp.asarray(X), jnp.asarray(Y), labels=LABELS)
    fit = jm.fit(problem)
    return problem, fit, jm.infer(problem, fit)


def bars(ax):
    """The ends of the horizontal bars, with their heights."""
    return np.concatenate([[(s[0][0], s[1][0], s[0][1]) for s in lines.get_segments()] for lines in ax.collections])


def test_coefficients_have_their_intervals(linear):
    _, fit, inference = linear
    ax = jm.plots.coefficients(inference, level=0.9, units="kg")
    assert [text.get_text() for text in ax.get_yticklabels()] == [*LABELS, "sigma"]
    lower, upper = inference.conf_int(0.1)
    found = bars(ax)
    np.testing.assert_allclose(found[:3, 0], lower["beta"])
    np.testing.assert_allclose(found[:3, 1], upper["beta"])
    np.testing.assert_allclose(found[:, 2], range(4))
    drawn = next(one for one in ax.lines if one.get_marker() == "o")
    np.testing.assert_allclose(drawn.get_xdata(), [*fit.params["beta"], fit.params["sigma"]])
    assert ax.get_xlabel() == "estimate and 90 % interval (kg)"
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row is at the top


def test_models_stand_side_by_side(linear):
    problem, fit, inference = linear
    robust = jm.infer(problem, fit, "hc0")
    ax = jm.plots.coefficients({"usual": inference, "robust": robust}, "beta")
    assert entries(ax) == ["usual", "robust"]
    assert len(ax.get_yticks()) == 3
    heights = bars(ax)[:, 2]
    assert len(set(heights)) == 6
    np.testing.assert_allclose(np.round(heights), np.tile(range(3), 2))
    assert entries(jm.plots.coefficients([inference, robust])) == [
        "1: Linear regression, observed",
        "2: Linear regression, hc0",
    ]


def test_an_estimate_without_an_interval_is_an_open_marker():
    twice = np.column_stack([X[:, 0], X[:, 1], X[:, 1]])
    problem = jm.models.linear(jnp.asarray(twice), jnp.asarray(Y))
    ax = jm.plots.coefficients(jm.infer(problem, jm.fit(problem)), "beta")
    (hollow,) = [one for one in ax.lines if one.get_markerfacecolor() == "none"]
    assert len(hollow.get_xdata()) == 2
    assert bars(ax).shape == (1, 3)


def test_coefficients_of_nothing_are_refused(linear):
    with pytest.raises(TypeError, match=r"coefficients are drawn of what jm\.infer returns, not of a Fit"):
        jm.plots.coefficients({"fit": linear[1]})
    with pytest.raises(ValueError, match="there is no model to draw"):
        jm.plots.coefficients([])
    with pytest.raises(KeyError, match="none of the models has a parameter called 'height'"):
        jm.plots.coefficients(linear[2], "height")


def test_the_path_of_a_ridge_is_its_closed_form():
    x, y = X[:, 1:], Y - Y.mean()
    line_ = jm.regression(jm.densities.normal, lambda p, x: (x @ p["beta"], 1.0), jnp.asarray(x), jnp.asarray(y))
    start = {"beta": jm.free(jnp.zeros(2), labels=LABELS[1:])}
    strengths = jnp.asarray([100.0, 1.0, 10.0])
    fits = jax.vmap(lambda s: jm.fit(line_ + jm.priors.normal("beta", 0.0, s**-0.5), start))(strengths)
    ax = jm.plots.regularisation_path(strengths, fits, mark=10.0, units="kg")
    for k, label in enumerate(LABELS[1:]):
        at, value = line(ax, label)
        np.testing.assert_array_equal(at, [1.0, 10.0, 100.0])
        closed = [np.linalg.solve(x.T @ x + s * np.eye(2), x.T @ y)[k] for s in at]
        np.testing.assert_allclose(value, closed, rtol=1e-8)
    assert line(ax, "chosen: 10")[0].tolist() == [10.0, 10.0]
    assert names(ax) == ("strength of the penalty", "coefficient (kg)")
    listed = [jax.tree.map(lambda leaf, i=i: leaf[i], fits) for i in range(3)]
    again = jm.plots.regularisation_path(strengths, listed, "dose", ax=None)
    np.testing.assert_array_equal(line(again, "dose")[1], line(ax, "dose")[1])
    with pytest.raises(ValueError, match=r"there are 3 fits and strengths of shape \(2,\)"):
        jm.plots.regularisation_path(strengths[:2], fits)
    with pytest.raises(ValueError, match="strengths are positive numbers"):
        jm.plots.regularisation_path(strengths - 1.0, fits)
    with pytest.raises(ValueError, match="a path is of a batch of fits"):
        jm.plots.regularisation_path(strengths, listed[0])


@pytest.fixture(scope="module")
def lanes():
    y = RNG.normal(2.0, 1.0, (6, 12))
    y[4] = np.nan
    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], p["sigma"]), jnp.asarray(y))
    fits = jm.fit_batch(term, {"mu": 0.0, "sigma": jm.positive(1.0)})
    return y, fits, jax.vmap(jm.infer, in_axes=(jm.lane_axes(term), 0))(term, fits)


def test_a_batch_shows_estimates_errors_and_failures(lanes):
    y, fits, inference = lanes
    ax = jm.plots.batch(fits, "mu", inference, reference=2.0, name="sample", units="mm")
    mean = np.sort(y.mean(axis=1)[[0, 1, 2, 3, 5]])
    np.testing.assert_allclose(line(ax, "estimate")[1], mean, rtol=1e-8)
    segments = np.asarray(ax.collections[0].get_segments())
    np.testing.assert_allclose(segments.mean(axis=1)[:, 1], mean, rtol=1e-8)
    order = np.argsort(y.mean(axis=1)[[0, 1, 2, 3, 5]])
    half = 1.959963984540054 * y.std(axis=1)[[0, 1, 2, 3, 5]][order] / np.sqrt(12)
    np.testing.assert_allclose(np.ptp(segments[:, :, 1], axis=1) / 2, half, rtol=1e-6)
    assert entries(ax)[-1] == "non finite at start (1)"
    assert int(fits.status[4]) == jm.status.NON_FINITE_AT_START
    assert jm.status.sentence(fits.status[4]) in fits.message[4]
    assert names(ax) == ("sample, by estimate", "mu (mm)")
    unsorted = jm.plots.batch(fits, "mu", sort=False)
    assert line(unsorted, "estimate")[0].tolist() == [0, 1, 2, 3, 5]
    assert line(unsorted, "non finite at start")[0].tolist() == [4]


def test_a_batch_needs_lanes(lanes, linear):
    with pytest.raises(ValueError, match="this plot is of a batch of fits"):
        jm.plots.batch(linear[1], "sigma")
    with pytest.raises(ValueError, match="the fits have 6 lanes and the inference"):
        jm.plots.batch(lanes[1], "mu", linear[2])
    with pytest.raises(ValueError, match="this plot is of one number"):
        jm.plots.batch(jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], linear[1]), "beta")


def test_convergence_is_what_is_still_to_be_gained(linear):
    problem, fit, _ = linear
    start = {"beta": jnp.zeros(3), "sigma": jm.positive(3.0)}
    traces = {"Newton": jm.trace(problem, start), "adam": jm.trace(problem, start, solver=optax.adam(0.1), max_steps=4)}
    ax = jm.plots.convergence(traces)
    steps, gain = line(ax, "Newton")
    np.testing.assert_array_equal(steps, traces["Newton"].steps)
    inner = gain > 1e-9
    np.testing.assert_allclose(gain[inner], (fit.value - np.asarray(traces["Newton"].value))[inner], rtol=1e-4)
    assert gain[0] > 1.0
    top = max(float(np.max(trace.value)) for trace in traces.values())
    floor = np.finfo(float).eps * abs(top)  # of the sum, which is above one here
    assert abs(top) > 1.0
    np.testing.assert_allclose(line(ax, "rounding")[1], floor)
    assert floor <= gain.min() < 1e-12
    assert line(ax, "adam")[0].tolist() == [1, 2, 3, 4]
    assert ax.get_yscale() == "log"
    assert names(ax) == ("evaluations", "log-likelihood still to be gained")


def test_convergence_of_training_counts_epochs():
    term = jm.regression(jm.densities.normal, lambda p, x: (p["a"] * x, 1.0), jnp.asarray(X[:, 1]), jnp.asarray(Y))
    fit = jm.train(term, {"a": 0.0}, optax.sgd(0.1), key=jax.random.key(0), epochs=5)
    ax = jm.plots.convergence(fit, best=float(fit.history["log_likelihood"][-1]) + 1.0)
    (drawn,) = [one for one in ax.lines if len(one.get_xdata()) == 5]
    expected = fit.history["log_likelihood"][-1] + 1.0 - fit.history["log_likelihood"]
    np.testing.assert_allclose(drawn.get_ydata(), expected, rtol=1e-12)
    assert ax.get_xlabel() == "epochs"
    with pytest.raises(TypeError, match=r"a trace is what jm\.trace returns, or a fit of jm\.train, not a float"):
        jm.plots.convergence({"x": 1.0})
    with pytest.raises(ValueError, match="there is no trace to draw"):
        jm.plots.convergence({})


def test_convergence_with_a_prior_is_of_the_log_posterior():
    # The climb begins at the maximum of the likelihood and goes to a firm prior, so that the likelihood falls.
    term = jm.regression(jm.densities.normal, lambda p, x: (p["a"] * x, 1.0), jnp.asarray(X[:, 1]), jnp.asarray(Y))
    best = {"a": float(X[:, 1] @ Y / (X[:, 1] @ X[:, 1]))}
    posterior = term + jm.priors.normal("a", 5.0, 0.05)
    fit = jm.train(posterior, best, optax.sgd(0.05), key=jax.random.key(0), epochs=4)
    likelihood, prior = np.asarray(fit.history["log_likelihood"]), np.asarray(fit.history["log_prior"])
    assert likelihood[-1] < likelihood[0]
    ax = jm.plots.convergence(fit, best=0.0)
    (drawn,) = [one for one in ax.lines if len(one.get_xdata()) == 4]
    np.testing.assert_allclose(drawn.get_ydata(), -(likelihood + prior), rtol=1e-12)
    assert ax.get_ylabel() == "log-posterior still to be gained"
    trace = jm.trace(posterior, best)
    found = jm.fit(posterior, best)
    np.testing.assert_allclose(trace.log_prior[-1], found.log_prior)
    assert float(found.log_prior) != 0.0
    assert jm.plots.convergence(trace).get_ylabel() == "log-posterior still to be gained"


def test_starts_end_at_their_maxima():
    hills = jm.log_prior(lambda p: -((p["x"] ** 2 - 4.0) ** 2) + p["x"] - (p["y"] - 1.0) ** 2)
    scattered = jm.random_starts(jax.random.key(0), {"x": 0.0, "y": 0.0}, 12, spread=2.0)
    fit, reached = jm.fit_best(hills, scattered)
    ax = jm.plots.starts(scattered, fit, "x")
    begun, ended = line(ax, f"highest: {int(reached)} starts")
    np.testing.assert_allclose(begun, np.asarray(scattered["x"])[np.asarray(fit.history["maximum"]) == 0])
    np.testing.assert_allclose(ended, fit.params["x"], rtol=1e-6)
    assert names(ax) == ("x at the start", "x at the end")
    ax = jm.plots.starts(scattered, fit, ("x", "y"))
    np.testing.assert_allclose(line(ax, "highest")[1], 1.0, rtol=1e-6)
    assert sum(len(one.get_xdata()) == 2 and one.get_linestyle() == "-" for one in ax.lines) == 12
    assert entries(ax)[1].startswith("-")
    with pytest.raises(ValueError, match=r"take the one that jm\.fit_best returns"):
        jm.plots.starts(scattered, jm.fit(hills, {"x": 1.0, "y": 0.0}), "x")
    fewer = jax.tree.map(lambda leaf: leaf[:3], scattered)
    with pytest.raises(ValueError, match="there are 3 starts, and the fit is from 12"):
        jm.plots.starts(fewer, fit, "x")


def test_starts_that_ran_away_are_left_outside_the_frame():
    # The ends of seven of twelve are at 1e-110, as scales are that shrink on one observation; the top is at 2.
    hill = jm.log_prior(lambda p: 2.0 * jnp.log(p["scale"]) - p["scale"] - (p["x"] - 1.0) ** 2)
    scattered = jm.random_starts(jax.random.key(0), {"scale": jm.positive(1.0), "x": 0.0}, 12)
    fit, _ = jm.fit_best(hill, scattered)
    lost = jnp.arange(12) < 7
    gone = jnp.where(lost[:, None], jnp.array([-253.0, 1e300]), fit.history["z"])
    history = {**fit.history, "z": gone, "maximum": jnp.where(lost, -1, fit.history["maximum"])}
    fit = dataclasses.replace(fit, history=history)
    for which in (("scale", "x"), "scale", "x"):
        ax = jm.plots.starts(scattered, fit, which)
        assert np.abs([ax.get_xlim(), ax.get_ylim()]).max() < 20.0
        assert entries(ax) == ["highest: 5 starts", "no maximum: 7"]


def test_every_maximum_found_is_in_the_frame_and_a_location_is_on_a_linear_axis():
    # Of sixty starts one reaches the far hill at 43, and all ends are positive.
    y = jnp.array([1.4, 1.7, 2.3, 2.8, 3.5, 43.2])
    hills = jm.likelihood(lambda p, y: jm.densities.cauchy.logpdf(y, p["theta"], 1.0), y)
    scattered = {"theta": jnp.concatenate([jnp.linspace(0.5, 4.0, 59), jnp.array([43.0])])}
    fit, _ = jm.fit_best(hills, scattered)
    assert float(fit.history["z"].max()) > 42.0
    ax = jm.plots.starts(scattered, fit, "theta", names=("location",))
    assert ax.get_ylim()[1] > float(fit.history["z"].max())
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")
    assert names(ax) == ("location at the start", "location at the end")
    scales = jm.log_prior(lambda p: -((jnp.log(p["scale"]) ** 2 - 9.0) ** 2))
    begun = {"scale": jm.positive(jnp.array([0.05, 0.06, 20.0, 21.0]))}
    ax = jm.plots.starts(begun, jm.fit_best(scales, begun)[0], "scale")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def legend_is_seen(ax):
    """Whether the legend is inside the figure and not over the axes, which are two inches wide and nearly one high."""
    ax.figure.draw_without_rendering()
    whole, legend, own = ax.figure.bbox, ax.get_legend().get_window_extent(), ax.get_window_extent()
    inside = whole.x0 <= legend.x0 and legend.x1 <= whole.x1 and legend.y1 <= whole.y1
    return inside and legend.y0 >= own.y1 - 1 and own.width > 2.0 * ax.figure.dpi and own.height > 0.9 * ax.figure.dpi


def test_long_names_and_many_models_leave_room_for_the_numbers(linear):
    long = [f"{word} of a substance whose name goes on" for word in ("amount", "concentration", "square")]
    problem = jm.models.linear(jnp.asarray(X), jnp.asarray(Y), labels=long)
    inference = jm.infer(problem, jm.fit(problem))
    ax = jm.plots.coefficients(inference)
    ax.figure.draw_without_rendering()
    assert ax.get_window_extent().width > 3.0 * ax.figure.dpi
    assert max(len(part) for text in ax.get_yticklabels() for part in text.get_text().split("\n")) <= 32
    many = {f"model number {i}, as it is called": inference for i in range(10)}
    assert legend_is_seen(jm.plots.coefficients(many, long[0]))
    ax = jm.plots.contours(problem, jm.fit(problem), tuple(long[:2]), levels=(0.5, 0.7, 0.8, 0.9, 0.95), size=9)
    assert len(entries(ax)) == 11
    assert legend_is_seen(ax)
    mine = pyplot.subplots(figsize=(4, 3), layout="constrained")[1]
    jm.plots.coefficients(many, long[0], ax=mine)
    mine.figure.draw_without_rendering()  # without a warning that the axes collapsed
    assert mine.get_window_extent().height > mine.figure.dpi


def test_losses_side_by_side():
    ax = jm.plots.losses({"Huber": jm.losses.huber, "half a square": lambda p, y: 0.5 * (p - y) ** 2})
    at, huber = line(ax, "Huber")
    np.testing.assert_allclose(huber, np.where(abs(at) < 1, at**2 / 2, abs(at) - 0.5), atol=1e-12)
    ax = jm.plots.losses(against="margin", points=[-2.0, 2.0])
    assert line(ax, "zero one")[1].tolist() == [1.0, 0.0]
    assert line(ax, "hinge")[1].tolist() == [3.0, 0.0]
    np.testing.assert_allclose(line(ax, "binary cross entropy")[1], np.log1p(np.exp([2.0, -2.0])))
    assert names(ax) == ("margin", "loss of one row")
    with pytest.raises(ValueError, match="losses are drawn against one of"):
        jm.plots.losses(against="time")
    with pytest.raises(ValueError, match="there is no loss to draw"):
        jm.plots.losses([])
