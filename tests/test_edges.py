"""Maxima at the edge of what several numbers may be together: a probability of zero, cutpoints that meet, a matrix that
becomes singular. Law 8: a maximum on the boundary is its own status, with its limit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.core import status as codes

Y = np.array([0, 0, 1, 1, 1, 2])


def category(params, y):
    return jnp.log(params["pi"])[y]


def category_fit(y, count=4, dtype=None):
    term = jm.likelihood(category, jnp.asarray(y))
    return term, jm.fit(term, {"pi": jm.simplex(jnp.full(count, 1.0 / count, dtype))})


@pytest.mark.parametrize("kind", ["observed", "hc0"])
@pytest.mark.parametrize("shift", [0, 1], ids=["last", "first"])
def test_a_category_that_never_occurred_goes_to_zero_and_the_others_keep_their_errors(shift, kind):
    """The others are binomial shares, k / n with standard error root(p (1 - p) / n); which category is the baseline of
    the numbers behind them makes no difference. The information behind them has an eigenvalue of 1e-11 beside ones of
    order one, so that its inverse keeps five digits."""
    term, fit = category_fit(Y + shift)
    lost = 0 if shift else 3
    assert int(fit.status) == codes.BOUNDARY
    assert f"; pi[{lost}] goes to 0 (" in fit.message
    assert "infinity" not in fit.message
    share = np.bincount(Y + shift, minlength=4) / Y.size
    np.testing.assert_allclose(fit.params["pi"], share, atol=1e-9)
    inference = jm.infer(term, fit, kind)
    errors = np.where(share > 0, np.sqrt(share * (1.0 - share) / Y.size), np.nan)
    np.testing.assert_allclose(inference.bse["pi"], errors, rtol=3e-5)
    seen = share > 0
    cov = (np.diag(share) - np.outer(share, share))[np.ix_(seen, seen)] / Y.size
    np.testing.assert_allclose(np.asarray(inference.cov)[np.ix_(seen, seen)], cov, rtol=1e-4)
    notes = " ".join(inference.table().notes)
    assert f"pi[{lost}] goes to 0: an edge of the parameter space" in notes
    assert "pi~" not in notes


def test_two_categories_that_never_occurred_in_single_precision():
    term, fit = category_fit(Y, 5, jnp.float32)
    assert int(fit.status) == codes.BOUNDARY
    assert "; pi[3] goes to 0, pi[4] goes to 0 (" in fit.message
    errors = np.asarray(jm.infer(term, fit).bse["pi"])
    np.testing.assert_allclose(
        errors[:3], np.sqrt(np.array([2 / 9, 1 / 4, 5 / 36]) / 6), rtol=2e-2
    )  # 1e-7 over probabilities of 5e-6
    assert np.isnan(errors[3:]).all()


def test_a_lane_at_the_edge_is_as_alone_and_leaves_the_others():
    rows = jnp.stack([jnp.asarray(Y), jnp.array([0, 1, 1, 2, 3, 3])])

    def fit(y):
        term = jm.likelihood(category, y)
        found = jm.fit(term, {"pi": jm.simplex(jnp.full(4, 0.25))})
        return found, jm.infer(term, found).bse["pi"]

    fits, errors = jax.jit(jax.vmap(fit))(rows)
    assert fits.status.tolist() == [codes.BOUNDARY, codes.CONVERGED]
    for lane in range(2):
        term, alone = category_fit(rows[lane])
        np.testing.assert_allclose(errors[lane], jm.infer(term, alone).bse["pi"], rtol=3e-5)


def test_what_the_data_leave_free_beside_an_edge_has_no_error():
    """Categories 0 and 1 are never told apart, and category 3 never occurs."""

    def logpdf(params, y):
        pi = params["pi"]
        return jnp.log(jnp.stack([pi[0] + pi[1], pi[2], pi[3]]))[y]

    term = jm.likelihood(logpdf, jnp.array([0, 0, 0, 1, 1, 1]))
    fit = jm.fit(term, {"pi": jm.simplex(jnp.array([0.2, 0.3, 0.3, 0.2]))})
    errors = np.asarray(jm.infer(term, fit).bse["pi"])
    assert np.isnan(errors[[0, 1, 3]]).all()


def ordinal(params, y):
    shares = jnp.concatenate([jnp.zeros(1), jax.nn.sigmoid(params["c"]), jnp.ones(1)])
    return jnp.log(jnp.diff(shares))[y]


def test_cutpoints_around_an_empty_category_meet():
    """Those apart keep their errors: a logit of a share p has the error 1 / root(n p (1 - p))."""
    y = jnp.array([0, 0, 1, 1, 1, 3, 3, 4, 4, 4])
    term = jm.likelihood(ordinal, y)
    fit = jm.fit(term, {"c": jm.ordered(jnp.array([-1.0, 0.0, 0.5, 1.0]))})
    assert int(fit.status) == codes.BOUNDARY
    assert "; c[1] and c[2] meet (" in fit.message
    share = np.array([0.2, 0.5, 0.5, 0.7])
    np.testing.assert_allclose(fit.params["c"], np.log(share / (1.0 - share)), atol=1e-8)
    errors = np.where(share == 0.5, np.nan, 1.0 / np.sqrt(10.0 * share * (1.0 - share)))
    np.testing.assert_allclose(jm.infer(term, fit).bse["c"], errors, rtol=1e-6)


def test_cutpoints_without_an_upper_end_still_diverge():
    term = jm.likelihood(ordinal, jnp.array([0, 0, 1, 1, 1]))
    fit = jm.fit(term, {"c": jm.ordered(jnp.array([-1.0, 1.0]))})
    assert int(fit.status) == codes.DIVERGING
    assert "c~[1] goes to +infinity" in fit.message


MATRICES = {
    "correlation": (
        jm.correlation_matrix,
        lambda S: -((S[0, 1] - 2.0) ** 2) - (S[0, 2] - 0.1) ** 2 - (S[1, 2] - 0.1) ** 2,
    ),
    "covariance": (
        jm.covariance_matrix,
        lambda S: -((S[0, 0] - 1.0) ** 2) - (S[1, 1] - 1.0) ** 2 - (S[0, 1] - 2.0) ** 2,
    ),
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_whose_maximum_is_singular_is_on_the_boundary(name):
    mark, function = MATRICES[name]
    size = 2 if name == "covariance" else 3
    term = jm.likelihood(lambda p, y: function(p["S"]) * y, jnp.ones(3))
    fit = jm.fit(term, {"S": mark(jnp.eye(size))})
    assert int(fit.status) == codes.BOUNDARY, fit.message
    assert "; S becomes singular in row 1 (" in fit.message
    inference = jm.infer(term, fit)
    assert np.isnan(np.asarray(inference.bse["S"])).all()
    assert "S becomes singular in row 1: an edge" in " ".join(inference.table().notes)


def test_a_matrix_on_data_that_are_collinear_is_unbounded():
    column = np.random.default_rng(0).normal(size=20)
    data = jnp.asarray(np.column_stack([column, column]) / np.sqrt(np.mean(column**2)))

    def logpdf(params, z):
        return jm.densities.multivariate_normal.logpdf(z, jnp.zeros(2), jnp.linalg.cholesky(params["S"]))

    for mark in (jm.correlation_matrix, jm.covariance_matrix):
        fit = jm.fit(jm.likelihood(jax.vmap(logpdf, (None, 0)), data), {"S": mark(jnp.eye(2))})
        assert int(fit.status) == codes.UNBOUNDED, fit.message
        assert "; S becomes singular in row 1 (" in fit.message


def test_the_diagonal_of_a_correlation_matrix_reads_like_a_fixed_number():
    data = jnp.asarray(np.random.default_rng(1).normal(size=(30, 2)))

    def logpdf(params, z):
        return jm.densities.multivariate_normal.logpdf(z, jnp.zeros(2), jnp.linalg.cholesky(params["R"]))

    term = jm.likelihood(jax.vmap(logpdf, (None, 0)), data)
    fit = jm.fit(term, {"R": jm.correlation_matrix(jnp.eye(2))})
    inference = jm.infer(term, fit)
    assert np.isnan(np.diagonal(inference.bse["R"])).all()
    rows = {row.label: row.values for row in inference.table().rows}
    assert rows["R[0,0]"] == rows["R[1,1]"] == (1.0, "fixed", None, None, None, None)
    assert rows["R[0,1]"][1] == pytest.approx(float(inference.bse["R"][0, 1]))
    assert "0.000        inf" not in str(inference)
