"""Ready-made problems: an objective with a start, from data.

One sample of any univariate density: :func:`distribution`; of some, in everyday names: :func:`normal`,
:func:`bernoulli`, :func:`binomial`, :func:`poisson`, :func:`exponential`. A response and a design: :data:`linear`,
:data:`logistic`, :data:`softmax`, :data:`ordinal_regression`, :data:`poisson_regression`,
:data:`negative_binomial_regression`, :data:`survival_regression`, each also ``from_formula("y ~ a + C(b)", frame)``.
Any mean function: :func:`nonlinear_least_squares`.

Arrays are taken as they are: no intercept is added to a design. A formula adds its own.
"""

from jaxmle.models.distribution import distribution
from jaxmle.models.least_squares import LeastSquares, least_squares
from jaxmle.models.linear import linear
from jaxmle.models.logistic import logistic
from jaxmle.models.negative_binomial_regression import negative_binomial_regression
from jaxmle.models.nonlinear import nonlinear_least_squares
from jaxmle.models.one_sample import bernoulli, binomial, exponential, normal, poisson
from jaxmle.models.ordinal_regression import ordinal_regression
from jaxmle.models.poisson_regression import poisson_regression
from jaxmle.models.softmax import softmax
from jaxmle.models.survival_regression import survival_regression

__all__ = [
    "LeastSquares",
    "bernoulli",
    "binomial",
    "distribution",
    "exponential",
    "least_squares",
    "linear",
    "logistic",
    "negative_binomial_regression",
    "nonlinear_least_squares",
    "normal",
    "ordinal_regression",
    "poisson",
    "poisson_regression",
    "softmax",
    "survival_regression",
]
