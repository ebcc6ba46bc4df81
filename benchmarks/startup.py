"""Before the first number: what does importing cost, and the first fit of each ready-made model?"""

import statistics

from benchmarks.measure import Row, in_new_process
from benchmarks.question import Target

_NONE = float("nan")

_IMPORT = """
import time, jax, equinox, optax
start = time.perf_counter()
import jaxmle
print(time.perf_counter() - start)
"""

_FIRST = """
import time, jax
jax.config.update("jax_enable_x64", True)
import numpy as np, jaxmle as jm
jax.block_until_ready(jax.jit(lambda x: x + 1)(1.0))
rng = np.random.default_rng(0)
x = np.column_stack([np.ones(50), rng.standard_normal((50, 2))])
y = (rng.random(50) < 0.5).astype(float)
start = time.perf_counter()
problem = {make}
fit = jm.fit(problem)
print(time.perf_counter() - start, bool(fit.ok))
"""

_MODELS = {
    "normal": "jm.models.normal(x[:, 1])",
    "bernoulli": "jm.models.bernoulli(y)",
    "binomial": "jm.models.binomial(y, 3)",
    "poisson": "jm.models.poisson(y)",
    "exponential": "jm.models.exponential(y + 0.1)",
    "linear": "jm.models.linear(x, x[:, 1] + y)",
    "logistic": "jm.models.logistic(x, y)",
    "softmax": "jm.models.softmax(x, np.arange(50) % 3)",
    "ordinal_regression": "jm.models.ordinal_regression(x[:, 1:], np.arange(50) % 3)",
    "poisson_regression": "jm.models.poisson_regression(x, y)",
    "negative_binomial_regression": (
        "jm.models.negative_binomial_regression(x, rng.negative_binomial(2, 0.3, 50).astype(float))"
    ),
    "survival_regression": "jm.models.survival_regression(x, rng.exponential(size=50), event=y)",
    "nonlinear_least_squares": (
        "jm.models.nonlinear_least_squares("
        "lambda p, t: p['a'] * jax.numpy.exp(p['b'] * t), x[:, 1], np.exp(x[:, 1]) + y, {'a': 1.0, 'b': 0.5})"
    ),
}


PEERS = ("jaxmle",)
LIMIT = 2.0  # seconds, for a first fit
TARGETS = tuple(Target(f"first fit of {name}", "jaxmle", most=LIMIT) for name in _MODELS)


def rows(who: str, small: bool):
    """A row for the import, over jax, equinox and optax, and one for the first fit of each model, medians of three."""
    models, times = (dict(list(_MODELS.items())[:1]), 1) if small else (_MODELS, 3)
    seconds = statistics.median(float(in_new_process(_IMPORT)) for _ in range(times))
    yield Row("import jaxmle after jax, equinox and optax", who, seconds, _NONE, _NONE, "", "")
    for name, make in models.items():
        printed = [in_new_process(_FIRST.format(make=make)).split() for _ in range(times)]
        assert all(ok == "True" for _, ok in printed), name
        seconds = statistics.median(float(seconds) for seconds, _ in printed)
        yield Row(f"first fit of {name}", who, seconds, _NONE, _NONE, "", "float64", figure=seconds)
