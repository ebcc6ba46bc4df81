"""Missing values in frames: refused by column and row, or dropped with what belongs to them."""

import json

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from formula_cases import FRAME, POISSON, as_polars, coefficients, labels

import jaxmle as jm
from jaxmle import cli
from jaxmle.fitting import program

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
    notes = jm.summary(problem, fit).notes
    with_prior = jm.summary(problem + jm.priors.normal("beta"), fit).notes
    which = "values of columns income, region are missing in 2 rows: 1, 3 (counted from zero)"
    for remarks in (notes, with_prior):
        assert remarks[-1] == f"Dropped 2 of {len(FRAME)} rows: {which}."
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
    assert "values of columns income, weights are missing in 2 rows: 1, 30" in next(
        iter(problem.remarks({}, 1, frozenset()))
    )


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
