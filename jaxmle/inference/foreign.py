"""A fit handed over with another objective: told by what a function asks of the parameters and they do not have."""

from collections.abc import Callable
from typing import Any

import jax

from jaxmle.core.tree import NoSuchParameter
from jaxmle.fitting.result import Fit


class foreign_fit:
    """A context in which the failure to evaluate ``functions`` of params, the objective the first, is the
    ``ValueError`` about a fit of another objective, where one of them asks for what the parameters of ``fit`` do not
    have; any other error is the function's own, and left as it is."""

    def __init__(self, fit: Fit, *functions: Callable | None):
        self.fit, self.functions = fit, functions

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if not isinstance(error, KeyError | AttributeError | IndexError):
            return
        missing = _asked_in_vain(self.fit, [function for function in self.functions if function is not None])
        if missing is not None:
            names = ", ".join(leaf.name for leaf in self.fit.space.layout.leaves)
            raise ValueError(
                f"this fit is not one of this objective: the fit has the parameters {names}, and a function asks them "
                f"for what they do not have ({missing}); give both from the same jm.fit, and functions of its "
                "parameters"
            ) from error


def _asked_in_vain(fit: Fit, functions) -> Exception | None:
    """What ``functions`` raise that ask the parameters of ``fit`` for what is not there; None where they do not."""
    space, kinds = fit.space.unlabelled(), set()

    def ask(z):
        params = _watched(space.params(z), kinds)
        return [function(params) for function in functions]

    try:
        jax.eval_shape(ask, fit.z)
    except (NoSuchParameter, _NoKey, _NoPlace) as error:
        return error
    except AttributeError as error:
        return error if type(error.obj) in kinds else None
    except Exception:  # the function's own, which the caller has met
        return None
    return None


class _NoKey(KeyError):
    """A key that the parameters do not have."""


class _NoPlace(IndexError):
    """A place that the parameters do not have."""


class _Dict(dict):
    def __missing__(self, key):
        raise _NoKey(key)


class _List(list):
    def __getitem__(self, at):
        return _at(super().__getitem__, at, len(self))


class _Tuple(tuple):
    def __getitem__(self, at):
        return _at(super().__getitem__, at, len(self))


def _at(get, at, length):
    try:
        return get(at)
    except IndexError as error:
        raise _NoPlace(f"place {at} of {length}") from error


_WATCHED: dict[type, type] = {dict: _Dict, list: _List, tuple: _Tuple}
jax.tree_util.register_pytree_node(
    _Dict,
    lambda node: (tuple(node.values()), tuple(node)),
    lambda keys, values: _Dict(zip(keys, values, strict=True)),
)
jax.tree_util.register_pytree_node(_List, lambda node: (tuple(node), None), lambda _, values: _List(values))
jax.tree_util.register_pytree_node(_Tuple, lambda node: (tuple(node), None), lambda _, values: _Tuple(values))


def _watched(node: Any, kinds: set) -> Any:
    """``node`` with dicts, lists and tuples that say so when they are asked for what they do not have; the types of its
    inner nodes are added to ``kinds``."""
    children, treedef = jax.tree_util.tree_flatten(node, is_leaf=lambda part: part is not node)
    if len(children) == 1 and children[0] is node:
        return node
    within = treedef.unflatten([_watched(child, kinds) for child in children])
    within = _WATCHED.get(type(within), lambda same: same)(within)
    kinds.add(type(within))
    return within
