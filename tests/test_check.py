"""Checks before and after a fit: each kind of trouble is planted, found, and put in words."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm

import jaxmle as jm

GENERATOR = np.random.default_rng(9)
X = np.c_[np.ones(30), GENERATOR.normal(size=(30, 2))]
Y = (GENERATOR.uniform(size=30) < 1 / (1 + np.exp(-X @ np.array([0.3, 0.8, -0.5])))).astype(float)
SAMPLE = GENERATOR.normal(3.0, 2.0, 20)
START = {"mu": 1.0, "sigma": jm.positive(1.5)}


def normal(params, y):
    return jm.densities.normal.logpdf(y, params["mu"], params["sigma"])


@pytest.fixture(scope="module")
def logistic():
    problem = jm.models.logistic(X, Y)
    return problem, jm.fit(problem)


def test_a_sound_problem_passes(logistic):
    for found in (jm.check(logistic[0]), jm.check(jm.likelihood(normal, SAMPLE), START)):
        assert found.ok, str(found)
        assert found.problems == []
    found = jm.diagnose(*logistic)
    assert found.ok, str(found)
    assert str(found).splitlines()[0] == "Diagnosis of the fit"


def test_a_wrong_gradient_is_found():
    def stopped(params, y):
        return normal({"mu": params["mu"], "sigma": jax.lax.stop_gradient(params["sigma"])}, y)

    found = jm.check(jm.likelihood(stopped, SAMPLE), START)
    assert not found["gradient"]
    assert "the derivative in sigma is 0, and finite differences say" in str(found)


def test_a_jump_is_found():
    """Values that change by steps have derivative zero almost everywhere."""
    found = jm.check(jm.likelihood(lambda p, y: -jnp.square(y - jnp.round(1e9 * p["mu"]) / 1e9), SAMPLE), {"mu": 1.0})
    assert not found["gradient"]


def test_what_is_not_finite_is_found():
    found = jm.check(jm.likelihood(lambda p, y: jnp.log(y - p["mu"]), SAMPLE), {"mu": 3.0})
    assert not found["finite"]
    assert "the log-likelihood is not finite" in found.problems[0]
    with pytest.raises(KeyError, match="nothing called 'rows' was looked at"):
        found["rows"]


def test_rows_that_depend_on_one_another_are_found():
    found = jm.check(jm.likelihood(lambda p, y: -jnp.square(y - jnp.mean(y) - p["mu"]), SAMPLE), {"mu": 0.0})
    assert not found["rows"]
    assert "is not row-wise" in " ".join(found.problems)


def test_flat_directions_are_named():
    collinear = jm.models.logistic(np.c_[X, X[:, 1] - X[:, 2]], Y)
    assert "nothing changes along" in jm.check(collinear).problems[0]
    unused = jm.check(jm.likelihood(normal, SAMPLE), START | {"spare": 0.0})
    assert unused.problems[0].startswith("nothing changes along spare, at the start or off it")
    assert "the data say nothing about" in str(jm.diagnose(collinear, jm.fit(collinear)))


def test_a_start_at_a_saddle_is_no_flat_direction():
    """Symmetric mixtures begin without slope or curvature in the difference of their means; off the start they have."""
    term = jm.likelihood(lambda p, y: -jnp.square(y - p["a"] ** 3), SAMPLE)
    assert jm.check(term, {"a": 0.0})["directions"]


def test_wild_scales_are_named():
    problem = jm.models.logistic(X * np.array([1.0, 1e6, 1.0]), Y)
    found = jm.check(problem)
    assert not found["scales"]
    assert "beta[2] matters in steps" in str(found) or "beta[0] matters in steps" in str(found)
    assert "times those of beta[1]" in str(found)
    assert not jm.diagnose(problem, jm.fit(problem))["scales"]


def test_separation_is_laid_to_its_covariate():
    y = (X[:, 1] > 0).astype(float)
    problem = jm.models.logistic(X, y)
    found = jm.diagnose(problem, jm.fit(problem))
    assert not found["ended"]
    assert not found["separation"]
    assert "the responses are separated by" in str(found)
    group = np.c_[np.ones(30), np.arange(30) < 4]
    quasi = jm.models.logistic(group, np.where(np.arange(30) < 4, 1.0, Y))
    found = jm.diagnose(quasi, jm.fit(quasi))
    assert "the responses are separated by beta[1]:" in " ".join(found.problems)


def test_a_limit_a_saddle_and_a_deciding_row_are_told_of():
    coin = jm.models.bernoulli(np.ones(5))
    assert not jm.diagnose(coin, jm.fit(coin))["limit"]
    stackloss = sm.datasets.stackloss.load_pandas()
    problem = jm.models.linear(sm.add_constant(stackloss.exog.to_numpy()), stackloss.endog.to_numpy())
    found = jm.diagnose(problem, jm.fit(problem))
    assert not found["rows"]
    assert "20" in " ".join(found.problems)
    term = jm.likelihood(lambda p, y: -jnp.square(y - p["a"] ** 2), SAMPLE)
    assert "this is no maximum" in str(jm.diagnose(term, jm.Fit.at(term, {"a": 0.0})))


def test_reports_are_of_one_fit(logistic):
    problem, fit = logistic
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), fit)
    with pytest.raises(TypeError, match="looks at one fit"):
        jm.diagnose(problem, batch)
    with pytest.raises(TypeError, match="check looks at values"):
        jax.jit(lambda y: jm.check(jm.models.logistic(X, y)).ok)(Y)


@pytest.mark.parametrize("name", ["normal", "bernoulli", "poisson", "exponential"])
def test_densities_are_consistent(name):
    y = {"normal": SAMPLE, "bernoulli": Y}.get(name, np.round(np.abs(SAMPLE)))
    problem = getattr(jm.models, name)(y)
    found = jm.check_consistency(problem, jm.fit(problem), jax.random.key(5))
    assert found.ok, str(found)
    assert "consistent" in str(found)


WRONG = {
    "mean": ({"sample": lambda key, m, s: jm.densities.normal.sample(key, m + 0.5 * s, s)}, [True, True, False]),
    "variance": ({"sample": lambda key, m, s: jm.densities.normal.sample(key, m, 1.5 * s)}, [True, True, True]),
    "information": ({"information": lambda m, s: 2.0 * jm.densities.normal.information(m, s)}, [False, False, True]),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_density_that_is_wrong_is_caught(what):
    """Twenty rows and four hundred draws: a shift of half a standard deviation is a t of 45."""
    broken = types.ModuleType("broken")
    parts, caught = WRONG[what]
    own = {name: getattr(jm.densities.normal, name) for name in ("logpdf", "sample", "information")} | parts
    for name, function in own.items():
        setattr(broken, name, function)
    term = jm.regression(broken, lambda p, _: (p["mu"], p["sigma"]), SAMPLE, SAMPLE)
    found = jm.check_consistency(term, jm.Fit.at(term, START), jax.random.key(5))
    assert not found.ok
    assert "INCONSISTENT" in str(found)
    wrong = np.asarray(found.pvalues) < 1e-3
    assert all(w for w, c in zip(wrong, caught, strict=True) if c)


def test_rows_that_cannot_be_cut_are_not_said_to_be_looked_at():
    term = jm.likelihood(
        lambda params, y: jm.densities.normal.logpdf(y[1:], params["a"] * y[:-1], 1.0), jnp.arange(9.0), rows=False
    )
    assert "not looked at where a likelihood has rows=False" in str(jm.check(term, {"a": 0.0}))
