"""Proximal Newton and proximal gradient against scikit-learn and glum on their own data, closed forms, and their laws.

The solvers are driven here by a loop of their own, so that they are tested apart from `jm.fit`.
"""

import functools
import warnings

import glum
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_linnerud
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.core.evaluation import Evaluation
from jaxmle.fitting.program import evaluate_in_z
from jaxmle.parameters.space import Space
from jaxmle.solvers.penalty import Penalty
from jaxmle.solvers.proximal_gradient import ProximalGradient
from jaxmle.solvers.proximal_newton import ProximalNewton
from jaxmle.terms.objective import Objective

SOLVERS = {"Newton": ProximalNewton(), "gradient": ProximalGradient()}
EPS = np.finfo(float).eps
per_solver = pytest.mark.parametrize("solver", list(SOLVERS.values()), ids=list(SOLVERS))
TRACED = []


def _normal(params, x):
    return params["b0"] + x @ params["beta"], 1.0


def _one(params, x):
    return (params["b0"] + x @ params["beta"],)


FAMILIES = {
    "normal": (jm.densities.normal, _normal),
    "binomial": (jm.densities.bernoulli, _one),
    "poisson": (jm.densities.poisson, _one),
}


def drive(solver, evaluate, z, penalty, max_steps=3000, tolerance=EPS**1.2):
    """What `jm.fit` does: the loop, around a solver that is told of the penalty."""
    state = solver.init(z, tolerance, jnp.abs(z), penalty)
    return jax.lax.while_loop(
        lambda state: (state.status == codes.RUNNING) & (state.steps < max_steps),
        lambda state: solver.update(state, evaluate(state.z), penalty),
        state,
    )


def climb(solver, objective, start, max_steps=3000):
    """The last state on an objective with rough terms, and the params it stands for."""
    space, values = Space.of(start)
    smooth = [term for term in objective.terms if not getattr(term, "is_smooth", True)]
    rest = Objective(
        *zip(
            *[
                pair
                for pair in zip(objective.terms, objective.factors, strict=True)
                if getattr(pair[0], "is_smooth", True)
            ],
            strict=True,
        )
    )
    z = space.to_z(values)
    penalty = sum((t.penalty(space.lift, space.point(z), z.size) for t in smooth), Penalty.nothing(z.size, z.dtype))
    state = drive(solver, lambda z: evaluate_in_z(rest, space, z, solver.order), z, penalty, max_steps)
    return state, space.params(state.best)


@functools.partial(jax.jit, static_argnames="family")
def regress(solver, family, x, y, l1, l2, start=None, max_steps=3000):
    """A regression with an elastic net over all coefficients but the intercept."""
    TRACED.append(None)
    density, predictor = FAMILIES[family]
    start = {"b0": jnp.zeros(()), "beta": jnp.zeros(x.shape[1])} if start is None else start
    objective = jm.regression(density, predictor, x, y) + jm.priors.elastic_net("beta", l1, l2)
    return climb(solver, objective, start, max_steps)


def loss(family, x, y, l1, l2, b0, beta):
    """What is minimised, in NumPy."""
    eta = b0 + x @ beta
    each = {
        "normal": 0.5 * (y - eta) ** 2,
        "binomial": np.logaddexp(0, eta) - y * eta,
        "poisson": np.exp(eta) - y * eta,
    }
    return each[family].sum() + np.sum(l1 * np.abs(beta)) + np.sum(l2 * beta**2)


# Never worse than scikit-learn and glum


def _standard(x):
    x = x[:, x.std(axis=0) > 0]
    return (x - x.mean(axis=0)) / x.std(axis=0)


@functools.cache
def data(name):
    if name == "diabetes":
        return load_diabetes(return_X_y=True)
    if name == "cancer":
        x, y = load_breast_cancer(return_X_y=True)
        return _standard(x), y.astype(float)
    if name == "digits":  # more columns than rows after interactions: 8s against the rest
        x, y = load_digits(return_X_y=True)
        x = _standard(x[:120] / 16.0)
        return np.concatenate([x, x[:, :40] * x[:, 10:50], x[:, :40] * x[:, 5:45]], axis=1), (y[:120] == 8).astype(
            float
        )
    if name == "gymnastics":  # sit-ups by waist, weight and pulse: counts
        x, y = load_linnerud(return_X_y=True)
        x = _standard(y)
        return np.column_stack([x, x**2]), load_linnerud().data[:, 1]
    raise KeyError(name)


def _lasso(family, x, y, alpha, ratio):
    found = Lasso(alpha=alpha, tol=1e-13, max_iter=10**6).fit(x, y)
    return found.intercept_, found.coef_


def _elastic_net(family, x, y, alpha, ratio):
    found = ElasticNet(alpha=alpha, l1_ratio=ratio, tol=1e-13, max_iter=10**6).fit(x, y)
    return found.intercept_, found.coef_


def _saga(family, x, y, alpha, ratio):
    strength = 1.0 / (alpha * len(y))
    found = LogisticRegression(C=strength, l1_ratio=ratio, solver="saga", tol=1e-8, max_iter=3000).fit(x, y)
    return found.intercept_[0], found.coef_[0]


def _glum(family, x, y, alpha, ratio):
    found = glum.GeneralizedLinearRegressor(
        alpha=alpha, l1_ratio=ratio, family=family, gradient_tol=1e-10, max_iter=1000, scale_predictors=False
    ).fit(x, y)
    return found.intercept_, found.coef_


CASES = [
    ("diabetes", "normal", _lasso, (3.0, 0.5, 0.02), (1.0,)),
    ("diabetes", "normal", _elastic_net, (0.02,), (0.5,)),
    ("diabetes", "normal", _glum, (0.3,), (1.0, 0.5)),
    ("cancer", "binomial", _saga, (0.05, 0.01), (1.0, 0.5)),
    ("cancer", "binomial", _glum, (0.05, 0.002), (1.0, 0.5)),
    ("digits", "binomial", _glum, (0.02,), (1.0, 0.5)),
    ("gymnastics", "poisson", _glum, (2.0, 0.1), (1.0, 0.5)),
]


@pytest.mark.parametrize("name,family,peer,alphas,ratios", CASES, ids=lambda x: getattr(x, "__name__", str(x)))
def test_never_worse_than_the_peers_on_their_own_data(name, family, peer, alphas, ratios):
    x, y = data(name)
    for alpha in alphas:
        for ratio in ratios:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the peers say that they did not converge
                theirs = peer(family, x, y, alpha, ratio)
            l1, l2 = len(y) * alpha * ratio, len(y) * alpha * (1.0 - ratio) / 2.0
            state, params = regress(SOLVERS["Newton"], family, x, y, l1, l2)
            assert int(state.status) == codes.CONVERGED
            ours = loss(family, x, y, l1, l2, float(params["b0"]), np.asarray(params["beta"]))
            other = loss(family, x, y, l1, l2, *theirs)
            assert ours <= other + 1e-10 * abs(other)
            assert abs(ours - other) < 1e-3 * abs(other)  # the same problem
            assert _kkt(family, x, y, l1, l2, params) < 1e-8 * len(y)


def _kkt(family, x, y, l1, l2, params):
    """The largest violation of the conditions of an optimum, in NumPy: zeros have a gradient below l1."""
    b0, beta = float(params["b0"]), np.asarray(params["beta"])
    eta = b0 + x @ beta
    mean = {"normal": eta, "binomial": 1 / (1 + np.exp(-eta)), "poisson": np.exp(eta)}[family]
    gradient = x.T @ (y - mean) - 2 * l2 * beta
    off = np.where(beta == 0, np.maximum(np.abs(gradient) - l1, 0), np.abs(gradient - l1 * np.sign(beta)))
    return max(off.max(), abs(np.sum(y - mean)))


@pytest.mark.parametrize(
    "name,family,alpha",
    [("diabetes", "normal", 0.5), ("cancer", "binomial", 0.02), ("gymnastics", "poisson", 0.5)],
)
def test_both_solvers_find_the_same_zeros(name, family, alpha):
    x, y = data(name)
    l1 = len(y) * alpha
    newton, params = regress(SOLVERS["Newton"], family, x, y, l1, 0.1)
    gradient, others = regress(SOLVERS["gradient"], family, x, y, l1, 0.1)
    assert codes.is_ok(int(newton.status))
    assert codes.is_ok(int(gradient.status))
    beta, other = np.asarray(params["beta"]), np.asarray(others["beta"])
    assert 0 < np.sum(beta == 0) < beta.size
    assert np.array_equal(beta == 0, other == 0)
    np.testing.assert_allclose(other, beta, atol=1e-8 * np.abs(beta).max())
    assert newton.steps < gradient.steps


# Closed forms


@per_solver
def test_the_path_begins_with_all_zeros_at_once(solver):
    """At a strength above the largest gradient; just below, one number leaves zero."""
    x, y = data("diabetes")
    y = y - y.mean()
    largest = np.abs(x.T @ y).max()
    start = {"b0": jm.fixed(0.0), "beta": jnp.zeros(x.shape[1])}
    state, params = regress(solver, "normal", x, y, 1.0001 * largest, 0.0, start)
    assert int(state.steps) == 1
    assert np.all(np.asarray(params["beta"]) == 0)
    assert float(state.decrement) == 0.0
    state, params = regress(solver, "normal", x, y, 0.999 * largest, 0.0, start)
    assert np.sum(np.asarray(params["beta"]) != 0) == 1


def _orthogonal(groups):
    rng = np.random.default_rng(3)
    x = np.linalg.qr(rng.normal(size=(30, len(groups))))[0]
    return x, x @ rng.normal(size=len(groups)) * 2.0 + 0.1 * rng.normal(size=30)


@functools.partial(jax.jit, static_argnames=("groups", "by_size"))
def grouped(solver, x, y, strength, l1, groups, by_size):
    objective = jm.regression(jm.densities.normal, _normal, x, y) + jm.penalties.group_lasso(
        "beta", strength, list(groups), by_size=by_size
    )
    objective = objective + jm.penalties.l1("beta", l1)
    return climb(solver, objective, {"b0": jm.fixed(0.0), "beta": jnp.zeros(x.shape[1])})


@per_solver
@pytest.mark.parametrize("by_size", [False, True])
def test_group_lasso_of_an_orthogonal_design(solver, by_size):
    """Each group is the least-squares one, shortened: Yuan and Lin (2006), equation 2.4."""
    groups = (0, 0, 0, 1, 2, 2, 1, 3)
    x, y = _orthogonal(groups)
    strength, l1 = 1.4, 0.2
    state, params = grouped(solver, x, y, strength, l1, groups, by_size)
    assert codes.is_ok(int(state.status))
    free = x.T @ y
    free = np.sign(free) * np.maximum(np.abs(free) - l1, 0.0)
    expected = np.zeros(len(groups))
    for g in set(groups):
        at = np.array(groups) == g
        length, threshold = np.linalg.norm(free[at]), strength * (np.sqrt(at.sum()) if by_size else 1.0)
        expected[at] = max(0.0, 1 - threshold / length) * free[at] if length else 0.0
    beta = np.asarray(params["beta"])
    assert np.array_equal(beta == 0, expected == 0)
    assert (expected == 0).any()
    assert (expected != 0).any()
    np.testing.assert_allclose(beta, expected, atol=1e-9)


@pytest.mark.parametrize("strength", [0.1, 3.0, 20.0])
@pytest.mark.parametrize("l1", [1e-3, 2.0])
def test_conditions_of_the_sparse_group_lasso(strength, l1):
    """Simon and others (2013), section 3, in NumPy, on a design far from orthogonal."""
    x, y = data("diabetes")
    x = x / x.std(axis=0) * np.geomspace(0.1, 10.0, x.shape[1])
    y = (y - y.mean()) / 10.0
    groups = np.array([0, 0, 1, 1, 1, 2, 2, 2, 3, 3])
    state, params = grouped(SOLVERS["Newton"], x, y, strength * 100, l1, tuple(groups.tolist()), False)
    assert int(state.status) == codes.CONVERGED
    beta = np.asarray(params["beta"])
    gradient = x.T @ (y - x @ beta)
    for g in range(4):
        at = groups == g
        b, grad = beta[at], gradient[at]
        if np.all(b == 0):
            assert np.linalg.norm(np.maximum(np.abs(grad) - l1, 0)) <= strength * 100 * (1 + 1e-12)
        else:
            pull = 100 * strength * b / np.linalg.norm(b)
            off = np.where(b == 0, np.maximum(np.abs(grad) - l1, 0), grad - pull - l1 * np.sign(b))
            assert np.abs(off).max() < 1e-8 * np.abs(x.T @ y).max()
    assert float(jnp.linalg.norm(state.subgradient)) < 1e-8 * np.abs(x.T @ y).max()


@per_solver
def test_a_prior_with_a_centre_holds_parameters_there(solver):
    x, y = data("diabetes")

    @jax.jit
    def fit(strength, loc):
        objective = jm.regression(jm.densities.normal, _normal, x, y)
        objective = objective + jm.priors.laplace("beta", loc=loc, scale=1.0 / strength)
        return climb(solver, objective, {"b0": 150.0, "beta": jnp.zeros(x.shape[1])})

    loc = np.linspace(-200.0, 200.0, x.shape[1])
    state, params = fit(500.0, loc)
    assert codes.is_ok(int(state.status))
    held = np.asarray(params["beta"]) == loc
    assert 0 < held.sum() < loc.size
    _, others = regress(ProximalNewton(), "normal", x, y - x @ loc, 500.0, 0.0)
    np.testing.assert_allclose(params["beta"], loc + others["beta"], atol=1e-7)


# Hard problems


@pytest.mark.parametrize("share", [0.3, 0.01, 1e-4])
def test_more_columns_than_rows(share):
    """Correlated, so that most faces are singular; scikit-learn's coordinate descent as the peer."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 100)) + rng.normal(size=(40, 1))
    y = x[:, :4] @ np.array([3.0, -2.0, 1.0, 1.0]) + rng.normal(size=40)
    alpha = share * np.abs(x.T @ (y - y.mean())).max() / 40
    state, params = regress(SOLVERS["Newton"], "normal", x, y, 40 * alpha, 0.0)
    assert int(state.status) == codes.CONVERGED
    other = loss("normal", x, y, 40 * alpha, 0.0, *_lasso("normal", x, y, alpha, 1.0))
    ours = loss("normal", x, y, 40 * alpha, 0.0, float(params["b0"]), np.asarray(params["beta"]))
    assert ours <= other * (1 + 1e-10)
    assert 100 - np.sum(np.asarray(params["beta"]) == 0) <= 40


def _separated():
    x = np.random.default_rng(6).normal(size=(60, 4))
    return x, (x[:, 0] > 0).astype(float)


@per_solver
def test_separated_data_have_an_estimate_with_l1(solver):
    x, y = _separated()
    state, params = regress(solver, "binomial", x, y, 0.5, 0.0)
    assert int(state.status) == codes.CONVERGED
    assert _kkt("binomial", x, y, 0.5, 0.0, params) < 1e-8
    assert np.abs(params["beta"][0]) > 1.0


def test_separated_by_what_is_not_penalised_diverges():
    x, y = _separated()
    state, _ = regress(
        SOLVERS["Newton"], "binomial", x, y, np.array([0.0, 1.0, 1.0, 1.0]), 0.1 * np.array([0, 1, 1, 1])
    )
    assert int(state.status) == codes.DIVERGING


def test_a_repeated_column_is_flat():
    x, y = data("diabetes")
    x = np.column_stack([x[:, 2], x])
    l1 = np.r_[0.0, np.full(10, 50.0)] * np.r_[0, 1, 1, 0, np.ones(7)]
    state, _ = regress(SOLVERS["Newton"], "normal", x, y, l1, 1e-9 * (l1 > 0))
    assert int(state.status) == codes.FLAT


@pytest.mark.parametrize("start", [8.0, -8.0])
def test_from_a_start_far_away(start):
    x, y = data("gymnastics")
    far = {"b0": jnp.asarray(start), "beta": jnp.full(x.shape[1], start)}
    _, params = regress(SOLVERS["Newton"], "poisson", x, y, 20.0, 0.0)
    state, others = regress(SOLVERS["Newton"], "poisson", x, y, 20.0, 0.0, far)
    assert int(state.status) == codes.CONVERGED
    np.testing.assert_allclose(others["beta"], params["beta"], atol=1e-10)


def test_units_change_nothing():
    x, y = data("cancer")
    units = 10.0 ** np.random.default_rng(7).uniform(-3, 3, x.shape[1])
    one, a = regress(SOLVERS["Newton"], "binomial", x, y, np.full(x.shape[1], 5.0), 0.0 * units + 1e-3)
    two, b = regress(SOLVERS["Newton"], "binomial", x * units, y, 5.0 * units, 1e-3 * units**2)
    assert int(one.steps) == int(two.steps)
    np.testing.assert_allclose(np.asarray(b["beta"]) * units, a["beta"], atol=1e-9)
    assert np.array_equal(a["beta"] == 0, b["beta"] == 0)


def function_of(f):
    def evaluate(z):
        value, gradient = jax.value_and_grad(f)(z)
        return Evaluation(value, jnp.zeros_like(value), jnp.abs(value), gradient, -jax.hessian(f)(z))

    return evaluate


FUNCTIONS = {
    "double well": (lambda z: -jnp.sum((z**2 - 1) ** 2), [0.1, -0.2], 0.3, codes.CONVERGED),
    "curved valley": (
        lambda z: -((1 - z[0]) ** 2) - 100 * (z[1] - z[0] ** 2) ** 2,
        [-1.2, 1.0],
        0.1,
        codes.CONVERGED,
    ),
    "kink at the top": (lambda z: jnp.sum(z**2), [0.0, 0.0], 1.0, codes.CONVERGED),
    "saddle": (lambda z: 0.5 * z[0] ** 2 - z[0] ** 4 - z[1] ** 2, [0.0, 1.0], [0.0, 1.0], codes.SADDLE),
    "edge of a domain": (lambda z: 5 * jnp.log(z[0]) - z[1] ** 2, [1e-3, 1.0], 1.0, codes.CONVERGED),
    "no start": (lambda z: jnp.log(z[0]) - z[1] ** 2, [-1.0, 0.0], 1.0, codes.NON_FINITE_AT_START),
    "no maximum": (lambda z: 2 * z[0] - z[1] ** 2, [1.0, 1.0], 1.0, codes.RUNNING),
}


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_functions_that_are_not_concave(name):
    f, start, strength, status = FUNCTIONS[name]
    penalty = Penalty(jnp.broadcast_to(jnp.asarray(strength), (2,)))
    evaluate = function_of(f)
    state = jax.jit(lambda z: drive(ProximalNewton(), evaluate, z, penalty, 100))(jnp.asarray(start))
    assert int(state.status) == status
    if status == codes.CONVERGED:
        best = np.asarray(state.best)

        def height(z):
            return float(f(z) - penalty.value(z))

        for step in 1e-3 * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 1.0], [1.0, -1.0]]):
            assert height(best + step) < height(best)
    if status == codes.SADDLE:
        assert np.isnan(state.decrement)


def test_a_nonlinear_predictor():
    """A sum of two decays, the second of which a prior removes: what is left is the fit of one."""
    t = np.linspace(0.0, 4.0, 25)
    y = 2.0 * np.exp(-0.7 * t) + 0.05 * np.random.default_rng(8).normal(size=25)

    def curve(params, t):
        return params["a"][0] * jnp.exp(-params["b"] * t) + params["a"][1] * jnp.exp(-3.0 * t), 0.05

    def fit(objective, start):
        return jax.jit(lambda: climb(ProximalNewton(), objective, start))()

    curves = jm.regression(jm.densities.normal, curve, t, y)
    state, params = fit(curves + jm.penalties.l1(lambda p: p["a"][1:], 300.0), {"a": np.array([1.0, 0.5]), "b": 0.3})
    assert int(state.status) == codes.CONVERGED
    assert float(params["a"][1]) == 0.0
    alone = jm.fit(
        jm.regression(jm.densities.normal, lambda p, t: (p["a"] * jnp.exp(-p["b"] * t), 0.05), t, y),
        {"a": 1.0, "b": 0.3},
    )
    assert float(params["a"][0]) == pytest.approx(float(alone.params["a"]), rel=1e-9)
    assert float(params["b"]) == pytest.approx(float(alone.params["b"]), rel=1e-9)


# Laws


def _lanes():
    x, y = data("gymnastics")
    return x, np.stack([y, y[::-1], y + 3.0]), np.array([1.0, 20.0, 400.0])


@functools.partial(jax.jit)
def together(solver, x, ys, l1s):
    return jax.vmap(lambda y, l1: regress(solver, "poisson", x, y, l1, 0.01))(ys, l1s)


@per_solver
def test_vmap_equals_a_loop_and_jit_equals_eager(solver):
    x, ys, l1s = _lanes()
    states, params = together(solver, x, ys, l1s)
    for i in range(3):
        alone, other = regress(solver, "poisson", x, ys[i], l1s[i], 0.01)
        np.testing.assert_allclose(params["beta"][i], other["beta"], atol=1e-9)
        assert np.array_equal(params["beta"][i] == 0, other["beta"] == 0)
        assert codes.is_ok(int(states.status[i]))
        assert codes.is_ok(int(alone.status))
    _, other = regress.__wrapped__(solver, "poisson", x, ys[1], l1s[1], 0.01)
    np.testing.assert_allclose(params["beta"][1], other["beta"], atol=1e-9)


@per_solver
def test_a_bad_lane_is_alone(solver):
    x, ys, l1s = _lanes()
    clean, _ = together(solver, x, ys, l1s)
    ys = ys.copy()
    ys[1, 3] = np.nan
    spoilt, _ = together(solver, x, ys, l1s)
    assert np.array_equal(codes.is_ok(np.asarray(spoilt.status)), [True, False, True])
    for a, b in zip(jax.tree.leaves(clean), jax.tree.leaves(spoilt), strict=True):
        assert np.array_equal(np.asarray(a)[[0, 2]], np.asarray(b)[[0, 2]], equal_nan=True)


@per_solver
def test_new_numbers_trace_nothing(solver):
    x, y = data("gymnastics")
    regress(solver, "poisson", x, y, 3.0, 0.1)
    before = len(TRACED)
    regress(jax.tree.map(lambda number: 0.9 * number, solver), "poisson", x, y + 1.0, 4.0, 0.2)
    assert len(TRACED) == before


@per_solver
def test_a_run_cut_short_says_how_far_it_is(solver):
    """The gain left that it states is that to the optimum, within a factor of ten."""
    x, y = data("cancer")
    best, _ = regress(SOLVERS["Newton"], "binomial", x, y, 5.0, 0.0)
    steps = 6 if solver.order == 2 else 120
    state, _ = regress(solver, "binomial", x, y, 5.0, 0.0, None, steps)
    assert int(state.status) == codes.RUNNING
    assert int(state.steps) == steps
    gain = float(best.evaluation.value - best.rough - state.evaluation.value + state.rough)
    assert gain > 1e-9
    assert 0.1 < 0.5 * float(state.decrement) ** 2 / gain < 10.0


@per_solver
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_is_a_state_machine_that_never_sees_the_objective(solver, dtype):
    """Asked for points and told what was found there, it climbs; here from Python, a quadratic of NumPy."""
    curvature = np.array([[3.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 2.0]], dtype)
    gradient = np.array([1.0, -2.0, 0.1], dtype)
    penalty = Penalty(jnp.array([0.1, 0.2, 0.5], dtype))
    init = jax.jit(lambda z: solver.init(z, np.finfo(dtype).eps ** 1.2, jnp.abs(z), penalty))
    update = jax.jit(lambda state, found: solver.update(state, found, penalty))
    state = init(jnp.ones(3, dtype))
    for _ in range(300):
        if int(state.status) != codes.RUNNING:
            break
        z = np.asarray(state.z)
        value = gradient @ z - 0.5 * z @ curvature @ z
        given = (gradient - curvature @ z, curvature if solver.order == 2 else None)
        state = update(state, Evaluation(*(jnp.asarray(n, dtype) for n in (value, 0.0, abs(value))), *given))
    assert codes.is_ok(int(state.status))
    assert state.best.dtype == dtype
    assert float(state.best[2]) == 0.0
    expected = np.linalg.solve(curvature[:2, :2], gradient[:2] - np.array([0.1, -0.2], dtype))
    np.testing.assert_allclose(state.best[:2], expected, rtol=1e-8 if dtype == "float64" else 1e-4)
