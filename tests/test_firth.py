"""Firth's penalty against closed forms and published separated data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, logit

import jaxmle as jm

# Endometrial cancer: neovasculisation, pulsatility index, endometrium height (hundredths), histology grade; Heinze and
# Schemper (2002), "A solution to the problem of separation in logistic regression", as in Agresti (2015).
NV = np.isin(np.arange(79), [21, 22, 23, 24, 25, 47, 48, 49, 50, 70, 74, 75, 77]).astype(float)
PI = """13 16 8 34 20 5 17 10 26 17 8 7 20 10 18 16 18 8 29 12 20 38 22 7 25 15 7 28 11 19 10 10 18 14 21 11 17 25 16
19 15 33 24 48 12 19 2 22 40 5 0 21 15 29 15 12 3 20 23 12 22 42 15 13 14 19 12 13 10 12 49 6 5 17 11 21 5 19
33"""
EH = """164 226 314 268 128 231 180 168 156 231 201 189 315 123 127 176 200 264 88 127 137 97 114 88 91 58 97 150 133
237 182 313 131 192 164 201 188 193 211 129 172 75 192 184 111 161 118 144 118 93 117 119 106 202 229 233 290
170 141 225 154 197 175 216 257 137 361 204 217 169 27 184 130 96 101 98 35 102 85"""
HG = np.isin(np.arange(79), [*range(17, 27), *range(43, 53), *range(69, 79)]).astype(float)


@pytest.fixture(scope="module")
def endometrial():
    columns = [np.ones(79), NV, np.array(PI.split(), float), np.array(EH.split(), float) / 100]
    problem = jm.models.logistic(np.stack(columns, axis=1), HG)
    return problem, problem + jm.priors.firth(problem)


def test_separated_data_equal_published_estimates(endometrial):
    """logistf 1.26 on these data; it stops at a score of 1e-5, so that its estimates have five digits."""
    plain, penalised = endometrial
    assert not jm.fit(plain).ok
    fit = jm.fit(penalised).raise_if_failed()
    np.testing.assert_allclose(fit.params["beta"], [3.77455951, 2.92927330, -0.03475175, -2.60416387], rtol=2e-5)


@pytest.mark.parametrize("heads", [(3, 0), (2, 4), (0, 0)])
def test_a_saturated_model_gets_half_a_case_in_each_cell(heads):
    """Firth (1993), section 3.1: Jeffreys' prior of two binomials is their two Beta(1/2, 1/2)."""
    counts = 7, 5
    x = np.repeat([[1.0, 0.0], [1.0, 1.0]], counts, axis=0)
    y = np.concatenate([np.arange(n) < h for n, h in zip(counts, heads, strict=True)]).astype(float)
    problem = jm.models.logistic(x, y)
    beta = jm.fit(problem + jm.priors.firth(problem)).raise_if_failed().params["beta"]
    truth = logit([(h + 0.5) / (n + 1) for n, h in zip(counts, heads, strict=True)])
    np.testing.assert_allclose([beta[0], beta[0] + beta[1]], truth, rtol=1e-9)


def test_its_value_is_half_the_log_determinant_and_blocks_change_nothing(endometrial):
    plain, _ = endometrial
    x, y = plain.objective.terms[0].x, plain.objective.terms[0].y
    beta = jnp.array([0.5, -0.2, 0.01, 0.3])
    p = jax.nn.sigmoid(x @ beta)
    truth = 0.5 * np.linalg.slogdet(np.asarray((x.T * (p * (1 - p))[None, :]) @ x))[1]
    whole = jm.priors.firth(plain)
    cut = jm.regression(jm.densities.bernoulli, lambda p, row: (row @ p["beta"],), x, y, block=20)
    start = {"beta": np.zeros(4)}
    for penalty in (whole, jm.priors.firth(cut)):
        np.testing.assert_allclose(penalty({"beta": beta}), truth, rtol=1e-12)
    fits = [jm.fit(cut + jm.priors.firth(cut), start), jm.fit(plain + whole)]
    np.testing.assert_allclose(fits[0].params["beta"], fits[1].params["beta"], rtol=1e-8)


def test_case_weights_are_cases():
    x, y = np.ones((2, 1)), np.array([1.0, 0.0])
    few = jm.models.logistic(x, y, weights=np.array([1.0, 3.0]))
    many = jm.models.logistic(np.ones((4, 1)), np.array([1.0, 0.0, 0.0, 0.0]))
    values = [float(jm.priors.firth(problem)({"beta": jnp.array([0.7])})) for problem in (few, many)]
    np.testing.assert_allclose(values, 0.5 * np.log(4 * expit(0.7) * expit(-0.7)), rtol=1e-12)


def test_collinear_columns_have_no_penalty_and_no_likelihood_none_either():
    problem = jm.models.logistic(np.ones((4, 2)), np.array([1.0, 0.0, 0.0, 0.0]))
    assert float(jm.priors.firth(problem)({"beta": jnp.zeros(2)})) < -15  # by rounding, minus infinity or close to it
    with pytest.raises(TypeError, match="is that of a likelihood, and there is none"):
        jm.priors.firth(jm.priors.normal("beta"))


def test_a_density_without_expected_information_is_refused():
    term = jm.regression(lambda y, eta: -((y - eta) ** 2), lambda p, row: (p["a"],), np.arange(3.0), np.arange(3.0))
    with pytest.raises(TypeError, match="no expected information in closed form"):
        jm.fit(term + jm.priors.firth(term), {"a": 0.0})


def test_lanes_equal_single_fits():
    y = np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 0.0]])

    def model(y):
        problem = jm.models.logistic(jnp.ones((4, 1)), y)
        return problem + jm.priors.firth(problem)

    beta = jax.vmap(lambda y: jm.fit(model(y)).params["beta"])(y)[:, 0]
    np.testing.assert_allclose(beta, logit((y.sum(axis=1) + 0.5) / 5), rtol=1e-9, atol=1e-12)
