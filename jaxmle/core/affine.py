"""Functions that are a row vector times numbers of the point: found out from their jaxpr, with that row vector.

An output that is ``sum_q design[q] * point[coordinates[q]]`` plus what the point has no part in has the derivative
``design``, whatever the point: nobody need differentiate it. With several outputs over the same design (softmax
regression) the derivative is the design many times over, with zeros between, and nobody need write these down.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun


@dataclasses.dataclass(frozen=True)
class Affine:
    """An array whose entry e is ``sum_q design[q] * point[coordinates[e, q]]`` plus something fixed.

    ``design`` None is the number one; a coordinate of -1 is a number that is not there.
    """

    design: Any
    coordinates: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.coordinates.shape[:-1]


class NotAffine(Exception):
    """What was looked at is not affine, or not seen to be."""


def affine_parts(function: Callable, point: tuple, *rest) -> list:
    """The outputs of ``function(point, *rest)`` as :class:`Affine` arrays in the flat ``point``; None for one that the
    point has no part in.

    Arguments: ``function`` returns a list of arrays; ``point``, a tuple of arrays; ``rest``, trees of arrays, which
    may be traced. The designs are computed from ``rest``. Errors: :class:`NotAffine`.

    >>> parts = affine_parts(lambda p, x: [x @ p[0] + p[1]], (jnp.zeros(2), jnp.zeros(())), jnp.array([3.0, 4.0]))
    >>> parts[0].design.tolist(), parts[0].coordinates.tolist()
    ([3.0, 4.0, 1.0], [0, 1, 2])
    """
    flat_rest, treedef = jax.tree_util.tree_flatten(rest)

    def flat(*leaves):
        return function(leaves[: len(point)], *jax.tree_util.tree_unflatten(treedef, leaves[len(point) :]))

    closed = jax.make_jaxpr(flat)(*point, *flat_rest)
    ends = np.cumsum([0, *(int(np.size(leaf)) for leaf in point)])
    entries = [
        Affine(None, np.arange(begin, begin + leaf.size).reshape(*leaf.shape, 1))
        for begin, leaf in zip(ends, point, strict=False)
    ]
    found = _walk(closed.jaxpr, closed.consts, [*entries, *flat_rest], [True] * len(closed.jaxpr.outvars))
    return [one if isinstance(one, Affine) else None for one in found]


def _walk(jaxpr, constants, arguments, wanted) -> list:
    known = dict(zip(jaxpr.constvars, constants, strict=True))
    known.update(zip(jaxpr.invars, arguments, strict=True))

    def of(variable):
        return variable.val if hasattr(variable, "val") else known[variable]

    for equation, asked in _needed(jaxpr, wanted):
        found = _apply(jaxpr, equation, [of(v) for v in equation.invars], asked)
        known.update(zip(equation.outvars, found, strict=True))
    return [of(v) if is_wanted else None for v, is_wanted in zip(jaxpr.outvars, wanted, strict=True)]


def _needed(jaxpr, wanted: list[bool]) -> list:
    """The equations that the ``wanted`` outputs depend on, in order, and which outputs are asked of each: what is
    computed beside them need not be affine."""
    asked, kept = {id(v) for v, is_wanted in zip(jaxpr.outvars, wanted, strict=True) if is_wanted}, []
    for equation in reversed(jaxpr.eqns):
        outputs = [id(v) in asked for v in equation.outvars]
        if any(outputs):
            asked |= set(map(id, equation.invars))
            kept.append((equation, outputs))
    return kept[::-1]


def _apply(jaxpr, equation, arguments, asked) -> list:
    if not any(isinstance(argument, Affine) for argument in arguments):
        return _computed(jaxpr, equation, arguments)
    name = equation.primitive.name
    if name in ("pjit", "jit", "closed_call"):
        inner = equation.params.get("jaxpr") or equation.params["call_jaxpr"]
        return _walk(inner.jaxpr, inner.consts, arguments, asked)
    if name not in _RULES:
        raise NotAffine(name)
    return [_RULES[name](equation, *arguments)]


def _computed(jaxpr, equation, arguments) -> list:
    """What an equation of ``jaxpr`` makes of arrays."""
    variables = {v: a for v, a in zip(equation.invars, arguments, strict=True) if not hasattr(v, "val")}
    alone = jaxpr.replace(
        constvars=[], invars=list(variables), outvars=equation.outvars, eqns=[equation], effects=equation.effects
    )
    return jaxpr_as_fun(ClosedJaxpr(alone, ()))(*variables.values())


def _rearranged(change: Callable) -> Callable:
    """The rule of a primitive that only rearranges entries: ``change(coordinates, parameters)``."""

    def rule(equation, affine, *others):
        if others:
            raise NotAffine(equation.primitive.name)
        return Affine(affine.design, change(affine.coordinates, equation.params))

    return rule


def _converted(equation, affine):
    if equation.invars[0].aval.dtype != equation.params["new_dtype"]:
        raise NotAffine("convert_element_type")
    return affine


def _broadcast(coordinates, parameters):
    shape, places = parameters["shape"], parameters["broadcast_dimensions"]
    sizes = [1] * len(shape)
    for place, size in zip(places, coordinates.shape[:-1], strict=True):
        sizes[place] = size
    count = coordinates.shape[-1]
    return np.broadcast_to(coordinates.reshape(*sizes, count), (*shape, count))


def _sliced(coordinates, parameters):
    strides = parameters["strides"] or [1] * len(parameters["start_indices"])
    ends = zip(parameters["start_indices"], parameters["limit_indices"], strides, strict=True)
    return coordinates[tuple(slice(*end) for end in ends)]


def _negated(equation, affine):
    return Affine(-_written_out(affine, equation.outvars[0].aval.dtype), affine.coordinates)


def _added(equation, left, right):
    if not isinstance(left, Affine):
        left, right = right, left
    if not isinstance(right, Affine):
        return left if left.shape == equation.outvars[0].aval.shape else _refuse()
    dtype = equation.outvars[0].aval.dtype
    coordinates = np.concatenate([left.coordinates, right.coordinates], axis=-1)
    ordered = np.sort(coordinates, axis=-1)
    if np.any((ordered[..., 1:] == ordered[..., :-1]) & (ordered[..., 1:] >= 0)):
        raise NotAffine("the same number twice")
    return Affine(jnp.concatenate([_written_out(left, dtype), _written_out(right, dtype)]), coordinates)


def _subtracted(equation, left, right):
    return _added(equation, left, _negated(equation, right) if isinstance(right, Affine) else right)


def _multiplied(equation, left, right):
    affine, number = (left, right) if isinstance(left, Affine) else (right, left)
    if isinstance(number, Affine) or jnp.ndim(number) or affine.shape:
        raise NotAffine("mul")
    return Affine(_written_out(affine, equation.outvars[0].aval.dtype) * number, affine.coordinates)


def _dotted(equation, left, right):
    (of_left, of_right), batch = equation.params["dimension_numbers"]
    if isinstance(right, Affine):
        row, affine, axes = left, right, of_right
    else:
        row, affine, axes = right, left, of_left
    if isinstance(row, Affine) or affine.design is not None or jnp.ndim(row) != 1 or len(axes) != 1 or any(batch):
        raise NotAffine("dot_general")
    return Affine(row, np.moveaxis(affine.coordinates[..., 0], axes[0], -1))


def _joined(equation, *pieces):
    designs = [piece.design for piece in pieces if isinstance(piece, Affine)]
    if any(design is not designs[0] for design in designs):
        raise NotAffine("concatenate")
    count = next(piece.coordinates.shape[-1] for piece in pieces if isinstance(piece, Affine))
    coordinates = [
        piece.coordinates if isinstance(piece, Affine) else np.full((*jnp.shape(piece), count), -1) for piece in pieces
    ]
    return Affine(designs[0], np.concatenate(coordinates, axis=equation.params["dimension"]))


def _written_out(affine, dtype):
    return jnp.ones(affine.coordinates.shape[-1], dtype) if affine.design is None else affine.design


def _refuse():
    raise NotAffine("shape")


_RULES: dict[str, Callable] = {
    "add": _added,
    "add_any": _added,
    "broadcast_in_dim": _rearranged(_broadcast),
    "concatenate": _joined,
    "convert_element_type": _converted,
    "copy": _rearranged(lambda coordinates, _: coordinates),
    "dot_general": _dotted,
    "mul": _multiplied,
    "neg": _negated,
    "reshape": _rearranged(lambda coordinates, p: coordinates.reshape(*p["new_sizes"], coordinates.shape[-1])),
    "slice": _rearranged(_sliced),
    "squeeze": _rearranged(lambda coordinates, p: np.squeeze(coordinates, tuple(p["dimensions"]))),
    "sub": _subtracted,
    "transpose": _rearranged(lambda c, p: np.transpose(c, (*p["permutation"], c.ndim - 1))),
}
