"""Models compared, and criteria, against statsmodels and closed forms.

`python tests/test_compare.py` stores today's table as the expected one: read the difference before keeping it.
"""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.tools import eval_measures

import jaxmle as jm

EXPECTED = pathlib.Path(__file__).parent / "expected"


@functools.cache
def spector():
    """Three logistic regressions of statsmodels' data, and their peers, by name."""
    data = sm.datasets.spector.load_pandas()
    x, y = sm.add_constant(data.exog), data.endog
    columns = {"all": list(x.columns), "without TUCE": ["const", "GPA", "PSI"], "constant": ["const"]}
    peers = {name: sm.Logit(y, x[chosen]).fit(disp=0, tol=1e-14) for name, chosen in columns.items()}
    problems = {name: jm.models.logistic(x[chosen], y) for name, chosen in columns.items()}
    return peers, problems, {name: jm.infer(problem, jm.fit(problem)) for name, problem in problems.items()}


def test_criteria_and_weights_equal_statsmodels():
    peers, _, inferences = spector()
    found = jm.compare(inferences)
    facts = [(peer.llf, peer.nobs, len(peer.params)) for peer in peers.values()]
    np.testing.assert_allclose(found.llf, [llf for llf, _, _ in facts], rtol=1e-10)
    np.testing.assert_array_equal(found.df, [count for _, _, count in facts])
    for name in ("aic", "aicc", "bic"):
        theirs = np.array([getattr(eval_measures, name)(*fact) for fact in facts])
        np.testing.assert_allclose(getattr(found, name), theirs, rtol=1e-10)
        by = jm.compare(inferences, by=name)
        np.testing.assert_allclose(by.delta, theirs - theirs.min(), rtol=1e-8, atol=1e-10)
        weights = np.exp(-0.5 * (theirs - theirs.min()))
        np.testing.assert_allclose(by.weights, weights / weights.sum(), rtol=1e-9)
    assert found.names == ("all", "without TUCE", "constant")


def test_a_penalised_model_has_no_criterion_and_no_weight():
    _, problems, inferences = spector()
    whole = problems["all"] + jm.priors.normal("beta", scale=2.0)
    found = jm.compare(*inferences.values(), jm.infer(whole, jm.fit(whole)), names=["a", "b", "c", "ridge"])
    np.testing.assert_array_equal(np.isnan(found.weights), [False, False, False, True])
    np.testing.assert_allclose(found.weights[:3], jm.compare(inferences).weights, rtol=1e-12)
    assert "[1] ridge: no AIC: there is a prior, a loss, a factor, sampling weights" in str(found)


def test_few_observations_have_no_corrected_criterion():
    problem = jm.models.normal([1.0, 2.0, 4.0])
    assert np.isnan(float(jm.aicc(jm.infer(problem, jm.fit(problem)))))


def test_what_is_not_compared():
    _, problems, inferences = spector()
    y = np.array([0.0, 1.0, 1.0])
    other = jm.models.logistic(np.ones((3, 1)), y)
    other = jm.infer(other, jm.fit(other))
    failed = jm.infer(problems["all"], jm.fit(problems["all"], max_steps=1))
    doubled = jm.models.logistic(np.ones((3, 2)), y)
    flat = jm.infer(doubled, jm.fit(doubled))
    some = inferences["all"]
    for models, options, message in [
        ((some, other), {}, r"different numbers of observations \(Logistic regression \(1\) 32, .* \(2\) 3\)"),
        ((some, failed), {"names": ["a", "b"]}, "b cannot be compared: ran out of steps"),
        ((flat, other), {"names": ["a", "b"]}, "a cannot be compared: converged, but flat"),
        ((some, some), {"names": ["a"]}, "there are 2 models and the names a: one each, all different"),
        ((some, some), {"names": ["a", "a"]}, "the names a, a: one each, all different"),
        ((some,), {"by": "cv"}, "there is no criterion 'cv'; the criteria are: aic, aicc, bic"),
        ((), {}, "there is nothing to compare"),
    ]:
        with pytest.raises(ValueError, match=message):
            jm.compare(*models, **options)
    with pytest.raises(TypeError, match=r"compared by their inferences, jm\.infer\(\.\.\), not by a Problem"):
        jm.compare(problems["all"])


def _poisson(params, row):
    return (params["a"] + params["b"] * row,)


@pytest.fixture(scope="module")
def counts():
    """Overdispersed counts and a Poisson regression of them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=80)
    y = rng.negative_binomial(2.0, 1.0 / (1.0 + np.exp(0.5 + 0.3 * x) / 2.0)).astype(float)
    term = jm.regression(jm.densities.poisson, _poisson, x, y)
    return x, y, term, jm.fit(term, {"a": 0.0, "b": 0.0}).raise_if_failed()


def test_takeuchi_counts_by_the_sandwich_of_statsmodels(counts):
    """trace(A^-1 B) is the trace of the HC0 covariance times the information. To 1e-7, what its tolerance leaves."""
    x, y, term, fit = counts
    peer = sm.Poisson(y, sm.add_constant(x)).fit(disp=0, method="newton", tol=1e-14)
    robust = sm.Poisson(y, sm.add_constant(x)).fit(disp=0, method="newton", tol=1e-14, cov_type="HC0")
    count = np.trace(np.linalg.solve(peer.cov_params(), robust.cov_params()))
    assert count > 2.5  # two parameters, but the counts vary more than Poisson ones
    assert float(jm.tic(term, fit)) == pytest.approx(2 * count - 2 * peer.llf, rel=1e-7)


def test_takeuchi_knows_no_units():
    """In z, under a constraint, it is the same as in the parameters."""
    y = jnp.array([0.3, 1.1, 2.0, 2.2, 3.9])
    values = []
    for start in ({"mu": 1.0, "sigma": 1.0}, {"mu": 1.0, "sigma": jm.positive(1.0)}):
        problem = jm.models.normal(y)
        values.append(float(jm.tic(problem, jm.fit(problem, start))))
    assert values[0] == pytest.approx(values[1], rel=1e-8)
    # By hand: A = n diag(1, 2) / s^2, B has n s^2 / s^4 and the sum of (z^2 - 1)^2 / s^2.
    z = (np.asarray(y) - np.mean(y)) / np.std(y)
    llf = -0.5 * 5 * np.log(2 * np.pi * np.var(y)) - 2.5
    assert values[0] == pytest.approx(float(2 * (1 + np.mean((z**2 - 1) ** 2) / 2) - 2 * llf), rel=1e-9)


def test_effective_parameters_are_the_trace_of_the_hat_matrix(counts):
    """Ridge regression with known noise: trace X (X'X + l I)^-1 X'; and without a prior the number of parameters."""
    x, _, term, fit = counts
    assert float(jm.effective_parameters(term, fit)) == pytest.approx(2.0, rel=1e-10)
    design = np.stack([x, x**2, np.cos(x)], axis=1)
    problem = jm.models.linear(design, x**3) + jm.priors.normal("beta", scale=0.5)
    ridge = jm.fit(problem, {"beta": jnp.zeros(3), "sigma": jm.fixed(1.5)})
    gram = design.T @ design
    hat = np.trace(np.linalg.solve(gram + 1.5**2 / 0.5**2 * np.eye(3), gram))
    assert float(jm.effective_parameters(problem, ridge)) == pytest.approx(hat, rel=1e-9)


def test_effective_parameters_under_a_constraint_are_those_of_the_parameters():
    """A Poisson rate with a gamma-like prior: by hand A = sum y / rate^2 and P of the prior 1 / scale^2."""
    y = jnp.array([2.0, 3.0, 4.0])
    problem = jm.models.poisson(y) + jm.priors.normal("rate", 1.0, 0.8)
    fit = jm.fit(problem)
    information = 9.0 / float(fit.params["rate"]) ** 2
    by_hand = information / (information + 1 / 0.8**2)
    assert float(jm.effective_parameters(problem, fit)) == pytest.approx(by_hand, rel=1e-8)


def test_criteria_that_are_refused(counts):
    _, _, term, fit = counts
    whole = term + jm.priors.normal("a", scale=1.0)
    with pytest.raises(ValueError, match=r"TIC is that of a maximum.*jm\.effective_parameters counts"):
        jm.tic(whole, fit)
    with pytest.raises(TypeError, match="a prior with kinks has no curvature to count parameters by"):
        jm.effective_parameters(term + jm.priors.laplace("b", scale=1.0), fit)
    failed = jm.fit(term, {"a": 0.0, "b": 0.0}, max_steps=1)
    assert np.isnan(float(jm.tic(term, failed)))
    assert np.isnan(float(jm.effective_parameters(term, failed)))


def test_jit_and_vmap_equal_a_loop():
    y = jnp.asarray(np.random.default_rng(0).exponential(2.0, (3, 12)))

    def weights(y):
        problems = jm.models.exponential(y), jm.models.normal(y)
        fits = [jm.fit(problem) for problem in problems]
        found = jm.compare(*[jm.infer(problem, fit) for problem, fit in zip(problems, fits, strict=True)])
        return found, jm.tic(problems[0], fits[0]), jm.effective_parameters(problems[0], fits[0])

    loop = [weights(y[i]) for i in range(3)]
    batched = jax.jit(jax.vmap(weights))(y)
    np.testing.assert_allclose(batched[0].weights, np.stack([lane[0].weights for lane in loop]), rtol=1e-9)
    for k in (1, 2):
        np.testing.assert_allclose(batched[k], [lane[k] for lane in loop], rtol=1e-9)
    with pytest.raises(ValueError, match="a batch of comparisons has no single table; take a lane"):
        print(batched[0])


def _forms():
    found = jm.compare(spector()[2])
    return {"txt": str(found), "html": found.to_html(), "tex": found.to_latex()}


@pytest.mark.parametrize("form", ["txt", "html", "tex"])
def test_the_table_is_the_stored_one(form):
    assert _forms()[form] + "\n" == (EXPECTED / f"compare.{form}").read_text(encoding="utf-8")


def test_the_frame_keeps_every_digit():
    frame = jm.compare(spector()[2]).to_frame()
    assert list(frame.columns) == ["llf", "df", "AIC", "AICc", "BIC", "delta", "weight"]
    assert frame.loc["all", "llf"] == pytest.approx(spector()[0]["all"].llf, rel=1e-10)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    for form, text in _forms().items():
        (EXPECTED / f"compare.{form}").write_text(text + "\n", encoding="utf-8")
