"""A fit handed over with another objective: its parameters do not have what the functions ask for."""

from collections.abc import Iterator
from contextlib import contextmanager

from jaxmle.fitting.explain import PYTHON_ON_TRACERS
from jaxmle.fitting.result import Fit


@contextmanager
def foreign_fit(fit: Fit) -> Iterator[None]:
    """A context in which functions are evaluated at the params of ``fit``: where one of them asks for a name or a place
    that is not there, the ``ValueError`` says what the fit has, and follows from the function's own error; where it
    looks at a value that JAX traces, a ``TypeError`` says what to write instead."""
    try:
        yield
    except PYTHON_ON_TRACERS as error:
        raise TypeError(
            "a function of the parameters looks at their values while JAX traces it: use jnp.exp instead of np.exp or "
            "math.exp, jnp.where instead of `if`, and no float(...), int(...) or NumPy array of a parameter. JAX says: "
            f"{str(error).splitlines()[0]}"
        ) from error
    except (KeyError, AttributeError, IndexError) as error:
        names = ", ".join(leaf.name for leaf in fit.space.layout.leaves)
        raise ValueError(
            f"a function failed at the parameters of this fit, which are {names}, with {type(error).__name__}: "
            f"{error}; if that is a parameter, this fit is not one of this objective: give both from the same jm.fit, "
            "and functions of its parameters; if not, the fault is in the function (the error above)"
        ) from error
