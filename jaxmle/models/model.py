"""A ready-made regression: a function from arrays to a problem, that can also be called from a formula."""

import functools
from collections.abc import Callable
from typing import Any

from jaxmle.models.formula import read_formula
from jaxmle.terms.problem import Problem


class Model:
    """A function ``(x, y, ..., labels=)`` that returns a problem, with the same from a formula and a data frame."""

    def __init__(self, build: Callable[..., Problem]):
        functools.update_wrapper(self, build)
        self._build = build

    def __call__(self, x, y, *args: Any, **options: Any) -> Problem:
        return self._build(x, y, *args, **options)

    def from_formula(self, formula: str, frame, **options: Any) -> Problem:
        """The problem of ``formula`` ("y ~ a + C(b)") on a data frame; coefficients bear the design's column names.

        Options are those of the model itself. Raises ``ValueError`` for a formula that cannot be read, a column that
        the frame does not have, missing values in the columns used (which rows), or a response that is not one
        column of numbers; ``ImportError`` where formulaic is not installed.
        """
        x, y, labels = read_formula(formula, frame)
        return self._build(x, y, labels=labels, **options)

    def __repr__(self) -> str:
        return f"jaxmle.models.{self._build.__name__}"
