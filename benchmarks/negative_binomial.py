"""Negative binomial regression with its dispersion: estimates and standard errors, beside statsmodels' two ways."""

import functools
import warnings

import jax.numpy as jnp
import numpy as np
from scipy.special import digamma, gammaln, polygamma

import jaxmle as jm
from benchmarks import numpy_reference, problems
from benchmarks.question import Answer, Question, Target, ask_all, spread, tuned

SIZE, SMALL = (20_000, 10), (2_000, 3)
CONCENTRATION = 1.5


def _text(n, p):
    return f"negative binomial with its dispersion, {n:,} x {p}, estimates and standard errors"


def derivatives(theta, x, y):
    """Log-likelihood, gradient and Hessian in (beta, r), for the mean exp(x beta) and the concentration r.

    Source: Lawless (1987), "Negative binomial and mixed Poisson regression", equations 2.2 to 2.5.
    """
    beta, r = theta[:-1], theta[-1]
    if r <= 0:
        return -np.inf, np.zeros_like(theta), -np.eye(theta.size)
    eta = x @ beta
    mean = np.exp(eta)
    total, seen = r + mean, r + y
    gamma = gammaln(seen) - gammaln(r) - gammaln(y + 1)
    value = (gamma + r * np.log(r) + y * eta - seen * np.log(total)).sum()
    slope = (y - mean) * r / total
    by_r = digamma(seen) - digamma(r) + np.log(r) + 1 - np.log(total) - seen / total
    corner = polygamma(1, seen) - polygamma(1, r) + 1 / r - 2 / total + seen / total**2
    mixed = x.T @ (mean * (y - mean) / total**2)
    block = -(x.T * (mean * r * seen / total**2)) @ x
    hessian = np.block([[block, mixed[:, None]], [mixed[None], corner.sum()]])
    return value, np.append(x.T @ slope, by_r.sum()), hessian


def _newton(data, tolerance):
    x, y = data
    beta = numpy_reference.newton(lambda beta: numpy_reference.poisson(beta, x, y), np.zeros(x.shape[1])).estimate
    mean = np.exp(x @ beta)
    # Farther off the information is indefinite.
    start = np.append(beta, np.sum(mean**2) / np.sum((y - mean) ** 2 - mean))
    return numpy_reference.newton(lambda theta: derivatives(theta, x, y), start, tolerance)


def _by_numpy(data, tol):
    def run():
        fit = _newton(data, tol)
        return Answer(fit.estimate, fit.standard_errors)

    return run


def _by_scipy(data, tol):
    """The minimiser of the mean in (beta, log r), by its gradient."""
    import scipy.optimize

    x, y = data

    def loss(z):
        value, gradient, _ = derivatives(np.append(z[:-1], np.exp(z[-1])), x, y)
        return -value / len(y), -np.append(gradient[:-1], gradient[-1] * np.exp(z[-1])) / len(y)

    def run():
        start = np.append(np.log(y.mean()), np.zeros(x.shape[1]))
        z = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"ftol": 0, "gtol": tol}).x
        return Answer(np.append(z[:-1], np.exp(z[-1])))

    return run


def _of_alpha(params, bse):
    """statsmodels' alpha is one over the concentration; the delta method for its standard error."""
    alpha = params[-1]
    return Answer(np.append(params[:-1], 1 / alpha), np.append(bse[:-1], bse[-1] / alpha**2))


def _by_statsmodels(method, data, tol):
    import statsmodels.api as sm

    x, y = data
    options = {"tol": tol} if method == "newton" else {"gtol": tol}

    def run():
        fit = sm.NegativeBinomial(y, x).fit(disp=0, method=method, maxiter=500, warn_convergence=False, **options)
        return _of_alpha(fit.params, fit.bse)

    return run


def _by_generic(data):
    """Derivatives by differences, as statsmodels does where it is given a log-likelihood only."""
    from statsmodels.base.model import GenericLikelihoodModel

    x, y = data

    class Model(GenericLikelihoodModel):
        def nloglikeobs(self, params):
            r = np.exp(-params[-1])
            eta = self.exog @ params[:-1]
            gamma = gammaln(self.endog + r) - gammaln(r) - gammaln(self.endog + 1)
            return -(gamma + r * np.log(r) + self.endog * eta - (self.endog + r) * np.log(r + np.exp(eta)))

    def run():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the number of parameters, and of a line search at rounding
            model = Model(y, x, extra_params_names=["log alpha"])
            start = np.append(np.log(y.mean()), np.zeros(x.shape[1]))
            fit = model.fit(start, method="bfgs", maxiter=500, gtol=1e-7, disp=0)
            r = np.exp(-fit.params[-1])
            return Answer(np.append(fit.params[:-1], r), np.append(fit.bse[:-1], fit.bse[-1] * r))

    return run


def _predict(params, row):
    return row @ params["beta"], params["concentration"]


def _by_jaxmle(data, inferred=True):
    x, y = map(jnp.asarray, data)
    problem = spread(jm.regression(jm.densities.negative_binomial, _predict, x, y))
    start = {"beta": jnp.zeros(x.shape[1]), "concentration": jm.positive(1.0)}

    def flat(tree):
        return jnp.append(tree["beta"], tree["concentration"])

    def run():
        fit = jm.fit(problem, start)
        return Answer(flat(fit.params), flat(jm.infer(problem, fit).bse) if inferred else None)

    return run


WAYS = {
    "statsmodels NegativeBinomial": tuned(functools.partial(_by_statsmodels, "newton"), 1e-3, 1e-5, 1e-8),
    "statsmodels NegativeBinomial, bfgs": tuned(functools.partial(_by_statsmodels, "bfgs"), 1e-7, 1e-8, 1e-9),
    "statsmodels GenericLikelihoodModel": _by_generic,
    "NumPy Newton": tuned(_by_numpy, 1e-4, 1e-7, 1e-12),
    "scipy L-BFGS-B": tuned(_by_scipy, 1e-8, 1e-9, 1e-10),
    "jaxmle fit": functools.partial(_by_jaxmle, inferred=False),
    "jaxmle fit and infer": _by_jaxmle,
}
PEERS = tuple(WAYS)
SHARDED = ("jaxmle fit and infer",)
TARGETS = (
    Target(_text(*SIZE), "jaxmle fit and infer", "statsmodels NegativeBinomial", least=4),
    Target(_text(*SIZE), "jaxmle fit and infer", "statsmodels NegativeBinomial, bfgs", least=4),
    Target(_text(*SIZE), "jaxmle fit and infer", "statsmodels GenericLikelihoodModel", least=25),
)


def _truth(data):
    fit = _newton(data, 1e-20)
    return Answer(fit.estimate, fit.standard_errors)


def rows(who: str, small: bool):
    """The row of one program."""
    n, p = SMALL if small else SIZE
    data = functools.partial(problems.negative_binomial, n, p, CONCENTRATION)
    return ask_all([Question(_text(n, p), data, _truth, WAYS)], who, small)
