"""How a fit ended: an integer inside the graph, a sentence outside it.

A status is data, so that a batch of fits has a vector of them. Everything below ``FIRST_FAILURE`` is an estimate
that can be used; everything from there on says why there is none.
"""

import numpy as np

RUNNING = -1

CONVERGED = 0
STALLED_AT_ROUNDING = 1
COMPLETED = 2
FLAT = 3
GIVEN = 4
STOPPED_EARLY = 5
AT_CORNER = 6

FIRST_FAILURE = 10
OUT_OF_STEPS = 10
STALLED = 11
DIVERGING = 12
UNBOUNDED = 13
BOUNDARY = 14
SADDLE = 15
NON_FINITE = 16
NON_FINITE_AT_START = 17
START_OUTSIDE = 18
NEGATIVE_WEIGHT = 19
NO_WEIGHT = 20
STOPPED_SHORT = 21
UNSETTLED = 22
CORNERED = 23
NO_JOINT_MODE = 24

SENTENCES = {
    RUNNING: "still running",
    CONVERGED: "converged",
    STALLED_AT_ROUNDING: "converged to rounding: no step changes the log-posterior by more than its rounding error",
    COMPLETED: "completed the steps it was asked for; convergence was not asked for",
    FLAT: (
        "converged, but flat: some directions have no curvature, so the maximum is not unique (collinear columns, "
        "or a parameter that does not enter); jm.summary names them"
    ),
    GIVEN: "evaluated at the values given; nothing was maximised",
    STOPPED_EARLY: "stopped early, because the log-likelihood of the held-out data rose no more",
    AT_CORNER: (
        "at the maximum, which is a corner: the log-likelihood is not smooth there (a location at an observation, an "
        "end of the support at an extreme of the sample), so that its curvature gives no standard error; "
        "jm.bootstrap gives one for a location"
    ),
    OUT_OF_STEPS: (
        "ran out of steps before it converged; raise max_steps, start nearer, or rescale the parameters: the "
        "values are the best point met, not an estimate"
    ),
    STALLED: (
        "stalled: no step raised the log-posterior although its gradient is not zero; the function may be rough, "
        "discontinuous, or its gradient wrong (try jax.test_util.check_grads on it), or the start too far away"
    ),
    DIVERGING: (
        "diverging: there is no finite maximum, the log-posterior only flattens out as parameters grow (separated "
        "or constant responses, an empty group); a prior such as jm.priors.normal gives a finite estimate, or "
        "drop the column"
    ),
    UNBOUNDED: (
        "unbounded: the log-posterior rises without limit (a scale shrinking to zero on an exact fit or on a "
        "single observation; a function with the wrong sign); bound the scale with jm.interval, give it a prior, or "
        "fix it"
    ),
    BOUNDARY: "the maximum is on the boundary of the parameter space, where what is at its limit has no standard error",
    SADDLE: "stopped at a stationary point that is not a maximum; start elsewhere",
    NON_FINITE: (
        "the log-posterior, its gradient or its curvature is not finite around the best point met; check the "
        "function for logs and roots of zero, and the scale of the data"
    ),
    NON_FINITE_AT_START: (
        "the log-posterior, its gradient or its curvature is not finite at the start; give a start inside the "
        "support of every row, and check the function for logs and roots of zero (jnp.where does not hide them "
        "from the gradient)"
    ),
    START_OUTSIDE: (
        "the start is not finite or lies outside its constraint; move it inside (a start that a model makes of its "
        "data is not finite where these are missing)"
    ),
    NEGATIVE_WEIGHT: "a weight is negative or not a number; weights count cases and are zero or more",
    STOPPED_SHORT: (
        "stopped short of the maximum: the solver's own test was met, but by the curvature there is more to gain; "
        "tighten its tolerances, give it more steps, or finish with jm.polish"
    ),
    UNSETTLED: (
        "stopped where it cannot be told whether this is the maximum: the curvature is so ill-conditioned that what is "
        "left to gain is hidden by rounding; centre and rescale the parameters or the columns, give a prior, or switch "
        "on jax_enable_x64 and finish with jm.polish"
    ),
    CORNERED: (
        "stopped among the corners of a loss or of a density, where its gradient jumps, with no curvature between them "
        "to tell what is left to gain: the values are the best point met, not an estimate; take a smooth loss "
        "(quantile with a bandwidth, tau=0.5 for the absolute error and the Laplace density; huber; "
        "binary_cross_entropy for hinge)"
    ),
    NO_JOINT_MODE: (
        "diverging: there is no joint mode, for the log-posterior rises without limit as the scale of a hierarchical "
        "prior (or of a horseshoe) goes to zero and the parameters under it to their centre; the values are where the "
        "climb was, at best a local maximum, and no estimate. Fix the scale (jm.fixed), keep it off zero with "
        "jm.priors.inverse_gamma, write the model non-centred (parameter = scale * standard normal), or maximise the "
        "marginal likelihood; a horseshoe has no mode whatever its scale: take jm.priors.laplace or student_t, or "
        "sample it"
    ),
    NO_WEIGHT: "all weights are zero, so there is nothing to fit; give at least one row a positive weight",
}


def is_ok(status):
    """Whether ``status`` (an integer or an array of them) is that of a usable estimate."""
    return (status >= 0) & (status < FIRST_FAILURE)


def is_unfinished(status):
    """Whether ``status`` is that of a usable estimate for whose maximum nobody vouches."""
    return (status == COMPLETED) | (status == GIVEN) | (status == STOPPED_EARLY)


def is_maximum(status):
    """Whether ``status`` claims a maximum, not only a usable estimate."""
    return is_ok(status) ^ is_unfinished(status)


def still_moving(direction, z):
    """Which numbers of ``z`` a diverging fit was still moving, along ``direction``: by a thousandth of their size, and
    by more than the rounding of the longest move, since a number that has settled at zero has no size."""
    moves = abs(direction)
    return (moves > 1e-3 * abs(z)) & (moves > np.finfo(moves.dtype).eps ** 0.5 * moves.max(initial=0.0))


def sentence(status: int) -> str:
    """The sentence of one status.

    >>> sentence(CONVERGED)
    'converged'
    """
    return SENTENCES[int(status)]
