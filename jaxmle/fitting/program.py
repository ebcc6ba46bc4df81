"""The compiled program behind a fit, and its derivative by the implicit function theorem."""

import dataclasses
import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxmle.core import linalg
from jaxmle.core import status as codes
from jaxmle.core.compiled import compiled
from jaxmle.core.evaluation import OBSERVED
from jaxmle.fitting.collapse import has_spikes, is_unbounded
from jaxmle.fitting.ground import ground_of, penalty_of
from jaxmle.fitting.head_start import head_start, stride_of
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.fitting.runaway import onward, ran_away, towards_limits
from jaxmle.fitting.succession import UNDECIDED, one_after_the_other
from jaxmle.parameters.space import Space
from jaxmle.solvers.certify import Certificate, certificate_of, certified, certify
from jaxmle.solvers.choice import choose, successor
from jaxmle.solvers.loop import run
from jaxmle.solvers.newton_cg import LONGEST, climb
from jaxmle.terms.objective import Term, as_objective
from jaxmle.terms.risk import has_corners

TOLERANCE_OF_DTYPE = -1.0
FINEST = 1e-19  # log-density; estimates are then within 5e-10 of their standard errors
_DOUBLE = 1e-10  # eps of what is shorter than double precision is more
_UNKNOWING = (codes.STALLED, codes.STOPPED_SHORT, codes.SADDLE, codes.UNSETTLED)  # what no curvature looks like
_LASTING = 0.1  # of the last step: a shorter one is rounding, where each should be as long as the one before
TRACED: list[None] = []  # grows by one whenever the program is traced


class Found(eqx.Module):
    """What the program returns: a fit before it is put into its space."""

    point: Any
    z: Any
    value: Any
    log_likelihood: Any
    log_prior: Any
    log_jacobian: Any
    newton_decrement: Any
    gradient_norm: Any
    steps: Any
    status: Any
    direction: Any
    gradient: Any
    magnitude: Any


class Ended(eqx.Module):
    """Where a solver ended; its evaluation without curvature. ``pivot`` is the smallest of the scaled curvature, NaN
    where none was formed."""

    z: Any
    evaluation: Any
    steps: Any
    decrement: Any
    direction: Any
    status: Any
    pivot: Any

    @classmethod
    def of(cls, state) -> "Ended":
        """The end that the ``state`` of a state machine stands for."""
        evaluation = dataclasses.replace(state.evaluation, curvature=None, gauss_newton=None)
        status = jnp.where(state.status == codes.RUNNING, codes.OUT_OF_STEPS, state.status)
        pivot = getattr(state, "pivot", jnp.full_like(evaluation.value, jnp.nan))
        step = state.z - state.best
        if hasattr(state, "last_step"):  # what faded until it was lost in rounding is stepped along no more
            short = jnp.linalg.norm(state.scale * step) < _LASTING * jnp.linalg.norm(state.scale * state.last_step)
            step = jnp.where((status == codes.DIVERGING) & short, state.last_step, step)
        return cls(state.best, evaluation, state.steps, state.decrement, step, status, pivot)

    def with_certificate(self, certificate: Certificate, tolerance) -> "Ended":
        """The same end, with what its ``certificate`` says of it."""
        return dataclasses.replace(
            self,
            status=certified(self.status, certificate, tolerance),
            decrement=jnp.sqrt(2.0 * certificate.left),
            direction=certificate.direction,
            pivot=certificate.pivot,
        )


@compiled
def maximise(objective, space, values, solver, tolerance, max_steps, *, limit, jacobian) -> Found:
    """Climb ``objective`` in ``space`` from the free leaves ``values``. See :func:`jaxmle.fitting.fit.fit`."""
    objective.check_structure()
    TRACED.append(None)
    start = space.to_z(values)
    begin, follower = start, None
    if solver is None:
        follower = successor(start.size, as_objective(objective).is_rough)
        solver = choose(start.size, as_objective(objective).is_rough)[0]
        stride = stride_of(as_objective(objective), space, start) if solver.order == 2 else 1
        if stride > 1:
            constants = jax.lax.stop_gradient((objective, space, start))
            begin = _head_start(stride, jacobian, *constants, solver, max_steps)
            solver = dataclasses.replace(solver, reuse=True)
    tolerance = tolerance_in(start.dtype, tolerance)
    climbed = functools.partial(solve, jacobian, objective, space)
    if follower is None:
        solved = climbed(begin, solver, tolerance, max_steps)
    else:
        solved = one_after_the_other(climbed, begin, (solver, follower), tolerance, max_steps)
    judged = verdict(objective, space, start, solved, limit, jacobian)
    return dataclasses.replace(judged, point=space.point(solved.z), value=solved.log_likelihood + solved.log_prior)


def _head_start(stride, jacobian, objective, space, start, solver, max_steps):
    """A point nearer the maximum than ``start``, from every ``stride``-th row."""

    def evaluate(objective, z, order):
        return evaluate_in_z(objective, space, z, order, jacobian)

    return head_start(stride, evaluate, as_objective(objective), space, start, solver, max_steps)


@functools.partial(jax.jit, static_argnames=("limit", "jacobian"))
def maximise_from_each(objective, space, starts, solver, tolerance, max_steps, *, limit, jacobian) -> Found:
    """As :func:`maximise`, from each of ``starts``: values of the free leaves with a leading axis."""

    def climb(values):
        return maximise(objective, space, values, solver, tolerance, max_steps, limit=limit, jacobian=jacobian)

    return jax.vmap(climb)(starts)


def forget() -> None:
    """Drop every compiled program, so that the next call of each is traced and checked again."""
    for program in PROGRAMS:
        program.clear_cache()


PROGRAMS = [maximise, maximise_from_each]


def tolerance_in(dtype, tolerance):
    """``tolerance`` as a number of ``dtype``, the default of that type where none was asked for."""
    tolerance = jnp.asarray(tolerance, dtype)
    return jnp.where(tolerance == TOLERANCE_OF_DTYPE, max(float(jnp.finfo(dtype).eps) ** 2, FINEST), tolerance)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def solve(jacobian, objective, space, start, solver, tolerance, max_steps) -> Found:
    """What ``solver`` finds from ``start`` in z, with its derivative; point and value are left out."""
    if hasattr(solver, "search"):
        ended = _searched(jacobian, objective, space, start, solver, tolerance, max_steps)
    else:
        evaluate, size, penalty, guide = ground_of(jacobian, objective, space, start, solver)
        state = run(solver, evaluate, start, tolerance, max_steps, size, penalty, guide)
        ended = Ended.of(state)
    return concluded(jacobian, objective, space, start, solver, tolerance, max_steps, ended)


def _searched(jacobian, objective, space, start, solver, tolerance, max_steps) -> Ended:
    """Where a solver with a loop of its own ended."""
    penalty_of(as_objective(objective).part(smooth=False), space, start, solver)
    with jax.numpy_dtype_promotion("standard"):  # others mix integer types
        z, status, steps = solver.search(lambda z: _loss(jacobian, objective, space, z), start, tolerance, max_steps)
    evaluation = evaluate_in_z(as_objective(objective), space, z, 1, jacobian)
    unknown = jnp.full_like(evaluation.value, jnp.nan)
    return Ended(z, evaluation, steps, unknown, jnp.zeros_like(z), status, unknown)


def concluded(jacobian, objective, space, start, solver, tolerance, max_steps, ended: Ended) -> Found:
    """What was found where a solver ended, looked at with the curvature where the solver did not."""
    smooth, rough = as_objective(objective).part(smooth=True), as_objective(objective).part(smooth=False)
    penalty = penalty_of(rough, space, start, solver)

    def evaluate(z, order):
        return evaluate_in_z(smooth, space, z, order, jacobian)

    is_newton = solver.order == 2 and getattr(solver, "curvature", OBSERVED) == OBSERVED
    has_matrix, is_short = is_newton or start.size <= LONGEST, jnp.finfo(start.dtype).eps > _DOUBLE
    if not is_newton and has_matrix:
        kinks = (penalty,) if penalty is not None and rough.terms else ()
        certificate = certify(lambda z: evaluate(z, 2), ended.z, space.sizes(start), start, ended.status, *kinks)
        ended = ended.with_certificate(certificate, tolerance)
    if not rough.terms and (is_short or not has_matrix):
        finishes = is_newton or getattr(solver, "finishes", False)
        ended = _finished(evaluate, finishes, has_matrix, tolerance, max_steps, ended)
    z, evaluation = ended.z, ended.evaluation
    gradient = evaluation.gradient if penalty is None else penalty.smallest_subgradient(z, evaluation.gradient)
    log_jacobian = space.log_det(z)
    added = log_jacobian if jacobian else jnp.zeros_like(log_jacobian)
    return Found(
        point=None,
        z=z,
        value=None,
        log_likelihood=evaluation.log_likelihood,
        log_prior=evaluation.log_prior + rough.rough_value(space.params(z)) - added,
        log_jacobian=log_jacobian,
        newton_decrement=ended.decrement,
        gradient_norm=jnp.linalg.norm(gradient),
        steps=ended.steps,
        status=ended.status,
        direction=ended.direction,
        gradient=evaluation.gradient,
        magnitude=evaluation.magnitude,
    )


def _finished(evaluate, finishes, has_matrix, tolerance, max_steps, ended: Ended) -> Ended:
    """Where a climb ended, in the light of conjugate gradients, which go on from there where it ``finishes`` by them.

    They are asked where no matrix was formed, or one too ill-conditioned for its precision: a product with a vector
    keeps what the matrix has rounded away.
    """
    z, eps = ended.z, jnp.finfo(ended.z.dtype).eps
    enough = jnp.maximum(tolerance, eps**0.5)
    stopped = codes.is_ok(ended.status) | jnp.isin(ended.status, jnp.asarray(UNDECIDED))
    wanted = stopped & ~(ended.pivot >= eps**0.5)
    budget = max_steps - ended.steps if finishes else jnp.zeros_like(ended.steps)
    budget = jnp.where(ended.status == codes.COMPLETED, 0, budget)
    goal = tolerance if finishes else enough
    matrix = (lambda: evaluate(z, 2).approximate_curvature) if has_matrix else None
    state = climb(evaluate, z, tolerance, goal, budget, wanted, matrix)
    found = ended.with_certificate(certificate_of(state), tolerance)
    if finishes:
        on = Ended.of(state)
        on = dataclasses.replace(on, steps=ended.steps + jnp.minimum(state.steps + state.products, budget))
        found = jax.tree.map(lambda a, b: jnp.where(budget > 0, a, b), on, found)
    return jax.tree.map(lambda a, b: jnp.where(wanted, a, b), found, ended)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _loss(jacobian, objective, space, z):
    """Minus the log-posterior, differentiated inside the blocks of rows, for solvers with a loop of their own."""
    return -evaluate_in_z(objective, space, z, 0, jacobian).value


@_loss.defjvp
def _loss_jvp(jacobian, primals, tangents):
    objective, space, z = primals
    evaluation = evaluate_in_z(objective, space, z, 1, jacobian)
    return -evaluation.value, -jnp.dot(evaluation.gradient, tangents[2])


@solve.defjvp
def _solve_jvp(jacobian, primals, tangents):
    """Written in terms of ``solve`` itself, so that derivatives of any order are right."""
    found = solve(jacobian, *primals)
    return found, _tangent(jacobian, found, primals[:2], tangents[:2])


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def differentiable(jacobian, objective, space, found: Found) -> Found:
    """``found``, whoever found it, with the derivative that a fit has."""
    return found


@differentiable.defjvp
def _differentiable_jvp(jacobian, primals, tangents):
    found = differentiable(jacobian, *primals)
    return found, _tangent(jacobian, found, primals[:2], tangents[:2])


def _tangent(jacobian, found, primals, tangents) -> Found:
    """At the maximum the gradient in z is zero whatever the numbers of the objective: so dz = A^-1 d(gradient), with
    A the curvature."""
    objective, space = primals
    if as_objective(objective).is_rough:
        raise NotImplementedError(
            "a fit with a prior that has kinks (laplace, elastic_net, group_laplace) is not differentiable where a "
            "parameter joins or leaves its kink, so no derivative is given; use a smooth prior such as jm.priors.normal"
        )
    d_objective, d_space = tangents
    z = found.z

    def gradient(objective, space):
        return evaluate_in_z(objective, space, z, 1, jacobian).gradient

    def values(z, objective, space):
        evaluation = objective.evaluate(space.lift, space.point(z), 0)
        return evaluation.log_likelihood, evaluation.log_prior, space.log_det(z)

    _, d_gradient = jax.jvp(gradient, (objective, space), (d_objective, d_space))
    curvature = evaluate_in_z(objective, space, z, 2, jacobian).curvature
    scale = jax.lax.stop_gradient(jnp.sqrt(jnp.abs(jnp.diagonal(curvature))))
    factors, _ = linalg.factor(linalg.unit_diagonal(curvature, scale))
    dz = linalg.solve_factored(factors, d_gradient / scale) / scale
    known = jnp.where(codes.is_maximum(found.status), 1.0, jnp.nan).astype(dz.dtype)
    dz = dz * known  # NaN in reverse mode too
    if not jacobian and all(term.is_likelihood for term in as_objective(objective).terms):
        move = jnp.zeros_like(dz) * known  # the envelope theorem: also where the maximum is flat and dz is none
    else:
        move = dz
    _, d_values = jax.jvp(values, (z, objective, space), (move, d_objective, d_space))
    return eqx.tree_at(
        lambda f: (f.z, f.log_likelihood, f.log_prior, f.log_jacobian),
        jax.tree.map(no_tangent, found),
        (dz, *d_values),
    )


def no_tangent(leaf):
    """The tangent of what has no derivative."""
    inexact = jnp.issubdtype(leaf.dtype, jnp.inexact)
    return jnp.zeros_like(leaf) if inexact else np.zeros(leaf.shape, jax.dtypes.float0)


def verdict(objective: Term, space: Space, start, found: Found, limit, jacobian) -> Found:
    """What was ``found`` with the direction to an edge that it is at, and with the status of the climb, unless the
    numbers it began with were already wrong, it ran to a bound, a prior leaves no joint mode, or the model has a
    ``limit`` that objects."""
    diverging, step = found.status == codes.DIVERGING, onward(*jax.lax.stop_gradient((objective, space, found.z)))
    undecided = codes.is_ok(found.status) | (found.status == codes.UNSETTLED)
    arrived = undecided & (space.at_limit(found.z) | jnp.any(step != 0))
    boundary = arrived | (diverging & towards_limits(space, found))
    direction = jnp.where(arrived, 0.0, found.direction) + jnp.where(boundary, step, 0.0)  # arrived by rounding
    status = jnp.where(boundary, codes.BOUNDARY, found.status)
    status = jnp.where(ran_away(space, start, found), codes.UNBOUNDED, status)
    status = _objected(objective, space, start, found, limit, jacobian, status)
    return dataclasses.replace(found, status=status, direction=direction)


def _objected(objective, space, start, found, limit, jacobian, status):
    """The ``status`` unless what the climb was given, or what it found, speaks against it."""
    if has_spikes(as_objective(objective)):
        constants = jax.lax.stop_gradient((objective, space, start))
        spiked = _has_no_mode(jacobian, *constants)
        status = jnp.where(spiked, codes.NO_JOINT_MODE, status)
    status = jnp.where(jnp.all(jnp.isfinite(start)), status, codes.START_OUTSIDE)
    for term in as_objective(objective).terms:
        weights = term.weights_of_rows()
        if weights is not None:
            status = jnp.where(jnp.any(weights > 0), status, codes.NO_WEIGHT)
            status = jnp.where(jnp.all((weights >= 0) & jnp.isfinite(weights)), status, codes.NEGATIVE_WEIGHT)
    if limit is None:  # which knows corners better
        cornered = has_corners(as_objective(objective)) & jnp.isin(status, jnp.asarray(_UNKNOWING))
        return jnp.where(cornered, codes.CORNERED, status)
    objection = limit(as_objective(objective), space.params(found.z), found.log_likelihood)
    objects = (status < codes.NON_FINITE_AT_START) & (objection != codes.CONVERGED)
    return jnp.where(objects, objection, status)


def _has_no_mode(jacobian, objective, space, start):
    """Whether a prior of the ``objective`` has a spike that nothing else holds down."""

    def value(objective, z):
        return evaluate_in_z(objective, space, z, 0, jacobian).value

    return is_unbounded(value, as_objective(objective), space, start)
