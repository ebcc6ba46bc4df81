"""Why a fit cannot be: what the program's integer could not say, in words, on the host."""

import dis

import jax
import numpy as np

from jaxmle.core import status as codes
from jaxmle.core.tree import NoSuchParameter, is_traced, named_leaves
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.parameters.layout import FREE
from jaxmle.parameters.space import Space
from jaxmle.terms.objective import Term, as_objective
from jaxmle.terms.without_data import WithoutData

PYTHON_ON_TRACERS = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerBoolConversionError,
    jax.errors.TracerIntegerConversionError,
)
_OF_SHAPES = (
    "shapes for broadcasting",
    "contracting dimensions",
    "must have the same shape",
    "must have ndim",
    "cannot reshape",
)
_OF_NAMES = ("indices must be integers or slices, not str", "does not support string indexing")
CLOSED_OVER = (
    "a function of the model closes over a number that JAX traces around the fit, and the derivative of the fit cannot "
    "see it: pass the number as data, wrapped in jm.shared(number) if all rows share it, so that the derivative "
    "goes through; a prior takes its scale as an argument"
)


def explained(error: Exception, params) -> Exception:
    """An error of the user's functions under tracing, as one that says what to change; any other as it is."""
    if isinstance(error, TypeError) and str(error).startswith("No constant handler for type"):
        return TypeError(CLOSED_OVER)
    if isinstance(error, PYTHON_ON_TRACERS):
        return TypeError(
            "the log-likelihood cannot be compiled: it looks at the value of a parameter while JAX traces it. Use "
            "jnp.where instead of `if`, jnp.log instead of math.log or np.log, and no float(...) or int(...) of a "
            f"parameter. JAX says: {str(error).splitlines()[0]}"
        )
    of_shapes = isinstance(error, TypeError | ValueError) and any(words in str(error) for words in _OF_SHAPES)
    if of_shapes and _is_of_jax(error):
        kind = TypeError if isinstance(error, TypeError) else ValueError
        return kind(_misfit(str(error).splitlines()[0].rstrip("."), _is_of_prior(error), params))
    if isinstance(error, TypeError) and any(words in str(error) for words in _OF_NAMES):
        names = ", ".join(name for name, _ in named_leaves(params)) or "none"
        return TypeError(
            f"a function of the model looked for a name in what has none: {error}. If that was params, which come "
            "first, or a row or the data, which come second, give both the trees that the function takes apart; the "
            f"start has: {names}"
        )
    if isinstance(error, KeyError) and not isinstance(error, NoSuchParameter):
        names = ", ".join(name for name, _ in named_leaves(params)) or "none"
        return KeyError(
            f"a function of the model asked for {error.args[0]!r}, which neither params nor its data have under that "
            f"name; the start has: {names}. Give the start the names that the log-likelihood uses"
        )
    return error


def _is_of_jax(error) -> bool:
    """Whether JAX raised the error, and not what it called. The end of the traceback may be hidden by JAX: the last
    frame in sight then calls something, and raises nothing."""
    *_, last = _traces(error)
    room = last.tb_frame.f_globals.get("__name__", "").partition(".")[0]
    return room == "jax" or last.tb_frame.f_code.co_code[last.tb_lasti] != dis.opmap["RAISE_VARARGS"]


def _is_of_prior(error) -> bool:
    """Whether the innermost term that the error came through has no data."""
    owners = [trace.tb_frame.f_locals.get("self") for trace in _traces(error)]
    *_, innermost = [None, *(owner for owner in owners if isinstance(owner, Term))]
    return isinstance(innermost, WithoutData)


def _traces(error):
    """The places that the error came through, outermost first."""
    trace = error.__traceback__
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _misfit(said, in_prior, params) -> str:
    if in_prior:
        numbers = [(name or "params", leaf) for name, leaf in named_leaves(params) if not callable(leaf)]
        shapes = ", ".join(f"{name} {np.shape(leaf)}" for name, leaf in numbers)
        return f"shapes do not fit in a function of a prior: {said}. It is given params alone, of the shapes {shapes}"
    return (
        f"shapes do not fit in a function of the model: {said}. jm.likelihood gives its function all rows at once, "
        "each array of the data with its rows first, and takes one number per row: write y[:, None] to set rows "
        "against the entries of a parameter. jm.regression gives its predictor one row"
    )


def explain_failure(status: int, objective: Term, space: Space, values) -> None:
    """Raise the ``ValueError`` that a status set before the first step stands for; return where there is none."""
    if status == codes.START_OUTSIDE:
        raise ValueError("; ".join(objective.explain_data()) or _bad_start(space, values))
    if status in (codes.NEGATIVE_WEIGHT, codes.NO_WEIGHT):
        raise ValueError(_bad_weights(objective, status))
    if status == codes.NON_FINITE_AT_START:
        reasons = objective.explain(space.lift(tuple(map(jax.numpy.asarray, values))))
        raise ValueError("; ".join(reasons) or _bad_gradient(objective, space, values))
    if status == codes.NON_FINITE:
        reasons = [] if is_traced(objective) else objective.explain(space.lift(values))
        if reasons:
            raise ValueError("; ".join(reasons))


def _bad_start(space, values) -> str:
    for leaf in space.layout.leaves:
        if leaf.kind != FREE:
            continue
        value, bijection = np.asarray(values[leaf.index]), space.bijections[leaf.index]
        if not np.isfinite(value).all():
            return f"the start of {leaf.name!r} is {_short(value)}, not a finite number; give a finite start"
        if not bijection.allows(value):
            return (
                f"the start of {leaf.name!r} is {_short(value)}, but it must be {bijection.describe()}; "
                "start strictly inside"
            )
    return codes.sentence(codes.START_OUTSIDE)


def _bad_weights(objective, status) -> str:
    for term in as_objective(objective).terms:
        weights = term.weights_of_rows()
        if weights is None:
            continue
        weights = np.asarray(weights)
        bad = np.flatnonzero(~((weights >= 0) & np.isfinite(weights)))
        if status == codes.NEGATIVE_WEIGHT and bad.size:
            return (
                f"the weight of row {bad[0]} is {weights[bad[0]]} ({bad.size} such row{'s' * (bad.size > 1)}, counted "
                "from zero); weights count cases, so they are finite and zero or more"
            )
    return codes.sentence(status)


def _bad_gradient(objective, space, values) -> str:
    """The value is finite, so it is a derivative that is not: name its parameters."""
    z = space.to_z(values)
    evaluation = jax.jit(evaluate_in_z, static_argnums=3)(objective, space.unlabelled, z, 2)
    if not np.isfinite(evaluation.value):
        return f"the log-posterior is {float(evaluation.value)} at the start; " + codes.sentence(
            codes.NON_FINITE_AT_START
        )
    bad = ~np.isfinite(np.asarray(evaluation.gradient))
    what = "gradient" if bad.any() else "curvature"
    if not bad.any():
        bad = ~np.isfinite(np.asarray(evaluation.curvature)).all(axis=1)
    names = ", ".join(np.asarray(space.z_labels())[bad])
    return (
        f"the log-posterior is finite at the start but its {what} is not, in {names}. Likely causes: the root or log "
        "of a zero in a branch that jnp.where does not take (give that branch a harmless argument with a second "
        "jnp.where), or values so large or small that their squares leave the floating range (rescale the data)"
    )


def _short(value) -> str:
    return np.array2string(value, threshold=6, precision=6)
