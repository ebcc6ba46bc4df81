"""Rows and an evaluation by hand that tests of terms share."""

import functools

import jax
import numpy as np

from jaxmle.terms.objective import whole_tree

ROWS = 23
RNG = np.random.default_rng(11)
X = np.column_stack([np.ones(ROWS), RNG.normal(size=(ROWS, 2))])
T = np.linspace(0.0, 2.0, ROWS)
NOISE = RNG.normal(size=ROWS)
WEIGHTS = RNG.integers(0, 4, ROWS).astype(float)
BETA = np.array([0.2, -0.5, 0.3])


@functools.partial(jax.jit, static_argnames="order")
def evaluation(term, params, order=2):
    """The evaluation with derivatives in the flattened params."""
    lift, point = whole_tree(params)
    return term.evaluate(lift, point, order)


value = jax.jit(lambda term, params: term(params))


def close(got, expected, rtol=1e-10):
    expected = np.asarray(expected)
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol * max(1.0, np.abs(expected).max()))
