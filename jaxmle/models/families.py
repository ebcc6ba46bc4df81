"""The families of one-sample models: for each univariate density where it starts, and what is special about it."""

from collections.abc import Callable
from typing import NamedTuple

from jaxmle.models import limits, starts_counts, starts_positive, starts_real


class Family(NamedTuple):
    """A family: ``start(sample, known)`` gives its parameters, a closed form where there is one.

    ``edges``: parameters at which the support ends; ``held``: those of them that the maximum puts at an extreme of the
    sample whatever the others are, so that they stay where they start; ``limit``: what may object to an estimate.
    """

    start: Callable
    limit: Callable | None = None
    edges: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


FAMILIES = {
    "asymmetric_laplace": Family(starts_real.asymmetric_laplace, limits.at_corner_or_one_sided),
    "bernoulli": Family(starts_counts.bernoulli),
    "beta": Family(starts_positive.beta),
    "beta_binomial": Family(starts_counts.beta_binomial),
    "binomial": Family(starts_counts.binomial),
    "cauchy": Family(starts_real.cauchy, limits.exact_fit),
    "chi2": Family(starts_positive.chi2),
    "exponential": Family(starts_positive.exponential),
    "f": Family(starts_positive.f),
    "gamma": Family(starts_positive.gamma),
    "generalized_normal": Family(starts_real.generalized_normal, limits.at_corner),
    "generalized_pareto": Family(starts_positive.generalized_pareto),
    "genextreme": Family(starts_real.genextreme, limits.exact_fit),
    "geometric": Family(starts_counts.geometric),
    "gumbel": Family(starts_real.gumbel, limits.exact_fit),
    "half_cauchy": Family(starts_positive.half_cauchy),
    "half_normal": Family(starts_positive.half_normal),
    "inverse_gamma": Family(starts_positive.inverse_gamma),
    "inverse_gaussian": Family(starts_positive.inverse_gaussian),
    "kumaraswamy": Family(starts_positive.kumaraswamy),
    "laplace": Family(starts_real.laplace, limits.at_corner),
    "logistic": Family(starts_real.logistic, limits.exact_fit),
    "loglogistic": Family(starts_positive.loglogistic),
    "lognormal": Family(starts_positive.lognormal, limits.exact_fit_of_logs),
    "negative_binomial": Family(starts_counts.negative_binomial, limits.without_events),
    "negative_binomial_linear": Family(starts_counts.negative_binomial_linear, limits.without_events),
    "normal": Family(starts_real.normal, limits.exact_fit),
    "pareto": Family(starts_positive.pareto, edges=("scale",), held=("scale",)),
    "poisson": Family(starts_counts.poisson),
    "skew_normal": Family(starts_real.skew_normal, limits.half_normal_or_exact),
    "student_t": Family(starts_real.student_t, limits.exact_fit),
    "truncated_normal": Family(starts_real.truncated_normal, limits.without_maximum),
    "uniform": Family(starts_real.uniform, limits.at_extremes, edges=("loc", "scale")),
    "von_mises": Family(starts_real.von_mises),
    "weibull": Family(starts_positive.weibull),
}
