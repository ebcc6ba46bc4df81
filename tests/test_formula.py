"""Formulas on pandas and polars frames: designs, labels and estimates are those of patsy and statsmodels, and rows with
missing values are named, or dropped and reported."""

import json

import jax.numpy as jnp
import numpy as np
import pandas as pd
import patsy
import polars as pl
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import jaxmle as jm
from jaxmle import cli
from jaxmle.fitting import program
from jaxmle.models.formula import read_formula

SAME = {"rtol": 1e-6, "atol": 1e-9}  # statsmodels stops at a change of deviance of 1e-13 of itself

STAR = sm.datasets.star98.load_pandas().data
FRAME = pd.DataFrame(
    {
        "passed": STAR["NABOVE"].astype(int),
        "pupils": (STAR["NABOVE"] + STAR["NBELOW"]).astype(int),
        "rate": STAR["NABOVE"] / (STAR["NABOVE"] + STAR["NBELOW"]),
        "income": STAR["LOWINC"] / 100.0,
        "ratio": STAR["PTRATIO"],
        "region": np.array(["north", "east", "south"])[np.arange(len(STAR)) * 7 % 3],
        "year": np.array([1998, 1997, 1999, 1996])[np.arange(len(STAR)) * 5 % 4],
        "urban": STAR["PERHISP"] > 30.0,
        "cases": 1 + np.arange(len(STAR)) % 3,
        "known": 0.01 * STAR["PERBLACK"],
    }
)
POISSON = jm.models.poisson_regression


def as_polars(frame):
    """The same frame made without pyarrow, text as text."""
    columns = {name: [None if pd.isna(value) else value for value in frame[name].tolist()] for name in frame.columns}
    return pl.DataFrame(columns)


def coefficients(problem):
    return np.asarray(jm.fit(problem).raise_if_failed().params["beta"])


def labels(problem):
    return [row.label for row in jm.summary(problem, jm.fit(problem)).rows]


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


# Missing values.


def with_gaps():
    """Gaps in a number, a category, a flag, weights and an offset: rows 1, 3, 5, 8 and 13; one not used, in row 21."""
    frame = FRAME.astype({"urban": object, "cases": float})
    for row, column in [(1, "income"), (3, "region"), (5, "urban"), (8, "cases"), (13, "known"), (21, "ratio")]:
        frame.loc[row, column] = None
    return frame


GAPS = [1, 3, 5, 8, 13]
FORMULA = "passed ~ bs(income, df=4) + region + urban"
KNOWN = {"weights": "cases", "offset": "known"}


@pytest.mark.parametrize("make", [with_gaps, lambda: as_polars(with_gaps())], ids=["pandas", "polars"])
def test_missing_values_are_refused_by_column_and_row_with_the_way_out(make):
    with pytest.raises(ValueError, match="missing") as refused:
        POISSON.from_formula(FORMULA, make(), **KNOWN)
    assert str(refused.value) == (
        "values of columns income, region, urban, cases, known are missing in 5 rows: 1, 3, 5, 8, 13 (counted from "
        'zero); drop these rows with missing="drop" (--missing drop), or fill them'
    )
    with pytest.raises(ValueError, match=r"^values of column income are missing in 1 row: 1 \(counted"):
        POISSON.from_formula("passed ~ income", make())


@pytest.mark.parametrize("make", [with_gaps, lambda: as_polars(with_gaps())], ids=["pandas", "polars"])
def test_dropped_rows_are_those_of_a_frame_without_them(make):
    """Splines and codings included: they are made of the rows that are left."""
    problem = POISSON.from_formula(FORMULA, make(), missing="drop", **KNOWN)
    expected = POISSON.from_formula(FORMULA, FRAME.drop(index=GAPS), **KNOWN)
    np.testing.assert_array_equal(coefficients(problem), coefficients(expected))
    assert labels(problem) == labels(expected)


@pytest.mark.parametrize("make", [pd.DataFrame, as_polars], ids=["pandas", "polars"])
def test_whole_numbers_and_flags_with_gaps_stay_what_they_are(make):
    frame = FRAME.astype({"year": object, "urban": object})
    frame.loc[2, ["year", "urban"]] = None
    problem = POISSON.from_formula("passed ~ C(year) + urban", make(frame), missing="drop")
    assert labels(problem) == ["const", "C(year)[T.1997]", "C(year)[T.1998]", "C(year)[T.1999]", "urban"]


def test_the_table_reports_dropped_rows_after_what_else_it_remarks():
    problem = jm.models.linear.from_formula("rate ~ income + region", with_gaps(), missing="drop")
    fit = jm.fit(problem)
    notes = jm.summary(problem + jm.priors.normal("beta"), fit).notes
    assert notes[-1] == (
        f"Dropped 2 of {len(FRAME)} rows: values of columns income, region are missing in 2 rows: 1, 3 (counted from "
        "zero)."
    )
    assert any("residual standard error" in note for note in notes)


def test_where_nothing_is_missing_nothing_is_reported():
    problem = POISSON.from_formula("passed ~ income", FRAME, missing="drop")
    assert problem.remarks is None


def test_many_dropped_rows_are_counted_and_the_first_named():
    frame = FRAME.assign(income=FRAME["income"].where(FRAME.index >= 40))
    problem = POISSON.from_formula("passed ~ income", frame, missing="drop")
    note = jm.summary(problem, jm.fit(problem)).notes[-1]
    assert "are missing in 40 rows: 0, 1, 2, 3, 4, 5, 6, 7, ... (counted from zero)" in note


def test_arrays_are_cut_with_the_rows_and_their_own_gaps_dropped():
    frame = with_gaps()
    weights, offset = FRAME["cases"].to_numpy(float), jnp.asarray(FRAME["known"])
    weights[30] = np.nan
    problem = POISSON.from_formula("passed ~ income", frame, missing="drop", weights=weights, offset=offset)
    kept = FRAME.drop(index=[1, 30])
    expected = POISSON.from_formula("passed ~ income", kept, weights="cases", offset="known")
    np.testing.assert_array_equal(coefficients(problem), coefficients(expected))
    assert "values of columns income, weights are missing in 2 rows: 1, 30" in next(iter(problem.remarks({}, 1)))


def test_the_report_is_structure_that_compiles_nothing_anew():
    """Two problems with the same dropped rows are one structure, and other rows dropped, as many, no new program."""
    frames = [FRAME.assign(income=FRAME["income"].where(FRAME.index != row)) for row in (4, 4, 9)]
    problems = [POISSON.from_formula("passed ~ income", frame, missing="drop") for frame in frames]
    assert hash(problems[0].remarks) == hash(problems[1].remarks)
    assert problems[0].remarks == problems[1].remarks
    jm.fit(problems[0])
    before = len(program.TRACED)
    jm.fit(problems[2])
    assert len(program.TRACED) == before


def test_a_frame_of_gaps_alone_and_a_wrong_choice_are_refused():
    with pytest.raises(ValueError, match=r"no row is left; leave a column out of the formula"):
        POISSON.from_formula("passed ~ income", FRAME.assign(income=np.nan), missing="drop")
    with pytest.raises(ValueError, match=r"missing must be 'raise' or 'drop', .*; it is 'ignore'"):
        POISSON.from_formula("passed ~ income", FRAME, missing="ignore")
    with pytest.raises(ValueError, match=r"weights has shape \(3,\) and the frame 303 rows"):
        POISSON.from_formula("passed ~ income", FRAME, missing="drop", weights=np.ones(3))


def test_what_a_transform_makes_missing_is_refused_under_the_number_of_its_row():
    frame = FRAME.assign(income=FRAME["income"].where(FRAME.index != 2))
    frame.loc[6, "ratio"] = -1.0
    with pytest.raises(ValueError, match=r"column np\.log\(ratio\) becomes missing or infinite in 1 row: 6 .*log of"):
        POISSON.from_formula("passed ~ income + np.log(ratio)", frame, missing="drop")


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


# The same on the command line.


def test_the_command_line_takes_columns_and_drops_rows(tmp_path, capsys):
    path, out = tmp_path / "star.csv", tmp_path / "out.json"
    with_gaps().to_csv(path, index=False)
    request = ["fit", str(path), FORMULA, "--model", "poisson", "--weights", "cases", "--offset", "known"]
    assert cli.main([*request, "--exposure", "pupils", "--missing", "drop", "--json", str(out)]) == 0
    table = " ".join(capsys.readouterr().out.split())
    assert f"Dropped 5 of {len(FRAME)} rows" in table
    result = json.loads(out.read_text())
    expected = POISSON.from_formula(FORMULA, FRAME.drop(index=GAPS), exposure="pupils", **KNOWN)
    np.testing.assert_allclose(result["estimates"]["beta"], coefficients(expected), rtol=1e-12)
    assert (result["weights"], result["offset"], result["exposure"]) == ("cases", "known", "pupils")
    assert result["missing"] == "drop"
    assert cli.main(request) == 2
    assert "are missing in 5 rows: 1, 3, 5, 8, 13" in capsys.readouterr().err


def test_the_command_line_says_what_a_model_does_not_take(tmp_path, capsys):
    path = tmp_path / "star.csv"
    FRAME.to_csv(path, index=False)
    assert cli.main(["fit", str(path), "passed ~ income", "--model", "softmax", "--offset", "known"]) == 2
    assert "softmax has no option offset" in capsys.readouterr().err
    assert cli.main(["fit", str(path), "passed ~ income", "--model", "poisson", "--exposure", "sizes"]) == 2
    assert "no column is called 'sizes'" in capsys.readouterr().err
