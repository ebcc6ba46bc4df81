"""The data that the questions are asked of, made from a seed."""

import numpy as np


def design(n: int, p: int, seed: int = 0):
    """A constant and p - 1 standard normal columns, with moderate coefficients."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    return x, rng.standard_normal(p) / np.sqrt(p), rng


def logistic(n: int, p: int):
    x, beta, rng = design(n, p)
    return x, (rng.random(n) < 1 / (1 + np.exp(-x @ beta))).astype(float)


def poisson(n: int, p: int):
    x, beta, rng = design(n, p)
    return x, rng.poisson(np.exp(x @ beta)).astype(float)


def normal(n: int, p: int):
    x, beta, rng = design(n, p)
    return x, x @ beta + rng.standard_normal(n)


def softmax(n: int, p: int, k: int):
    x, _, rng = design(n, p)
    beta = rng.standard_normal((p, k)) / np.sqrt(p)
    return x, np.argmax(x @ beta + rng.gumbel(size=(n, k)), axis=1)


def negative_binomial(n: int, p: int, concentration: float):
    x, beta, rng = design(n, p)
    mean = np.exp(x @ beta) * rng.gamma(concentration, 1 / concentration, n)
    return x, rng.poisson(mean).astype(float)
