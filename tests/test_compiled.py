"""What is compiled, when, and how: the persistent cache, and the precision of matrix products."""

import dataclasses
import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle.densities import censored, poisson
from jaxmle.fitting.in_z import evaluate_in_z
from jaxmle.inference.profiles import lane, search
from jaxmle.solvers import newton
from jaxmle.terms import predictor

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


@pytest.mark.parametrize("density", [poisson, lambda: censored(poisson, "right")])
def test_a_density_is_traced_once_for_all_numbers_of_rows(density, monkeypatch):
    """Its derivatives are those of one row, whatever the data; another compilation does not ask Python again."""
    looks, excess = [], poisson.log_factorial_excess

    def look(k):
        looks.append(None)
        return excess(k)

    def fit(n):
        made = density() if callable(density) else density
        y = np.arange(float(n))
        term = jm.regression(made, lambda p, row: (p["log_rate"], *(() if made is poisson else (row,))), y, y)
        return jm.fit(term, {"log_rate": 0.0})

    predictor._kept_of_one_row.clear_cache()
    monkeypatch.setattr(poisson, "log_factorial_excess", look)
    assert float(fit(5).params["log_rate"]) == pytest.approx(np.log(2.0))
    before = len(looks)
    assert before
    assert float(fit(7).params["log_rate"]) == pytest.approx(np.log(3.0))
    assert len(looks) == before


def test_what_a_solver_does_is_traced_once_for_as_many_parameters(monkeypatch):
    looks, judge = [], newton._judge

    def look(state, evaluation):
        looks.append(None)
        return judge(state, evaluation)

    monkeypatch.setattr(newton, "_judge", look)
    newton.Newton.update.clear_cache()
    for n in (6, 8):
        assert jm.fit(jm.models.logistic(np.ones((n, 1)), np.arange(n) % 2)).ok
    assert len(looks) == 1


def test_what_a_lane_of_a_profile_does_is_traced_once_for_as_many_parameters(monkeypatch):
    looks, look_around = [], lane._look

    def look(*arguments):
        looks.append(None)
        return look_around(*arguments)

    monkeypatch.setattr(lane, "_look", look)
    search._choose_number.clear_cache()
    for y in ([2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 3.0]):
        problem = jm.models.poisson(np.array(y))
        assert float(jm.profile(problem, jm.fit(problem)).lower["rate"]) > 1.0
    assert len(looks) == 1


@dataclasses.dataclass
class _Changing:
    """A density that may change, and has no hash."""

    sd: float

    def __call__(self, y, loc):
        return -0.5 * ((y - loc) / self.sd) ** 2

    def logpdf(self, y, loc):
        return self(y, loc)


def test_a_density_of_the_user_is_asked_again_and_needs_no_hash():
    noise = _Changing(1.0)
    y = np.arange(5.0)

    def fit(n):
        return jm.fit(jm.regression(noise, lambda p, row: (p["loc"],), y[:n], y[:n]), {"loc": 0.0})

    assert float(fit(5).value) == pytest.approx(-5.0)
    noise.sd = 2.0
    assert float(fit(4).value) == pytest.approx(-5.0 / 8.0)
