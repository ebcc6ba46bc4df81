"""The table of an inference, in the manner of statsmodels."""

import math

import numpy as np

from jaxmle.core import status as codes
from jaxmle.inference.asked import SAMPLING
from jaxmle.inference.covariances.facts import at_limits, describe_covariance, remarks_on
from jaxmle.inference.covariances.kinds import KINDS
from jaxmle.inference.printed import ends_of, refuse_batch
from jaxmle.inference.top import contradicts, is_top, what_contradicts, what_is_missing
from jaxmle.parameters.constants import fixed_lines
from jaxmle.parameters.layout import FIXED, FREE, TIED
from jaxmle.tables import Row, Table


def report(inference, alpha: float) -> Table:
    """The table of one :class:`jaxmle.Inference`. Raises ``ValueError`` for a batch of them."""
    refuse_batch(inference.status, 0, "inferences")
    what = "a posteriori" if inference.has_prior or inference.jacobian else "likelihood"
    title = f"Risk: minimum {' + '.join(inference.losses)}" if inference.losses else f"{inference.name}: maximum {what}"
    return Table(
        title=title,
        header=_header(inference),
        columns=("coef", "std err", "z", "P>|z|", *ends_of(alpha)),
        formats=("coefficient", "statistic", "statistic", "pvalue", "statistic", "statistic"),
        rows=_rows(inference, alpha),
        notes=tuple(_notes(inference)),
    )


def _header(inference):
    entries = [
        ("Loss", ", ".join(inference.losses)) if inference.losses else ("Model", inference.name),
        ("Observations", _count(float(inference.nobs))),
        ("Parameters", str(inference.z.shape[-1])),
        ("Covariance", describe_covariance(inference)),
        ("Minus loss" if inference.losses else "Log-likelihood", f"{float(inference.llf):.6g}"),
        ("AIC", _criterion(inference.aic)),
        ("BIC", _criterion(inference.bic)),
        ("Status", _status(inference)),
    ]
    if inference.has_prior:
        entries.insert(5, ("Log-prior", f"{float(inference.logprior):.6g}"))
    if inference.z.dtype != np.float64:
        entries.append(("Precision", str(inference.z.dtype)))
    return tuple(entries)


def _status(inference) -> str:
    if contradicts(inference):
        return "NOT A MAXIMUM"
    return _SHORT.get(int(inference.status), "failed")


_SHORT = {
    codes.CONVERGED: "converged",
    codes.STALLED_AT_ROUNDING: "converged to rounding",
    codes.COMPLETED: "completed as asked",
    codes.FLAT: "converged, flat",
    codes.GIVEN: "values given",
    codes.STOPPED_EARLY: "stopped early",
    codes.AT_CORNER: "at a corner",
    codes.OUT_OF_STEPS: "OUT OF STEPS",
    codes.STALLED: "STALLED",
    codes.DIVERGING: "DIVERGING",
    codes.UNBOUNDED: "UNBOUNDED",
    codes.NO_JOINT_MODE: "DIVERGING",
    codes.BOUNDARY: "ON THE BOUNDARY",
    codes.SADDLE: "NOT A MAXIMUM",
    codes.NON_FINITE: "NOT FINITE",
}


_DOUBLE = 1e-10  # eps of what is shorter than double precision is more
_UNCOUNTED = {
    codes.FLAT: "those that the data leave free do not count",
    codes.BOUNDARY: "one on the boundary of its space does not count as one",
}


def _count(n: float) -> str:
    return f"{n:.0f}" if n == round(n) else f"{n:g}"


def _criterion(value) -> str:
    return f"{float(value):.6g}" if np.isfinite(value) else "none"


def scalar_columns(inference, alpha: float) -> list[np.ndarray]:
    """Estimates, standard errors, z-values, p-values, lower and upper ends of the unfixed scalars of params."""
    trees = (inference.params, inference.bse, inference.zvalues, inference.pvalues, *inference.conf_int(alpha))
    return [np.asarray(inference.space.scalars_of(tree)) for tree in trees]


def _rows(inference, alpha):
    space, rows, at = inference.space, [], 0
    columns, labels, held = scalar_columns(inference, alpha), inference.space.scalar_labels(), space.held_scalars()
    for leaf in space.layout.leaves:
        if leaf.kind in (FREE, TIED):
            for _ in range(math.prod(space.layout.shapes[leaf.index])):
                numbers = tuple(float(column[at]) for column in columns)
                rows.append(Row(labels[at], (numbers[0], "fixed", *[None] * 4) if held[at] else numbers))
                at += 1
        elif leaf.kind == FIXED:
            lines = fixed_lines(leaf.name, space.constants[leaf.index])
            rows += [Row(label, (number, "fixed", *[None] * 4)) for label, number in lines]
    return tuple(rows)


def _made_of(kind) -> str:
    """What the standard errors of a fit with a prior are made of."""
    if kind.whole is not None:
        return "from refits with the same prior"
    what = "a sandwich around the scores of the likelihood with" if kind.meat else "from"
    return f"{what} the curvature of the log-posterior"


def _notes(inference):
    """What the reader must know: how the fit ended, what has no standard error and why, what criteria are missing."""
    status = int(inference.status)
    if status not in (codes.CONVERGED, codes.STALLED_AT_ROUNDING):
        yield codes.sentence(status)[:1].upper() + codes.sentence(status)[1:] + "."
    if contradicts(inference):
        said = what_contradicts(float(inference.newton_decrement))
        yield said[:1].upper() + said[1:] + "."
    yield from _missing_errors(inference)
    yield from at_limits(inference)
    yield from remarks_on(inference)
    yield from _missing_criteria(inference)
    if inference.remarks is not None:
        yield from inference.remarks(inference.params, float(inference.nobs), _maximised(inference))


def _maximised(inference) -> frozenset[str]:
    """The names of the leaves that are at their maximum likelihood estimate."""
    if not (inference.is_mle and is_top(inference.status, inference.newton_decrement)):
        return frozenset()
    return frozenset(leaf.name for leaf in inference.space.layout.leaves if leaf.kind == FREE)


def _missing_errors(inference):
    """What has no standard error, and why."""
    directions = inference.free_directions()
    if directions and bool(inference.indefinite):
        yield (
            f"This is not a maximum: the log-density curves upward along {'; '.join(directions)}, and nothing that "
            "touches has a standard error. Fit from here, or from another start."
        )
    elif directions:
        what = "this combination" if len(directions) == 1 else "these combinations"
        yield (
            f"The data leave {what} of parameters free, so nothing it touches has a standard error: "
            f"{'; '.join(directions)}. Drop one of the parameters, fix it, or give it a prior."
            f"{in_short(inference.z.dtype)}"
        )
    elif inference.is_rough:
        yield (
            "A prior with kinks has no standard errors by curvature: which parameters are zero is estimated too. "
            "Criteria and intervals would need resampling, or a fit of the chosen columns to other data."
        )
    else:
        missing = ~np.isfinite(np.asarray(inference.bse_z)) & (np.asarray(inference.sides) == 0)
        if int(inference.status) == codes.BOUNDARY:  # at an edge that several numbers have together: told apart
            told = inference.space.edge_words(inference.z, inference.direction)
            missing &= np.array([not told[leaf] for leaf in inference.space.leaf_names()], bool)
        if missing.any():
            yield f"No standard error exists for {', '.join(np.asarray(inference.space.z_labels())[missing])}."


def in_short(dtype) -> str:
    """What to add of numbers of a short ``dtype``, in which a curvature may be lost that the data have."""
    if np.finfo(dtype).eps < _DOUBLE:
        return ""
    return (
        f" That is in {np.dtype(dtype).name}, where columns far from zero for their spread (a year) look collinear: "
        "centre and rescale them, or switch on jax_enable_x64 (jm.polish finishes a fit in it)."
    )


def _missing_criteria(inference):
    """Why AIC and BIC are not defined."""
    status, decrement = int(inference.status), inference.newton_decrement
    if status in (codes.FLAT, codes.BOUNDARY):
        if inference.is_mle:
            yield f"AIC and BIC count parameters, and {_UNCOUNTED[status]}."
    elif not codes.is_ok(status):
        yield "AIC and BIC are those of a maximum, and there is none here."
    elif inference.is_mle and not is_top(status, decrement):
        yield f"AIC and BIC are those of a maximum, and this is none: {what_is_missing(decrement)}."
    if inference.losses:
        yield (
            f"The objective has a loss ({', '.join(inference.losses)}), so it is no model's log-likelihood: standard "
            "errors are those of an M-estimate, and AIC and BIC are not defined."
        )
    elif inference.is_scaled:
        yield (
            "A likelihood is multiplied by a number, so the log-likelihood shown is not that of the model, and AIC and "
            "BIC are not defined."
        )
    if inference.jacobian:
        yield "This is the mode on the unconstrained scale (jacobian=True), so AIC and BIC are not defined."
    if inference.weights == SAMPLING:
        yield (
            "The weights are sampling weights, so the log-likelihood shown is not that of the sample, and AIC and BIC "
            "are not defined."
        )
    if inference.has_prior and not inference.is_rough:
        yield (
            f"Standard errors are {_made_of(KINDS[inference.covariance])}; the log-likelihood is without the prior, "
            "and AIC and BIC are not defined with one."
        )
