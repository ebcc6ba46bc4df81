"""Contrasts of categories and default columns of margins, and new rows of models with something beside the design.

Contrasts are held against group means, and against statsmodels' predictions of frames in which all rows have a level.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import jaxmle as jm

GENERATOR = np.random.default_rng(8)
LEVELS = GENERATOR.choice(["u", "v", "w"], 120, p=[0.3, 0.5, 0.2])
AGE = GENERATOR.normal(size=120)
YES = (GENERATOR.uniform(size=120) < np.select([LEVELS == "u", LEVELS == "v"], [0.3, 0.5], 0.65)).astype(float)
FRAME = pd.DataFrame({"y": YES, "c": LEVELS, "age": AGE, "treated": (AGE > 0.3).astype(float)})
FRAME["s"] = GENERATOR.choice(["f", "m"], 120)


def fitted(formula, data=FRAME, **options):
    problem = jm.models.logistic.from_formula(formula, data, **options)
    return problem, jm.fit(problem).raise_if_failed()


def test_contrasts_of_a_category_alone_are_differences_of_group_means():
    """And their errors those of two independent shares."""
    problem, fit = fitted("y ~ C(c)")
    share = {level: YES[level == LEVELS].mean() for level in "uvw"}
    variance = {level: share[level] * (1 - share[level]) / (level == LEVELS).sum() for level in "uvw"}
    for at in ("overall", "mean"):
        found = jm.margins(problem, fit, "contrast", at, ["C(c)[T.v]", "C(c)[T.w]"])
        np.testing.assert_allclose(found.value, [share["v"] - share["u"], share["w"] - share["u"]], rtol=1e-8)
        errors = np.sqrt([variance["v"] + variance["u"], variance["w"] + variance["u"]])
        np.testing.assert_allclose(found.bse, errors, rtol=1e-6)


def test_beside_other_columns_they_are_those_of_frames_with_the_level():
    problem, fit = fitted("y ~ c + age + treated")
    peer = smf.logit("y ~ c + age + treated", FRAME).fit(disp=0, tol=1e-12)
    found = jm.margins(problem, fit, "contrast", columns=["c[T.v]", "c[T.w]", "treated"])
    means = {level: peer.predict(FRAME.assign(c=level)).mean() for level in "uvw"}
    np.testing.assert_allclose(found.value[:2], [means["v"] - means["u"], means["w"] - means["u"]], rtol=1e-7)
    # Of a column that is no category the contrast is statsmodels' own.
    theirs = peer.get_margeff(dummy=True)
    np.testing.assert_allclose([found.value[2], found.bse[2]], [theirs.margeff[-1], theirs.margeff_se[-1]], rtol=1e-6)
    # By arrays with the labels of the formula it is the same.
    x = pd.DataFrame(peer.model.exog, columns=peer.model.exog_names)
    arrays = jm.models.logistic(x, YES)
    again = jm.margins(arrays, jm.fit(arrays), "contrast", columns=["c[T.v]", "c[T.w]", "treated"])
    np.testing.assert_allclose(again.value, found.value, rtol=1e-8)


@pytest.mark.parametrize(
    "formula, column, others",
    [
        ("y ~ C(c) - 1", "C(c)[v]", r"C\(c\) is also told by C\(c\)\[u\], C\(c\)\[w\]"),
        ("y ~ C(c, contr.sum)", "C(c, contr.sum)[S.u]", "is also told by"),
        ("y ~ C(s, contr.sum)", "C(s, contr.sum)[S.f]", "is also told by"),  # by no column but its own
        ("y ~ C(s, contr.poly)", "C(s, contr.poly)[.L]", "is also told by"),
    ],
)
def test_where_no_column_is_a_level_against_a_base_it_is_refused(formula, column, others):
    with pytest.raises(ValueError, match=f"from 0 to 1 is no change of level: .*{others}"):
        jm.margins(*fitted(formula), "contrast", columns=[column])


@pytest.mark.parametrize(
    "formula, column, levels",
    [
        ("y ~ treated * age", "treated", (1.0, 0.0)),
        ("y ~ treated * C(c) + age", "treated", (1.0, 0.0)),
        ("y ~ C(c) * age", "C(c)[T.v]", ("v", "u")),
        ("y ~ C(c) * treated * age", "C(c)[T.w]", ("w", "u")),
    ],
)
def test_interactions_move_with_the_column(formula, column, levels):
    """As in predictions of two frames; and so they do in the average derivative, by differences of such."""
    problem, fit = fitted(formula)
    name = "c" if column.startswith("C(") else column
    peer = smf.logit(formula, FRAME).fit(disp=0, tol=1e-12)
    found = jm.margins(problem, fit, "contrast", columns=[column])
    one, other = (peer.predict(FRAME.assign(**{name: level})).mean() for level in levels)
    np.testing.assert_allclose(found.value[0], one - other, rtol=1e-6)
    # The error by the delta method, with central differences of the means in the coefficients.
    designs = [np.asarray(problem.design(FRAME.assign(**{name: level}))) for level in levels]

    def contrast(beta):
        one, other = (np.mean(1.0 / (1.0 + np.exp(-x @ beta))) for x in designs)
        return one - other

    beta, steps = np.asarray(fit.params["beta"]), 1e-5 * np.eye(fit.z.size)
    slope = np.array([(contrast(beta + h) - contrast(beta - h)) / 2e-5 for h in steps])
    cov = np.asarray(jm.infer(problem, fit).cov)
    np.testing.assert_allclose(found.bse[0], np.sqrt(slope @ cov @ slope), rtol=1e-6)
    if "* age" in formula:
        ahead, back = (peer.predict(FRAME.assign(age=AGE + h)).mean() for h in (1e-5, -1e-5))
        moved = jm.margins(problem, fit, columns=["age"])
        np.testing.assert_allclose(moved.value[0], (ahead - back) / 2e-5, rtol=1e-6)
        assert not any(":" in name for name in jm.margins(problem, fit).columns)


def test_interactions_of_what_is_not_there_are_refused():
    with pytest.raises(ValueError, match=r"treated also moves treated:c\[.*, which is no column of the design: write"):
        jm.margins(*fitted("y ~ treated + treated:c"), "contrast", columns=["treated"])
    labels = ["const", "treated", "age", "treated:age"]
    x = np.c_[np.ones(120), FRAME["treated"], AGE, FRAME["treated"] * (AGE - 1.0)]
    problem = jm.models.logistic(x, YES, labels=labels)
    with pytest.raises(ValueError, match="treated:age is called the product of treated and age and is not"):
        jm.margins(problem, jm.fit(problem), "contrast", columns=["treated"])


@pytest.mark.parametrize("column", ["c[T.v]:age", "c[T.w]:treated[T.yes]", "age:c[T.v]"])
def test_an_interaction_is_no_contrast(column):
    problem = jm.models.linear(np.c_[np.ones(120), AGE], YES, labels=["const", column])
    with pytest.raises(ValueError, match="is an interaction, which does not change alone"):
        jm.margins(problem, jm.fit(problem), "contrast", columns=[column])


def test_places_of_an_array_are_no_levels():
    """The columns x[1] and x[2] of an array without labels are moved one by one, as statsmodels does."""
    x = np.c_[np.ones(120), LEVELS == "v", LEVELS == "w"].astype(float)
    problem = jm.models.logistic(x, YES)
    found = jm.margins(problem, jm.fit(problem), "contrast", columns=["x[1]"])
    theirs = smf.logit("y ~ C(c)", FRAME).fit(disp=0, tol=1e-12).get_margeff(dummy=True)
    np.testing.assert_allclose(found.value[0], theirs.margeff[0], rtol=1e-6)


COUNTS = GENERATOR.poisson(3.0, 120).astype(float)
X = np.c_[np.ones(120), AGE]
YEARS = GENERATOR.uniform(0.5, 2.0, 120)


@pytest.fixture(scope="module")
def rates():
    problem = jm.models.poisson_regression(X, COUNTS, exposure=YEARS)
    return problem, jm.fit(problem)


def test_new_rows_have_an_exposure_as_it_was_given_to_the_model(rates):
    problem, fit = rates
    found = jm.predict(problem, fit, {"x": X[:3], "exposure": np.array([1, 2, 4])})
    np.testing.assert_allclose(found.value, [1, 2, 4] * np.exp(X[:3] @ np.asarray(fit.params["beta"])), rtol=1e-12)
    same = jm.predict(problem, fit, {"x": X, "exposure": YEARS})
    np.testing.assert_allclose(same.value, jm.predict(problem, fit).value, rtol=1e-12)
    traced = jax.jit(lambda years: jm.predict(problem, fit, {"x": X[:3], "exposure": years}).value)(
        jnp.arange(1.0, 4.0)
    )
    assert traced.shape == (3,)
    with pytest.raises(ValueError, match="new_data leaf 'exposure' must be positive"):
        jm.predict(problem, fit, {"x": X[:2], "exposure": np.array([1.0, 0.0])})
    for wrong in (X[:2], {"x": X[:2], "offset": np.zeros(2)}):
        with pytest.raises(TypeError, match=r"the fit was made with the leaves exposure, x;"):
            jm.predict(problem, fit, wrong)


def test_a_frame_of_a_design_may_have_the_exposure_in_a_column():
    problem = jm.models.poisson_regression(X, COUNTS, exposure=YEARS, labels=["const", "age"])
    fit = jm.fit(problem)
    frame = pd.DataFrame({"age": AGE, "exposure": YEARS, "const": 1.0})
    np.testing.assert_allclose(jm.predict(problem, fit, frame).value, jm.predict(problem, fit).value, rtol=1e-12)
    with pytest.raises(ValueError, match="the data frame has no column exposure"):
        jm.predict(problem, fit, frame[["const", "age"]])


def test_an_effect_that_is_not_finite_has_no_error():
    """The mean of Pareto's distribution is infinite where its index is one or less, and no number changes that."""
    rows = np.c_[np.ones(120), AGE > 0.0]
    term = jm.regression(jm.densities.pareto, lambda p, x: (p["b"], jnp.exp(x @ p["beta"])), rows, np.full(120, 9.0))
    for b, exists in ((0.8, False), (2.0, True)):
        fit = jm.Fit.at(term, {"b": jm.positive(b), "beta": jnp.array([0.1, 0.2])})
        found = jm.margins(term, fit, "contrast", covariance=np.eye(3), columns=["x[1]"])
        for part in (found.value, found.bse, found.zvalues, found.pvalues, found.lower, found.upper, found.cov):
            assert np.isfinite(part).all() == exists


def test_default_margins_are_those_of_the_design(rates):
    assert jm.margins(*rates).columns == ("x[0]", "x[1]")
    trials = jm.models.logistic(X, np.minimum(COUNTS, 9), trials=np.full(120, 9.0), offset=0.1 * AGE)
    assert jm.margins(trials, jm.fit(trials)).columns == ("x.x[0]", "x.x[1]")
    votes = jm.models.softmax(X, np.minimum(COUNTS, 2).astype(int), labels=["const", "age"])
    found = jm.margins(votes, jm.fit(votes))
    assert found.columns == ("age",)
    plain = jm.models.softmax(X, np.minimum(COUNTS, 2).astype(int))
    np.testing.assert_allclose(found.value, jm.margins(plain, jm.fit(plain), columns=["x[1]"]).value, rtol=1e-8)
    of_user = jm.regression(
        jm.densities.poisson, lambda p, row: (p["b"] * row["x"] + row["z"],), {"x": AGE, "z": AGE}, COUNTS
    )
    assert jm.margins(of_user, jm.Fit.at(of_user, {"b": 0.1}), covariance=np.eye(1)).columns == ("x", "z")


BETWEEN = FRAME.assign(dose=np.exp(AGE))


def test_a_product_without_its_columns_is_not_shown_as_one():
    """Of y ~ age:dose the slope in age is dose times the coefficient, and the coefficient is no marginal effect."""
    problem = jm.models.linear.from_formula("y ~ age:dose", BETWEEN)
    fit = jm.fit(problem)
    with pytest.raises(ValueError, match=r"interactions only, which do not move alone: age:dose; write .*a \* b"):
        jm.margins(problem, fit)
    for wanted in ("age", "dose"):
        with pytest.raises(ValueError, match=f"{wanted} is part of age:dose and no column of the design: write"):
            jm.margins(problem, fit, columns=[wanted])
    with pytest.raises(ValueError, match="age:dose is an interaction, which does not change alone: write the formula"):
        jm.margins(problem + jm.priors.normal("beta", scale=9.0), fit, columns=["age:dose"])
    beside = jm.models.linear.from_formula("y ~ treated + age:np.log(dose)", BETWEEN)
    assert jm.margins(beside, jm.fit(beside)).columns == ("treated",)


def test_with_its_columns_the_slope_is_that_of_the_product():
    """b + d dose, in closed form, with the covariance of the coefficients."""
    problem = jm.models.linear.from_formula("y ~ age * dose", BETWEEN)
    fit = jm.fit(problem)
    names, beta = list(fit.space.labels[0]), np.asarray(fit.params["beta"])
    slope = np.zeros(fit.z.size)
    slope[[names.index("age"), names.index("age:dose")]] = 1.0, BETWEEN["dose"].mean()
    found = jm.margins(problem, fit, columns=["age"])
    np.testing.assert_allclose(found.value[0], slope[: beta.size] @ beta, rtol=1e-10)
    cov = np.asarray(jm.infer(problem, fit).cov)
    np.testing.assert_allclose(found.bse[0], np.sqrt(slope @ cov @ slope), rtol=1e-8)


def test_a_colon_in_the_name_of_a_column_is_none_of_a_product():
    frame = FRAME.assign(**{"at 10:30": AGE, "age:dose": AGE**2})
    quoted = jm.models.linear.from_formula("y ~ treated + `age:dose`", frame)
    assert jm.margins(quoted, jm.fit(quoted)).columns == ("treated", "age:dose")
    labelled = jm.models.linear(np.c_[np.ones(120), AGE], YES, labels=["const", "at 10:30"])
    assert jm.margins(labelled, jm.fit(labelled)).columns == ("at 10:30",)


@pytest.fixture(scope="module")
def beside():
    return fitted("y ~ treated * age + c:treated + c + dose", data=BETWEEN)


def test_at_the_mean_row_all_effects_are_taken_at_one_point(beside):
    """The mean row has the products of its means, for the effect of a column beside the interaction too."""
    problem, fit = beside
    beta = dict(zip(fit.space.labels[0], np.asarray(fit.params["beta"]), strict=True))
    mean = {"const": 1.0, "treated": BETWEEN["treated"].mean(), "age": AGE.mean(), "dose": BETWEEN["dose"].mean()}
    mean |= {f"c[T.{level}]": (level == LEVELS).mean() for level in "vw"}
    eta = sum(b * np.prod([mean[part] for part in label.split(":")]) for label, b in beta.items())
    density = np.exp(eta) / (1.0 + np.exp(eta)) ** 2
    slopes = {"dose": beta["dose"], "age": beta["age"] + beta["treated:age"] * mean["treated"]}
    found = jm.margins(problem, fit, at="mean", columns=list(slopes))
    np.testing.assert_allclose(found.value, density * np.array(list(slopes.values())), rtol=1e-8)
    traced = jax.jit(lambda problem, fit: jm.margins(problem, fit, at="mean", columns=list(slopes)).value)
    np.testing.assert_allclose(traced(problem, fit), found.value, rtol=1e-12)


def test_columns_may_be_any_collection_of_names(beside):
    problem, fit = beside
    numbers = [list(fit.space.labels[0]).index(name) for name in ("age", "dose")]
    names = (name for name in ("age", "dose"))
    for wanted in ({"dose", "age"}, {"age": 0, "dose": 0}.keys(), names, np.array(numbers), set(numbers)):
        assert jm.margins(problem, fit, columns=wanted).columns == ("age", "dose"), wanted
    assert jm.margins(problem, fit, columns=np.int64(numbers[0])).columns == ("age",)
    for wanted in (1.5, np.array(1.5)):
        with pytest.raises(TypeError, match="by their names or their numbers"):
            jm.margins(problem, fit, columns=wanted)


def test_a_design_of_whole_numbers_has_products_too():
    treated, urban = FRAME["treated"].to_numpy(int), (FRAME["s"] == "f").to_numpy(int)
    x = np.c_[np.ones(120, int), treated, urban, treated * urban]
    start = {"beta": jm.free(jnp.zeros(4), labels=["const", "treated", "urban", "treated:urban"])}

    def found(x):
        term = jm.regression(jm.densities.bernoulli, lambda p, row: (row.astype(float) @ p["beta"],), x, YES)
        return jm.margins(term, jm.fit(term, start), "contrast", columns=["treated"])

    np.testing.assert_allclose(found(x).value, found(x.astype(float)).value, rtol=1e-8)
    with pytest.raises(ValueError, match="is called the product of treated and urban and is not"):
        found(x + np.eye(120, 4, dtype=int)[[0, 0, 0, 3] * 30])


@pytest.mark.parametrize("garbage", [99.0, np.inf, np.nan])
def test_products_are_looked_at_in_rows_that_count(garbage):
    x = np.c_[np.ones(120), AGE, FRAME["treated"], AGE * FRAME["treated"]]
    weights = np.r_[0.0, np.ones(119)]
    dirty = x.copy()
    dirty[0, 1:] = np.inf if np.isinf(garbage) else 2.0
    dirty[0, 3] = garbage
    labels = ["const", "age", "treated", "age:treated"]
    clean = jm.models.linear(x[1:], YES[1:], labels=labels)
    problem = jm.models.linear(dirty, YES, weights, labels=labels)
    for at in ("overall", "mean"):
        expected = jm.margins(clean, jm.fit(clean), at=at)
        np.testing.assert_allclose(jm.margins(problem, jm.fit(problem), at=at).value, expected.value, rtol=1e-8)


@pytest.mark.parametrize(
    "formula, columns, of_one",
    [
        ("y ~ age + I(age**2) + dose", None, "age, I(age ** 2) are made of one column, age"),
        ("y ~ age + I(age**2) + dose", "age", "age, I(age ** 2) are made of one column, age"),
        ("y ~ bs(age, df=4) + dose", None, "bs(age, df=4)[4] are made of one column, age"),
        ("y ~ age + I(age**2) + dose", "dose", None),
        ("y ~ age * dose + C(town)", None, None),
        ("y ~ np.log(age + 9) + dose", None, None),
        ("y ~ age + `age.1` + `old age`", None, None),
    ],
)
def test_columns_made_of_one_are_told(formula, columns, of_one):
    """The derivative in a column with its square held is no effect of either."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"age": rng.normal(size=40), "dose": rng.normal(size=40), "y": rng.poisson(3, 40)})
    frame = frame.assign(town=list("abcd") * 10, **{"age.1": rng.normal(size=40), "old age": rng.normal(size=40)})
    problem = jm.models.poisson_regression.from_formula(formula, frame)
    said = " ".join(jm.margins(problem, jm.fit(problem), columns=columns).table().notes)
    assert (of_one in said) if of_one else not said
