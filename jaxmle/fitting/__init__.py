"""Fitting: from an objective and a start to an estimate.

:func:`fit` climbs; :class:`Fit` is what it found, and whether that is an estimate.
"""

from jaxmle.fitting.fit import fit
from jaxmle.fitting.result import Fit

__all__ = ["Fit", "fit"]
