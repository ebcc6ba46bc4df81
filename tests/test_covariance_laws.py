"""What holds for every kind of covariance: jit, vmap, constraints, what is not identified, limits, messages."""

import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.inference.covariances.groups import codes_of

N, LANES = 24, 3
RNG = np.random.default_rng(7)
X = np.column_stack([np.ones(N), RNG.normal(size=N)])
Y = X @ [1.0, 0.5] + RNG.standard_t(4, size=(LANES, N))
GROUPS = np.stack([np.arange(N) % 5, np.arange(N) // 4, np.arange(N) % 7])
START = {"beta": jnp.zeros(2), "sigma": jm.positive(1.0), "known": jm.fixed(1.0)}
KINDS = ["observed", "expected", "opg", "hc0", "hc1", "hc2", "hc3", "cluster", "hac"]


def _mean_and_scale(params, row):
    return row @ params["beta"] * params["known"], params["sigma"]


def _term(y):
    return jm.regression(jm.densities.normal, _mean_and_scale, X, y, jnp.ones(N))


@functools.cache
def _one():
    return _term(Y[1]), jm.fit(_term(Y[1]), START).raise_if_failed()


@functools.cache
def _lanes():
    lanes = jm.regression(jm.densities.normal, _mean_and_scale, np.stack([X] * LANES), Y, jnp.ones((LANES, N)))
    return lanes, jm.fit_batch(lanes, START)


@pytest.mark.parametrize("kind", KINDS)
def test_jit_equals_eager_and_vmap_equals_a_loop(kind):
    """To what rounding and the tolerance of the fits, 5e-10 standard errors, leave."""

    def infer(term, fit, groups):
        return jm.infer(term, fit, kind, groups=groups if kind == "cluster" else None)

    alone = infer(*_one(), GROUPS[1])
    jitted = jax.jit(infer)(*_one(), GROUPS[1])
    lanes, fits = _lanes()
    together = jax.vmap(infer, in_axes=(jm.lane_axes(lanes), 0, 0))(lanes, fits, GROUPS)
    for name in ("cov", "bse", "pvalues", "nobs", "facts"):
        one, other, lane = (getattr(what, name) for what in (alone, jitted, together))
        for a, b, c in zip(*map(jax.tree.leaves, (one, other, lane)), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(c[1], a, rtol=1e-7, atol=1e-9)
    assert str(jax.tree.map(lambda leaf: leaf[1], together)) == str(alone)


@pytest.mark.parametrize("kind", KINDS)
def test_fixed_is_absent_and_a_positive_parameter_keeps_its_sign(kind):
    term, fit = _one()
    inference = jm.infer(term, fit, kind, groups=GROUPS[0] if kind == "cluster" else None)
    assert inference.cov.shape == (3, 3)
    assert np.isnan(inference.bse["known"])
    lower, upper = inference.conf_int(1e-9)
    assert 0 < float(lower["sigma"]) < float(fit.params["sigma"]) < float(upper["sigma"])
    assert kind in str(inference)


COLLINEAR = np.column_stack([X, X[:, 1] * 2.0])


@functools.cache
def _collinear():
    term = jm.regression(jm.densities.normal, _mean_and_scale, COLLINEAR, Y[1], jnp.ones(N))
    return term, jm.fit(term, START | {"beta": jnp.zeros(3)})


@pytest.mark.parametrize("kind", ["hc3", "cluster"])
def test_what_is_not_identified_has_no_error_and_the_rest_keeps_its_own(kind):
    """The intercept and the scale do not touch the direction: theirs are those of the design without the copy."""
    options = {"groups": GROUPS[0], "correction": False} if kind == "cluster" else {}
    flat, sound = jm.infer(*_collinear(), kind, **options), jm.infer(*_one(), kind, **options)
    np.testing.assert_allclose(flat.bse["beta"][0], sound.bse["beta"][0], rtol=1e-6)
    np.testing.assert_allclose(flat.bse["sigma"], sound.bse["sigma"], rtol=1e-6)
    assert np.isnan(np.asarray(flat.bse["beta"][1:])).all()
    (direction,) = flat.free_directions()
    assert "beta[1]" in direction
    assert "beta[2]" in direction


def test_leverages_of_a_collinear_design_are_those_of_its_columns():
    q, _ = np.linalg.qr(X)
    np.testing.assert_allclose(jm.leverage(*_collinear()), (q**2).sum(axis=1), rtol=1e-8)
    np.testing.assert_allclose(jax.jit(jm.leverage)(*_collinear()), (q**2).sum(axis=1), rtol=1e-8)


def test_leverages_with_a_prior_are_those_of_ridge_regression():
    posterior = _one()[0] + jm.priors.normal("beta", scale=0.5)
    fit = jm.fit(posterior, START)
    sigma = float(fit.params["sigma"])
    hat = X @ np.linalg.inv(X.T @ X + sigma**2 / 0.25 * np.eye(2)) @ X.T
    np.testing.assert_allclose(jm.leverage(posterior, fit), np.diag(hat), rtol=1e-8)


def test_a_simplex_is_carried():
    """Shares of a categorical sample: the sandwich equals the model's covariance, that of a multinomial."""
    counts = np.array([5.0, 7.0, 12.0])
    term = jm.likelihood(lambda p, y: jnp.log(p["share"])[y], np.arange(3), counts)
    fit = jm.fit(term, {"share": jm.simplex([0.2, 0.3, 0.5])})
    share = counts / 24
    truth = (np.diag(share) - np.outer(share, share)) / 24
    for kind in ("observed", "opg", "hc0"):
        np.testing.assert_allclose(jm.infer(term, fit, kind).cov, truth, rtol=1e-7, atol=1e-12)


# The expected information


def test_expected_of_a_scale_is_its_closed_form():
    term, fit = _one()
    sigma = float(fit.params["sigma"])
    found = jm.infer(term, fit, "expected")
    assert float(found.bse["sigma"]) == pytest.approx(sigma / np.sqrt(2 * N), rel=1e-10)
    np.testing.assert_allclose(found.cov[:2, :2], sigma**2 * np.linalg.inv(X.T @ X), rtol=1e-9)


BELL = types.ModuleType("bell")
BELL.logpdf, BELL.sample = jm.densities.normal.logpdf, jm.densities.normal.sample


def test_expected_by_simulation_where_there_is_no_closed_form():
    """What is linear in the response is exact but for its mean; 24 x 200 draws of 3 r^2 - 1 leave 3 % of 2."""
    fit = _one()[1]
    term = jm.regression(BELL, _mean_and_scale, X, Y[1], jnp.ones(N))
    found, exact = jm.infer(term, fit, "expected", key=jax.random.key(0)), jm.infer(*_one(), "expected")
    assert "expected, by 200 draws a row" in str(found)
    np.testing.assert_allclose(found.bse["beta"], exact.bse["beta"], rtol=1e-2)
    np.testing.assert_allclose(found.bse["sigma"], exact.bse["sigma"], rtol=0.045)
    assert found.bse["sigma"] != exact.bse["sigma"]
    with pytest.raises(ValueError, match=r"bell has no expected information in closed form.*need key="):
        jm.infer(term, fit, "expected")
    bare = jm.regression(jm.densities.negative_binomial.logpmf, _mean_and_scale, X, Y[1])
    with pytest.raises(TypeError, match=r"logpmf has neither an expected information .* nor a sample function"):
        jm.infer(bare, fit, "expected", key=jax.random.key(0))


# Limits


@pytest.mark.parametrize(
    "mark, limit, side",
    [
        (jm.interval(5.0, lower=4.5), 4.5, -1),
        (jm.interval(1.0, upper=2.0), 2.0, 1),
        (jm.interval(1.0, lower=0.0, upper=2.0), 2.0, 1),
    ],
)
def test_the_interval_of_a_parameter_at_its_limit_ends_there(mark, limit, side):
    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], 1.0), jnp.array([3.0, 4.0, 5.0]))
    fit = jm.fit(term, {"mu": mark})
    inference = jm.infer(term, fit)
    assert f"mu goes to {limit:g}" in fit.message
    assert "ON THE BOUNDARY" in str(inference)
    assert f"mu is at its limit, {limit:g}, where its interval ends" in " ".join(str(inference).split())
    assert "held at theirs" not in str(inference)  # there is no other
    lower, upper = (float(end["mu"]) for end in inference.conf_int())
    assert np.isnan(inference.bse["mu"])
    assert (lower if side < 0 else upper) == limit
    assert np.isnan(upper if side < 0 else lower)


# Groups


def test_labels_of_any_kind_are_the_same_groups():
    term, fit = _one()
    numbers = GROUPS[0]
    truth = np.asarray(jm.infer(term, fit, "cluster", groups=numbers).cov)
    texts = np.array(list("edcba"))[numbers]
    for labels in (texts, texts.tolist(), numbers * 10**6 - 3, numbers / 2.0, numbers.astype(object), list(numbers)):
        np.testing.assert_allclose(jm.infer(term, fit, "cluster", groups=labels).cov, truth, rtol=1e-12)
    both = numbers * 100 + GROUPS[1]
    assert len(np.unique(both)) == len(np.unique(codes_of(jnp.asarray(numbers), jnp.asarray(GROUPS[1]))))


def test_each_row_its_own_group_is_white_with_the_small_sample_factor():
    term, fit = _one()
    white = np.asarray(jm.infer(term, fit, "hc0").cov)
    found = jm.infer(term, fit, "cluster", groups=np.arange(N))
    np.testing.assert_allclose(found.cov, white * N / (N - 1) * (N - 1) / (N - 2), rtol=1e-10)
    assert f"cluster, {N} groups, small-sample factor {N / (N - 2):.4g}" in str(found)
    assert "small-sample" not in str(jm.infer(term, fit, "cluster", groups=np.arange(N), correction=False))


def test_few_groups_are_told():
    term, fit = _one()
    one = jm.infer(term, fit, "cluster", groups=np.zeros(N, int))
    assert np.isnan(np.asarray(one.cov)).all()
    assert "One group only" in str(one)
    few = jm.infer(term, fit, "cluster", groups=np.arange(N) % 3)
    assert "There are 3 groups and 3 parameters" in str(few)
    assert "hac, 2 lags by rule" in str(jm.infer(term, fit, "hac"))  # 4 times 0.24 to the 2/9 is 2.91
    assert "hac, 1 lag, small-sample factor 1.091" in str(jm.infer(term, fit, "hac", lags=1, correction=True))


# Data frames


def test_tidy_and_glance_have_the_columns_of_broom():
    inference = jm.infer(*_one(), "hc1")
    tidy, glance = inference.tidy(alpha=0.1), inference.glance()
    assert list(tidy) == ["term", "estimate", "std.error", "statistic", "p.value", "conf.low", "conf.high"]
    assert tidy["term"].tolist() == ["beta[0]", "beta[1]", "sigma"]
    np.testing.assert_array_equal(tidy["std.error"][:2], inference.bse["beta"])
    np.testing.assert_array_equal(tidy["conf.low"][2], inference.conf_int(0.1)[0]["sigma"])
    assert list(glance) == ["logLik", "AIC", "BIC", "nobs", "df", "converged", "covariance"]
    assert glance["nobs"][0] == N
    assert glance["df"][0] == 3
    assert glance["converged"][0]
    assert glance["covariance"][0] == "hc1, small-sample factor 1.091"
    lanes, fits = _lanes()
    together = jax.vmap(jm.infer, in_axes=(jm.lane_axes(lanes), 0))(lanes, fits)
    for method in (together.tidy, together.glance):
        with pytest.raises(ValueError, match="take a lane"):
            method()


# Messages


REFUSED = [
    ({"covariance": "robust"}, ValueError, "no covariance 'robust'; the kinds are: observed, expected, opg, hc0"),
    (
        {"weights": "analytic"},
        ValueError,
        "no weights of the kind 'analytic'; the kinds are: case, frequency, sampling",
    ),
    ({"weights": "sampling"}, ValueError, "covariance='observed' is wrong: the curvature counts each row as w of them"),
    ({"covariance": "cluster"}, ValueError, "needs groups=, a label for each row"),
    (
        {"covariance": "hc0", "groups": np.zeros(N)},
        ValueError,
        "groups= goes with covariance='cluster' or 'bootstrap', not with 'hc0'",
    ),
    ({"lags": 2}, ValueError, "lags= goes with covariance='hac', not with 'observed'"),
    ({"covariance": "hac", "lags": -1}, ValueError, "lags= is a whole number, zero or more"),
    ({"covariance": "cluster", "groups": np.zeros(3, int)}, ValueError, f"groups= has 3 labels .* {N} rows"),
    ({"covariance": "cluster", "groups": [None] + ["a"] * (N - 1)}, ValueError, "missing at row 0"),
    ({"covariance": "cluster", "groups": np.zeros((N, 2))}, ValueError, r"it has shape \(24, 2\)"),
    ({"covariance": "cluster", "groups": (GROUPS[0],) * 3}, ValueError, "it has 3"),
]


@pytest.mark.parametrize("options, error, message", REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_what_cannot_be_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        jm.infer(*_one(), **options)


def test_what_the_objective_does_not_have_is_refused():
    fit = _one()[1]
    whole = jm.likelihood(lambda p, y: jnp.sum(jm.densities.normal.logpdf(y, p["beta"][0], 1.0)), Y[0], rows=False)
    for kind in ("opg", "hc0"):
        with pytest.raises(TypeError, match="return a vector of per-step contributions"):
            jm.infer(whole, fit, kind)
    with pytest.raises(TypeError, match="hc2 and hc3 correct for leverages, and only an objective with one likelihood"):
        jm.infer(whole, fit, "hc3")
    with pytest.raises(TypeError, match="the expected information needs a density that knows its own"):
        jm.infer(whole, fit, "expected")
    two = _one()[0] + _one()[0]
    with pytest.raises(ValueError, match="hac takes the rows in the order of time, and there are 2 likelihoods"):
        jm.infer(two, fit, "hac")
    both = jm.regression(jm.densities.normal, lambda p, x: (p["beta"] @ x, jnp.exp(p["beta"] @ x)), X, Y[0])
    with pytest.raises(TypeError, match="there are no leverages: 2 parameters of this density depend on both x and"):
        jm.leverage(both, fit)
    with pytest.raises(TypeError, match=r"inside jax\.jit or jax\.vmap groups are integers"):
        jax.jit(lambda g: jm.infer(*_one(), "cluster", groups=g).cov)(np.linspace(0.0, 1.0, N))
