"""Every mark obeys the same laws. To add one, add a row to `mark_table`."""

from functools import cache
from typing import NamedTuple

import equinox as eqx
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from mark_table import ROWS, TABLE

import jaxmle as jm
from jaxmle.core import status as codes
from jaxmle.core.evaluation import Evaluation, derivatives
from jaxmle.parameters import Space

EPS = np.finfo(float).eps
FULL = TABLE[: len(ROWS)]
per_row = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
per_mark = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
per_row_in_batch = pytest.mark.parametrize("row", TABLE[len(ROWS) :], ids=lambda row: row.name)


def _bijection(row):
    return row.mark(row.value).bijection


def _free_shape(row):
    return _bijection(row).free_shape(row.value.shape)


def _z(row, count=24):
    """Points with z from -5 to 5: random ones, the origin, and both ends."""
    shape = _free_shape(row)
    random = np.random.default_rng(1).uniform(-5, 5, size=(count - 3, *shape))
    ends = np.stack([np.full(shape, end) for end in (-5.0, 0.0, 5.0)])
    return np.concatenate([random, ends])


def _value_back_and_log_det(bijection, z):
    value = bijection.forward(z)
    return value, bijection.inverse(value), bijection.log_det(z)


class Found(NamedTuple):
    """What a bijection makes of a stack of z."""

    z: np.ndarray
    values: np.ndarray
    back: np.ndarray
    log_det: np.ndarray
    jacobian: np.ndarray
    jacobian_of_round_trip: np.ndarray

    def rounding_in_z(self, row):
        """How far rounding of the values to float64 moves their z, to first order."""
        sizes = np.max(np.abs(_flat(row, self.values)), axis=1)
        square = self.jacobian.shape[1] == self.jacobian.shape[2]
        back = (np.linalg.inv if square else np.linalg.pinv)(self.jacobian)
        return EPS * (np.sum(np.abs(back), axis=2) * sizes[:, None] + np.abs(self.z) + 1)


def _flat(row, values):
    return np.stack([row.measured(value).ravel() for value in np.asarray(values)])


@cache
def _compiled(name):
    """Everything about one mark in one program, of one z."""
    row = next(row for row in ROWS if row.name == name)
    bijection = _bijection(row)

    def measured(z):
        return row.measured(bijection.forward(z)).ravel()

    def everything(z):
        value, back, log_det = _value_back_and_log_det(bijection, z)
        _, both_ways = jax.linearize(lambda z: bijection.inverse(bijection.forward(z)), z)
        pulled = jax.linear_transpose(both_ways, z)
        identity = jax.vmap(lambda unit: pulled(unit)[0])(jnp.eye(z.size, dtype=z.dtype))
        return value, back, log_det, jax.jacfwd(measured)(z), identity

    return jax.jit(jax.vmap(everything))


def _found(row, z):
    return Found(np.asarray(z), *jax.tree.map(np.asarray, _compiled(row.name)(z)))


@cache
def _on_the_points(name):
    row = next(row for row in ROWS if row.name == name)
    return _found(row, _z(row))


@per_mark
def test_inverse_of_forward_is_the_identity(row):
    found = _on_the_points(row.name)
    assert np.all(np.abs(found.back - found.z) <= 100 * found.rounding_in_z(row))


@per_mark
@hypothesis.settings(max_examples=30, deadline=None, derandomize=True, database=None)
@hypothesis.given(data=st.data())
def test_inverse_of_forward_is_the_identity_wherever_hypothesis_looks(row, data):
    (size,) = _free_shape(row)
    numbers = st.lists(st.floats(-5, 5, allow_subnormal=False), min_size=size, max_size=size)
    found = _found(row, np.broadcast_to(np.array(data.draw(numbers)), _z(row).shape))
    assert row.satisfied(found.values[0])
    assert np.all(np.abs(found.back - found.z) <= 100 * found.rounding_in_z(row))


@per_mark
def test_forward_of_inverse_is_the_identity(row):
    """On values made without the mark, so that every allowed value is reached."""
    values = row.sample(np.random.default_rng(2), (len(_z(row)),))
    z = jax.jit(jax.vmap(_bijection(row).inverse))(values)
    assert np.all(np.isfinite(z))
    found = _found(row, z)
    moved = (np.abs(found.jacobian) @ (np.abs(found.z) + 1)[..., None]).max()
    np.testing.assert_allclose(found.values, values, rtol=0, atol=50 * EPS * (moved + np.abs(values).max()))


@per_mark
def test_log_det_is_that_of_the_derivative(row):
    """The volume that J stretches; where J is tall it is the area, half the log-determinant of J'J."""
    found = _on_the_points(row.name)
    assert found.log_det.shape == (len(found.z),)
    square = found.jacobian.shape[1] == found.jacobian.shape[2]
    gram = np.swapaxes(found.jacobian, 1, 2) @ found.jacobian
    exact = np.linalg.slogdet(found.jacobian)[1] if square else 0.5 * np.linalg.slogdet(gram)[1]
    np.testing.assert_allclose(found.log_det, exact, rtol=1e-10, atol=1e-10)


@per_mark
def test_derivative_of_forward_equals_finite_differences(row):
    """Central ones: h^2 of truncation and eps / h of rounding. The next law has reverse mode."""
    h = EPS ** (1 / 3)
    found = _on_the_points(row.name)
    for i in range(found.z.shape[1]):
        step = h * (np.arange(found.z.shape[1]) == i)
        up, down = (_flat(row, _found(row, found.z + sign * step).values) for sign in (1, -1))
        scale = np.abs(up).max() + np.abs(found.jacobian).max()
        np.testing.assert_allclose(found.jacobian[:, :, i], (up - down) / (2 * h), rtol=0, atol=20 * h**2 * scale)


@per_mark
def test_derivative_of_inverse_inverts_that_of_forward(row):
    """By reverse mode, at an ordinary point and at zero, where a matrix has zeros off its diagonal."""
    found = _on_the_points(row.name)
    np.testing.assert_allclose(found.jacobian_of_round_trip[-2], np.eye(found.z.shape[1]), rtol=0, atol=1e-13)
    z = _bijection(row).inverse(jnp.asarray(row.value))
    found = _found(row, np.broadcast_to(z, found.z.shape))
    np.testing.assert_allclose(found.jacobian_of_round_trip[0], np.eye(found.z.shape[1]), rtol=0, atol=1e-12)


@per_mark
def test_values_meet_the_constraint_at_any_z(row):
    assert all(row.satisfied(value) for value in _on_the_points(row.name).values)


@per_mark
def test_compiled_and_vmapped_equal_an_eager_loop(row):
    found = _on_the_points(row.name)
    for i in (0, 1, -1):
        value, back, log_det = _value_back_and_log_det(_bijection(row), jnp.asarray(found.z[i]))
        np.testing.assert_allclose(value, found.values[i], rtol=1e-12, atol=1e-13 * np.abs(value).max())
        assert np.all(np.abs(back - found.back[i]) <= 100 * found.rounding_in_z(row)[i])
        np.testing.assert_allclose(log_det, found.log_det[i], rtol=1e-12, atol=1e-12)


@per_row_in_batch
def test_batch_axes_in_front_are_independent_copies(row):
    single = next(single for single in ROWS if row.name.startswith(f"{single.name}, in a"))
    bijection, shape = _bijection(row), _free_shape(row)
    batch = row.value.shape[: row.value.ndim - single.value.ndim]
    assert shape == (*batch, *_free_shape(single))
    found = _on_the_points(single.name)
    lanes = range(4, 4 + np.prod(batch))
    value, back, log_det = jax.jit(_value_back_and_log_det)(bijection, found.z[lanes].reshape(shape))
    assert value.shape == row.value.shape
    assert back.shape == shape
    assert log_det.shape == ()
    np.testing.assert_allclose(value.reshape(found.values[lanes].shape), found.values[lanes], rtol=1e-12, atol=1e-13)
    rounding = 100 * found.rounding_in_z(single)[lanes]
    assert np.all(np.abs(back.reshape(rounding.shape) - found.z[lanes]) <= rounding)
    np.testing.assert_allclose(log_det, found.log_det[lanes].sum(), rtol=1e-12, atol=1e-12)


@per_mark
def test_new_numbers_compile_nothing(row):
    traces = []

    @jax.jit
    def everything(bijection, z):
        traces.append(z.shape)
        return _value_back_and_log_det(bijection, z)

    for factor in (1.0, 1.25, 3.0):
        bijection = jax.tree.map(lambda x, factor=factor: factor * x, _bijection(row))
        jax.eval_shape(everything, bijection, factor * _z(row)[0])
    assert len(traces) == 1


def test_whole_and_fractional_bounds_are_one_program():
    traces = []

    @jax.jit
    def forward(mark):
        traces.append(1)
        return mark.bijection.inverse(jnp.asarray(mark.value))

    for lower, upper in [(0, 1), (0.25, 2), (-1, 7.5)]:
        forward(jm.interval(0.5, lower=lower, upper=upper))
    assert len(traces) == 1


@per_mark
def test_single_precision_stays_single(row):
    """The derivatives too, and whatever the precision of the bounds."""
    space, values = Space.of({"leaf": row.mark(np.asarray(row.value, np.float32))})
    (bijection,) = space.bijections
    z, back = jax.jit(lambda value: (bijection.inverse(value), bijection.forward(bijection.inverse(value))))(values[0])
    np.testing.assert_allclose(back, row.value, rtol=0, atol=2e-6 * np.abs(row.value).max())
    lifted = jax.eval_shape(lambda z: jax.jvp(lambda z: (space.params(z), space.log_det(z)), (z,), (z,)), z.ravel())
    assert {leaf.dtype for leaf in jax.tree.leaves((z, back, lifted))} == {np.dtype(np.float32)}


@per_row
def test_allowed_values_are_told_from_others(row):
    bijection = _bijection(row)
    assert bijection.allows(row.value) is True
    assert all(bijection.allows(value) for value in row.sample(np.random.default_rng(3), (3,)))
    for value in row.outside:
        assert bijection.allows(value) is False, value


def _start_with(name, value):
    """All marks in one tree, so that one program serves every start."""
    return {"group": {row.name: row.mark(value if row.name == name else row.value) for row in FULL}}


def _log_prior():
    return jm.log_prior(_minus_squares)


def _minus_squares(params):
    return -sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))


@per_mark
def test_fit_names_the_leaf_its_value_and_the_constraint_of_a_start_outside(row):
    row = next(full for full in FULL if full.name == row.name)
    for value in row.outside:
        with pytest.raises(ValueError, match=f"the start of 'group.{row.name}' is ") as caught:
            jm.fit(_log_prior(), _start_with(row.name, value), max_steps=1)
        message = str(caught.value)
        assert np.array2string(value, threshold=6, precision=6) in message
        wanted = f"must be {row.words}" if np.all(np.isfinite(value)) else "not a finite number"
        assert wanted in message


def test_no_value_raises_inside_a_trace():
    values = {row.name: row.outside[0] for row in FULL}

    def status(values):
        start = {row.name: row.mark(values[row.name]) for row in FULL if row.name in values}
        return jm.fit(_log_prior(), start, max_steps=1).status

    assert jax.eval_shape(status, values).shape == ()
    name = "interval, lower end"
    row = next(row for row in FULL if row.name == name)
    lanes = np.stack([row.value, *row.outside])
    statuses = jax.jit(jax.vmap(status))({name: lanes})
    assert statuses[0] != codes.START_OUTSIDE
    assert np.all(statuses[1:] == codes.START_OUTSIDE)


MIXTURES = {
    "elementwise": [row.name for row in ROWS if _bijection(row).elementwise],
    "vectors": ["simplex, in a batch", "unit vector", "unit vector, last axis", "ordered"],
    "matrices": ["covariance matrix", "correlation matrix", "positive"],
}


def _mixture(name):
    """Marks beside an unmarked leaf, a fixed one and a tied one."""
    rows = [row for row in TABLE if row.name in MIXTURES[name]]
    marked = {row.name: row.mark(row.value) for row in rows}
    return {**marked, "plain": jnp.array([0.3, -0.2]), "held": jm.fixed(0.7), "again": jm.tied(rows[-1].name)}


def test_every_mark_is_in_a_mixture():
    assert {name.removesuffix(", in a batch") for names in MIXTURES.values() for name in names} == {
        r.name for r in ROWS
    }


class _Wave(eqx.Module):
    """A smooth function of params with nothing special about it."""

    seed: int = 0

    def __call__(self, params):
        x = jnp.concatenate([jnp.ravel(jnp.asarray(leaf)) for leaf in jax.tree.leaves(params)])
        rng = np.random.default_rng(self.seed)
        bend, tilt, phase = (
            rng.normal(size=(x.size, x.size)),
            rng.normal(size=x.size),
            rng.normal(size=x.size),
        )
        return jnp.sin(tilt @ x / x.size) + 0.05 * x @ (bend @ x) + jnp.sum(tilt * jnp.tanh(x + phase))


@pytest.mark.parametrize("name", MIXTURES)
def test_pulled_back_evaluation_is_that_of_the_function_of_z(name):
    """Value, gradient and second derivatives equal autodiff straight through the transform, off the optimum."""
    space, values = Space.of(_mixture(name))
    wave, extra = _Wave(), np.random.default_rng(5).normal(size=(1, space.size))

    @jax.jit
    def both(z):
        flat = space.flat_point(z)
        value, gradient, hessian = derivatives(lambda flat: wave(space.lift(space.cut_point(flat))), flat, 2)
        added = jnp.diag(jnp.cos(flat))
        zero = jnp.zeros(())
        evaluation = Evaluation(value, zero, jnp.abs(value), gradient, -hessian, -hessian + added)
        jacobian = jax.jacfwd(space.flat_point)(z)
        through = derivatives(lambda z: wave(space.params(z)), z, 2)
        return space.pull_back(evaluation, z), through, jacobian.T @ added @ jacobian

    z = space.to_z(values) + 0.3 * extra[0]
    pulled, (value, gradient, hessian), added = both(z)
    size = np.abs(hessian).max() + np.abs(gradient).max()
    np.testing.assert_allclose(pulled.value, value, rtol=1e-12)
    np.testing.assert_allclose(pulled.gradient, gradient, rtol=1e-11, atol=1e-12 * size)
    np.testing.assert_allclose(pulled.curvature, -hessian, rtol=1e-10, atol=1e-11 * size)
    np.testing.assert_allclose(pulled.gauss_newton, added - hessian, rtol=1e-10, atol=1e-11 * size)


@pytest.mark.parametrize("start", [jm.positive([1.0, 2.0]), jm.simplex([0.2, 0.8])], ids=["positive", "simplex"])
def test_what_was_not_asked_for_is_not_pulled_back(start):
    space, values = Space.of(start)
    z = space.to_z(values)
    one, gradient = jnp.ones(()), jnp.ones(space.flat_point(z).shape)
    assert space.pull_back(Evaluation(one, one, one), z).gradient is None
    pulled = space.pull_back(Evaluation(one, one, one, gradient), z)
    assert pulled.curvature is None
    np.testing.assert_allclose(pulled.gradient, gradient @ jax.jacfwd(space.flat_point)(z), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(
    "mark, value, message",
    [
        (jm.simplex, [1.0], "'leaf': a simplex needs a last axis of two or more"),
        (jm.simplex, 1.0, "'leaf': a simplex needs a last axis of two or more"),
        (jm.unit_vector, [1.0], "'leaf': a unit vector needs a last axis of two or more"),
        (jm.ordered, 1.0, "'leaf': an ordered vector needs a last axis of one or more"),
        (jm.covariance_matrix, np.ones((2, 3)), "'leaf': a covariance matrix needs two equal last axes"),
        (jm.correlation_matrix, [1.0, 2.0], "'leaf': a correlation matrix needs two equal last axes"),
        (
            lambda v: jm.interval(v, lower=[0.0, 0.0, 0.0]),
            0.3,
            r"'leaf': lower has shape \(3,\) and the value \(\)",
        ),
        (
            lambda v: jm.interval(v, 0, [1.0, 1.0]),
            [0.3],
            r"'leaf': upper has shape \(2,\) and the value \(1,\)",
        ),
    ],
)
def test_shapes_that_cannot_carry_the_mark_are_refused(mark, value, message):
    with pytest.raises(ValueError, match=message):
        Space.of({"leaf": mark(value)})


def test_an_interval_needs_an_end():
    with pytest.raises(ValueError, match=r"needs lower, upper or both; for a free number use jm\.free"):
        jm.interval(0.3)


@per_mark
def test_a_leaf_carries_one_mark(row):
    inner = jm.positive(1.0)
    for value in (inner, jm.tied("other"), {"deeper": [inner]}):
        with pytest.raises(TypeError, match="a leaf carries one mark"):
            row.mark(value)
        with pytest.raises(TypeError, match="a leaf carries one mark"):
            jm.fixed(value)


def test_lists_are_taken_as_arrays_where_a_leaf_is_meant():
    space, values = Space.of({"leaf": jm.interval([0.3, 0.4], lower=[0, 0], upper=[1.0, 2.0])})
    np.testing.assert_allclose(space.params(space.to_z(values))["leaf"], [0.3, 0.4], rtol=1e-15)
