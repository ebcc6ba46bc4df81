"""The table of intervals by profile likelihood."""

import numpy as np

from jaxmle.core import status as codes
from jaxmle.inference.profiles import outcome
from jaxmle.tables import Row, Table


def profile_table(profile) -> Table:
    """The table of one :class:`jaxmle.Profile`: estimates, ends by profile, and those by standard errors."""
    labels, columns, outcomes = _columns(profile)
    asked = [i for i, pair in enumerate(outcomes) if pair != (outcome.NOT_ASKED, outcome.NOT_ASKED)]
    percent = f"{100 * float(profile.level):g}%"
    what = "log-posterior" if profile.has_prior else "likelihood"
    return Table(
        title=f"{profile.name}: intervals by profile {what}",
        header=(("Level", percent), ("Evaluations", f"{int(profile.steps)} at most")),
        columns=("estimate", "lower", "upper", "Wald lower", "Wald upper"),
        formats=("coefficient",) * 5,
        rows=tuple(Row(labels[i], tuple(float(column[i]) for column in columns)) for i in asked),
        notes=tuple(_notes(profile, [labels[i] for i in asked], [outcomes[i] for i in asked])),
    )


def _columns(profile):
    trees = profile.estimate, profile.lower, profile.upper, profile.wald_lower, profile.wald_upper
    pairs = profile.status_lower, profile.status_upper
    if profile.of_function:
        labels, flat = ["function"], lambda x: np.atleast_1d(np.asarray(x))
    else:
        labels, flat = profile.space.scalar_labels(), lambda x: np.asarray(profile.space.scalars_of(x))
    return labels, [flat(tree) for tree in trees], list(zip(*(map(int, flat(s)) for s in pairs), strict=True))


def _notes(profile, labels, outcomes):
    """How the fit ended where that matters, and each outcome that is not an ordinary end, with whose it is."""
    status = int(profile.status)
    if not codes.is_ok(status):
        yield codes.sentence(status)[:1].upper() + codes.sentence(status)[1:] + "."
    said: dict[int, list[str]] = {}
    for label, pair in zip(labels, outcomes, strict=True):
        for side, code in zip(("lower", "upper"), pair, strict=True):
            said.setdefault(code, []).append(f"{label} ({side})")
    for code in sorted(said):
        if code not in (outcome.FOUND, outcome.NOT_ASKED):
            yield f"{', '.join(said[code])}: {outcome.sentence(code)}."
    if profile.has_prior:
        yield "The log-posterior is profiled, prior included, so the intervals are as much the prior's as the data's."
