"""Special functions that keep their digits, and whose derivatives of every order keep theirs.

A log-density is a small difference of large numbers: at a count of a million, `y log m`, `m` and `log y!` are
each of order 1e7 and their sum is of order 10, so that the textbook formula has lost seven digits. The remedy
(Loader, 2000, "Fast and accurate computation of binomial probabilities") is to take the large parts out by
hand. What is left:

- `log_factorial_excess` and `binet`, what Stirling's formula leaves of log k! and of log Gamma(x);
- `poisson_deviance`, `expm1mx` and `compound_log`, quantities that vanish to second order where data and
  model agree.

A function has a `custom_jvp` only where automatic differentiation of its formula would cancel; the
derivatives of the others, trigamma and beyond among them, are those of a short polynomial in 1/x, far cheaper
than `polygamma`. A rule in two arguments is one function, so that one may be a scalar and the other an array.
"""

from collections.abc import Iterable
from functools import reduce
from math import lgamma, log, pi

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jaxmle.core.elementary import by_platform, expm1, ln, ln1p, polynomial, slopes, sum_log

Real = Float[Array, "..."]

_BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510]
# B_2j / (2j (2j - 1)), the coefficients of x^(1-2j) in Stirling's series.
_STIRLING = [b / ((2 * j) * (2 * j - 1)) for j, b in enumerate(_BERNOULLI, 1)]
_STIRLING_SLOPE = [c * (1 - 2 * j) for j, c in enumerate(_STIRLING, 1)]
_STIRLING_BEND = [-c * 2 * j for j, c in enumerate(_STIRLING_SLOPE, 1)]
# The same for log Gamma(x + 1/2) - log Gamma(x): B_k(1/2) - B_k = -(2 - 2^(1-k)) B_k.
_HALF_STEP = [-(2 - 2.0 ** (1 - 2 * j)) * c for j, c in enumerate(_STIRLING, 1)]
_SHIFT = 8  # the series above are good to 1e-16 from here on
_PAIRS = [k * (_SHIFT - 1 - k) for k in range(_SHIFT // 2)]
_HALF_LOG_TWO_PI = 0.5 * log(2 * pi)
# artanh(s)/s as a polynomial in s^2, interpolated at the Chebyshev points of s^2 in [0, 1/9]: to 2e-18.
ARTANH = [
    1.0,
    0.33333333333333076,
    0.20000000000092874,
    0.14285714272727057,
    0.11111112040373837,
    0.09090870416252403,
    0.07693307021152004,
    0.06650187016337313,
    0.06055084364034609,
    0.0416225325593041,
    0.08522081781390699,
]
# (log(1 + x) - x / (1 + x)) / x^2 in x.
_BEND = [(-1) ** k * (k - 1) / k for k in range(2, 17)]
# zeta(2), zeta(3), ...
_ZETA = [1.6449340668482264, 1.2020569031595943, 1.0823232337111382, 1.03692775514337, 1.0173430619844492]
_ZETA += [1.0083492773819229, 1.0040773561979443, 1.0020083928260822, 1.0009945751278182, 1.000494188604119]
_SMALL_FACTORIALS = [0.0] + [lgamma(k + 1) - k * log(k) + k for k in range(1, 16)]


def _odd_series(x: Real, coefficients: list[float]) -> Real:
    """`c[0] / x + c[1] / x^3 + ...`."""
    inverse = 1 / x
    return inverse * polynomial(inverse * inverse, coefficients)


def _product(factors: Iterable[Real]) -> Real:
    return reduce(jnp.multiply, factors)


@jax.custom_jvp
def binet(x: Real) -> Real:
    """Binet's function, log Gamma(x) - (x - 1/2) log x + x - log(2 pi)/2, for x > 0.

    Stirling's series from x = 8 on; below, the recurrence Gamma(x + 8) = x (x + 1) ... (x + 7) Gamma(x). Its
    derivatives are the same series and recurrence, differentiated by hand: the recurrence of digamma is one quotient.
    Source: Abramowitz and Stegun (1964), 6.1.40 and 6.1.16.
    """
    near = x < _SHIFT
    low = jnp.where(near, x, 1.0)
    q = low * (low + (_SHIFT - 1))
    rising = _product(q + c for c in _PAIRS)
    step = (low - 0.5) * ln1p(_SHIFT / low) + ln((low + _SHIFT) ** _SHIFT / rising) - _SHIFT
    return _odd_series(jnp.where(near, x + _SHIFT, x), _STIRLING) + jnp.where(near, step, 0.0)


binet.defjvps(lambda tangent, out, x: _binet_slope(x) * tangent)


@jax.custom_jvp
def _binet_slope(x: Real) -> Real:
    """The derivative of Binet's function, digamma(x) - log x + 1/(2 x)."""
    near = x < _SHIFT
    low = jnp.where(near, x, 1.0)
    product, slope, _ = _rising(low)
    reciprocals = (2 * low + (_SHIFT - 1)) * (slope / product)
    step = ln1p(_SHIFT / low) - reciprocals + 0.5 * (_SHIFT / low / (low + _SHIFT))
    inverse = 1 / jnp.where(near, x + _SHIFT, x)
    return inverse * inverse * polynomial(inverse * inverse, _STIRLING_SLOPE) + jnp.where(near, step, 0.0)


_binet_slope.defjvps(lambda tangent, out, x: _binet_bend(x) * tangent)


def _binet_bend(x: Real) -> Real:
    """The second derivative of Binet's function, trigamma(x) - 1/x - 1/(2 x^2)."""
    near = x < _SHIFT
    low = jnp.where(near, x, 1.0)
    product, slope, bend = _rising(low)
    ratio, turn = slope / product, 2 * low + (_SHIFT - 1)
    squares = turn * turn * (ratio * ratio - bend / product) - 2 * ratio
    high = low + _SHIFT
    step = squares - _SHIFT / low / high - 0.5 * _SHIFT * (low + high) / (low * high) ** 2
    inverse = 1 / jnp.where(near, x + _SHIFT, x)
    return inverse**3 * polynomial(inverse * inverse, _STIRLING_BEND) + jnp.where(near, step, 0.0)


def _rising(x: Real):
    """x (x + 1) ... (x + 7), and its first and second derivatives in q = x (x + 7): its factors are in pairs q, q + 6,
    q + 10 and q + 12."""
    q = x * (x + (_SHIFT - 1))
    product, slope, bend = q, jnp.ones_like(q), jnp.zeros_like(q)
    for c in _PAIRS[1:]:
        product, slope, bend = product * (q + c), slope * (q + c) + product, bend * (q + c) + 2 * slope
    return product, slope, bend


def log_gamma_half_step(x: Real) -> Real:
    """log Gamma(x + 1/2) - log Gamma(x) - (1/2) log x for x > 0: the difference without the two large terms.

    Source: Abramowitz and Stegun (1964), 6.1.40 at x and x + 1/2, with B_k(1/2) from 23.1.21.
    """
    near = x < _SHIFT
    low = jnp.where(near, x, 1.0)
    # The squares of ((x + k) / (x + k + 1/2)), k = 0 to 7, times (x + 8) / x.
    above = low * (low + _SHIFT) * _product((low + k) ** 2 for k in range(1, _SHIFT))
    step = 0.5 * ln(above / _product((low + k + 0.5) ** 2 for k in range(_SHIFT)))
    return _odd_series(jnp.where(near, x + _SHIFT, x), _HALF_STEP) + jnp.where(near, step, 0.0)


def log_factorial_excess(k: Real) -> Real:
    """log k! - k log k + k for a whole number k >= 0, exactly 0 at k = 0.

    A table to 15, Stirling's series beyond. Source: Loader (2000), `stirlerr` with log(2 pi k)/2 included.
    """
    k = jax.lax.stop_gradient(k)
    table = jnp.asarray(_SMALL_FACTORIALS, k.dtype)
    near = k < len(_SMALL_FACTORIALS)
    far = jnp.where(near, 16.0, k)
    # A logarithm that most callers take themselves: the compiler makes it one.
    series = 0.5 * ln(jnp.maximum(k, 1.0)) + _HALF_LOG_TWO_PI + _odd_series(far, _STIRLING)
    return jnp.where(near, table[jnp.where(near, k, 0.0).astype(jnp.int32)], series)


def _expm1mx_series(x: Real) -> Real:
    """exp(x) - 1 - x for |x| < 0.1, from its Taylor series."""
    coefficients = [0.5]
    for k in range(3, 12):
        coefficients.append(coefficients[-1] / k)
    return x * x * polynomial(x, coefficients)


@jax.custom_jvp
def expm1mx(x: Real) -> Real:
    """exp(x) - 1 - x, to full relative precision through its double zero at x = 0."""
    near = jnp.abs(x) < 0.1
    return jnp.where(near, _expm1mx_series(jnp.where(near, x, 0.0)), expm1(x) - x)


expm1mx.defjvps(lambda tangent, out, x: expm1(x) * tangent)


@jax.custom_jvp
def poisson_deviance(y: Real, log_mean: Real, mean: Real, log_ratio: Real) -> Real:
    """Half the Poisson deviance, y log(y / m) - y + m >= 0, for y >= 0; it is m at y = 0.

    `mean` is m, `log_mean` is log m and `log_ratio` is log(m / y) (anything finite at y = 0). The three are
    one number; the caller, who knows the most accurate form of each, gives all of them. Derivatives are taken
    through y and `log_mean`, of which nothing else is used: log(y / m) and m - y. Source: Loader (2000), `bd0`.
    """
    near = (jnp.abs(log_ratio) < 0.1) & (y > 0)
    direct = mean - y - y * log_ratio
    return jnp.where(near, y * _expm1mx_series(jnp.where(near, log_ratio, 0.0)), direct)


slopes(
    poisson_deviance,
    lambda value, y, log_mean, mean, log_ratio: -log_ratio,
    lambda value, y, log_mean, mean, log_ratio: mean - y,
    None,
    None,
)


@jax.custom_jvp
def compound_log(x: Real, n: Real) -> Real:
    """n log(1 + x / n) for x >= 0 and n > 0: the log of n compoundings, which tends to x as n grows."""
    return n * ln1p(x / n)


slopes(compound_log, lambda value, x, n: 1 / (1 + x / n), lambda value, x, n: compound_slope(x / n))


def small_compound_slope(q: Real) -> Real:
    """log(1 + q) - q / (1 + q), of order q^2/2, for |q| < 0.1, by log(1 + q) = 2 artanh(q / (2 + q))."""
    s = q / (2 + q)
    return 2 * s * s * (1 / (1 + s) + s * polynomial(s * s, [1 / (2 * k + 1) for k in range(1, 8)]))


@jax.custom_jvp
def compound_slope(q: Real) -> Real:
    """log(1 + q) - q / (1 + q), of order q^2/2."""
    near = jnp.abs(q) < 0.1
    series = small_compound_slope(jnp.where(near, q, 0.0))
    return jnp.where(near, series, ln1p(q) - 1 / (1 + 1 / jnp.where(near, 1.0, q)))


# The minimum, which is the quotient itself, keeps the compiler from dividing by (1 + q)^2, which may overflow.
compound_slope.defjvps(lambda tangent, out, q: tangent * (jnp.minimum(q / (1 + q), 1.0) / (1 + q)))


@jax.custom_jvp
def sigmoid(x: Real) -> Real:
    """1 / (1 + exp(-x)), whose derivative sigmoid(x) sigmoid(-x) keeps its digits in both tails."""
    return by_platform(_sigmoid, jax.lax.logistic, x)


def _sigmoid(x: Real) -> Real:
    """The same by the exponential that `softplus` has taken."""
    u = jnp.exp(-jnp.abs(x))
    return jnp.where(x < 0, u, 1.0) / (1 + u)


slopes(sigmoid, lambda value, x: sigmoid(x) * sigmoid(-x))


@jax.custom_jvp
def softplus(x: Real) -> Real:
    """log(1 + exp(x)), relatively precise in its small tail, with derivative `sigmoid(x)`."""
    return jnp.maximum(x, 0.0) + _log1p_of_unit(jnp.exp(-jnp.abs(x)))


def _log1p_of_unit(u: Real) -> Real:
    """log(1 + u) for u from 0 to 1, as 2 artanh(s) with s = u / (2 + u): a third of the time of `log1p`."""
    s = u / (2 + u)
    return 2 * s * polynomial(s * s, ARTANH)


slopes(softplus, lambda value, x: sigmoid(x))


@jax.custom_jvp
def softplus_both(x: Real) -> Real:
    """softplus(x) + softplus(-x)."""
    size = jnp.abs(x)
    return size + 2 * _log1p_of_unit(jnp.exp(-size))


slopes(softplus_both, lambda value, x: sigmoid_difference(x))


@jax.custom_jvp
def sigmoid_difference(x: Real) -> Real:
    """sigmoid(x) - sigmoid(-x)."""
    u = jnp.exp(-jnp.abs(x))
    high = (1 - u) / (1 + u)
    return jnp.where(x < 0, -high, high)


slopes(sigmoid_difference, lambda value, x: 2 * sigmoid(x) * sigmoid(-x))


@jax.custom_jvp
def log1mexp(x: Real) -> Real:
    """log(1 - exp(-x)) for x > 0, and minus infinity at x = 0. Source: Mächler (2012), equation 7."""
    return by_platform(_log1mexp_once, _log1mexp, x)


def _log1mexp(x: Real) -> Real:
    small = x < log(2)
    near = jnp.log(-jnp.expm1(-jnp.where(small, x, 1.0)))
    return jnp.where(small, near, jnp.log1p(-jnp.exp(-jnp.where(small, 1.0, x))))


def _log1mexp_once(x: Real) -> Real:
    """The same with one logarithm."""
    small, u = x < log(2), jnp.exp(-x)
    return sum_log(jnp.where(small, -expm1(-x), 1 - u), -u, ~small)


# exp(-x) / (1 - exp(-x)), and minus its product with 1 / (1 - exp(-x)).
slopes(log1mexp, lambda value, x: odds(x))


@jax.custom_jvp
def odds(x: Real) -> Real:
    """1 / (exp(x) - 1) for x > 0."""
    u = jnp.exp(-x)
    return u / jnp.where(x < log(2), -expm1(-x), 1 - u)


slopes(odds, lambda value, x: -odds(x) * (1 + odds(x)))


def log1mexp_product(x: Real, factor: Real, log_factor: Real) -> Real:
    """log(1 - exp(-x factor)) for positive numbers, which is log x + log(factor) where that is nothing beside 1.

    `log_factor` is log(factor) where the factor is nothing beside 1, and may be anything where it is not.
    """
    product, nothing = x * factor, jnp.finfo(x.dtype).eps / 4
    tiny, small = (product < nothing) & (factor < nothing), product < log(2)
    drop = jnp.where(tiny, x, -expm1(-jnp.where(small & ~tiny, product, 1.0)))
    upper = ln1p(-jnp.exp(-jnp.where(small, 1.0, product)))
    return jnp.where(small, ln(drop) + jnp.where(tiny, log_factor, 0.0), upper)


def log1mexp_exp(x: Real) -> Real:
    """log(1 - exp(-exp(-x))), which tends to -x, without underflow, as x grows."""
    far = x > 30
    small = jnp.exp(-jnp.where(far, x, 30.0))
    return jnp.where(far, -x - 0.5 * small, log1mexp(jnp.exp(-jnp.where(far, 30.0, x))))


@jax.custom_jvp
def scaled_log1p(z: Real, c: Real) -> Real:
    """log(1 + c z) / c for c z > -1, and z at c = 0."""
    x = c * z
    nothing = jnp.abs(x) < float(jnp.finfo(x.dtype).eps) / 4
    return jnp.where(nothing, z, ln1p(x) / jnp.where(nothing, 1.0, c))


def _scaled_log1p_bend(value: Real, z: Real, c: Real) -> Real:
    """The derivative in c, -(log(1 + x) - x / (1 + x)) / c^2 with x = c z; for small x by its Taylor series."""
    x = c * z
    near = jnp.abs(x) < float(jnp.finfo(x.dtype).eps) ** 0.125
    low, some = jnp.where(near, z, 0.0), jnp.where(near, 1.0, c)
    series = low * low * polynomial(c * low, _BEND)
    return -jnp.where(near, series, (ln1p(x) - x * (1 / (1 + x))) / (some * some))


slopes(scaled_log1p, lambda value, z, c: 1 / (1 + c * z), _scaled_log1p_bend)


def expm1_ratio(x: Real) -> Real:
    """(exp(x) - 1) / x, and 1 at x = 0; its derivatives lose digits near 0."""
    some = jnp.where(x == 0, 1.0, x)
    return jnp.where(x == 0, 1.0, expm1(some) / some)


def log_gamma(x: Real) -> Real:
    """log Gamma(x) for x > 0, whose derivatives are those of `binet`."""
    return binet(x) + (x - 0.5) * ln(x) - x + _HALF_LOG_TWO_PI


def log_gamma_bend(k: Real) -> Real:
    """(log Gamma(1 + 2 k) - 2 log Gamma(1 + k)) / k^2 for k > -1/2, and pi^2/6 at k = 0.

    Near 0 by the series of log Gamma(1 + k), Abramowitz and Stegun (1964), 6.1.33.
    """
    near = jnp.abs(k) < 0.02
    some = jnp.where(near, 1.0, k)
    direct = (log_gamma(1 + 2 * some) - 2 * log_gamma(1 + some)) / (some * some)
    series = polynomial(jnp.where(near, k, 0.0), [z * (-1) ** j * (2**j - 2) / j for j, z in enumerate(_ZETA, 2)])
    return jnp.where(near, series, direct)
