"""What R's formulas have and ours do not is refused with what to write instead."""

import datetime

import numpy as np
import pandas
import polars
import pytest

import jaxmle as jm

FRAME = pandas.DataFrame({"y": [1.0, 2.0, 3.0, 4.0], "e": [1.0, 2.0, 1.0, 2.0], "a": [0.0, 1.0, 0.0, 2.0]})
DAYS = [datetime.date(2020, 1, day) for day in (1, 2, 3, 5)]


def read(formula, frame=FRAME, **options):
    return jm.models.poisson_regression.from_formula(formula, frame, **options)


@pytest.mark.parametrize(
    "formula,frame,says",
    [
        ("y ~ .", FRAME, r"has a '.' for all of them; write e \+ a$"),
        ("y ~ a + . ", FRAME, "a formula names its columns"),
        ("y ~ a + offset(np.log(e))", FRAME, r"take it out of .* and give offset= beside the formula"),
        ("y ~ a + exposure(e)", FRAME, "give exposure= beside"),
        (
            "y ~ d",
            polars.DataFrame({"y": [1.0, 2.0, 3.0, 4.0], "d": DAYS}),
            r"there are dates or times in d: turn them",
        ),
        ("y ~ d", FRAME.assign(d=pandas.to_datetime(pandas.Series(DAYS))), "there are dates or times in d"),
    ],
)
def test_what_a_formula_does_not_have(formula, frame, says):
    with pytest.raises(ValueError, match=says):
        read(formula, frame)


def test_columns_may_bear_the_names_of_options_and_have_dots_in_them():
    frame = FRAME.rename(columns={"a": "offset"}).assign(**{"b.c (x)": [1.0, 0.0, 0.0, 1.0]})
    problem = read("y ~ offset + `b.c (x)` + np.log(e) + I(offset * .5)", frame, exposure="e")
    assert problem.start["beta"].labels == ("const", "offset", "b.c (x)", "np.log(e)", "I(offset * 0.5)")


def test_dates_may_be_categories():
    frame = polars.DataFrame({"y": [1.0, 2.0, 3.0, 4.0], "d": DAYS})
    assert read("y ~ C(d)", frame).start["beta"].value.shape == (4,)
    assert np.isfinite(read("y ~ e", FRAME)({"beta": np.zeros(2)}))
