"""The Bessel function of the von Mises distribution, and its derivatives, against mpmath's."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from jaxmle.core.bessel import log_bessel

POINTS = [1e-3, 0.1, 1.0, 8.0, 30.0, 49.9, 50.1, 300.0, 5e3]


def _exact(x):
    return mp.log(mp.besseli(0, x)) - x


@pytest.mark.parametrize("order, close", [(0, 1e-13), (1, 1e-13), (2, 1e-11), (3, 1e-6)])
def test_every_derivative_on_either_side_of_the_expansion(order, close):
    function = log_bessel
    for _ in range(order):
        function = jax.grad(function)
    got = jax.jit(jax.vmap(function))(jnp.asarray(POINTS))
    with mp.workdps(60):
        exact = [float(mp.diff(_exact, mp.mpf(x), order, h=mp.mpf(x) * mp.mpf(10) ** -12)) for x in POINTS]
    np.testing.assert_allclose(got, exact, rtol=close)


def test_at_the_ends():
    """Uniform on the circle, and so concentrated that the square overflows."""
    slope, bend = jax.grad(log_bessel), jax.grad(jax.grad(log_bessel))
    assert [float(f(0.0)) for f in (log_bessel, slope, bend)] == [0.0, -1.0, 0.5]
    assert float(slope(1e200)) == pytest.approx(-0.5e-200, rel=1e-12)
    assert float(bend(1e200)) == 0.0
