"""Maxima at the edge of what several numbers may be together: a probability of zero, cutpoints that meet, a matrix that
becomes singular. Law 8: a maximum on the boundary is its own status, with its limit."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.fitting.runaway import ran_away
from jaxmle.parameters.space import Space

Y = np.array([0, 0, 1, 1, 1, 2])


def category(params, y):
    return jnp.log(params["pi"])[y]


def category_fit(y, count=4, dtype=None):
    term = jm.likelihood(category, jnp.asarray(y))
    return term, jm.fit(term, {"pi": jm.simplex(jnp.full(count, 1.0 / count, dtype))})


def weighted_fit(counts, solver=None, dtype: type = np.float64):
    """Each category once, with its count as weight."""
    counts = np.asarray(counts, dtype)
    term = jm.likelihood(category, jnp.arange(counts.size), counts)
    start = {"pi": jm.simplex(jnp.full(counts.size, 1.0 / counts.size, dtype))}
    return term, jm.fit(term, start, solver=solver)


def errors_of_shares(counts):
    """Those of shares k / n, root(p (1 - p) / n), and none for what never occurred."""
    share = np.asarray(counts, float) / np.sum(counts)
    return np.where(share > 0, np.sqrt(share * (1.0 - share) / np.sum(counts)), np.nan)


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
    inference = jm.infer(term, fit)
    errors = np.asarray(inference.bse["pi"])
    assert inference.free_directions() == []  # what has no curvature here moves only what is at the edge
    np.testing.assert_allclose(
        errors[:3], np.sqrt(np.array([2 / 9, 1 / 4, 5 / 36]) / 6), rtol=2e-2
    )  # 1e-7 over probabilities of 5e-6
    assert np.isnan(errors[3:]).all()


@pytest.mark.parametrize(
    "counts, solver",
    [
        ([1e5, 1e5, 0], None),
        ([0, 1e5, 1e5], None),
        ([3, 2, 1, 0], jm.solvers.LBFGS()),
        ([1e8, 1e8, 1, 0], None),
    ],
    ids=["last", "first", "L-BFGS", "beside a rare one"],
)
def test_a_category_that_was_lost_in_rounding_on_its_way_to_zero(counts, solver):
    """The last step of all is then rounding, and says nothing. A share of 5e-9 is small, and at no edge."""
    term, fit = weighted_fit(counts, solver)
    assert int(fit.status) == codes.BOUNDARY
    assert f"; pi[{np.argmin(counts)}] goes to 0 (" in fit.message
    inference = jm.infer(term, fit)
    np.testing.assert_allclose(inference.bse["pi"], errors_of_shares(counts), rtol=3e-5)
    notes = " ".join(inference.table().notes)
    assert "pi~" not in notes  # the numbers behind it that have no curvature are the edge itself


@pytest.mark.parametrize("counts", [[1e4, 1e4, 1, 0], [1e5, 1e5, 0, 0]], ids=["rare", "two"])
def test_a_category_that_never_occurred_among_many_in_single_precision(counts):
    """Gradients of 1e4 rows are rounded to 1e-3, which hides whatever a probability below 1e-7 has left to gain."""
    term, fit = weighted_fit(counts, dtype=np.float32)
    assert int(fit.status) == codes.BOUNDARY
    gone = ", ".join(f"pi[{i}] goes to 0" for i in np.flatnonzero(np.asarray(counts) == 0))
    assert f"; {gone} (" in fit.message
    np.testing.assert_allclose(jm.infer(term, fit).bse["pi"], errors_of_shares(counts), rtol=1e-3)


def test_a_rare_category_in_single_precision_is_no_scale_that_shrinks():
    """Rounding decides whether the top is seen for one; nothing rises without limit, and no error is made up."""
    counts = [1e6, 1e6, 1]
    term, fit = weighted_fit(counts, dtype=np.float32)
    assert int(fit.status) in (codes.UNSETTLED, codes.STALLED_AT_ROUNDING)
    assert "goes to" not in fit.message
    np.testing.assert_allclose(fit.params["pi"], np.array(counts) / sum(counts), rtol=0.1)
    errors = np.asarray(jm.infer(term, fit).bse["pi"])
    assert np.all(np.isnan(errors) | (abs(errors / errors_of_shares(counts) - 1.0) < 0.1))


@pytest.mark.parametrize("counts", [[7, 0], [1000, 0, 0]])
def test_the_only_category_that_occurred_is_at_the_edge_too(counts):
    term, fit = weighted_fit(counts)
    assert int(fit.status) == codes.BOUNDARY
    assert "; pi[0] goes to 1, pi[1] goes to 0" in fit.message
    inference = jm.infer(term, fit)
    assert np.isnan(np.asarray(inference.bse["pi"])).all()
    assert np.isnan(np.asarray(inference.cov)).all()


def test_kinds_of_covariance_that_see_an_edge_from_behind_have_no_errors_there_and_say_so():
    """At it the outer products of the gradient fade faster than the curvature, and refits are infinite in z."""
    term, fit = category_fit(np.append(Y, 1))
    for kind, options in (("opg", {}), ("jackknife", {}), ("bootstrap", {"key": jax.random.key(0), "draws": 8})):
        inference = jm.infer(term, fit, kind, **options)
        assert np.isnan(np.asarray(inference.bse["pi"])).all()
        notes = " ".join(inference.table().notes)
        assert f"with covariance='{kind}' nothing that is constrained together with what is at it" in notes
        assert "the others have theirs" not in notes
        assert "those of the others" not in notes
        assert "pi~" not in notes


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
    inference = jm.infer(term, fit)
    assert np.isnan(np.asarray(inference.bse["pi"])[[0, 1, 3]]).all()
    assert len(inference.free_directions()) == 1


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


@pytest.mark.parametrize("unit, level", [(1e-10, 0.0), (1.0, 1e9)], ids=["unit", "level"])
def test_whether_cutpoints_meet_does_not_depend_on_units(unit, level):
    """Two that meet leave the others their errors, 1 / root(6), whatever gap there is between these in units of z."""
    centre = np.array([1.0, 2.0, 5.0, 4.0])

    def squares(params, weight):
        return -weight * jnp.sum(((params["c"] - level) / unit - centre) ** 2)

    term = jm.likelihood(jax.vmap(squares, (None, 0)), jnp.ones(3))
    fit = jm.fit(term, {"c": jm.ordered(level + unit * jnp.array([0.0, 2.0, 3.0, 6.0]))})
    assert int(fit.status) == codes.BOUNDARY
    assert "; c[2] and c[3] meet (" in fit.message
    errors = np.asarray(jm.infer(term, fit).bse["c"]) / unit
    np.testing.assert_allclose(errors, [6**-0.5, 6**-0.5, np.nan, np.nan], rtol=1e-6)


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


@pytest.mark.parametrize("row", [0, 1])
def test_a_variance_whose_maximum_is_zero_is_told_by_name(row):
    """Below it there is no combination of other rows to be singular with; its covariances are held at zero with it."""
    wanted = np.where(np.arange(2) == row, -1.0, 1.0)

    def function(params, y):
        S = params["S"]
        return (-jnp.sum((jnp.diagonal(S) - wanted) ** 2) - S[0, 1] ** 2) * y

    term = jm.likelihood(function, jnp.ones(3))
    fit = jm.fit(term, {"S": jm.covariance_matrix(jnp.eye(2))})
    assert int(fit.status) == codes.BOUNDARY
    assert f"; S[{row},{row}] goes to 0 (" in fit.message
    inference = jm.infer(term, fit)
    assert np.isnan(np.asarray(inference.bse["S"])).all()
    notes = " ".join(inference.table().notes)
    assert f"S[{row},{row}] goes to 0: an edge" in notes
    assert "S~" not in notes


def test_a_variance_far_below_another_is_at_no_edge():
    """Standard deviations of 1 and 1e-6 are a matter of units; the error of a variance is root(2 / n) times it. Beside
    them a probability goes to zero."""
    data = jnp.asarray(np.random.default_rng(0).normal(size=(6, 2)) * np.array([1.0, 1e-6]))

    def logpdf(params, row):
        y, z = row
        factor = jnp.linalg.cholesky(params["S"])
        return category(params, y) + jm.densities.multivariate_normal.logpdf(z, jnp.zeros(2), factor)

    term = jm.likelihood(jax.vmap(logpdf, (None, 0)), (jnp.asarray(Y), data))
    start = {"pi": jm.simplex(jnp.full(4, 0.25)), "S": jm.covariance_matrix(jnp.diag(jnp.array([1.0, 1e-12])))}
    fit = jm.fit(term, start)
    assert int(fit.status) == codes.BOUNDARY
    assert "; pi[3] goes to 0 (" in fit.message
    variances = np.mean(np.asarray(data) ** 2, axis=0)
    errors = np.diagonal(jm.infer(term, fit).bse["S"])
    np.testing.assert_allclose(errors, np.sqrt(2 / 6) * variances, rtol=1e-6)


def test_a_matrix_on_data_that_are_collinear_is_unbounded():
    column = np.random.default_rng(0).normal(size=20)
    data = jnp.asarray(np.column_stack([column, column]) / np.sqrt(np.mean(column**2)))

    def logpdf(params, z):
        return jm.densities.multivariate_normal.logpdf(z, jnp.zeros(2), jnp.linalg.cholesky(params["S"]))

    for mark in (jm.correlation_matrix, jm.covariance_matrix):
        fit = jm.fit(jm.likelihood(jax.vmap(logpdf, (None, 0)), data), {"S": mark(jnp.eye(2))})
        assert int(fit.status) == codes.UNBOUNDED, fit.message
        assert "; S becomes singular in row 1 (" in fit.message
    constant = jnp.asarray(np.column_stack([column, np.zeros(20)]))
    fit = jm.fit(jm.likelihood(jax.vmap(logpdf, (None, 0)), constant), {"S": jm.covariance_matrix(jnp.eye(2))})
    assert int(fit.status) == codes.UNBOUNDED, fit.message
    assert "; S[1,1] goes to 0 (" in fit.message


@pytest.mark.parametrize("slope, unbounded", [(0.0, False), (1.0, True), (-1.0, False)])
def test_a_climb_that_stalled_far_off_is_unbounded_only_where_the_density_still_rises(slope, unbounded):
    space, values = Space.of({"scale": jm.positive(1.0)})
    start = space.to_z(values)
    gradient = jnp.array([-slope])
    found = SimpleNamespace(status=jnp.asarray(codes.STALLED), z=start - 40.0, gradient=gradient, magnitude=40.0)
    assert bool(ran_away(space, start, found)) == unbounded


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


def _growth(seed):
    """Twelve curves at four times, with an intercept and a slope of their own that go together wholly."""
    rng = np.random.default_rng(seed)
    times = np.linspace(-1.0, 1.0, 4)
    own = 0.7 * rng.normal(size=(12, 1)) * (1.0 + 0.8 * times)
    return times, 1.0 + 0.5 * times + own + rng.normal(size=(12, 4))


@pytest.mark.parametrize("kind", ["observed", "hc0", "opg"])
def test_what_is_beside_a_singular_matrix_keeps_the_errors_of_the_model_at_its_edge(kind):
    """Against the model that has only matrices at that edge, S = l l' with l free: its maximum is the same and inside,
    and its errors of the means and the noise are ordinary. What is left of the edge is 1e-11 of the matrix, with an
    eigenvalue of the information of 1e-10 beside ones of order one."""
    times, y = _growth(1)
    design = jnp.asarray(np.column_stack([np.ones(4), times]))

    def term(matrix):
        def log_likelihood(params, y):
            cov = design @ matrix(params) @ design.T + params["s"] ** 2 * jnp.eye(4)
            return jm.densities.multivariate_normal.logpdf(y, (design @ params["b"])[None, :], cov)

        return jm.likelihood(log_likelihood, jnp.asarray(y))

    beside = {"b": jnp.zeros(2), "s": jm.positive(1.0)}
    whole, edge = term(lambda p: p["S"]), term(lambda p: jnp.outer(p["l"], p["l"]))
    fit = jm.fit(whole, {"S": jm.covariance_matrix(jnp.eye(2)), **beside})
    at_edge = jm.fit(edge, {"l": jnp.array([0.5, 0.1]), **beside})
    assert int(fit.status) == codes.BOUNDARY
    assert at_edge.ok
    np.testing.assert_allclose(fit.log_likelihood, at_edge.log_likelihood, rtol=1e-9)
    inference, ordinary = jm.infer(whole, fit, kind), jm.infer(edge, at_edge, kind)
    assert np.isnan(np.asarray(inference.bse["S"])).all()
    for name in ("b", "s"):
        np.testing.assert_allclose(inference.bse[name], ordinary.bse[name], rtol=3e-5)
    in_whole, in_edge = np.ix_([4, 5, 6], [4, 5, 6]), np.ix_([0, 1, 4], [0, 1, 4])  # b and s, beside S and l
    np.testing.assert_allclose(inference.cov[in_whole], ordinary.cov[in_edge], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("steps", range(53, 57))
def test_a_climb_that_is_cut_short_beside_its_maximum_has_not_run_away(steps):
    problem = jm.models.exponential(1e14 * jnp.array([1.0, 2.0, 3.0]))
    fit = jm.fit(problem.objective, {"scale": jm.positive(1.0)}, solver=jm.solvers.LBFGS(), max_steps=steps)
    assert int(fit.status) != codes.UNBOUNDED, fit.message
