"""Predictions and marginal effects against statsmodels, scipy and closed forms; and their laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import special, stats

import jaxmle as jm


def _peers(name):
    if name == "logit":
        data = sm.datasets.spector.load_pandas()
        x = sm.add_constant(data.exog)
        glm = sm.GLM(data.endog, x, family=sm.families.Binomial())
        return x, sm.Logit(data.endog, x), glm, jm.models.logistic(x, data.endog)
    data = sm.datasets.cpunish.load_pandas()
    x = sm.add_constant(data.exog / data.exog.std())  # in units in which the peer's Hessian is well conditioned
    glm = sm.GLM(data.endog, x, family=sm.families.Poisson())
    return x, sm.Poisson(data.endog, x), glm, jm.models.poisson_regression(x, data.endog)


@pytest.fixture(scope="module", params=["logit", "poisson"])
def peer(request):
    """The design, two results of statsmodels, our problem and our fit, of one model."""
    x, discrete, glm, problem = _peers(request.param)
    results = discrete.fit(disp=0, method="newton", tol=1e-14), glm.fit(tol=1e-15)
    return x, *results, problem, jm.fit(problem).raise_if_failed()


def test_means_errors_and_intervals_equal_statsmodels(peer):
    """Its intervals are formed for the linear predictor and mapped, as ours. To 1e-7: what its tolerance leaves."""
    x, _, glm, problem, fit = peer
    found = jm.predict(problem, fit, alpha=0.1)
    theirs = glm.get_prediction(x).summary_frame(alpha=0.1).to_numpy()
    np.testing.assert_allclose(np.stack([found.value, found.bse, found.lower, found.upper], 1), theirs, rtol=1e-7)
    linear = jm.predict(problem, fit, kind="linear")
    np.testing.assert_allclose(linear.value, glm.predict(x, which="linear"), rtol=1e-7, atol=1e-9)
    variance = np.einsum("ij,jk,ik->i", x, np.asarray(glm.cov_params()), x)
    np.testing.assert_allclose(linear.bse, np.sqrt(variance), rtol=1e-7)
    np.testing.assert_allclose(linear.upper - linear.value, 1.959963984540054 * np.sqrt(variance), rtol=1e-7)


@pytest.mark.parametrize("at", ["overall", "mean"])
def test_margins_equal_statsmodels(peer, at):
    """A derivative for each column but the constant; for dummies, the contrast of 1 to 0."""
    x, discrete, _, problem, fit = peer
    theirs = discrete.get_margeff(at=at, dummy=True)
    names = list(x.columns[1:])
    dummies = [name for name in names if set(x[name]) == {0.0, 1.0}]
    smooth = [name for name in names if name not in dummies]
    expected = {name: (m, s) for name, m, s in zip(names, theirs.margeff, theirs.margeff_se, strict=True)}
    for what, columns in (("dydx", smooth), ("contrast", dummies)):
        if columns:
            found = jm.margins(problem, fit, what, at, columns)
            assert found.columns == tuple(columns)
            np.testing.assert_allclose(found.value, [expected[name][0] for name in columns], rtol=1e-8)
            np.testing.assert_allclose(found.bse, [expected[name][1] for name in columns], rtol=1e-8)
    every = jm.margins(problem, fit, at=at)
    plain = discrete.get_margeff(at=at, dummy=False)
    assert every.columns == tuple(names)
    np.testing.assert_allclose(every.value, plain.margeff, rtol=1e-8)
    np.testing.assert_allclose(every.bse, plain.margeff_se, rtol=1e-8)
    np.testing.assert_allclose(every.pvalues, plain.pvalues, rtol=1e-6)
    np.testing.assert_allclose(np.stack([every.lower, every.upper], 1), plain.conf_int(), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(every.cov, plain.margeff_cov, rtol=1e-7, atol=1e-13)


@pytest.fixture(scope="module")
def votes():
    """A softmax regression: the peer, the problem and the fit."""
    data = sm.datasets.anes96.load_pandas()
    x = sm.add_constant(data.exog[["logpopul", "age"]] / [1.0, 10.0])
    y = (data.endog // 3).astype(int)
    problem = jm.models.softmax(x, y)
    return x, sm.MNLogit(y, x).fit(disp=0, method="newton", tol=1e-14), problem, jm.fit(problem).raise_if_failed()


def test_probabilities_of_classes_and_their_margins_equal_statsmodels(votes):
    _, peer, problem, fit = votes
    found = jm.predict(problem, fit, kind="probability")
    np.testing.assert_allclose(found.value, peer.predict(), rtol=1e-8)
    np.testing.assert_allclose(found.value.sum(axis=1), 1.0, rtol=1e-14)
    margins = jm.margins(problem, fit, columns=["x[1]", 2])
    theirs = peer.get_margeff()
    np.testing.assert_allclose(margins.value, theirs.margeff, rtol=1e-7)
    np.testing.assert_allclose(margins.bse, theirs.margeff_se, rtol=1e-7)
    assert margins.table().rows[1].label == "logpopul on P(1)"
    with pytest.raises(TypeError, match="categorical has no mean in closed form; predict one of linear, probability"):
        jm.predict(problem, fit)


@pytest.fixture(scope="module")
def line():
    """A normal regression in which the scale moves too."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    y = 1.0 + 2.0 * x + rng.normal(size=60)

    def predictor(params, row):
        return params["a"] + params["b"] * row["x"], params["sigma"]

    term = jm.regression(jm.densities.normal, predictor, {"x": x}, y)
    return x, y, term, jm.fit(term, {"a": 0.0, "b": 0.0, "sigma": jm.positive(1.0)}).raise_if_failed()


def test_quantiles_and_their_errors_in_closed_form(line):
    """The error of loc + scale z: the two are independent, var = s^2 (h + z^2 / 2n) with leverage h."""
    x, _, term, fit = line
    found = jm.predict(term, fit, {"x": np.array([0.0, 2.0])}, "quantile", q=0.9)
    z, sigma, n = stats.norm.ppf(0.9), float(fit.params["sigma"]), x.size
    new = np.array([0.0, 2.0])
    leverage = 1 / n + (new - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()
    loc = float(fit.params["a"]) + float(fit.params["b"]) * new
    np.testing.assert_allclose(found.value, stats.norm.ppf(0.9, loc, sigma), rtol=1e-10)
    np.testing.assert_allclose(found.bse, sigma * np.sqrt(leverage + z**2 / (2 * n)), rtol=1e-7)
    mean = jm.predict(term, fit, pd.DataFrame({"other": ["no", "no"], "x": new}))
    ols = sm.OLS(line[1], sm.add_constant(x)).fit().get_prediction(sm.add_constant(new)).se_mean
    np.testing.assert_allclose(mean.bse, ols * np.sqrt((n - 2) / n), rtol=1e-7)  # theirs divides by n - 2


def test_the_quantile_of_a_label_has_an_interval_and_no_error(peer):
    _, _, _, problem, fit = peer
    if problem.name == "Poisson regression":
        with pytest.raises(TypeError, match="poisson has no quantile in closed form"):
            jm.predict(problem, fit, kind="quantile", q=0.5)
        return
    found = jm.predict(problem, fit, kind="quantile", q=0.5)
    bound = jm.predict(problem, fit)
    np.testing.assert_array_equal(found.value, np.asarray(bound.value) > 0.5)
    assert np.isnan(found.bse).all()
    np.testing.assert_array_equal(found.lower, np.asarray(bound.lower) > 0.5)
    np.testing.assert_array_equal(found.upper, np.asarray(bound.upper) > 0.5)


def test_trials_and_offsets():
    rng = np.random.default_rng(5)
    x = np.stack([np.ones(30), rng.normal(size=30)], axis=1)
    trials, offset = np.full(30, 4.0), 0.1 * rng.normal(size=30)
    problem = jm.models.logistic(x, rng.binomial(4, 0.4, 30), trials=trials, offset=offset, labels=["const", "x"])
    fit = jm.fit(problem).raise_if_failed()
    new = {"x": {"x": x[:2], "offset": np.zeros(2)}, "trials": np.array([1, 10])}
    p = special.expit(x[:2] @ np.asarray(fit.params["beta"]))
    np.testing.assert_allclose(jm.predict(problem, fit, new).value, p * [1, 10], rtol=1e-12)
    share = jm.predict(problem, fit, new, "probability")
    np.testing.assert_allclose(share.value, p, rtol=1e-12)
    assert np.all((share.lower > 0) & (share.upper < 1))
    assert jm.margins(problem, fit).columns == ("x",)


def test_the_mean_of_a_count_is_mapped_from_its_logarithm_though_the_concentration_moves_too():
    y = np.array([0.0, 3.0, 1.0, 9.0, 2.0, 0.0, 5.0, 4.0, 12.0, 1.0])
    x = np.linspace(-1.0, 1.0, 10)
    term = jm.regression(jm.densities.negative_binomial, _dispersed, x, y)
    fit = jm.Fit.at(term, {"a": 1.0, "b": 0.5, "size": jm.positive(2.0)})
    cov = 0.1 * np.eye(3)  # the density is slow to differentiate, and its information is not what is tested
    mean, linear = (jm.predict(term, fit, kind=kind, covariance=cov) for kind in ("mean", "linear"))
    np.testing.assert_allclose(linear.bse, np.sqrt(0.1 * (1 + x**2)), rtol=1e-12)
    np.testing.assert_allclose(mean.bse, np.exp(linear.value) * linear.bse, rtol=1e-10)
    np.testing.assert_allclose(mean.lower, np.exp(linear.lower), rtol=1e-12)
    np.testing.assert_allclose(mean.upper, np.exp(linear.upper), rtol=1e-12)


def _dispersed(params, x):
    return params["a"] + params["b"] * x, params["size"]


def test_weights_count_rows():
    """The average and the mean row are by case weights: weight 2 equals the row twice."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(20, 2)), (rng.random(20) < 0.5).astype(float)
    weights = np.where(np.arange(20) < 8, 2.0, 1.0)
    twice = np.concatenate([np.arange(20), np.arange(8)])
    models = jm.models.logistic(x, y, weights), jm.models.logistic(x[twice], y[twice])
    fits = [jm.fit(model) for model in models]
    for at in ("overall", "mean"):
        a, b = (jm.margins(model, fit, at=at) for model, fit in zip(models, fits, strict=True))
        np.testing.assert_allclose(a.value, b.value, rtol=1e-9)
        np.testing.assert_allclose(a.bse, b.bse, rtol=1e-9)


def test_blocks_change_nothing(line):
    x, y, term, fit = line
    cut = jm.regression(term.density, term.predictor, {"x": x}, y, block=17)
    whole, blocks = jm.margins(term, fit), jm.margins(cut, fit)
    np.testing.assert_allclose(whole.value, blocks.value, rtol=1e-12)
    np.testing.assert_allclose(whole.bse, blocks.bse, rtol=1e-10)
    assert float(whole.value[0]) == pytest.approx(float(fit.params["b"]), rel=1e-12)  # of a line: its slope


def test_jit_equals_eager_and_vmap_equals_a_loop():
    rng = np.random.default_rng(3)
    x = jnp.asarray(rng.normal(size=(3, 30, 2)))
    y = jnp.asarray((rng.random((3, 30)) < 0.5).astype(float))

    def both(x, y):
        problem = jm.models.logistic(x, y)
        fit = jm.fit(problem)
        return jm.predict(problem, fit, x[:4]), jm.margins(problem, fit)

    loop = [both(x[i], y[i]) for i in range(3)]
    batched = jax.jit(jax.vmap(both))(x, y)
    for k, names in enumerate([("value", "bse", "lower", "upper"), ("value", "bse", "pvalues", "cov")]):
        for name in names:
            # The order of the sums differs: rounding times the condition of the information.
            one_by_one = np.stack([getattr(lane[k], name) for lane in loop])
            np.testing.assert_allclose(getattr(batched[k], name), one_by_one, rtol=1e-9)
    for result in batched:
        with pytest.raises(ValueError, match="has no single table; take a lane"):
            print(result)


def test_new_values_of_the_same_shapes_compile_nothing():
    traced = []

    def predictor(params, row):
        traced.append(None)
        return (params["a"] + params["b"] * row["x"],)

    def ask(seed, alpha):
        x = np.random.default_rng(seed).normal(size=20)
        term = jm.regression(jm.densities.poisson, predictor, {"x": x}, np.arange(20) % (3 + seed))
        fit = jm.fit(term, {"a": 0.0, "b": 0.1 * seed})
        jm.predict(term, fit, {"x": x[:3]}, alpha=alpha)
        jm.margins(term, fit, alpha=alpha)
        jm.delta(term, fit, "b", alpha=alpha)
        jm.wald_test(term, fit, f"a = {seed}, b = {alpha}")
        return len(traced)

    assert ask(1, 0.05) == ask(2, 0.1)


def _coin(params, y):
    return jm.densities.bernoulli.logpmf(y, params["logit"])


def test_what_cannot_be_predicted(line, peer):
    _, _, term, fit = line
    coin = jm.likelihood(_coin, jnp.array([0.0, 1.0, 1.0]))
    with pytest.raises(TypeError, match=r"this objective has none: compute what you want from params with jm\.delta"):
        jm.predict(coin, jm.fit(coin, {"logit": 0.0}))
    with pytest.raises(ValueError, match="has 2 regressions, so it is not clear which is to predict"):
        jm.predict(term + term, fit)
    both = jm.predict(term, fit, covariance=jm.infer(term + term, fit))
    np.testing.assert_allclose(both.bse, np.asarray(jm.predict(term, fit).bse) / np.sqrt(2), rtol=1e-7)
    for options, message in [
        ({"kind": "median"}, "no prediction of the kind 'median'; the kinds are: linear, mean, probability, quantile"),
        ({"kind": "quantile"}, "q= is the level of a quantile"),
        ({"q": 0.5}, "q= is the level of a quantile"),
        ({"kind": "quantile", "q": 1.0}, "q must be a number between 0 and 1"),
        ({"new_data": {"x": np.zeros((2, 2))}}, r"leaf 'x' has shape \(2, 2\); it must have a leading axis of rows"),
        ({"new_data": pd.DataFrame({"z": [1.0]})}, "the data frame has no column x, which the fit was made with"),
    ]:
        with pytest.raises(ValueError, match=message):
            jm.predict(term, fit, **options)
    with pytest.raises(TypeError, match="it has one array, and the fit was made with the leaves x; give the same tree"):
        jm.predict(term, fit, np.zeros(3))
    x, _, _, problem, fit = peer
    with pytest.raises(ValueError, match=r"has shape \(.,\); it must .*: one row is written new_data\[None\]"):
        jm.predict(problem, fit, np.asarray(x)[0])
    with pytest.raises(ValueError, match=r"no column const, .* jm.predict the problem that a formula made"):
        jm.predict(problem, fit, x.drop(columns="const"))
    backwards = jm.predict(problem, fit, x[x.columns[::-1]])
    np.testing.assert_array_equal(backwards.value, jm.predict(problem, fit, x).value)


def test_what_has_no_margin(line, peer):
    _, _, term, fit = line
    for arguments, message in [
        (("slope",), "what must be one of dydx, contrast and at one of overall, mean, not slope, overall"),
        (("contrast",), "say which columns to contrast"),
        (("dydx", "overall", ["z"]), "the data have no column 'z'; the columns are: x"),
        (("dydx", "overall", [1]), "the data have no column 1; the columns are: x"),
        (("dydx", "overall", []), "name at least one column"),
    ]:
        with pytest.raises(ValueError, match=message):
            jm.margins(term, fit, *arguments)
    whole = jm.regression(jm.densities.poisson, _rate, {"group": np.array([0, 1, 1, 0])}, np.array([1, 3, 5, 2]))
    fit = jm.fit(whole, {"a": 0.0, "b": 0.0})
    found = jm.margins(whole, fit, "contrast", columns=["group"])
    assert float(found.value[0]) == pytest.approx(4.0 - 1.5, rel=1e-9)  # of the means of two groups
    assert float(found.bse[0]) == pytest.approx(np.sqrt(4.0 / 2 + 1.5 / 2), rel=1e-7)
    for at, message in (("overall", "no column of floating numbers"), ("mean", "no column of floating numbers")):
        with pytest.raises(ValueError, match=message):
            jm.margins(whole, fit, at=at)
    with pytest.raises(ValueError, match="group holds whole numbers, which have no derivative: ask for its contrast"):
        jm.margins(whole, fit, columns=["group"])
    with pytest.raises(ValueError, match="values, which have no mean row"):
        jm.margins(whole, fit, "contrast", "mean", ["group"])


def _rate(params, row):
    return (params["a"] + params["b"] * row["group"].astype(float),)


def test_they_print_themselves(line):
    _, _, term, fit = line
    found = jm.predict(term, fit)
    assert str(found).splitlines()[-1] == (
        "[1] 30 more rows are not shown; table(rows=None) and to_frame() have them all."
    )
    assert found.to_frame().shape == (60, 4)
    text = str(jm.margins(term, fit)).splitlines()
    assert text[2] == "Effect:                          dy/dx  At:                            overall"
    assert text[4].split() == ["effect", "std", "err", "z", "P>|z|", "[0.025", "0.975]"]
    assert text[6].startswith("x  ")


WAITING = jm.regression(
    jm.densities.censored(jm.densities.weibull),
    lambda params, row: (1.0 / params["s"], jnp.exp(row["x"] @ params["b"]), row["upper"]),
    {"x": np.column_stack([np.ones(6), np.arange(6.0)]), "upper": np.array([0.5, np.inf, 1.5, 2.5, np.inf, 4.0])},
    np.array([0.5, 1.0, 1.5, 2.5, 3.0, 4.0]),
)


def test_a_censored_response_is_predicted_as_it_would_be_without_censoring():
    fit = jm.fit(WAITING, {"b": jnp.zeros(2), "s": jm.positive(1.0)}).raise_if_failed()
    scale = np.exp(np.asarray(WAITING.x["x"]) @ np.asarray(fit.params["b"]))
    known = stats.weibull_min(1.0 / float(fit.params["s"]), scale=scale)
    for kind, options, expected in (("mean", {}, known.mean()), ("quantile", {"q": 0.25}, known.ppf(0.25))):
        np.testing.assert_allclose(jm.predict(WAITING, fit, kind=kind, **options).value, expected, rtol=1e-12)
    effects = jm.margins(WAITING, fit)
    assert effects.columns == ("x[0]", "x[1]")  # the upper end is none
    np.testing.assert_allclose(effects.value, np.mean(known.mean()) * np.asarray(fit.params["b"]), rtol=1e-9)
    one = jm.models.distribution("normal", np.arange(5.0), censored=np.arange(5) > 3)
    with pytest.raises(ValueError, match="depends on no column of the data"):
        jm.margins(one, jm.fit(one))


def test_the_linear_predictor_is_what_moves_with_the_row():
    """Of a Weibull regression that is the scale, the second parameter, and not the shape, which all rows share."""
    fit = jm.fit(WAITING, {"b": jnp.zeros(2), "s": jm.positive(1.0)})
    expected = np.exp(np.asarray(WAITING.x["x"]) @ np.asarray(fit.params["b"]))
    np.testing.assert_allclose(jm.predict(WAITING, fit, kind="linear").value, expected, rtol=1e-12)


def test_what_all_rows_share_moves_with_none():
    x = np.array([0.2, -0.4, 0.9, 1.3, -1.0, 0.1])
    term = jm.regression(
        jm.densities.weibull,
        lambda params, row: (params["s"] * row["k"], jnp.exp(params["b"] * row["x"])),
        {"x": x, "k": jm.shared(jnp.array(2.0))},
        np.array([0.5, 1.0, 1.5, 2.5, 3.0, 0.7]),
    )
    fit = jm.fit(term, {"s": jm.positive(1.0), "b": 0.0})
    found = jm.predict(term, fit, kind="linear").value
    np.testing.assert_allclose(found, np.exp(float(fit.params["b"]) * x), rtol=1e-12)
