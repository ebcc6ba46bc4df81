"""Any optax optimiser as a solver."""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from jaxmle.core import status

_PATIENCE = 20


class Optax(eqx.Module):
    """An optax optimiser: ``Optax(optax.adam, learning_rate=1e-2)``, or ``Optax(transformation)``.

    Built from its maker and its numbers, the transformation is made inside the compiled program, so that another
    learning rate compiles nothing. It takes all the steps it is given (``max_steps``), and the best point it met is
    returned; one with a line search of its own (``optax.lbfgs``) stops when half the slope along its step, the
    log-density it expects to gain, is below the tolerance.

    It sees the free numbers as one flat vector, and minus the log-posterior as its loss. For minibatches see
    :func:`jaxmle.train`.

    Arguments: ``optimiser``, a function of optax that returns a ``GradientTransformation``, or one already made;
    ``hyperparameters``, what the function is called with: floats may change without compiling, the rest
    (schedules, flags, integers) are part of the program.

    Errors: ``TypeError`` where it is neither, or where numbers are given for one already made.

    >>> Optax(optax.adam, learning_rate=0.1).numbers
    {'learning_rate': 0.1}

    Source: DeepMind (2020), "The DeepMind JAX ecosystem", section 3.
    """

    numbers: dict[str, Any]
    choices: tuple[tuple[str, Any], ...] = eqx.field(static=True)
    optimiser: Any = eqx.field(static=True)
    order: ClassVar[int] = 1

    def __init__(self, optimiser: Callable | optax.GradientTransformation, **hyperparameters: Any):
        made = is_transformation(optimiser)
        if not made and not callable(optimiser):
            raise TypeError(
                f"Optax takes a function of optax, as in Optax(optax.adam, learning_rate=1e-2), or a transformation "
                f"already made, not a {type(optimiser).__name__}"
            )
        if made and hyperparameters:
            raise TypeError(
                "this optimiser is already made, so it takes no hyperparameters: give its maker instead, as in "
                "Optax(optax.adam, learning_rate=1e-2)"
            )
        numbers = {name: value for name, value in hyperparameters.items() if _is_number(value)}
        self.numbers = numbers
        self.choices = tuple((name, value) for name, value in hyperparameters.items() if name not in numbers)
        self.optimiser = optimiser

    def transformation(self) -> Any:
        """The optax transformation itself."""
        made = self.optimiser
        if not is_transformation(made):
            made = made(**self.numbers, **dict(self.choices))
        return optax.with_extra_args_support(made)

    def search(self, loss: Callable, z, tolerance, max_steps):
        """The best point met from ``z`` on in ``max_steps`` steps: the point, a status, and the steps taken."""
        optimiser = self.transformation()
        memory = _begun(optimiser, z)
        searches = optax.tree.get(memory, "value") is not None and optax.tree.get(memory, "grad") is not None
        value_and_grad: Any = optax.value_and_grad_from_state(loss) if searches else None

        def look(z, memory):
            return jax.value_and_grad(loss)(z) if value_and_grad is None else value_and_grad(z, state=memory)

        def running(carry):
            return (carry["status"] == status.RUNNING) & (carry["steps"] < max_steps)

        def step(carry):
            z, memory = carry["z"], carry["memory"]
            value, gradient = look(z, memory)
            finite = jnp.isfinite(value) & jnp.all(jnp.isfinite(gradient))
            updates, memory = updated(optimiser, gradient, memory, z, value=value, grad=gradient, value_fn=loss)
            better = finite & (value < carry["least"])
            idle = jnp.where(better, 0, carry["idle"] + 1)
            small = searches & (0.5 * jnp.abs(jnp.dot(gradient, updates)) < tolerance)
            ended = jnp.where(small, status.CONVERGED, status.RUNNING)
            ended = jnp.where(searches & (idle > _PATIENCE), status.STALLED_AT_ROUNDING, ended)
            bad = jnp.where(carry["steps"] == 0, status.NON_FINITE_AT_START, status.NON_FINITE)
            return {
                "z": z + updates,
                "memory": memory,
                "best": jnp.where(better, z, carry["best"]),
                "least": jnp.where(better, value, carry["least"]),
                "idle": idle,
                "steps": carry["steps"] + 1,
                "status": jnp.where(finite, ended, bad),
            }

        zero = jnp.zeros((), int)
        start = {
            "z": z,
            "memory": memory,
            "best": z,
            "least": jnp.full((), jnp.inf, z.dtype),
            "idle": zero,
            "steps": zero,
            "status": jnp.full((), status.RUNNING),
        }
        end = jax.lax.while_loop(running, step, start)
        unfinished = status.OUT_OF_STEPS if searches else status.COMPLETED
        last = loss(end["z"])  # the point of the last step has not been looked at
        z = jnp.where(last < end["least"], end["z"], end["best"])
        return z, jnp.where(end["status"] == status.RUNNING, unfinished, end["status"]), end["steps"]


def _begun(optimiser, z):
    """The first memory of an optax transformation over the flat vector ``z``."""
    try:
        return optimiser.init(z)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise TypeError(
            "this optax optimiser does not take the free numbers as one flat vector: a mask or labels by the names of "
            "parameters (optax.masked, optax.multi_transform) work in jm.train; in jm.fit hold them with jm.fixed. "
            f"optax says: {error}"
        ) from error


def updated(optimiser, gradient, memory, free, **extra):
    """The step of an optax transformation and its memory after it, with one error for what it cannot be given."""
    try:
        return optimiser.update(gradient, memory, free, **extra)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise TypeError(
            "this optax optimiser takes no step from a gradient, the parameters and the value alone: those that keep "
            "parameters of their own (lookahead), want more arguments (sophia), gradients of every row (dpsgd) or a "
            f"loop of their own (sam) cannot be used here; take another. optax says: {error}"
        ) from error


def is_transformation(thing) -> bool:
    """Whether ``thing`` is an optax transformation: a pair of functions, ``init`` and ``update``."""
    return isinstance(thing, optax.GradientTransformation)


def _is_number(value) -> bool:
    return isinstance(value, float) or (eqx.is_array(value) and jnp.issubdtype(value.dtype, jnp.inexact))
