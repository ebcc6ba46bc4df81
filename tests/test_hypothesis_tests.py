"""Wald, score and likelihood ratio tests against statsmodels, scipy and closed forms; and their laws."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import statsmodels.api as sm
from scipy import stats

import jaxmle as jm


@pytest.fixture(scope="module")
def spector():
    """A logistic regression on data that statsmodels brings along: the peer, the problem, the fit, the inference."""
    data = sm.datasets.spector.load_pandas()
    x = sm.add_constant(data.exog)
    problem = jm.models.logistic(x, data.endog)
    fit = jm.fit(problem).raise_if_failed()
    peer = sm.Logit(data.endog, x).fit(disp=0, method="newton", tol=1e-14)
    return peer, problem, fit, jm.infer(problem, fit)


@pytest.mark.parametrize("text", ["GPA = 0", "GPA - 2*TUCE = 1, PSI = 0.5*GPA", "GPA = PSI = 2", "-TUCE/2 + (PSI - 1)"])
def test_wald_tests_of_text_equal_statsmodels(spector, text):
    """Text as patsy reads it; to 1e-8, what both fits leave."""
    peer, problem, fit, inference = spector
    theirs = peer.wald_test(text if "=" in text else f"{text} = 0", use_f=False, scalar=True)
    for covariance in ("observed", inference):
        found = jm.wald_test(problem, fit, text, covariance=covariance)
        assert float(found.statistic) == pytest.approx(float(theirs.statistic), rel=1e-8)
        assert float(found.pvalue) == pytest.approx(float(theirs.pvalue), rel=1e-7)
        assert found.df == theirs.df_denom


def test_wald_tests_of_matrices_places_and_functions_are_one(spector):
    peer, problem, fit, _ = spector
    matrix, value = np.array([[0.0, 1.0, 0.0, -1.0], [0.0, 0.0, 1.0, 0.0]]), np.array([0.5, 0.1])
    theirs = peer.wald_test((matrix, value), use_f=False, scalar=True)
    for found in (
        jm.wald_test(problem, fit, matrix, value),
        jm.wald_test(problem, fit, "beta[1] - PSI = 0.5, TUCE = .1"),
        jm.wald_test(problem, fit, lambda p: {"a": p["beta"][1] - p["beta"][3] - 0.5, "b": p["beta"][2] - 0.1}),
    ):
        assert float(found.statistic) == pytest.approx(float(theirs.statistic), rel=1e-8)
        assert found.df == 2
    one = jm.wald_test(problem, fit, matrix[1], 0.1)
    assert float(one.statistic) == pytest.approx(
        float(peer.wald_test((matrix[1], 0.1), scalar=True).statistic), rel=1e-8
    )


def test_f_distribution_equals_statsmodels(spector):
    peer, problem, fit, _ = spector
    theirs = peer.wald_test("GPA = 0, PSI = 0", use_f=True, scalar=True)
    found = jm.wald_test(problem, fit, "GPA = 0, PSI = 0", distribution="F")
    assert float(found.statistic) == pytest.approx(float(theirs.fvalue), rel=1e-8)
    assert float(found.pvalue) == pytest.approx(float(theirs.pvalue), rel=1e-7)
    assert float(found.df_resid) == theirs.df_denom


def test_a_nonlinear_restriction_in_closed_form(spector):
    """h = a b - 1: h^2 over (b, a) V (b, a)'."""
    peer, problem, fit, _ = spector
    (a, b), cov = np.asarray(peer.params)[[1, 3]], np.asarray(peer.cov_params())[np.ix_([1, 3], [1, 3])]
    found = jm.wald_test(problem, fit, lambda params: params["beta"][1] * params["beta"][3] - 1.0)
    expected = (a * b - 1) ** 2 / (np.array([b, a]) @ cov @ np.array([b, a]))
    assert float(found.statistic) == pytest.approx(expected, rel=1e-7)
    twice = jm.wald_test(problem, fit, lambda params: jnp.stack([params["beta"][1], 2.0 * params["beta"][1]]))
    assert np.isnan(float(twice.statistic))
    assert np.isnan(float(twice.pvalue))
    assert "restrictions are not independent at the estimate" in str(twice).replace("\n    ", " ")


def _line(params, row):
    return (params["const"] + params["gpa"] * row["gpa"] + params["rest"] @ row["rest"],)


@pytest.fixture(scope="module")
def nested():
    """A logistic regression with its coefficients in leaves, and the fit without two of them."""
    data = sm.datasets.spector.load_pandas()
    x, y = np.asarray(data.exog), np.asarray(data.endog)
    term = jm.regression(jm.densities.bernoulli, _line, {"gpa": x[:, 0], "rest": x[:, 1:]}, y)
    start = {"const": 0.0, "gpa": 0.0, "rest": jnp.zeros(2)}
    smaller = jm.fit(term, {**start, "rest": jm.fixed(jnp.zeros(2))}).raise_if_failed()
    return x, y, term, start, smaller


@pytest.mark.parametrize("information", ["observed", "expected"])
def test_score_tests_equal_statsmodels(nested, information):
    """Of a canonical link, where the observed information is the expected one."""
    x, y, term, start, smaller = nested
    family = sm.families.Binomial()
    peer = sm.GLM(y, sm.add_constant(x[:, :1]), family=family).fit(tol=1e-15)
    statistic, pvalue, df = peer.model.score_test(peer.params, exog_extra=x[:, 1:])
    found = jm.score_test(term, smaller, start, information=information)
    assert float(found.statistic) == pytest.approx(np.asarray(statistic).item(), rel=1e-8)
    assert float(found.pvalue) == pytest.approx(np.asarray(pvalue).item(), rel=1e-8)
    assert found.df == df
    logit = sm.Logit(y, sm.add_constant(x[:, :1])).fit(disp=0, tol=1e-14).score_test(exog_extra=x[:, 1:])
    assert float(found.statistic) == pytest.approx(np.asarray(logit[0]).item(), rel=1e-8)


def test_the_outer_product_score_test_is_n_r_squared(nested):
    """Davidson and MacKinnon: the sum of squares explained by the regression of one on the scores."""
    x, y, term, start, smaller = nested
    p = 1.0 / (1.0 + np.exp(-(float(smaller.params["const"]) + float(smaller.params["gpa"]) * x[:, 0])))
    scores = (y - p)[:, None] * sm.add_constant(x)
    explained = sm.OLS(np.ones(y.size), scores).fit().ess
    found = jm.score_test(term, smaller, start, information="opg")
    assert float(found.statistic) == pytest.approx(explained, rel=1e-8)


def test_likelihood_ratios_equal_statsmodels(nested):
    x, y, term, start, smaller = nested
    larger = jm.infer(term, jm.fit(term, start))
    found = jm.likelihood_ratio_test(larger, jm.infer(term, smaller))
    peers = [sm.Logit(y, sm.add_constant(c)).fit(disp=0, tol=1e-14) for c in (x, x[:, :1])]
    statistic = 2 * (peers[0].llf - peers[1].llf)
    assert float(found.statistic) == pytest.approx(statistic, rel=1e-9)
    assert float(found.pvalue) == pytest.approx(stats.chi2.sf(statistic, 2), rel=1e-9)
    assert found.df == 2
    alone = sm.Logit(y, np.ones(y.size)).fit(disp=0, tol=1e-14)
    const = jm.fit(term, {"const": 0.0, "gpa": jm.fixed(0.0), "rest": jm.fixed(jnp.zeros(2))})
    found = jm.likelihood_ratio_test(larger, jm.infer(term, const))
    assert float(found.statistic) == pytest.approx(peers[0].llr, rel=1e-9)
    assert float(alone.llf) == pytest.approx(float(const.log_likelihood), rel=1e-12)


def test_the_three_tests_agree_in_the_limit():
    """Of one hypothesis that holds, on many rows: they differ by one over the root of n."""
    y = jnp.asarray(np.random.default_rng(0).exponential(2.0, 20_000))
    problem = jm.models.normal(y - 2.0 + 0.01)
    fit = jm.fit(problem)
    smaller = jm.fit(problem, {"mu": jm.fixed(0.0), "sigma": jm.positive(1.0)})
    wald = jm.wald_test(problem, fit, "mu = 0")
    ratio = jm.likelihood_ratio_test(jm.infer(problem, fit), jm.infer(problem, smaller))
    score = jm.score_test(problem, smaller)
    for found in (ratio, score):
        assert float(found.statistic) == pytest.approx(float(wald.statistic), rel=0.01)


def test_p_values_equal_scipy_far_into_the_tail():
    from jaxmle.inference.hypotheses.hypothesis import chi_square_sf, f_sf

    for x in (1e-8, 0.5, 3.84, 40.0, 300.0):
        for df in (1, 2, 7):
            assert float(chi_square_sf(jnp.asarray(x), df)) == pytest.approx(stats.chi2.sf(x, df), rel=1e-10)
            assert float(f_sf(jnp.asarray(x), df, jnp.asarray(28.0))) == pytest.approx(stats.f.sf(x, df, 28), rel=1e-9)


def _rate_is_three(params):
    return params["rate"] - 3.0


def test_jit_equals_eager_and_vmap_equals_a_loop():
    y = jnp.asarray(np.random.default_rng(0).poisson(3.0, (3, 12)).astype(float))

    def tests(y):
        problem = jm.models.poisson(y)
        fit = jm.fit(problem)
        return (
            jm.wald_test(problem, fit, "rate = 3"),
            jm.wald_test(problem, fit, _rate_is_three),
            jm.wald_test(problem, fit, jnp.eye(1), 3.0, distribution="F"),
        )

    loop = [tests(y[i]) for i in range(3)]
    batched = jax.jit(jax.vmap(tests))(y)
    for k in range(3):
        np.testing.assert_allclose(batched[k].statistic, [lane[k].statistic for lane in loop], rtol=1e-9)
        np.testing.assert_allclose(batched[k].pvalue, [lane[k].pvalue for lane in loop], rtol=1e-9)
    # By hand: the information of a Poisson rate is n / rate at its mean.
    by_hand = (y.mean(1) - 3) ** 2 * 12 / y.mean(1)
    np.testing.assert_allclose(batched[0].statistic, by_hand, rtol=1e-9)


def test_score_and_ratio_of_a_batch_equal_a_loop_and_a_failed_lane_is_nan():
    y = jnp.asarray(np.random.default_rng(0).normal(0.3, 1.0, (3, 12)))
    y = y.at[1].set(2.5)  # a constant sample: its likelihood is unbounded

    def tests(y):
        problem = jm.models.normal(y)
        smaller = jm.fit(problem, {"mu": jm.fixed(0.0), "sigma": jm.positive(1.0)})
        larger = jm.infer(problem, jm.fit(problem))
        return (
            jm.score_test(problem, smaller, problem.start, information="expected"),
            jm.likelihood_ratio_test(larger, jm.infer(problem, smaller)),
        )

    score, ratio = jax.jit(jax.vmap(tests))(y)
    # By hand: with the scale free both are functions of the variances about zero and about the mean.
    kept = np.array([0, 2])
    about_zero, about_mean = np.mean(np.asarray(y[kept]) ** 2, axis=1), np.var(np.asarray(y[kept]), axis=1)
    np.testing.assert_allclose(score.statistic[kept], 12 * (1 - about_mean / about_zero), rtol=1e-9)
    np.testing.assert_allclose(ratio.statistic[kept], 12 * np.log(about_zero / about_mean), rtol=1e-9)
    assert np.isnan(float(ratio.statistic[1]))
    with pytest.raises(ValueError, match="a batch of tests has no single table; take a lane"):
        print(ratio)


def test_restrictions_that_cannot_be_read(spector):
    _, problem, fit, _ = spector
    for text, message in [
        (
            "gpa = 0",
            r"no estimated parameter is called 'gpa' \(is it 'GPA'\?\); the parameters that can",
        ),
        ("GPA * PSI = 1", "is not linear at .*: give a function of params that is to be zero"),
        ("2 GPA = 0", "cannot be read at '2 .*': write sums of multiples of parameters"),
        ("GPA = ", "cannot be read at ''"),
        ("GPA = 0, GPA = 1", "are 2 and only 1 of them say something of their own"),
        ("1 = 1", "are 1 and only 0 of them say something"),
    ]:
        with pytest.raises(ValueError, match=message):
            jm.wald_test(problem, fit, text)
    for matrix, value, message in [
        (np.eye(3), None, r"the restriction has shape \(3, 3\) and the fit 4 numbers that are not fixed"),
        (np.eye(4), np.zeros(3), r"value has shape \(3,\) and there are 4 restrictions"),
        (np.ones((2, 4)), None, "are 2 and only 1 of them"),
    ]:
        with pytest.raises(ValueError, match=message):
            jm.wald_test(problem, fit, matrix, value)
    with pytest.raises(TypeError, match="value= goes with a matrix"):
        jm.wald_test(problem, fit, "GPA", 1.0)
    with pytest.raises(ValueError, match='distribution must be "chi2" or "F", not \'t\''):
        jm.wald_test(problem, fit, "GPA", distribution="t")


def test_names_with_brackets_commas_and_numbers():
    """What formulas call their columns; and a label that is a number is a number."""
    from jaxmle.inference.hypotheses.restriction import linear_restrictions, scalar_names
    from jaxmle.parameters.space import Space

    labels = ["C(g)[T.b]", "a:b", "bs(a, df=4)[1]", "0", "const"]
    space, _ = Space.of({"beta": jm.free(jnp.zeros(5), labels), "other": jm.free(jnp.zeros(1), ["const"])})
    names = scalar_names(space)
    matrix, value = linear_restrictions("C(g)[T.b] = 2*bs(a, df=4)[1], a:b - const (2) = 0, beta[3] = const", names, 6)
    expected = [[1, 0, -2, 0, 0, 0], [0, 1, 0, 0, 0, -1], [0, 0, 0, 1, -1, 0]]
    np.testing.assert_array_equal(matrix, expected)
    np.testing.assert_array_equal(value, np.zeros(3))
    assert "0" not in names


def test_score_tests_that_are_refused(nested):
    x, y, term, start, smaller = nested
    prior = jm.priors.normal("rest", scale=1.0)
    other = jm.regression(jm.densities.bernoulli, _line, {"gpa": x[:, 0], "rest": x[:, 1:]}, 1.0 - y)
    for refused, message in [
        (lambda: jm.score_test(other, smaller, start), "on this objective about .* is missing: it was of another one"),
        (lambda: jm.score_test(term, smaller, {**start, "rest": jm.fixed(jnp.zeros(2))}), "so nothing is restricted"),
        (lambda: jm.score_test(term, smaller, {"a": 0.0}), "the restricted fit has other parameters than the start"),
        (lambda: jm.score_test(term, smaller, {**start, "rest": jnp.zeros(3)}), "has other parameters than the start"),
        (lambda: jm.score_test(term + prior, smaller, start), "the score test is of a likelihood"),
        (lambda: jm.score_test(term, smaller, start, information="robust"), "there is no information 'robust'"),
        (lambda: jm.score_test(term, _failed(term, start), start), "the restricted fit is not an estimate: ran out of"),
    ]:
        with pytest.raises(ValueError, match=message):
            refused()
    with pytest.raises(TypeError, match="there is no start: give the start tree of the larger model"):
        jm.score_test(term, smaller)
    traced = jax.jit(lambda fit: [jm.score_test(of, fit, start).statistic for of in (term, other)])(smaller)
    assert float(traced[0]) == pytest.approx(float(jm.score_test(term, smaller, start).statistic), rel=1e-9)
    assert np.isnan(traced[1])


def _failed(term, start):
    return jm.fit(term, {**start, "rest": jm.fixed(jnp.zeros(2))}, max_steps=1)


def test_likelihood_ratios_that_are_refused(nested):
    x, y, term, start, smaller = nested
    larger, reduced, smaller = jm.infer(term, jm.fit(term, start)), smaller, jm.infer(term, smaller)
    rows = {"gpa": x[:-1, 0], "rest": x[:-1, 1:]}
    fewer = jm.regression(jm.densities.bernoulli, _line, rows, y[:-1])
    whole = term + jm.priors.normal("gpa", scale=1.0)
    penalised = jm.infer(whole, jm.fit(whole, start))
    wrong = jm.infer(term, jm.fit(term, {"const": jm.fixed(0.0), "gpa": 0.0, "rest": jnp.zeros(2)}))
    given = jm.infer(term, jm.Fit.at(term, start))
    stopped = jm.infer(term, jm.fit(term, start, solver=optax.adam(0.1), max_steps=2))
    for pair, message in [
        ((smaller, larger), "the larger model has 2 free parameters and the smaller 4, so they are not nested"),
        ((larger, larger), "the larger model has 4 free parameters and the smaller 4"),
        ((jm.infer(fewer, jm.fit(fewer, start)), smaller), "fitted to different observations, 31 and 32"),
        (
            (penalised, smaller),
            "compares maxima of a likelihood: with a prior",
        ),
        (
            (larger, jm.infer(term, _failed(term, start))),
            "the smaller model gives no likelihood ratio: ran out",
        ),
        (
            (larger, jm.infer(term, reduced, "hc0", weights="sampling")),
            "with sampling weights the log-likelihood is not",
        ),
        ((wrong, smaller), "the larger model has the smaller log-likelihood, -"),
        ((given, smaller), r"the larger model .*is not at its maximum: about 7\.57 of log-likelihood is missing"),
        (
            (stopped, smaller),
            "completed.*is not at its maximum: about .*go on from there, by jm.polish",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            jm.likelihood_ratio_test(*pair)
    with pytest.raises(TypeError, match=r"takes two inferences, jm\.infer\(objective, fit\), not a Fit"):
        jm.likelihood_ratio_test(jm.fit(term, start), smaller)


def test_they_print_themselves(spector):
    _, problem, fit, _ = spector
    found = jm.wald_test(problem, fit, np.array([0.0, 2.0, 0.0, -1.0]), 1.0)
    assert str(found).splitlines() == [
        "                                  Wald test",
        "=" * 78,
        "                                                    chi2         df     P>chi2",
        "-" * 78,
        "GPA - 0.5 * PSI = 0.5                              0.891          1      0.345",
        "=" * 78,
    ]
    text = str(jm.wald_test(problem, fit, "GPA = 0, PSI = 0", distribution="F")).splitlines()
    assert text[2].split() == ["F", "df", "df", "resid", "P>F"]
    assert text[4].split()[-4:] == ["3.793", "2", "28", "0.035"]  # as statsmodels has them, above
    assert list(found.to_frame().columns) == ["chi2", "df", "P>chi2"]


def test_a_list_of_texts_is_one_text(spector):
    _, problem, fit, _ = spector
    one, other = (jm.wald_test(problem, fit, text) for text in (["GPA = 0", "PSI == TUCE"], "GPA = 0, PSI = TUCE"))
    assert float(one.statistic) == float(other.statistic)
    assert one.df == other.df == 2
    with pytest.raises(TypeError, match="value= goes with a matrix"):
        jm.wald_test(problem, fit, ["GPA = 0"], 1.0)


@pytest.mark.parametrize("total", [1.0, 2.0])
@pytest.mark.parametrize("size", [57, 94, 131])
def test_what_holds_whatever_the_estimate_is_no_hypothesis(total, size):
    """The shares of a simplex add up to one: the variance of their sum is rounding, and so is its distance from one."""
    y = np.random.default_rng(8).choice(3, size=size, p=[0.2, 0.5, 0.3])
    term = jm.likelihood(lambda params, y: jnp.log(params["w"])[y], y)
    fit = jm.fit(term, {"w": jm.simplex(jnp.ones(3) / 3)})
    assert np.isnan(jm.wald_test(term, fit, f"w[0] + w[1] + w[2] = {total}").statistic)
    assert np.isfinite(jm.wald_test(term, fit, "w[0] + w[1] = 0.7").statistic)
