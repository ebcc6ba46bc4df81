"""The term of a loss around a prediction, whose fit is an M-estimate.

It is a regression whose log-density is minus the loss: no normalised one, so that what needs a model (AIC, BIC,
likelihood ratios, profiles) does not exist, and standard errors are those of the sandwich.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxmle.core.tree import as_array, as_leaf
from jaxmle.losses.catalogue import facts_of
from jaxmle.terms.objective import Objective, Term
from jaxmle.terms.regression import check_predictor, regression


@dataclasses.dataclass(frozen=True)
class MinusLoss:
    """Minus a loss in the place of a log-density: ``(target, prediction, *numbers)``, with the loss's own numbers by
    name, and what else it was given."""

    loss: Callable
    names: tuple[str, ...]
    choices: tuple[tuple[str, Any], ...]
    NOUN: ClassVar[str] = "loss"

    def __call__(self, target, prediction, *numbers):
        return -self.loss(prediction, target, **dict(zip(self.names, numbers, strict=True)), **dict(self.choices))

    @property
    def support(self) -> Callable | None:
        """Whether the loss takes a target, a function of the target and the prediction; None where it takes any number
        or nothing is known."""
        facts = facts_of(self.loss)
        return None if facts is None or facts.targets is None else self._takes

    def _takes(self, target, prediction, *numbers):
        return self(target, jnp.zeros_like(prediction), *numbers) > -jnp.inf

    @property
    def SUPPORT(self) -> str:
        """The targets that the loss takes, in words."""
        facts = facts_of(self.loss)
        return (facts and facts.targets) or "any number"

    @property
    def CORNERS(self) -> bool:
        """Whether the loss, as it was given, has a gradient that jumps and no curvature elsewhere."""
        facts = facts_of(self.loss)
        return facts is not None and facts.has_corners and facts.smoothed_by not in self.names

    def surrogate(self, target, prediction, *numbers):
        """Minus the curvature of a parabola that is nowhere below the loss and touches it; None where none is known."""
        facts = facts_of(self.loss)
        if facts is None or facts.weight is None or self.CORNERS:
            return None
        return -facts.weight(prediction, target, **dict(zip(self.names, numbers, strict=True)))

    @property
    def __name__(self) -> str:
        return getattr(self.loss, "__name__", type(self.loss).__name__)


class WithNumbers(eqx.Module):
    """A predictor and the numbers of a loss, which are the same for every row."""

    predictor: Callable
    numbers: tuple[Any, ...]

    def __call__(self, params, row):
        found = self.predictor(params, row)
        if isinstance(found, tuple) and len(found) != 1:
            raise TypeError(
                f"a loss has one prediction, and the predictor returned {len(found)}: return one, and give the loss "
                "its own numbers by functools.partial(jm.losses.huber, delta=1.345)"
            )
        (prediction,) = found if isinstance(found, tuple) else (found,)
        dtype = jnp.result_type(*jax.tree.leaves(prediction))
        return prediction, *(number.astype(dtype) for number in self.numbers)


def risk(loss: Callable, predictor: Callable, x, y, weights=None, *, block: int | None = None) -> Term:
    """Minus the sum of a ``loss`` of predictions and targets: its maximum is an M-estimate.

    Arguments:
        loss: ``loss(prediction, target)`` gives one number for one row: a function of :mod:`jaxmle.losses`, or any.
            Its own numbers are given by ``functools.partial(jm.losses.huber, delta=1.345)``: they are part of the data,
            so that another delta compiles nothing.
        predictor: ``predictor(params, x_i)`` takes *one* row and returns its prediction, or a tuple of it alone.
        x: a tree of arrays with a leading row axis; what all rows share is wrapped in ``jm.shared``.
        y: the targets, an array with a leading row axis. Integers and booleans are fine.
        weights: case weights, shape ``(n,)``: weight 2 equals the row twice.
        block: how many rows are evaluated at once; by default what suits the backend.

    Returns a term with factored curvature, like that of :func:`jaxmle.regression`. Its "log-likelihood" is minus the
    loss, with no constant, so it is that of no model: :func:`jaxmle.infer` takes the sandwich in place of the curvature
    alone, refuses kinds that need a model, and gives no AIC or BIC. Standard errors do not depend on the units
    of the loss. A loss with corners (absolute_error, quantile, hinge) has no curvature to take them from, so that they
    are NaN, and its fit says how far it came.

    Errors: ``TypeError`` for a loss that is no function, lacks a number of its own, or is no objective (zero_one), for
    a predictor that does not take params and a row, and where data are not numbers; ``ValueError`` for pandas rows
    labelled differently; from ``jm.fit``: different numbers of rows, no rows, several predictions.

    >>> import functools
    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> y = jnp.array([1.0, 2.0, 4.0, 40.0])
    >>> loss = functools.partial(jm.losses.huber, delta=1.5)
    >>> term = jm.risk(loss, lambda params, row: params["centre"], y, y)
    >>> fit = jm.fit(term, {"centre": 2.0})
    >>> round(float(fit.params["centre"]), 4), round(float(jm.infer(term, fit).bse["centre"]), 4)
    (3.0, 1.2748)

    Source: Huber (1964); White (1982); van der Vaart (1998), "Asymptotic Statistics", theorem 5.23.
    """
    plain, options = _taken_apart(loss)
    _check(plain, options)
    numbers = {name: as_array(value, name).astype(float) for name, value in options.items() if _is_number(value)}
    choices = tuple((name, value) for name, value in options.items() if name not in numbers)
    check_predictor(predictor)
    predictions = WithNumbers(as_leaf(predictor), tuple(numbers.values()))
    return regression(MinusLoss(plain, tuple(numbers), choices), predictions, x, y, weights, block=block)


def has_corners(objective: Objective) -> bool:
    """Whether a loss or a density around a prediction has corners, and no curvature between them."""
    return any(getattr(density, "CORNERS", False) for density in _densities(objective))


def losses_of(objective: Objective) -> tuple[str, ...]:
    """The names of the losses in ``objective``, whose sum is then no model's log-likelihood."""
    return tuple(loss.__name__ for loss in _losses(objective))


def _densities(objective: Objective) -> list[Any]:
    return [getattr(getattr(term, "term", term), "density", None) for term in objective.terms]


def _losses(objective: Objective) -> list[MinusLoss]:
    return [density for density in _densities(objective) if isinstance(density, MinusLoss)]


def _taken_apart(loss) -> tuple[Any, dict[str, Any]]:
    """The function, and what it was given by name."""
    options: dict[str, Any] = {}
    while isinstance(loss, functools.partial) and not loss.args:
        loss, options = loss.func, {**loss.keywords, **options}
    return loss, options


def _is_number(value) -> bool:
    return not isinstance(value, bool | str) and value is not None and eqx.is_array_like(value)


def _check(loss, options) -> None:
    if isinstance(loss, ModuleType) or not callable(loss):
        what = f"module {loss.__name__}" if isinstance(loss, ModuleType) else type(loss).__name__
        raise TypeError(
            f"jm.risk takes a function of a prediction and a target, such as jm.losses.huber, not a {what}; the "
            "term of a density is jm.regression"
        )
    facts = facts_of(loss)
    if facts is not None and facts.refusal is not None:
        raise TypeError(f"{loss.__name__} {facts.refusal}")
    name = getattr(loss, "__name__", type(loss).__name__)
    try:
        inspect.signature(loss).bind(None, None, **options)
    except TypeError as error:
        raise TypeError(
            f"{name}(prediction, target) cannot be called: {error}; give a loss its own numbers by name, "
            f"functools.partial({name}, ...)"
        ) from error
    except ValueError:  # a function in C, which does not say what it takes
        pass
