"""Ready-made priors: log-densities of parameters, as terms.

A prior over a leaf (``"beta"``) or over any function of params is the sum of a density over its entries. Each is a
penalty in the other spelling: :mod:`jaxmle.priors.penalties`. The mode they lead to is that of the density in the
parameters as the user wrote them.
"""

from jaxmle.priors import penalties
from jaxmle.priors.flat import flat
from jaxmle.priors.normal import normal

__all__ = ["flat", "normal", "penalties"]
