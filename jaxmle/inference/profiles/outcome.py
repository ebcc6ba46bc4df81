"""How the search for one end of a profile ended: an integer inside the graph, a sentence outside it.

Below ``FIRST_WITHOUT_END`` there is an end that can be used, possibly an infinite one; from there on it is NaN.
"""

SEARCHING = -1

FOUND = 0
AT_ROUNDING = 1
AT_LIMIT = 2
ENDLESS = 3
AT_EDGE = 4
RISING = 5

FIRST_WITHOUT_END = 10
OUT_OF_STEPS = 10
HIGHER = 11
STUCK = 12
CONSTANT = 13
NO_FIT = 14
NOT_ASKED = 15
OUTSIDE = 16

SENTENCES = {
    SEARCHING: "still searching",
    FOUND: "found",
    AT_ROUNDING: "found as nearly as the rounding of the log-density allows; float64 gives more digits",
    AT_LIMIT: (
        "the log-density never falls by as much before the parameter reaches its limit, so the end is the limit itself"
    ),
    ENDLESS: (
        "the log-density never falls by as much in this direction, so the interval has no end there: the data do not "
        "bound the parameter; a prior such as jm.priors.normal would"
    ),
    AT_EDGE: (
        "the log-density is not finite beyond the end, which is where its support stops, or its numbers do; check the "
        "function there"
    ),
    RISING: (
        "the profile falls, rises and falls again on the way, so what the data allow may be several pieces; the end is "
        "that of one of them: look at jm.profile_curve"
    ),
    OUT_OF_STEPS: "ran out of steps before the end was found; raise max_steps, or look at jm.profile_curve",
    HIGHER: (
        "not the maximum: a higher log-density than that of the fit was found on the way; fit again, from other "
        "starts too (jm.fit_best)"
    ),
    STUCK: (
        "stuck: no step brought the end nearer; the function may be rough or discontinuous, or what is profiled may "
        "have a largest value inside the interval; look at jm.profile_curve"
    ),
    CONSTANT: "does not depend on the free parameters at the estimate, so it has no profile",
    NO_FIT: "the fit is not an estimate, so there is nothing to profile; its message says why",
    NOT_ASKED: "not asked for, or held fixed",
    OUTSIDE: "the value lies outside the constraint of the parameter",
}


def has_end(outcome):
    """Whether ``outcome`` (an integer or an array of them) comes with an end, possibly an infinite one."""
    return (outcome >= 0) & (outcome < FIRST_WITHOUT_END)


def sentence(outcome: int) -> str:
    """The sentence of one outcome.

    >>> sentence(FOUND)
    'found'
    """
    return SENTENCES[int(outcome)]
