"""What is refused at the door of inference: batches handed over whole, levels that are none, keys that are none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.inference.rows.residuals import residuals

Y = jnp.array([2.0, 3.0, 4.0, 7.0, 1.0, 5.0])
X = jnp.stack([jnp.ones(6), jnp.array([0.1, -1.2, 0.4, 1.5, -0.3, 0.9])], axis=1)
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def fitted():
    problem = jm.models.poisson_regression(X, Y)
    return problem, jm.fit(problem)


@pytest.fixture(scope="module")
def batch():
    problem = jm.models.poisson_regression(X, Y)
    several = jax.vmap(lambda y: jm.models.poisson_regression(X, y))(jnp.stack([Y, Y[::-1]]))
    return problem, several, jm.fit_batch(several, problem.start)


CALLS = {
    "jm.infer": jm.infer,
    "jm.summary": jm.summary,
    "jm.delta": lambda o, f: jm.delta(o, f, "beta"),
    "jm.predict": jm.predict,
    "jm.margins": jm.margins,
    "jm.bootstrap": lambda o, f: jm.bootstrap(o, f, KEY, 10),
    "jm.jackknife": jm.jackknife,
    "jm.cross_validate": lambda o, f: jm.cross_validate(o, f, KEY, 2),
    "jm.loo": jm.loo,
    "jm.influence": jm.influence,
    "jm.leverage": jm.leverage,
    "jm.scores": jm.scores,
    "jm.wald_test": lambda o, f: jm.wald_test(o, f, "beta[0] = 0"),
    "jm.score_test": jm.score_test,
    "jm.tic": jm.tic,
    "jm.effective_parameters": jm.effective_parameters,
    "jm.bias": jm.bias,
    "jm.check_consistency": lambda o, f: jm.check_consistency(o, f, KEY, 10),
    "jm.residuals": lambda o, f: residuals(o, f, "response"),
    "jm.profile": jm.profile,
    "jm.profile_curve": lambda o, f: jm.profile_curve(o, f, "beta[0]", jnp.zeros(2)),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_batch_handed_over_whole_is_refused(batch, call):
    _, several, fits = batch
    named = "jm.infer" if call == "jm.summary" else call
    with pytest.raises(ValueError, match=rf"this is a batch of fits, and {named} takes one: take each by jax\.vmap"):
        CALLS[call](several, fits)


def test_what_the_message_about_a_batch_says_works(batch, fitted):
    _, several, fits = batch
    found = jax.vmap(lambda objective, fit: jm.tic(objective, fit), in_axes=(jm.lane_axes(several), 0))(several, fits)
    np.testing.assert_allclose(found[0], jm.tic(*fitted), rtol=1e-9)


def ways_to_give_alpha(objective, fit):
    inference = jm.infer(objective, fit)
    drawn = jm.bootstrap(objective, fit, KEY, 10)
    left = jm.jackknife(objective, fit, one_step=True)
    return [
        lambda alpha: inference.conf_int(alpha),
        lambda alpha: inference.table(alpha),
        lambda alpha: inference.tidy(alpha),
        lambda alpha: jm.summary(objective, fit, alpha),
        lambda alpha: jm.delta(objective, fit, "beta", covariance=inference, alpha=alpha),
        lambda alpha: jm.predict(objective, fit, covariance=inference, alpha=alpha),
        lambda alpha: jm.margins(objective, fit, columns=["x[1]"], covariance=inference, alpha=alpha),
        lambda alpha: drawn.conf_int(alpha),
        lambda alpha: drawn.table(alpha),
        lambda alpha: left.table(alpha),
    ]


def test_an_alpha_that_is_none_is_refused_everywhere(fitted):
    for call in ways_to_give_alpha(*fitted):
        for alpha in (95, 2, 1.0, 0, -0.05, float("nan"), np.array([0.05, 0.1]), "x", "0.05", None, True):
            with pytest.raises(ValueError, match="alpha must be a number between 0 and 1, one less the confidence"):
                call(alpha)
        call(0.1)


def test_an_alpha_in_a_trace_gives_nan_where_it_is_none(fitted):
    inference = jm.infer(*fitted)
    ends = jax.jit(jax.vmap(lambda alpha: inference.conf_int(alpha)))(jnp.array([0.05, 1.5]))
    for end, exact in zip(ends, inference.conf_int(0.05), strict=True):
        np.testing.assert_allclose(end["beta"][0], exact["beta"], rtol=1e-12)
        assert np.isnan(end["beta"][1]).all()


def test_a_level_that_is_none_is_refused(fitted):
    for level in (95, 0.0, np.array([0.9, 0.95]), "x", None):
        with pytest.raises(ValueError, match="level must be a number between 0 and 1, the confidence"):
            jm.profile(*fitted, level=level)


def test_a_key_that_is_none_is_refused(fitted):
    calls = [
        lambda key: jm.bootstrap(*fitted, key, 10),
        lambda key: jm.cross_validate(*fitted, key, 2),
        lambda key: jm.check_consistency(*fitted, key, 10),
        lambda key: jm.infer(*fitted, "bootstrap", key=key, draws=10),
        lambda key: residuals(*fitted, key=key),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"key must be a random key, jax\.random\.key\(0\), and is 7: the number"):
            call(7)
        with pytest.raises(TypeError, match=r"an array of key<fry> of shape \(2,\)"):
            call(jax.random.split(KEY))
        with pytest.raises(TypeError, match=r"key must be a random key, .* an array of uint32 of shape \(3,\)"):
            call(jnp.array([0, 1, 2], jnp.uint32))


def test_a_key_of_the_old_kind_is_one(fitted):
    old = jm.bootstrap(*fitted, jax.random.PRNGKey(0), 10).values
    np.testing.assert_array_equal(old, jm.bootstrap(*fitted, KEY, 10).values)


@pytest.mark.parametrize("call", [*CALLS, "jm.diagnose"])
def test_what_is_no_fit_is_refused(fitted, call):
    problem, fit = fitted
    calls = CALLS | {"jm.diagnose": jm.diagnose}
    for other in (fit.params, problem, None):
        with pytest.raises(TypeError, match=rf"{call} takes a fit, such as .*, not a {type(other).__name__}"):
            calls[call](problem, other)


@pytest.mark.parametrize("folds", ["five", 2.5, None, True, 1])
def test_folds_that_are_no_number_are_refused(fitted, folds):
    with pytest.raises(
        ValueError, match=rf"folds must be a whole number from two to the 6 rows there are; it is {folds!r}"
    ):
        jm.cross_validate(*fitted, KEY, folds)


def test_a_number_of_folds_in_a_trace_is_refused(fitted):
    with pytest.raises(ValueError, match=r"inside jax\.jit or jax\.vmap the number of folds must be known"):
        jax.jit(lambda folds: jm.cross_validate(*fitted, KEY, folds).total)(3)


def test_columns_go_by_name_or_number_of_any_kind(fitted):
    assert jm.margins(*fitted, columns=[np.int64(1), np.str_("x[0]")]).columns == ("x[1]", "x[0]")
    assert jm.margins(*fitted, columns=np.int32(1)).columns == ("x[1]",)
    for strange in (2.5, [2.5], [True], [None]):
        with pytest.raises(TypeError, match=r"columns are given by their names or their numbers, .* not by"):
            jm.margins(*fitted, columns=strange)
    with pytest.raises(ValueError, match="the data have no column 2"):
        jm.margins(*fitted, columns=[np.int64(2)])


def test_a_case_is_not_left_out_of_half_of_one():
    """As the jackknife refuses it; in a trace it is NaN, and a diagnosis goes without."""
    problem = jm.models.poisson_regression(X, Y, weights=jnp.array([1.0, 1.5, 1.0, 1.0, 1.0, 2.0]))
    fit = jm.fit(problem)
    with pytest.raises(ValueError, match=r"one case of each row is left out, and row 1 has weight 1\.5: "):
        jm.loo(problem, fit)
    assert not any(finding.name == "rows" for finding in jm.diagnose(problem, fit).findings)

    def total(weights):
        problem = jm.models.poisson_regression(X, Y, weights=weights)
        return jm.loo(problem, jm.fit(problem)).total

    found = jax.jit(jax.vmap(total))(jnp.array([[1.0, 1.5, 1.0, 1.0, 1.0, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0, 2.0]]))
    assert np.isnan(found).tolist() == [True, False]
