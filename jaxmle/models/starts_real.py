"""Where densities of any real number start: a function of the sample and of what is known for each."""

import math

import jax
import jax.numpy as jnp

from jaxmle.densities import generalized_normal as _generalized_normal
from jaxmle.densities import genextreme as _genextreme
from jaxmle.densities import skew_normal as _skew_normal
from jaxmle.densities import student_t as _student_t
from jaxmle.models.sample import Sample, best_of

_EULER = 0.5772156649015329
_SHORT, _NEAR = 4096, 25  # how long a sample is searched for a cusp, among how many observations on either side
_SHARP = 1.2  # a power below which the maximum is at an observation or next to one
_NONE = 1e-24  # the share of a tail that there is not
_FAR = 1e7  # the scale, in units of the sample, of a truncated normal that has become exponential


def normal(s: Sample, known) -> dict:
    """The mean, and the root of the mean square about it: the maximum."""
    loc = known.get("loc", s.mean)
    about = jnp.sqrt(s.average((s.y - loc) ** 2))
    return {"loc": loc, "scale": about if "loc" in known else s.deviation}


def laplace(s: Sample, known) -> dict:
    """The median, and the mean absolute deviation from it: the maximum."""
    loc = known.get("loc", s.median)
    return {"loc": loc, "scale": s.average(jnp.abs(s.y - loc))}


def asymmetric_laplace(s: Sample, known) -> dict:
    """The maximum: with loc at an observation, A and B the mean excess above and below it, sqrt A + sqrt B is least.

    Then kappa^4 = B/A and scale = (A B)^(1/4) (sqrt A + sqrt B). Kotz, Kozubowski and Podgorski (2001), section 3.5.
    """
    share, level = jnp.cumsum(s.weights), s.median
    y = s.y - level
    total = jnp.cumsum(s.weights * y)
    below = jnp.maximum(share * y - total, 0.0)
    above = jnp.maximum(total[-1] - total - (share[-1] - share) * y, 0.0)
    best = jnp.argmin(jnp.where(s.weights > 0, jnp.sqrt(above) + jnp.sqrt(below), jnp.inf))
    a, b = jnp.maximum(above[best], _NONE * below[best]), jnp.maximum(below[best], _NONE * above[best])
    best_kappa, best_scale = (b / a) ** 0.25, (a * b) ** 0.25 * (jnp.sqrt(a) + jnp.sqrt(b))
    return {"kappa": best_kappa, "loc": s.y[best], "scale": best_scale}


def logistic(s: Sample, known) -> dict:
    """By moments."""
    return {"loc": s.mean, "scale": s.deviation * math.sqrt(3.0) / math.pi}


def cauchy(s: Sample, known) -> dict:
    """The median, and half the distance of the quartiles."""
    low, high = s.quantile(jnp.asarray([0.25, 0.75], s.y.dtype))
    return {"loc": s.median, "scale": 0.5 * (high - low)}


def gumbel(s: Sample, known) -> dict:
    """By moments."""
    scale = s.deviation * math.sqrt(6.0) / math.pi
    return {"loc": s.mean - _EULER * scale, "scale": scale}


def student_t(s: Sample, known) -> dict:
    """For some degrees of freedom each, fifteen rounds of reweighting (Lange, Little and Taylor 1989)."""
    few = s.few()
    df = jnp.atleast_1d(known.get("df", jnp.asarray([0.3, 0.6, 1.0, 2.0, 4.0, 8.0, 20.0, 100.0], s.y.dtype)))

    def at(df):
        def better(_, carry):
            loc, scale = carry
            pull = (df + 1) / (df + ((few.y - loc) / scale) ** 2)
            loc = few.average(pull * few.y) / few.average(pull)
            return loc, jnp.sqrt(few.average(pull * (few.y - loc) ** 2))

        return jax.lax.fori_loop(0, 15, better, (s.median, cauchy(s, known)["scale"]))

    loc, scale = jax.vmap(at)(df)
    return dict(zip(("df", "loc", "scale"), best_of(_student_t.logpdf, few, (df, loc, scale)), strict=True))


def generalized_normal(s: Sample, known) -> dict:
    """For some powers each, the centre with the least sum of such powers of distances, by golden sections; where the
    power is below 1, the maximum itself, with the centre at an observation."""
    few = s.few()
    powers = jnp.asarray([0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 9.0, 18.0], s.y.dtype)
    beta = jnp.atleast_1d(known.get("beta", powers))
    size = jnp.maximum(few.y[-1] - few.y[0], jnp.finfo(s.y.dtype).tiny)

    def cost(loc, beta, sample=few):
        return sample.average((jnp.abs(sample.y - loc) / size) ** beta)

    def at(beta):
        loc = _lowest(lambda loc: cost(loc, beta), few.y[0], few.y[-1])
        loc = jnp.where(beta < 1, s.median, loc)
        return loc, size * (beta * cost(loc, beta)) ** (1 / beta)

    loc, scale = jax.vmap(at)(beta)
    found = best_of(_generalized_normal.logpdf, few, (beta, loc, scale))
    if not known and s.y.size <= _SHORT:
        found = _with_a_cusp(s, found)
    return dict(zip(("beta", "loc", "scale"), found, strict=True))


def _with_a_cusp(s: Sample, found):
    """``found``, or the best sharp power with the centre at an observation near its own, where that is higher."""
    near = jnp.searchsorted(s.y, found[1]).astype(int) + jnp.arange(-_NEAR, _NEAR + 1)
    centres = s.y[jnp.clip(near, 0, s.y.size - 1)]
    size = jnp.maximum(s.deviation, jnp.finfo(s.y.dtype).tiny)

    def scale_of(log_beta, loc):
        beta = jnp.exp(log_beta)
        return size * (beta * s.average((jnp.abs(s.y - loc) / size) ** beta)) ** (1 / beta)

    def cost(log_beta, loc):
        return jnp.log(scale_of(log_beta, loc)) + jnp.exp(-log_beta) + jax.lax.lgamma(1 + jnp.exp(-log_beta))

    low, high = jnp.asarray(math.log(0.1), s.y.dtype), jnp.asarray(math.log(_SHARP), s.y.dtype)
    logs = jax.vmap(lambda loc: _lowest(lambda log_beta: cost(log_beta, loc), low, high))(centres)
    best = jnp.argmin(jax.vmap(cost)(logs, centres))
    cusp = jnp.exp(logs[best]), centres[best], scale_of(logs[best], centres[best])
    before = cost(jnp.log(found[0]), found[1])
    wanted = (cost(logs[best], centres[best]) < before) & (logs[best] < high - 1e-4)
    return tuple(jnp.where(wanted, new, old) for new, old in zip(cusp, found, strict=True))


def _lowest(function, low, high):
    """Where a function with one valley between ``low`` and ``high`` is lowest, by golden sections."""

    def narrower(_, ends):
        low, high = ends
        left, right = high - 0.618034 * (high - low), low + 0.618034 * (high - low)
        falls = function(left) > function(right)
        return jnp.where(falls, left, low), jnp.where(falls, high, right)

    low, high = jax.lax.fori_loop(0, 45, narrower, (low, high))
    return 0.5 * (low + high)


def skew_normal(s: Sample, known) -> dict:
    """For some skewness parameters each, loc and scale by moments."""
    sizes = jnp.asarray([0.3, 1.0, 2.0, 4.0, 8.0, 20.0, 60.0], s.y.dtype)
    a = jnp.atleast_1d(known.get("a", jnp.where(s.skewness < 0, -1.0, 1.0).astype(s.y.dtype) * sizes))
    delta = a / jnp.sqrt(1 + a**2)
    scale = s.deviation / jnp.sqrt(1 - 2 * delta**2 / math.pi)
    loc = s.mean - scale * delta * math.sqrt(2 / math.pi)
    found = best_of(_skew_normal.logpdf, s.few(), (a, loc, scale))
    return dict(zip(("a", "loc", "scale"), found, strict=True))


def genextreme(s: Sample, known) -> dict:
    """By L-moments (Hosking, Wallis and Wood 1985), for their shape and some others, with a heavy tail by quartiles;
    wide enough for every row."""
    spread, skewness = s.l_moments()
    k = 2 / (3 + skewness) - math.log(2) / math.log(3)
    others = jnp.asarray([-4.0, -2.5, -1.5, -1.0, -0.6, -0.4, -0.2, -0.05, 0.05, 0.2, 0.4, 0.7], s.y.dtype)
    c = jnp.atleast_1d(known.get("c", jnp.concatenate([(7.8590 * k + 2.9554 * k**2)[None], others])))
    some = jnp.where(jnp.abs(c) > 1e-3, c, 1e-3)
    light = jnp.maximum(some, -0.5)
    gamma = jnp.exp(jax.scipy.special.gammaln(1 + light))
    low, high = s.quantile(jnp.asarray([0.25, 0.75], s.y.dtype))
    by_quartiles = (high - low) * some / (math.log(4) ** some - math.log(4 / 3) ** some)
    scale = jnp.where(c < -0.5, by_quartiles, spread * light / (-jnp.expm1(-light * math.log(2)) * gamma))
    at_median = s.median + scale * jnp.expm1(some * math.log(math.log(2))) / some
    loc = jnp.where(c < -0.5, at_median, s.mean - scale * (1 - gamma) / light)
    needed = jnp.where(c > 0, (s.highest - loc) * c, (s.lowest - loc) * c)
    scale = jnp.maximum(scale, 1.05 * needed)
    found = best_of(_genextreme.logpdf, s.few(), (c, loc, scale))
    return dict(zip(("c", "loc", "scale"), found, strict=True))


def truncated_normal(s: Sample, known) -> dict:
    """As if nothing were cut off; where the maximum is the exponential at infinity, far on the way to it."""
    loc, scale = s.mean, s.deviation
    if known.keys() - {"lower", "upper"}:
        return {"loc": loc, "scale": scale}
    slope, spread, unit = exponential_limit(s, known["lower"], known["upper"])
    far = _FAR * unit
    lost = scale >= spread
    return {"loc": jnp.where(lost, slope * far * _FAR, loc), "scale": jnp.where(lost, far, scale)}


def exponential_limit(s: Sample, lower, upper) -> tuple:
    """The exponential density between the bounds that has the mean of the sample: its slope times a unit of length, its
    standard deviation, and that unit.

    It is the limit of truncated normals as the scale grows. They are an exponential family in y and y^2, so that there
    is a maximum with a finite scale just where the sample varies less than this limit (Barndorff-Nielsen 1978).
    """
    above, below = jnp.isfinite(lower), jnp.isfinite(upper)
    width = jnp.where(above & below, upper - lower, 1.0)
    share = jnp.where(above & below, (s.mean - lower) / width, 0.5)

    def halved(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        under = _moments_of_slope(middle)[0] < share
        return jnp.where(under, middle, low), jnp.where(under, high, middle)

    ends = jnp.full_like(s.mean, -1e5), jnp.full_like(s.mean, 1e5)
    slope = 0.5 * sum(jax.lax.fori_loop(0, 70, halved, ends))
    distance = jnp.where(above, s.mean - lower, upper - s.mean)
    both = above & below
    spread = jnp.where(both, width * jnp.sqrt(_moments_of_slope(slope)[1]), distance)
    spread = jnp.where(above | below, spread, jnp.inf)
    return jnp.where(both, slope, jnp.where(above, -1.0, 1.0)), spread, jnp.where(both, width, distance)


def _moments_of_slope(t):
    """Mean and variance of the density proportional to exp(t u) for u between 0 and 1."""
    small = jnp.abs(t) < 0.02
    safe = jnp.where(small, 1.0, t)
    mean = jnp.where(small, 0.5 + t / 12, -1 / jnp.expm1(-safe) - 1 / safe)
    bounded = jnp.clip(safe, -300.0, 300.0)
    variance = 1 / safe**2 - 0.25 / jnp.sinh(0.5 * bounded) ** 2
    return mean, jnp.where(small, 1 / 12 - t**2 / 240, variance)


def uniform(s: Sample, known) -> dict:
    """The extremes of the sample: the maximum, with ends that include them though they are rounded."""
    loc = known.get("loc", s.lowest)
    return {"loc": loc, "scale": (s.highest - loc) * (1 + 4 * jnp.finfo(s.y.dtype).eps)}


def von_mises(s: Sample, known) -> dict:
    """The direction of the mean, and the concentration whose mean length is near that of the sample (Fisher 1993,
    equation 4.40)."""
    along, across = s.average(jnp.cos(s.y)), s.average(jnp.sin(s.y))
    r = jnp.sqrt(along**2 + across**2)
    middle = -0.4 + 1.39 * r + 0.43 / (1 - r)
    high = 1 / (r**3 - 4 * r**2 + 3 * r)
    low = 2 * r + r**3 + 5 * r**5 / 6
    return {"kappa": jnp.where(r < 0.53, low, jnp.where(r < 0.85, middle, high)), "loc": jnp.arctan2(across, along)}
