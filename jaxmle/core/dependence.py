"""What is read off a jaxpr: which outputs depend on which inputs, and which way a function can be differentiated."""

from collections.abc import Callable

import jax


def dependence(function: Callable, *arguments) -> list[set[int]]:
    """For each output leaf of ``function(*arguments)``, the indices of the input leaves that it may depend on.

    Arguments are arrays or shapes. Every primitive is taken to pass each of its inputs to each of its outputs, so
    the answer errs on the side of dependence; calls are looked into.

    >>> import jax.numpy as jnp
    >>> dependence(lambda a, b: (2 * a, a * b, 1.0), 1.0, 2.0)
    [{0}, {0, 1}, set()]
    """
    closed = jax.make_jaxpr(function)(*arguments)
    return _walk(closed.jaxpr, [{i} for i in range(len(closed.jaxpr.invars))])


def _walk(jaxpr, inputs):
    known = dict(zip(jaxpr.invars, inputs, strict=True))

    def of(variable):
        return known.get(variable, set()) if not hasattr(variable, "val") else set()

    for equation in jaxpr.eqns:
        arriving = [of(variable) for variable in equation.invars]
        inner = _called(equation)
        everything: set[int] = set().union(*arriving)
        leaving = [everything] * len(equation.outvars) if inner is None else _walk(inner, arriving)
        known.update(zip(equation.outvars, leaving, strict=True))
    return [set(of(variable)) for variable in jaxpr.outvars]


def _called(equation):
    """The jaxpr of a plain call, None for any other primitive."""
    if equation.primitive.name not in ("pjit", "jit", "closed_call", "custom_jvp_call", "custom_vjp_call"):
        return None
    inner = equation.params.get("jaxpr") or equation.params.get("call_jaxpr")
    inner = getattr(inner, "jaxpr", inner)
    same = inner is not None and len(inner.invars) == len(equation.invars)
    return inner if same else None


def goes_forward(function: Callable, *arguments) -> bool:
    """Whether ``function`` can be differentiated in forward mode: nothing in it has a rule for reverse mode only.

    >>> goes_forward(lambda x: x * x, 1.0)
    True
    """
    return not _has_reverse_rule(jax.make_jaxpr(function)(*arguments).jaxpr)


def _has_reverse_rule(jaxpr) -> bool:
    for equation in jaxpr.eqns:
        if equation.primitive.name.startswith("custom_vjp"):
            return True
        for leaf in jax.tree.leaves(list(equation.params.values())):
            inner = getattr(leaf, "jaxpr", leaf)
            if hasattr(inner, "eqns") and _has_reverse_rule(inner):
                return True
    return False
