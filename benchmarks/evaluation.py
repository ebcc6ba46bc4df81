"""One evaluation of a logistic regression: value, gradient and curvature, beside reading the data once."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxmle as jm
from benchmarks import numpy_reference, problems
from benchmarks.measure import Row, timer, worst
from benchmarks.question import Target, spread
from jaxmle.terms.objective import whole_tree

SIZE, SMALL = (1_000_000, 20), (20_000, 4)
READING = "reading the data once"
PEERS = (READING, "NumPy", "autodiff of all rows at once", "jaxmle")
SHARDED = ("jaxmle",)


def _text(n, p):
    return f"logistic, {n:,} x {p}: value, gradient and curvature once"


TARGETS = (
    Target(_text(*SIZE), "jaxmle, 1 device", READING, most=8),
    Target(_text(*SIZE), "jaxmle, 2 devices", READING, most=5),
)


@jax.jit
def evaluate(objective, params):
    """Value, gradient and curvature of ``objective`` at ``params``."""
    lift, point = whole_tree(params)
    evaluation = objective.evaluate(lift, point, 2)
    return evaluation.value, evaluation.gradient, evaluation.curvature


@jax.jit
def _all_at_once(beta, x, y):
    def value(beta):
        logits = x @ beta
        return jnp.sum(y * logits - jnp.logaddexp(0.0, logits))

    return value(beta), jax.grad(value)(beta), -jax.hessian(value)(beta)


def _readings(x, y):
    """Ways to read the data once: the fastest of them is the floor."""
    b, here = np.ones(x.shape[1]), (jnp.asarray(x), jnp.asarray(y))
    product, total = jax.jit(lambda x, y, b: (x @ b, y.sum())), jax.jit(lambda x, y: (x.sum(), y.sum()))
    inner = np.ones(x.shape[0])
    return (
        lambda: (x @ b, y.sum()),
        lambda: (inner @ x, y.sum()),
        lambda: (x.sum(), y.sum()),
        lambda: product(*here, b),
        lambda: total(*here),
    )


def rows(who: str, small: bool):
    """The row of one program; the error of reading is none."""
    n, p = SMALL if small else SIZE
    x, y = problems.logistic(n, p)
    beta = np.linspace(-0.2, 0.2, p)
    wanted = numpy_reference.bernoulli(beta, x, y)
    if who == READING:
        first, warm = min((timer(small)(read) for read in _readings(x, y)), key=lambda times: times[1])
        yield Row(_text(n, p), who, first, warm, float("nan"), "", "float64")
        return
    problem, params = spread(jm.models.logistic(jnp.asarray(x), jnp.asarray(y))), {"beta": jnp.asarray(beta)}
    here = params["beta"], jnp.asarray(x), jnp.asarray(y)
    run = {
        "NumPy": lambda: numpy_reference.bernoulli(beta, x, y),
        "autodiff of all rows at once": lambda: _all_at_once(*here),
        "jaxmle": lambda: evaluate(problem.objective, params),
    }[who]
    first, warm = timer(small)(run)
    value, gradient, curvature = run()
    curvature = -curvature if who == "NumPy" else curvature
    error = max(worst(value, wanted[0]), worst(gradient, wanted[1]), worst(curvature, -wanted[2]))
    count = len(jax.devices())
    label = f"jaxmle, {count} device{'s' * (count > 1)}" if who == "jaxmle" else who
    yield Row(_text(n, p), label, first, warm, error, "of the largest entry", "float64")
