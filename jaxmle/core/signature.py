"""What a function of the user's takes, said where it is handed over, and what it returns."""

import inspect
from collections.abc import Callable
from typing import Any


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


def check_takes(function: Callable, count: int, called: str, instead: str) -> None:
    """Raise ``TypeError`` unless ``function`` can be called with ``count`` arguments.

    The message says how it is ``called``, what it takes, and what to do ``instead``.

    >>> check_takes(lambda params, y: 0.0, 1, "a log-prior is called as function(params)", "leave out the data")
    Traceback (most recent call last):
    TypeError: a log-prior is called as function(params), and this is a lambda of (params, y): leave out the data
    """
    if not takes(function, count):
        raise TypeError(f"{called}, and this is {named(function)}: {instead}")


def check_returned(value: Any, what: str, wanted: str) -> None:
    """Raise ``TypeError`` unless the ``value`` that ``what`` returned is an array or a number.

    >>> check_returned((1.0, 2.0), "the log-likelihood", "one number for each row")
    Traceback (most recent call last):
    TypeError: the log-likelihood returned a tuple; it returns one number for each row, and nothing besides
    """
    if value is None:
        raise TypeError(f"{what} returned None; it returns {wanted}: is its `return` missing?")
    if not isinstance(value, float | int) and not hasattr(value, "shape"):
        raise TypeError(f"{what} returned a {type(value).__name__}; it returns {wanted}, and nothing besides")


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
