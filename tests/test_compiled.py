"""What is compiled, when, and how: the persistent cache, and the precision of matrix products."""

import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.fitting.in_z import evaluate_in_z

# Each entry, in a process of its own; what was compiled and not read from the cache is counted.
PROGRAM = """
import sys
import jax, jax.numpy as jnp, numpy as np, optax
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_compilation_cache_dir", sys.argv[1])
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
import jaxmle as jm

hits, misses = [], []
def listen(event, **_):
    kinds = {"/jax/compilation_cache/cache_hits": hits, "/jax/compilation_cache/cache_misses": misses}
    kinds.get(event, []).append(event)
jax.monitoring.register_event_listener(listen)
rng = np.random.default_rng(0)
x, y = rng.standard_normal((40, 2)), (rng.random(40) < 0.5).astype(float)
problem = jm.models.logistic(x, y)
fit = jm.fit(problem)
jm.infer(problem, fit)
jm.fit(problem + jm.priors.laplace("beta", scale=0.3))
lanes = jax.vmap(jm.models.logistic)(jnp.asarray(x.reshape(2, 20, 2)), jnp.asarray(y.reshape(2, 20)))
jm.fit_batch(lanes)
jm.fit_best(problem, jm.random_starts(jax.random.key(0), problem.start, 3))
jm.train(problem, None, optax.sgd(0.1), key=jax.random.key(0), epochs=1)
print(len(hits), len(misses))
"""


@pytest.mark.always
def test_a_second_process_finds_every_program_in_the_cache(tmp_path):
    counts = []
    for _ in range(2):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
        ran = subprocess.run(command, capture_output=True, text=True, env=os.environ)
        assert ran.returncode == 0, ran.stderr[-3000:]
        counts.append([int(n) for n in ran.stdout.split()])
    (_, first), (hits, misses) = counts
    assert first > 5
    assert hits >= first
    assert misses == 0


def test_matrix_products_of_an_evaluation_are_of_the_highest_precision():
    x = jnp.ones((20, 3), jnp.float32)
    problem = jm.models.logistic(x, jnp.ones(20, jnp.float32))
    fit = jm.Fit.at(problem, {"beta": jnp.zeros(3, jnp.float32)})
    text = str(jax.make_jaxpr(lambda z: evaluate_in_z(problem.objective, fit.space, z, 2))(fit.z))
    products = re.findall(r"dot_general\[.*?\n\s*\]", text, re.DOTALL)
    assert len(products) >= 3  # the predictor, the gradient, the curvature
    assert all("HIGHEST" in product for product in products)


@pytest.mark.parametrize("kind", ["likelihood", "regression"])
def test_a_function_that_asks_for_another_precision_keeps_it(kind):
    x = jnp.ones((20, 3), jnp.float32)

    def predict(params, row):
        return (jnp.dot(row, params["beta"], precision="default"),)

    def log_likelihood(params, rows):
        return jm.densities.bernoulli.logpmf(1.0, jnp.dot(rows, params["beta"], precision="default"))

    term = jm.regression(jm.densities.bernoulli, predict, x, jnp.ones(20)) if kind == "regression" else None
    term = term or jm.likelihood(log_likelihood, x)
    fit = jm.Fit.at(term, {"beta": jnp.zeros(3, jnp.float32)})
    assert "DEFAULT" in str(jax.make_jaxpr(lambda z: evaluate_in_z(term, fit.space, z, 0))(fit.z))


def test_a_density_is_traced_once_for_all_numbers_of_rows():
    """Its derivatives are those of one row, whatever the data; another compilation does not ask Python again."""
    looks = []

    def logpdf(y, loc):
        looks.append(None)
        return -0.5 * (y - loc) ** 2

    def fit(n):
        term = jm.regression(logpdf, lambda params, row: (params["loc"],), np.zeros(n), np.linspace(0.0, 2.0, n))
        return jm.fit(term, {"loc": 0.0})

    assert float(fit(5).params["loc"]) == pytest.approx(1.0)
    before = len(looks)
    assert float(fit(7).params["loc"]) == pytest.approx(1.0)
    assert len(looks) == before
