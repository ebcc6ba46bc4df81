"""Functions compiled as thoroughly as their work deserves.

Compiling takes seconds and a fit of a thousand rows a third of a millisecond. XLA's newer way to build CPU kernels
doubles the time of compiling; what it builds is up to twice as fast on long arrays and no faster on short ones. So a
function is compiled without it where its arguments are short, and where nobody else compiles around it.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.core import Tracer
from jax.extend.core import get_opaque_trace_state

_BRIEFLY = {"xla_cpu_use_fusion_emitters": False}
_SHORT = 2**16  # numbers in the arguments
_REFUSED: list[str] = []  # what an XLA said that does not have the option

with jax.ensure_compile_time_eval():  # whoever imports this file, from wherever
    _OUTSIDE = get_opaque_trace_state()


class Compiled:
    """A function under ``jax.jit``, ``briefly`` where its arguments are short and ``thoroughly`` where they are not.

    Arguments are trees of arrays; what is given by keyword is static. The arguments are taken apart once, here, and not
    by ``jax.jit`` again: of modules that takes as long as a dozen evaluations of a small likelihood.
    """

    def __init__(self, function: Callable):
        def of_leaves(structure, settings, *leaves):
            return function(*jax.tree_util.tree_unflatten(structure, leaves), **dict(settings))

        of_leaves.__name__, of_leaves.__qualname__ = function.__name__, function.__qualname__
        self.thoroughly = jax.jit(of_leaves, static_argnums=(0, 1))
        self.briefly = jax.jit(of_leaves, static_argnums=(0, 1), compiler_options=_BRIEFLY)
        functools.update_wrapper(self, function)

    def __call__(self, *args, **kwargs):
        leaves, structure = jax.tree_util.tree_flatten(args)
        settings = tuple(sorted(kwargs.items()))
        if not _is_short(leaves):
            return self.thoroughly(structure, settings, *leaves)
        try:
            return self.briefly(structure, settings, *leaves)
        except jax.errors.JaxRuntimeError as error:
            if "No such compile option" not in str(error):
                raise
            _REFUSED.append(str(error))
        return self.thoroughly(structure, settings, *leaves)

    def clear_cache(self) -> None:
        """Drop what was compiled."""
        self.thoroughly.clear_cache()  # pyright: ignore[reportFunctionMemberAccess, reportAttributeAccessIssue]
        self.briefly.clear_cache()  # pyright: ignore[reportFunctionMemberAccess, reportAttributeAccessIssue]


def compiled(function: Callable) -> Any:
    """``function`` as a compiled one: a decorator. What is given by keyword is static.

    >>> @compiled
    ... def repeat(text, times):
    ...     return text * times
    >>> float(repeat(2.0, times=3))
    6.0
    """
    return Compiled(function)


def _is_short(leaves: list) -> bool:
    """Whether little is to be computed, on a CPU and outside of every trace: inside one it is its caller's program."""
    if _REFUSED or get_opaque_trace_state() != _OUTSIDE or jax.default_backend() != "cpu":
        return False
    total = 0
    for leaf in leaves:
        if isinstance(leaf, Tracer):
            return False
        total += getattr(leaf, "size", 1)
        if total > _SHORT:
            return False
    return True
