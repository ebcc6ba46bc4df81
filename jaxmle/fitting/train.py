"""Train: an optax optimiser over batches of rows."""

import contextlib
import dataclasses
import importlib
import os
from collections.abc import Callable, Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PRNGKeyArray

from jaxmle.core import status as codes
from jaxmle.core.tree import is_traced
from jaxmle.fitting.checkpoint import Run
from jaxmle.fitting.epoch import Carry, begin, is_slow_in_loops
from jaxmle.fitting.measure import ending
from jaxmle.fitting.options import Options, as_key, as_optimiser
from jaxmle.fitting.result import Fit
from jaxmle.fitting.training import Training
from jaxmle.fitting.vetting import check_start, explain_halt
from jaxmle.parameters.space import Space
from jaxmle.solvers.choice import method_of
from jaxmle.solvers.optax_solver import Optax
from jaxmle.terms.objective import Term
from jaxmle.terms.problem import Problem, as_problem


def train(
    objective: Term | Problem,
    start: Any,
    optimiser: Any,
    *,
    key: PRNGKeyArray,
    batch_size: int | None = None,
    epochs: int = 1,
    accumulate: int = 1,
    batches: Iterable | Callable[[int], Iterable] | None = None,
    nobs: int | None = None,
    held_out: Term | None = None,
    patience: int | None = None,
    average: bool | int = False,
    state: Any = None,
    progress: bool = False,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: int | None = None,
    resume: bool = False,
) -> Fit:
    r"""Climb ``objective`` with an optax optimiser over batches of rows.

    One step sees the rows of one batch B and minimises

        -(steps * sum_{i in B} weights_i * log_likelihood_i + log_prior) / n

    where steps is the number of batches in an epoch, that is n over the mean size of a batch, and n the number of
    observations (the sum of the case weights). So the loss is minus the log-posterior *per observation*, learning
    rates mean what they do for a mean loss, and the mean of an epoch's gradients is the gradient of the whole: the
    prior keeps its weight, and a short last batch is neither dropped nor do its rows get a larger say. Terms without
    rows of their own (priors, ``rows=False``) count whole in every step.

    The optimiser sees a tree shaped like ``start``: its free leaves, unconstrained (a positive parameter is its log,
    or what its mark says), and None where a leaf is fixed, tied or not a number, so that masks and labels of optax
    work by leaf. In an Equinox module the parameters are its ``eqx.is_inexact_array`` leaves.

    Arguments:
        objective: a term, a sum of terms or a problem. Terms with rows (``jm.likelihood``, ``jm.regression``) have
            the same number of them, which one shuffle an epoch cuts into batches.
        start: a tree of parameters with their marks, or a module. None takes a problem's own.
        optimiser: any optax optimiser, schedules counting its steps; or ``jm.solvers.Optax(optax.adam,
            learning_rate=1e-3)``, where another learning rate compiles nothing.
        key: ``jax.random.key(seed)``: the order of the rows, and the keys given with ``state``.
        batch_size: rows in a batch; None takes all at once.
        epochs: passes over the rows.
        accumulate: batches whose gradients are added up for one step: the same as ``accumulate`` times the
            ``batch_size`` up to rounding, in the memory of one.
        batches: rows from the host instead of the term's own, which then only say what a batch looks like: an
            iterable of batches gone through once an epoch, or a function of the epoch that returns one. A batch is
            built like the data of ``jm.likelihood``; for ``jm.regression`` it is ``(x, y)``; weights, where the term
            has them, come last: ``(data, weights)``, ``(x, y, weights)``. Batches of any size are cut to
            ``batch_size``, in their order.
        nobs: with ``batches``, the rows of one epoch.
        held_out: a term on data kept apart, whose log-likelihood is taken after each epoch; the parameters where it
            was highest are returned.
        patience: stop after this many epochs without a better held-out log-likelihood.
        average: True returns the mean of the iterates (in z) instead of the last one; a number is the epoch it is
            taken from, counted from zero.
        state: anything the functions of ``jm.likelihood`` carry along (batch statistics; ``()`` where only a key is
            wanted). They are then called as ``function(params, rows, state, key)`` and return ``(values, state)``;
            ``key`` is None when nothing is learnt, on held-out data and at the end: no dropout then.
        progress: whether to show a bar, which needs tqdm.
        checkpoint: a file to keep the run in, replaced in one stroke every ``checkpoint_every`` steps (by default
            every epoch). With ``resume`` a run goes on from there and ends bit for bit where it would have without
            the interruption (the same call, machine and ``batches``; more ``epochs`` are allowed). A run with other
            data, weights, prior numbers, marks or settings of the optimiser is refused by their fingerprints; other
            code in your functions, what they close over, and rows from ``batches`` cannot be told.

    Returns a :class:`Fit`, its values taken over all rows at the parameters returned (one more pass). It never says
    converged: its status is that the steps were completed, that held-out data stopped it early, or that the loss (or
    the held-out log-likelihood in every epoch) was not finite, with the last parameters before that. ``history`` has
    ``log_likelihood`` and ``log_prior`` for each epoch (over its batches, while it was moving), the number of ``steps``
    taken and ``held_out``, as arrays; ``state`` is the last state, or that of the best epoch.

    Errors: ``TypeError`` for an optimiser that is none of optax's, a key that is not one, a term that is not smooth,
    or batches that can be gone through only once; ``ValueError`` for sizes and counts that cannot be, terms with
    different numbers of rows, a start outside its constraint, data (held out too) that are missing or impossible at
    the start, negative weights, a function that is not row-wise, a checkpoint of another run, or a file in its place;
    ``FileNotFoundError`` where there is none to resume from, or no folder for it; ``ImportError`` without tqdm.

    >>> import jax, jax.numpy as jnp, optax
    >>> import jaxmle as jm
    >>> x = jnp.linspace(-1.0, 1.0, 200)
    >>> line = lambda p, x: (p["a"] + p["b"] * x, 0.1)
    >>> term = jm.regression(jm.densities.normal, line, x, 1.0 + 2.0 * x)
    >>> fit = jm.train(term, {"a": 0.0, "b": 0.0}, optax.adam(0.1), key=jax.random.key(0), batch_size=20, epochs=50)
    >>> round(float(fit.params["a"]), 3), round(float(fit.params["b"]), 3), fit.ok
    (1.0, 2.0, True)

    Source: Robbins and Monro (1951), "A stochastic approximation method", section 4; for the average, Polyak and
    Juditsky (1992), "Acceleration of stochastic approximation by averaging", theorem 2.
    """
    options = Options(
        batch_size=batch_size,
        epochs=epochs,
        accumulate=accumulate,
        batches=batches,
        nobs=nobs,
        held_out=held_out,
        patience=patience,
        average=average,
        state=state,
        progress=progress,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        resume=resume,
    )
    problem = as_problem(objective, start)
    _check_call(problem, key, optimiser)
    space, values = Space.of(problem.start)
    if space.size == 0:
        raise ValueError("every parameter is fixed, so there is nothing to train; call the objective on params instead")
    training = Training.of(problem.objective, space.unlabelled, as_optimiser(optimiser), as_key(key), options)
    held_out = options.held_out_term()
    carry = begin(training.task.space, values, training.task.optimiser, state, average is not False)
    check_start(problem.objective, held_out, space, values, carry)
    run = _finished(training, carry, options)
    if run.carry.halted:
        explain_halt(problem.objective, training.stream, int(run.epoch) - 1, space, values, state)
    return _fit(training, run, space)


def _check_call(problem: Problem, key, optimiser) -> None:
    if problem.start is None:
        raise TypeError("there is no start: give a tree of parameters or a module, such as {'beta': jnp.zeros(3)}")
    if is_traced((problem, key, optimiser)):
        raise TypeError("jm.train goes from epoch to epoch on the host, so it cannot run under jax.jit or jax.vmap")


def _finished(training: Training, carry: Carry, options: Options) -> Run:
    """The run from ``carry``, or from its checkpoint, to its end."""
    if is_slow_in_loops(training.task, carry, training.key):
        training = dataclasses.replace(training, task=dataclasses.replace(training.task, looped=False))
    run = Run.new(carry, training.held_out is not None)
    if options.resume and training.checkpoint is not None:
        run = training.checkpoint.read(run)
    with _bar(training, run, options.progress) as bar:
        return dataclasses.replace(training, bar=bar).finish(run)


def _fit(training: Training, run: Run, space: Space) -> Fit:
    """The fit that a finished run amounts to."""
    free, state = training.estimate(run)
    found = training.measured(free, state)
    point, z, log_jacobian, gradient_norm = ending(training.task.space, free, found)
    history = {name: jnp.asarray(getattr(run, name)) for name in ("log_likelihood", "log_prior", "steps")}
    if training.held_out is not None:
        history["held_out"] = jnp.asarray(run.held_out)
    return Fit(
        params=space.lift(point),
        z=z,
        space=space,
        value=found.value,
        log_likelihood=found.log_likelihood,
        log_prior=found.log_prior,
        log_jacobian=log_jacobian,
        newton_decrement=jnp.asarray(np.asarray(np.nan, z.dtype)),
        gradient_norm=gradient_norm,
        steps=run.carry.taken,
        status=jnp.asarray(_status(training, run, found)),
        direction=jnp.zeros_like(z),
        method=method_of(Optax(optax.identity())),
        history=history,
        state=state,
    )


def _status(training: Training, run: Run, found) -> int:
    scored = training.held_out is None or np.isfinite(run.held_out).any()
    if bool(run.carry.halted) or not np.isfinite(found.value) or not scored:
        return codes.NON_FINITE
    return codes.STOPPED_EARLY if int(run.epoch) < training.epochs else codes.COMPLETED


def _bar(training: Training, run: Run, progress: bool):
    """A progress bar over steps, or nothing."""
    if not progress:
        return contextlib.nullcontext()
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError as error:
        raise ImportError("progress=True shows a bar with tqdm, which is not installed: pip install tqdm") from error
    return tqdm(total=training.epochs * training.task.steps, initial=int(run.carry.taken), unit=" steps")
