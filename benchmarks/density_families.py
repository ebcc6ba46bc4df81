"""The families of `jm.densities` beside their namesakes: parameters, and the same log-probabilities elsewhere."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy import special, stats

TRIALS = 12
MEAN = np.array([0.5, -1.0, 2.0])
FACTOR = np.array([[1.0, 0.0, 0.0], [0.5, 1.2, 0.0], [-0.3, 0.4, 0.8]])


class Family(NamedTuple):
    """``parameters`` are estimated and ``known`` are not; ``peer(y, **parameters)`` gives the log-probabilities in
    scipy or NumPy; ``numpyro(d, **parameters)`` is the distribution in numpyro, where there is one. The sample is drawn
    at the parameters, or at ``drawn`` where the support ends at one of them."""

    parameters: dict[str, Any]
    peer: Callable
    numpyro: Callable | None = None
    known: Mapping[str, Any] = MappingProxyType({})
    drawn: Mapping[str, Any] = MappingProxyType({})


_LOC_SCALE = {"loc": 0.5, "scale": 2.0}
_A_SCALE = {"a": 5.5, "scale": 2.0}
_A_B = {"a": 2.5, "b": 3.5}


def _kumaraswamy(y, a, b):
    return np.log(a * b) + special.xlogy(a - 1, y) + special.xlog1py(b - 1, -(y**a))


def _truncnorm(y, loc, scale, lower, upper):
    return stats.truncnorm.logpdf(y, (lower - loc) / scale, (upper - loc) / scale, loc, scale)


def _multivariate_normal(y, loc, cholesky):
    lower = np.tril(cholesky)
    return stats.multivariate_normal.logpdf(y, loc, lower @ lower.T)


CONTINUOUS = {
    "asymmetric_laplace": Family(
        {"kappa": 1.5, **_LOC_SCALE},
        stats.laplace_asymmetric.logpdf,
        lambda d, kappa, loc, scale: d.AsymmetricLaplace(loc, scale, kappa),
    ),
    "beta": Family(_A_B, stats.beta.logpdf, lambda d, a, b: d.Beta(a, b)),
    "cauchy": Family(_LOC_SCALE, stats.cauchy.logpdf, lambda d, loc, scale: d.Cauchy(loc, scale)),
    "chi2": Family({"df": 4.5}, stats.chi2.logpdf, lambda d, df: d.Chi2(df)),
    "exponential": Family({"scale": 2.0}, stats.expon.logpdf, lambda d, scale: d.Exponential(1 / scale)),
    "f": Family({"dfn": 5.5, "dfd": 12.5}, stats.f.logpdf),
    "gamma": Family(_A_SCALE, stats.gamma.logpdf, lambda d, a, scale: d.Gamma(a, 1 / scale)),
    "generalized_normal": Family({"beta": 1.5, **_LOC_SCALE}, stats.gennorm.logpdf),
    "generalized_pareto": Family({"c": 0.1, "scale": 2.0}, stats.genpareto.logpdf),
    "genextreme": Family({"c": -0.1, **_LOC_SCALE}, stats.genextreme.logpdf),
    "gumbel": Family(_LOC_SCALE, stats.gumbel_r.logpdf, lambda d, loc, scale: d.Gumbel(loc, scale)),
    "half_cauchy": Family({"scale": 2.0}, stats.halfcauchy.logpdf, lambda d, scale: d.HalfCauchy(scale)),
    "half_normal": Family({"scale": 2.0}, stats.halfnorm.logpdf, lambda d, scale: d.HalfNormal(scale)),
    "inverse_gamma": Family(_A_SCALE, stats.invgamma.logpdf, lambda d, a, scale: d.InverseGamma(a, scale)),
    "inverse_gaussian": Family(
        {"log_mean": 0.3, "scale": 2.5},
        lambda y, log_mean, scale: stats.invgauss.logpdf(y, np.exp(log_mean) / scale, scale=scale),
    ),
    "kumaraswamy": Family(_A_B, _kumaraswamy, lambda d, a, b: d.Kumaraswamy(a, b)),
    "laplace": Family(_LOC_SCALE, stats.laplace.logpdf, lambda d, loc, scale: d.Laplace(loc, scale)),
    "logistic": Family(_LOC_SCALE, stats.logistic.logpdf, lambda d, loc, scale: d.Logistic(loc, scale)),
    "loglogistic": Family({"c": 5.5, "scale": 2.0}, stats.fisk.logpdf),
    "lognormal": Family(
        {"log_scale": 0.3, "s": 0.8},
        lambda y, log_scale, s: stats.lognorm.logpdf(y, s, scale=np.exp(log_scale)),
        lambda d, log_scale, s: d.LogNormal(log_scale, s),
    ),
    "normal": Family(_LOC_SCALE, stats.norm.logpdf, lambda d, loc, scale: d.Normal(loc, scale)),
    "pareto": Family(
        {"b": 5.5, "scale": 2.0}, stats.pareto.logpdf, lambda d, b, scale: d.Pareto(scale, b), drawn={"scale": 2.1}
    ),
    "skew_normal": Family({"a": 1.5, **_LOC_SCALE}, stats.skewnorm.logpdf),
    "student_t": Family(
        {"df": 7.0, **_LOC_SCALE}, stats.t.logpdf, lambda d, df, loc, scale: d.StudentT(df, loc, scale)
    ),
    "truncated_normal": Family(
        _LOC_SCALE,
        _truncnorm,
        lambda d, loc, scale, lower, upper: d.TruncatedNormal(loc, scale, low=lower, high=upper),
        known={"lower": -1.0, "upper": 4.5},
    ),
    "uniform": Family(
        _LOC_SCALE,
        stats.uniform.logpdf,
        lambda d, loc, scale: d.Uniform(loc, loc + scale),
        drawn={"loc": 0.6, "scale": 1.8},
    ),
    "von_mises": Family(
        {"kappa": 1.5, "loc": 0.5}, stats.vonmises.logpdf, lambda d, kappa, loc: d.VonMises(loc, kappa)
    ),
    "weibull": Family({"c": 1.5, "scale": 2.0}, stats.weibull_min.logpdf, lambda d, c, scale: d.Weibull(scale, c)),
}
DISCRETE = {
    "bernoulli": Family(
        {"logits": 0.4},
        lambda y, logits: stats.bernoulli.logpmf(y, special.expit(logits)),
        lambda d, logits: d.BernoulliLogits(logits),
    ),
    "beta_binomial": Family(
        _A_B,
        stats.betabinom.logpmf,
        lambda d, n, a, b: d.BetaBinomial(a, b, n),
        known={"n": TRIALS},
    ),
    "binomial": Family(
        {"logits": 0.4},
        lambda y, n, logits: stats.binom.logpmf(y, n, special.expit(logits)),
        lambda d, n, logits: d.BinomialLogits(logits, n),
        known={"n": TRIALS},
    ),
    "geometric": Family({"logits": -1.4}, lambda y, logits: stats.geom.logpmf(y, special.expit(logits))),
    "negative_binomial": Family(
        {"log_mean": 1.4, "concentration": 3.0},
        lambda y, log_mean, concentration: stats.nbinom.logpmf(
            y, concentration, concentration / (concentration + np.exp(log_mean))
        ),
        lambda d, log_mean, concentration: d.NegativeBinomial2(jnp.exp(log_mean), concentration),
    ),
    "poisson": Family(
        {"log_rate": 1.4},
        lambda y, log_rate: stats.poisson.logpmf(y, np.exp(log_rate)),
        lambda d, log_rate: d.Poisson(jnp.exp(log_rate)),
    ),
}
MULTIVARIATE = {
    "dirichlet": Family(
        {"alpha": np.array([1.5, 2.5, 4.0])},
        lambda y, alpha: stats.dirichlet.logpdf(y.T, alpha),
        lambda d, alpha: d.Dirichlet(alpha),
    ),
    "multivariate_normal": Family(
        {"loc": MEAN, "cholesky": FACTOR},
        _multivariate_normal,
        lambda d, loc, cholesky: d.MultivariateNormal(loc, scale_tril=cholesky),
    ),
}
FAMILIES = CONTINUOUS | DISCRETE | MULTIVARIATE
