"""A prior with kinks: a log-density that has no derivative where a parameter equals its centre, but has a prox."""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core.evaluation import OBSERVED, Evaluation
from jaxmle.solvers.penalty import Penalty
from jaxmle.terms.objective import flatten_point
from jaxmle.terms.without_data import WithoutData

_DIGIT = 4096


class RoughPrior(WithoutData):
    """A log-density ``constant - penalty`` of a selection of parameters, not smooth. Made by the priors that have a
    prox, such as ``jm.priors.laplace``.

    ``density`` knows the selection as a list of leaves: ``density.penalty(leaves)`` is the penalty over their flat
    numbers, ``density.log_constant(leaves)`` the log of what makes it a density. It is not added into evaluations
    with derivatives: a solver that handles it is given :meth:`penalty`.
    """

    where: Callable
    density: Any
    is_likelihood: ClassVar[bool] = False
    is_smooth: ClassVar[bool] = False

    def log_density(self, params):
        """The log-density at ``params``, a scalar, with its constant."""
        leaves = _leaves(self.where(params))
        flat, _ = flatten_point(tuple(leaves))
        return self.density.log_constant(leaves) - self.density.penalty(leaves).value(flat)

    def evaluate(self, lift, point, order, curvature=OBSERVED):
        if order > 0:
            raise ValueError(
                f"a non-smooth prior ({type(self.density).__name__}) has no derivatives to add to those of the other "
                "terms; leave the solver to jm.fit, or use one that handles it: jm.solvers.ProximalNewton() or "
                "jm.solvers.ProximalGradient()"
            )
        value = jnp.asarray(self.log_density(lift(point)), flatten_point(point)[0].dtype)
        return Evaluation(jnp.zeros_like(value), value, jnp.abs(value))

    def penalty(self, lift: Callable, point: tuple, size: int, into: np.ndarray | None = None) -> Penalty:
        """The penalty in ``size`` coordinates: those of the flat ``point``, or the ones that ``into`` gives for each.

        Raises ``ValueError`` where the prior is not over a plain selection of free parameters, or ``into`` is -1 for
        one of them: its constraint leaves it no coordinate of its own.
        """
        places = coordinates(self.where, lift, point)
        if into is not None:
            places = into[places]
            if (places < 0).any():
                raise ValueError(_refusal(self.where, "part of what it selects carries a constraint"))
        with jax.ensure_compile_time_eval():
            leaves = _leaves(self.where(lift(point)))
        return self.density.penalty(leaves).placed(places, size)


def coordinates(where: Callable, lift: Callable, point: tuple) -> np.ndarray:
    """Where in the flat ``point`` the numbers are that ``where(lift(point))`` selects, in their order.

    Only the shapes of ``point`` are looked at, so that it works while a fit is compiled: numbers that tell their
    place are put in, and read where they come out. Raises ``ValueError`` unless ``where`` is a plain selection of
    free parameters, each at most once.

    >>> point = (jnp.zeros(3), jnp.zeros(()))
    >>> coordinates(lambda p: p["beta"][1:], lambda point: {"beta": point[0], "c": point[1]}, point)
    array([1, 2])
    """
    size = sum(leaf.size for leaf in point)
    place = np.arange(size)
    # Digits, so that float32 tells places apart too; and numbers that nothing but a selection leaves as they are.
    codes = [place % _DIGIT + 1.0, place // _DIGIT + 1.0, np.random.default_rng(0).normal(size=size)]
    low, high, check = (_selected(where, lift, point, code) for code in codes)
    found = (low - 1.0) + _DIGIT * (high - 1.0)
    places = np.where(np.isfinite(found), found, -1.0).astype(np.int64)
    inside = (places >= 0) & (places < size) & (low == np.rint(low)) & (high == np.rint(high))
    same = inside.all() and np.array_equal(_rounded(codes[2], point)[places], check)
    if not same:
        raise ValueError(_refusal(where, "it does not select free parameters as they are"))
    if np.unique(places).size != places.size:
        raise ValueError(_refusal(where, "it selects the same parameter more than once"))
    return places


def _rounded(code, point) -> np.ndarray:
    """``code`` as the leaves of ``point`` can hold it."""
    ends = np.cumsum([leaf.size for leaf in point], dtype=int)
    parts = [code[end - leaf.size : end].astype(leaf.dtype) for leaf, end in zip(point, ends, strict=True)]
    return np.concatenate(parts).astype(float)


def _selected(where, lift, point, code) -> np.ndarray:
    """What ``where`` makes of a point that holds the numbers of ``code``."""
    with jax.ensure_compile_time_eval():
        ends = np.cumsum([leaf.size for leaf in point], dtype=int)
        parts = [
            jnp.asarray(code[end - leaf.size : end].reshape(leaf.shape), leaf.dtype)
            for leaf, end in zip(point, ends, strict=True)
        ]
        leaves = _leaves(where(lift(tuple(parts))))
        try:
            flat = [np.asarray(leaf).ravel() for leaf in leaves]
        except jax.errors.TracerArrayConversionError as error:
            reason = "part of what it selects is held fixed, or data"
            raise ValueError(_refusal(where, reason)) from error
    return np.concatenate(flat).astype(float) if flat else np.zeros(0)


def _refusal(where, reason: str) -> str:
    names = [repr(name) for name in getattr(where, "args", ()) if isinstance(name, str)]
    return (
        f"a non-smooth prior cannot be over {names[0] if names else 'this function of params'}: {reason}. It needs a "
        "leaf or a selection such as 'beta' or lambda p: p['beta'][1:], none of it fixed, tied twice or computed "
        "(2 * beta, differences): make what is to be zero a parameter of its own, or use a smooth prior such as "
        "jm.priors.normal"
    )


def _leaves(selection) -> list:
    return [jnp.asarray(leaf) for leaf in jax.tree.leaves(selection) if eqx.is_array_like(leaf)]
