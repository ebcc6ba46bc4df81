"""Softmax regression: how fast are the estimates, and their standard errors, beside scikit-learn and statsmodels?"""

import functools

import jax.numpy as jnp
import numpy as np

import jaxmle as jm
from benchmarks import numpy_reference, problems
from benchmarks.question import Answer, Question, Target, ask_all, spread, tuned

SIZE, SMALL = (100_000, 20, 5), (2_000, 3, 3)


def _text(n, p, k):
    return f"softmax, {n:,} x {p}, {k} classes"


def _newton(data, tolerance):
    """Estimates and standard errors (p, k - 1)."""
    x, y = data
    shape = x.shape[1], y.max()

    def evaluate(beta):
        return numpy_reference.categorical(beta.reshape(shape), x, y)

    fit = numpy_reference.newton(evaluate, np.zeros(shape[0] * shape[1]), tolerance)
    return Answer(fit.estimate.reshape(shape), fit.standard_errors.reshape(shape))


def _by_numpy(data, tol):
    return functools.partial(_newton, data, tol)


def _by_statsmodels(data, tol):
    import statsmodels.api as sm

    x, y = data

    def run():
        fit = sm.MNLogit(y, x).fit(disp=0, method="newton", tol=tol)
        return Answer(fit.params, fit.bse)

    return run


def _by_sklearn(solver, data, tol):
    from sklearn.linear_model import LogisticRegression

    x, y = data

    def run():
        model = LogisticRegression(C=np.inf, fit_intercept=False, solver=solver, tol=tol, max_iter=1000).fit(x, y)
        return Answer((model.coef_[1:] - model.coef_[0]).T)

    return run


def _by_jaxmle(data, inferred=True):
    problem = spread(jm.models.softmax(*map(jnp.asarray, data)))

    def run():
        fit = jm.fit(problem)
        return Answer(fit.params["beta"], jm.infer(problem, fit).bse["beta"] if inferred else None)

    return run


WAYS = {
    "statsmodels MNLogit": tuned(_by_statsmodels, 1e-3, 1e-5, 1e-8),
    "scikit-learn lbfgs": tuned(functools.partial(_by_sklearn, "lbfgs"), 1e-8, 1e-9, 1e-10),
    "scikit-learn newton-cholesky": tuned(functools.partial(_by_sklearn, "newton-cholesky"), 1e-4, 1e-6, 1e-8, 1e-10),
    "NumPy Newton": tuned(_by_numpy, 1e-4, 1e-7, 1e-12),
    "jaxmle fit": functools.partial(_by_jaxmle, inferred=False),
    "jaxmle fit and infer": _by_jaxmle,
}
PEERS = tuple(WAYS)
SHARDED = ("jaxmle fit", "jaxmle fit and infer")
TARGETS = (
    Target(_text(*SIZE), "jaxmle fit", "scikit-learn lbfgs", least=2),
    Target(_text(*SIZE), "jaxmle fit and infer", "scikit-learn lbfgs", least=2),
    Target(_text(*SIZE), "jaxmle fit and infer", "statsmodels MNLogit", least=10),
)


def rows(who: str, small: bool):
    """The row of one program."""
    n, p, k = SMALL if small else SIZE
    data = functools.partial(problems.softmax, n, p, k)
    return ask_all([Question(_text(n, p, k), data, lambda data: _newton(data, 1e-20), WAYS)], who, small)
