"""Densities: one module of plain functions per distribution.

>>> import jaxmle.densities as densities
>>> round(float(densities.normal.logpdf(1.0, 0.0, 2.0)), 4)
-1.7371

A density is a module, not a class: `normal.logpdf(y, loc, scale)`, or `poisson.logpmf(y, log_rate)` where the
observations are discrete. The observation comes first, the parameters follow by position, and every function
is elementwise: nothing is summed. Beside the log-density a module has

- `support(y, ...)`, whether the density can produce y, and `SUPPORT`, the same in words, for messages;
- `sample(key, ..., shape=None)`; a shape of None is that of the parameters;
- `probability(...)`, of a one, of a success or of each label, where y is one of finitely many;
- `mean(...)`, `variance(...)`, `logcdf(y, ...)`, `logsf(y, ...)` and `quantile(q, ...)`, where they exist in
  a form whose values and derivatives can be trusted.

**Parameters.** Names and meanings are those of scipy, unless the unconstrained parameter is the stable one:
`logits`, `log_rate`, `log_mean`. They have no defaults: a forgotten scale is an error and not a one.

**Shapes.** Arrays of one shape, or scalars; ranks are never promoted otherwise. `categorical` and `ordinal`
have a parameter with a last axis, and multivariate densities an observation with one or two. What a function
takes is written once, in the docstring of the log-density, and holds for the whole module.

**Dtypes.** Observations may be integers, booleans or floats. All is computed in the floating dtype of the
parameters.

**Outside the support** the log-density is minus infinity, never an exception and never a wrong finite number:
a count of 1.5, a label of 3 among 3 classes, a negative waiting time. Its derivatives there are zero. A
missing observation (NaN) gives NaN, and so does a parameter that is not one (a negative scale).

**Accuracy.** In float64 values agree with 50-digit arithmetic to 1e-12, relative, or to the effect of
rounding the arguments, where that is larger: at a gamma shape of 1e8 a last digit of y moves the log-
density by 1e-12. First and second derivatives in every real parameter are those of automatic
differentiation, forward or reverse, and agree to 1e-8; they are finite wherever the density is. No formula
subtracts what it could avoid adding (see `jaxmle.core.special`). The distribution functions that are incomplete
gamma or beta functions (`jaxmle.core.incomplete`) agree to 1e-11 and their derivatives, in the shapes too, to 1e-8,
for shapes from 1e-3.

**Densities made from densities**: `censored`, `truncated`, `mixture`, `zero_inflated`, `hurdle` and `transformed`
take densities and return one, which goes wherever a density does: `censored(weibull)` is a density with one
parameter more, the upper end of what is known.

**A new density** is one file like `exponential`, one name here, and one row in
`tests/contracts/density_table.py`, which puts it through all of the above.
"""

from jaxmle.densities import (
    asymmetric_laplace,
    bernoulli,
    beta,
    beta_binomial,
    binomial,
    categorical,
    cauchy,
    chi2,
    dirichlet,
    dirichlet_multinomial,
    exponential,
    f,
    gamma,
    generalized_normal,
    generalized_pareto,
    genextreme,
    geometric,
    gumbel,
    half_cauchy,
    half_normal,
    inverse_gamma,
    inverse_gaussian,
    kumaraswamy,
    laplace,
    lkj_cholesky,
    logistic,
    loglogistic,
    lognormal,
    multinomial,
    multivariate_normal,
    multivariate_normal_low_rank,
    multivariate_normal_precision,
    multivariate_student_t,
    negative_binomial,
    negative_binomial_linear,
    normal,
    ordinal,
    pareto,
    poisson,
    skew_normal,
    student_t,
    truncated_normal,
    uniform,
    von_mises,
    weibull,
)
from jaxmle.densities.censoring import censored
from jaxmle.densities.mixing import mixture
from jaxmle.densities.transformation import transformed
from jaxmle.densities.truncation import truncated
from jaxmle.densities.zeros import hurdle, zero_inflated

__all__ = [
    "asymmetric_laplace",
    "bernoulli",
    "beta",
    "beta_binomial",
    "binomial",
    "categorical",
    "cauchy",
    "censored",
    "chi2",
    "dirichlet",
    "dirichlet_multinomial",
    "exponential",
    "f",
    "gamma",
    "generalized_normal",
    "generalized_pareto",
    "genextreme",
    "geometric",
    "gumbel",
    "half_cauchy",
    "half_normal",
    "hurdle",
    "inverse_gamma",
    "inverse_gaussian",
    "kumaraswamy",
    "laplace",
    "lkj_cholesky",
    "logistic",
    "loglogistic",
    "lognormal",
    "mixture",
    "multinomial",
    "multivariate_normal",
    "multivariate_normal_low_rank",
    "multivariate_normal_precision",
    "multivariate_student_t",
    "negative_binomial",
    "negative_binomial_linear",
    "normal",
    "ordinal",
    "pareto",
    "poisson",
    "skew_normal",
    "student_t",
    "transformed",
    "truncated",
    "truncated_normal",
    "uniform",
    "von_mises",
    "weibull",
    "zero_inflated",
]
