"""Fitting: from an objective and a start to an estimate.

:func:`fit` climbs, :func:`fit_batch` many times at once, :func:`train` over batches of rows; :class:`Fit` is what they
found, and whether that is an estimate.
"""

from jaxmle.fitting.batch import fit_batch
from jaxmle.fitting.best import fit_best
from jaxmle.fitting.fit import fit
from jaxmle.fitting.polish import polish
from jaxmle.fitting.refit import refit
from jaxmle.fitting.result import Fit
from jaxmle.fitting.save import load, save
from jaxmle.fitting.trace import trace
from jaxmle.fitting.train import train

__all__ = ["Fit", "fit", "fit_batch", "fit_best", "load", "polish", "refit", "save", "trace", "train"]
