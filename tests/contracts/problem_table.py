"""Problems that tell solvers apart, and which solvers must solve each. `test_problems` runs all of them."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
import optimistix
import statsmodels.api as sm

import jaxmle as jm
from jaxmle.core import status as codes

SOLVERS = {
    "Newton": jm.solvers.Newton(),
    "Levenberg-Marquardt": jm.solvers.levenberg_marquardt(),
    "BHHH": jm.solvers.BHHH(),
    "Fisher scoring": jm.solvers.FisherScoring(),
    "L-BFGS": jm.solvers.LBFGS(),
    "proximal Newton": jm.solvers.ProximalNewton(),
    "accelerated proximal gradient": jm.solvers.ProximalGradient(),
    "optax L-BFGS": jm.solvers.Optax(optax.lbfgs),
    "optax Adam": jm.solvers.Optax(optax.adam, learning_rate=0.05),
    "optax momentum": jm.solvers.Optax(optax.sgd, learning_rate=1e-3, momentum=0.9),
    "optax, schedule and clipping": optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(0.1, 3000))
    ),
    "Optimistix BFGS": optimistix.BFGS(rtol=1e-8, atol=1e-8),
    "Optimistix Nelder-Mead": optimistix.NelderMead(rtol=1e-9, atol=1e-9),
    "Optimistix nonlinear CG": optimistix.NonlinearCG(rtol=1e-9, atol=1e-9),
}
NEWTONS = {"Newton", "Levenberg-Marquardt"}
BY_ROWS = NEWTONS | {"BHHH", "Fisher scoring"}
QUASI = NEWTONS | {"L-BFGS"}


class Row(NamedTuple):
    """A problem: what is maximised from where, the value at its maximum (NaN where there is none; a function finds it),
    who can be asked (BHHH and Fisher scoring want rows and a density), and who must solve it. The others must say that
    they did not."""

    name: str
    objective: Any
    start: Any
    highest: float | Callable
    asked: set
    must: set
    ends: tuple = ()  # how those may end that are asked, beside out of steps and completed as asked


def _function(function: Callable):
    return jm.log_prior(function)


def _logistic():
    rng = np.random.default_rng(5)
    x = np.column_stack([np.ones(200), rng.normal(size=(200, 2))])
    y = (rng.random(200) < 1 / (1 + np.exp(-x @ np.array([0.3, 1.0, -0.5])))).astype(float)
    return jm.models.logistic(x, y), sm.Logit(y, x).fit(disp=0, tol=1e-12).llf


def _ill_scaled():
    """A Poisson regression whose columns differ by six orders of magnitude."""
    rng = np.random.default_rng(6)
    x = np.column_stack([np.ones(300), 1e3 * rng.normal(size=300), 1e-3 * rng.normal(size=300)])
    y = rng.poisson(np.exp(x @ np.array([0.5, 3e-4, 200.0])))
    return jm.models.poisson_regression(x, y), sm.GLM(y, x, sm.families.Poisson()).fit(tol=1e-12).llf


def _separated():
    x = np.random.default_rng(8).normal(size=(40, 2))
    return jm.models.logistic(x, x[:, 0] + 0.5 * x[:, 1] > 0)


def _collinear():
    """The first problem with its last column twice: the same maximum, on a line."""
    x, y = LOGISTIC.objective.terms[0].x, LOGISTIC.objective.terms[0].y
    return jm.models.logistic(np.column_stack([x, np.asarray(x)[:, -1]]), np.asarray(y))


def _long():
    """A Poisson regression on 302 columns, beyond what a matrix is formed for. Its maximum takes seconds to find."""
    rng = np.random.default_rng(9)
    x = np.column_stack([np.ones(600), 0.2 * rng.normal(size=(600, 301))])
    y = rng.poisson(np.exp(1.0 + x[:, :5].sum(axis=1)))
    highest = functools.cache(lambda: sm.Poisson(y, x).fit(method="newton", tol=1e-13, disp=0).llf)
    return jm.models.poisson_regression(x, y), highest


def _saddle(p):
    return jnp.sum(jnp.square(p["x"]) - p["x"] ** 4) - jnp.square(p["y"])


def _valley(p):
    return -100.0 * (p["b"] - p["a"] ** 2) ** 2 - (1.0 - p["a"]) ** 2


def _plateau(p):
    return -jnp.sum(jnp.log1p((p["x"] - 3.0) ** 2))


def _cliff(p):
    return jnp.sum(jnp.log(p["x"]) - p["x"])


EVERYONE = set(SOLVERS)
NO_ROWS = EVERYONE - {"BHHH", "Fisher scoring"}
(LOGISTIC, LOGISTIC_HIGHEST), (ILL, ILL_HIGHEST) = _logistic(), _ill_scaled()
COIN = jm.models.bernoulli(np.zeros(20))
SEPARATED, COLLINEAR = _separated(), _collinear()
LONG, LONG_HIGHEST = _long()
SLOW = {"Optimistix Nelder-Mead", "optax momentum", "optax Adam", "optax, schedule and clipping"}
LONG_ASKED = {"Newton", "L-BFGS", "optax L-BFGS", "Optimistix nonlinear CG", "optax Adam"}
NO_MAXIMUM = (codes.DIVERGING, codes.STOPPED_SHORT)
NO_TOP = (codes.SADDLE, codes.STOPPED_SHORT, codes.STALLED)
TABLE = [
    Row(
        "convex", LOGISTIC.objective, LOGISTIC.start, LOGISTIC_HIGHEST, EVERYONE, EVERYONE - {"Optimistix Nelder-Mead"}
    ),
    Row(
        "curved valley",
        _function(_valley),
        {"a": -1.2, "b": 1.0},
        0.0,
        NO_ROWS,
        NO_ROWS,
    ),
    Row(
        "ill-scaled",
        ILL.objective,
        ILL.start,
        ILL_HIGHEST,
        EVERYONE,
        BY_ROWS | QUASI | {"optax L-BFGS", "Optimistix BFGS"},
    ),
    Row(
        "plateau",
        _function(_plateau),
        {"x": jnp.array([9.0, -4.0])},
        0.0,
        NO_ROWS,
        NO_ROWS,
    ),
    Row(
        "non-finite region",
        _function(_cliff),
        {"x": jnp.array([0.05, 30.0])},
        -2.0,
        NO_ROWS,
        NO_ROWS - {"optax momentum", "Optimistix Nelder-Mead"},
    ),
    Row(
        "boundary",
        COIN.objective,
        {"p": jm.interval(0.4, lower=0, upper=1)},
        np.nan,
        EVERYONE,
        set(),
        (codes.BOUNDARY,),
    ),
    Row("separated", SEPARATED.objective, SEPARATED.start, np.nan, EVERYONE, set(), NO_MAXIMUM),
    Row("flat", COLLINEAR.objective, COLLINEAR.start, LOGISTIC_HIGHEST, EVERYONE, EVERYONE - SLOW),
    Row("saddle", _function(_saddle), {"x": jnp.zeros(2), "y": jnp.zeros(())}, np.nan, NO_ROWS, set(), NO_TOP),
    Row("long", LONG.objective, LONG.start, LONG_HIGHEST, LONG_ASKED, LONG_ASKED - SLOW),
]
