"""Formulas on pandas and polars frames: designs, labels and estimates are those of patsy and statsmodels, and rows with
missing values are named, or dropped and reported."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import patsy
import polars as pl
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from formula_cases import FRAME, POISSON, as_polars, coefficients, labels

import jaxmle as jm
from jaxmle.models.formula import read_formula

SAME = {"rtol": 1e-6, "atol": 1e-9}  # statsmodels stops at a change of deviance of 1e-13 of itself


# What formulas mean: the matrices of patsy, another implementation of the same language.

SPLINES = [
    ("bs(income, df=4)", "bs(income, df=4)", 4),
    ("bs(income, df=6, degree=2)", "bs(income, df=6, degree=2)", 6),
    ("cr(income, df=4)", "cr(income, df=4)", 4),
]
CODINGS = [
    ("income:ratio", ["income:ratio"]),
    ("income * ratio", ["income", "ratio", "income:ratio"]),
    ("region", ["region[T.north]", "region[T.south]"]),
    ("C(year)", ["C(year)[T.1997]", "C(year)[T.1998]", "C(year)[T.1999]"]),
    ("income:region", ["income:region[east]", "income:region[north]", "income:region[south]"]),
    (
        "income * region",
        ["region[T.north]", "region[T.south]", "income", "income:region[T.north]", "income:region[T.south]"],
    ),
    ("np.log(ratio)", ["np.log(ratio)"]),
    ("I(income ** 2)", ["I(income ** 2)"]),
]
CONTRASTS = [
    ("C(region, contr.sum)", "C(region, Sum)", ["C(region, contr.sum)[S.east]", "C(region, contr.sum)[S.north]"]),
    (
        "C(region, contr.treatment('south'))",
        "C(region, Treatment('south'))",
        ["C(region, contr.treatment('south'))[T.east]", "C(region, contr.treatment('south'))[T.north]"],
    ),
    (
        "C(region, Treatment('south'))",
        "C(region, Treatment('south'))",
        ["C(region, Treatment('south'))[T.east]", "C(region, Treatment('south'))[T.north]"],
    ),
    ("C(year, contr.diff)", None, [f"C(year, contr.diff)[D.{year}]" for year in (1997, 1998, 1999)]),
    (
        "C(year, contr.poly)",
        "C(year, Poly)",
        ["C(year, contr.poly)[.L]", "C(year, contr.poly)[.Q]", "C(year, contr.poly)[.C]"],
    ),
    ("C(region, contr.helmert)", None, ["C(region, contr.helmert)[H.north]", "C(region, contr.helmert)[H.south]"]),
]


def by_name(x, names):
    """The columns of a design by name, whatever their order."""
    return {name.replace(" ", ""): column for name, column in zip(names, x.T, strict=True)}


@pytest.mark.parametrize("right, expected", CODINGS, ids=[right for right, _ in CODINGS])
def test_interactions_and_categories_are_those_of_patsy_under_the_same_labels(right, expected):
    read = read_formula(f"rate ~ {right}", FRAME)
    theirs = patsy.dmatrix(right, FRAME)
    ours, names = by_name(read.x, read.labels), ["const", *theirs.design_info.column_names[1:]]
    assert set(read.labels) == {"const", *expected}
    for name, column in by_name(np.asarray(theirs), names).items():
        np.testing.assert_allclose(ours[name], column, rtol=1e-12)


@pytest.mark.parametrize("ours, theirs, width", SPLINES, ids=[row[0] for row in SPLINES])
def test_splines_span_the_space_of_patsys(ours, theirs, width):
    read = read_formula(f"rate ~ {ours}", FRAME)
    assert read.labels == ["const", *[f"{ours}[{i}]" for i in range(1, width + 1)]]
    expected = np.asarray(patsy.dmatrix(theirs, FRAME))
    np.testing.assert_allclose(read.x, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("ours, theirs, expected", CONTRASTS, ids=[row[0] for row in CONTRASTS])
def test_codings_of_categories_have_their_labels_and_the_columns_of_patsy(ours, theirs, expected):
    read = read_formula(f"rate ~ {ours}", FRAME)
    assert read.labels == ["const", *expected]
    if theirs is not None:
        np.testing.assert_allclose(read.x, np.asarray(patsy.dmatrix(theirs, FRAME)), atol=1e-12)
    cells = np.asarray(patsy.dmatrix("0 + C(region)" if "region" in ours else "0 + C(year)", FRAME))
    fitted = coefficients(jm.models.linear.from_formula(f"rate ~ {ours}", FRAME)) @ read.x.T
    means = cells.T @ FRAME["rate"] / cells.sum(axis=0)
    np.testing.assert_allclose(fitted, cells @ means, rtol=1e-9)  # every coding fits the mean of each cell


_OURS = {"Intercept": "const", "urban[T.True]": "urban"}  # patsy counts splines from zero
_OURS |= {f"bs(income, df=4)[{i}]": f"bs(income, df=4)[{i + 1}]" for i in range(4)}


@pytest.mark.parametrize(
    "right", ["income * region", "C(region, Treatment('south')) + bs(income, df=4)", "urban + ratio"]
)
def test_estimates_and_errors_are_those_of_statsmodels_formulas(right):
    formula = f"passed ~ {right}"
    problem = POISSON.from_formula(formula, FRAME)
    fit = jm.fit(problem).raise_if_failed()
    expected = smf.glm(formula, FRAME, family=sm.families.Poisson()).fit(tol=1e-13, maxiter=100)
    ours = pd.DataFrame(
        {"coef": fit.params["beta"], "se": jm.infer(problem, fit).bse["beta"]}, fit.space.scalar_labels()
    )
    names = [_OURS.get(name, name) for name in expected.params.index]
    np.testing.assert_allclose(ours.loc[names, "coef"], expected.params, **SAME)
    np.testing.assert_allclose(ours.loc[names, "se"], expected.bse, **SAME)


# Columns by name.


def test_weights_offset_and_exposure_may_be_named():
    formula = "passed ~ income + region"
    named = POISSON.from_formula(formula, FRAME, weights="cases", offset="known", exposure="pupils")
    expected = smf.glm(
        formula,
        FRAME,
        family=sm.families.Poisson(),
        freq_weights=FRAME["cases"],
        offset=FRAME["known"],
        exposure=FRAME["pupils"],
    ).fit(tol=1e-13)
    read = read_formula(formula, FRAME)
    names = [{"const": "Intercept"}.get(name, name) for name in read.labels]
    np.testing.assert_allclose(coefficients(named), expected.params[names], **SAME)
    arrays = POISSON.from_formula(
        formula, FRAME, weights=FRAME["cases"], offset=FRAME["known"].to_numpy(), exposure=jnp.asarray(FRAME["pupils"])
    )
    np.testing.assert_array_equal(coefficients(arrays), coefficients(named))
    assert float(named.objective.nobs()) == FRAME["cases"].sum()


def test_trials_may_be_named():
    problem = jm.models.logistic.from_formula("passed ~ income", FRAME, trials="pupils", offset="known")
    y = np.column_stack([FRAME["passed"], FRAME["pupils"] - FRAME["passed"]])
    x = sm.add_constant(FRAME[["income"]])
    expected = sm.GLM(y, x, family=sm.families.Binomial(), offset=FRAME["known"]).fit(tol=1e-13)
    np.testing.assert_allclose(coefficients(problem), expected.params, **SAME)


# Frames.

FORMULAS = ["rate ~ income * region + urban", "rate ~ C(year) + bs(ratio, df=4)", "rate ~ 0 + region:income"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_polars_gives_what_pandas_gives(formula, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    here, there = read_formula(formula, FRAME), read_formula(formula, as_polars(FRAME))
    np.testing.assert_array_equal(there.x, here.x)
    np.testing.assert_array_equal(there.y, here.y)
    assert there.labels == here.labels


def test_polars_columns_by_name_and_with_nulls():
    gaps = FRAME.assign(income=FRAME["income"].where(FRAME.index != 4), region=FRAME["region"].where(FRAME.index != 9))
    known = {"weights": "cases", "offset": "known", "exposure": "pupils", "missing": "drop"}
    polars = as_polars(gaps).with_columns(pl.col("income").fill_nan(None))
    assert polars.null_count()["income"][0] == 1
    np.testing.assert_array_equal(
        coefficients(POISSON.from_formula("passed ~ income + region", polars, **known)),
        coefficients(POISSON.from_formula("passed ~ income + region", gaps, **known)),
    )


@pytest.mark.parametrize("kind, baseline", [("text", "east"), ("categorical", "east"), ("enum", "south")])
def test_the_baseline_in_polars(kind, baseline):
    """The first in the alphabet, or of a declared order; an Enum's levels that no row has are no columns."""
    dtype = {"text": pl.String, "categorical": pl.Categorical, "enum": pl.Enum(["west", "south", "north", "east"])}[
        kind
    ]
    frame = as_polars(FRAME).with_columns(pl.col("region").cast(dtype))
    rest = ["north", "east"] if kind == "enum" else ["north", "south"]
    assert read_formula("rate ~ region", frame).labels == ["const", *[f"region[T.{name}]" for name in rest]]
    expected = FRAME["rate"][FRAME["region"] == baseline].mean()
    problem = jm.models.linear.from_formula("rate ~ region", frame)
    np.testing.assert_allclose(coefficients(problem)[0], expected, rtol=1e-9)


def test_polars_decimals_booleans_and_integers():
    frame = as_polars(FRAME).with_columns(pl.col("income").cast(pl.Decimal(10, 4)), pl.col("urban").cast(pl.Boolean))
    read = read_formula("passed ~ income + urban", frame)
    assert read.labels == ["const", "income", "urban"]
    np.testing.assert_allclose(read.x[:, 1], FRAME["income"], atol=1.01e-4)
    np.testing.assert_array_equal(read.x[:, 2], FRAME["urban"])


@pytest.mark.parametrize("change", [pd.DataFrame.convert_dtypes, lambda f: f.set_index(np.arange(len(f)) % 5)])
def test_nullable_columns_and_repeated_row_names_change_nothing(change):
    formula = "rate ~ income * region + urban + C(year)"
    here, there = read_formula(formula, FRAME), read_formula(formula, change(FRAME))
    np.testing.assert_array_equal(there.x, here.x)
    assert there.labels == here.labels


def test_categories_that_no_row_has_are_no_columns():
    frame = FRAME.assign(region=pd.Categorical(FRAME["region"], ["south", "west", "north", "east"]))
    assert read_formula("rate ~ region", frame).labels == ["const", "region[T.north]", "region[T.east]"]


def test_what_is_no_frame_is_refused():
    with pytest.raises(TypeError, match=r"not a dict; make one with pandas\.DataFrame"):
        POISSON.from_formula("y ~ a", {"y": [1], "a": [2]})
    twice = pd.DataFrame([[1, 2, 3]], columns=["y", "a", "a"])
    with pytest.raises(ValueError, match="two columns are called 'a'"):
        POISSON.from_formula("y ~ a", twice)
    with pytest.raises(TypeError, match=r"LazyFrame has no values yet; give frame\.collect\(\)"):
        POISSON.from_formula("y ~ a", pl.DataFrame({"y": [1], "a": [2]}).lazy())


def test_polars_designs_and_data_need_no_formula():
    polars = as_polars(FRAME)
    design = polars.select(pl.lit(1.0).alias("const"), "income", "ratio")
    problem = POISSON(design, polars["passed"], polars["cases"], exposure=polars["pupils"])
    expected = POISSON.from_formula("passed ~ income + ratio", FRAME, weights="cases", exposure="pupils")
    assert labels(problem) == ["const", "income", "ratio"]
    np.testing.assert_allclose(coefficients(problem), coefficients(expected), rtol=1e-12)
    rates = jm.likelihood(lambda p, rows: jm.densities.normal.logpdf(rows["rate"], p["mu"], 1.0), polars.select("rate"))
    np.testing.assert_allclose(jm.fit(rates, {"mu": 0.0}).params["mu"], FRAME["rate"].mean(), rtol=1e-12)


# Names that are none.


def test_options_and_columns_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="no column is called 'sizes'; the columns are: passed, pupils"):
        POISSON.from_formula("passed ~ income", FRAME, exposure="sizes")
    with pytest.raises(ValueError, match="the column region, named as weights, does not hold numbers"):
        POISSON.from_formula("passed ~ income", FRAME, weights="region")
    with pytest.raises(
        TypeError, match="softmax has no option offset; with a formula it takes: missing, weights, n_cl"
    ):
        jm.models.softmax.from_formula("year ~ income", FRAME, offset="known")
