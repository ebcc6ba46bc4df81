"""Log-likelihoods of four regressions with exact derivatives, and Newton's method, in NumPy float64.

Nothing here imports JAX or the package under test: these are the numbers it is compared with, and the time
it has to beat. Every function returns the log-likelihood with its normalising constants, its gradient and its
Hessian, summed over the rows; `weights` counts each row that many times.

Source: McCullagh and Nelder (1989), Generalized Linear Models, 2nd edition.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer, Real
from scipy.special import gammaln

LOG_2PI = np.log(2.0 * np.pi)

INDEFINITE = (
    "The information is not positive definite; columns of x may be collinear, or the start too far from the "
    "maximum. Drop a column or start closer."
)

Derivatives = tuple[float, Float[np.ndarray, " d"], Float[np.ndarray, "d d"]]


def normal(
    params: tuple[Float[np.ndarray, " p"], float],
    x: Float[np.ndarray, "n p"],
    y: Real[np.ndarray, " n"],
    weights: Real[np.ndarray, " n"] | None = None,
) -> Derivatives:
    """Log-likelihood of the linear regression with normal errors.

    ℓ(β, σ) = -½ Σ wᵢ (rᵢ² + 2 log σ + log 2π), with rᵢ = (yᵢ - xᵢ'β) / σ.

    `params` is (β (p,), σ > 0); gradient (p+1,) and Hessian (p+1, p+1) are in (β, σ), the scale itself, not
    its logarithm.

    Source: McCullagh and Nelder (1989), chapter 3.
    """
    beta, sigma = params
    residual = (y - x @ beta) / sigma
    count = len(y) if weights is None else weights.sum()
    squares = _weighted(residual**2, weights).sum()
    pull = x.T @ _weighted(residual, weights)
    value = -0.5 * (squares + count * (2.0 * np.log(sigma) + LOG_2PI))
    gradient = np.append(pull, squares - count) / sigma
    corner = 3.0 * squares - count
    information = np.block([[_gram(x, weights), 2.0 * pull[:, None]], [2.0 * pull[None, :], corner]])
    return value, gradient, -information / sigma**2


def bernoulli(
    beta: Float[np.ndarray, " p"],
    x: Float[np.ndarray, "n p"],
    y: Real[np.ndarray, " n"],
    weights: Real[np.ndarray, " n"] | None = None,
) -> Derivatives:
    """Log-likelihood of the logistic regression, for `y` in {0, 1}.

    ℓ(β) = -Σ wᵢ log(1 + exp(-mᵢ)), with the margin mᵢ = (2yᵢ - 1) xᵢ'β.

    Gradient (p,) and Hessian (p, p) are in β. The signed margin keeps each row's term accurate to its last
    digits however small it is: 1 - P(yᵢ) is never formed by subtraction, and nothing overflows.

    Source: McCullagh and Nelder (1989), chapter 4.
    """
    sign = 2.0 * y - 1.0
    margin = sign * (x @ beta)
    decay = np.exp(-np.abs(margin))
    value = _weighted(np.minimum(margin, 0.0) - np.log1p(decay), weights).sum()
    residual = sign * np.where(margin > 0.0, decay, 1.0) / (1.0 + decay)
    variance = decay / (1.0 + decay) ** 2
    return value, x.T @ _weighted(residual, weights), -_gram(x, _weighted(variance, weights))


def categorical(
    beta: Float[np.ndarray, "p k-1"],
    x: Float[np.ndarray, "n p"],
    y: Integer[np.ndarray, " n"],
    weights: Real[np.ndarray, " n"] | None = None,
) -> Derivatives:
    """Log-likelihood of the multinomial logistic regression, for labels `y` in 0, ..., k-1.

    ℓ(β) = -Σ wᵢ log Σⱼ exp(ηᵢⱼ - ηᵢ,yᵢ), with ηᵢⱼ = xᵢ'βⱼ and ηᵢ₀ = 0 for the baseline class 0.

    Gradient (p(k-1),) and Hessian (p(k-1), p(k-1)) are in `beta.ravel()`, C order: the class varies fastest.

    Source: McCullagh and Nelder (1989), chapter 5; Agresti (2013), Categorical Data Analysis, section 8.1.
    """
    rows = np.arange(len(y))
    eta = np.vstack([np.zeros(len(y)), (x @ beta).T])
    margin = eta - eta[y, rows]
    largest = margin.max(axis=0)
    odds = np.exp(margin - largest)
    observed = odds[y, rows]
    odds[y, rows] = 0.0
    others = odds.sum(axis=0)
    total = observed + others
    # Where the observed class leads, observed is exactly 1 and log1p sees the small sum of the others whole.
    value = -_weighted(largest + np.log1p(others + (observed - 1.0)), weights).sum()
    residual = -odds / total
    residual[y, rows] = others / total
    odds[y, rows] = observed
    gradient = (_weighted(residual[1:], weights) @ x).T.ravel()
    return value, gradient, _multinomial_hessian(odds / total, x, weights)


def poisson(
    beta: Float[np.ndarray, " p"],
    x: Float[np.ndarray, "n p"],
    y: Real[np.ndarray, " n"],
    weights: Real[np.ndarray, " n"] | None = None,
) -> Derivatives:
    """Log-likelihood of the Poisson regression with the log link, for counts `y`.

    ℓ(β) = Σ wᵢ (yᵢ ηᵢ - exp ηᵢ - log yᵢ!), with ηᵢ = xᵢ'β.

    Gradient (p,) and Hessian (p, p) are in β.

    Source: McCullagh and Nelder (1989), chapter 6.
    """
    eta = x @ beta
    mean = np.exp(eta)
    value = _weighted(y * eta - mean - gammaln(y + 1.0), weights).sum()
    return value, x.T @ _weighted(y - mean, weights), -_gram(x, _weighted(mean, weights))


class NewtonFit(NamedTuple):
    """A maximum: the estimate (d,), its standard errors (d,), the log-likelihood, and the steps taken."""

    estimate: Float[np.ndarray, " d"]
    standard_errors: Float[np.ndarray, " d"]
    log_likelihood: float
    steps: int


def newton(
    evaluate: Callable[[Float[np.ndarray, " d"]], Derivatives],
    start: Real[np.ndarray, " d"],
    tolerance: float = 1e-12,
    max_steps: int = 50,
) -> NewtonFit:
    """Maximise a log-likelihood by Newton's method, a step being halved only when the value drops.

    θ ← θ + I⁻¹g, with the observed information I = -H; standard errors are the roots of the diagonal of I⁻¹.

    The fit ends with the step whose squared Newton decrement g'I⁻¹g, twice the gain it predicts, is at most
    `tolerance`: that step moves no estimate by more than √tolerance standard errors. Separated classes have
    no maximum, yet pass this test at large finite estimates.

    Raises ValueError where the value at `start` is not finite, LinAlgError where the information is not
    positive definite, and RuntimeError after `max_steps` steps.

    >>> x, y = np.ones((4, 1)), np.array([0, 1, 1, 1])
    >>> fit = newton(lambda beta: bernoulli(beta, x, y), np.zeros(1))
    >>> print(fit.estimate.round(6), fit.standard_errors.round(6))  # log 3 and √(4/3)
    [1.098612] [1.154701]

    Source: Nocedal and Wright (2006), Numerical Optimization, section 3.3; Boyd and Vandenberghe (2004),
    Convex Optimization, section 9.5.
    """
    estimate = np.asarray(start, dtype=np.float64)
    value, gradient, hessian = evaluate(estimate)
    if not np.isfinite(value):
        raise ValueError(f"The log-likelihood at the start is {value}; start closer to the data.")
    for steps in range(1, max_steps + 1):
        root = _inverse_root(-hessian)
        whitened = root @ gradient
        estimate, (value, gradient, hessian) = _ascend(evaluate, estimate, value, root.T @ whitened)
        if whitened @ whitened <= tolerance:
            errors = np.sqrt(np.square(_inverse_root(-hessian)).sum(axis=0))
            return NewtonFit(estimate, errors, value, steps)
    raise RuntimeError(
        f"Newton's method did not converge in {max_steps} steps; the data may have no maximum, or the start "
        "may be far from it. Raise max_steps or start closer."
    )


def _weighted(terms: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Terms (..., n) times the weights (n,), or as they are."""
    return terms if weights is None else terms * weights


def _gram(x: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """X'WX (p, p) in one matrix product."""
    return x.T @ _weighted(x.T, weights).T


def _multinomial_hessian(
    probability: np.ndarray, x: np.ndarray, weights: np.ndarray | None
) -> Float[np.ndarray, "d d"]:
    """Hessian (p(k-1), p(k-1)) of the categorical log-likelihood from the probabilities (k, n).

    Block (j, l) is Σ wᵢ πᵢⱼ πᵢₗ xᵢxᵢ' for j ≠ l, all of them one matrix product. As the rows of diag(π) - ππ'
    sum to zero, block (j, j) is minus the sum of its row: 1 - πⱼ is never formed.
    """
    classes, features = len(probability), x.shape[1]
    scaled = (probability[:, None, :] * np.ascontiguousarray(x.T)).reshape(classes * features, len(x))
    blocks = (scaled @ _weighted(scaled, weights).T).reshape(classes, features, classes, features)
    diagonal = np.arange(classes)
    blocks[diagonal, :, diagonal] = 0.0
    blocks[diagonal, :, diagonal] = -blocks.sum(axis=2)
    free = features * (classes - 1)
    return blocks[1:, :, 1:, :].transpose(1, 0, 3, 2).reshape(free, free)


def _ascend(
    evaluate: Callable[[np.ndarray], Derivatives], estimate: np.ndarray, value: float, step: np.ndarray
) -> tuple[np.ndarray, Derivatives]:
    """The first of step, step/2, step/4, ... at which the value does not drop, with the derivatives there."""
    # Rounding in the sum over rows may lower the value at the maximum itself; that is no drop.
    floor = value - 1e-12 * (1.0 + abs(value))
    while True:
        # A trial may lie where the mean overflows; its value, -inf or nan, is then a drop like any other.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            trial = evaluate(estimate + step)
        if trial[0] >= floor:
            return estimate + step, trial
        step = 0.5 * step


def _inverse_root(information: np.ndarray) -> np.ndarray:
    """R (d, d) with R'R = I⁻¹, the inverse of the Cholesky factor of the information.

    The diagonal is scaled to one first, so that the units of the columns of X do not matter.
    """
    diagonal = information.diagonal()
    if not (np.isfinite(information).all() and (diagonal > 0.0).all()):
        raise np.linalg.LinAlgError(INDEFINITE)
    scale = np.sqrt(diagonal)
    try:
        return np.linalg.inv(np.linalg.cholesky(information / np.outer(scale, scale))) / scale
    except np.linalg.LinAlgError as error:
        raise np.linalg.LinAlgError(INDEFINITE) from error
