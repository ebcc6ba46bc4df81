"""Every function of every density can be traced in all its arguments, alone and in lanes."""

import inspect

import jax
import jax.numpy as jnp
import pytest
from density_table import TABLE

NAMES = ["logpdf", "logpmf", "logcdf", "logsf", "quantile", "support", "mean", "variance", "probability", "information"]
OF_OBSERVATIONS = {"logpdf", "logpmf", "logcdf", "logsf", "quantile", "support"}
PAIRS = [(row, name) for row in TABLE for name in NAMES if hasattr(row.module, name)]


def _called(row, name):
    """The function of numbers, the middle one of which is where the table has ordinary parameters."""
    function = getattr(row.module, name)
    if name in OF_OBSERVATIONS:
        return lambda y, *parameters: function(y, *row.pack(*parameters))
    return lambda _, *parameters: function(*row.pack(*parameters))


@pytest.mark.parametrize("row, name", PAIRS, ids=lambda part: getattr(part, "name", part))
def test_traced_in_all_arguments(row, name):
    function = _called(row, name)
    numbers = [jnp.asarray(0.5 if name == "quantile" else 1.0), *map(jnp.asarray, map(float, row.typical))]
    of_one = jax.tree.leaves(jax.eval_shape(function, *numbers))
    of_three = jax.tree.leaves(jax.eval_shape(jax.vmap(function), *[jnp.stack([number] * 3) for number in numbers]))
    assert of_one
    assert [leaf.shape for leaf in of_three] == [(3, *leaf.shape) for leaf in of_one]


def test_no_function_is_left_out():
    public = {
        name
        for row in TABLE
        for name, value in vars(row.module).items()
        if inspect.isfunction(value) and inspect.getmodule(value) is row.module and not name.startswith("_")
    }
    assert public == {*NAMES, "sample", "best_scale"}
