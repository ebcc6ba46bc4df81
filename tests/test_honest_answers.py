"""What has no answer is refused or is NaN, and the reason that is given is the right one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.inference.hypotheses.restriction import linear_restrictions
from jaxmle.inference.profiles import outcome

KEY = jax.random.key(0)
GENERATOR = np.random.default_rng(3)
X = np.c_[np.ones(40), GENERATOR.normal(size=(40, 2))]
Y = X @ np.array([1.0, 0.5, 0.0]) + GENERATOR.normal(size=40)


@pytest.fixture(scope="module")
def linear():
    problem = jm.models.linear(X, Y)
    return problem, jm.fit(problem)


def text(result):
    return " ".join(str(result).split())


def test_two_ways_of_grouping_are_refused_by_the_bootstrap(linear):
    ways = np.arange(40) // 4, np.arange(40) % 5
    calls = [
        lambda: jm.infer(*linear, "bootstrap", key=KEY, draws=10, groups=ways),
        lambda: jm.bootstrap(*linear, KEY, 10, "cluster", groups=ways),
        lambda: jm.jackknife(*linear, groups=ways),
        lambda: jm.cross_validate(*linear, KEY, 2, groups=ways),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="rows are resampled by one way of grouping, and groups= has two"):
            call()


def test_refits_with_a_lasso_are_refused_before_they_are_made():
    problem = jm.models.linear(X, Y) + jm.penalties.l1("beta", 3.0)
    fit = jm.fit(problem)
    for kind, options in (("bootstrap", {"key": KEY}), ("jackknife", {})):
        with pytest.raises(
            TypeError, match=rf"covariance='{kind}' would refit with a prior that has kinks .* jm\.{kind}"
        ):
            jm.infer(problem, fit, kind, **options)


def test_the_jackknife_refuses_parts_of_cases():
    weights = np.r_[np.full(3, 0.5), np.ones(9)]
    counts = np.arange(12.0)
    problem = jm.models.poisson(counts, weights=weights)
    fit = jm.fit(problem)
    with pytest.raises(ValueError, match=r"leaves one case out, and row 0 has weight 0\.5: its weights are case"):
        jm.jackknife(problem, fit)
    inference = jm.infer(problem, fit, "jackknife")
    assert np.isnan(inference.bse["rate"])
    assert "leaves one case out, and 3 rows have weights that are no whole numbers of cases" in text(inference)
    assert "no finite estimate" not in text(inference)
    # What the message says works: whole rows are left out.
    rates = np.array([np.delete(weights * counts, i).sum() / np.delete(weights, i).sum() for i in range(12)])
    found = jm.jackknife(problem, fit, groups=np.arange(12))
    np.testing.assert_allclose(found.params["rate"], rates, rtol=1e-8)


def test_in_a_trace_the_jackknife_of_parts_of_cases_is_nan():
    @jax.jit
    @jax.vmap
    def error(weights):
        problem = jm.models.poisson(jnp.arange(12.0), weights=weights)
        return jm.jackknife(problem, jm.fit(problem)).bse["rate"]

    found = error(jnp.stack([jnp.ones(12), jnp.ones(12).at[0].set(1.5)]))
    np.testing.assert_allclose(found[0], np.arange(12.0).std(ddof=1) / np.sqrt(12), rtol=1e-8)
    assert np.isnan(found[1])


def test_one_cluster_is_the_reason_not_the_rows(linear):
    found = text(jm.infer(*linear, "cluster", groups=np.zeros(40, int)))
    assert "One group only" in found
    assert "no more rows than parameters" not in found
    few = jm.models.linear(X[:3], Y[:3] + 1.0)
    exact = text(
        jm.infer(few, jm.Fit.at(few, {"beta": jnp.zeros(3), "sigma": jm.positive(1.0)}), "hac", correction=True)
    )
    assert "no more rows than parameters" in exact


def test_restrictions_are_shown_as_they_were_written():
    names = {"a": 0, "C(g)[T.b]": 1}
    for wrong, words in [
        ("a * C(g)[T.b] = 0", r"is not linear at 'a \* C\(g\)\[T\.b\]'"),
        ("2 C(g)[T.b] = 0", r"cannot be read at '2 C\(g\)\[T\.b\]'"),
        ("C(g)[T.b].x = 0", r"."),
        ("a = 1e400", "has a number at '1e400' that is not finite"),
        ("1e300 * 1e300 * a", "has a number at '1e300 . 1e300 . a' that is not finite"),
        ("a / 0 = 1", "has a number at 'a / 0' that is not finite"),
    ]:
        with pytest.raises(ValueError, match=words) as caught:
            linear_restrictions(wrong, names, 2)
        assert "_at_" not in str(caught.value)


def test_numbers_of_a_restriction_are_finite(linear):
    with pytest.raises(ValueError, match="restrictions in the rows of the matrix have a number that is not finite"):
        jm.wald_test(*linear, np.array([1.0, np.nan, 0.0, 0.0]))
    with pytest.raises(ValueError, match="value has a number that is not finite"):
        jm.wald_test(*linear, np.array([1.0, 0.0, 0.0, 0.0]), np.inf)


@pytest.mark.parametrize("heads", [0.0, 1.0])
def test_the_profile_of_a_coin_that_always_falls_alike_ends_at_its_limit(heads):
    """By hand: ten alike have the log-likelihood 10 log(p), which is 1.92 lower at exp(-0.192)."""
    problem = jm.models.bernoulli(np.full(10, heads))
    found = jm.profile(problem, jm.fit(problem))
    near, far = (found.upper["p"], found.lower["p"]) if heads else (found.lower["p"], found.upper["p"])
    statuses = (found.status_upper, found.status_lower) if heads else (found.status_lower, found.status_upper)
    assert float(near) == heads
    assert [int(status["p"]) for status in statuses] == [outcome.AT_LIMIT, outcome.FOUND]
    inside = np.exp(-3.841458820694124 / 20)
    np.testing.assert_allclose(far, inside if heads else 1 - inside, rtol=1e-7)
    assert "the end is the limit itself" in text(found)
    assert "check the function" not in text(found)


def test_what_is_not_finite_has_no_standard_error(linear):
    def derived(params):
        return {"log": jnp.log(-params["sigma"]), "sigma": params["sigma"]}

    found = jm.delta(*linear, derived)
    assert np.isnan([found.value["log"], found.bse["log"], found.lower["log"], found.upper["log"]]).all()
    np.testing.assert_allclose(found.bse["sigma"], jm.infer(*linear).bse["sigma"], rtol=1e-9)
    assert np.isnan(np.asarray(found.cov)).tolist() == [[True, True], [True, False]]
    assert "Not finite at the estimate, so without a standard error: log." in text(found)
    assert "Not finite" not in text(jm.delta(*linear, "sigma"))


def test_one_fit_is_no_batch_to_refit(linear):
    with pytest.raises(ValueError, match=r"takes what jm\.fit_batch returned, with one axis of lanes"):
        jm.refit(*linear, where=True)
    with pytest.raises(ValueError, match=r"takes what jm\.fit_batch returned"):
        jm.refit(*linear)


def test_leave_one_out_of_a_fit_that_failed_says_so():
    problem = jm.models.logistic(X, (Y > 1).astype(float))
    found = jm.loo(problem, jm.fit(problem, max_steps=1))
    assert np.isnan(found.total)
    assert found.message.startswith("nothing is known without a row, since the fit is no estimate: ran out of steps")
    assert "no row decides so much" not in text(found)
    assert "no row decides so much" in jm.loo(problem, jm.fit(problem)).message
