"""The space of a start tree: which numbers are free, what they are called, and the way between params and z."""

import doctest
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmle as jm
from jaxmle import parameters
from jaxmle.parameters import Space, bijections, marks, space


class Pair(NamedTuple):
    left: object
    right: object


class Net(eqx.Module):
    """A module with everything in it: arrays, Python scalars, flags, functions, integers, static fields."""

    linear: eqx.nn.Linear
    drop: eqx.nn.Dropout
    scale: object
    knots: jax.Array
    activation: object = jax.nn.relu
    rate: float = 0.5


def _net(scale=None):
    linear = eqx.nn.Linear(2, 1, key=jax.random.key(0))
    return Net(linear, eqx.nn.Dropout(0.3), jnp.array(2.0) if scale is None else scale, jnp.arange(3))


def _mlp():
    return eqx.nn.MLP(2, 1, 3, 1, key=jax.random.key(1))


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
        _mlp(),
        [f"layers[0].weight[{i},{j}]" for i in range(3) for j in range(2)]
        + [f"layers[0].bias[{i}]" for i in range(3)]
        + [f"layers[1].weight[0,{j}]" for j in range(3)]
        + ["layers[1].bias[0]"],
    ),
    "module": (_net(), [*LINEAR_LABELS, "scale"]),
    "module with a mark": (_net(jm.positive(2.0)), [*LINEAR_LABELS, "scale"]),
    "module in a named tuple": (
        Pair([_net()], jm.positive(1.0)),
        [f"left[0].{name}" for name in [*LINEAR_LABELS, "scale"]] + ["right"],
    ),
}


def _bare(tree):
    """The tree as params: marks replaced by their values."""
    return jax.tree.map(
        lambda leaf: leaf.value if isinstance(leaf, marks.Mark) else leaf,
        tree,
        is_leaf=lambda leaf: isinstance(leaf, marks.Mark),
    )


def _assert_same(got, wanted):
    assert jax.tree.structure(got) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        if callable(b) or isinstance(b, str):
            assert a is b
        else:
            np.testing.assert_allclose(a, b, rtol=1e-15)


def _tree_of_scalars(s, scalars, constant):
    return s.tree_of_leaves(s.leaves_of_scalars(scalars, constant))


@pytest.mark.parametrize("name", TREES)
def test_any_tree_goes_to_z_and_back(name):
    tree, labels = TREES[name]
    s, values = Space.of(tree)
    z = s.to_z(values)
    assert z.shape == (s.size,)
    assert s.scalar_labels() == labels
    _assert_same(s.params(z), _bare(tree))
    _assert_same(s.lift(values), _bare(tree))
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
            s.scalars_of(_tree_of_scalars(s, s.scalars(z), jnp.nan)),
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


def test_flags_and_scalars_of_a_module_stay_python():
    params = Space.of(_net())[0].params(jnp.zeros(4))
    assert params.drop.p == 0.3
    assert isinstance(params.drop.p, float)
    assert params.drop.inference is False
    assert params.activation is jax.nn.relu
    assert params.rate == 0.5
    np.testing.assert_array_equal(params.knots, [0, 1, 2])


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
    bare = [s.unlabelled() for s in spaces]
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


def test_fixed_leaves_are_absent_from_z():
    start = {
        "a": 1.0,
        "b": jm.fixed(4.0),
        "c": jm.fixed(jnp.ones(3)),
        "d": jm.positive(2.0),
        "n": jm.fixed(3),
    }
    s, values = Space.of(start)
    z = s.to_z(values)
    assert s.size == len(values) == 2
    assert s.scalar_labels() == s.z_labels() == ["a", "d"]
    params = s.params(z + 1)
    assert params["b"] == 4.0
    assert params["n"] == 3
    np.testing.assert_array_equal(params["c"], np.ones(3))
    np.testing.assert_allclose(s.scalars(z), [1.0, 2.0], rtol=1e-15)
    np.testing.assert_allclose(s.scalars_of(params), [2.0, 2.0 * np.e], rtol=1e-15)


def test_derivatives_reach_fixed_numbers():
    """They are numbers of the space, so that a fit can be differentiated with respect to them."""

    def product(held):
        s, values = Space.of({"a": 2.0, "b": jm.fixed(held)})
        params = s.params(s.to_z(values))
        return params["a"] * params["b"]

    assert jax.grad(product)(3.0) == 2.0


@pytest.mark.parametrize(
    "tree",
    [
        {"x": 1.0, "y": [jnp.ones(2), 3]},
        [1.0, (2.0,)],
        Pair(1.0, jnp.zeros(2)),
        {"x": jnp.ones(2), "kind": "text", "flag": True, "f": jnp.exp, "none": None},
        _mlp(),
        _net(),
        "text",
        None,
        jnp.tanh,
    ],
)
def test_any_sub_tree_may_be_fixed(tree):
    s, values = Space.of({"held": jm.fixed(tree), "free": 1.0})
    assert s.scalar_labels() == ["free"]

    @jax.jit
    def params(s, z):
        inside = s.params(z)
        for leaf, wanted in zip(jax.tree.leaves(inside["held"]), jax.tree.leaves(tree), strict=True):
            if isinstance(wanted, bool | str) or callable(wanted):
                assert leaf is wanted
        return [leaf for leaf in jax.tree.leaves(inside) if isinstance(leaf, jax.Array)]

    params(s, s.to_z(values))
    _assert_same(s.params(s.to_z(values)), {"held": tree, "free": 1.0})
    assert hash(s.layout) == hash(Space.of({"held": jm.fixed(tree), "free": 1.0})[0].layout)


def test_a_fixed_module_runs_under_jit():
    """Its flags are not traced: dropout asks `if inference`."""
    s, values = Space.of({"net": jm.fixed(_net()), "shift": 1.0})

    @jax.jit
    def run(s, z):
        params = s.params(z)
        net = params["net"]
        return net.activation(net.drop(net.linear(jnp.ones(2)), key=jax.random.key(0))) + params["shift"]

    assert run(s, s.to_z(values)).shape == (1,)


def test_everything_may_be_fixed():
    s, values = Space.of({"a": jm.fixed(1.0), "b": jm.fixed(jnp.ones(2))})
    z = s.to_z(values)
    assert values == ()
    assert s.size == 0
    assert z.shape == s.scalars(z).shape == s.scalars_of(s.params(z)).shape == s.flat_point(z).shape == (0,)
    assert s.scalar_labels() == s.z_labels() == s.limits() == []
    assert s.cut_point(z) == ()
    _assert_same(s.params(z), {"a": 1.0, "b": jnp.ones(2)})
    with pytest.raises(ValueError, match="every parameter is fixed"):
        jm.fit(jm.log_prior(lambda params: -params["a"]), {"a": jm.fixed(1.0)})


def test_fixed_numbers_are_shown_by_one_constant():
    s, _ = Space.of({"a": 1.0, "b": jm.fixed({"c": 4.0, "d": jnp.ones(2)}), "e": jm.fixed("text")})
    tree = _tree_of_scalars(s, jnp.array([7.0]), jnp.nan)
    assert tree["a"] == 7.0
    assert np.isnan(tree["b"]["c"])
    assert np.isnan(tree["b"]["d"]).all()
    assert tree["e"] == "text"


def test_a_tied_leaf_takes_the_value_of_the_other():
    start = {
        "a": jm.tied("groups[1].scale"),  # before the leaf it is tied to
        "groups": [{"scale": 1.0}, {"scale": jm.positive([2.0, 3.0])}],
        "z": jm.tied("groups[0].scale"),
    }
    s, values = Space.of(start)
    z = s.to_z(values)
    assert s.has_ties
    assert s.size == 3
    params = s.params(z + 0.5)
    np.testing.assert_array_equal(params["a"], params["groups"][1]["scale"])
    assert params["z"] == params["groups"][0]["scale"]
    wanted = ["a[0]", "a[1]", "groups[0].scale", "groups[1].scale[0]", "groups[1].scale[1]", "z"]
    assert s.scalar_labels() == wanted
    assert s.z_labels() == ["groups[0].scale", "groups[1].scale[0]", "groups[1].scale[1]"]
    np.testing.assert_allclose(s.scalars(z), [2.0, 3.0, 1.0, 2.0, 3.0, 1.0], rtol=1e-15)
    np.testing.assert_allclose(s.scalars_of(_tree_of_scalars(s, s.scalars(z), 0.0)), s.scalars(z), rtol=1e-15)
    assert not Space.of({"a": 1.0})[0].has_ties


@pytest.mark.parametrize(
    "path, why",
    [
        ("nowhere", "there is no such leaf"),
        ("", "there is no such leaf"),
        ("group", "there is no such leaf"),
        ("held", "that leaf is fixed"),
        ("sub.x", "that leaf is fixed"),
        ("other", "that leaf is tied"),
        ("me", "that leaf is tied"),
        ("kind", "that leaf is structure"),
    ],
)
def test_a_leaf_tied_to_no_free_leaf_is_refused(path, why):
    start = {
        "group": {"a": 1.0},
        "beta": jnp.zeros(2),
        "held": jm.fixed(1.0),
        "sub": jm.fixed({"x": 1.0}),
        "kind": "text",
        "other": jm.tied("beta"),
        "me": jm.tied(path),
    }
    with pytest.raises(KeyError, match=f"'me' is tied to '{path}', but {why}; the free leaves are: beta, group.a"):
        Space.of(start)
    with pytest.raises(KeyError, match="the free leaves are: none"):
        Space.of({"held": jm.fixed(1.0), "me": jm.tied("held")})


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
