"""Every mark obeys the same laws. To add one, add a row to `mark_table`."""

from functools import cache

import equinox as eqx
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from mark_table import ROWS, TABLE

import jaxmle as jm
from jaxmle.core.evaluation import Evaluation, derivatives
from jaxmle.parameters import Space

EPS = np.finfo(float).eps
per_row = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
per_mark = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


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


@cache
def _compiled(name):
    row = next(row for row in TABLE if row.name == name)
    bijection = _bijection(row)

    def measured(flat):
        return row.measured(bijection.forward(flat.reshape(_free_shape(row)))).ravel()

    def everything(z):
        value, flat = bijection.forward(z), z.ravel()
        jacobian = jax.jacfwd(measured)(flat)
        return value, bijection.inverse(value), bijection.log_det(z), jacobian, jax.jacrev(measured)(flat)

    return jax.jit(jax.vmap(everything))


def _everything(row, z):
    """Value, the z it came from, log_det, and the derivative by both modes, for each of a stack of z."""
    return jax.tree.map(np.asarray, _compiled(row.name)(z))


@cache
def _on_the_points(name):
    row = next(row for row in TABLE if row.name == name)
    return _everything(row, _z(row))


def _flat(row, values):
    return np.stack([row.measured(value).ravel() for value in values])


def _rounding_in_z(row, values, z, jacobian):
    """How far rounding of ``values`` to float64 moves their z, to first order."""
    sizes = np.max(np.abs(_flat(row, values)), axis=1)
    pushed = np.sum(np.abs(np.linalg.pinv(jacobian)), axis=2) * sizes[:, None]
    return EPS * (pushed + np.abs(z.reshape(len(z), -1)) + 1).reshape(z.shape)


@per_row
def test_inverse_of_forward_is_the_identity(row):
    z = _z(row)
    values, back, _, jacobian, _ = _on_the_points(row.name)
    assert np.all(np.abs(back - z) <= 100 * _rounding_in_z(row, values, z, jacobian))


@per_row
@hypothesis.settings(max_examples=25, deadline=None, derandomize=True, database=None)
@hypothesis.given(data=st.data())
def test_inverse_of_forward_is_the_identity_wherever_hypothesis_looks(row, data):
    shape = _free_shape(row)
    numbers = st.lists(
        st.floats(-5, 5, allow_subnormal=False), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))
    )
    z = np.array(data.draw(numbers)).reshape(1, *shape)
    values, back, _, jacobian, _ = _everything(row, z)
    assert row.satisfied(values[0])
    assert np.all(np.abs(back - z) <= 100 * _rounding_in_z(row, values, z, jacobian))


@per_row
def test_forward_of_inverse_is_the_identity(row):
    """On values made without the mark, so that every allowed value is reached."""
    bijection = _bijection(row)
    values = row.sample(np.random.default_rng(2), (20,))
    z = jax.vmap(bijection.inverse)(values)
    assert np.all(np.isfinite(z))
    back, _, _, jacobian, _ = _everything(row, z)
    moved = np.einsum("nij,nj->ni", np.abs(jacobian), np.abs(np.asarray(z)).reshape(len(z), -1) + 1)
    size = np.max(np.abs(values))
    assert np.all(np.abs(_flat(row, back) - _flat(row, values)) <= 50 * EPS * (moved + size))
    np.testing.assert_allclose(back, values, rtol=0, atol=50 * EPS * (moved.max() + size))


@per_row
def test_log_det_is_that_of_the_derivative(row):
    """The volume J stretches, from its singular values: square for coordinates, tall for an area."""
    _, _, log_det, jacobian, _ = _on_the_points(row.name)
    stretches = np.linalg.svd(jacobian, compute_uv=False)
    rounding = EPS * jacobian.shape[1] * stretches[:, 0] / stretches[:, -1]
    assert log_det.shape == (len(log_det),)
    assert np.all(
        np.abs(log_det - np.log(stretches).sum(axis=1)) <= 1e-12 * (1 + np.abs(log_det)) + 10 * rounding
    )


@per_row
def test_derivative_of_forward_equals_finite_differences(row):
    """Forward and reverse mode, against central differences: h^2 of truncation and eps / h of rounding."""
    h = EPS ** (1 / 3)
    z = _z(row, 6).reshape(6, -1)
    forward = jax.jit(jax.vmap(lambda flat: _bijection(row).forward(flat.reshape(_free_shape(row)))))
    _, _, _, jacobian, by_reverse = (part[:6] for part in _everything(row, z.reshape(6, *_free_shape(row))))
    for i in range(z.shape[1]):
        step = h * (np.arange(z.shape[1]) == i)
        up, down = (_flat(row, np.asarray(forward(z + sign * step))) for sign in (1, -1))
        scale = np.abs(up).max() + np.abs(jacobian).max()
        np.testing.assert_allclose(jacobian[:, :, i], (up - down) / (2 * h), rtol=0, atol=20 * h**2 * scale)
    np.testing.assert_allclose(by_reverse, jacobian, rtol=1e-11, atol=1e-12 * np.abs(jacobian).max())


@per_row
def test_derivative_of_inverse_is_finite_and_inverts_that_of_forward(row):
    bijection = _bijection(row)
    z = bijection.inverse(jnp.asarray(row.value))

    def round_trip(flat):
        return bijection.inverse(bijection.forward(flat.reshape(z.shape))).ravel()

    for derivative in (jax.jacfwd, jax.jacrev):
        identity = derivative(round_trip)(z.ravel())
        np.testing.assert_allclose(identity, np.eye(z.size), rtol=0, atol=1e-12)


@per_row
def test_values_meet_the_constraint_at_any_z(row):
    assert all(row.satisfied(value) for value in _on_the_points(row.name)[0])


@per_row
def test_compiled_and_vmapped_equal_an_eager_loop(row):
    bijection, z = _bijection(row), _z(row, 5)
    values, back, log_det, jacobian, _ = _everything(row, z)
    rounding = 100 * _rounding_in_z(row, values, z, jacobian)
    for i in range(len(z)):
        value = bijection.forward(jnp.asarray(z[i]))
        np.testing.assert_allclose(value, values[i], rtol=1e-12, atol=1e-13 * np.abs(values[i]).max())
        assert np.all(np.abs(bijection.inverse(value) - back[i]) <= rounding[i])
        np.testing.assert_allclose(bijection.log_det(jnp.asarray(z[i])), log_det[i], rtol=1e-12, atol=1e-12)


@per_row
def test_new_numbers_compile_nothing(row):
    traces = []

    @jax.jit
    def everything(bijection, z):
        traces.append(z.shape)
        value = bijection.forward(z)
        return value, bijection.inverse(value), bijection.log_det(z)

    bijection = _bijection(row)
    for factor in (1.0, 1.25, 3.0):
        everything(jax.tree.map(lambda x, factor=factor: factor * x, bijection), factor * _z(row)[0])
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


@per_row
def test_single_precision_stays_single(row):
    bijection = _bijection(row)
    value = jnp.asarray(row.value, jnp.float32)
    z = bijection.inverse(value)
    back, slope = jax.value_and_grad(lambda z: bijection.forward(z).sum() + bijection.log_det(z))(z)
    for number in (z, bijection.forward(z), bijection.log_det(z), back, slope):
        assert number.dtype == jnp.float32
    assert bijection.allows(value)
    np.testing.assert_allclose(bijection.forward(z), value, rtol=0, atol=2e-6 * np.abs(row.value).max())


@per_row
def test_double_precision_bounds_leave_single_precision_fits_single(row):
    space, values = Space.of({"leaf": row.mark(jnp.asarray(row.value, jnp.float32))})
    z = space.to_z(values)
    assert z.dtype == space.params(z)["leaf"].dtype == space.log_det(z).dtype == jnp.float32


@per_row
def test_allowed_values_are_told_from_others(row):
    bijection = _bijection(row)
    assert bijection.allows(row.value)
    assert all(bijection.allows(value) for value in row.sample(np.random.default_rng(3), (5,)))
    for value in row.outside:
        assert bijection.allows(value) is False, value


@per_mark
def test_fit_names_the_leaf_its_value_and_the_constraint_of_a_start_outside(row):
    row = next(full for full in TABLE if full.name == row.name)
    objective = _log_prior()
    for value in row.outside:
        with pytest.raises(ValueError, match="the start of 'group.leaf' is ") as caught:
            jm.fit(objective, {"group": {"leaf": row.mark(value)}})
        message = str(caught.value)
        assert np.array2string(value, threshold=6, precision=6) in message
        wanted = f"must be {row.words}" if np.all(np.isfinite(value)) else "not a finite number"
        assert wanted in message
    assert jm.fit(objective, {"group": {"leaf": row.mark(row.value)}}, max_steps=1).params is not None


@cache
def _log_prior():
    return jm.log_prior(lambda params: -jnp.sum((params["group"]["leaf"] - 0.1) ** 2))


@per_mark
def test_nothing_is_raised_about_values_inside_a_trace(row):
    row = next(full for full in TABLE if full.name == row.name)
    values = np.stack([row.value, row.outside[0]])

    def fit_one(value):
        return jm.fit(_log_prior(), {"group": {"leaf": row.mark(value)}}, max_steps=2).status

    from jaxmle.core import status as codes

    statuses = jax.jit(jax.vmap(fit_one))(values)
    assert statuses[0] != codes.START_OUTSIDE
    assert statuses[1] == codes.START_OUTSIDE


MIXTURES = {
    "elementwise": ["free", "positive", "interval", "interval, lower end", "interval, upper end"],
    "all marks": [row.name for row in ROWS],
    "batches": ["positive, in a batch", "simplex, in a batch", "covariance matrix, in a batch"],
}


def _starts():
    starts = {row.name: {"leaf": row.mark(row.value)} for row in ROWS}
    rows = {row.name: row for row in TABLE}
    for name, members in MIXTURES.items():
        starts[f"a mixture: {name}"] = {m: rows[m].mark(rows[m].value) for m in members} | {
            "held": jm.fixed(0.7),
            "plain": jnp.array([0.3, -0.2]),
            "again": jm.tied(members[-1]),
        }
    return starts


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


@pytest.mark.parametrize("name", _starts())
def test_pulled_back_evaluation_is_that_of_the_function_of_z(name):
    """Value, gradient and second derivatives equal autodiff straight through the transform, off the optimum."""
    space, values = Space.of(_starts()[name])
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


@pytest.mark.parametrize("name", ["positive", "simplex"])
def test_what_was_not_asked_for_is_not_pulled_back(name):
    space, values = Space.of(_starts()[name])
    z = space.to_z(values)
    one, gradient = jnp.ones(()), jnp.ones(space.flat_point(z).shape)
    assert space.pull_back(Evaluation(one, one, one), z).gradient is None
    pulled = space.pull_back(Evaluation(one, one, one, gradient), z)
    assert pulled.curvature is None
    np.testing.assert_allclose(
        pulled.gradient, gradient @ jax.jacfwd(space.flat_point)(z), rtol=1e-14, atol=1e-14
    )


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
