"""One evaluation: how fast are value, gradient and curvature of each kernel beside NumPy?"""

import jax
import jax.numpy as jnp
import numpy as np

import jaxmle as jm
from benchmarks import numpy_reference, problems
from benchmarks.measure import Row, against, time_of, worst
from jaxmle.terms.objective import whole_tree

SIZES = ((1_000, 5), (100_000, 20))


@jax.jit
def _evaluate(objective, params):
    lift, point = whole_tree(params)
    evaluation = objective.evaluate(lift, point, 2)
    return evaluation.value, evaluation.gradient, evaluation.curvature


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


def rows() -> list[Row]:
    """A pair of rows for each kernel and size: NumPy and jaxmle, which must agree."""
    table = []
    for n, p in SIZES:
        for name, problem, params, reference in _cases(n, p):
            question = f"{name}, {n:,} x {p}: value, gradient, Hessian"
            value, gradient, hessian = reference()
            params = jax.tree.map(jnp.asarray, params)
            got = _evaluate(problem.objective, params)
            error = max(worst(got[0], value), worst(got[1], gradient), worst(got[2], -hessian))
            numpy_first, numpy_warm = time_of(reference)
            _evaluate.clear_cache()
            first, warm = time_of(lambda problem=problem, params=params: _evaluate(problem.objective, params))
            table += against(
                Row(question, "NumPy", numpy_first, numpy_warm, 0.0, "", "float64"),
                Row(question, "jaxmle", first, warm, error, "of the largest entry", str(got[0].dtype)),
            )
    return table
