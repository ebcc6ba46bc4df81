"""Every way a search for an end of a profile may end, each from the public functions."""

import functools

import iminuit
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special, stats

import jaxmle as jm
from jaxmle.inference.profiles import outcome

DROP = stats.chi2.ppf(0.95, 1) / 2
ROWS = 24


@functools.cache
def _logistic():
    """Six logistic regressions on three columns, as one batch of one shape."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, ROWS, 3))
    x[..., 0] = 1.0
    y = (rng.random((6, ROWS)) < special.expit(x @ np.array([0.3, 1.0, -1.0]))).astype(float)
    terms = jm.likelihood(_bernoulli, {"x": jnp.asarray(x), "y": jnp.asarray(y)})
    return x, y, terms, jm.fit_batch(terms, {"beta": jnp.zeros(3)})


def _bernoulli(params, row):
    eta = row["x"] @ params["beta"]
    return row["y"] * eta - jnp.logaddexp(0.0, eta)


def _fall(x, y, k, c, start):
    """How far the log-likelihood, maximised by scipy with one coefficient held, is below its maximum."""
    free = np.arange(3) != k

    def minus(beta):
        eta = x @ beta
        p = special.expit(eta)
        return np.sum(np.logaddexp(0, eta) - y * eta), x.T @ (p - y), (x.T * (p * (1 - p))) @ x

    def held(u):
        return np.insert(u, k, c)

    found = optimize.minimize(
        lambda u: minus(held(u))[0],
        start[free],
        jac=lambda u: minus(held(u))[1][free],
        hess=lambda u: minus(held(u))[2][np.ix_(free, free)],
        method="trust-exact",
        options={"gtol": 1e-9},
    )
    return found.fun - minus(start)[0]


def test_ends_and_curves_of_logistic_regressions_are_those_of_refits():
    x, y, terms, fits = _logistic()
    lanes = jm.lane_axes(terms)
    profiles = jax.jit(jax.vmap(jm.profile, in_axes=(lanes, 0)))(terms, fits)
    points = fits.params["beta"][:, 1:2] + jnp.linspace(-2.0, 2.0, 9)[None, :]
    curves = jax.jit(jax.vmap(_curve, in_axes=(lanes, 0, 0)))(terms, fits, points)
    # A lane that stood at its level before it had found the ridge was once given up as stuck.
    assert np.all(curves.status == outcome.FOUND)
    for i in range(6):
        top = np.asarray(fits.params["beta"][i])
        refits = [_fall(x[i], y[i], 1, float(c), top) for c in points[i]]
        np.testing.assert_allclose(curves.drop[i], refits, rtol=1e-7, atol=1e-8)
        for end in (profiles.lower, profiles.upper):
            falls = [_fall(x[i], y[i], k, float(end["beta"][i, k]), top) for k in range(3)]
            # The slope is about two for each standard error, so this is less than 1e-6 of one.
            np.testing.assert_allclose(falls, DROP, atol=1e-6)


def _curve(term, fit, points):
    return jm.profile_curve(term, fit, "beta[1]", points)


def test_minos_agrees():
    x, y, _, fits = _logistic()
    term = jm.likelihood(_bernoulli, {"x": jnp.asarray(x[0]), "y": jnp.asarray(y[0])})
    found = jm.profile(term, jax.tree.map(lambda leaf: leaf[0] if jnp.ndim(leaf) else leaf, fits))
    m = iminuit.Minuit(
        lambda beta: float(np.sum(np.logaddexp(0, x[0] @ beta) - y[0] * (x[0] @ beta))),
        np.asarray(fits.params["beta"][0]),
        grad=lambda beta: x[0].T @ (special.expit(x[0] @ beta) - y[0]),
        name=["b0", "b1", "b2"],
    )
    m.errordef, m.strategy, m.tol = 0.5, 2, 1e-8
    m.migrad()
    m.minos(cl=0.95)
    for k, (name, error) in enumerate(m.merrors.items()):
        theirs = m.values[name] + np.array([error.lower, error.upper])
        ours = [float(end["beta"][k]) for end in (found.lower, found.upper)]
        np.testing.assert_allclose(ours, theirs, atol=3e-3 * m.errors[name])  # MINOS stops within 0.01 of its target


def _normal(params, y):
    return -0.5 * (y - params["m"]) ** 2


def _numbers():
    return 0.4 + jnp.linspace(-1.0, 1.0, 10)


@functools.cache
def _mean():
    """A normal mean of 0.4 with variance one: profiles in closed form."""
    term = jm.likelihood(_normal, _numbers())
    return term, jm.fit(term, {"m": 0.0})


def test_out_of_steps_and_constant_and_outside():
    term, fit = _mean()
    short = jm.profile(term, fit, lambda p: jnp.exp(4.0 * p["m"]), max_steps=1)
    assert int(short.status_upper) == outcome.OUT_OF_STEPS
    assert np.isnan(short.upper)
    assert "raise max_steps" in str(short)
    constant = jm.profile(term, fit, lambda p: 0.0 * p["m"])
    assert int(constant.status_lower) == int(constant.status_upper) == outcome.CONSTANT
    assert np.isnan(constant.lower)
    assert "does not depend" in str(constant)
    curve = jm.profile_curve(term, fit, lambda p: 0.0 * p["m"], jnp.array([1.0]))
    assert int(curve.status[0]) == outcome.CONSTANT


def test_a_function_with_a_largest_value_inside_the_interval_is_stuck_there():
    term, fit = _mean()
    wide = np.sqrt(2 * DROP / 10)
    wave = jm.profile(term, fit, lambda p: jnp.sin(3.0 * p["m"]))  # largest where m is pi / 6, smallest at -pi / 6
    assert 0.4 - wide > -np.pi / 6
    assert float(wave.lower) == pytest.approx(np.sin(3 * (0.4 - wide)), rel=1e-8)
    assert int(wave.status_upper) == outcome.STUCK
    assert np.isnan(wave.upper)
    assert "largest value" in str(wave)
    curve = jm.profile_curve(term, fit, lambda p: jnp.sin(3.0 * p["m"]), jnp.array([0.99, 1.5]))
    assert curve.status.tolist() == [outcome.FOUND, outcome.STUCK]
    assert float(curve.drop[0]) == pytest.approx(5 * (np.arcsin(0.99) / 3 - 0.4) ** 2, rel=1e-6)


def test_an_edge_of_the_support_and_an_end_at_rounding():
    cut = jm.likelihood(lambda p, y: jnp.where(p["m"] < 0.6, _normal(p, y), -jnp.inf), _numbers())
    profile = jm.profile(cut, jm.Fit.at(cut, {"m": 0.4}))
    assert int(profile.status_upper["m"]) == outcome.AT_EDGE
    assert float(profile.upper["m"]) == pytest.approx(0.6, abs=1e-6)
    assert float(profile.lower["m"]) == pytest.approx(0.4 - np.sqrt(2 * DROP / 10), rel=1e-8)
    assert "not finite beyond the end" in str(profile)
    huge = jm.likelihood(lambda p, y: _normal(p, y) - 1e11, _numbers())  # a rounding error of 1e-3
    profile = jm.profile(huge, jm.Fit.at(huge, {"m": 0.4}))
    assert int(profile.status_upper["m"]) == outcome.AT_ROUNDING
    assert float(profile.upper["m"]) == pytest.approx(0.4 + np.sqrt(2 * DROP / 10), rel=1e-2)
    assert profile.ok


def _two_humps(params, y):
    """A hump at zero, and a lower one at ten which is within reach of the drop."""
    return jnp.logaddexp(-0.5 * (params["m"] - y) ** 2, -0.5 - 0.05 * (params["m"] - y - 6.0) ** 2)


def test_a_profile_of_two_humps_is_said_to_rise():
    term = jm.likelihood(_two_humps, jnp.zeros(1))
    fit = jm.fit(term, {"m": 0.0}).raise_if_failed()
    profile = jm.profile(term, fit)
    value = lambda m: float(_two_humps({"m": m}, 0.0))  # noqa: E731
    wanted = optimize.brentq(lambda m: value(m) - float(fit.value) + DROP, 8.0, 30.0)
    assert int(profile.status_upper["m"]) == outcome.RISING
    assert float(profile.upper["m"]) == pytest.approx(wanted, rel=1e-7)
    assert "several pieces" in str(profile)


def test_a_ratio_whose_denominator_may_be_zero_has_one_end():
    rng = np.random.default_rng(5)
    top, bottom = rng.normal(1.0, 1.0, 10), rng.normal(0.2, 1.0, 10)
    bottom += 0.44 - bottom.mean()
    term = jm.likelihood(
        lambda p, y: -0.5 * (y["top"] - p["a"]) ** 2 - 0.5 * (y["bottom"] - p["b"]) ** 2,
        {"top": jnp.asarray(top), "bottom": jnp.asarray(bottom)},
    )
    profile = jm.profile(term, jm.fit(term, {"a": 1.0, "b": 0.4}), lambda p: p["a"] / p["b"])
    # Fieller (1954): n (a - c b)^2 / (2 (1 + c^2)) = DROP; it falls by 10 * 0.44^2 / 2 = 0.97 as c grows without end.
    fall = lambda c: 5 * (top.mean() - c * 0.44) ** 2 / (1 + c**2)  # noqa: E731
    wanted = optimize.brentq(lambda c: fall(c) - DROP, 0.0, top.mean() / 0.44)
    assert float(profile.lower) == pytest.approx(wanted, rel=1e-7)
    assert np.isposinf(profile.upper)
    assert int(profile.status_upper) == outcome.ENDLESS


def test_a_product_bounds_neither_factor():
    term = jm.likelihood(lambda p, y: -0.5 * (y - p["a"] * p["b"]) ** 2, _numbers())
    profile = jm.profile(term, jm.fit(term, {"a": jm.positive(1.0), "b": jm.positive(0.5)}))
    for name in "ab":
        assert np.isposinf(profile.upper[name])
        assert int(profile.status_upper[name]) == outcome.ENDLESS
        assert float(profile.lower[name]) == 0.0
        assert int(profile.status_lower[name]) == outcome.AT_LIMIT
    assert profile.ok
