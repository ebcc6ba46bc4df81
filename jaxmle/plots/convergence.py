"""How fast climbs converge."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxmle.fitting.result import Fit
from jaxmle.fitting.trace import Trace
from jaxmle.plots import style
from jaxmle.plots.along import noun_with


def convergence(traces: Any, *, best: float | None = None, ax: Any = None) -> Any:
    """The log-likelihood (with a prior, the log-posterior) still to be gained after each evaluation, on a logarithmic
    scale, solvers side by side.

    Arguments:
        traces: what :func:`jaxmle.trace` returned, or a fit of :func:`jaxmle.train` (its epochs), or a dict from names
            to such. They are of one objective.
        best: the highest value there is; by default the highest that any of them reached.
        ax: the Axes to draw on; by default those of a new figure.

    Returns the Axes. What is closer to the top than a sum of floating numbers can tell is drawn at the dotted line.

    Errors: ``TypeError`` for what is neither; ``ValueError`` for none, or no finite value; ``ImportError`` without
    matplotlib.

    >>> import jaxmle as jm
    >>> problem = jm.models.poisson([2.0, 3.0, 4.0]).objective
    >>> start = {"rate": jm.positive(20.0)}
    >>> solvers = {"Newton": jm.solvers.Newton(), "L-BFGS": jm.solvers.LBFGS()}
    >>> ax = jm.plots.convergence({name: jm.trace(problem, start, solver=s) for name, s in solvers.items()})
    >>> ax.get_yscale()
    'log'

    Source: Nocedal and Wright (2006), "Numerical Optimization", section 2.2, on rates of convergence.
    """
    named = dict(traces) if isinstance(traces, Mapping) else {"": traces}
    if not named:
        raise ValueError("there is no trace to draw: give one or more, such as {'Newton': jm.trace(objective, start)}")
    lines = {str(name): _line(one) for name, one in named.items()}
    values = np.concatenate([value for _, _, value, _ in lines.values()])
    if not np.isfinite(values).any():
        raise ValueError("no trace has a finite value, so nothing can be compared")
    top = float(np.nanmax(np.where(np.isfinite(values), values, np.nan))) if best is None else float(best)
    floor = float(np.finfo(np.result_type(values)).eps) * max(1.0, abs(top))
    ax = style.axes(ax)
    for i, (name, (_, steps, value, _)) in enumerate(lines.items()):
        gain = np.where(np.isfinite(value), np.maximum(top - value, floor), np.nan)
        marks = {"marker": style.marker(i), "ms": 4, "markevery": max(1, steps.size // 25)}
        ax.plot(steps, gain, color=style.colour(i), ls=style.dashes(i), lw=style.WIDTH, label=name or None, **marks)
    ax.axhline(floor, color=style.GREY, lw=style.THIN, ls=":", label="rounding")
    ax.set_yscale("log")
    style.legend(ax)
    kinds = dict.fromkeys(kind for kind, _, _, _ in lines.values())
    noun = noun_with(any(np.nan_to_num(prior).any() for _, _, _, prior in lines.values()))
    return style.name_axes(ax, " or ".join(kinds), f"{noun} still to be gained")


def _line(trace) -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
    """What is counted, the counts, the values of a trace, and what of these is prior."""
    if isinstance(trace, Trace):
        return "evaluations", np.asarray(trace.steps), np.asarray(trace.value), np.asarray(trace.log_prior)
    history = trace.history if isinstance(trace, Fit) else None
    if isinstance(history, dict) and "log_prior" in history:
        likelihood, prior = np.asarray(history["log_likelihood"]), np.asarray(history["log_prior"])
        return "epochs", np.arange(1, prior.size + 1), likelihood + prior, prior
    raise TypeError(
        f"a trace is what jm.trace returns, or a fit of jm.train, not a {type(trace).__name__}: a fit of jm.fit keeps "
        "no history"
    )
