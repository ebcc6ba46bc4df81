"""Whether a function of the user's takes what it will be given: said where it is handed over."""

import inspect
from collections.abc import Callable


def takes(function: Callable, count: int) -> bool:
    """Whether ``function`` can be called with ``count`` arguments by place; True where it does not say what it takes.

    >>> takes(lambda params, rows: 0.0, 2), takes(lambda params: 0.0, 2), takes(max, 2)
    (True, False, True)
    """
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # a function in C
        pass
    return True


def named(function: Callable) -> str:
    """How to speak of a function: its name and what it takes.

    >>> named(lambda params, x, y: 0.0)
    'a lambda of (params, x, y)'
    """
    inner = getattr(function, "func", function)
    name = getattr(inner, "__name__", type(inner).__name__)
    name = "a lambda of " if name == "<lambda>" else name
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in inspect.signature(function).parameters.values()]
    return f"{name}{inspect.Signature(bare)}"
