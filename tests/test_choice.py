"""What is no solver is refused in words, and a message names the solver that failed."""

import jax.numpy as jnp
import numpy as np
import optax
import optimistix
import pytest

import jaxmle as jm

HILL = jm.log_prior(lambda p: -jnp.sum(jnp.square(p["x"] - 1.0)))
START = {"x": jnp.zeros(3)}


@pytest.mark.parametrize(
    "solver, words",
    [
        (jm.solvers.Newton, r"is a class: call it first, as in jm.solvers.Newton\(\)"),
        (optimistix.BFGS, r"is a class: call it first, as in BFGS\(...\)"),
        (optax.adam, r"write jm.solvers.Optax\(optax.adam, learning_rate=1e-2\)"),
        (optax.MultiSteps(optax.adam(0.1), 2), r"use jm.train\(..., accumulate=\)"),
        (optimistix.LevenbergMarquardt(1e-8, 1e-8), "use optimistix.BFGS, or jm.solvers.levenberg_marquardt"),
        (optimistix.GoldenSearch(1e-8, 1e-8), "GoldenSearch is not a minimiser of vectors"),
        (optax.masked(optax.adam(0.1), {"x": True}), "work in jm.train; in jm.fit hold them with jm.fixed"),
        ("newton", "solver must be one of jm.solvers"),
    ],
    ids=lambda item: "" if isinstance(item, str) else getattr(item, "__name__", type(item).__name__),
)
def test_what_is_no_solver_is_refused(solver, words):
    with pytest.raises(TypeError, match=words):
        jm.fit(HILL, START, solver=solver)


def test_a_failure_names_its_method():
    x = np.linspace(-1.0, 1.0, 20)[:, None]
    separated = jm.fit(jm.models.logistic(x, x[:, 0] > 0))
    assert separated.message.endswith("evaluations) by Newton's method, chosen for 1 free number")
    saddle = jm.fit(
        jm.log_prior(lambda p: jnp.sum(p["x"] ** 2 - p["x"] ** 4)), START, solver=optimistix.BFGS(1e-8, 1e-8)
    )
    assert saddle.message.startswith("stopped at a stationary point that is not a maximum")
    assert saddle.message.endswith("by an Optimistix minimiser")


def test_a_prior_with_kinks_is_the_reason():
    message = jm.fit(HILL + jm.penalties.l1("x", 0.3), START).message
    assert message.endswith("by proximal Newton, chosen for a prior with kinks and 3 free numbers")
