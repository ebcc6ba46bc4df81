"""What is known of each loss: its noise model, what that holds fixed, when to use it."""

from collections.abc import Callable
from typing import NamedTuple

from jaxmle.losses.absolute import absolute_error
from jaxmle.losses.cross_entropy import binary_cross_entropy, nll, softmax_cross_entropy
from jaxmle.losses.deviance import gamma_deviance, poisson_deviance
from jaxmle.losses.focal import focal
from jaxmle.losses.huber import huber, huber_weight
from jaxmle.losses.log_cosh import log_cosh, log_cosh_weight
from jaxmle.losses.margin import exponential, hinge, zero_one
from jaxmle.losses.quantile import quantile, quantile_weight
from jaxmle.losses.squared import squared_error, squared_error_profiled

_SIDES = "-1 or 1 (0 and 1 become 2 y - 1)"


class Facts(NamedTuple):
    """What is known of one loss. ``noise_model`` is "none" where it is no model's log-likelihood.

    ``targets``: what it takes as one, in words, None for any number; ``has_corners``: whether its gradient jumps and
    its curvature is zero elsewhere, and ``smoothed_by`` the number that takes the corners away; ``weight``: the
    curvature of a parabola above it that touches it, on which a climb gets near from anywhere; ``refusal``: why it is
    no objective, None for one that is.
    """

    noise_model: str
    held_fixed: str
    use: str
    targets: str | None = None
    has_corners: bool = False
    smoothed_by: str | None = None
    weight: Callable | None = None
    refusal: str | None = None


FACTS: dict[Callable, Facts] = {
    squared_error: Facts("normal", "the scale", "the mean is wanted, and no target is far off"),
    squared_error_profiled: Facts(
        "normal",
        "nothing",
        "fits of a mean are to be compared",
        refusal="is one number for all rows together: jm.losses.squared_error has the same estimate, and "
        "jm.regression(jm.densities.normal, ...) has the scale as a parameter",
    ),
    absolute_error: Facts("Laplace", "the scale", "the median is wanted", has_corners=True),
    huber: Facts(
        "normal, exponential tails",
        "delta and the scale",
        "the centre is wanted, and some targets are far",
        weight=huber_weight,
    ),
    log_cosh: Facts(
        "hyperbolic secant", "the scale", "as for huber: smooth, and no width to choose", weight=log_cosh_weight
    ),
    quantile: Facts(
        "asymmetric Laplace", "tau and the scale", "a quantile is wanted", None, True, "bandwidth", quantile_weight
    ),
    binary_cross_entropy: Facts(
        "Bernoulli", "nothing", "yes or no, or its probability", "0, 1, or a probability between"
    ),
    softmax_cross_entropy: Facts(
        "categorical", "nothing", "one of K classes, or their probabilities", "labels 0 to K - 1, or K probabilities"
    ),
    nll: Facts(
        "categorical", "nothing", "the model gives log-probabilities itself", "labels 0 to K - 1, or K probabilities"
    ),
    poisson_deviance: Facts("Poisson", "nothing", "counts; a variance that grows as the mean", "zero or more"),
    gamma_deviance: Facts("gamma", "the shape", "amounts; a spread that grows as the mean", "positive"),
    focal: Facts("none", "-", "a rare class is wanted, and no probability", "0 or 1"),
    hinge: Facts("none", "-", "a side is wanted, and no probability", _SIDES, has_corners=True),
    exponential: Facts("none", "-", "boosting; outliers are absent", _SIDES),
    zero_one: Facts(
        "none",
        "-",
        "a metric of labels, without a gradient",
        refusal="is a metric without a gradient, flat wherever it does not jump: fit another loss, such as "
        "jm.losses.binary_cross_entropy, and count with this one",
    ),
}


def facts_of(loss: Callable) -> Facts | None:
    """What is known of ``loss``, None for one that is not of this room."""
    return FACTS.get(loss)


def table() -> str:
    """All losses as text: each with its noise model, what that holds fixed, and when to use it; ``print`` it.

    Example:
        >>> print(table()[:35])
        loss                    noise model
    """
    head = ("loss", "noise model", "held fixed", "when to use it")
    rows = [head, *((loss.__name__, *facts[:3]) for loss, facts in FACTS.items())]
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(3)]
    starts = ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) for row in rows]
    return "\n".join((start + row[3]).rstrip() for start, row in zip(starts, rows, strict=True))
