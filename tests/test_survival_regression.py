"""Survival regression: against published fits, identities with other models, and times that cannot be."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import jaxmle as jm
from jaxmle import cli

MODEL = jm.models.survival_regression
# Weeks of remission of leukaemia (Freireich and others 1963), as in Cox and Oakes (1984), table 1.1.
CONTROL = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
FRAME = pd.DataFrame(
    {
        "weeks": np.array(CONTROL + TREATED, float),
        "relapsed": [1] * 21 + RELAPSED,
        "group": ["control"] * 21 + ["treated"] * 21,
    }
)
X = np.column_stack([np.ones(42), FRAME.group == "treated"]).astype(float)
Y, EVENT = FRAME.weeks.to_numpy(), FRAME.relapsed.to_numpy()
FAMILIES = ["exponential", "gamma", "loglogistic", "lognormal", "weibull"]


def censored_sample(family, seed, rows=30):
    """Covariates, times and events of a family, with anybody's units of everything."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(rows), rng.normal(size=(rows, 2)) * 10 ** rng.uniform(-2, 2)])
    line = x @ np.array([rng.choice([-20.0, 0.0, 20.0]), *rng.normal(size=2) / x[:, 1:].std(axis=0) / 2])
    shape = 10 ** rng.uniform(-0.7, 1)
    noise = {
        "exponential": lambda: np.log(rng.exponential(size=rows)),
        "gamma": lambda: np.log(rng.gamma(shape, size=rows)),
        "loglogistic": lambda: rng.logistic(size=rows) / shape,
        "lognormal": lambda: rng.normal(size=rows) / shape,
        "weibull": lambda: np.log(rng.exponential(size=rows)) / shape,
    }[family]()
    end = np.median(noise) + rng.normal(size=rows) * 2 + 0.5
    return x, np.exp(line + np.minimum(noise, end)), noise <= end


def test_remission_of_leukaemia():
    """R's survreg: an intercept of 3.516 (0.252), an effect of -1.267 (0.311), and a scale of 1 / 1.366."""
    problem = MODEL.from_formula("weeks ~ C(group, contr.treatment('treated'))", FRAME, event="relapsed")
    found = jm.infer(problem, jm.fit(problem))
    np.testing.assert_allclose(found.params["beta"], [3.516, -1.267], atol=6e-4)
    np.testing.assert_allclose(found.bse["beta"], [0.252, 0.311], atol=6e-4)
    assert float(found.params["c"]) == pytest.approx(1.366, abs=6e-4)
    assert float(found.llf) == pytest.approx(-106.579, abs=6e-4)
    exponential = jm.fit(MODEL(X, Y, event=EVENT, family="exponential"))
    assert float(exponential.log_likelihood) == pytest.approx(-108.524, abs=6e-4)


def test_exponential_times_are_poisson_counts_with_the_times_as_exposure():
    """The same coefficients with the other sign, and the same standard errors."""
    times = MODEL(X, Y, event=EVENT, family="exponential")
    counts = jm.models.poisson_regression(X, EVENT, exposure=Y)
    one, other = jm.infer(times, jm.fit(times)), jm.infer(counts, jm.fit(counts))
    np.testing.assert_allclose(one.params["beta"], -other.params["beta"], rtol=1e-9)
    np.testing.assert_allclose(one.bse["beta"], other.bse["beta"], rtol=1e-9)


def test_lognormal_times_that_all_ended_are_a_linear_regression_of_logs():
    times, logs = jm.fit(MODEL(X, Y, family="lognormal")), jm.fit(jm.models.linear(X, np.log(Y)))
    np.testing.assert_allclose(times.params["beta"], logs.params["beta"], rtol=1e-9)
    assert float(times.params["s"]) == pytest.approx(float(logs.params["sigma"]), rel=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_log_likelihood_is_that_of_scipy(family):
    fit = jm.fit(MODEL(X, Y, event=EVENT, family=family))
    shape = {name: float(value) for name, value in fit.params.items() if name != "beta"}
    name = {"exponential": "expon", "loglogistic": "fisk", "lognormal": "lognorm", "weibull": "weibull_min"}
    times = getattr(stats, name.get(family, family))(**shape, scale=np.exp(X @ fit.params["beta"]))
    value = np.where(EVENT == 1, times.logpdf(Y), times.logsf(Y)).sum()
    assert fit.status == jm.status.CONVERGED
    assert float(fit.log_likelihood) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("seed", [0, 5, 39, 79, 92])
@pytest.mark.parametrize("family", FAMILIES)
def test_fits_of_anybodys_units_converge_in_a_few_steps(family, seed):
    """The Gauss-Newton curvature of a scale is indefinite where rows are few: it kept the climb from its top."""
    x, y, event = censored_sample(family, seed)
    fit = jm.fit(MODEL(x, y, event=event, family=family))
    assert fit.status == jm.status.CONVERGED
    assert int(fit.steps) < 40


def test_all_events_and_weights_and_offsets():
    all_ended = jm.fit(MODEL(X, Y)).params
    for event in (np.ones(42), np.ones(42, bool)):
        np.testing.assert_allclose(jm.fit(MODEL(X, Y, event=event)).params["beta"], all_ended["beta"], rtol=1e-9)
    twice = jm.fit(MODEL(np.tile(X, (2, 1)), np.tile(Y, 2), event=np.tile(EVENT, 2))).params
    np.testing.assert_allclose(
        jm.fit(MODEL(X, Y, 2.0 * np.ones(42), event=EVENT)).params["beta"], twice["beta"], rtol=1e-9
    )
    shifted = jm.fit(MODEL(X, Y, event=EVENT, offset=0.5 * np.ones(42))).params["beta"]
    np.testing.assert_allclose(
        shifted + jnp.array([0.5, 0.0]), jm.fit(MODEL(X, Y, event=EVENT)).params["beta"], rtol=1e-9
    )


def test_predictions_need_no_event():
    problem = MODEL.from_formula("weeks ~ group", FRAME, event="relapsed", family="lognormal")
    fit = jm.fit(problem)
    median = np.exp(np.array([[1.0, 0.0], [1.0, 1.0]]) @ fit.params["beta"])
    new = pd.DataFrame({"group": ["control", "treated"]})
    np.testing.assert_allclose(jm.predict(problem, fit, new, kind="quantile", q=0.5).value, median, rtol=1e-9)
    plain = MODEL(X, Y, event=EVENT, family="lognormal")
    for rows in (X[[0, -1]], {"x": X[[0, -1]]}, pd.DataFrame(X[[0, -1]], columns=["x0", "x1"])):
        problem = (
            MODEL(X, Y, event=EVENT, family="lognormal", labels=["x0", "x1"]) if hasattr(rows, "columns") else plain
        )
        found = jm.predict(problem, jm.fit(problem), rows, kind="quantile", q=0.5)
        np.testing.assert_allclose(found.value, median, rtol=1e-9)


@pytest.mark.parametrize(
    "y, event, message",
    [
        (Y, EVENT + 1, r"x leaf 'end of the time \(event 0 or 1, time from 0 on\)' is missing .* at row 0"),
        (np.where(np.arange(42) == 27, -1.0, Y), EVENT, r"y is -1.0 at row 27"),
        (np.where(np.arange(42) == 24, -1.0, Y), EVENT, r"time from 0 on\)' is missing \(NaN\) at row 24 \(1 such row"),
        (np.where(np.arange(42) == 3, 0.0, Y), EVENT, "y is 0.0 at row 3"),
        (np.where(np.arange(42) == 3, np.nan, Y), EVENT, "y is missing .* at row 3"),
    ],
)
def test_times_and_events_that_cannot_be_are_named_by_their_row(y, event, message):
    with pytest.raises(ValueError, match=message):
        jm.fit(MODEL(X, y, event=event))


def test_what_is_no_family_or_has_other_rows():
    with pytest.raises(ValueError, match="no family 'cauchy' of times; the families are: exponential, gamma"):
        MODEL(X, Y, family="cauchy")
    with pytest.raises(ValueError, match=r"event has shape \(40,\)"):
        MODEL(X, Y, event=EVENT[:40])
    with pytest.raises(ValueError, match=r"'x.offset' has shape \(1,\)"):
        MODEL(X, Y, offset=np.ones(1))
    with pytest.raises(TypeError, match="linear has no option event"):
        jm.models.linear.from_formula("weeks ~ group", FRAME, event="relapsed")


@pytest.mark.parametrize("family", FAMILIES)
def test_times_that_were_all_censored_are_no_maximum(family):
    assert jm.fit(MODEL(X, Y, event=np.zeros(42), family=family)).status == jm.status.DIVERGING


@pytest.mark.parametrize(
    "x, y, event",
    [
        (X, np.exp(X @ [1.0, 0.5]), np.ones(42)),
        (X, np.exp(X @ [1.0, 0.5]), np.arange(42) > 0),
        (X[:, :1], 1.0 + np.arange(42.0), np.arange(42) == 41),
        (X[:, :1], 3.0 * np.ones(42), np.ones(42)),
    ],
    ids=["all ended", "one censored", "the longest", "all equal"],
)
@pytest.mark.parametrize("family", FAMILIES[1:])
def test_times_without_noise_have_no_maximum(family, x, y, event):
    """They were converged to rounding, stalled, or out of steps."""
    assert jm.fit(MODEL(x, y, event=event, family=family)).status == jm.status.UNBOUNDED


def test_a_time_censored_beyond_the_line_is_noise():
    y, event = np.where(np.arange(42) == 5, 40.0, 3.0), np.arange(42) != 5
    assert jm.fit(MODEL(X[:, :1], y, event=event)).ok


def test_where_it_is_unbounded_a_prior_helps():
    problem = MODEL(X[:, :1], 3.0 * np.ones(42), family="lognormal") + jm.priors.inverse_gamma("s", 2.0, 1.0)
    assert jm.fit(problem).ok


def test_lanes_and_traces():
    alone = jm.fit(MODEL(X, 2.0 * Y, event=EVENT)).params
    lanes = jax.vmap(lambda y: jm.fit(MODEL(X, y, event=EVENT)).params)(np.stack([Y, 2.0 * Y]))
    traced = jax.jit(lambda x, event: jm.fit(MODEL(x, 2.0 * Y, event=event)).params)(X, EVENT)
    for found in (jax.tree.map(lambda leaf: leaf[1], lanes), traced):
        np.testing.assert_allclose(found["beta"], alone["beta"], rtol=1e-9)


def test_rows_with_missing_values_are_dropped_with_their_events():
    frame = FRAME.assign(weeks=FRAME.weeks.where(FRAME.index != 4), known=0.1)
    frame["relapsed"] = frame.relapsed.astype(float).where(frame.index != 30)
    kept = frame.dropna()
    for event in ("relapsed", frame.relapsed.to_numpy()):
        problem = MODEL.from_formula("weeks ~ group", frame, event=event, offset="known", missing="drop")
        whole = MODEL.from_formula("weeks ~ group", kept, event="relapsed", offset="known")
        np.testing.assert_allclose(jm.fit(problem).params["beta"], jm.fit(whole).params["beta"], rtol=1e-9)
        new = jm.predict(problem, jm.fit(problem), kept.drop(columns=["weeks", "relapsed"]))
        np.testing.assert_allclose(new.value, jm.predict(whole, jm.fit(whole)).value, rtol=1e-9)


@pytest.mark.parametrize("new", [{"X": X[:2]}, {"x": X[:2], "off": Y[:2]}])
def test_other_rows_are_refused_by_the_names_that_are_wanted(new):
    problem = MODEL(X, Y, event=EVENT)
    with pytest.raises(TypeError, match="and the fit was made with the leaves x; give the same tree"):
        jm.predict(problem, jm.fit(problem), new)


def test_the_command_line_fits_it(tmp_path, capsys):
    FRAME.to_csv(tmp_path / "data.csv", index=False)
    arguments = ["weeks ~ group", "--model", "survival", "--event", "relapsed", "--family", "loglogistic"]
    assert cli.main(["fit", str(tmp_path / "data.csv"), *arguments]) == 0
    assert "Loglogistic survival regression" in capsys.readouterr().out


def test_times_that_were_all_censored_may_have_a_maximum():
    """Without a constant what lengthens one time shortens another: -(exp(-b) + 2 exp(b)) is highest at -log(2) / 2."""
    problem = MODEL(np.array([[1.0], [-1.0]]), [1.0, 2.0], event=[0, 0], family="exponential")
    fit = jm.fit(problem)
    assert fit.ok, fit.message
    assert float(fit.params["beta"][0]) == pytest.approx(-0.5 * np.log(2.0), rel=1e-9)
