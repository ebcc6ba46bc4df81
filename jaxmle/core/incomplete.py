"""The incomplete gamma and beta functions in logarithms, with derivatives of every order in every argument.

JAX's `gammainc` has no second derivative in its shape, its `betainc` none at all in a and b, and both
underflow. Here both are integrals of smooth positive functions,

- `Q(a, x) = K int_0^inf exp(a s - x (e^s - 1)) ds` with `K = x^a e^-x / Gamma(a)`, and P the same from -inf to 0,
- `I_x(a, b) = K int_0^inf exp(-a s - (a + b) log(1 - x + x e^-s)) ds` with `K = x^a (1 - x)^b / B(a, b)`,

(`t = x e^s`, and `t/(1 - t) = x/(1 - x) e^-s`), taken by the rule of Gauss and Legendre over the part that matters.
Automatic differentiation of the sum is the sum of the differentiated, forward, reverse and to any order. K is
a factor by itself, so that nothing underflows. Of two complementary probabilities the one below its mean is
integrated and the other is what is missing to one. Small shapes are raised by `_RAISE` first, by the
recurrences DLMF 8.8.5 and 8.17.20, all of whose terms are positive.
"""

import itertools
from math import log, pi

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxmle.core.elementary import ln, ln1p
from jaxmle.core.quotient import log_quotient
from jaxmle.core.special import Real, binet, expm1mx, log1mexp, poisson_deviance, sigmoid, softplus

_NODES, _WEIGHTS = ((1 + x) / 2 if i == 0 else x / 2 for i, x in enumerate(np.polynomial.legendre.leggauss(32)))
_RAISE = 4
_NOTHING = 40.0  # exp(-40) is nothing beside 1, in float64


def _log_gamma_kernel(a: Real, x: Real, log_x: Real) -> Real:
    """log of x^a exp(-x) / Gamma(a)."""
    some = x > 0
    log_ratio = jnp.where(some, log_quotient(jnp.where(some, x, 1.0), a), log_x - ln(a))
    deviance = poisson_deviance(a, log_x, x, log_ratio)
    return 0.5 * ln(a) - 0.5 * log(2 * pi) - binet(a) - deviance


def _integral(exponent, breaks: tuple[Real, ...], *parameters: Real) -> Real:
    """The integral over s of exp(exponent(s, *parameters)) along the panels between `breaks`, which are not
    differentiated."""
    dtype, rank = breaks[0].dtype, breaks[0].ndim
    nodes, weights = (jnp.asarray(x, dtype).reshape((1,) * rank + (-1,)) for x in (_NODES, _WEIGHTS))
    panels = [(low[..., None], (high - low)[..., None]) for low, high in itertools.pairwise(breaks)]
    s = jnp.concatenate([low + nodes * width for low, width in panels], axis=-1)
    weights = jnp.concatenate([weights * width for _, width in panels], axis=-1)
    return jnp.sum(weights * jnp.exp(exponent(s, *(x[..., None] for x in parameters))), axis=-1)


def _far(x: Real) -> float:
    """Beyond this only the first factor, K, matters, and the squares in the second would overflow."""
    return float(jnp.finfo(x.dtype).max) ** 0.25


def _root(c2: Real, c1: Real, c0: float) -> Real:
    """The positive root of c2 s^2 + c1 s = c0, for positive c2 and c0."""
    half = jnp.hypot(c1, 2 * jnp.sqrt(c0 * c2))
    return jnp.where(c1 > 0, 2 * c0 / (c1 + half), (half - c1) / (2 * c2))


def _raised_terms(a: Real, x: Real) -> tuple[Real, Real]:
    """The terms by which a small shape is raised: their sum, and the factor of what follows. One division serves all,
    so neither a nor x may be large."""
    terms, product = jnp.ones_like(a), a
    power = x
    for k in range(1, _RAISE):
        terms, product, power = terms * (a + k) + power, product * (a + k), power * x
    return terms / product, power / product


def _gamma_reach(a: Real, x: Real, below: Array) -> Real:
    """How far from s = 0 the integrand exp(a s - x (e^s - 1)) matters: down from there where `below`, else up."""
    excess = jnp.where(below, a - x, x - a)
    bend = x / 2 + jnp.where(below, excess / 3, 0.0)
    wide = _root(bend, excess - jnp.where(below, _NOTHING / 3, 0.0), _NOTHING)
    return jnp.where(below, wide, jnp.minimum(wide, ln1p((_NOTHING + a * wide) / x)))


def _gamma_exponent(s: Real, excess: Real, x: Real, unit: Real) -> Real:
    """a t - x (e^t - 1) with t = unit s and excess = a - x, which large shapes lose in the difference."""
    t = unit * s
    return excess * t - x * expm1mx(t)


def _log_gammas(a: Real, x: Real, log_x: Real | None) -> tuple[Real, Real]:
    """log P(a, x) and log Q(a, x)."""
    a, x, log_x = jnp.broadcast_arrays(a, x, ln(x) if log_x is None else log_x)
    end, below = x == jnp.inf, (x < a) | (x < 1)
    a, x, log_x = jnp.where(end, 1.0, a), jnp.where(end, 2.0, x), jnp.where(end, log(2), log_x)
    small = below & (a < _RAISE)
    terms, factor = _raised_terms(jnp.where(small, a, 1.0), jnp.where(small, x, 0.5))
    raised = jnp.where(small, a + _RAISE, a)
    reach = _gamma_reach(*jax.lax.stop_gradient((raised, x)), below)
    last = jnp.where(below, -reach, reach)
    # In units of the reach, which is apart: the reciprocal of its square would overflow in second derivatives.
    ends = jnp.zeros_like(last), jnp.ones_like(last)
    rest = _integral(_gamma_exponent, ends, raised - x, x, last)
    log_rest = ln(jnp.where(small, terms + factor * (reach * rest), rest)) + jnp.where(small, 0.0, ln(reach))
    minor = _not_positive(_log_gamma_kernel(a, x, log_x) + log_rest)
    major = log1mexp(-minor)
    return jnp.where(end, 0.0, jnp.where(below, minor, major)), jnp.where(end, -jnp.inf, jnp.where(below, major, minor))


def _not_positive(x: Real) -> Real:
    """x, and 0 where it is above, by where and not by minimum, which halves the derivative at a tie."""
    return jnp.where(x > 0, 0.0, x)


def log_gammainc(a: Real, x: Real, log_x: Real | None = None) -> Real:
    """log P(a, x), the regularised lower incomplete gamma function, for a > 0 and x > 0. Source: DLMF 8.2.4.

    With `log_x`, the log of x, x may have underflowed to zero.
    """
    return _log_gammas(a, x, log_x)[0]


def log_gammaincc(a: Real, x: Real, log_x: Real | None = None) -> Real:
    """log Q(a, x) = log(1 - P(a, x)); see `log_gammainc`."""
    return _log_gammas(a, x, log_x)[1]


def log_beta_kernel(a: Real, b: Real, logit: Real) -> Real:
    """log of x^a (1 - x)^b / B(a, b) with x = sigmoid(logit), in Loader's form.

    That is two deviances, of a and b from (a + b) x and (a + b) (1 - x), and three remainders of Stirling's
    formula. The sum of the deviances does not change, to any order, with the a + b that they are taken from, and so
    it is not differentiated.
    """
    log_x, log_rest = -softplus(-logit), -softplus(logit)
    return log_beta_of_logs(a, b, log_x, log_rest, jnp.exp(log_x), jnp.exp(log_rest))


def log_beta_of_logs(a: Real, b: Real, log_x: Real, log_rest: Real, x: Real, rest: Real) -> Real:
    """The same, of log x, log(1 - x), x and 1 - x."""
    first = poisson_deviance(a, log_x, (a + b) * x, log_x + ln1p(b / a))
    second = poisson_deviance(b, log_rest, (a + b) * rest, log_rest + ln1p(a / b))
    # Of a b / (a + b), by where and not by minimum, whose second derivative at a tie is of neither side.
    low, high = jnp.where(a < b, a, b), jnp.where(a < b, b, a)
    log_harmonic = ln(low) - ln1p(low / high)
    return 0.5 * log_harmonic - 0.5 * log(2 * pi) + binet(a + b) - binet(a) - binet(b) - first - second


def _log_tail(x: Real, rest: Real, s: Real) -> Real:
    """log(1 - x + x exp(-s)) for s >= 0, where `rest` is 1 - x."""
    drop = -x * jnp.expm1(-s)
    small = drop < 0.5
    return jnp.where(small, ln1p(-jnp.where(small, drop, 0.0)), ln(rest + x * jnp.exp(-s)))


def _beta_end(a: Real, n: Real, logit: Real, x: Real, rest: Real) -> Real:
    """Where a s + n log(1 - x + x exp(-s)) is about 40: Newton's method on its root, which is nearly linear."""

    def step(_, s):
        depth = jnp.sqrt(jnp.maximum(a * s + n * _log_tail(x, rest, s), 1e-6))
        slope = a - n * sigmoid(logit - s)
        return jnp.maximum(s - 2 * depth * (depth - _NOTHING**0.5) / slope, 0.01 * s)

    start = (_NOTHING + n * softplus(logit)) / a
    return jax.lax.fori_loop(0, 8, step, start)


def _log_lower_beta(a: Real, b: Real, logit: Real) -> Real:
    """log I_x(a, b) where x is below a / (a + b)."""
    near = jnp.where(logit < -_far(logit), -_far(logit), logit)
    x, rest, n = sigmoid(near), sigmoid(-near), a + b
    term, terms = 1 / a, 1 / a
    for k in range(1, _RAISE):
        term = term * (x * (n + (k - 1)) / (a + k))
        terms = terms + term
    last = term * x * (n + (_RAISE - 1))
    a_raised, n_raised = a + _RAISE, n + _RAISE
    end = _beta_end(*jax.lax.stop_gradient((a_raised, n_raised, near, x, rest)))
    # The integrand bends at 0 and at the logit: each is the end of a panel, where nodes are dense.
    bend = jax.lax.stop_gradient(logit)
    middle = jnp.where((bend > 0) & (bend < end), bend, 0.5 * end)

    def exponent(s, a, n, x, rest):
        return -a * s - n * _log_tail(x, rest, s)

    raised = _integral(exponent, (jnp.zeros_like(end), middle, end), a_raised, n_raised, x, rest)
    return log_beta_kernel(a, b, logit) + ln(terms + last * raised)


def log_betainc(a: Real, b: Real, logit: Real) -> tuple[Real, Real]:
    """log I_x(a, b), the regularised incomplete beta function at x = sigmoid(logit), and log(1 - I_x(a, b)).

    x is given by its logit, so that neither x nor 1 - x loses its digits. Source: DLMF 8.17.2.
    """
    a, b, logit = jnp.broadcast_arrays(a, b, logit)
    below = logit < ln(a / b)
    first, second, side = jnp.where(below, a, b), jnp.where(below, b, a), jnp.where(below, logit, -logit)
    minor = _not_positive(_log_lower_beta(first, second, side))
    major = log1mexp(-minor)
    return jnp.where(below, minor, major), jnp.where(below, major, minor)
