"""Inference: what a fitted likelihood can honestly say.

Functions of an objective and a fit, indifferent to who found the estimate. :func:`infer` gives standard errors, tests
and intervals; :func:`summary` prints them. Where something does not exist it is NaN, with its reason.
"""

from jaxmle.inference.infer import infer, summary
from jaxmle.inference.inference import Inference
from jaxmle.inference.scores import scores

__all__ = ["Inference", "infer", "scores", "summary"]
