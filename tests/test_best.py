"""Many starts, last steps, and what a fit says about how it was found."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optimistix
import pytest

import jaxmle as jm
from jaxmle.core import status as codes

KEY = jax.random.key(7)


def hills(params):
    """Maxima at the roots of two cubics; the highest is near (2.03, 2.03), worth a little over 4."""
    return jnp.sum(-((params["x"] ** 2 - 4.0) ** 2) + params["x"])


HILLS = jm.log_prior(hills)


def test_the_best_of_many_and_the_distinct_maxima():
    """Four hills, two of equal height, so three distinct values; each start ends on one of them."""
    fit, reached = jm.fit_best(HILLS, jm.random_starts(KEY, {"x": jnp.zeros(2)}, 40, spread=2.5))
    roots = np.roots([-4.0, 0.0, 16.0, 1.0])
    best = roots.real.max()
    np.testing.assert_allclose(fit.params["x"], [best, best], rtol=1e-9)
    maximum = np.asarray(fit.history["maximum"])
    assert set(maximum) == {0, 1, 2}
    assert int(reached) == (maximum == 0).sum() > 4
    values = [np.asarray(fit.history["value"])[maximum == k].mean() for k in range(3)]
    assert values[0] > values[1] > values[2]


def test_with_the_jacobian_the_highest_is_that_of_the_density_of_z():
    """Two peaks of a positive number, the lower one with the larger volume: the log-Jacobian is log x."""

    def peaks(params):
        return jnp.logaddexp(0.5 - 0.5 * ((params["x"] - 1) / 0.3) ** 2, -0.5 * ((params["x"] - 6) / 0.3) ** 2)

    starts = jm.random_starts(KEY, {"x": jm.positive(2.0)}, 64, spread=1.0)
    plain, _ = jm.fit_best(jm.log_prior(peaks), starts)
    fit, reached = jm.fit_best(jm.log_prior(peaks), starts, jacobian=True)
    assert abs(float(plain.params["x"]) - 1) < 0.2
    assert abs(float(fit.params["x"]) - 6) < 0.2
    assert float(fit.history["value"].max()) == pytest.approx(float(fit.value + fit.log_jacobian), rel=1e-12)
    np.testing.assert_array_equal(fit.history["maximum"] == 0, fit.history["value"] > 1.0)
    y = jnp.array([2.0, 3.0, 1.0])
    rate = jm.likelihood(lambda p, y: jm.densities.poisson.logpmf(y, jnp.log(p["rate"])), y)
    _, reached = jm.fit_best(rate, jm.random_starts(KEY, {"rate": jm.positive(2.0)}, 64), jacobian=True)
    assert int(reached) == 64


def test_failures_among_the_starts_are_harmless():
    def cliff(params):
        return jnp.sum(jnp.log(params["x"]) - params["x"])

    fit, reached = jm.fit_best(jm.log_prior(cliff), {"x": jnp.array([-1.0, 2.0, jnp.nan, 5.0])})
    assert fit.ok
    assert float(fit.params["x"]) == pytest.approx(1.0)
    assert int(reached) == 2
    assert list(np.asarray(fit.history["maximum"])) == [-1, 0, -1, 0]


def test_where_every_start_fails_the_fit_says_why():
    fit, reached = jm.fit_best(jm.log_prior(lambda p: p["x"]), {"x": jnp.array([0.0, 1.0])}, max_steps=5)
    assert not fit.ok
    assert int(reached) == 0


def test_data_that_no_start_can_fit_raise_as_for_one_fit():
    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], 1.0), jnp.array([1.0, jnp.nan]))
    with pytest.raises(ValueError, match="missing"):
        jm.fit_best(term, {"mu": jnp.zeros(3)})


def test_marks_and_labels_are_kept():
    start = {"mu": jm.free(jnp.zeros(2), ["a", "b"]), "sigma": jm.positive(1.0), "df": jm.fixed(4.0)}
    starts = jm.random_starts(KEY, start, 5)
    assert starts["mu"].value.shape == (5, 2)
    assert starts["mu"].labels == ("a", "b")
    assert np.all(np.asarray(starts["sigma"].value) > 0)
    assert starts["df"] is start["df"]
    np.testing.assert_allclose(starts["mu"].value[0], 0.0)


def test_starts_scatter_as_far_as_they_are_told():
    """Standard deviations of 4000 draws, to five standard errors (1 / sqrt(8000))."""
    starts = jm.random_starts(KEY, {"x": 100.0, "s": jm.positive(2.0)}, 4001, spread=0.5)
    assert np.std(np.asarray(starts["x"])) == pytest.approx(50.0, rel=0.06)
    assert np.std(np.log(np.asarray(starts["s"].value))) == pytest.approx(0.5, rel=0.06)


@pytest.mark.parametrize(
    "starts,match",
    [
        ({"x": 1.0}, "leading axis"),
        ({"x": jnp.zeros((3, 2)), "y": jnp.zeros(4)}, r"\[3, 4\]"),
    ],
)
def test_starts_without_one_axis_are_refused(starts, match):
    with pytest.raises(ValueError, match=match):
        jm.fit_best(HILLS, starts)


def test_no_starts_are_refused():
    with pytest.raises(TypeError, match="random_starts"):
        jm.fit_best(HILLS, None)
    with pytest.raises(ValueError, match="one or more"):
        jm.random_starts(KEY, {"x": 0.0}, 0)


def test_jit_equals_eager():
    starts = jm.random_starts(KEY, {"x": jnp.zeros(2)}, 8, spread=2.5)
    fit, reached = jm.fit_best(HILLS, starts)
    again, count = jax.jit(lambda starts: jm.fit_best(HILLS, starts))(starts)
    assert int(count) == int(reached)
    np.testing.assert_allclose(again.z, fit.z, rtol=1e-12)


# What the message says


def logistic(p=3):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(120, p))
    return jm.models.logistic(x, (rng.random(120) < 0.5) * 1.0)


def test_the_message_names_the_method_and_why():
    problem = logistic()
    assert "by Newton's method, chosen for 3 free numbers" in jm.fit(problem).message
    assert jm.fit(problem, solver=jm.solvers.LBFGS()).message.endswith("by L-BFGS")
    assert jm.fit(problem, solver=jm.solvers.BHHH()).message.endswith("by BHHH")
    assert jm.fit(problem, solver=jm.solvers.levenberg_marquardt()).message.endswith("by Levenberg-Marquardt")


def test_a_long_vector_is_given_to_lbfgs():
    target = jnp.linspace(-1.0, 1.0, 2000)
    term = jm.log_prior(lambda p: -jnp.sum(jnp.cosh(p["x"] - target)))
    fit = jm.fit(term, {"x": jnp.zeros(2000)})
    assert "by L-BFGS, chosen for 2000 free numbers, too many for a matrix" in fit.message
    np.testing.assert_allclose(fit.params["x"], target, atol=1e-8)
    assert 0.5 * float(fit.newton_decrement) ** 2 < 1e-18


def test_a_prior_with_kinks_is_given_to_a_proximal_solver():
    problem = logistic() + jm.priors.laplace("beta", scale=0.05)
    fit = jm.fit(problem)
    assert "by proximal Newton, chosen for a prior with kinks and 3 free numbers" in fit.message
    gradient = jm.fit(problem, solver=jm.solvers.ProximalGradient())
    np.testing.assert_allclose(gradient.params["beta"], fit.params["beta"], atol=1e-8)
    assert np.array_equal(np.asarray(gradient.params["beta"]) == 0, np.asarray(fit.params["beta"]) == 0)
    assert np.isnan(np.asarray(jm.infer(problem, fit).bse["beta"])).all()
    assert "kinks" in str(jm.summary(problem, fit))


@pytest.mark.parametrize("solver", [jm.solvers.Newton(), optax.adam(0.1), jm.solvers.LBFGS()], ids=["N", "adam", "L"])
def test_a_prior_with_kinks_is_refused_by_smooth_solvers(solver):
    with pytest.raises(TypeError, match="kinks"):
        jm.fit(logistic() + jm.penalties.l1("beta", 3.0), solver=solver)


def test_who_refuses_a_prior_with_kinks_is_called_by_its_name():
    rough = logistic() + jm.penalties.l1("beta", 3.0)
    with pytest.raises(TypeError, match="BHHH climbs smooth objectives"):
        jm.fit(rough, solver=jm.solvers.BHHH())
    with pytest.raises(TypeError, match="Newton's method climbs smooth objectives"):
        jm.fit(rough, solver=jm.solvers.Newton())


def test_a_prior_with_kinks_is_refused_on_constrained_leaves():
    term = jm.log_prior(lambda p: -(p["s"] ** 2)) + jm.priors.laplace("s")
    with pytest.raises(ValueError, match="constraint"):
        jm.fit(term, {"s": jm.positive(1.0)})


def test_no_derivative_is_made_up_where_there_are_kinks():
    def strength(s):
        return jm.fit(logistic() + jm.penalties.l1("beta", s)).params["beta"][0]

    with pytest.raises(NotImplementedError, match="not differentiable"):
        jax.grad(strength)(3.0)


@pytest.mark.parametrize(
    "solver,match",
    [
        (optax.adam, "jm.solvers.Optax"),
        ("newton", "one of jm.solvers"),
        (3.0, "one of jm.solvers"),
    ],
)
def test_what_is_no_solver_is_refused(solver, match):
    with pytest.raises(TypeError, match=match):
        jm.fit(logistic(), solver=solver)


def test_an_optimiser_already_made_takes_no_numbers():
    with pytest.raises(TypeError, match="already made"):
        jm.solvers.Optax(optax.adam(1e-2), learning_rate=0.1)
    with pytest.raises(TypeError, match="function of optax"):
        jm.solvers.Optax(3.0)


def test_fisher_scoring_wants_a_density_that_knows_its_information():
    term = jm.likelihood(lambda p, y: jm.densities.normal.logpdf(y, p["mu"], 1.0), jnp.arange(3.0))
    with pytest.raises(TypeError, match="expected information"):
        jm.fit(term, {"mu": 0.0}, solver=jm.solvers.FisherScoring())
    bare = jm.regression(jm.densities.normal.logpdf, lambda p, x: (p["mu"], 1.0), jnp.arange(3.0), jnp.arange(3.0))
    with pytest.raises(TypeError, match="no expected information"):
        jm.fit(bare, {"mu": 0.0}, solver=jm.solvers.FisherScoring())


def test_bhhh_wants_contributions():
    whole = jm.likelihood(lambda p, y: -jnp.sum((y - p["mu"]) ** 2), jnp.arange(3.0), rows=False)
    with pytest.raises(TypeError, match="per-step contributions"):
        jm.fit(whole, {"mu": 0.0}, solver=jm.solvers.BHHH())


def test_an_optimiser_that_stops_short_says_so():
    fit = jm.fit(logistic(), solver=optimistix.BFGS(rtol=1e-1, atol=1e-1))
    assert int(fit.status) == codes.STOPPED_SHORT
    assert "stopped short" in fit.message


# Last steps


def test_polish_finishes_what_another_left():
    problem = logistic()
    rough = jm.fit(problem, solver=optax.adam(1e-2), max_steps=30)
    assert int(rough.status) == codes.COMPLETED
    fit = jm.polish(problem, rough)
    np.testing.assert_allclose(fit.params["beta"], jm.fit(problem).params["beta"], rtol=1e-9)


def test_polish_widens_a_fit_in_float32():
    problem = logistic()
    narrow = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), problem)
    fit = jm.fit(narrow)
    assert fit.z.dtype == jnp.float32
    wide = jm.polish(narrow, fit)
    assert wide.z.dtype == jnp.float64
    exact = jm.fit(jax.tree.map(lambda leaf: leaf.astype(jnp.float64), narrow)).params["beta"]
    np.testing.assert_allclose(wide.params["beta"], exact, rtol=1e-10)
    assert np.abs(np.asarray(fit.params["beta"]) - np.asarray(exact)).max() > 1e-9


# Constraints under every solver

SOLVERS = [
    jm.solvers.Newton(),
    jm.solvers.BHHH(),
    jm.solvers.LBFGS(),
    jm.solvers.Optax(optax.lbfgs),
    optimistix.BFGS(rtol=1e-10, atol=1e-10),
]


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: type(s).__name__)
def test_tied_and_fixed_leaves_under_every_solver(solver):
    """Two samples of one unknown scale, one known mean: the scale is that of both together."""
    rng = np.random.default_rng(9)
    a, b = rng.normal(1.0, 2.0, size=60), rng.normal(3.0, 2.0, size=40)

    def sample(name):
        return lambda p, y: jm.densities.normal.logpdf(y, p[name], p[f"s_{name}"])

    start = {"a": 0.0, "b": jm.fixed(3.0), "s_a": jm.positive(1.0), "s_b": jm.tied("s_a")}
    fit = jm.fit(jm.likelihood(sample("a"), a) + jm.likelihood(sample("b"), b), start, solver=solver)
    assert fit.ok, fit.message
    scale = np.sqrt((np.sum((a - a.mean()) ** 2) + np.sum((b - 3.0) ** 2)) / 100)
    assert float(fit.params["a"]) == pytest.approx(a.mean(), rel=1e-7)
    assert float(fit.params["s_b"]) == float(fit.params["s_a"]) == pytest.approx(scale, rel=1e-7)
    assert float(fit.params["b"]) == 3.0
    assert fit.z.shape == (2,)
