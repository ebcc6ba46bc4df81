"""jaxmle: maximum likelihood and maximum a posteriori estimation in JAX.

Write the log-likelihood as a pure function; get the estimate and its uncertainty from the same code on CPU, GPU or
TPU. A *term* is a log-density of params (:func:`likelihood`, :func:`regression`, :func:`log_prior`, :mod:`priors`);
terms add to an objective; :func:`fit` maximises it; :func:`infer` and :func:`summary` say how sure it is.
"""

from jaxmle import densities, models, priors, solvers
from jaxmle.fitting import Fit, fit, fit_batch, fit_best, load, polish, refit, save, train
from jaxmle.inference import (
    Inference,
    aicc,
    bootstrap,
    compare,
    delta,
    effective_parameters,
    infer,
    leverage,
    likelihood_ratio_test,
    margins,
    predict,
    profile,
    profile_curve,
    score_test,
    scores,
    summary,
    tic,
    wald_test,
)
from jaxmle.parameters import (
    correlation_matrix,
    covariance_matrix,
    fixed,
    free,
    interval,
    ordered,
    positive,
    random_starts,
    simplex,
    tied,
    unit_vector,
)
from jaxmle.priors import penalties
from jaxmle.terms import Objective, Problem, group_by, lane_axes, likelihood, log_prior, regression, shard, shared

__version__ = "0.1.0"

__all__ = [
    "Fit",
    "Inference",
    "Objective",
    "Problem",
    "aicc",
    "bootstrap",
    "compare",
    "correlation_matrix",
    "covariance_matrix",
    "delta",
    "densities",
    "effective_parameters",
    "fit",
    "fit_batch",
    "fit_best",
    "fixed",
    "free",
    "group_by",
    "infer",
    "interval",
    "lane_axes",
    "leverage",
    "likelihood",
    "likelihood_ratio_test",
    "load",
    "log_prior",
    "margins",
    "models",
    "ordered",
    "penalties",
    "polish",
    "positive",
    "predict",
    "priors",
    "profile",
    "profile_curve",
    "random_starts",
    "refit",
    "regression",
    "save",
    "score_test",
    "scores",
    "shard",
    "shared",
    "simplex",
    "solvers",
    "summary",
    "tic",
    "tied",
    "train",
    "unit_vector",
    "wald_test",
]
