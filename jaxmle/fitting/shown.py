"""What ``print`` shows of a fit, or of a batch of them."""

from collections import Counter

import numpy as np

from jaxmle.core import status as codes
from jaxmle.tables.numbers import coefficient

_MOST = 30  # numbers: a page, and no network


def shown(fit) -> str:
    """How the fit ended and where; of a batch, how many of its fits ended how."""
    return _one(fit) if np.ndim(fit.status) == 0 else _many(fit)


def _one(fit) -> str:
    labels, leaves = fit.space.scalar_labels(), fit.space.unfixed_leaves(fit.params)
    numbers = np.concatenate([np.zeros(0), *(np.ravel(leaf) for leaf in leaves)])
    values = [coefficient(float(number)) for number in numbers[:_MOST]]
    left, right = max(map(len, labels[:_MOST]), default=0), max(map(len, values), default=0)
    lines = [fit.message, f"log-likelihood {float(fit.log_likelihood):.6g}"]
    if float(fit.log_prior) != 0.0:
        lines[-1] += f", log-prior {float(fit.log_prior):.6g}"
    lines += [f"{label:<{left}}  {value:>{right}}" for label, value in zip(labels, values, strict=False)]
    return "\n".join(lines + ([f"and {len(numbers) - _MOST:,} numbers more"] if len(numbers) > _MOST else []))


def _many(fit) -> str:
    status = np.ravel(fit.status)
    counts = Counter(status.tolist()).most_common()
    wide = max((len(f"{count:,}") for _, count in counts), default=0)
    size = fit.z.shape[-1]
    lines = [f"{status.size:,} fits of {size} free number{'s' * (size != 1)}: {int(np.sum(fit.ok)):,} ok"]
    return "\n".join(lines + [f"{count:>{wide},}  {codes.sentence(code)}" for code, count in counts])
