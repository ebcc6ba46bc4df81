"""What ``print`` shows of a fit, or of a batch of them."""

from collections import Counter

import jax.numpy as jnp
import numpy as np

from jaxmle.core import status as codes
from jaxmle.core.tree import is_array, is_traced
from jaxmle.parameters.constants import fixed_lines
from jaxmle.parameters.layout import FIXED
from jaxmle.tables.numbers import coefficient

_MOST = 30  # numbers: a page, and no network


def shown(fit) -> str:
    """How the fit ended and where; of a batch, how many of its fits ended how; the structure of what is no result."""
    if not _is_result(fit):
        return repr(fit)
    return _one(fit) if np.ndim(fit.status) == 0 else _many(fit)


def _is_result(fit) -> bool:
    """Whether what has the structure of a fit is one, with numbers to look at: no axes, shapes, masks or tangents in
    the place of its arrays, and nothing traced."""
    told = fit.log_likelihood, fit.log_prior, fit.newton_decrement, fit.gradient_norm, fit.steps, fit.direction
    arrays = fit.status, fit.z, *told
    if not all(map(is_array, arrays)) or is_traced((arrays, fit.params, fit.space)):
        return False
    is_code = jnp.issubdtype(fit.status.dtype, jnp.integer) and fit.z.ndim == fit.status.ndim + 1
    return is_code and all(map(is_array, fit.space.unfixed_leaves(fit.params)))


def _one(fit) -> str:
    lines = [fit.message, f"log-likelihood {float(fit.log_likelihood):.6g}"]
    if float(fit.log_prior) != 0.0:
        lines[-1] += f", log-prior {float(fit.log_prior):.6g}"
    groups = _estimates(fit), _fixed(fit.space)
    rows = [row for rows, _ in groups for row in rows]
    left, right = (max((len(row[i]) for row in rows), default=0) for i in (0, 1))
    for rows, more in groups:
        lines += [f"{label:<{left}}  {value:>{right}}{mark}" for label, value, mark in rows]
        lines += [more] if more else []
    return "\n".join(lines)


def _estimates(fit):
    """Label, value and mark of the first estimates, and how many more there are."""
    numbers = np.concatenate([np.zeros(0), *(np.ravel(leaf) for leaf in fit.space.unfixed_leaves(fit.params))])
    first = zip(fit.space.scalar_labels(), numbers[:_MOST], fit.space.held_scalars(), strict=False)
    rows = [(label, coefficient(float(number)), "  fixed" * bool(held)) for label, number, held in first]
    more = len(numbers) - _MOST
    return rows, f"and {more:,} numbers more" if more > 0 else ""


def _fixed(space):
    """As :func:`_estimates`, of fixed parameters."""
    fixed = [leaf for leaf in space.layout.leaves if leaf.kind == FIXED]
    lines = [line for leaf in fixed for line in fixed_lines(leaf.name, space.constants[leaf.index])]
    rows = [(label, "" if x is None else coefficient(x), "  fixed") for label, x in lines[:_MOST]]
    more = len(lines) - _MOST
    return rows, f"and {more:,} more that are fixed" if more > 0 else ""


def _many(fit) -> str:
    status = np.ravel(fit.status)
    counts = Counter(status.tolist()).most_common()
    wide = max((len(f"{count:,}") for _, count in counts), default=0)
    size = fit.z.shape[-1]
    lines = [f"{status.size:,} fits of {size} free number{'s' * (size != 1)}: {int(np.sum(fit.ok)):,} ok"]
    return "\n".join(lines + [f"{count:>{wide},}  {codes.sentence(code)}" for code, count in counts])
