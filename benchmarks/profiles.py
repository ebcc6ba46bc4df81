"""Profile likelihood: both ends of every coefficient of a logistic regression, beside Minuit's MINOS on the likelihood
that JAX compiled."""

import functools

import iminuit
import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize, stats

import jaxmle as jm
from benchmarks import problems
from benchmarks.question import Answer, Question, Target, ask_all

SIZES, SMALL = ((10_000, 10),), ((200, 3),)
DROP = stats.chi2.ppf(0.95, 1) / 2
MINOS, TIGHT, OURS = "Minuit MINOS", "Minuit MINOS, strategy 2, tolerance 1e-6", "jaxmle profile"


def _text(n, p):
    return f"profile intervals of a logistic fit, {n:,} x {p}"


def _by_minuit(data, strategy=1, tolerance=0.1):
    x, y = map(jnp.asarray, data)
    value_and_grad = jax.jit(
        jax.value_and_grad(lambda beta: -jnp.sum(jm.densities.bernoulli.logpmf(y, x @ beta))),
    )
    value = jax.jit(lambda beta: -jnp.sum(jm.densities.bernoulli.logpmf(y, x @ beta)))
    m = iminuit.Minuit(
        lambda beta: float(value(beta)), np.zeros(x.shape[1]), grad=lambda beta: np.asarray(value_and_grad(beta)[1])
    )
    m.errordef, m.strategy, m.tol = iminuit.Minuit.LIKELIHOOD, strategy, tolerance
    m.migrad()
    m.hesse()

    def run():
        m.minos(cl=0.95)
        ends = [(m.values[k] + m.merrors[k].lower, m.values[k] + m.merrors[k].upper) for k in m.parameters]
        return Answer(np.array(ends))

    return run


def _by_jaxmle(data):
    problem = jm.models.logistic(*map(jnp.asarray, data))
    fit = jm.fit(problem)

    def run():
        profile = jm.profile(problem, fit)
        return Answer(jnp.stack([profile.lower["beta"], profile.upper["beta"]], axis=1))

    return run


WAYS = {MINOS: _by_minuit, TIGHT: functools.partial(_by_minuit, strategy=2, tolerance=1e-6), OURS: _by_jaxmle}
PEERS = tuple(WAYS)
TARGETS = tuple(Target(_text(n, p), OURS, MINOS, least=20) for n, p in SIZES)


def _truth(data):
    """Each end by a root finder around Newton's method on the other coefficients, in NumPy."""
    x, y = data
    best, highest = _newton(x, y, 0.0)
    widths = np.sqrt(np.diag(np.linalg.inv(_information(x, x @ best))))

    def excess(k, end):
        return _newton(np.delete(x, k, axis=1), y, x[:, k] * end)[1] - highest + DROP

    def end(k, sign):
        near, far = best[k] + sign * widths[k], best[k] + 4 * sign * widths[k]
        return optimize.brentq(functools.partial(excess, k), near, far, xtol=1e-13)

    return Answer(np.array([[end(k, sign) for sign in (-1, 1)] for k in range(best.size)]))


def _newton(x, y, offset):
    beta = np.zeros(x.shape[1])
    for _ in range(12):
        eta = x @ beta + offset
        beta = beta + np.linalg.solve(_information(x, eta), x.T @ (y - 1 / (1 + np.exp(-eta))))
    eta = x @ beta + offset
    return beta, np.sum(y * eta - np.logaddexp(0, eta))


def _information(x, eta):
    p = 1 / (1 + np.exp(-eta))
    return (x * (p * (1 - p))[:, None]).T @ x


def rows(who: str, small: bool):
    """Rows of one program for all the sizes."""
    sizes = SMALL if small else SIZES
    questions = [Question(_text(n, p), functools.partial(problems.logistic, n, p), _truth, WAYS) for n, p in sizes]
    return ask_all(questions, who, small)
