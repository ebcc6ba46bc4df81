"""Logistic regression: how fast are the estimates and their standard errors, beside every peer?"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import jaxmle as jm
from benchmarks import numpy_reference, problems, rscript
from benchmarks.question import FASTEST, Answer, Question, Skip, Target, ask_all, spread, tuned

SIZES = ((1_000_000, 20), (200_000, 100), (1_000, 5))
SMALL = ((2_000, 3),)


def _text(n, p):
    return f"logistic, {n:,} x {p}, estimates and standard errors"


def _by_statsmodels(data, tol):
    import statsmodels.api as sm

    x, y = data

    def run():
        fit = sm.Logit(y, x).fit(disp=0, tol=tol)
        return Answer(fit.params, fit.bse)

    return run


def _by_numpy(data, tol):
    x, y = data

    def run():
        fit = numpy_reference.newton(lambda b: numpy_reference.bernoulli(b, x, y), np.zeros(x.shape[1]), tol)
        return Answer(fit.estimate, fit.standard_errors)

    return run


def _margins(beta, x, sign):
    margin = sign * (x @ beta)
    return margin, np.exp(-np.abs(margin))


def _by_scipy(method, options, data, tol):
    """scipy's minimiser of the mean, with its gradient, and its Hessian where the method takes one."""
    import scipy.optimize

    x, y = data
    sign, n = 2 * y - 1, len(y)

    def loss(beta):
        margin, decay = _margins(beta, x, sign)
        residual = sign * np.where(margin > 0, decay, 1.0) / (1 + decay)
        return -(np.minimum(margin, 0) - np.log1p(decay)).sum() / n, -(x.T @ residual) / n

    def hessian(beta):
        _, decay = _margins(beta, x, sign)
        return x.T @ (x * (decay / (1 + decay) ** 2)[:, None]) / n

    named = {key: tol if value is None else value for key, value in options.items()}
    curvature = {} if method == "L-BFGS-B" else {"hess": hessian}

    def run():
        start = np.zeros(x.shape[1])
        return Answer(scipy.optimize.minimize(loss, start, jac=True, method=method, options=named, **curvature).x)

    return run


def _by_sklearn(solver, data, tol):
    from sklearn.linear_model import LogisticRegression

    x, y = data

    def run():
        model = LogisticRegression(C=np.inf, fit_intercept=False, solver=solver, tol=tol, max_iter=1000)
        return Answer(model.fit(x, y).coef_[0])

    return run


def _by_glum(data, tol):
    from glum import GeneralizedLinearRegressor

    x, y = data

    def run():
        model = GeneralizedLinearRegressor(family="binomial", alpha=0, fit_intercept=False, gradient_tol=tol)
        return Answer(model.fit(x, y).coef_)

    return run


def _mean_loss(beta, rows):
    x, y = rows
    logits = x @ beta
    return jnp.mean(jnp.logaddexp(0.0, logits) - y * logits)


def _by_optimistix(data, tol):
    import optimistix as optx

    rows = tuple(map(jnp.asarray, data))
    solver = optx.Newton(rtol=tol, atol=tol)

    @jax.jit
    def fit(rows):
        start = jnp.zeros(rows[0].shape[1])
        return optx.root_find(jax.grad(_mean_loss), solver, start, args=rows).value

    return lambda: Answer(fit(rows))


def _by_numpyro(data, tol):
    try:
        import numpyro
    except ImportError as error:
        raise Skip("numpyro is not installed") from error
    from numpyro.infer import SVI, Trace_ELBO

    x, y = map(jnp.asarray, data)

    def model(x, y):
        beta = numpyro.param("beta", jnp.zeros(x.shape[1]))
        with numpyro.handlers.scale(scale=1 / x.shape[0]):
            numpyro.sample("y", numpyro.distributions.Bernoulli(logits=x @ beta), obs=y)

    # A MAP under a flat prior: the parameter itself, and a guide with nothing in it.
    minimise = numpyro.optim.Minimize(method="BFGS", options={"gtol": tol})
    svi = SVI(model, lambda x, y: None, minimise, Trace_ELBO())

    @jax.jit
    def fit(x, y):
        state, _ = svi.update(svi.init(jax.random.key(0), x, y), x, y)
        return svi.get_params(state)["beta"]

    return lambda: Answer(fit(x, y))


def _by_jaxmle(data, inferred=True):
    problem = spread(jm.models.logistic(*map(jnp.asarray, data)))

    def run():
        fit = jm.fit(problem)
        return Answer(fit.params["beta"], jm.infer(problem, fit).bse["beta"] if inferred else None)

    return run


def _by_jaxmle_moved(data):
    """The same, the rows being spread over the devices every time."""
    problem = jm.models.logistic(*map(jnp.asarray, data))

    def run():
        spread_now = spread(problem)
        fit = jm.fit(spread_now)
        return Answer(fit.params["beta"], jm.infer(spread_now, fit).bse["beta"])

    return run


WAYS = {
    "statsmodels Logit": tuned(_by_statsmodels, 1e-3, 1e-5, 1e-8),
    "NumPy Newton": tuned(_by_numpy, 1e-4, 1e-7, 1e-12),
    "scipy L-BFGS-B": tuned(functools.partial(_by_scipy, "L-BFGS-B", {"ftol": 0, "gtol": None}), 1e-8, 1e-9, 1e-10),
    "scipy trust-exact": tuned(functools.partial(_by_scipy, "trust-exact", {"gtol": None}), 1e-5, 1e-7, 1e-9),
    "scipy Newton-CG": tuned(functools.partial(_by_scipy, "Newton-CG", {"xtol": None}), 1e-5, 1e-8, 1e-12),
    "scikit-learn newton-cholesky": tuned(functools.partial(_by_sklearn, "newton-cholesky"), 1e-4, 1e-6, 1e-8, 1e-10),
    "scikit-learn lbfgs": tuned(functools.partial(_by_sklearn, "lbfgs"), 1e-8, 1e-9, 1e-10),
    "glum": tuned(_by_glum, 1e-4, 1e-6, 1e-8),
    "optimistix Newton": tuned(_by_optimistix, 1e-2, 1e-4, 1e-7),
    "NumPyro MAP": tuned(_by_numpyro, 1e-7, 1e-8, 1e-9),
    "R glm.fit": functools.partial(rscript.glm, "binomial"),
    "jaxmle fit": functools.partial(_by_jaxmle, inferred=False),
    "jaxmle fit and infer": _by_jaxmle,
}
MOVED = "jaxmle fit and infer, jm.shard counted"
PEERS = tuple(WAYS)
SHARDED = ("jaxmle fit", "jaxmle fit and infer", MOVED)
TARGETS = tuple(
    Target(_text(n, p), "jaxmle fit and infer", over, least=least)
    for (n, p), wanted in zip(SIZES, ((15, 2), (10, 1), (8,)), strict=True)
    for over, least in zip(("statsmodels Logit", FASTEST), wanted, strict=False)
)


def _truth(data):
    x, y = data
    fit = numpy_reference.newton(lambda b: numpy_reference.bernoulli(b, x, y), np.zeros(x.shape[1]), 1e-20)
    return Answer(fit.estimate, fit.standard_errors)


def rows(who: str, small: bool):
    """Rows of one program for all the sizes."""
    ways = {**WAYS, MOVED: _by_jaxmle_moved}
    sizes = SMALL if small else SIZES
    questions = [Question(_text(n, p), functools.partial(problems.logistic, n, p), _truth, ways) for n, p in sizes]
    return ask_all(questions, who, small)
