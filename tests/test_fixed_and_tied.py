"""Fixed and tied leaves: absent from z, constants of the program, named where they cannot be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from space_cases import Pair, assert_same, mlp, net, tree_of_scalars

import jaxmle as jm
from jaxmle.parameters import Space


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
        mlp(),
        net(),
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
    assert_same(s.params(s.to_z(values)), {"held": tree, "free": 1.0})
    assert hash(s.layout) == hash(Space.of({"held": jm.fixed(tree), "free": 1.0})[0].layout)


def test_a_fixed_module_runs_under_jit():
    """Its flags are not traced: dropout asks `if inference`."""
    s, values = Space.of({"net": jm.fixed(net()), "shift": 1.0})

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
    assert_same(s.params(z), {"a": 1.0, "b": jnp.ones(2)})
    with pytest.raises(ValueError, match="every parameter is fixed"):
        jm.fit(jm.log_prior(lambda params: -params["a"]), {"a": jm.fixed(1.0)})


def test_fixed_numbers_are_shown_by_one_constant():
    s, _ = Space.of({"a": 1.0, "b": jm.fixed({"c": 4.0, "d": jnp.ones(2)}), "e": jm.fixed("text")})
    tree = tree_of_scalars(s, jnp.array([7.0]), jnp.nan)
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
    np.testing.assert_allclose(s.scalars_of(tree_of_scalars(s, s.scalars(z), 0.0)), s.scalars(z), rtol=1e-15)
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
