"""The command line: what it prints, writes and refuses, and that its numbers are those of statsmodels."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import jaxmle as jm
from jaxmle import cli
from jaxmle.models.survival_regression import FAMILIES

SPECTOR_FORMULA = "GRADE ~ GPA + TUCE + PSI"
# Newton's method stops with a log-likelihood of 8e-15 to gain; statsmodels stops its own a little earlier.
SAME_ESTIMATE = {"rtol": 1e-6}
# The same numbers by the same arithmetic, but for the order of sums.
ROUNDING = {"rtol": 1e-9}

SPECTOR_TABLE = """\
                   Logistic regression: maximum likelihood
==============================================================================
Model:             Logistic regression  Log-likelihood:               -12.8896
Observations:                       32  AIC:                           33.7793
Parameters:                          4  BIC:                           39.6422
Covariance:                   observed  Status:                      converged
==============================================================================
                   coef    std err          z      P>|z|     [0.025     0.975]
------------------------------------------------------------------------------
const          -13.0213      4.931     -2.641      0.008    -22.687     -3.356
GPA              2.8261      1.263      2.238      0.025      0.351      5.301
TUCE             0.0952      0.142      0.672      0.501     -0.182      0.373
PSI              2.3787      1.065      2.234      0.025      0.292      4.465
==============================================================================
"""


@pytest.fixture
def spector(tmp_path):
    """Spector and Mazzeo's (1980) data as a CSV file, and as statsmodels' response and design."""
    data = sm.datasets.spector.load_pandas()
    path = tmp_path / "spector.csv"
    data.data.to_csv(path, index=False)
    return str(path), data.endog, sm.add_constant(data.exog)


@pytest.fixture
def refused(capsys):
    """Run a command line that must be refused in one line, and return the line without its beginning."""

    def run(*argv):
        assert cli.main([str(argument) for argument in argv]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("jaxmle: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert "\x1b" not in err
        return err.removeprefix("jaxmle: ").rstrip()

    return run


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def counts(path: Path, seed=0):
    """Poisson counts on two columns, written to a file; the data frame."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(size=60), "b": rng.integers(0, 2, size=60)})
    frame["y"] = rng.poisson(np.exp(0.4 + 0.5 * frame["a"] - 0.3 * frame["b"]))
    frame.to_csv(path, index=False)
    return frame


# What it fits.


def test_fit_prints_the_table_of_the_textbook_and_nothing_else(spector, capsys):
    assert cli.main(["fit", spector[0], SPECTOR_FORMULA, "--model", "logistic"]) == 0
    out, err = capsys.readouterr()
    assert out == SPECTOR_TABLE
    assert err == ""


def test_json_has_every_digit_of_statsmodels_fit(spector, tmp_path, capsys):
    path, y, x = spector
    out = tmp_path / "out.json"
    assert cli.main(["fit", path, SPECTOR_FORMULA, "--model", "logistic", "--json", str(out)]) == 0
    result = json.loads(out.read_text(), parse_constant=pytest.fail)
    expected = sm.Logit(y, x).fit(disp=0, tol=1e-14)
    rows = pd.DataFrame(result["rows"]).T
    np.testing.assert_allclose(result["estimates"]["beta"], expected.params, **SAME_ESTIMATE)
    np.testing.assert_allclose(rows["std err"], expected.bse, **SAME_ESTIMATE)
    np.testing.assert_allclose(rows[["[0.025", "0.975]"]], expected.conf_int(), **SAME_ESTIMATE)
    np.testing.assert_allclose(result["log_likelihood"], expected.llf, **ROUNDING)
    np.testing.assert_allclose(result["aic"], expected.aic, **ROUNDING)
    np.testing.assert_allclose(result["bic"], expected.bic, **ROUNDING)
    assert result["nobs"] == 32
    assert (result["model"], result["formula"], result["prior_scale"]) == ("logistic", SPECTOR_FORMULA, None)
    assert (result["ok"], result["status"]) == (True, 0)
    assert result["message"].startswith("converged")
    assert result["header"]["Status"] == "converged"
    assert capsys.readouterr().out == SPECTOR_TABLE


@pytest.mark.parametrize("name", ["poisson", "poisson_regression"])
def test_poisson_goes_by_both_names(name, tmp_path, capsys):
    frame, out = counts(tmp_path / "counts.csv"), tmp_path / "out.json"
    path = str(tmp_path / "counts.csv")
    assert cli.main(["fit", path, "y ~ a + b", "--model", name, "--json", str(out)]) == 0
    expected = sm.Poisson(frame["y"], sm.add_constant(frame[["a", "b"]])).fit(disp=0, tol=1e-14)
    result = json.loads(out.read_text())
    assert result["model"] == "poisson_regression"
    np.testing.assert_allclose(result["estimates"]["beta"], expected.params, **SAME_ESTIMATE)
    assert "Poisson regression: maximum likelihood" in capsys.readouterr().out


def test_softmax_agrees_with_statsmodels(tmp_path):
    frame, out = counts(tmp_path / "counts.csv"), tmp_path / "out.json"
    path = write(tmp_path / "classes.csv", frame.assign(k=frame["y"].clip(upper=2)).to_csv(index=False))
    assert cli.main(["fit", path, "k ~ a + b", "--model", "softmax", "--json", str(out)]) == 0
    x = sm.add_constant(frame[["a", "b"]])
    expected = sm.MNLogit(frame["y"].clip(upper=2), x).fit(disp=0, tol=1e-14)
    np.testing.assert_allclose(json.loads(out.read_text())["estimates"]["beta"], expected.params, **SAME_ESTIMATE)


def test_prior_is_normal_over_all_coefficients(spector, tmp_path, capsys):
    path, y, x = spector
    out = tmp_path / "out.json"
    arguments = [
        "fit",
        path,
        SPECTOR_FORMULA,
        "--model",
        "logistic",
        "--prior-scale",
        "2.5",
        "--json",
        str(out),
    ]
    assert cli.main(arguments) == 0
    result = json.loads(out.read_text())
    beta = np.array(result["estimates"]["beta"])
    score = sm.Logit(y, x).score(beta) - beta / 2.5**2  # at the mode the two slopes cancel
    np.testing.assert_allclose(score, 0.0, atol=1e-6)  # of a score that is of order 10 away from it
    assert result["prior_scale"] == 2.5
    assert result["aic"] is None
    assert result["bic"] is None
    assert "Logistic regression: maximum a posteriori" in capsys.readouterr().out


def test_column_names_may_follow_a_space_and_a_byte_order_mark(spector, tmp_path, capsys):
    text = "\ufeff" + Path(spector[0]).read_text().replace(",", ", ")
    path = write(tmp_path / "spaced.csv", text)
    assert cli.main(["fit", path, SPECTOR_FORMULA, "--model", "logistic"]) == 0
    assert capsys.readouterr().out == SPECTOR_TABLE


# A fit that is no estimate.

SEPARATED_FORMULA = "I(1 * (GPA > 3)) ~ GPA + TUCE + PSI"


def test_separated_data_print_the_table_and_say_why_and_how_to_go_on(spector, tmp_path, capsys):
    out = tmp_path / "out.json"
    arguments = ["fit", spector[0], SEPARATED_FORMULA, "--model", "logistic", "--json", str(out)]
    assert cli.main(arguments) == 1
    table, err = capsys.readouterr()
    assert "Status:                      DIVERGING" in table
    assert err.startswith("jaxmle: not an estimate: diverging")
    assert "a prior" in err
    assert err.count("\n") == 1
    result = json.loads(out.read_text(), parse_constant=pytest.fail)
    assert result["ok"] is False
    assert result["message"] in err
    assert result["rows"]["GPA"]["std err"] is None


def test_a_prior_mends_separation(spector, capsys):
    arguments = ["fit", spector[0], SEPARATED_FORMULA, "--model", "logistic", "--prior-scale", "2.5"]
    assert cli.main(arguments) == 0
    out, err = capsys.readouterr()
    assert "Status:                      converged" in out
    assert err == ""


# What it refuses.


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"y,x\n", "no rows"),
        (b"y,x\n\x00\x01\x02\x03", "is binary"),
        ("y,größe\n1,2\n".encode("latin-1"), "not text in UTF-8"),
        (b"y,x\n1,2\n3,4,5\n", "not comma-separated text"),
        (b"y,x\n1,2,3\n4,5,6\n", "not comma-separated text"),
        (b'y,"x\n1,2\n', "not comma-separated text"),
        (b"y;x\n1;2\n", "semicolons or tabs"),
        (b"y\tx\n1\t2\n", "semicolons or tabs"),
        (b"Dear reader\nthis is prose\n", "no column is called 'x', 'y'; the columns are: Dear reader"),
    ],
)
def test_a_file_that_is_not_csv_is_refused(content, says, tmp_path, refused):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    assert says in refused("fit", path, "y ~ x", "--model", "linear")


def test_a_missing_file_and_a_directory_are_refused(tmp_path, refused):
    said = refused("fit", tmp_path / "none.csv", "y ~ x", "--model", "linear")
    assert said == f"cannot read {tmp_path}/none.csv: No such file or directory; give the path of a CSV file"
    assert "Is a directory" in refused("fit", tmp_path, "y ~ x", "--model", "linear")


@pytest.mark.parametrize(
    "name, says",
    [
        ("logit", "did you mean 'logistic'?"),
        ("Poisson", "did you mean 'poisson'?"),
        ("linaer", "did you mean 'linear'?"),
        ("xyz", "there is no model 'xyz'; The models are: linear, logistic, negative_binomial_regression, ordinal_"),
        ("normal", "there is no model 'normal'"),
    ],
)
def test_an_unknown_model_is_refused_and_the_nearest_named(name, says, spector, refused):
    assert says in refused("fit", spector[0], SPECTOR_FORMULA, "--model", name)


@pytest.mark.parametrize(
    "formula, says",
    [
        ("GRADE ~ GPA + IQ", "no column is called 'IQ'; the columns are: GPA, TUCE, PSI, GRADE"),
        ("GRADE ~ GPA +* (", "cannot be read"),
        ("GRADE", "no response"),
        ("~ GPA", "write 'response ~ columns'"),
        ("GRADE ~ GPA | TUCE", "write 'response ~ columns'"),
        ("", "no response"),
        ("GRADE ~ log(PSI - 1)", "missing or infinite"),
        ("TUCE ~ GPA", "bernoulli cannot produce"),
    ],
)
def test_a_formula_that_does_not_fit_the_data_is_refused(formula, says, spector, refused):
    assert says in refused("fit", spector[0], formula, "--model", "logistic")


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ group", "y ~ C(code)", "late ~ 1"])
def test_missing_values_are_refused_also_in_labels(formula, tmp_path, refused):
    rows = ["0,1.5,a,1,1", "1,,b,2,0", "0,2.5,,1,1", "1,3.5,b,,", "0,4.5,a,2,0", "1,1.0,a,1,1"]
    path = write(tmp_path / "gaps.csv", "\n".join(["y,x,group,code,late", *rows]) + "\n")
    said = refused("fit", path, formula, "--model", "logistic")
    assert "missing" in said
    assert "1 row" in said
    assert "drop" in said


def test_missing_values_in_columns_that_are_not_used_do_no_harm(spector, capsys):
    frame = pd.read_csv(spector[0])
    frame.assign(group=["a", None] * 16).to_csv(spector[0], index=False)
    assert cli.main(["fit", spector[0], SPECTOR_FORMULA, "--model", "logistic"]) == 0
    assert capsys.readouterr().out == SPECTOR_TABLE


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf", "wide", ""])
def test_a_prior_scale_that_is_not_positive_is_refused(scale, spector, refused):
    said = refused("fit", spector[0], SPECTOR_FORMULA, "--model", "logistic", "--prior-scale", scale)
    assert f"--prior-scale: {scale!r} is not a positive number; give one such as 2.5" in said


def test_json_that_can_never_be_written_is_refused_before_the_fit(spector, tmp_path, refused):
    fit = ["fit", spector[0], SPECTOR_FORMULA, "--model", "logistic", "--json"]
    assert "there is no directory" in refused(*fit, tmp_path / "none" / "out.json")
    assert "is not a file" in refused(*fit, tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in refused(*fit, tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()


def test_json_is_whole_or_as_it_was(spector, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out.json"
    out.write_text("old")
    before = sorted(tmp_path.iterdir())

    def full(source, target):
        assert json.loads(Path(source).read_text())["model"] == "logistic"
        assert out.read_text() == "old"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert cli.main(["fit", spector[0], SPECTOR_FORMULA, "--model", "logistic", "--json", str(out)]) == 2
    table, err = capsys.readouterr()
    assert table == SPECTOR_TABLE  # the fit is not lost with the file
    assert err.startswith(f"jaxmle: cannot write {out}: No space left on device")
    assert err.count("\n") == 1
    assert out.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == before


def test_json_is_written_through_a_link(spector, tmp_path):
    link, target = tmp_path / "link.json", tmp_path / "target.json"
    link.symlink_to(target)
    assert cli.main(["fit", spector[0], SPECTOR_FORMULA, "--model", "logistic", "--json", str(link)]) == 0
    assert link.is_symlink()
    assert json.loads(target.read_text())["ok"] is True


def test_json_with_a_name_too_long_for_the_disk_is_refused(spector, tmp_path, capsys):
    out = tmp_path / ("n" * 300)
    assert cli.main(["fit", spector[0], SPECTOR_FORMULA, "--model", "logistic", "--json", str(out)]) == 2
    assert capsys.readouterr().err.startswith("jaxmle: cannot write")


@pytest.mark.parametrize(
    "argv, says",
    [
        (["ft"], "'ft'"),
        (["fit"], "required: DATA.csv, FORMULA, --model; see jaxmle fit --help"),
        (["fit", "d.csv", "y ~ x"], "required: --model"),
        (["demo", "more"], "unrecognized arguments: more"),
        (["--verbose"], "unrecognized arguments: --verbose"),
        (["fit", "d.csv", "y ~ x", "--mod", "linear"], "required: --model"),
    ],
)
def test_a_mistaken_command_line_is_refused_in_one_line(argv, says, refused):
    assert says in refused(*argv)


@pytest.mark.parametrize("absent", ["pandas", "formulaic"])
def test_without_pandas_or_formulaic_it_says_what_to_install(absent, spector, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, absent, None)
    said = refused("fit", spector[0], SPECTOR_FORMULA, "--model", "logistic")
    assert absent in said
    assert "pip install 'jaxmle[formula]'" in said


# What it says of itself.


def test_no_arguments_print_the_help_and_fail(capsys):
    assert cli.main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: jaxmle")
    assert all(command in err for command in ("fit", "models", "demo"))


def test_help_and_version_succeed(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"jaxmle {jm.__version__}\n"
    with pytest.raises(SystemExit) as stop:
        cli.main(["fit", "--help"])
    assert stop.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "over all coefficients, the constant included" in said
    assert all(name in said for name in FAMILIES)


def test_models_are_listed_one_to_a_line_with_their_parameters(capsys):
    assert cli.main(["models"]) == 0
    regressions, families = capsys.readouterr().out.split("\n\n")
    lines = regressions.splitlines()
    assert "weibull: The Weibull distribution, of minima. For a positive number. Parameters: c, scale." in families
    assert [line.split(":")[0] for line in lines] == [
        "linear",
        "logistic",
        "negative_binomial_regression (or negative_binomial)",
        "ordinal_regression (or ordinal)",
        "poisson_regression (or poisson)",
        "softmax",
        "survival_regression (or survival)",
    ]
    linear = "linear: Linear regression: y_i ~ Normal(x_i . beta + offset_i, sigma). Parameters: beta, sigma."
    assert lines[0] == linear
    assert lines[5].endswith("Categorical(logits = (0, x_i . beta)). Parameters: beta.")
