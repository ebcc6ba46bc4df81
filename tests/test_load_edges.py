"""A file whose parts contradict each other is no fit, and a like with other marks is not like it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm

TERM = jm.likelihood(
    lambda p, y: jm.densities.normal.logpdf(y, p["m"], p["s"]), np.random.default_rng(0).normal(2.0, 3.0, size=20)
)
START = {"m": 0.0, "s": jm.positive(1.0)}


@pytest.fixture(scope="module")
def fit():
    return jm.fit(TERM, START)


@pytest.mark.parametrize(
    "change,says",
    [
        (lambda fit: {"z": fit.z + 1e-6}, "parameter 'm' is not what z says it is"),
        (lambda fit: {"params": {**fit.params, "s": 1.001 * fit.params["s"]}}, "parameter 's' is not what z says"),
        (lambda fit: {"value": jnp.zeros(2)}, r"value has shape \(2,\), not \(\)"),
        (lambda fit: {"direction": jnp.zeros(3)}, r"the direction has shape \(3,\), not \(2,\)"),
        (lambda fit: {"status": jnp.asarray(99)}, "its status 99 is none there is"),
        (lambda fit: {"status": jnp.asarray(0.5)}, "its status 0.5 is none there is"),
        (lambda fit: {"method": 77}, "its method 77 is none there is"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path, fit, change, says):
    jm.save(tmp_path / "fit", dataclasses.replace(fit, **change(fit)))
    with pytest.raises(ValueError, match=says):
        jm.load(tmp_path / "fit")


@pytest.mark.parametrize(
    "mark,says",
    [
        (1.0, "'s' is positive in it and .* in like"),
        (jm.interval(1.0, lower=0.0, upper=2.0), "'s' is positive in it and .* in like"),
    ],
)
def test_a_like_with_other_marks_is_refused(tmp_path, fit, mark, says):
    jm.save(tmp_path / "fit", fit)
    with pytest.raises(ValueError, match=says):
        jm.load(tmp_path / "fit", like={"m": 0.0, "s": mark})
    assert jm.load(tmp_path / "fit", like={"m": 5.0, "s": jm.positive(9.0)}).ok


def test_numbers_rounded_otherwise_on_another_machine_are_the_same(tmp_path):
    start = {"m": jm.interval(1e-3, lower=-1e6, upper=1e6), "s": jm.positive(1.0)}
    fit = jm.Fit.at(TERM, start)
    other = {"m": fit.params["m"] + 1e-9, "s": fit.params["s"] * (1 + 1e-14)}
    jm.save(tmp_path / "fit", dataclasses.replace(fit, params=other))
    assert jm.load(tmp_path / "fit").params == other


def test_lanes_within_lanes_that_failed_are_kept(tmp_path):
    bowl = lambda y: jm.fit(jm.likelihood(lambda p, y: -((y - p["m"]) ** 2) / p["s"], y), START)  # noqa: E731
    fits = jax.vmap(jax.vmap(bowl))(jnp.array([[[1.0, 2.0], [3.0, jnp.nan]]]))
    jm.save(tmp_path / "fits", fits)
    assert np.array_equal(jm.load(tmp_path / "fits").status, fits.status)
