"""A small logistic regression, and an optimiser that keeps the mean gradient: what tests of training share."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxmle as jm

KEY = jax.random.key(0)
N = 23
RNG = np.random.default_rng(7)
X = np.column_stack([np.ones(N), RNG.normal(size=(N, 2))])
Y = (RNG.uniform(size=N) < 0.5).astype(float)
WEIGHTS = RNG.integers(0, 4, N).astype(float)
ROWS = {"x": X, "y": Y}
BETA = np.array([0.3, -0.2, 0.5])


def log_likelihood(params, rows):
    return jm.densities.bernoulli.logpmf(rows["y"], rows["x"] @ params["beta"])


def score(beta, rows=slice(None), weights=None):
    """The gradient of the log-likelihood of some rows, by hand."""
    residuals = (Y - 1 / (1 + np.exp(-X @ beta)))[rows]
    return X[rows].T @ (residuals if weights is None else residuals * weights[rows])


def at_epochs_end(steps):
    """Leaves params alone until the last step of an epoch, and then moves them by minus the mean gradient."""
    return optax.MultiSteps(
        optax.sgd(1.0), every_k_schedule=steps, accumulator_dtype=jnp.float64
    ).gradient_transformation()


def moved(objective, start, **options):
    """How far one epoch moves beta with such an optimiser."""
    batch, rows = options["batch_size"], options.pop("rows", N)
    steps = math.ceil(rows / (batch * options.get("accumulate", 1)))
    fit = jm.train(objective, start, at_epochs_end(steps), key=KEY, **options)
    return np.asarray(fit.params["beta"])


# What goes wrong


def train(objective=None, start=None, optimiser=None, **options):
    objective = jm.likelihood(log_likelihood, ROWS) if objective is None else objective
    start = {"beta": BETA} if start is None else start
    return jm.train(objective, start, optax.sgd(0.1) if optimiser is None else optimiser, **{"key": KEY, **options})
