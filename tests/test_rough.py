"""Priors with kinks: their densities, where they may be, and how they add."""

import importlib
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

import jaxmle as jm
from jaxmle.parameters.space import Space
from jaxmle.priors.group_laplace import as_groups
from jaxmle.solvers.penalty import Penalty
from jaxmle.terms.objective import as_objective
from jaxmle.terms.rough import coordinates

# The table is in a folder that is on the path only while its own tests are collected.
sys.path.insert(0, str(Path(__file__).parent / "contracts"))
ROUGH_TABLE = importlib.import_module("prior_table").ROUGH_TABLE

RNG = np.random.default_rng(41)
PARAMS = {"beta": RNG.normal(size=3), "deep": {"a": RNG.normal(size=(2, 2)), "b": RNG.normal(size=())}}
per_prior = pytest.mark.parametrize("row", ROUGH_TABLE, ids=lambda row: row.name)


def rough_term(term):
    """The one term that has a prox."""
    return next(t for t in as_objective(term).terms if not getattr(t, "is_smooth", True))


def penalty_in(start, term):
    """What the driver asks for, inside a trace, and the space."""
    space, values = Space.of(start)

    @jax.jit
    def inside(term, space, values):
        z = space.to_z(values)
        return rough_term(term).penalty(space.lift, space.point(z), z.size)

    return inside(term, space.unlabelled, values)


# Densities


@per_prior
@pytest.mark.parametrize(
    "where,entries",
    [
        ("beta", PARAMS["beta"]),
        ("deep.a", PARAMS["deep"]["a"].ravel()),
        (lambda p: p["beta"][1:], PARAMS["beta"][1:]),
    ],
    ids=["leaf", "matrix", "function"],
)
def test_value_equals_the_reference(row, where, entries):
    got = jax.jit(lambda number: row.make(where, number)(PARAMS))(row.number)
    assert float(got) == pytest.approx(row.log_density(entries, row.number), rel=1e-12)


@per_prior
@pytest.mark.parametrize("number", [0.3, 5.0])
def test_is_a_density_on_the_line(row, number):
    """It integrates to one, by quadrature."""
    term = row.make("x", number)
    density = jax.jit(lambda x: jnp.exp(term({"x": x})))
    total = 0.0
    for ends in [(-300.0, -9.0), (-9.0, 0.0), (0.0, 0.3), (0.3, 9.0), (9.0, 300.0)]:
        total += scipy.integrate.quad(lambda x: float(density(x)), *ends, epsabs=1e-12)[0]
    assert total == pytest.approx(1.0, abs=1e-10)


def test_group_laplace_is_a_density_in_the_plane():
    term = jm.priors.group_laplace("x", 0.7)
    density = jax.jit(lambda x, y: jnp.exp(term({"x": jnp.stack([x, y])})))
    total = scipy.integrate.dblquad(
        lambda r, angle: r * float(density(r * np.cos(angle), r * np.sin(angle))), 0, 2 * np.pi, 0, 40, epsabs=1e-8
    )[0]
    assert total == pytest.approx(1.0, abs=1e-7)


@per_prior
def test_its_smooth_and_rough_parts_are_the_whole(row):
    """Up to the constant: minus the penalty, and what has derivatives."""
    objective = as_objective(row.make("beta", row.number))
    smooth = [term for term in objective.terms if getattr(term, "is_smooth", True)]
    penalty = penalty_in({"beta": jnp.zeros(3)}, row.make("beta", row.number))
    differences = []
    for _ in range(3):
        x = RNG.normal(size=3)
        parts = sum(float(term({"beta": x})) for term in smooth) - float(penalty.value(x))
        differences.append(float(objective({"beta": x})) - parts)
    np.testing.assert_allclose(differences, differences[0], rtol=1e-12)


@per_prior
def test_is_no_likelihood_and_has_no_derivatives(row):
    term = rough_term(row.make("beta", row.number))
    assert not term.is_likelihood
    assert not term.is_smooth
    assert float(term.nobs()) == 0.0
    point = (jnp.zeros(3),)
    assert float(term.evaluate(lambda point: {"beta": point[0]}, point, 0).log_likelihood) == 0.0
    for order in (1, 2):
        with pytest.raises(ValueError, match=r"no derivatives .*ProximalNewton"):
            term.evaluate(lambda point: {"beta": point[0]}, point, order)


@per_prior
def test_a_new_number_traces_nothing(row):
    traced = []

    @jax.jit
    def value(term, params):
        traced.append(None)
        return term(params)

    for number in (row.number, 2.0 * row.number):
        value(row.make("beta", number), PARAMS)
    assert len(traced) == 1


@pytest.mark.parametrize("l1,l2", [(3.0, 0.0), (0.0, 2.0), (1.0, 1e-9), (1e-9, 1.0)])
def test_elastic_net_has_its_limits(l1, l2):
    """Where one strength vanishes it is the Laplace or the normal prior."""
    x = jnp.array([0.3, -1.2])
    got = float(jm.priors.elastic_net("x", l1, l2)({"x": x}))
    limit = jm.penalties.l1("x", l1) if l1 > l2 else jm.penalties.l2("x", l2)
    assert got == pytest.approx(float(limit({"x": x})), abs=1e-8)


def test_an_impossible_scale_is_explained():
    (term,) = jax.vmap(lambda scale: (jm.priors.laplace("beta", scale=scale),))(-jnp.ones(1))
    term = jax.tree.map(lambda leaf: leaf[0], term)
    assert "is its scale (or strength) positive" in term.explain({"beta": jnp.ones(3)})[0]
    assert jm.priors.laplace("beta").explain({"beta": jnp.ones(3)}) == []


# Where they may be

START = {"a": jnp.zeros(2), "beta": jnp.zeros((2, 3)), "c": jm.fixed(np.ones(2)), "d": jm.tied("a"), "e": 0.5}


@pytest.mark.parametrize(
    "where,expected",
    [
        ("beta", [2, 3, 4, 5, 6, 7]),
        (lambda p: p["beta"][1, ::-1], [7, 6, 5]),
        (lambda p: p["d"][1:], [1]),
        (lambda p: {"x": p["e"], "y": p["a"]}, [8, 0, 1]),
        (lambda p: jnp.concatenate([p["a"], p["beta"][:, 0]]), [0, 1, 2, 5]),
        (lambda p: p["a"][:0], []),
    ],
)
def test_coordinates_of_a_selection(where, expected):
    space, values = Space.of(START)
    term = jm.penalties.l1(where, 1.0)

    @jax.jit
    def inside(space, values):
        found.append(coordinates(term.where, space.lift, space.point(space.to_z(values))))
        return 0

    found = []
    inside(space, values)
    assert found[0].tolist() == expected
    jax.vmap(inside, (None, 0))(space, jax.tree.map(lambda x: jnp.stack([x, x]), values))
    penalty = penalty_in(START, term)
    assert np.flatnonzero(penalty.l1).tolist() == sorted(expected)


@pytest.mark.parametrize(
    "where,reason",
    [
        (lambda p: 2.0 * p["a"], "as they are"),
        (lambda p: p["a"] + 1.0, "as they are"),
        (lambda p: jnp.diff(p["beta"], axis=1), "as they are"),
        (lambda p: -p["e"], "as they are"),
        (lambda p: jnp.abs(p["beta"] - 1.0) + 1.0, "as they are"),
        (lambda p: 1.0, "as they are"),
        ("c", "held fixed"),
        (lambda p: [p["a"], p["c"]], "held fixed"),
        (lambda p: [p["a"], p["a"]], "more than once"),
        (lambda p: [p["a"], p["d"]], "more than once"),
    ],
)
def test_what_is_no_selection_of_free_parameters_is_refused(where, reason):
    with pytest.raises(ValueError, match=f"cannot be over .*{reason}.* parameter of its own"):
        penalty_in(START, jm.penalties.l1(where, 1.0))


def test_a_fixed_leaf_is_refused_outside_a_trace_too():
    space, values = Space.of(START)
    with pytest.raises(ValueError, match="cannot be over 'c'"):
        coordinates(jm.penalties.l1("c", 1.0).where, space.lift, tuple(map(jnp.asarray, values)))


def test_many_parameters_in_float32():
    """Places are told apart beyond the integers that float32 can count."""
    size = 2**24 + 5
    point = (jax.ShapeDtypeStruct((size,), np.float32),)
    found = coordinates(lambda p: p[-3:], lambda point: point[0], point)
    assert found.tolist() == [size - 3, size - 2, size - 1]


# Strengths, groups, sums


def test_arrays_of_strengths_follow_the_selection():
    strengths = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    penalty = penalty_in(START, jm.penalties.l1("beta", strengths))
    assert penalty.l1.tolist() == [0, 0, 1, 2, 3, 4, 5, 6, 0]
    penalty = penalty_in(START, jm.priors.laplace(lambda p: p["beta"][0], loc=[1.0, 2.0, 3.0], scale=0.5))
    assert penalty.centre.tolist() == [0, 0, 1, 2, 3, 0, 0, 0, 0]
    assert penalty.l1.tolist() == [0, 0, 2, 2, 2, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "groups",
    [[[0, 2], [1], [3, 4, 5]], [0, 1, 0, 2, 2, 2], np.array([7, 9, 7, 11, 11, 11]), [np.array([0, 2]), [1], [3, 4, 5]]],
)
def test_groups_by_indices_or_labels(groups):
    params = START | {"beta": RNG.normal(size=(2, 3))}
    term = jm.penalties.group_lasso("beta", [1.0, 2.0, 3.0], groups, by_size=True)
    penalty = penalty_in(START, term)
    assert penalty.groups.tolist() == [-1, -1, 0, 1, 0, 2, 2, 2, -1]
    np.testing.assert_allclose(penalty.strength, np.array([1.0, 2.0, 3.0]) * np.sqrt([2, 1, 3]))
    flat = params["beta"].ravel()
    expected = sum(
        s * np.sqrt(len(g)) * np.linalg.norm(flat[g]) for s, g in zip([1, 2, 3], [[0, 2], [1], [3, 4, 5]], strict=True)
    )
    point = jnp.concatenate([jnp.zeros(2), flat, jnp.zeros(1)])
    assert float(penalty.value(point)) == pytest.approx(expected, rel=1e-12)


def test_entries_in_no_group_are_left_alone():
    penalty = penalty_in(START, jm.priors.group_laplace("beta", 1.0, [[0, 1]]))
    assert penalty.face(jnp.zeros(9)).tolist() == [True, True, False, False] + [True] * 5


@pytest.mark.parametrize(
    "groups,error,message",
    [
        ([[0, 1], [1, 2]], ValueError, "disjoint"),
        ([[0, 0]], ValueError, "disjoint"),
        ([[-1, 0]], ValueError, "disjoint"),
        (["a", "b"], TypeError, "one integer label"),
        ([[0.0, 1.0]], TypeError, "one integer label"),
    ],
)
def test_groups_that_are_none(groups, error, message):
    with pytest.raises(error, match=message):
        as_groups(groups)


def test_groups_that_do_not_fit_the_selection():
    with pytest.raises(ValueError, match="name entry 6, but the prior is over 6 entries"):
        penalty_in(START, jm.priors.group_laplace("beta", 1.0, [[0, 6]]))
    with pytest.raises(ValueError, match="one for each of its 2 groups"):
        penalty_in(START, jm.priors.group_laplace("beta", [1.0, 2.0, 3.0], [[0, 1], [2]]))


def _sum_of(*terms):
    space, values = Space.of(START)

    @jax.jit
    def inside(terms, values):
        z = space.to_z(values)
        pieces = [term.penalty(space.lift, space.point(z), z.size) for term in terms]
        return sum(pieces[1:], pieces[0])

    return inside(terms, values)


def test_penalties_add():
    """Strengths over the same parameters, centres over different ones, groups one after the other."""
    z = RNG.normal(size=9)
    terms = (
        jm.penalties.l1("beta", 1.5),
        jm.penalties.l1(lambda p: p["beta"][0], 0.5),
        jm.priors.laplace("a", loc=1.0, scale=0.5),
        jm.penalties.group_lasso("beta", 2.0, [0, 0, 0, 1, 1, 1]),
        jm.penalties.group_lasso("e", 3.0),
    )
    total = _sum_of(*terms)
    parts = sum(float(penalty_in(START, term).value(z)) for term in terms)
    assert float(total.value(z)) == pytest.approx(parts, rel=1e-12)
    assert total.strength.tolist() == [2.0, 2.0, 3.0]
    assert float((2.0 * total).value(z)) == pytest.approx(2.0 * parts, rel=1e-12)
    nothing = Penalty.nothing(9, float)
    assert float((nothing + total).value(z)) == pytest.approx(parts, rel=1e-12)


def test_penalties_that_cannot_be_added():
    with pytest.raises(ValueError, match="two group penalties share a parameter"):
        _sum_of(jm.penalties.group_lasso("beta", 1.0), jm.penalties.group_lasso(lambda p: p["beta"][0], 1.0))
    with pytest.raises(ValueError, match="centres that cannot be compared"):
        _sum_of(jm.priors.laplace("a", loc=1.0), jm.penalties.l1("a", 1.0))
    ones = Penalty(jnp.ones(2), jnp.ones(2))
    with pytest.raises(ValueError, match="have different centres"):
        ones + Penalty(jnp.ones(2))
    assert (ones + ones).l1.tolist() == [2.0, 2.0]


def test_placed_elsewhere():
    penalty = Penalty(
        jnp.array([1.0, 2.0, 0.0]), None, jnp.array([3.0]), np.array([0, 0, -1]), np.array([1, 1, 0], bool)
    )
    moved = penalty.placed(np.array([3, 1, -1]), 5)
    z = RNG.normal(size=5)
    assert float(moved.value(z)) == pytest.approx(float(penalty.value(jnp.array([z[3], z[1], 0.0]))), rel=1e-12)
    assert moved.touched.tolist() == [False, True, False, True, False]
