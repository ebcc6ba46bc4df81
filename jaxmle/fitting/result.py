"""The result of a fit."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxmle.core import status as codes
from jaxmle.core.tree import is_traced, module_of
from jaxmle.fitting.climb import Options, ascent, climb
from jaxmle.fitting.given import at_given, without_derivative
from jaxmle.fitting.shown import shown
from jaxmle.parameters.space import Space
from jaxmle.solvers.choice import METHODS, reason
from jaxmle.solvers.newton import Newton
from jaxmle.terms.objective import as_objective

_FOUND = (  # what a fit has as the program found it
    *("z", "value", "log_likelihood", "log_prior", "log_jacobian", "newton_decrement", "gradient_norm"),
    *("steps", "status", "direction"),
)


class Fit(eqx.Module):
    """An estimate, or the reason why there is none. A small tree of arrays: no data inside.

    ``params`` is shaped like the start; ``z`` are the free numbers behind it, ``space`` the way between. ``value`` is
    the log-posterior, ``log_likelihood + log_prior``; ``log_jacobian`` is the log-determinant of the constraints,
    part of what was maximised only with ``jacobian=True``. ``newton_decrement`` squared and halved is the
    log-density still to be gained; NaN where no positive definite curvature was met. ``gradient_norm`` is that of the
    gradient in z; with a prior that has kinks it is the residual of the optimality (KKT) conditions. ``steps`` counts
    evaluations; ``status`` is an integer of :mod:`jaxmle.core.status`; ``direction`` is the last step in z, along
    which a fit that diverges was moving; ``method`` numbers the solver, negative where ``jm.fit`` chose it.
    ``jacobian`` says whether the log-jacobian was part of what was maximised. ``history`` and ``state`` are those of
    :func:`jaxmle.train` and :func:`jaxmle.fit_best`, None elsewhere.

    In a batch every array has a leading axis, and so have ``ok`` and ``message``. ``print`` shows how a fit ended and
    the estimates, and of a batch how many of its fits ended how.
    """

    params: Any
    z: Float[Array, " m"]
    space: Space
    value: Float[Array, ""]
    log_likelihood: Float[Array, ""]
    log_prior: Float[Array, ""]
    log_jacobian: Float[Array, ""]
    newton_decrement: Float[Array, ""]
    gradient_norm: Float[Array, ""]
    steps: Int[Array, ""]
    status: Int[Array, ""]
    direction: Float[Array, " m"]
    method: Any = 0
    jacobian: bool = eqx.field(static=True, default=False)
    history: Any = None
    state: Any = None

    @classmethod
    def of(cls, found, space: Space, method: int = 0, jacobian: bool = False) -> "Fit":
        """The fit that the compiled program ``found`` in ``space``."""
        known = vars(found)  # an attribute of an Equinox module takes ten times as long
        fields: dict[str, Any] = {field: known[field] for field in _FOUND}
        fields |= {"params": Space.lift(space, known["point"]), "space": space, "history": None, "state": None}
        return module_of(cls, **fields, method=method, jacobian=jacobian)

    @classmethod
    def at(cls, objective, start: Any = None) -> "Fit":
        """A fit of values from anywhere: nothing is maximised, everything else is as for :func:`jaxmle.fit`.

        Arguments: ``objective``, a term, a sum of terms or a problem; ``start``, a tree of parameters with their
        marks, as for ``jm.fit``. ``newton_decrement`` says how far from a maximum the values are. The log-densities
        have the derivatives of the model at the values given, in these and in data, weights and numbers of priors;
        ``newton_decrement`` and ``gradient_norm`` are taken for constants.

        Errors: those of ``jm.fit`` about the start, the data and the weights.

        >>> import jaxmle as jm
        >>> problem = jm.models.poisson([2.0, 3.0, 4.0])
        >>> jm.Fit.at(problem, {"rate": jm.positive(3.0)}).message
        'evaluated at the values given; nothing was maximised (log-density still to be gained 0.0e+00)'
        """
        what = ascent(objective, start)
        solver = None if as_objective(what.objective).is_rough else Newton()
        found, space, _ = climb(without_derivative(what), Options(solver, max_steps=1))
        found = at_given(what, found)
        unfinished = codes.is_ok(found.status) | (found.status == codes.OUT_OF_STEPS)
        return cls.of(dataclasses.replace(found, status=jnp.where(unfinished, codes.GIVEN, found.status)), space)

    @property
    def ok(self):
        """Whether this is an estimate: True or False, or an array of them for a batch."""
        if is_traced(self.status):
            return codes.is_ok(self.status)
        good = codes.is_ok(np.asarray(self.status))  # on the host: nothing is compiled for it
        return good if good.ndim else bool(good)

    @property
    def message(self):
        """How the fit ended, in a sentence; a list of sentences for a batch."""
        if np.ndim(self.status):
            lanes, here = range(np.shape(self.status)[0]), jax.device_get(self)
            return [jax.tree.map(lambda leaf, i=i: leaf[i] if np.ndim(leaf) else leaf, here).message for i in lanes]
        return self._sentence()

    def __str__(self) -> str:
        return shown(self)

    def raise_if_failed(self) -> "Fit":
        """This fit if it is ok. Raises ``RuntimeError`` with the message if it is not (naming the lanes of a batch)."""
        if np.all(self.ok):
            return self
        if np.ndim(self.status) == 0:
            raise RuntimeError(self.message)
        bad = [tuple(map(int, lane)) if len(lane) > 1 else int(lane[0]) for lane in np.argwhere(~self.ok)]
        first = jax.tree.map(lambda leaf: leaf[bad[0]], self)
        raise RuntimeError(
            f"{len(bad)} of {np.size(self.status)} fits failed (lanes {', '.join(map(str, bad[:8]))}"
            f"{', ...' if len(bad) > 8 else ''}); lane {bad[0]}: {first._sentence()}"
        )

    def moving(self):
        """Which free numbers a diverging fit was still moving by more than a thousandth of their size."""
        return codes.still_moving(self.direction, self.z)

    def _sentence(self) -> str:
        status = int(self.status)
        text = codes.sentence(status)
        if isinstance(self.history, dict) and "steps" in self.history:
            return _of_training(status, text, self.history, int(self.steps))
        left = 0.5 * float(self.newton_decrement) ** 2
        if status in (codes.CONVERGED, codes.STALLED_AT_ROUNDING, codes.FLAT):
            precision = "" if self.z.dtype == np.float64 else f" in {self.z.dtype}"
            gain = f"; log-density still to be gained {left:.1e}" if np.isfinite(left) else ""
            if "proximal" in METHODS[abs(int(self.method))]:
                gain += f"; KKT residual {float(self.gradient_norm):.1e}"
            return f"{text} ({_evaluations(self.steps)}{precision}{gain}){self._by()}"
        if status == codes.GIVEN and np.isfinite(left):
            return f"{text} (log-density still to be gained {left:.1e})"
        if status == codes.OUT_OF_STEPS and np.isfinite(left):
            return f"{text} (after {_evaluations(self.steps)}; still to be gained about {left:.1e}){self._by()}"
        if status in (codes.DIVERGING, codes.UNBOUNDED, codes.BOUNDARY):
            return f"{text}; {self._where_to()}{self._after()}"
        if status in (codes.COMPLETED, codes.STOPPED_SHORT) and np.isfinite(left):
            return f"{text} ({_evaluations(self.steps)}; log-density still to be gained {left:.1e}){self._by()}"
        if status == codes.NON_FINITE and "optax" in METHODS[abs(int(self.method))]:
            text = f"{text}; or the steps of the optimiser are too large: lower its learning rate"
        return text + self._after()

    def _after(self) -> str:
        """After how many evaluations a climb failed, and by which method, where that is known."""
        known = int(self.method) != 0 and int(self.status) >= codes.FIRST_FAILURE
        return f" (after {_evaluations(self.steps)}){self._by()}" if known else ""

    def _by(self) -> str:
        """By which method, and why that one."""
        method = int(self.method)
        name = METHODS[abs(method)]
        return f" by {name}" + (f", chosen for {reason(np.size(self.z), method)}" if method < 0 else "")

    def _where_to(self) -> str:
        """Which parameters run away, and to which limit."""
        names, limits = self.space.z_labels(), self.space.limits()
        moving, signs = np.asarray(self.moving()), np.asarray(self.direction)
        if int(self.status) == codes.UNBOUNDED:
            bounded = np.logical_or(*self.space.has_edges())
            moving, signs = bounded & (abs(np.asarray(self.z)) > 15.0), np.asarray(self.z)
        direction = None if int(self.status) == codes.UNBOUNDED else self.direction
        at_edges, leaves = self.space.edge_words(self.z, direction), self.space.leaf_names()
        parts, told = [], set()
        for name, leaf, moves, step, (low, high) in zip(names, leaves, moving, signs, limits, strict=True):
            if at_edges[leaf]:
                parts += [] if leaf in told else at_edges[leaf]
                told.add(leaf)
            elif moves:
                limit = high if step > 0 else low
                far = ("+" if step > 0 else "-") + "infinity"
                parts.append(f"{name} goes to {far if limit is None else format(float(limit), 'g')}")
        return ", ".join(parts) or "no single parameter can be blamed"


def _evaluations(steps) -> str:
    return f"{int(steps)} evaluation{'s' * (int(steps) != 1)}"


def _of_training(status: int, text: str, history: dict, steps: int) -> str:
    """How a run of :func:`jaxmle.train` ended, in a sentence; epochs and steps are counted from zero."""
    epochs, scores = len(history["log_likelihood"]), history.get("held_out")
    broken = epochs > 0 and not np.isfinite(history["log_likelihood"][-1])
    if status == codes.NON_FINITE and broken:
        return (
            f"the loss, or what the optimiser made of it, was not finite in step {steps} (epoch {epochs - 1}), and the "
            "parameters are those before it: the steps are probably too large (lower the learning rate, or clip "
            "gradients); else check the function for logs and roots of zero, and the scale of the data"
        )
    if status == codes.NON_FINITE and scores is not None and not np.isfinite(scores).any():
        return (
            "the log-likelihood of the held-out data was not finite after any epoch, so that none is the best, and the "
            "parameters are the last: check that the model allows every row of held_out"
        )
    if not codes.is_ok(status):
        return text
    count = f"{steps} steps in {epochs} epoch{'s' * (epochs != 1)} by an optax optimiser"
    if scores is None:
        return f"{text} ({count})"
    best = int(np.nanargmax(scores))
    none = f"none of the {epochs - 1 - best} epochs since has a higher one; " if status == codes.STOPPED_EARLY else ""
    return f"{text} ({count}); {none}the parameters are those after epoch {best}, counted from zero, the best there"
