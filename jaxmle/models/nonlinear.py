"""Nonlinear least squares: any mean function with normal noise."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxmle.core.compiled import compiled
from jaxmle.core.signature import check_takes
from jaxmle.core.tree import as_leaf
from jaxmle.densities import normal as density
from jaxmle.models.design import as_response, as_weights
from jaxmle.models.scale import TwoConventions, exact_fit, root_mean_square
from jaxmle.parameters import positive
from jaxmle.parameters.space import Space
from jaxmle.terms import rows as row_tools
from jaxmle.terms.objective import as_objective
from jaxmle.terms.predictor import over_rows
from jaxmle.terms.problem import Problem
from jaxmle.terms.regression import regression


def nonlinear_least_squares(f: Callable, x, y, start: dict[str, Any], weights=None) -> Problem:
    r"""Nonlinear least squares: ``y_i ~ Normal(f(params, x_i), sigma)``.

    Arguments: ``f(params, x_i)``, the mean of *one* row; ``x``, a tree of arrays with a leading row axis; ``y`` (n,);
    ``start``, a dict of parameters, marks and all; ``weights``, case weights (n,).

    Returns a problem in the names of ``start`` and ``sigma``, the maximum likelihood estimate, root of RSS / n; the
    table also gives the root of RSS / (n - p), and ``jm.models.least_squares`` the errors that go with it.

    Errors: ``ValueError`` for shapes that do not fit, pandas rows labelled differently, a mean that is not one number,
    or a start that names a parameter ``sigma`` itself; ``TypeError`` for a start that is not a dict, or an ``f`` that
    does not take params and a row.

    >>> import jax.numpy as jnp
    >>> import jaxmle as jm
    >>> x = jnp.array([0.0, 1.0, 2.0, 3.0])
    >>> decay = lambda p, t: p["a"] * jnp.exp(-p["b"] * t)
    >>> problem = nonlinear_least_squares(decay, x, jnp.array([2.0, 1.2, 0.75, 0.44]), {"a": 1.0, "b": 1.0})
    >>> round(float(jm.fit(problem).params["b"]), 4)
    0.4998

    Source: Levenberg (1944); Bates and Watts (1988), "Nonlinear Regression Analysis", section 2.2.
    """
    if not isinstance(start, dict):
        raise TypeError(f"start must be a dict of parameters, such as {{'a': 1.0}}; it is a {type(start).__name__}")
    check_takes(f, 2, "f is called as f(params, x_i), with one row of x", "several columns travel as one array or dict")
    if "sigma" in start:
        raise ValueError("sigma is the scale of the noise, which the model adds: give that parameter another name")
    x, y = row_tools.as_rows(x, "x"), as_response(y, x=x, weights=weights)
    row_tools.count_rows({"x": x, "y": y})
    weights = as_weights(weights, y)
    space, values = Space.of(start)
    sigma = positive(_first_scale(as_leaf(f), space.lift(values), x, y, weights))
    term = regression(density, jax.tree_util.Partial(_Mean(), as_leaf(f)), x, y, weights)
    return Problem(
        as_objective(term), {**start, "sigma": sigma}, "Nonlinear least squares", exact_fit, TwoConventions(space.size)
    )


@compiled
def _first_scale(f, params, x, y, weights):
    """The root of the mean square of the residuals at the start."""
    mean = over_rows(lambda row: f(params, row), x)(row_tools.open_shared(x))
    if jnp.shape(mean) != y.shape:
        raise ValueError(
            f"f must return one number, the mean of one row; it returned an array of shape {jnp.shape(mean)[1:]} for a "
            "row: take one entry, or sum"
        )
    return root_mean_square(y.astype(mean.dtype) - mean, weights)


@dataclasses.dataclass(frozen=True)
class _Mean:
    """The predictor of a mean function: all but sigma go to it."""

    def __call__(self, f, params, row):
        rest = {name: value for name, value in params.items() if name != "sigma"}
        return f(rest, row), params["sigma"]
