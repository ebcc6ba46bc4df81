"""The whole objective at trained parameters, batch by batch."""

import functools

import jax
import jax.numpy as jnp

from jaxmle.core.evaluation import Evaluation
from jaxmle.core.summation import Sum
from jaxmle.fitting.epoch import dtype_of, flat, params_of, whole
from jaxmle.fitting.minibatch import Cut
from jaxmle.parameters.space import Space


@functools.partial(jax.jit, static_argnames=("size", "order"))
def measure(cut: Cut, space: Space, free, state, size: int, order: int) -> Evaluation:
    """The evaluation in z (``order`` 0 or 1) at ``free``, rows taken ``size`` at a time and without a key.

    Derivatives are taken inside a block of rows and pulled back to z there, leaf by leaf: for a network neither the
    derivative of a row's prediction nor that of the constraints would fit into memory as a matrix.
    """

    def add(i, total):
        return total.plus(_rows(cut, space, free, state, i * size, cut.count, size, order))

    return jax.lax.fori_loop(0, -(-cut.count // size), add, Sum.of(_whole(cut, space, free, order))).value


@functools.partial(jax.jit, static_argnames=("size", "order"))
def measure_rows(total: Sum, cut: Cut, space: Space, free, state, first, real, size: int, order: int) -> Sum:
    """``total`` and the same of one block alone: of ``size`` rows from ``first`` on, those before ``real`` count."""
    return total.plus(_rows(cut, space, free, state, first, real, size, order))


@functools.partial(jax.jit, static_argnames="order")
def measure_whole(cut: Cut, space: Space, free, order: int) -> Sum:
    """The same of what counts whole, a sum to add rows to."""
    return Sum.of(_whole(cut, space, free, order))


@jax.jit
def ending(space: Space, free, evaluation: Evaluation):
    """What else a fit says: the point and z of ``free``, the log-jacobian and the norm of the gradient."""
    z = flat(free)
    return space.point(z), z, space.log_det(z), jnp.linalg.norm(evaluation.gradient)


def _rows(cut, space, free, state, first, real, size, order):
    rows, zero = first + jnp.arange(size), jnp.zeros((), dtype_of(free))

    def value(free):
        value, _ = cut.sum_of_rows(params_of(space, free), rows % cut.count, rows < real, state, None)
        return value.astype(dtype_of(free)), zero

    return _evaluation(value, free, order)


def _whole(cut, space, free, order):
    return _evaluation(lambda free: whole(cut, space, free), free, order)


def _evaluation(function, free, order):
    """The evaluation of a function of ``free`` that gives a log-likelihood and a log-prior."""

    def total(free):
        likelihood, prior = function(free)
        return likelihood + prior, (likelihood, prior)

    if order == 0:
        (value, (likelihood, prior)), gradient = total(free), None
    else:
        (value, (likelihood, prior)), gradient = jax.value_and_grad(total, has_aux=True)(free)
        gradient = flat(gradient)
    return Evaluation(likelihood, prior, jnp.abs(value), gradient)
