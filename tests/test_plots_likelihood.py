"""Pictures of the likelihood: the numbers on the Axes are those of the toolkit, and of closed forms."""

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st
from matplotlib import pyplot
from plot_cases import _closed, colours, entries, line, names  # noqa: F401

import jaxmle as jm
from jaxmle.plots import style

Y = np.array([1.2, 2.1, 4.3, 4.4, 7.9, 3.3, 5.0, 2.2])
HEADS, TOSSES = 7, 10


@pytest.fixture(scope="module")
def normal():
    problem = jm.models.normal(jnp.asarray(Y))
    return problem, jm.fit(problem)


@pytest.fixture(scope="module")
def coin():
    problem = jm.models.bernoulli(jnp.arange(TOSSES) < HEADS)
    return problem, jm.fit(problem)


def test_the_curve_of_a_coin_is_the_binomial_likelihood(coin):
    ax = jm.plots.likelihood_curve(*coin, "p")
    p, value = line(ax, "log-likelihood")
    np.testing.assert_allclose(value, HEADS * np.log(p) + (TOSSES - HEADS) * np.log1p(-p), rtol=1e-10)
    assert p.min() > 0
    assert p.max() < 1
    top = HEADS / TOSSES
    np.testing.assert_allclose(line(ax, "estimate"), [[top], [coin[1].value]])
    p, bend = line(ax, "quadratic")
    np.testing.assert_allclose(bend - coin[1].value, -0.5 * TOSSES * (p - top) ** 2 / (top * (1 - top)), rtol=1e-6)
    span = ax.patches[0].get_x(), ax.patches[0].get_x() + ax.patches[0].get_width()
    ends = jm.profile(*coin)
    np.testing.assert_allclose(span, [ends.lower["p"], ends.upper["p"]])
    (height,) = {float(y) for one in ax.lines if one.get_linestyle() == ":" for y in one.get_ydata()}
    np.testing.assert_allclose(height, coin[1].value - st.chi2(1).ppf(0.95) / 2, rtol=1e-12)
    assert names(ax) == ("p", "log-likelihood")
    assert entries(ax) == ["95 % interval", "log-likelihood", "quadratic", "estimate 0.7"]


def test_others_are_profiled_or_held(normal):
    problem, fit = normal
    n, mean, variance = Y.size, Y.mean(), Y.var()
    ax = jm.plots.likelihood_curve(problem, fit, "mu", units="mm")
    assert ax.get_xlabel() == "mu (mm)"
    mu, value = line(ax, "log-likelihood, others profiled")
    np.testing.assert_allclose(fit.value - value, n / 2 * np.log1p((mu - mean) ** 2 / variance), atol=1e-7)
    ax = jm.plots.likelihood_curve(problem, fit, "mu", others="held", points=[3.0, 4.0, 5.0], ax=ax)
    mu, value = line(ax, "log-likelihood, others held")
    np.testing.assert_array_equal(mu, [3.0, 4.0, 5.0])
    np.testing.assert_allclose(value, [st.norm(m, np.sqrt(variance)).logpdf(Y).sum() for m in mu], rtol=1e-10)
    with_prior = problem + jm.priors.normal("mu", 0.0, 2.0)
    assert names(jm.plots.likelihood_curve(with_prior, jm.fit(with_prior), "mu")) == ("mu", "log-posterior")


def test_the_profile_has_both_intervals(normal):
    ax = jm.plots.profile(*normal, "sigma", level=0.9)
    (curve,) = [one for one in ax.lines if one.get_label() == "profile"]
    sigma = np.asarray(curve.get_xdata())
    fall = Y.size * (np.log(sigma / Y.std()) + 0.5 * (Y.var() / sigma**2 - 1.0))
    np.testing.assert_allclose(curve.get_ydata(), -fall, atol=1e-7)
    both = jm.profile(*normal, "sigma", level=0.9)
    np.testing.assert_allclose(line(ax, "profile 90 %")[0], [both.lower["sigma"], both.upper["sigma"]])
    np.testing.assert_allclose(line(ax, "Wald 90 %")[0], [both.wald_lower["sigma"], both.wald_upper["sigma"]])
    np.testing.assert_allclose(line(ax, "profile 90 %")[1], -st.chi2(1).ppf(0.9) / 2, rtol=1e-12)


def test_the_region_is_that_of_the_likelihood_ratio(normal):
    problem, fit = normal
    ax = jm.plots.contours(problem, fit, ("mu", "sigma"), levels=(0.9,), units=("mm", None))
    (region,) = [one for one in ax.collections if len(one.get_paths())]
    edge = np.concatenate([path.vertices for path in region.get_paths()])
    fall = st.chi2(2).ppf(0.9) / 2
    drop = fit.value - np.array([st.norm(*point).logpdf(Y).sum() for point in edge])
    np.testing.assert_allclose(drop, fall, atol=0.02)  # straight lines across cells a fortieth of the region wide
    ellipse = np.stack(line(ax, "90 % Wald"), axis=1) - [Y.mean(), Y.std()]
    precision = np.linalg.inv(np.asarray(jm.infer(problem, fit).cov))
    np.testing.assert_allclose(np.einsum("ni,ij,nj->n", ellipse, precision, ellipse), 2 * fall, rtol=1e-8)
    assert ax.get_xlim()[0] < edge[:, 0].min()
    assert ax.get_xlim()[1] > edge[:, 0].max()
    assert names(ax) == ("mu (mm)", "sigma")


def test_the_surface_has_its_scale_and_its_estimate(normal):
    ax = jm.plots.likelihood_surface(*normal, ("sigma", "mu"), size=15)
    np.testing.assert_allclose(np.ravel(line(ax, "estimate")), [Y.std(), Y.mean()])
    bar = next(other for other in ax.figure.axes if other is not ax)
    assert bar.get_ylabel() == "log-likelihood"
    shades, region = [one for one in ax.collections if hasattr(one, "levels")]
    fall = st.chi2(2).ppf(0.95) / 2
    edge = np.concatenate([path.vertices for path in region.get_paths()])
    drop = normal[1].value - np.array([st.norm(mu, sigma).logpdf(Y).sum() for sigma, mu in edge])
    np.testing.assert_allclose(drop, fall, atol=0.4)  # straight lines across cells a tenth of the region wide
    assert abs(np.mean(drop) - fall) < 0.2
    ellipse = np.stack(line(ax, "quadratic"), axis=1) - [Y.std(), Y.mean()]
    precision = np.diag([2.0, 1.0]) * Y.size / Y.var()
    np.testing.assert_allclose(np.einsum("ni,ij,nj->n", ellipse, precision, ellipse), 2 * fall, rtol=1e-6)
    top = float(normal[1].value)
    np.testing.assert_allclose([shades.levels[0], shades.levels[-1]], [top - 4 * fall, top])
    assert shades.get_paths()[-1].contains_point((Y.std(), Y.mean()))  # the brightest shade
    assert names(ax) == ("sigma", "mu")
    assert entries(ax) == ["95 % region", "quadratic", "estimate"]


def test_colours_are_those_that_the_colour_blind_tell_apart(normal):
    allowed = {*style.COLOURS, style.GREY, style.PALE, "#FFFFFF"}
    assert colours(jm.plots.profile(*normal, "mu")) <= allowed
    assert len(set(style.COLOURS)) == len(style.COLOURS)


def test_the_estimate_is_seen_on_dark_axes(coin, normal):
    with pyplot.style.context("dark_background"):
        dark = pyplot.subplots(1, 3)[1]
    jm.plots.likelihood_curve(*coin, "p", ax=dark[0])
    jm.plots.profile(*coin, "p", ax=dark[1])
    jm.plots.contours(*normal, ("mu", "sigma"), size=9, ax=dark[2])
    for ax in dark:
        estimate = next(one for one in ax.lines if str(one.get_label()).startswith("estimate"))
        assert estimate.get_color() == style.WHITE
    assert style.ink(pyplot.subplots()[1]) == style.BLACK


def test_names_stand_in_the_place_of_labels(normal, coin):
    assert names(jm.plots.profile(*coin, "p", name="heads", units="share"))[0] == "heads (share)"
    assert names(jm.plots.likelihood_curve(*coin, "p", name="heads"))[0] == "heads"
    both = {"names": ("mean", None), "units": ("mm", "mm"), "size": 9}
    assert names(jm.plots.contours(*normal, ("mu", "sigma"), **both)) == ("mean (mm)", "sigma (mm)")
    assert names(jm.plots.likelihood_surface(*normal, ("mu", "sigma"), **both)) == ("mean (mm)", "sigma (mm)")


def test_an_axes_of_ones_own_is_drawn_on(coin):
    mine = pyplot.subplots(1, 2)[1]
    assert jm.plots.likelihood_curve(*coin, "p", ax=mine[1]) is mine[1]
    assert not mine[0].lines
    with pytest.raises(TypeError, match="ax must be one Axes of matplotlib, not a ndarray"):
        jm.plots.likelihood_curve(*coin, "p", ax=mine)


def test_bad_input_is_named(normal, coin):
    with pytest.raises(ValueError, match=r"this plot is of 2 numbers, and 'mu' names 1: choose 2 numbers of mu, sigma"):
        jm.plots.contours(*normal, "mu")
    with pytest.raises(KeyError, match="no parameter is called 'q'"):
        jm.plots.likelihood_curve(*coin, "q")
    with pytest.raises(ValueError, match="level must be a number between 0 and 1, the confidence"):
        jm.plots.contours(*normal, ("mu", "sigma"), levels=(0.5, 1.0))
    with pytest.raises(ValueError, match="levels is empty"):
        jm.plots.contours(*normal, ("mu", "sigma"), levels=())
    with pytest.raises(ValueError, match="size is how many values of each parameter"):
        jm.plots.likelihood_surface(*normal, ("mu", "sigma"), size=2)
    with pytest.raises(ValueError, match="finite at none of the points"):
        jm.plots.likelihood_curve(*coin, "p", points=[-1.0, 2.0])
    one_sided = jm.models.bernoulli(jnp.ones(5, int))
    with pytest.raises(ValueError, match="there is no estimate to draw: the maximum is on the boundary"):
        jm.plots.likelihood_curve(one_sided, jm.fit(one_sided), "p")


def test_without_matplotlib_the_package_works_and_a_plot_says_what_to_install():
    code = (
        "import sys; sys.modules['matplotlib'] = None; import jaxmle as jm\n"
        "try: jm.plots.losses()\n"
        "except ImportError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'not installed: pip install "jaxmle[plots]"' in run.stdout
