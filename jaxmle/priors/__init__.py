"""Ready-made priors: log-densities of parameters, as terms.

A prior over a leaf (``"beta"``) or over any function of params is the sum of a density over its entries. Each is a
penalty in the other spelling: :mod:`jaxmle.priors.penalties`. The mode they lead to is that of the density in the
parameters as the user wrote them. Those with a kink (:func:`laplace`, :func:`elastic_net`, :func:`group_laplace`)
lead to modes with exact zeros. :func:`firth` takes the first order of the bias away.
"""

from jaxmle.priors import penalties
from jaxmle.priors.elastic_net import elastic_net
from jaxmle.priors.firth import firth
from jaxmle.priors.flat import flat
from jaxmle.priors.group_laplace import group_laplace
from jaxmle.priors.laplace import laplace
from jaxmle.priors.normal import normal

__all__ = ["elastic_net", "firth", "flat", "group_laplace", "laplace", "normal", "penalties"]
