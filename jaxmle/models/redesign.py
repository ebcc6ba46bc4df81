"""The rows of a new data frame, made as a formula made those of the fit."""

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxmle.models.formula import numbers_of, plain_message
from jaxmle.models.frame import Gaps, as_pandas, as_plain
from jaxmle.terms.problem import Problem


class Redesign:
    """Makes the rows of a regression from a data frame: knots of splines, levels of categories and means of scaled
    columns are those of the frame that the formula was fitted to.

    ``build`` is the model; ``spec`` what formulaic keeps of a design; ``columns`` those that it is made of; ``named``
    the columns of its options ("offset", "exposure", "trials"); ``given``, options that were given as arrays, which a
    new frame cannot replace; ``rest``, what the model must be told since new rows have no response; ``has_event``,
    whether it must be told of events, which they have none of either.
    """

    def __init__(self, build: Callable[..., Problem], spec: Any, columns: set[str], options: dict[str, Any]):
        self.build, self.spec, self.columns = build, spec, columns
        beside = {key: value for key, value in options.items() if key in ("offset", "exposure", "trials")}
        self.named = {key: value for key, value in beside.items() if isinstance(value, str)}
        self.given = [key for key in beside if key not in self.named]
        self.rest = {"n_classes": 2} if "n_classes" in inspect.signature(build).parameters else {}
        self.has_event = options.get("event") is not None

    def __call__(self, frame):
        """The rows x of the regression. Raises ``ValueError`` for columns that are not there, missing values and
        levels that the fit has not seen."""
        if self.given:
            raise ValueError(
                f"{self.given[0]} was given to the fit as an array, so it is not known for new rows: fit with "
                f"{self.given[0]}= the name of a column, or give predict the rows themselves"
            )
        used = as_plain(as_pandas(frame, self.columns | set(self.named.values())))
        gaps = Gaps.of({name: used[name] for name in used.columns})
        if gaps.rows:
            raise ValueError(f"{gaps.sentence()}; drop or fill these rows of the new frame first")
        x = self._matrix(used)
        options = {key: numbers_of(used[column], key) for key, column in self.named.items()}
        options |= {"event": np.ones(len(x))} if self.has_event else {}
        term: Any = self.build(x, np.zeros(len(x)), **self.rest, **options).objective.terms[0]
        return term.x

    def _matrix(self, used) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message="Data has categories outside")
            try:
                return self.spec.get_model_matrix(used).to_numpy(dtype=float)
            except Warning as error:
                raise ValueError(
                    "the new frame has a category that the fit has not seen "
                    f"({str(error).split('dataset):')[-1].split('.')[0].strip()}); there is no coefficient for it: "
                    "leave these rows out"
                ) from error
            except Exception as error:
                raise ValueError(f"the formula cannot be applied to the new frame: {plain_message(error)}") from error
