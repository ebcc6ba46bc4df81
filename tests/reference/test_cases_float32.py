"""Every published case in float32: how close it comes to the float64 answer, and whether it knows.

The bound is float32's own limit: with D the square roots of the curvature's diagonal and kappa the condition number
of the curvature scaled by D, ``|D (z32 - z64)| <= 10 kappa eps |D z64|``, eps = 1.2e-7 (Higham 2002, section 7.2:
solving at rounding; 3.4 in place of 10 is the worst measured). Log-likelihoods agree to 1e-5.
"""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

cases.require()

from test_likelihood_cases import BUILDERS  # noqa: E402

from jaxmle.core.tree import is_array  # noqa: E402
from jaxmle.fitting.program import evaluate_in_z  # noqa: E402
from jaxmle.terms.problem import as_problem  # noqa: E402

EPS = float(np.finfo(np.float32).eps)
MAKES_FLOAT64 = {"fishing-mixed-clogit"}  # its predictor writes a float64 zero of its own
NAMES = [name for name in BUILDERS if name not in MAKES_FLOAT64]


def narrowed(tree):
    """Floating numbers as float32."""

    def narrow(leaf):
        floating = type(leaf) is float or (is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating))
        return jnp.asarray(leaf, jnp.float32) if floating else leaf

    return jax.tree.map(narrow, tree)


@pytest.mark.parametrize("name", NAMES)
def test_float32_ends_at_its_own_limit_and_says_so(name):
    case = cases.CASES[name]
    problem = as_problem(*BUILDERS[name](cases.columns(case), case["start"]))
    exact = jm.fit(problem)
    found = jm.fit(narrowed(problem.objective), narrowed(problem.start))
    assert found.z.dtype == jnp.float32
    assert found.ok, found.message
    assert "float32" in found.message
    space, z = exact.space.unlabelled(), np.asarray(found.z, float)
    curvature = np.asarray(evaluate_in_z(problem.objective, space, exact.z, 2).curvature)
    units = np.sqrt(np.diagonal(curvature))
    condition = np.linalg.cond(curvature / units[:, None] / units[None, :])
    off = np.linalg.norm(units * (z - np.asarray(exact.z))) / np.linalg.norm(units * np.asarray(exact.z))
    assert off <= 10.0 * condition * EPS
    value = float(evaluate_in_z(problem.objective, space, jnp.asarray(z), 0).value)
    assert float(found.value) == pytest.approx(value, rel=1e-5)
    # What is still to be gained it knows to its own rounding, half the square of what gradients are wrong by.
    gap = max(float(exact.value) - value, 0.0)
    assert gap <= 50.0 * 0.5 * float(found.newton_decrement) ** 2 + 1e-6 * EPS * abs(value)
    wide = jm.polish(narrowed(problem.objective), found)
    assert wide.z.dtype == jnp.float64
    assert wide.ok, wide.message
