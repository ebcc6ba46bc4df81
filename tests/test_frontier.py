"""A stochastic frontier whose residuals are skewed the wrong way: its inefficiency is at zero, where the score of it is
the intercept's, and the way there is a bent valley in which everything fades."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from jax.scipy.stats import norm

import jaxmle as jm
from jaxmle.core import status as codes


def _frontier(params, data):
    """Noise less a half-normal inefficiency (Aigner, Lovell and Schmidt 1977, equation 8)."""
    left = data["y"] - data["x"] @ params["b"]
    scale = jnp.hypot(params["inefficiency"], params["noise"])
    ratio = params["inefficiency"] / params["noise"]
    return jnp.log(2.0) + norm.logpdf(left / scale) - jnp.log(scale) + norm.logcdf(-left * ratio / scale)


def _no_inefficiency(seed):
    """A sample whose residuals are skewed the wrong way for a frontier, and where to start."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(500), rng.normal(size=500)])
    y = x @ np.array([1.0, 0.5]) + 0.4 * rng.normal(size=500) + 0.8 * np.abs(rng.normal(size=500))
    start = {"b": jnp.zeros(2), "inefficiency": jm.positive(1.0), "noise": jm.positive(1.0)}
    return jm.likelihood(_frontier, {"x": x, "y": y}), start


@pytest.mark.parametrize("seed, kind", [(4, "observed"), (1, "observed"), (4, "opg"), (6, "hc0")])
def test_at_a_limit_the_others_have_the_errors_they_have_with_it_held(seed, kind):
    """Residuals skewed the wrong way have no inefficiency, and its score at zero is the intercept's: where both are
    free their errors depend on where the climb ended, and are 70 times too large."""
    term, start = _no_inefficiency(seed)
    fit = jm.fit(term, start)
    assert int(fit.status) == codes.BOUNDARY
    held = jm.infer(term, jm.fit(term, {**start, "inefficiency": jm.fixed(1e-8)}), kind)
    found = jm.infer(term, fit, kind)
    assert np.isnan(found.bse["inefficiency"])
    assert "has the standard error that it has with the others held at theirs" in " ".join(str(found).split())
    for name in ("b", "noise"):
        np.testing.assert_allclose(found.bse[name], held.bse[name], rtol=1e-3)


@pytest.mark.parametrize("seed", [9, 12, 17, 20, 21, 23])
def test_the_climb_ends_although_the_valley_bends(seed):
    """Above rounding its steps are refused, and below it they are lost, in turn for ever."""
    fit = jm.fit(*_no_inefficiency(seed))
    assert int(fit.status) == codes.BOUNDARY, fit.message
    assert fit.steps < 200


def test_a_profile_goes_on_where_a_long_step_threw_another_number_out_of_its_range():
    """From a limit the first steps move its logarithm by hundreds: that no number is finite there is no end."""
    term, start = _no_inefficiency(1)
    fit = jm.fit(term, start)
    end = jm.profile(term, fit, "b[0]").upper["b"][0]

    def with_intercept_at(params, data):
        return _frontier({**params, "b": jnp.stack([end, params["slope"]])}, data)

    inside = {"slope": 0.5, "inefficiency": jm.positive(0.3), "noise": jm.positive(0.6)}
    best = jm.fit(jm.likelihood(with_intercept_at, term.data), inside)
    np.testing.assert_allclose(fit.value - best.value, 0.5 * scipy.stats.chi2.ppf(0.95, 1), rtol=1e-6)


def test_a_climb_that_is_stuck_with_something_left_has_not_converged_to_rounding():
    def bent(params, _):
        return -1e-12 * (1 - params[0]) ** 2 - 100 * (params[1] - params[0] ** 2) ** 2

    term = jm.likelihood(bent, jnp.zeros(20), rows=False, nobs=20)
    fit = jm.fit(term, jnp.array([-1.2, 1.0]), tolerance=1e-16, max_steps=100)
    assert int(fit.status) != codes.STALLED_AT_ROUNDING, fit.message
