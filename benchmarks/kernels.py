"""One evaluation: how fast are value, gradient and curvature of each kernel beside NumPy?"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import jaxmle as jm
from benchmarks import numpy_reference, problems
from benchmarks.evaluation import evaluate
from benchmarks.measure import Row, timer, worst

SIZES, SMALL = ((1_000, 5), (100_000, 20)), ((200, 3),)
PEERS = ("NumPy", "jaxmle")


def _cases(n, p):
    zeros = np.zeros(p)
    x, y = problems.logistic(n, p)
    yield "logistic", jm.models.logistic(x, y), {"beta": zeros}, lambda: numpy_reference.bernoulli(zeros, x, y)
    xp, yp = problems.poisson(n, p)
    yield (
        "Poisson",
        jm.models.poisson_regression(xp, yp),
        {"beta": zeros},
        lambda: numpy_reference.poisson(zeros, xp, yp),
    )
    xn, yn = problems.normal(n, p)
    yield (
        "normal",
        jm.models.linear(xn, yn),
        {"beta": zeros, "sigma": 1.5},
        lambda: numpy_reference.normal((zeros, 1.5), xn, yn),
    )
    xs, ys = problems.softmax(n, p, 3)
    start = np.zeros((p, 2))
    yield (
        "softmax of 3",
        jm.models.softmax(xs, ys),
        {"beta": start},
        lambda: numpy_reference.categorical(start, xs, ys),
    )


def rows(who: str, small: bool):
    """A row for each kernel and size, of NumPy or of jaxmle, which must agree."""
    for n, p in SMALL if small else SIZES:
        for name, problem, params, reference in _cases(n, p):
            value, gradient, hessian = reference()
            params = jax.tree.map(jnp.asarray, params)
            run = reference if who == "NumPy" else functools.partial(evaluate, problem.objective, params)
            first, warm = timer(small)(run)
            found = run()
            curvature = -found[2] if who == "NumPy" else found[2]
            error = max(worst(found[0], value), worst(found[1], gradient), worst(curvature, -hessian))
            question = f"{name}, {n:,} x {p}: value, gradient, Hessian"
            yield Row(question, who, first, warm, error, "of the largest entry", "float64")
