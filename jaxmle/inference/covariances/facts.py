"""The numbers behind a covariance, in words."""

import numpy as np

from jaxmle.core import status as codes
from jaxmle.inference.asked import SAMPLING
from jaxmle.inference.covariances.kinds import KINDS


def describe_covariance(inference) -> str:
    """The kind of covariance with its options: ``cluster, 12 groups, small-sample factor 1.1``."""
    facts = {name: np.asarray(value) for name, value in inference.facts.items()}
    words = [inference.covariance]
    if "draws" in facts:
        words.append(f"by {int(facts['draws'])} draws a row")
    if "groups" in facts:
        words.append(f"{' and '.join(f'{count:.0f}' for count in facts['groups'])} groups")
    if "replicates" in facts:
        words.append(f"{int(facts['replicates'])} refits")
    if "lags" in facts:
        lags = int(facts["lags"])
        words.append(f"{lags} lag{'s' * (lags != 1)}{' by rule' * bool(facts['automatic'])}")
    if "factor" in facts:
        factors = [f"{factor:.4g}" for factor in np.atleast_1d(facts["factor"])]
        words.append(f"small-sample factor{'s' * (len(factors) > 1)} {', '.join(factors)}")
    if inference.weights == SAMPLING:
        words.append("sampling weights")
    return ", ".join(words)


def at_limits(inference):
    """A sentence for the parameters that have run to their limits."""
    space, sides = inference.space, np.asarray(inference.sides)
    for name, side, (low, high) in zip(space.z_labels(), sides, space.limits(), strict=True):
        if side:
            yield (
                f"{name} is at its limit, {float(low if side < 0 else high):g}, where its interval ends; how far that "
                "goes to the other side no standard error says, but a profile of the likelihood (jm.profile) does."
            )
    if np.any(sides) and KINDS[inference.covariance].whole is None and np.isfinite(inference.bse_z).any():
        yield "What is not at a limit has the standard error that it has with the others held at theirs."
    if int(inference.status) == codes.BOUNDARY:
        for words in space.edge_words(inference.z, inference.direction).values():
            if words:
                yield f"{', '.join(words)}: an edge of the parameter space. {_errors_at_edge(inference)}"


def _errors_at_edge(inference) -> str:
    """What standard errors there are at an edge that several numbers have together."""
    if KINDS[inference.covariance].carries_to_edges:
        return (
            "What is at it has no standard error, and the others have theirs, where they do, as if it were held there; "
            "jm.profile says how far it goes."
        )
    return (
        f"The numbers behind it are infinite there, so with covariance={inference.covariance!r} nothing that is "
        "constrained together with what is at it has a standard error: 'observed' and the sandwiches have some."
    )


def remarks_on(inference):
    """What the reader must know of a covariance by few groups, or that is not positive."""
    facts = {name: np.asarray(value) for name, value in inference.facts.items()}
    if "groups" in facts and facts["groups"].min() < 2:
        yield "One group only: how groups vary cannot be seen, so there are no standard errors."
    elif "groups" in facts and facts["groups"].min() <= inference.z.size:
        yield (
            f"There are {facts['groups'].min():.0f} groups and {inference.z.size} parameters, so the covariance matrix "
            "is singular: single standard errors can be read, tests of all parameters together cannot."
        )
    if "groups" in facts and facts["groups"].size == 2 and (np.diagonal(np.asarray(inference.cov)) < 0).any():
        yield (
            "With two ways of clustering a variance is the sum of two less a third, and here some are below zero: they "
            "have no standard error. More groups, or one way of clustering, would give them one."
        )
    if facts.get("parts", 0) > 0:
        yield (
            f"The jackknife leaves one case out, and {int(facts['parts'])} rows have weights that are no whole numbers "
            "of cases, so there are no jackknife standard errors: a sandwich, such as 'hc0', has some."
        )
    elif facts.get("failed", 0) > 0:
        others = "standard errors are those of the others, and too small where refits fail because they are extreme"
        some = inference.covariance == "bootstrap" and facts["replicates"] - facts["failed"] > 1
        what = others if some else f"so there are no {inference.covariance} standard errors"
        yield f"{int(facts['failed'])} of {int(facts['replicates'])} refits have no finite estimate: {what}."
    factor = facts.get("factor") if "groups" not in facts or facts["groups"].min() >= 2 else None  # else said above
    if factor is not None and not (np.isfinite(factor) & (factor > 0)).all():
        yield "There are no more rows than parameters, so the small-sample factor does not exist."
