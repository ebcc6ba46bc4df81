"""Regressions with an elastic net, climbed by the solvers for kinks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_linnerud
from sklearn.linear_model import Lasso

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.parameters.space import Space
from jaxmle.solvers.penalty import Penalty
from jaxmle.solvers.proximal_gradient import ProximalGradient
from jaxmle.solvers.proximal_newton import ProximalNewton
from jaxmle.terms.objective import Objective

SOLVERS = {"Newton": ProximalNewton(), "gradient": ProximalGradient()}
EPS = np.finfo(float).eps
per_solver = pytest.mark.parametrize("solver", list(SOLVERS.values()), ids=list(SOLVERS))
TRACED = []


def normal(params, x):
    return params["b0"] + x @ params["beta"], 1.0


def one(params, x):
    return (params["b0"] + x @ params["beta"],)


FAMILIES = {
    "normal": (jm.densities.normal, normal),
    "binomial": (jm.densities.bernoulli, one),
    "poisson": (jm.densities.poisson, one),
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


def standard(x):
    x = x[:, x.std(axis=0) > 0]
    return (x - x.mean(axis=0)) / x.std(axis=0)


@functools.cache
def data(name):
    if name == "diabetes":
        return load_diabetes(return_X_y=True)
    if name == "cancer":
        x, y = load_breast_cancer(return_X_y=True)
        return standard(x), y.astype(float)
    if name == "digits":  # more columns than rows after interactions: 8s against the rest
        x, y = load_digits(return_X_y=True)
        x = standard(x[:120] / 16.0)
        return np.concatenate([x, x[:, :40] * x[:, 10:50], x[:, :40] * x[:, 5:45]], axis=1), (y[:120] == 8).astype(
            float
        )
    if name == "gymnastics":  # sit-ups by waist, weight and pulse: counts
        x, y = load_linnerud(return_X_y=True)
        x = standard(y)
        return np.column_stack([x, x**2]), load_linnerud().data[:, 1]
    raise KeyError(name)


def lasso(family, x, y, alpha, ratio):
    found = Lasso(alpha=alpha, tol=1e-13, max_iter=10**6).fit(x, y)
    return found.intercept_, found.coef_


def kkt(family, x, y, l1, l2, params):
    """The largest violation of the conditions of an optimum, in NumPy: zeros have a gradient below l1."""
    b0, beta = float(params["b0"]), np.asarray(params["beta"])
    eta = b0 + x @ beta
    mean = {"normal": eta, "binomial": 1 / (1 + np.exp(-eta)), "poisson": np.exp(eta)}[family]
    gradient = x.T @ (y - mean) - 2 * l2 * beta
    off = np.where(beta == 0, np.maximum(np.abs(gradient) - l1, 0), np.abs(gradient - l1 * np.sign(beta)))
    return max(off.max(), abs(np.sum(y - mean)))
