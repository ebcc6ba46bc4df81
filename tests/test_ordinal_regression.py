"""Ordinal regression: against published fits and statsmodels, from formulas, and what is no order."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm
from statsmodels.miscmodels.ordinal_model import OrderedModel

import jaxmle as jm
from jaxmle import cli

MODEL = jm.models.ordinal_regression
RNG = np.random.default_rng(5)
X = RNG.normal(size=(80, 2))
Y = np.digitize(X @ [1.0, -0.5] + RNG.logistic(size=80), [-1.0, 0.0, 1.5])
NAMES = ["never", "seldom", "often", "always"]
NAMED = pd.Categorical.from_codes(Y, NAMES, ordered=True)
FRAME = pd.DataFrame({"a": X[:, 0], "group": np.array(["u", "v", "w"])[np.arange(80) % 3], "y": Y})


def params_of(problem):
    return jm.fit(problem).params


def equal(one, other):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), one, other)


def test_sizes_of_tonsils():
    """McCullagh (1980), table 3: carriers of a bacterium have larger tonsils; his estimate is 0.603 +- 0.227."""
    carrier, size = np.repeat([1.0, 0.0], 3)[:, None], np.tile([0, 1, 2], 2)
    problem = MODEL(carrier, size, [19, 29, 24, 497, 560, 269], labels=["carrier"])
    found = jm.infer(problem, jm.fit(problem))
    assert float(found.params["beta"][0]) == pytest.approx(0.603, abs=5e-4)
    assert float(found.bse["beta"][0]) == pytest.approx(0.227, abs=5e-4)
    assert [row.label for row in found.table().rows] == ["carrier", "0|1", "1|2"]


def test_equals_statsmodels():
    data = sm.datasets.anes96.load_pandas().data
    x, y = data[["logpopul", "selfLR", "age", "educ", "income"]], data["PID"].astype(int)
    theirs = OrderedModel(y, x, distr="logit").fit(method="bfgs", disp=0, maxiter=1000, gtol=1e-7)
    problem = MODEL(x, y)
    found = jm.infer(problem, jm.fit(problem))
    assert float(found.llf) == pytest.approx(theirs.llf, rel=1e-10)
    np.testing.assert_allclose(found.params["beta"], theirs.params[:5], rtol=1e-6)
    np.testing.assert_allclose(found.bse["beta"], theirs.bse[:5], rtol=1e-4)  # theirs by finite differences
    cutpoints = theirs.model.transform_threshold_params(theirs.params.to_numpy())[1:-1]
    np.testing.assert_allclose(found.params["cutpoints"], cutpoints, rtol=1e-6)
    probabilities = jm.predict(problem, jm.fit(problem), x.iloc[:5], kind="probability").value
    np.testing.assert_allclose(probabilities, theirs.predict(x.iloc[:5]), rtol=1e-6)


def test_of_two_classes_it_is_logistic_regression():
    two = params_of(MODEL(X, Y > 1))
    logistic = params_of(jm.models.logistic(np.column_stack([np.ones(80), X]), Y > 1))
    equal(jnp.concatenate([-two["cutpoints"], two["beta"]]), logistic["beta"])


def test_an_offset_is_a_coefficient_that_is_known():
    column = jm.fixed([1.0])
    whole = jm.models.ordinal_regression(X[:, :1], Y)
    held = jm.fit(whole.objective, whole.start | {"beta": column})
    offset = jm.fit(MODEL(X[:, 1:], Y, offset=X[:, 0]).objective, whole.start | {"beta": jm.fixed([0.0])})
    equal(held.params["cutpoints"], offset.params["cutpoints"])


@pytest.mark.parametrize("right", ["a + group", "0 + a + group"])
def test_a_formula_leaves_its_constant_out(right):
    """Contrasts stay those beside a constant: the fit is that of the columns without it."""
    problem = MODEL.from_formula(f"y ~ {right}", FRAME)
    labels = jm.fit(problem).space.scalar_labels()
    assert "const" not in labels
    whole = {"a": FRAME.a, "v": FRAME.group == "v", "w": FRAME.group == "w", "u": FRAME.group == "u"}
    columns = {"a + group": "v w a", "0 + a + group": "u v w a"}[right].split()
    expected = jm.fit(MODEL(pd.DataFrame({name: whole[name] for name in columns}).astype(float), Y))
    assert float(jm.fit(problem).log_likelihood) == pytest.approx(float(expected.log_likelihood), rel=1e-12)


def test_predictions_for_a_new_frame_are_those_of_its_rows():
    problem = MODEL.from_formula("y ~ a + group", FRAME)
    fit = jm.fit(problem)
    here = jm.predict(problem, fit, kind="probability")
    there = jm.predict(problem, fit, FRAME.iloc[5:9].drop(columns="y"), kind="probability")
    equal(here.value[5:9], there.value)
    np.testing.assert_allclose(there.value.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("wrapped", [lambda y: y, pd.Series, lambda y: pl.Series(list(y), dtype=pl.Enum(NAMES))])
def test_classes_that_have_names_and_an_order(wrapped):
    problem = MODEL(X, wrapped(NAMED), labels=["a", "b"])
    equal(params_of(problem), params_of(MODEL(X, Y)))
    assert jm.fit(problem).space.scalar_labels() == ["a", "b", "never|seldom", "seldom|often", "often|always"]


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_a_formula_takes_ordered_classes(kind):
    y = NAMED if kind is pd.DataFrame else pl.Series(list(NAMED), dtype=pl.Enum(NAMES))
    problem = MODEL.from_formula("y ~ a", kind({"a": X[:, 0], "y": y}))
    equal(params_of(problem), params_of(MODEL(X[:, :1], Y)))
    assert jm.fit(problem).space.scalar_labels()[1] == "never|seldom"


@pytest.mark.parametrize(
    "y, message",
    [
        (np.array(NAMES)[Y], "names in no order that is known: say it, lowest first, with pandas.Categorical"),
        (pd.Series(np.array(NAMES)[Y]).astype("category"), "names in no order that is known"),
        (Y + 1, r"no row of the class 0, .* number the classes that there are 0, 1, 2, \.\.\., such as y - 1"),
        (np.where(Y == 2, 3, Y), r"classes up to 3 and no row of the class 2, .* 0, 1, 2, \.\.\.$"),
        (0 * Y, "ordinal regression needs two classes or more; there is 1"),
        (Y - 1, "y is -1 at row"),
    ],
)
def test_what_is_no_order_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        MODEL(X, y)


def test_a_class_of_weight_zero_is_none():
    equal(params_of(MODEL(X, Y, np.where(Y == 3, 0.0, 1.0))), params_of(MODEL(X[Y < 3], Y[Y < 3])))


def test_an_empty_class_that_was_asked_for_has_no_maximum():
    fit = jm.fit(MODEL(X, Y, n_classes=5))
    assert fit.status == jm.status.DIVERGING
    assert "cutpoints~[3] goes to +infinity" in fit.message


def test_a_separated_response_has_no_maximum():
    assert jm.fit(MODEL(X, np.digitize(X[:, 0], [-1.0, 0.0, 1.0]))).status == jm.status.DIVERGING


def test_a_constant_among_the_columns_is_named_beside_the_cutpoints():
    problem = MODEL(np.column_stack([np.ones(80), X]), Y)
    fit = jm.fit(problem)
    assert fit.status == jm.status.FLAT
    assert "beta[0] + cutpoints~[0]" in str(jm.summary(problem, fit))


def test_no_columns_at_all():
    with pytest.raises(ValueError, match=r"hold the coefficients of one at zero, .*jm\.fixed\(\[0\.0\]\)"):
        MODEL.from_formula("y ~ 1", FRAME)
    problem = MODEL(X[:, :1], Y)
    alone = jm.fit(problem.objective, problem.start | {"beta": jm.fixed([0.0])})
    below = np.array([np.mean(k >= Y) for k in range(3)])
    equal(alone.params["cutpoints"], np.log(below / (1 - below)))


def test_inside_a_trace_the_classes_are_counted_by_the_user():
    with pytest.raises(ValueError, match="say n_classes="):
        jax.jit(lambda y: MODEL(X, y).start["cutpoints"].value)(Y)
    lanes = jax.vmap(lambda y: jm.fit(MODEL(X, y, n_classes=4)).params)(np.stack([Y, Y[::-1]]))
    equal(jax.tree.map(lambda leaf: leaf[1], lanes), params_of(MODEL(X, Y[::-1])))


@pytest.mark.parametrize("model", [MODEL, jm.models.softmax])
def test_classes_that_are_known_are_counted_where_the_design_is_not(model):
    alone = params_of(model(X, Y))
    equal(jax.jit(lambda x: jm.fit(model(x, Y)).params)(X), alone)
    equal(jax.jit(lambda weights: jm.fit(model(X, Y, weights)).params)(np.ones(80)), alone)


@pytest.mark.parametrize("wrong", ["4", 4.0, True])
def test_the_number_of_classes_is_a_whole_number(wrong):
    with pytest.raises(TypeError, match="n_classes must be a whole number"):
        MODEL(X, Y, n_classes=wrong)


def test_the_command_line_fits_it(tmp_path, capsys):
    FRAME.to_csv(tmp_path / "data.csv", index=False)
    assert cli.main(["fit", str(tmp_path / "data.csv"), "y ~ a + group", "--model", "ordinal"]) == 0
    said = capsys.readouterr().out
    assert "Ordinal regression" in said
    assert "group[T.v]" in said
    assert "0|1" in said
