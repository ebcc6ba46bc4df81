"""Offsets and exposures: the numbers are those of statsmodels, and a part known beforehand is not a coefficient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm

import jaxmle as jm
from jaxmle.fitting import program

# Iterations of statsmodels stop at a change of deviance of 1e-13 of itself; the last step then is below 1e-8.
SAME = {"rtol": 1e-7}
ROUNDING = {"rtol": 1e-9}

DATA = sm.datasets.star98.load_pandas().data  # Californian schools: pupils above and below the median in mathematics
X = sm.add_constant(DATA[["LOWINC", "PERASIAN", "PTRATIO"]]).to_numpy()
ABOVE, PUPILS = DATA["NABOVE"].to_numpy(), (DATA["NABOVE"] + DATA["NBELOW"]).to_numpy()
OFFSET = 0.01 * DATA["PERBLACK"].to_numpy() - 0.3
WEIGHTS = 1.0 + np.arange(len(DATA)) % 3
MAJORITY = (ABOVE > 0.5 * PUPILS).astype(float)
RATE = ABOVE / PUPILS

MODELS = {
    "linear": lambda **known: jm.models.linear(X, RATE, **known),
    "logistic": lambda **known: jm.models.logistic(X, MAJORITY, **known),
    "logistic of trials": lambda **known: jm.models.logistic(X, ABOVE, trials=PUPILS, **known),
    "poisson_regression": lambda **known: jm.models.poisson_regression(X, ABOVE, **known),
}


def statsmodels_fit(name, **known):
    y, family = {
        "linear": (RATE, sm.families.Gaussian()),
        "logistic": (MAJORITY, sm.families.Binomial()),
        "logistic of trials": (np.column_stack([ABOVE, PUPILS - ABOVE]), sm.families.Binomial()),
        "poisson_regression": (ABOVE, sm.families.Poisson()),
    }[name]
    return sm.GLM(y, X, family=family, **known).fit(tol=1e-13, maxiter=200)


def agrees(problem, expected):
    fit = jm.fit(problem).raise_if_failed()
    np.testing.assert_allclose(fit.params["beta"], expected.params, **SAME)
    return fit


@pytest.mark.parametrize("name", MODELS)
def test_an_offset_gives_the_estimates_of_statsmodels(name):
    expected = statsmodels_fit(name, offset=OFFSET)
    fit = agrees(MODELS[name](offset=OFFSET), expected)
    if name != "linear":  # whose errors and likelihood in statsmodels are of the scale by n - p
        inference = jm.infer(MODELS[name](offset=OFFSET), fit)
        np.testing.assert_allclose(inference.bse["beta"], expected.bse, rtol=1e-6)
        np.testing.assert_allclose(fit.log_likelihood, expected.llf, **ROUNDING)


def test_least_squares_of_a_line_with_an_offset_has_the_errors_of_statsmodels():
    expected = statsmodels_fit("linear", offset=OFFSET)
    problem = MODELS["linear"](offset=OFFSET)
    found = jm.models.least_squares(problem, jm.fit(problem))
    np.testing.assert_allclose(found.bse["beta"], expected.bse, **SAME)
    np.testing.assert_allclose(found.scale**2, expected.scale, **ROUNDING)


def test_a_line_with_an_offset_starts_at_its_maximum():
    """Least squares of what the offset leaves: no step is left to make."""
    assert int(jm.fit(MODELS["linear"](offset=OFFSET)).steps) <= 3


@pytest.mark.parametrize("known", [{"exposure": PUPILS}, {"exposure": PUPILS, "offset": OFFSET}], ids=["alone", "both"])
def test_an_exposure_gives_the_rates_of_statsmodels(known):
    expected = statsmodels_fit("poisson_regression", **known)
    fit = agrees(MODELS["poisson_regression"](**known), expected)
    np.testing.assert_allclose(fit.log_likelihood, expected.llf, **ROUNDING)


def test_an_exposure_is_an_offset_by_its_logarithm():
    by_exposure = jm.fit(MODELS["poisson_regression"](exposure=PUPILS))
    by_offset = jm.fit(MODELS["poisson_regression"](offset=np.log(PUPILS)))
    np.testing.assert_array_equal(by_exposure.z, by_offset.z)


def test_with_an_intercept_alone_the_rate_is_all_events_over_all_exposure():
    problem = jm.models.poisson_regression(np.ones((3, 1)), [2, 0, 7], exposure=[1.0, 0.5, 2.5])
    np.testing.assert_allclose(jnp.exp(jm.fit(problem).params["beta"]), [9.0 / 4.0], **ROUNDING)


@pytest.mark.parametrize("name", MODELS)
def test_an_offset_that_the_design_spans_moves_only_its_coefficient(name):
    plain, moved = jm.fit(MODELS[name]()), jm.fit(MODELS[name](offset=0.02 * X[:, 1]))
    np.testing.assert_allclose(moved.params["beta"], plain.params["beta"] - jnp.array([0, 0.02, 0, 0]), rtol=1e-7)
    np.testing.assert_allclose(moved.log_likelihood, plain.log_likelihood, **ROUNDING)


@pytest.mark.parametrize("name", MODELS)
def test_a_weight_of_two_is_a_row_twice_offset_and_all(name):
    twice = np.repeat(np.arange(len(X)), WEIGHTS.astype(int))
    short = jm.fit(MODELS[name](offset=OFFSET, weights=WEIGHTS))
    with pytest.MonkeyPatch.context() as patch:
        for column in ("X", "ABOVE", "PUPILS", "MAJORITY", "RATE"):
            patch.setitem(globals(), column, globals()[column][twice])
        long = jm.fit(MODELS[name](offset=OFFSET[twice]))
    np.testing.assert_allclose(short.params["beta"], long.params["beta"], rtol=1e-8)


@pytest.mark.parametrize("name", MODELS)
def test_lanes_of_offsets_are_single_fits_and_compile_once(name):
    lanes = jnp.stack([OFFSET, 2.0 * OFFSET, jnp.zeros_like(OFFSET)])
    fits = jax.jit(jax.vmap(lambda offset: jm.fit(MODELS[name](offset=offset))))(lanes)
    single = [jm.fit(MODELS[name](offset=lane)) for lane in lanes[:1]]
    before = len(program.TRACED)
    single += [jm.fit(MODELS[name](offset=lane)) for lane in lanes[1:]]
    assert len(program.TRACED) == before
    for i, fit in enumerate(single):
        np.testing.assert_allclose(fits.params["beta"][i], fit.params["beta"], rtol=1e-8)


@pytest.mark.parametrize("name", MODELS)
def test_the_derivative_in_the_offset_is_that_of_finite_differences(name):
    def first(offset):
        return jm.fit(MODELS[name](offset=offset)).params["beta"][0]

    along = np.random.default_rng(5).normal(size=len(X))
    slope = jax.grad(first)(jnp.asarray(OFFSET)) @ along
    ends = [first(OFFSET + step * along) for step in (1e-4, -1e-4)]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-4, rtol=1e-5)  # central differences err by 1e-8


def test_integers_and_single_precision_are_taken():
    whole = jm.models.poisson_regression(X, ABOVE, exposure=PUPILS.astype(int), offset=np.zeros(len(X), int))
    np.testing.assert_allclose(
        jm.fit(whole).params["beta"], jm.fit(MODELS["poisson_regression"](exposure=PUPILS)).params["beta"]
    )
    short = jm.models.poisson_regression(X.astype(np.float32), ABOVE.astype(np.float32), exposure=PUPILS)
    assert jm.fit(short).z.dtype == np.float32


# What it refuses.


@pytest.mark.parametrize("bad, kind", [(0.0, "infinite"), (-2.0, "infinite"), (np.nan, "missing (NaN)")])
def test_an_exposure_that_is_not_positive_is_named_by_its_row(bad, kind):
    exposure = PUPILS.astype(float)
    exposure[7] = bad
    problem = MODELS["poisson_regression"](exposure=exposure)  # to make a problem looks at no values
    with pytest.raises(ValueError, match=r"exposure > 0") as refused:
        jm.fit(problem)
    assert f"{kind} at row 7 (1 such row, counted from zero)" in str(refused.value)


@pytest.mark.parametrize("name", MODELS)
def test_a_missing_offset_is_named_by_its_row(name):
    offset = OFFSET.copy()
    offset[[3, 9]] = np.nan
    with pytest.raises(ValueError, match=r"offset' is missing \(NaN\) at row 3 \(2 such rows"):
        jm.fit(MODELS[name](offset=offset))


def test_a_lane_with_a_bad_exposure_fails_alone():
    good = jnp.asarray(PUPILS, float)
    lanes = jnp.stack([good, good.at[2].set(-1.0)])
    fits = jax.vmap(lambda exposure: jm.fit(MODELS["poisson_regression"](exposure=exposure)))(lanes)
    assert list(fits.ok) == [True, False]


@pytest.mark.parametrize("name", MODELS)
def test_an_offset_of_another_length_or_shape_is_refused(name):
    with pytest.raises(ValueError, match=r"different numbers of rows.*offset"):
        jm.fit(MODELS[name](offset=OFFSET[:-1]))
    with pytest.raises(ValueError, match=r"the offset must be a vector.*flatten it with offset\[:, 0\]"):
        MODELS[name](offset=OFFSET[:, None])
    with pytest.raises(ValueError, match=r"the offset must be a vector of shape \(rows,\); it has shape \(\)"):
        MODELS[name](offset=1.0)


def test_an_offset_of_text_is_refused():
    with pytest.raises(TypeError, match="offset holds"):
        MODELS["logistic"](offset=["a"] * len(X))
