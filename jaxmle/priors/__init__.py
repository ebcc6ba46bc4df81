"""Ready-made priors: log-densities of parameters, as terms.

A prior over a leaf (``"beta"``), a sub-tree or any function of params is the sum of a density over its entries. Each is
a penalty in the other spelling, whose strength its docstring tells: :mod:`jaxmle.priors.penalties`. The mode they lead
to is that of the density in the parameters as the user wrote them. Those with a kink (:func:`laplace`,
:func:`elastic_net`, :func:`group_laplace`) lead to modes with exact zeros. Under :func:`hierarchical` with its scale
free, and under :func:`horseshoe`, there is no mode, and ``jm.fit`` says so. :func:`firth` takes the first order of the
bias away.
"""

from jaxmle.priors import penalties
from jaxmle.priors.beta import beta, dirichlet
from jaxmle.priors.cauchy import cauchy, half_cauchy
from jaxmle.priors.elastic_net import elastic_net
from jaxmle.priors.firth import firth
from jaxmle.priors.flat import flat
from jaxmle.priors.gamma import exponential, gamma, inverse_gamma
from jaxmle.priors.group_laplace import group_laplace
from jaxmle.priors.half_normal import half_normal
from jaxmle.priors.hierarchical import hierarchical
from jaxmle.priors.horseshoe import horseshoe
from jaxmle.priors.laplace import laplace
from jaxmle.priors.lkj import lkj
from jaxmle.priors.normal import normal
from jaxmle.priors.smoothing import smoothing
from jaxmle.priors.student_t import half_student_t, student_t
from jaxmle.priors.uniform import uniform

__all__ = [
    "beta",
    "cauchy",
    "dirichlet",
    "elastic_net",
    "exponential",
    "firth",
    "flat",
    "gamma",
    "group_laplace",
    "half_cauchy",
    "half_normal",
    "half_student_t",
    "hierarchical",
    "horseshoe",
    "inverse_gamma",
    "laplace",
    "lkj",
    "normal",
    "penalties",
    "smoothing",
    "student_t",
    "uniform",
]
