"""Before the first number: what does importing cost, and the first fit of each ready-made model?"""

import statistics

from benchmarks.measure import Row, in_new_process

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
    "poisson_regression": "jm.models.poisson_regression(x, y)",
    "nonlinear_least_squares": (
        "jm.models.nonlinear_least_squares("
        "lambda p, t: p['a'] * jax.numpy.exp(p['b'] * t), x[:, 1], np.exp(x[:, 1]) + y, {'a': 1.0, 'b': 0.5})"
    ),
}


def rows() -> list[Row]:
    """A row for the import, over jax, equinox and optax, and one for the first fit of each model."""
    seconds = statistics.median(float(in_new_process(_IMPORT)) for _ in range(5))
    table = [Row("import jaxmle after jax, equinox and optax", "jaxmle", seconds, float("nan"), 0.0, "", "")]
    for name, make in _MODELS.items():
        seconds, ok = in_new_process(_FIRST.format(make=make)).split()
        assert ok == "True", name
        table.append(Row(f"first fit of {name}", "jaxmle", float(seconds), float("nan"), 0.0, "", "float64"))
    return table
