"""The space of a start tree: which numbers are free, what they are called, and the way between params and z."""

import doctest
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from space_cases import Pair, assert_same, mlp, net, tree_of_scalars

import jaxmle as jm
from jaxmle import parameters
from jaxmle.parameters import Space, bijections, marks, space

LINEAR_LABELS = ["linear.weight[0,0]", "linear.weight[0,1]", "linear.bias[0]"]

TREES = {
    "dict": ({"beta": jnp.arange(3.0), "sigma": 1.5}, ["beta[0]", "beta[1]", "beta[2]", "sigma"]),
    "nested": (
        {"a": {"b": 1.0, "c": jnp.zeros((1, 2))}, "d": [2.0, (3.0, np.array(4.0))]},
        ["a.b", "a.c[0,0]", "a.c[0,1]", "d[0]", "d[1][0]", "d[1][1]"],
    ),
    "tuple": ((1.0, jnp.ones(2)), ["[0]", "[1][0]", "[1][1]"]),
    "list": ([1.0, jnp.ones(2)], ["[0]", "[1][0]", "[1][1]"]),
    "named tuple": (Pair(1.0, {"x": 2.0}), ["left", "right.x"]),
    "none": ({"a": None, "b": 1.0}, ["b"]),
    "array": (jnp.arange(2.0), ["params[0]", "params[1]"]),
    "number": (3.0, ["params"]),
    "mark": (jm.positive(2.0), ["params"]),
    "simplex mark": (jm.simplex([0.2, 0.8]), ["params[0]", "params[1]"]),
    "numpy scalar": ({"a": np.float64(1.0)}, ["a"]),
    "empty leaf": ({"a": jnp.zeros(0), "b": 1.0}, ["b"]),
    "multilayer perceptron": (
        mlp(),
        [f"layers[0].weight[{i},{j}]" for i in range(3) for j in range(2)]
        + [f"layers[0].bias[{i}]" for i in range(3)]
        + [f"layers[1].weight[0,{j}]" for j in range(3)]
        + ["layers[1].bias[0]"],
    ),
    "module": (net(), [*LINEAR_LABELS, "scale", "rate"]),
    "module with a mark": (net(jm.positive(2.0)), [*LINEAR_LABELS, "scale", "rate"]),
    "module in a named tuple": (
        Pair([net()], jm.positive(1.0)),
        [f"left[0].{name}" for name in [*LINEAR_LABELS, "scale", "rate"]] + ["right"],
    ),
}


def _bare(tree):
    """The tree as params: marks replaced by their values."""
    return jax.tree.map(
        lambda leaf: leaf.value if isinstance(leaf, marks.Mark) else leaf,
        tree,
        is_leaf=lambda leaf: isinstance(leaf, marks.Mark),
    )


@pytest.mark.parametrize("name", TREES)
def test_any_tree_goes_to_z_and_back(name):
    tree, labels = TREES[name]
    s, values = Space.of(tree)
    z = s.to_z(values)
    assert z.shape == (s.size,)
    assert s.scalar_labels() == labels
    assert_same(s.params(z), _bare(tree))
    assert_same(s.lift(values), _bare(tree))
    np.testing.assert_allclose(s.to_z(s.point(z)), z, rtol=1e-15)


@pytest.mark.parametrize("name", TREES)
def test_a_space_goes_through_jit_vmap_and_hash(name):
    s, values = Space.of(TREES[name][0])
    z = s.to_z(values)
    assert hash(s.layout) == hash(Space.of(TREES[name][0])[0].layout)

    @jax.jit
    def scalars(s, z):
        return (
            s.scalars(s.to_z(s.point(z))),
            s.scalars_of(tree_of_scalars(s, s.scalars(z), jnp.nan)),
            s.log_det(z),
        )

    lanes = jax.vmap(scalars, in_axes=(None, 0))(s, jnp.stack([z, z + 0.5]))
    for lane, at in enumerate([z, z + 0.5]):
        for a, b in zip(lanes, (s.scalars(at), s.scalars(at), s.log_det(at)), strict=True):
            np.testing.assert_allclose(a[lane], b, rtol=1e-14)


def test_starts_may_be_traced_and_mapped():
    """Constructors never look at values: lanes of starts, of fixed numbers and of bounds."""

    def scalars(start, held, lower):
        s, values = Space.of({"a": jm.interval(start, lower, 9.0), "b": jm.fixed(held)})
        z = s.to_z(values)
        return s.params(z), s.log_det(z)

    start, held, lower = jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0]), jnp.array([0.0, -1.0])
    params, log_det = jax.jit(jax.vmap(scalars))(start, held, lower)
    np.testing.assert_allclose(params["a"], start, rtol=1e-14)
    np.testing.assert_array_equal(params["b"], held)
    slope = (start - lower) * (9.0 - start) / (9.0 - lower)
    np.testing.assert_allclose(log_det, np.log(slope), rtol=1e-14)


def test_flags_and_settings_of_a_module_stay_python():
    params = Space.of(net())[0].params(jnp.zeros(5))
    assert params.drop.p == 0.3
    assert isinstance(params.drop.p, float)
    assert params.drop.inference is False
    assert params.activation is jax.nn.relu
    assert params.slope == 0.25
    assert isinstance(params.slope, float)
    np.testing.assert_array_equal(params.knots, [0, 1, 2])


def test_a_plain_float_of_a_module_is_free_and_is_a_constant_when_fixed():
    """An unmarked leaf is free, in a module of the user's as in a dict; settings of the layers of Equinox are not."""
    tree = net()
    start = Space.of(tree)[1]
    assert start[-1] == tree.rate
    layout = Space.of(jm.fixed(tree))[0].layout
    assert {leaf.name: leaf.kind for leaf in layout.leaves if leaf.name in ("drop.p", "rate")} == {
        "drop.p": "structure",
        "rate": "fixed",
    }


class Location(eqx.Module):
    mu: object
    s: object


class Thinned(eqx.nn.Dropout):
    """A layer with a number of its own beside the setting of the layer."""

    scale: float

    def __init__(self, p, scale):
        super().__init__(p)
        self.scale = scale


def _location(params, y):
    return jm.densities.normal.logpdf(y, params.mu, params.s)


def test_a_module_of_plain_floats_is_fitted():
    y = np.array([1.0, 2.0, 6.0])
    fit = jm.fit(jm.likelihood(_location, y), Location(0.0, jm.positive(1.0)))
    np.testing.assert_allclose([fit.params.mu, fit.params.s], [y.mean(), y.std()], rtol=1e-9)
    assert [row.label for row in jm.summary(jm.likelihood(_location, y), fit).rows] == ["mu", "s"]


def test_a_subclass_of_a_layer_keeps_the_setting_and_fits_its_own_number():
    assert Space.of(Thinned(0.3, 1.0))[0].scalar_labels() == ["scale"]


def test_a_setting_that_changes_is_not_taken_from_the_fit_before():
    """Starts of one structure share how they are taken apart, but not the numbers that stay Python."""

    def logpdf(params, y):
        return jm.densities.normal.logpdf(y, params["mu"] * (1.0 + params["drop"].p), 1.0)

    term = jm.likelihood(logpdf, jnp.array([1.0, 2.0, 6.0]))
    for p in (0.25, 0.5, 0.25):
        fit = jm.fit(term, {"mu": 0.0, "drop": eqx.nn.Dropout(p)})
        assert fit.params["drop"].p == p
        assert float(fit.params["mu"]) == pytest.approx(3.0 / (1.0 + p), rel=1e-9)


def test_labels_replace_the_path():
    start = {"beta": jm.free(jnp.zeros(2), labels=["const", "gpa"]), "sigma": jm.positive(1.0), "w": 1.0}
    s, _ = Space.of(start)
    assert s.scalar_labels() == s.z_labels() == ["const", "gpa", "sigma", "w"]


def test_labels_of_a_matrix_run_as_ravel_does():
    s, _ = Space.of({"beta": jm.free(jnp.zeros((2, 2)), labels=["a", "b", "c", "d"])})
    assert s.scalar_labels() == ["a", "b", "c", "d"]
    assert s.layout.shapes == ((2, 2),)


def test_z_is_labelled_by_the_scalar_only_where_each_moves_one():
    start = {
        "p": jm.simplex([0.2, 0.3, 0.5], labels=["x", "y", "z"]),
        "s": jm.positive([1.0, 2.0], labels=["u", "v"]),
    }
    s, _ = Space.of(start | {"t": jm.tied("s")})
    assert s.scalar_labels() == ["x", "y", "z", "u", "v", "t[0]", "t[1]"]
    assert s.z_labels() == ["p~[0]", "p~[1]", "u", "v"]


def test_labels_given_twice_are_told_apart_wherever_they_are_printed():
    start = {"beta": jm.free(jnp.zeros(3), labels=["x", "z", "x"]), "x": 1.0}
    s, _ = Space.of(start)
    assert s.scalar_labels() == s.z_labels() == ["x", "z", "x (2)", "x (3)"]
    design = np.column_stack([np.ones(4), np.arange(4.0), np.ones(4)])
    problem = jm.models.linear(design, np.array([1.0, 2.0, 4.0, 3.0]), labels=["x", "z", "x"])
    table = jm.summary(problem, jm.fit(problem))
    assert [row.label for row in table.rows] == ["x", "z", "x (2)", "sigma"]
    assert re.search(r"standard error: (x - x \(2\)|-x \+ x \(2\))\.", " ".join(table.notes))


@pytest.mark.parametrize("labels", [["one"], ["one", "two", "three", "four"], []])
def test_a_wrong_number_of_labels_is_refused(labels):
    with pytest.raises(ValueError, match=f"parameter 'group.beta' has 3 numbers .* and {len(labels)} labels"):
        Space.of({"group": {"beta": jm.free(jnp.zeros(3), labels=labels)}})


def test_renaming_compiles_nothing():
    traces = []

    @jax.jit
    def params(s, z):
        traces.append(1)
        return s.params(z)

    names = [None, ["a", "b"], ["c", "d"]]
    spaces = [Space.of({"beta": jm.positive([1.0, 2.0], labels=labels)})[0] for labels in names]
    bare = [s.unlabelled for s in spaces]
    for s in bare:
        assert s.labels is None
        assert s.layout == spaces[0].layout
        assert hash(s.layout) == hash(spaces[0].layout)
        assert jax.tree.structure(s) == jax.tree.structure(spaces[0])
        params(s, jnp.zeros(2))
    assert len(traces) == 1
    assert [s.scalar_labels() for s in spaces[1:]] == names[1:]


def test_new_numbers_compile_nothing():
    traces = []

    @jax.jit
    def params(s, z):
        traces.append(1)
        return s.params(z), s.log_det(z)

    for number in (1.0, 2.0, 5.0):
        start = {
            "a": jm.interval(number, lower=0.5, upper=number + 1),
            "b": jm.fixed({"c": number, "d": [number]}),
            "e": jm.unit_vector(np.array([np.cos(number), np.sin(number)])),
        }
        s, values = Space.of(start)
        params(s, s.to_z(values))
    assert len(traces) == 1


@pytest.mark.parametrize("value", [1, True, np.arange(3), jnp.arange(3), np.int32(2), 1 + 2j, np.array(["a"])])
@pytest.mark.parametrize("mark", [lambda value: value, jm.free, jm.positive])
def test_a_parameter_that_is_no_real_number_is_refused_by_name(value, mark):
    with pytest.raises(TypeError, match=r"parameter 'group.n' is of type .*write 1\.0 instead of 1, or jm\.fixed"):
        Space.of({"group": {"n": mark(value)}, "other": 1.0})


def test_integers_in_lists_are_refused_too():
    with pytest.raises(TypeError, match=r"parameter 'p' is of type int"):
        Space.of({"p": jm.unit_vector([0, 1])})
    with pytest.raises(TypeError, match=r"parameter 'p\[1\]' is of type int"):
        Space.of({"p": [1.0, 2]})


def test_log_det_is_the_sum_over_leaves():
    start = {
        "a": jm.positive([1.0, 2.0]),
        "b": jm.simplex([0.2, 0.3, 0.5]),
        "c": jm.fixed(1.0),
        "d": jm.tied("a"),
    }
    s, values = Space.of(start)
    z = s.to_z(values)
    wanted = np.log(1.0) + np.log(2.0) + np.log(0.2 * 0.3 * 0.5)
    np.testing.assert_allclose(s.log_det(z), wanted, rtol=1e-14)
    assert Space.of({"a": jnp.ones(2)})[0].log_det(jnp.ones(2)) == 0


def test_an_identity_is_known():
    assert Space.of({"a": 1.0, "b": jm.free(1.0), "c": jm.fixed(1.0)})[0].is_identity
    assert not Space.of({"a": 1.0, "b": jm.positive(1.0)})[0].is_identity


def test_limits_are_those_of_each_number_of_z():
    start = {
        "a": jm.interval([0.3, 0.4], lower=0, upper=[1.0, 2.0]),
        "b": jm.interval(0.0, lower=-1),
        "c": jm.interval(0.0, upper=1),
        "d": jm.simplex([0.5, 0.5]),
        "e": jm.positive(1.0),
        "f": 0.0,
    }
    s, _ = Space.of(start)
    assert s.limits() == [(0, 1), (0, 2), (-1, None), (1, None), (None, None), (0, None), (None, None)]
    low, high = s.has_limits()
    assert low == [True, True, True, True, False, True, False]
    assert high == [True, True, False, False, False, False, False]


def test_the_dtype_follows_the_start():
    s, values = Space.of({"a": jnp.ones(2, jnp.float32), "b": jm.positive(1.0)})
    z = s.to_z(values)
    assert {leaf.dtype for leaf in jax.tree.leaves((z, s.params(z), s.scalars(z)))} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("module", [parameters, bijections, marks, space], ids=lambda module: module.__name__)
def test_examples_run(module):
    results = doctest.testmod(module)
    assert results.failed == 0
    if module is marks:
        functions = [getattr(module, name) for name in parameters.__all__ if name not in ("Space", "random_starts")]
        assert all(">>> " in function.__doc__ for function in functions)
        assert results.attempted >= len(functions)
