"""What a row of a table of densities is."""

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np


class Row(NamedTuple):
    """A density module and its independent references.

    exact: the textbook formula in mpmath, of mpmath numbers.
    frozen: scipy's distribution at ordinary parameters.
    grid: y and parameters, columns of one length; tails and extremes included.
    points: a few rows, first and second derivatives of which are compared with mpmath's.
    free: which arguments are real parameters (0 is y).
    invalid: observations with parameters, whose log-density is minus infinity.
    typical: ordinary parameters, at which sums, samples and distribution functions are checked.
    positive: the parameters that must be.
    pack: the parameters, from numbers to what the density takes.
    absolute: an error allowed in the value, in roundings of 1, where it is a log-probability near 0.
    """

    module: object
    exact: Callable
    frozen: Callable
    grid: tuple
    points: list
    free: tuple
    invalid: list
    typical: tuple
    positive: tuple = ("scale", "df", "a", "b", "concentration")
    pack: Callable = lambda *parameters: parameters
    absolute: float = 0.0

    @property
    def name(self) -> str:
        return self.module.__name__.rsplit(".", 1)[-1]

    @property
    def logprob(self) -> Callable:
        return getattr(self.module, "logpdf", None) or self.module.logpmf


def grid(*axes, keep=lambda *row: True):
    """All combinations as columns, thinned by `keep`."""
    rows = [row for row in product(*axes) if keep(*row)]
    return tuple(np.array(column, float) for column in zip(*rows, strict=True))
