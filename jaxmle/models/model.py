"""A ready-made regression: a function from arrays to a problem, that can also be called from a formula."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

from jaxmle.models.formula import read_formula
from jaxmle.models.frame import DroppedRows
from jaxmle.models.redesign import Redesign
from jaxmle.terms.problem import Problem


class Model:
    """A function ``(x, y, ..., labels=)`` that returns a problem, with the same from a formula and a data frame.

    ``constant`` says whether the constant that a formula has is a column of the design, or something else in the model
    stands for it.
    """

    def __init__(self, build: Callable[..., Problem], constant: bool = True):
        functools.update_wrapper(self, build)
        self._build, self._constant = build, constant

    def __call__(self, x, y, *args: Any, **options: Any) -> Problem:
        return self._build(x, y, *args, **options)

    def from_formula(self, formula: str, frame, *, missing: str = "raise", **options: Any) -> Problem:
        """The problem of ``formula`` ("y ~ a + C(b)") on a data frame; coefficients bear the design's column names.

        Arguments: ``formula``, as formulaic reads it: ``a:b`` and ``a * b`` are interactions, ``bs(a, df=4)`` and
        ``cr(a, df=4)`` splines, ``C(b, contr.sum)`` and ``C(b, contr.treatment("base"))`` codings of categories;
        ``frame``, pandas or polars; ``missing``, what becomes of rows with a missing value in what is used: "raise",
        or "drop", which the table then reports. Options are those of the model itself; ``weights``, ``offset``,
        ``exposure``, ``trials`` and ``event`` may be names of columns.

        Errors: ``ValueError`` for a formula that cannot be read, a column that the frame does not have, weights and the
        like whose rows pandas labels differently, missing values (which rows), or a response that is not one column of
        numbers (for softmax also of texts or categories); ``TypeError`` for an option that the model does not have, or
        no data frame; ``ImportError`` where formulaic is not installed.

        >>> import pandas
        >>> import jaxmle as jm
        >>> frame = pandas.DataFrame({"deaths": [2, 6, None], "years": [1.0, 2.0, 2.0]})
        >>> model = jm.models.poisson_regression
        >>> problem = model.from_formula("deaths ~ 1", frame, exposure="years", missing="drop")
        >>> round(float(jm.fit(problem).params["beta"][0]), 4)
        0.9808
        """
        self._check_options(options)
        read = read_formula(
            formula, frame, options, missing, names_classes="n_classes" in self.options(), constant=self._constant
        )
        problem = self._build(read.x, read.y, labels=read.labels, **read.options)
        problem = dataclasses.replace(problem, design=Redesign(self._build, *read.spec, options))
        if read.dropped is None:
            return problem
        return dataclasses.replace(problem, remarks=DroppedRows(read.dropped, problem.remarks))

    def options(self) -> list[str]:
        """The names of what the model takes besides a design, a response and labels."""
        return [name for name in inspect.signature(self._build).parameters if name not in ("x", "y", "labels")]

    def _check_options(self, options):
        unknown = [name for name in options if name not in self.options()]
        if unknown:
            raise TypeError(
                f"jm.models.{self._build.__name__} has no option {', '.join(unknown)}; with a formula it takes: "
                f"{', '.join(['missing', *self.options()])}"
            )

    def __repr__(self) -> str:
        return f"jaxmle.models.{self._build.__name__}"
