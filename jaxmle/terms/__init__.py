"""Terms: the additive pieces of a log-posterior.

A likelihood of rows (:func:`likelihood`), a noise model around a prediction (:func:`regression`), a loss of one
(:func:`risk`), a log-prior (:func:`log_prior`): each is a tree of arrays, callable on params, and knows its own local
quadratic. Terms over the same parameters add to an :class:`Objective`; with a start to climb from, that is a
:class:`Problem`. Many of them are lanes along an axis (:func:`lane_axes`), ragged groups too (:func:`group_by`). Rows
are spread over devices by :func:`shard`.
"""

from jaxmle.terms.groups import group_by
from jaxmle.terms.lanes import lane_axes
from jaxmle.terms.likelihood import likelihood
from jaxmle.terms.objective import Objective
from jaxmle.terms.prior import log_prior
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression
from jaxmle.terms.risk import risk
from jaxmle.terms.rows import shared
from jaxmle.terms.shard import shard

__all__ = [
    "Objective",
    "Problem",
    "group_by",
    "lane_axes",
    "likelihood",
    "log_prior",
    "regression",
    "risk",
    "shard",
    "shared",
]
