"""Pandas objects whose rows have other labels are refused: their order would pair the wrong rows."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import jaxmle as jm

N = 20
FRAME = pd.DataFrame({"c": np.ones(N), "x": np.linspace(-1.0, 1.0, N)})
Y = pd.Series((np.arange(N) % 3 == 0) * 1.0)
OTHER = Y.sample(frac=1.0, random_state=1)
LATER = Y.set_axis(range(5, N + 5))
DAYS = pd.date_range("2020", periods=N, tz="UTC")
ONES = pd.Series(np.ones(N), index=range(N)[::-1])


def log_likelihood(params, data):
    return jm.densities.normal.logpdf(data["y"], params["mu"], 1.0)


def mean(params, row):
    return params["a"] * row


@pytest.mark.parametrize(
    "model, pair",
    [
        (lambda: jm.models.logistic(FRAME, OTHER), "x and y"),
        (lambda: jm.models.linear(FRAME, LATER), "x and y"),
        (lambda: jm.models.softmax(FRAME, jnp.asarray(Y), ONES), "x and weights"),
        (lambda: jm.models.poisson_regression(FRAME, Y, exposure=ONES), "x and exposure"),
        (lambda: jm.models.logistic(FRAME, Y, trials=ONES), "x and trials"),
        (lambda: jm.models.normal(Y, ONES), "y and weights"),
        (lambda: jm.models.binomial(Y, ONES), "y and n"),
        (lambda: jm.models.distribution("normal", Y, censored=ONES > 2), "y and censored"),
        (lambda: jm.models.nonlinear_least_squares(mean, FRAME["x"], OTHER, {"a": 1.0}), "y and x"),
        (lambda: jm.models.linear.from_formula("y ~ x", FRAME.assign(y=Y), weights=ONES), "frame and weights"),
        (lambda: jm.likelihood(log_likelihood, {"x": FRAME["x"], "y": OTHER}), "data.x and data.y"),
        (lambda: jm.likelihood(log_likelihood, FRAME, ONES), "data and weights"),
        (lambda: jm.regression(jm.densities.poisson, lambda p, row: (p["a"] * row,), FRAME["x"], OTHER), "x and y"),
        (lambda: jm.group_by(FRAME, OTHER), "data and labels"),
        (lambda: jm.models.distribution("binomial", Y, fixed={"n": OTHER + 1}), "y and fixed.n"),
        (lambda: jm.risk(jm.losses.huber, mean, FRAME["x"], OTHER), "x and y"),
    ],
)
def test_rows_with_other_labels_are_refused(model, pair):
    with pytest.raises(ValueError, match=f"^{pair} label their rows differently.*row 0, counted.*to_numpy"):
        model()


def test_other_lengths_are_told_as_such():
    with pytest.raises(ValueError, match="give them the same number of rows, 20 or 2"):
        jm.fit(jm.models.linear(FRAME, FRAME["x"].iloc[:2]))


def test_the_same_labels_in_the_same_order_are_fine_and_arrays_have_none():
    part, y = FRAME.iloc[::2], Y.iloc[::2]
    fit = jm.fit(jm.models.linear(part, y, weights=y + 1.0))
    plain = jm.fit(jm.models.linear(part.to_numpy(), y, weights=np.asarray(y) + 1.0))
    np.testing.assert_array_equal(fit.params["beta"], plain.params["beta"])


def test_what_has_no_rows_has_no_labels_of_rows():
    table = pd.Series(np.ones(N), index=[f"group {i}" for i in range(N)])
    jm.likelihood(log_likelihood, {"y": Y, "table": jm.shared(table)})
    jm.likelihood(log_likelihood, {"y": Y, "table": table}, rows=False)


@pytest.mark.parametrize(
    "index, other",
    [
        (pd.RangeIndex(N), pd.Index(range(N), dtype="Int64")),
        (DAYS, DAYS.tz_convert("Asia/Tokyo")),
    ],
    ids=["whole numbers", "times"],
)
def test_equal_labels_of_other_types_are_equal(index, other):
    jm.models.linear(FRAME.set_axis(index), Y.set_axis(other))


@pytest.mark.parametrize("kind", ["Int64", "float64"])
def test_missing_labels_are_the_same_and_the_row_that_differs_is_named(kind):
    first, second = (pd.Index([None, *range(start, start + N - 1)], dtype=kind) for start in (1, 2))
    with pytest.raises(ValueError, match=r"row 1, counted from zero, is 1(\.0)? in x and 2(\.0)? in y"):
        jm.models.linear(FRAME.set_axis(first), Y.set_axis(second))
