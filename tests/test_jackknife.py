"""The jackknife and cross-validation against closed forms, fits one by one and scikit-learn.

Equal means to 1e-8 of the number's size: both sides are maxima found to 1e-9 standard errors.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import poisson
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, cross_val_score

import jaxmle as jm

COUNTS = np.array([2.0, 3.0, 4.0, 7.0, 1.0, 0.0, 5.0, 3.0, 9.0, 2.0, 2.0, 4.0])
GENERATOR = np.random.default_rng(4)
X = np.c_[np.ones(60), GENERATOR.normal(size=(60, 2))]
Y = (GENERATOR.uniform(size=60) < 1 / (1 + np.exp(-X @ np.array([0.2, 1.0, -1.0])))).astype(float)
FOLDS = np.repeat(np.arange(5), 12)


@pytest.fixture(scope="module")
def counts():
    problem = jm.models.poisson(COUNTS)
    return problem, jm.fit(problem)


@pytest.fixture(scope="module")
def logistic():
    problem = jm.models.logistic(X, Y)
    return problem, jm.fit(problem)


def test_of_a_mean_is_that_of_the_textbook(counts):
    """Its standard error is s / sqrt(n), its bias zero (Efron and Tibshirani 1993, section 11.3)."""
    found = jm.jackknife(*counts)
    np.testing.assert_allclose(found.bse["rate"], COUNTS.std(ddof=1) / np.sqrt(12), rtol=1e-8)
    np.testing.assert_allclose(found.bias["rate"], 0.0, atol=1e-8)
    np.testing.assert_allclose(found.params["rate"], (COUNTS.sum() - COUNTS) / 11, rtol=1e-8)
    assert found.message == "there is an estimate without each of the 12 rows"


def test_takes_the_bias_of_a_variance_away():
    """The mean square deviation less its jackknife bias is the unbiased variance, exactly."""
    problem = jm.models.normal(COUNTS)
    fit = jm.fit(problem)
    found = jm.jackknife(problem, fit, statistic=lambda p: p["sigma"] ** 2)
    np.testing.assert_allclose(found.estimate[0] - found.bias, COUNTS.var(ddof=1), rtol=1e-7)
    assert "value" in str(found)
    assert "each case" in str(found)


def test_leaves_groups_out(counts):
    groups = np.array(list("aabbccddeeff"))
    found = jm.jackknife(*counts, groups=groups)
    without = (COUNTS.sum() - COUNTS.reshape(6, 2).sum(axis=1)) / 10
    np.testing.assert_allclose(found.params["rate"], without, rtol=1e-8)
    np.testing.assert_allclose(found.bse["rate"], np.sqrt(5 / 6 * np.sum((without - without.mean()) ** 2)), rtol=1e-8)
    assert "each group" in str(found)


def test_a_row_of_weight_two_is_two_cases(counts):
    values, weights = np.unique(COUNTS, return_counts=True)
    weights = np.r_[weights, 0].astype(float)
    problem = jm.models.poisson(np.r_[values, 5.0], weights=weights)
    found = jm.jackknife(problem, jm.fit(problem))
    np.testing.assert_allclose(found.bse["rate"], jm.jackknife(*counts).bse["rate"], rtol=1e-8)


def test_one_step_is_the_infinitesimal_jackknife(logistic):
    """The sum of squared influences is White's sandwich; n / (n - 1) of it where they sum to zero."""
    problem, fit = logistic
    found = jm.jackknife(problem, fit, one_step=True)
    sandwich = jm.infer(problem, fit, "hc0").cov
    np.testing.assert_allclose(found.cov, 59 / 60 * np.asarray(sandwich), rtol=1e-8)


def test_without_a_row_that_decides_there_is_none():
    x = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    problem = jm.models.logistic(x, np.array([0.0, 1.0, 1.0, 1.0, 0.0]))
    found = jm.jackknife(problem, jm.fit(problem))
    assert found.ok.tolist() == [False, True, True, False, False]
    assert np.isnan(found.bse["beta"]).all()
    assert found.message.startswith("without rows 0, 3, 4 (counted from zero, 3 in all) there is no estimate")
    assert "there are no jackknife standard errors" in " ".join(str(found).split())


def test_of_lanes(counts):
    both = jax.vmap(jm.models.poisson)(np.stack([COUNTS, COUNTS + 1.0]))
    fits = jm.fit_batch(both)
    lanes = jax.vmap(jm.jackknife, in_axes=(jm.lane_axes(both), 0))(both, fits)
    np.testing.assert_allclose(lanes.bse["rate"], np.full(2, COUNTS.std(ddof=1) / np.sqrt(12)), rtol=1e-8)


def test_cross_validation_equals_scikit_learn(logistic):
    """Log loss of the same folds; its tolerance of 1e-10 is on the gradient of the mean, so 1e-6 of the loss."""
    found = jm.cross_validate(*logistic, folds=FOLDS)
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000)
    scorer = lambda model, x, y: -log_loss(y, model.predict_proba(x), normalize=False)  # noqa: E731
    theirs = cross_val_score(model, X, Y, cv=KFold(5), scoring=scorer)
    np.testing.assert_allclose(found.log_likelihood, theirs, rtol=1e-6)
    np.testing.assert_allclose(found.total, theirs.sum(), rtol=1e-6)
    np.testing.assert_allclose(found.se, np.sqrt(5) * theirs.std(ddof=1), rtol=1e-5)
    np.testing.assert_array_equal(found.nobs, 12)
    assert found.message == "all 5 folds have a fit"
    assert "Held-out log-likelihood" in str(found)


def test_folds_are_dealt_out_evenly_and_groups_whole(counts):
    found = jm.cross_validate(*counts, jax.random.key(1), 5)
    assert sorted(np.asarray(found.nobs).tolist()) == [2, 2, 2, 3, 3]
    grouped = jm.cross_validate(*counts, jax.random.key(1), 6, groups=np.arange(12) // 2)
    without = (COUNTS.sum() - COUNTS.reshape(6, 2).sum(axis=1)) / 10
    truth = poisson.logpmf(COUNTS.reshape(6, 2), without[:, None]).sum(axis=1)
    np.testing.assert_allclose(np.sort(grouped.log_likelihood), np.sort(truth), rtol=1e-8)


def test_labels_of_folds_are_any_integers_of_any_type(counts):
    """Labels {0, 5} are two folds, not six of which four are empty and count in the error."""
    plain = jm.cross_validate(*counts, folds=np.arange(12) % 2)
    for dtype in (np.int64, np.int32, np.int8):
        for low, high in ((0, 5), (1, 7), (-3, 2)):
            labels = np.where(np.arange(12) % 2, high, low).astype(dtype)
            for folds in (labels, jnp.asarray(labels)):
                found = jm.cross_validate(*counts, folds=folds)
                np.testing.assert_array_equal(found.nobs, [6, 6])
                np.testing.assert_allclose(found.log_likelihood, plain.log_likelihood, rtol=1e-12)
                np.testing.assert_allclose(found.se, plain.se, rtol=1e-12)
    backwards = jm.cross_validate(*counts, folds=1 - np.arange(12) % 2)  # in the order of labels, whichever comes first
    np.testing.assert_allclose(backwards.log_likelihood, plain.log_likelihood[::-1], rtol=1e-12)
    texts = jm.cross_validate(*counts, folds=np.where(np.arange(12) % 2, "a", "b"))
    np.testing.assert_allclose(texts.log_likelihood, plain.log_likelihood, rtol=1e-12)


def test_a_fold_without_a_case_does_not_count(counts):
    weighted = jm.models.poisson(np.r_[COUNTS, 3.0], weights=np.r_[np.ones(12), 0.0])
    found = jm.cross_validate(weighted, jm.fit(weighted), folds=np.r_[np.arange(12) % 2, 2])
    plain = jm.cross_validate(*counts, folds=np.arange(12) % 2)
    np.testing.assert_allclose([found.total, found.se], [plain.total, plain.se], rtol=1e-8)
    assert found.ok.all()


def test_a_prior_takes_part_in_fits_only(counts):
    problem, _ = counts
    penalised = problem + jm.priors.normal("rate", 1.0, 0.5)
    found = jm.cross_validate(penalised, jm.fit(penalised), folds=np.arange(12) % 2)
    rates = [
        jm.fit(jm.models.poisson(COUNTS[k::2]) + jm.priors.normal("rate", 1.0, 0.5)).params["rate"] for k in (1, 0)
    ]
    truth = [poisson.logpmf(COUNTS[k::2], float(rates[k])).sum() for k in (0, 1)]
    np.testing.assert_allclose(found.log_likelihood, truth, rtol=1e-8)


def test_a_fold_without_a_fit_has_no_total():
    problem = jm.models.logistic(np.ones((4, 1)), np.array([0.0, 0.0, 1.0, 1.0]))
    found = jm.cross_validate(problem, jm.fit(problem), folds=np.array([0, 0, 1, 1]))
    assert np.isnan(found.total)
    assert found.message.startswith("without fold 0, 1 (counted from zero) there is no fit, so no total: diverging")


MISTAKES = [
    ({"folds": 1}, "folds must be a whole number from two to the 12 rows"),
    ({"folds": 13}, "folds must be a whole number"),
    ({"folds": 3}, "needs key="),
    ({"folds": jnp.arange(5)}, "folds= has 5 labels for 12 rows"),
    ({"folds": jnp.arange(12), "groups": np.arange(12)}, "folds= are labels already"),
]


@pytest.mark.parametrize("options, words", MISTAKES, ids=[words for _, words in MISTAKES])
def test_mistakes_are_answered(counts, options, words):
    with pytest.raises(ValueError, match=words):
        jm.cross_validate(*counts, **options)
