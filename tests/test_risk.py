"""The term of a loss: M-estimates, their sandwich errors, and what is refused."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.fitting import program

STACKLOSS = sm.datasets.stackloss.load_pandas()
X, Y = np.array(sm.add_constant(STACKLOSS.exog)), np.array(STACKLOSS.endog)
START = {"beta": jnp.zeros(4)}


def line(params, row):
    return row @ params["beta"]


def at(loss, y=Y, **numbers):
    """The term of a loss on the stack loss data."""
    return jm.risk(functools.partial(loss, **numbers), line, X, y)


@pytest.fixture(scope="module")
def huber():
    term = at(jm.losses.huber, delta=1.345)
    return term, jm.fit(term, START)


@pytest.fixture(scope="module")
def squared():
    term = at(jm.losses.squared_error)
    return term, jm.fit(term, START)


def sandwich(slopes, bends):
    """By hand: the rows' slopes and bends in the prediction."""
    bread = np.linalg.inv((X * bends[:, None]).T @ X)
    return np.sqrt(np.diag(bread @ ((X * slopes[:, None] ** 2).T @ X) @ bread))


def test_squared_error_is_least_squares_with_robust_errors(squared):
    """To 1e-10 relative: statsmodels OLS, HC0 to HC3; the default is HC0."""
    term, fit = squared
    reference = sm.OLS(Y, X).fit()
    np.testing.assert_allclose(fit.params["beta"], reference.params, rtol=1e-10)
    for kind in ("hc0", "hc1", "hc2", "hc3"):
        found = jm.infer(term, fit, kind).bse["beta"]
        np.testing.assert_allclose(found, getattr(reference, f"{kind.upper()}_se"), rtol=1e-10)
    np.testing.assert_array_equal(jm.infer(term, fit).cov, jm.infer(term, fit, "sandwich").cov)


def test_huber_is_statsmodels_rlm():
    """To 1e-10 relative, from zeros, where no row is within delta and the loss has no curvature at all."""
    reference = sm.RLM(Y, X, M=sm.robust.norms.HuberT(t=1.345)).fit(update_scale=False, tol=1e-14, maxiter=1000)
    fit = jm.fit(at(jm.losses.huber, delta=1.345 * reference.scale), START)
    assert fit.status == codes.CONVERGED
    np.testing.assert_allclose(fit.params["beta"], reference.params, rtol=1e-10)


def test_huber_errors_are_the_sandwich(huber):
    """To 1e-9: A from the rows within delta, B from the clipped residuals (statsmodels has other formulas)."""
    term, fit = huber
    residuals = Y - X @ np.asarray(fit.params["beta"])
    by_hand = sandwich(np.clip(residuals, -1.345, 1.345), np.where(np.abs(residuals) <= 1.345, 1.0, 0.0))
    np.testing.assert_allclose(jm.infer(term, fit).bse["beta"], by_hand, rtol=1e-9)


def test_log_cosh_solves_its_equations():
    """The gradient X' tanh(r) is zero to 1e-8, and errors are the sandwich of tanh and its derivative to 1e-9."""
    term = at(jm.losses.log_cosh)
    fit = jm.fit(term, START)
    residuals = Y - X @ np.asarray(fit.params["beta"])
    assert np.abs(X.T @ np.tanh(residuals)).max() < 1e-8
    by_hand = sandwich(np.tanh(residuals), 1 / np.cosh(residuals) ** 2)
    np.testing.assert_allclose(jm.infer(term, fit).bse["beta"], by_hand, rtol=1e-9)


def check_loss(beta, tau):
    errors = Y - X @ np.asarray(beta)
    return np.sum(np.where(errors >= 0, tau * errors, (tau - 1) * errors))


@pytest.mark.parametrize("tau", [0.25, 0.5, 0.75])
def test_quantiles_are_statsmodels_quantreg(tau):
    """With a bandwidth of 1e-6 the loss with corners is not above statsmodels' by more than 1e-6: 0.4 h a row, 8e-6, is
    the bound, and most rows are far from their corner."""
    reference = sm.QuantReg(Y, X).fit(tau, p_tol=1e-10, max_iter=5000)
    fit = jm.fit(at(jm.losses.quantile, tau=tau, bandwidth=1e-6), START)
    assert fit.ok, fit.message
    assert check_loss(fit.params["beta"], tau) <= check_loss(reference.params, tau) + 1e-6


def test_quantile_errors_are_the_kernel_sandwich():
    """To 1e-9: Powell's, with the density at the quantile by a normal kernel of the bandwidth."""
    h, tau = 1.5, 0.25
    term = at(jm.losses.quantile, tau=tau, bandwidth=h)
    fit = jm.fit(term, START)
    residuals = Y - X @ np.asarray(fit.params["beta"])
    by_hand = sandwich(tau - stats.norm.cdf(-residuals / h), stats.norm.pdf(residuals / h) / h)
    np.testing.assert_allclose(jm.infer(term, fit).bse["beta"], by_hand, rtol=1e-9)


@pytest.mark.parametrize("loss", [jm.losses.absolute_error, functools.partial(jm.losses.quantile, tau=0.5)])
@pytest.mark.parametrize("solver", [None, jm.solvers.LBFGS()])
def test_corners_are_told(loss, solver):
    """A loss without curvature ends in no estimate, never in one with the wrong message, and has no errors."""
    term = jm.risk(loss, line, X, Y)
    fit = jm.fit(term, START, solver=solver)
    assert fit.status == codes.CORNERED
    assert not fit.ok
    assert fit.message.startswith("stopped among the corners of a loss or of a density, where its gradient jumps")
    assert np.isnan(jm.infer(term, fit).bse["beta"]).all()


def test_corners_of_a_density_are_told():
    ordinary = np.linalg.lstsq(X, Y)[0]
    term = jm.regression(jm.densities.laplace, lambda p, row: (row @ p["beta"], p["scale"]), X, Y)
    fit = jm.fit(term, {"beta": jnp.asarray(ordinary), "scale": jm.positive(1.0)})
    assert fit.status == codes.CORNERED
    assert "quantile with a bandwidth, tau=0.5 for the absolute error and the Laplace density" in fit.message


def test_a_cross_entropy_is_its_noise_model():
    """The same estimate as the Bernoulli regression to 1e-9, and the same value; errors those of its hc0."""
    y = (Y > 15).astype(int)
    model = jm.regression(jm.densities.bernoulli, lambda p, row: (line(p, row),), X, y)
    prior = jm.priors.normal("beta", 0.0, 1.0)
    term = at(jm.losses.binary_cross_entropy, y)
    fits = [jm.fit(piece + prior, START) for piece in (model, term)]
    np.testing.assert_allclose(fits[1].params["beta"], fits[0].params["beta"], rtol=1e-9)
    np.testing.assert_allclose(fits[1].value, fits[0].value, rtol=1e-12)
    errors = [jm.infer(piece + prior, fit, "hc0").bse["beta"] for piece, fit in zip((model, term), fits, strict=True)]
    np.testing.assert_allclose(errors[1], errors[0], rtol=1e-7)


def test_poisson_deviance_is_poisson_regression():
    """To 1e-8: statsmodels' estimate and its HC0, which do not know that the loss is twice as large."""
    reference = sm.GLM(Y, X, family=sm.families.Poisson()).fit(tol=1e-14, cov_type="HC0")
    term = at(jm.losses.poisson_deviance)
    fit = jm.fit(term, {"beta": jnp.asarray([2.0, 0.0, 0.0, 0.0])})
    np.testing.assert_allclose(-fit.value, reference.deviance, rtol=1e-10)
    np.testing.assert_allclose(fit.params["beta"], reference.params, rtol=1e-8)
    np.testing.assert_allclose(jm.infer(term, fit).bse["beta"], reference.bse, rtol=1e-7)


def test_several_classes():
    """Logits of one row are a vector: the softmax cross-entropy is the categorical regression, value and curvature."""
    y = np.digitize(Y, [12.0, 18.0])
    params = {"beta": jnp.asarray(np.sin(np.arange(12.0)).reshape(4, 3))}
    model = jm.regression(jm.densities.categorical, lambda p, row: (row @ p["beta"],), X / 50, y)
    term = jm.risk(jm.losses.softmax_cross_entropy, lambda p, row: row @ p["beta"], X / 50, y)
    point = tuple(jax.tree.leaves(params))
    pair = [piece.evaluate(lambda point: {"beta": point[0]}, point, 2) for piece in (model, term)]
    np.testing.assert_allclose(pair[0].value, pair[1].value, rtol=1e-12)
    np.testing.assert_allclose(pair[0].gradient, pair[1].gradient, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(pair[0].curvature, pair[1].curvature, rtol=1e-9, atol=1e-10)


def test_weights_are_cases(huber):
    """Weight 2 equals the row twice, errors too."""
    weights = np.arange(21) % 3
    loss, rows = functools.partial(jm.losses.huber, delta=1.345), np.repeat(np.arange(21), weights)
    pair = [jm.risk(loss, line, X, Y, weights), jm.risk(loss, line, X[rows], Y[rows])]
    found = [jm.infer(term, jm.fit(term, START)) for term in pair]
    np.testing.assert_allclose(found[0].params["beta"], found[1].params["beta"], rtol=1e-9)
    np.testing.assert_allclose(found[0].bse["beta"], found[1].bse["beta"], rtol=1e-8)


def test_another_number_compiles_nothing(huber):
    """The width of a loss is a number, however it is wrapped; so are all widths at once."""
    traced = len(program.TRACED)
    fits = [jm.fit(at(jm.losses.huber, delta=delta), START) for delta in (1.0, 2.0, np.float32(3.0))]
    assert len(program.TRACED) == traced

    def centre(delta):
        return jm.fit(at(jm.losses.huber, delta=delta), START).params["beta"]

    lanes = jax.jit(jax.vmap(centre))(jnp.asarray([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(lanes, np.stack([fit.params["beta"] for fit in fits]), rtol=1e-7)


def test_blocks_and_devices_change_nothing(huber):
    """To rounding; a sharded loss is still one."""
    term, fit = huber
    block = jm.risk(functools.partial(jm.losses.huber, delta=1.345), line, X, Y, block=8)
    np.testing.assert_allclose(block(fit.params), term(fit.params), rtol=1e-13)
    sharded = jm.shard(term, jax.devices()[:1])
    np.testing.assert_allclose(jm.infer(sharded, fit).bse["beta"], jm.infer(term, fit).bse["beta"], rtol=1e-10)
    assert np.isnan(jm.infer(sharded, fit).aic)


def test_lanes(squared):
    """A batch of responses is as many fits, each with its sandwich."""
    lanes = jax.vmap(lambda y: jm.risk(jm.losses.squared_error, line, jnp.asarray(X), y))(jnp.stack([Y, 2.0 * Y]))
    fits = jm.fit_batch(lanes, START)
    errors = jax.vmap(jm.infer, in_axes=(jm.lane_axes(lanes), 0))(lanes, fits).bse["beta"]
    one = jm.infer(*squared).bse["beta"]
    np.testing.assert_allclose(errors, np.stack([one, 2 * one]), rtol=1e-9)


def test_float32():
    """The estimate in float32 is within 1e-3 standard errors of that in float64, whatever the dtype of delta."""
    columns = (X - X.mean(0) + [1.0, 0.0, 0.0, 0.0]) / np.maximum(X.std(0), 1.0)

    def fit(dtype):
        loss = functools.partial(jm.losses.huber, delta=np.float64(1.345))
        term = jm.risk(loss, line, columns.astype(dtype), Y.astype(dtype))
        return term, jm.fit(term, {"beta": jnp.zeros(4, dtype)})

    (_, single), (term, double) = fit(np.float32), fit(np.float64)
    assert single.ok
    assert single.params["beta"].dtype == jnp.float32
    gap = np.abs(np.asarray(single.params["beta"], float) - double.params["beta"])
    assert np.all(gap < 1e-3 * jm.infer(term, double).bse["beta"])


def test_the_table_says_what_it_is(huber):
    inference = jm.infer(*huber)
    assert np.isnan(inference.aic) & np.isnan(inference.bic)
    assert inference.losses == ("huber",)
    text = str(inference)
    assert "Risk: minimum huber" in text
    assert "Minus loss:" in text
    assert "Log-likelihood:" not in text
    words = " ".join(text.split())
    assert "it is no model's log-likelihood: standard errors are those of an M-estimate, and AIC and BIC" in words
    assert np.isnan(jm.aicc(inference))


def test_what_needs_a_model_is_refused(huber):
    term, fit = huber
    for kind in ("observed", "expected", "opg"):
        with pytest.raises(ValueError, match=rf"with a loss \(huber\) covariance='{kind}' is wrong.*hc0"):
            jm.infer(term, fit, kind)
    with pytest.raises(ValueError, match=r"a loss \(huber\) is no log-likelihood.*jm.bootstrap"):
        jm.profile(term, fit)
    with pytest.raises(ValueError, match="with a prior, a loss, a factor"):
        jm.tic(term, fit)
    with pytest.raises(ValueError, match="with a prior, a loss, a factor"):
        jm.score_test(term, fit, START)
    with pytest.raises(ValueError, match="with a prior, a loss, a factor"):
        jm.likelihood_ratio_test(jm.infer(term, fit), jm.infer(term, fit))
    with pytest.raises(TypeError, match="huber has no mean in closed form"):
        jm.predict(term, fit)


def test_what_needs_a_covariance_takes_the_sandwich(huber):
    term, fit = huber
    bse = jm.infer(term, fit).bse["beta"]
    np.testing.assert_allclose(jm.delta(term, fit, "beta").bse, bse, rtol=1e-12)
    wald = jm.wald_test(term, fit, "beta[1] = 0")
    np.testing.assert_allclose(wald.statistic, (fit.params["beta"][1] / bse[1]) ** 2, rtol=1e-10)
    variances = np.diag(X @ np.asarray(jm.infer(term, fit).cov) @ X.T)
    np.testing.assert_allclose(jm.predict(term, fit, kind="linear").bse, np.sqrt(variances), rtol=1e-8)


@pytest.mark.parametrize(
    "loss,message",
    [
        (jm.losses.zero_one, "zero_one is a metric without a gradient"),
        (jm.losses.squared_error_profiled, "is one number for all rows together: jm.losses.squared_error has the same"),
        (
            jm.losses.quantile,
            "cannot be called: missing a required argument: 'tau'; give a loss its own numbers",
        ),
        (functools.partial(jm.losses.huber, width=2.0), "cannot be called: got an unexpected keyword argument 'width'"),
        (jm.densities.normal, "not a module jaxmle.densities.normal; the term of a density is jm.regression"),
        ("huber", "jm.risk takes a function of a prediction and a target, such as jm.losses.huber, not a str"),
    ],
)
def test_what_is_no_loss(loss, message):
    with pytest.raises(TypeError, match=message):
        jm.risk(loss, line, X, Y)


def test_predictors_and_targets_that_are_none():
    with pytest.raises(TypeError, match="a loss has one prediction, and the predictor returned 2"):
        jm.fit(jm.risk(jm.losses.huber, lambda p, row: (line(p, row), p["beta"][0]), X, Y), START)
    with pytest.raises(TypeError, match="predictor must be a function of params and one row, not a str"):
        jm.risk(jm.losses.huber, "line", X, Y)
    with pytest.raises(ValueError, match=r"y is 42.0 at row 0, which hinge does not take: it must be -1 or 1"):
        jm.fit(at(jm.losses.hinge), START)
    with pytest.raises(ValueError, match="y is missing"):
        jm.fit(at(jm.losses.huber, np.where(np.arange(21) == 3, np.nan, Y)), START)


def test_losses_of_ones_own_and_predictions_in_a_tuple(squared):
    """Any function will do; a tuple of one prediction is the prediction."""
    term = jm.risk(lambda seen, y: (y - seen) ** 2, lambda p, row: (line(p, row),), X, Y)
    np.testing.assert_allclose(jm.fit(term, START).params["beta"], squared[1].params["beta"], rtol=1e-10)


def test_gradients_through_a_fit():
    """By the implicit function theorem, against a difference: how the centre moves with delta."""

    def centre(delta):
        return jm.fit(at(jm.losses.huber, delta=delta), START).params["beta"][1]

    step = 1e-4
    difference = (centre(1.5 + step) - centre(1.5 - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(centre)(1.5), difference, rtol=1e-6)
