"""Predictions for a new data frame: its design is made as the formula made that of the fit."""

import numpy as np
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from formula_cases import FRAME, POISSON, as_polars

import jaxmle as jm

FORMULA = "passed ~ income * C(region, Treatment('south')) + bs(ratio, df=4)"
USED = ["income", "region", "ratio", "pupils"]
NEW = FRAME[FRAME["ratio"].between(18.0, 22.0)].iloc[5:20:3].reset_index(drop=True)


@pytest.fixture(scope="module")
def fitted():
    problem = POISSON.from_formula(FORMULA, FRAME, exposure="pupils")
    return problem, jm.fit(problem).raise_if_failed()


def test_predictions_and_errors_for_a_new_frame_equal_statsmodels(fitted):
    """Splines keep the knots of the fit, categories its levels, and a column that is named its meaning."""
    expected = smf.glm(FORMULA, FRAME, family=sm.families.Poisson(), exposure=FRAME["pupils"]).fit(tol=1e-13)
    expected = expected.get_prediction(NEW, exposure=NEW["pupils"]).summary_frame()
    found = jm.predict(*fitted, NEW[USED])
    np.testing.assert_allclose(found.value, expected["mean"], rtol=1e-6)
    np.testing.assert_allclose(found.bse, expected["mean_se"], rtol=1e-5)
    np.testing.assert_allclose(found.upper, expected["mean_ci_upper"], rtol=1e-5)


def test_polars_and_one_row_give_the_same(fitted):
    whole = jm.predict(*fitted, NEW).value
    np.testing.assert_array_equal(jm.predict(*fitted, as_polars(NEW[USED])).value, whole)
    np.testing.assert_allclose(jm.predict(*fitted, NEW.iloc[2:3]).value, whole[2:3], rtol=1e-12)


def test_with_a_prior_and_the_data_of_the_fit_it_is_the_same_problem(fitted):
    problem = fitted[0] + jm.priors.normal("beta", scale=10.0)
    fit = jm.fit(problem)
    rows = jm.predict(problem, fit, FRAME).value
    np.testing.assert_allclose(rows, jm.predict(problem, fit).value, rtol=1e-12)


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda frame: frame.drop(columns="region"), "no column is called 'region'"),
        (lambda frame: frame.drop(columns="pupils"), "no column is called 'pupils'"),
        (lambda frame: frame.assign(region="west"), r"a category that the fit has not seen \(\{'west'\}\)"),
        (lambda frame: frame.assign(ratio=[np.nan, *frame["ratio"][1:]]), "ratio .*missing in 1 row"),
        (lambda frame: frame.assign(ratio=1e3), "cannot be applied to the new frame"),
    ],
)
def test_what_a_new_frame_cannot_lack(fitted, change, says):
    with pytest.raises(ValueError, match=says):
        jm.predict(*fitted, change(NEW[USED]))


def test_an_array_beside_the_formula_is_not_known_for_new_rows():
    problem = POISSON.from_formula("passed ~ income", FRAME, offset=np.log(FRAME["pupils"].to_numpy()))
    with pytest.raises(ValueError, match=r"offset was given to the fit as an array.*name of a column"):
        jm.predict(problem, jm.fit(problem), NEW)
