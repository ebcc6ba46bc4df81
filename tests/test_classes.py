"""Softmax regression of classes that are called by names: which is which number, in fits, tables and predictions."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm

import jaxmle as jm
from jaxmle import cli

RNG = np.random.default_rng(5)
X = np.column_stack([np.ones(60), RNG.normal(size=60)])
NUMBERS = RNG.integers(0, 3, 60)
TEXTS = np.array(["coffee", "milk", "tea"])[NUMBERS]
FRAME = pd.DataFrame({"drink": TEXTS, "age": X[:, 1]})
MODEL = jm.models.softmax


def beta(problem):
    return np.asarray(jm.fit(problem).params["beta"])


def test_texts_are_numbered_by_the_alphabet_as_statsmodels_does():
    expected = sm.MNLogit(pd.Series(TEXTS), X).fit(disp=0, method="newton", tol=1e-14)
    np.testing.assert_allclose(beta(MODEL(X, TEXTS)), expected.params, rtol=1e-9)
    labels = jm.fit(MODEL(X, TEXTS, labels=["const", "age"])).space.scalar_labels()
    assert labels == ["milk:const", "tea:const", "milk:age", "tea:age"]
    assert jm.fit(MODEL(X, TEXTS)).space.scalar_labels() == ["milk:x[0]", "tea:x[0]", "milk:x[1]", "tea:x[1]"]


@pytest.mark.parametrize(
    "y",
    [list(TEXTS), TEXTS.astype(object), pd.Series(TEXTS), pd.Series(TEXTS, dtype="string"), pl.Series(TEXTS)],
    ids=["list", "objects", "pandas", "strings", "polars"],
)
def test_whatever_holds_the_texts(y):
    np.testing.assert_array_equal(beta(MODEL(X, y)), beta(MODEL(X, NUMBERS)))


@pytest.mark.parametrize("wrapped", [lambda y: y, pd.Series])
def test_categories_keep_their_order_and_those_without_a_row_are_left_out(wrapped):
    y = wrapped(pd.Categorical(TEXTS, ["water", "tea", "coffee", "milk"]))
    np.testing.assert_array_equal(beta(MODEL(X, y)), beta(MODEL(X, np.array([1, 2, 0])[NUMBERS])))
    assert jm.fit(MODEL(X, y, labels=["const", "age"])).space.scalar_labels()[:2] == ["coffee:const", "milk:const"]


def test_an_enum_of_polars_keeps_its_order():
    y = pl.Series(TEXTS, dtype=pl.Enum(["tea", "milk", "coffee"]))
    np.testing.assert_array_equal(beta(MODEL(X, y)), beta(MODEL(X, 2 - NUMBERS)))


def test_the_table_says_which_class_is_the_baseline():
    problem = MODEL.from_formula("drink ~ age", FRAME)
    said = " ".join(str(jm.summary(problem, jm.fit(problem))).split())
    assert "Classes, in the order of their probabilities: coffee (the baseline), milk, tea." in said


def test_a_formula_takes_texts_and_categories():
    np.testing.assert_array_equal(beta(MODEL.from_formula("drink ~ age", FRAME)), beta(MODEL(X, NUMBERS)))
    ordered = FRAME.assign(drink=pd.Categorical(TEXTS, ["tea", "coffee", "milk"]))
    expected = beta(MODEL(X, np.array([1, 2, 0])[NUMBERS]))
    np.testing.assert_array_equal(beta(MODEL.from_formula("drink ~ age", ordered)), expected)
    np.testing.assert_array_equal(beta(MODEL.from_formula("drink ~ age", pl.from_pandas(FRAME))), beta(MODEL(X, TEXTS)))
    gap = pd.concat([FRAME, pd.DataFrame({"drink": [None, "tea"], "age": [0.3, np.nan]})])
    problem = MODEL.from_formula("drink ~ age", gap, missing="drop")
    np.testing.assert_array_equal(beta(problem), beta(MODEL(X, TEXTS)))
    notes = " ".join(jm.summary(problem, jm.fit(problem)).notes)
    assert "coffee (the baseline)" in notes
    assert "Dropped 2 of 62 rows" in notes


def test_the_classes_do_not_explain_themselves():
    with pytest.raises(ValueError, match=r"'drink' is on both sides of 'drink ~ age . C.drink.': take it out"):
        MODEL.from_formula("drink ~ age + C(drink)", FRAME)


@pytest.mark.parametrize("dtype", ["category", "string", object])
def test_weights_of_a_frame_with_labels_of_its_own_go_with_its_classes(dtype):
    frame = FRAME.assign(drink=pd.Series(TEXTS, dtype=dtype)).set_axis(np.arange(100, 160))
    weights = pd.Series(np.arange(60.0), index=frame.index)
    found = beta(MODEL.from_formula("drink ~ age", frame, weights=weights))
    np.testing.assert_array_equal(found, beta(MODEL(X, NUMBERS, np.arange(60.0))))


@pytest.mark.parametrize("response", [TEXTS, NUMBERS])
def test_predictions_for_a_new_frame_are_those_of_its_rows(response):
    problem = MODEL.from_formula("drink ~ age", FRAME.assign(drink=response))
    fit = jm.fit(problem)
    new = pd.DataFrame({"age": [0.5]})
    found = jm.predict(problem, fit, new, kind="probability")
    logits = np.array([0.0, *(np.array([1.0, 0.5]) @ np.asarray(fit.params["beta"]))])
    np.testing.assert_allclose(found.value[0], np.exp(logits) / np.exp(logits).sum(), rtol=1e-12)


def test_a_row_without_weight_is_not_looked_at():
    y, weights = np.array([*TEXTS, None], dtype=object), np.array([*np.ones(60), 0.0])
    found = beta(MODEL(np.vstack([X, [1.0, 9.0]]), y, weights))
    np.testing.assert_allclose(found, beta(MODEL(X, TEXTS)), rtol=1e-12)


@pytest.mark.parametrize(
    "y, options, said",
    [
        ([*TEXTS[:59], None], {}, r"y has no class at row 59 \(1 such row, counted from zero\); drop or fill"),
        (pd.Series([*TEXTS[:58], np.nan, np.nan]), {}, "y has no class at row 58 .2 such rows"),
        (pd.Series([*TEXTS[:59], None], dtype="string"), {}, "y has no class at row 59"),
        (pd.Categorical([*TEXTS[:59], None]), {}, "y has no class at row 59"),
        ([["tea"], ["tea", "milk"]], {}, "y is no array: its rows differ in length"),
        ([*TEXTS[:59], 7], {}, "texts and other labels .7.; write all of them as texts"),
        (TEXTS, {"n_classes": 4}, "n_classes is 4 and y has the 3 classes coffee, milk, tea"),
        (["tea"] * 60, {}, "two classes or more; there is 1"),
        (TEXTS[:59], {}, "give them the same number of rows, 60 or 59"),
    ],
)
def test_what_cannot_be_is_refused(y, options, said):
    with pytest.raises(ValueError, match=said):
        MODEL(X, y, **options)


def test_other_models_still_ask_for_numbers():
    with pytest.raises(TypeError, match="y holds <U6 values, not numbers"):
        jm.models.logistic(X, TEXTS)
    with pytest.raises(ValueError, match=r"becomes 3 columns .*give one column of numbers"):
        jm.models.logistic.from_formula("drink ~ age", FRAME)


def test_on_the_command_line(tmp_path, capsys):
    FRAME.to_csv(tmp_path / "drinks.csv", index=False)
    assert cli.main(["fit", str(tmp_path / "drinks.csv"), "drink ~ age", "--model", "softmax"]) == 0
    out = capsys.readouterr().out
    assert "milk:age" in out
    assert "coffee (the baseline)" in out


def test_numbers_are_left_as_they_are():
    assert jm.fit(MODEL(X, jnp.asarray(NUMBERS), labels=["const", "age"])).space.scalar_labels()[0] == "1:const"
    assert MODEL(X, NUMBERS).remarks is None


def test_effects_bear_the_names_of_the_columns():
    problem = MODEL.from_formula("drink ~ age", FRAME)
    assert jm.margins(problem, jm.fit(problem)).columns == ("age",)


def test_names_with_colons_leave_the_columns_theirs():
    x, new = FRAME[["age"]].assign(const=1.0), pd.DataFrame({"const": [1.0], "age": [0.5]})
    found = []
    for names in (["k1", "k2", "k3"], ["k:1", "k:2", "k:3"]):
        problem = MODEL(x, np.array(names)[NUMBERS])
        fit = jm.fit(problem)
        found.append(jm.predict(problem, fit, new, kind="probability").value)
        assert jm.margins(problem, fit).columns == ("age",)
    np.testing.assert_array_equal(*found)
