"""Parameters: the marks a user puts on a start tree, and the space of free numbers they amount to.

A *mark* wraps a leaf of the start and says what values it may take: ``jm.positive(1.0)``. Marks know a
*bijection* between those values and unconstrained numbers. The *space* is the whole tree: ``params -> z``, a flat
vector of free numbers, and back.
"""

from jaxmle.parameters.marks import (
    correlation_matrix,
    covariance_matrix,
    fixed,
    free,
    interval,
    ordered,
    positive,
    simplex,
    tied,
    unit_vector,
)
from jaxmle.parameters.space import Space
from jaxmle.parameters.starts import random_starts

__all__ = [
    "Space",
    "correlation_matrix",
    "covariance_matrix",
    "fixed",
    "free",
    "interval",
    "ordered",
    "positive",
    "random_starts",
    "simplex",
    "tied",
    "unit_vector",
]
